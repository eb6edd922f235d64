from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from tol_luigi.core.errors import SettingsError, SourceError, TableError
from tol_luigi.sources.gbif import GbifSection, gbif_listing

if TYPE_CHECKING:
    from pathlib import Path

Rows = list[dict[str, Any]]

_TERMS = "http://rs.tdwg.org/dwc/terms"
META = f"""<archive xmlns="http://rs.tdwg.org/dwc/text/" metadata="metadata.xml">
  <core encoding="UTF-8" fieldsTerminatedBy="\\t" linesTerminatedBy="\\n" fieldsEnclosedBy="" ignoreHeaderLines="1"
    rowType="{_TERMS}/Occurrence"><files><location>occurrence.txt</location></files><id index="0"/></core>
  <extension encoding="UTF-8" fieldsTerminatedBy="\\t" linesTerminatedBy="\\n" fieldsEnclosedBy="" ignoreHeaderLines="1"
    rowType="http://rs.gbif.org/terms/1.0/Multimedia"><files><location>multimedia.txt</location></files><coreid index="0"/>
  </extension>
  <extension rowType="{_TERMS}/MeasurementOrFact"><files><location>more.txt</location></files><coreid index="0"/></extension>
</archive>"""
OCCURRENCES = (
    "gbifID\tlicense\tbasisOfRecord\tcountryCode\tscientificName\tkingdom\tphylum\tclass\torder\tfamily\tgenus\tspecies\ttypeStatus\ttaxonKey\n"
    "100\tCC0_1_0\tHUMAN_OBSERVATION\tCR\tCorvus corax L.\tAnimalia\tChordata\tAves\tPasseriformes\tCorvidae\tCorvus\tCorvus corax\t\t2482492\n"
    '101\tCC0_1_0\tPRESERVED_SPECIMEN\tDE\tRosa "wild" L.\tPlantae\t\t\tRosales\tRosaceae\tRosa\t\t["HOLOTYPE"]\t\n'
    "102\tCC0_1_0\tHUMAN_OBSERVATION\tDE\tCorvus corax L.\tAnimalia\tChordata\tAves\tPasseriformes\tCorvidae\tCorvus\tCorvus corax\t\t2482492\n"
)
BY = "http://creativecommons.org/licenses/by/4.0/"
NC = "http://creativecommons.org/licenses/by-nc/4.0/"
PHOTO = "https://inaturalist-open-data.s3.amazonaws.com/photos"
COLUMNS = (
    "gbifID",
    "type",
    "format",
    "identifier",
    "title",
    "creator",
    "publisher",
    "license",
    "rightsHolder",
)
MEDIA = [
    ("102", "StillImage", "image/jpeg", f"{PHOTO}/55/original.jpg", "", "Ana", "iNaturalist", NC, "Ana Lima"),
    (
        "100",
        "StillImage",
        "image/jpeg",
        "https://museum.example/1.jpg?size=2",
        'a "title"',
        "Bo",
        "Museum",
        BY,
        "",
    ),
    ("100", "Sound", "audio/mpeg", "https://museum.example/1.mp3", "", "", "", BY, ""),
    ("101", "", "image/png", "https://herbarium.example/2.png", "", "", "", "", ""),
    (
        "100",
        "StillImage",
        "",
        "https://static.inaturalist.org/photos/55/large.jpeg",
        "",
        "",
        "",
        NC,
        "Ana Lima",
    ),
    ("404", "StillImage", "", "https://museum.example/404.jpg", "", "", "", BY, ""),
    ("100", "StillImage", "", "", "", "", "", BY, ""),
    ("101", "StillImage", "", "https://museum.example/1.mp3", "", "", "", BY, "Di"),
]


def write(path: Path, **changed: str) -> Path:
    media = "\n".join("\t".join(row) for row in (COLUMNS, *MEDIA)) + "\n"
    files = {"meta": META, "occurrence": OCCURRENCES, "multimedia": media, **changed}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(f"{name}.{'xml' if name == 'meta' else 'txt'}", text)
    return path


def listed(archive: Path, **selection: Any) -> tuple[Rows, dict[str, int]]:
    with gbif_listing(archive, GbifSection(images=None, **selection)) as listing:
        rows = [row for table in listing.rows() for row in table.to_pylist()]
        counts = listing.counts()
    assert list(archive.parent.glob(".*")) == []
    return rows, counts


def test_images_with_their_occurrences_and_their_own_licence(tmp_path: Path) -> None:
    rows, counts = listed(write(tmp_path / "dwca.zip"))
    found = {row["key"]: row for row in rows}

    assert list(found) == sorted(found)
    assert set(found) == {
        "https://herbarium.example/2.png",
        "https://museum.example/1.jpg?size=2",
        "https://museum.example/1.mp3",
        "inaturalist/55",
    }
    museum = found["https://museum.example/1.jpg?size=2"]
    assert (museum["license"], museum["owner"]) == (BY, "Bo")
    assert (museum["species"], museum["name"]) == ("Corvus corax", "Corvus corax L.")
    assert museum["identifier"] == "gbif:2482492"
    assert museum["page"] == "https://www.gbif.org/occurrence/100"
    assert found["https://herbarium.example/2.png"]["name"] == 'Rosa "wild" L.'
    assert counts == {"": 4, "bad_row": 1, "no_image": 1, "no_occurrence": 1, "repeated": 1}
    assert sum(counts.values()) == len(MEDIA)


def test_an_unpacked_archive_is_the_same(tmp_path: Path) -> None:
    archive = write(tmp_path / "dwca.zip")
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(tmp_path / "dwca")

    assert listed(tmp_path / "dwca") == listed(archive)


def test_a_photograph_of_inaturalist_is_one_image_at_all_its_addresses(tmp_path: Path) -> None:
    rows, _ = listed(write(tmp_path / "dwca.zip"))

    [photo] = [row for row in rows if row["key"] == "inaturalist/55"]
    assert photo["page"].endswith("/100")  # of the first occurrence
    assert photo["url"] == "https://static.inaturalist.org/photos/55/large.jpeg"


@pytest.mark.parametrize(
    ("selection", "count", "fault"),
    [
        ({"countries": ("cr",)}, 2, "countries"),
        ({"taxa": ("Rosales",)}, 2, "taxa"),
        ({"basis_of_record": ("HUMAN_OBSERVATION",)}, 2, "basis_of_record"),
        ({"licenses": ("CC-BY-4.0",)}, 2, "licenses"),
        ({"licenses": ("unknown", "CC-BY-NC")}, 2, "licenses"),
        ({"max_per_species": 1}, 3, "max_per_species"),
    ],
)
def test_selections(tmp_path: Path, selection: Any, count: int, fault: str) -> None:
    rows, counts = listed(write(tmp_path / "dwca.zip"), **selection)

    assert (len(rows), counts[""], counts[fault]) == (count, count, 4 - count)
    assert sum(counts.values()) == len(MEDIA)


def test_columns_that_are_missing_and_tables_in_another_order(tmp_path: Path) -> None:
    occurrences = "species\tgbifID\nCorvus corax\t100\n"
    media = "identifier\tgbifID\nhttps://museum.example/1.jpg\t100\nhttps://museum.example/2.jpg\t9\n"
    rows, counts = listed(write(tmp_path / "dwca.zip", occurrence=occurrences, multimedia=media))

    assert [(row["species"], row["license"], row["kingdom"]) for row in rows] == [("Corvus corax", "", "")]
    assert counts == {"": 1, "no_occurrence": 1}


@pytest.mark.parametrize(
    ("changed", "error", "what"),
    [
        ({"multimedia": "gbifID\turl\n"}, TableError, "multimedia.txt: line 1 lacks the column identifier"),
        ({"occurrence": f"{OCCURRENCES}7\n"}, TableError, "occurrence.txt: cannot be read .*got 1"),
        ({"meta": META.replace("Multimedia", "Image")}, SourceError, "has no table of Multimedia"),
        ({"meta": "<archive"}, SourceError, "has a meta.xml that is not XML"),
    ],
)
def test_an_archive_that_cannot_be_used(
    tmp_path: Path, changed: dict[str, str], error: Any, what: str
) -> None:
    with pytest.raises(error, match=what):
        listed(write(tmp_path / "dwca.zip", **changed))


def test_a_cut_archive_and_a_misspelled_name(tmp_path: Path) -> None:
    archive = write(tmp_path / "dwca.zip")
    with pytest.raises(SettingsError, match=r"\[gbif\] countries: .* has no 'Costa Rica'"):
        listed(archive, countries=("Costa Rica",))
    archive.write_bytes(archive.read_bytes()[:-9])
    with pytest.raises(SourceError, match="cannot be read"):
        listed(archive)

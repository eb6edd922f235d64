from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from tol_luigi.core.errors import SettingsError, SourceError, TableError
from tol_luigi.sources.delimited import first_rows
from tol_luigi.sources.gbif import GBIF, GbifSection
from tol_luigi.sources.inat_open import INAT_OPEN, InatOpenSection, inat_open_listing

Rows = list[dict[str, Any]]

TAXA = (
    "taxon_id\tancestry\trank_level\trank\tname\tactive\n"
    "1\t48460\t70.0\tkingdom\tAnimalia\tt\n"
    "3\t48460/1/2\t50.0\tclass\tAves\tt\n"
    "7251\t48460/1/2/3\t40.0\torder\tPasseriformes\tt\n"
    "7823\t48460/1/2/3/7251\t30.0\tfamily\tCorvidae\tt\n"
    "7998\t48460\\1\\2\\3\\7251\\7823\t20.0\tgenus\tCorvus\tt\n"
    "8010\t48460/1/2/3/7251/7823/7998\t10.0\tspecies\tCorvus corax\tt\n"
    "2\t48460/1\t60.0\tphylum\tChordata\tt\n"
    "48460\t\t100.0\tstateofmatter\tLife\tt\n"
    "47126\t48460\t70.0\tkingdom\tPlantae\tf\n"
)
OBSERVERS = 'observer_id\tlogin\tname\n1\tana\tAna "Nan" O\'Lima\n2\tbo\t\n'
OBSERVATIONS = (
    "observation_uuid\tobserver_id\tlatitude\tlongitude\tpositional_accuracy\ttaxon_id\tquality_grade\tobserved_on\tanomaly_score\n"
    "o-1\t1\t10.0\t-84.0\t5\t8010\tresearch\t2020-01-01\t0.1\n"
    "o-2\t2\t\t\t\t47126\tneeds_id\t\t\n"
    "o-3\t2\t\t\t\t\tcasual\t\t\n"
    "o-4\t1\t\t\t\t7998\tresearch\t\t\n"
    "o-5\t1\t\t\t\t99\tresearch\t\t\n"
)
PHOTOS = (
    "photo_uuid\tphoto_id\tobservation_uuid\tobserver_id\textension\tlicense\twidth\theight\tposition\n"
    "p-1\t11\to-1\t1\tjpg\tCC-BY-NC\t2048\t1536\t0\n"
    "p-2\t9\to-4\t2\tjpeg\tCC0\t100\t100\t0\n"
    "p-3\t12\to-2\t2\tjpg\tCC-BY\t1\t1\t0\n"
    "p-4\t13\to-404\t2\tjpg\tCC-BY\t1\t1\t0\n"
    "p-5\t14\to-3\t2\tjpg\tCC-BY\t1\t1\t0\n"
    "p-6\t11\to-2\t1\tjpg\tCC-BY-NC\t2048\t1536\t0\n"
    "p-7\t15\to-5\t1\tjpg\tCC-BY\t1\t1\t0\n"
    "p-8\tnone\to-1\t1\tjpg\tCC-BY\t1\t1\t0\n"
    "p-9\t16\to-1\t1\t../x\tCC-BY\t1\t1\t0\n"
)
BASE = "https://inaturalist-open-data.s3.amazonaws.com/photos"


def write(folder: Path, **changed: str) -> Path:
    """Write the four tables, two of them compressed."""
    tables = {"taxa": TAXA, "observers": OBSERVERS, "observations": OBSERVATIONS, "photos": PHOTOS, **changed}
    for name, text in tables.items():
        if name in {"photos", "observations"}:
            (folder / f"{name}.csv.gz").write_bytes(gzip.compress(text.encode()))
        else:
            (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    return folder


def listed(folder: Path, **selection: Any) -> tuple[Rows, dict[str, int]]:
    with inat_open_listing(folder, InatOpenSection(images=None, **selection)) as listing:
        rows = [row for table in listing.rows() for row in table.to_pylist()]
        counts = listing.counts()
    assert list(folder.glob(".*")) == []
    return rows, counts


def test_a_photograph_with_all_that_the_tables_say_of_it(tmp_path: Path) -> None:
    rows, counts = listed(write(tmp_path))

    assert [row["key"] for row in rows] == ["9", "11"]  # in the order of the numbers
    assert {name: cell for name, cell in rows[1].items() if cell} == {
        "key": "11",
        "url": f"{BASE}/11/medium.jpg",
        "kingdom": "Animalia",
        "phylum": "Chordata",
        "class": "Aves",
        "order": "Passeriformes",
        "family": "Corvidae",
        "genus": "Corvus",
        "species": "Corvus corax",
        "name": "Corvus corax",
        "identifier": "inat:8010",
        "license": "CC-BY-NC",
        "owner": 'Ana "Nan" O\'Lima',
        "page": "https://www.inaturalist.org/observations/o-1",
    }
    assert (rows[0]["genus"], rows[0]["species"]) == ("Corvus", "")
    assert (rows[0]["url"], rows[0]["owner"]) == (f"{BASE}/9/medium.jpeg", "bo")
    expected = {"": 2, "bad_row": 2, "no_observation": 1, "no_taxon": 1, "quality_grade": 2, "repeated": 1}
    assert counts == expected
    assert sum(counts.values()) == len(PHOTOS.splitlines()) - 1


@pytest.mark.parametrize(
    ("selection", "keys"),
    [
        ({"quality_grades": ("research", "needs_id")}, ["9", "11", "12"]),
        ({"taxa": ("corvus CORAX",)}, ["11"]),
        ({"taxa": ("Aves", "47126"), "quality_grades": ("needs_id",)}, ["12"]),
        ({"licenses": ("CC0-1.0", "CC0")}, ["9"]),
        ({"licenses": ("CC-BY-NC",)}, ["11"]),
        ({"licenses": ()}, []),
        ({"max_per_species": 0}, ["9"]),
        ({"max_per_species": 1}, ["9", "11"]),
    ],
)
def test_selections(tmp_path: Path, selection: Any, keys: list[str]) -> None:
    rows, counts = listed(write(tmp_path), **selection)

    assert [row["key"] for row in rows] == keys
    assert counts.get("", 0) == len(keys)
    assert sum(counts.values()) == len(PHOTOS.splitlines()) - 1


def test_a_size_is_part_of_the_address(tmp_path: Path) -> None:
    rows, _ = listed(write(tmp_path), size="original")
    assert [row["url"] for row in rows] == [f"{BASE}/9/original.jpeg", f"{BASE}/11/original.jpg"]


def test_the_photograph_of_a_copy_of_the_bucket(tmp_path: Path) -> None:
    rows, _ = listed(write(tmp_path), address="http://127.0.0.1:8/photos/")
    assert rows[0]["url"] == "http://127.0.0.1:8/photos/9/medium.jpeg"


def test_its_id_is_the_one_by_which_gbif_lists_it() -> None:
    section = InatOpenSection(images=Path())
    assert (
        INAT_OPEN.labeler(section).shared_collection
        == GBIF.labeler(GbifSection(images=Path())).shared_collection
    )
    inat, gbif = (
        INAT_OPEN.labeler(section).shared_ids(),
        GBIF.labeler(GbifSection(images=Path())).shared_ids(),
    )
    assert inat((55,)) == gbif(("inaturalist/55",)) == "55"
    assert gbif(("https://museum.example/55",)) == ""


def test_older_tables_lack_columns(tmp_path: Path) -> None:
    cut = "".join(line.rpartition("\t")[0] + "\n" for line in OBSERVATIONS.splitlines())
    assert "anomaly_score" not in cut
    assert listed(write(tmp_path, observations=cut)) == listed(write(tmp_path))


def test_the_order_of_the_rows_does_not_matter(tmp_path: Path) -> None:
    expected = listed(write(tmp_path), max_per_species=1)
    header, *lines = PHOTOS.splitlines()
    photos = "\n".join([header, *lines[::-1]]) + "\n"
    assert listed(write(tmp_path, photos=photos), max_per_species=1) == expected


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        (
            {"photos": PHOTOS.replace("license", "licence", 1)},
            "photos.csv.gz: line 1 lacks the column license",
        ),
        ({"photos": PHOTOS + "p-10\t17\to-1\n"}, "photos.csv.gz: cannot be read .*Expected 9 columns, got 3"),
        ({"taxa": ""}, "taxa.csv: line 1 lacks the column taxon_id"),
    ],
)
def test_a_table_that_cannot_be_used(tmp_path: Path, changed: dict[str, str], what: str) -> None:
    with pytest.raises(TableError, match=what):
        listed(write(tmp_path, **changed))
    assert list(tmp_path.glob(".*")) == []


def test_a_table_that_is_cut_or_missing(tmp_path: Path) -> None:
    photos = write(tmp_path) / "photos.csv.gz"
    photos.write_bytes(photos.read_bytes()[:-20])
    with pytest.raises(TableError, match=r"photos\.csv\.gz: cannot be read"):
        listed(tmp_path)
    photos.unlink()
    with pytest.raises(SourceError, match=r"contains neither photos\.csv\.gz nor photos\.csv"):
        listed(tmp_path)


def test_the_first_rows_are_checked_without_the_others(tmp_path: Path) -> None:
    with first_rows(2):
        rows, counts = listed(write(tmp_path), taxa=("Corvus",))
    assert rows == []
    assert sum(counts.values()) == 2
    with first_rows(2), pytest.raises(TableError, match="lacks the column"):
        listed(write(tmp_path, observers="login\n"))


def test_a_taxon_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"\[inat_open\] taxa: .* has no 'Corvuss'"):
        listed(write(tmp_path), taxa=("Aves", "Corvuss"))

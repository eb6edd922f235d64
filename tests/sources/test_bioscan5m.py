from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING, Any

import pytest
from bioscan5m_files import BEE, COLUMNS, FLY, WASP, member, row, write_table, write_zip

from tol_luigi.core.errors import ArchiveError, SettingsError, SourceError, TableError
from tol_luigi.core.higher_ranks import HigherRankTable
from tol_luigi.core.ledger import State
from tol_luigi.core.reader import Found, listing_of
from tol_luigi.core.source import License
from tol_luigi.core.vernacular import CommonNames
from tol_luigi.sources.bioscan5m import BIOSCAN5M, Bioscan5mSection

if TYPE_CHECKING:
    from pathlib import Path

Rows = list[dict[str, str]]

ROWS = [
    row("AACTA10-20", "train", BEE),
    row("AACTA11-20", "pretrain", FLY, country="Costa Rica"),
    row("AACTA12-20", "test_unseen", WASP),
    row("AACTA13-20", "other_heldout", {**WASP, "genus": "", "species": "Malaise7"}),
]


def opened(folder: Path, rows: Rows, images: Path, columns: Any = COLUMNS, **settings: Any) -> Any:
    """Return the source, given its table and archives."""
    table = write_table(folder / "metadata.csv", rows, columns)
    section = Bioscan5mSection(images=images, metadata=table, **{"partitions": 4, **settings})
    return BIOSCAN5M.open(section, images)


def pack(folder: Path, rows: Rows, name: str = "cropped_256.zip") -> Path:
    return write_zip(folder / name, {member(each): each["processid"] for each in rows})


def scanned(source: Any) -> list[Found]:
    found = [found for listing in source.reader.listings() for found in source.reader.scan(listing)]
    return [*found, *source.reader.unlisted()]


def states(source: Any) -> dict[str, tuple[Any, str]]:
    """Return state and reason of each file by its name; "" stands for an image."""
    found = scanned(source)
    assert len({each.member.name for each in found}) == len(found)
    return {each.member.name.rpartition("/")[2]: (each.state or "", each.reason) for each in found}


@pytest.mark.parametrize("form", ["one archive", "two archives", "a folder"])
def test_every_image_is_read_in_its_partition(tmp_path: Path, form: str) -> None:
    place = tmp_path / "images"
    place.mkdir()
    if form == "one archive":
        place = pack(place, ROWS)
    elif form == "two archives":
        pack(place, ROWS[:2], "cropped.01.zip")
        pack(place, ROWS[2:], "cropped.02.zip")
    else:
        with zipfile.ZipFile(pack(tmp_path, ROWS)) as archive:
            archive.extractall(place)
    reader = opened(tmp_path, ROWS, place).reader

    read = {}
    for listing in reader.listings():
        for found in reader.scan(listing):
            assert listing_of(found.partition, reader.listings()) == listing
            [(_, read[found.key])] = reader.read(found.partition, [found.member])
    assert read == {(each["processid"],): each["processid"].encode() for each in ROWS}
    assert list(reader.unlisted()) == []
    assert len(reader.partitions()) == 4 * (2 if form == "two archives" else 1)


def test_rows_without_image_and_images_without_row_add_up(tmp_path: Path) -> None:
    place = tmp_path / "zips"
    place.mkdir()
    extra = [row("AACTA99-20", "val", BEE)]
    pack(place, [*ROWS[:2], *extra])
    (place / "boxes.tsv").write_text("processid\tx0\n")
    found = states(opened(tmp_path, ROWS, place))

    assert found == {
        "AACTA10-20.jpg": ("", ""),
        "AACTA11-20.jpg": ("", ""),
        "AACTA99-20.jpg": (State.NOT_IN_MAPPING, "not in metadata.csv"),
        "boxes.tsv": (State.NO_IMAGE, "no image by its ending '.tsv'"),
        "AACTA12-20.jpg": (State.MISSING, "metadata.csv lists it, but it is missing"),
        "AACTA13-20.jpg": (State.MISSING, "metadata.csv lists it, but it is missing"),
    }
    missing = [
        each.member.name for each in scanned(opened(tmp_path, ROWS, place)) if each.state == State.MISSING
    ]
    chunk = ROWS[3]["chunk"]
    assert missing == ["test_unseen/AACTA12-20.jpg", f"other_heldout/{chunk}/AACTA13-20.jpg"]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (
            {"exclude_splits": ("test_unseen",)},
            {"AACTA12-20": (State.EXCLUDED_IMAGE, "split test_unseen of BIOSCAN-5M")},
        ),
        (
            {"taxa": ("Diptera", "apis")},
            dict.fromkeys(
                ("AACTA12-20", "AACTA13-20"), (State.NOT_SELECTED, "none of its ranks is in [bioscan5m] taxa")
            ),
        ),
        (
            {"countries": ("canada",)},
            {"AACTA11-20": (State.NOT_SELECTED, "its country, Costa Rica, is not in [bioscan5m] countries")},
        ),
    ],
    ids=lambda value: next(iter(value)),
)
def test_the_selection_is_a_state_with_a_reason(tmp_path: Path, settings: Any, expected: Any) -> None:
    found = states(opened(tmp_path, ROWS, pack(tmp_path, ROWS), **settings))

    assert found == {f"{each['processid']}.jpg": expected.get(each["processid"], ("", "")) for each in ROWS}


def test_rows_that_are_not_selected_are_not_missing(tmp_path: Path) -> None:
    found = states(opened(tmp_path, ROWS, pack(tmp_path, ROWS[:1]), taxa=("Apidae",)))

    assert found == {"AACTA10-20.jpg": ("", "")}


def test_a_number_of_images_per_species(tmp_path: Path) -> None:
    rows = [row(f"BEE{number}-20", "train", BEE) for number in range(9)]
    rows += [row(f"FLY{number}-20", "pretrain", FLY) for number in range(9)]
    found = states(opened(tmp_path, rows, pack(tmp_path, rows), max_per_species=3))

    kept = [name for name, (state, _) in found.items() if not state]
    assert sum(name.startswith("BEE") for name in kept) == 3
    assert sum(name.startswith("FLY") for name in kept) == 9
    reasons = {reason for _, reason in found.values()}
    assert reasons == {"", "beyond [bioscan5m] max_per_species = 3"}
    again = states(opened(tmp_path, rows[::-1], pack(tmp_path, rows[::-1]), max_per_species=3))
    assert again == found


def test_files_that_are_no_images_of_the_table(tmp_path: Path) -> None:
    files = {
        "bioscan5m/images/cropped/train/1/AACTA10-20.png": b"x",
        "readme.txt": b"x",
        "../AACTA11-20.jpg": b"x",
    }
    found = states(opened(tmp_path, ROWS[:2], write_zip(tmp_path / "cropped.zip", files)))

    assert found["AACTA10-20.png"] == (State.BAD_NAME, "ending .png, not .jpg")
    assert found["readme.txt"][0] == State.NO_IMAGE
    assert State.UNSAFE in {state for state, _ in found.values()}


def entries(source: Any, rows: Rows) -> dict[str, tuple[str, ...]]:
    images = [(each["processid"], each["processid"].lower()) for each in rows]
    named = source.labeler.entries(images, HigherRankTable(), CommonNames())
    return {entry.key: entry.taxon.rendered for entry in named}


HIGHER = ("Animalia", "Arthropoda", "Insecta")


@pytest.mark.parametrize(
    ("placeholders", "expected"),
    [
        ("drop", ("Hymenoptera", "Braconidae", "Aphidius", "")),
        ("keep", ("Hymenoptera", "Braconidae", "Aphidius", "sp. 3")),
    ],
)
def test_placeholders_of_species(tmp_path: Path, placeholders: str, expected: tuple[str, ...]) -> None:
    source = opened(tmp_path, ROWS, tmp_path, placeholders=placeholders)

    assert entries(source, ROWS)["aacta12-20"] == (*HIGHER, *expected)
    assert entries(source, ROWS)["aacta10-20"] == (*HIGHER, "Hymenoptera", "Apidae", "Apis", "mellifera")


def test_quotes_tabs_and_commas_in_cells(tmp_path: Path) -> None:
    rows = [row("A-1", "train", BEE, country='Côte "d\'Ivoire", west\tcoast', taxon='a "b", c')]
    source = opened(tmp_path, rows, pack(tmp_path, rows), countries=None)

    assert entries(source, rows) == {"a-1": (*HIGHER, "Hymenoptera", "Apidae", "Apis", "mellifera")}
    assert states(source) == {"A-1.jpg": ("", "")}


def test_a_table_with_the_necessary_columns_only(tmp_path: Path) -> None:
    rows = [row("A-1", "train", {**BEE, "family": "not_classified"})]
    columns = ("species", "genus", "family", "order", "processid")
    source = opened(tmp_path, rows, pack(tmp_path, rows), columns)

    assert states(source) == {"A-1.jpg": ("", "")}
    ranks = ("Animalia", "Arthropoda", "", "Hymenoptera", "", "Apis", "mellifera")
    assert entries(source, rows) == {"a-1": ranks}


@pytest.mark.parametrize(
    ("rows", "columns", "what"),
    [
        (ROWS, COLUMNS[1:], "line 1 lacks the column processid"),
        ([row("", "train", BEE)], COLUMNS, "line 2 has the processid '', which cannot name a file"),
        ([row("../a", "train", BEE)], COLUMNS, "line 2 has the processid '../a', which cannot name a file"),
        ([ROWS[0], ROWS[0]], COLUMNS, "has several rows with the processid 'AACTA10-20'"),
    ],
)
def test_a_table_that_cannot_be_used(tmp_path: Path, rows: Rows, columns: Any, what: str) -> None:
    with pytest.raises(TableError, match=what):
        scanned(opened(tmp_path, rows, pack(tmp_path, ROWS), columns))


def test_a_misspelled_taxon(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"\[bioscan5m\] taxa: no image in .* has the name 'Dipterra'"):
        scanned(opened(tmp_path, ROWS, pack(tmp_path, ROWS), taxa=("Dipterra",)))


def test_a_damaged_archive_and_two_of_one_name(tmp_path: Path) -> None:
    place = tmp_path / "zips"
    place.mkdir()
    archive = pack(place, ROWS)
    archive.write_bytes(archive.read_bytes()[:-9])
    with pytest.raises(ArchiveError, match="is incomplete or damaged"):
        scanned(opened(tmp_path, ROWS, place))
    (place / "cropped_256.tar").write_bytes(b"")
    with pytest.raises(SourceError, match="have the same name"):
        opened(tmp_path, ROWS, place).reader.listings()


def test_the_licence_of_each_image(tmp_path: Path) -> None:
    [table] = opened(tmp_path, ROWS, tmp_path).licenses()
    licenses = [License(**row) for row in table.to_pylist()]

    assert [found.key for found in licenses] == [each["processid"] for each in ROWS]
    assert {found[1:] for found in licenses} == {("", "", "cc-by-3.0", "CBG Photography Group")}

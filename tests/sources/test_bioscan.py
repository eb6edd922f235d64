from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tol_luigi.core.errors import ArchiveError, SourceError
from tol_luigi.core.ledger import State
from tol_luigi.sources.bioscan import BIOSCAN, BioscanReader

if TYPE_CHECKING:
    from tol_luigi.core.reader import FileContent, Found

Pack = Callable[..., Path]

FORMS = ("folder", "tar", "tar.gz", "zip")
PACKED = FORMS[1:]
N = State.NO_IMAGE
B = State.BAD_NAME


def scanned(source: BioscanReader) -> list[Found]:
    return [row for listing in source.listings() for row in source.scan(listing)] + list(source.unlisted())


def keys(source: BioscanReader) -> dict[tuple[int | str, ...], FileContent]:
    rows = [row for row in scanned(source) if row.key]
    found = {}
    for partition in source.partitions():
        mine = [row for row in rows if row.partition == partition]
        for position, content in source.read(partition, [row.member for row in mine]):
            found[mine[position].key or ()] = content
    assert len(found) == len(rows)
    return found


def test_columns() -> None:
    assert [(column.name, column.catalog, column.type) for column in BIOSCAN.columns] == [
        ("part", "bioscan_part", int),
        ("filename", "bioscan_filename", str),
    ]


@pytest.mark.parametrize("form", FORMS)
def test_parts_are_partitions(pack: Pack, form: str) -> None:
    files = {f"part{part}/a.jpg": b"%d" % part for part in (1, 2, 10, 113)}
    source = BioscanReader(pack(form, files), 113)

    assert keys(source) == {(part, "a.jpg"): b"%d" % part for part in (1, 2, 10, 113)}
    if form == "folder":
        assert source.partitions() == source.listings() == ("part1", "part2", "part10", "part113")
    else:
        assert source.partitions() == tuple(f"part{part}" for part in range(1, 114))
        assert source.listings() == ("archive",)


def test_more_parts_than_partitions(pack: Pack) -> None:
    source = BioscanReader(pack("folder", {f"part{part}/a.jpg": b"" for part in (1, 2, 3, 4, 14)}), 3)

    assert source.partitions() == ("part1", "part2", "part3")
    assert [row.key for row in source.scan("part2")] == [(2, "a.jpg"), (14, "a.jpg")]
    assert {row.partition for row in source.scan("part2")} == {"part2"}


PARTS = st.integers(1, 12).map(lambda number: f"part{number}")
FILES = st.sampled_from(["BIOUG1.jpg", "b b.jpg", "ü\n'.jpg"])


@settings(deadline=None, max_examples=20)
@given(
    st.dictionaries(st.tuples(PARTS, FILES).map("/".join), st.binary(max_size=99), min_size=1),
    st.integers(1, 15),
)
def test_all_forms_give_the_same_keys_and_bytes(pack: Pack, files: dict[str, bytes], count: int) -> None:
    expected = {(int(name.split("/")[0][4:]), name.split("/")[1]): content for name, content in files.items()}

    for form in FORMS:
        assert keys(BioscanReader(pack(form, files), count)) == expected


@pytest.mark.parametrize("form", PACKED)
def test_parts_lie_at_any_depth_of_an_archive(pack: Pack, form: str) -> None:
    source = BioscanReader(pack(form, {"bioscan/images/cropped_256/part7/a.jpg": b"x"}), 113)

    [row] = source.scan("archive")
    assert (row.key, row.partition) == ((7, "a.jpg"), "part7")
    assert list(source.read("part7", [row.member])) == [(0, b"x")]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("name", "state", "reason"),
    [
        ("part1/b.png", B, "ending .png, not .jpg"),
        ("part1/b.JPG", B, "ending .JPG, not .jpg"),
        ("part1/b.txt", N, "no image by its ending '.txt'"),
        ("part04/a.jpg", B, "folder 'part04' is not part and a number without leading zeros"),
        ("part0/a.jpg", B, "folder 'part0' is not part and a number without leading zeros"),
        ("partX/a.jpg", B, "folder 'partX' is not part and a number without leading zeros"),
        ("other/a.jpg", B, "an image in no part folder"),
        ("a.jpg", B, "an image in no part folder"),
        ("__MACOSX/part1/._a.jpg", N, "hidden, or a file of the desktop system: '__MACOSX'"),
    ],
)
def test_what_fits_no_part_says_why(pack: Pack, form: str, name: str, state: State, reason: str) -> None:
    rows = {
        row.member.name: row
        for row in scanned(BioscanReader(pack(form, {"part1/a.jpg": b"x", name: b"y"}), 9))
    }

    assert (rows[name].state, rows[name].reason, rows[name].key) == (state, reason, None)
    assert rows["part1/a.jpg"].key == (1, "a.jpg")
    assert len(rows) == 2


def test_a_part_without_images(pack: Pack) -> None:
    place = pack("folder", {"part1/a.jpg": b"x"})
    (place / "part2").mkdir()

    [row] = BioscanReader(place, 9).scan("part2")
    assert (row.member.name, row.state, row.partition) == ("part2/", N, "part2")


def test_a_wrong_place(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot be read: No such file"):
        BioscanReader(tmp_path / "images", 3).partitions()
    (tmp_path / "part04").mkdir()
    with pytest.raises(SourceError, match="contains no folder part1, part2, …"):
        BioscanReader(tmp_path, 3).partitions()


def test_a_cut_archive(pack: Pack) -> None:
    place = pack("zip", {"part1/a.jpg": b"x" * 9999})
    place.write_bytes(place.read_bytes()[:-9])

    with pytest.raises(ArchiveError, match="is incomplete or damaged"):
        list(BioscanReader(place, 3).scan("archive"))


def test_the_sample(shared: Path) -> None:
    place = shared / "sample/bioscan"
    source = BioscanReader(place, 113)
    rows = scanned(source)

    assert source.partitions() == ("part1", "part2", "part3")
    assert [row.key for row in rows] == sorted(
        (int(path.parent.name[4:]), path.name) for path in place.glob("part*/*.jpg")
    )
    assert {row.state for row in rows} == {None}


@pytest.mark.parametrize("form", FORMS)
def test_the_hostile_sample(shared: Path, pack: Pack, form: str) -> None:
    place = shared / "sample/hostile/bioscan"
    if form != "folder":
        files = sorted(path for path in place.rglob("*") if path.is_file())
        place = pack(form, {str(path.relative_to(place)): path.read_bytes() for path in files})
    rows = {row.member.name: (row.state, row.key) for row in scanned(BioscanReader(place, 113))}

    assert rows == {
        "part4/BIOUG98000-A01.jpg": (None, (4, "BIOUG98000-A01.jpg")),
        "part4/BIOUG98000-A02.jpg": (None, (4, "BIOUG98000-A02.jpg")),
        "part4/BIOUG98000-A03.png": (B, None),
        "part04/BIOUG98000-A04.jpg": (B, None),
        "partX/BIOUG98000-A05.jpg": (B, None),
    }

from __future__ import annotations

import csv
import shutil
import uuid
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tol_luigi.core.errors import ArchiveError, SourceError
from tol_luigi.core.ledger import State
from tol_luigi.sources import SOURCES
from tol_luigi.sources.eol import EOL, EolReader

if TYPE_CHECKING:
    from tol_luigi.core.reader import Found

Pack = Callable[..., Path]

FORMS = ("folder", "tar", "tar.gz", "tgz", "zip")
GOOD = "12784812_51655800_eol-full-size-copy.jpg"
UUID = "ccb85d5c-fe01-47bd-ae99-8b98d09e69d4"


def judged(pack: Pack, name: str) -> Found:
    [row] = EolReader(pack("tar", {name: b"x"}, "image_set_01")).scan("image_set_01")
    return row


def test_the_source_is_known() -> None:
    assert list(SOURCES) == [
        "eol",
        "bioscan",
        "inat21",
        "folder",
        "imagefolder",
        "bioscan5m",
        "table",
        "inat_open",
        "gbif",
    ]
    assert SOURCES["eol"] is EOL
    assert [(column.name, column.catalog, column.type) for column in EOL.columns] == [
        ("content_id", "eol_content_id", int),
        ("page_id", "eol_page_id", int),
    ]


def test_an_archive_without_an_ending_is_a_partition_of_its_full_name(pack: Pack, tmp_path: Path) -> None:
    place = pack("tar.gz", {GOOD: b"x"}, "image_set_01").rename(tmp_path / "download")

    assert EolReader(place).partitions() == ("download",)
    assert [row.partition for row in EolReader(place).scan("download")] == ["download"]


@pytest.mark.parametrize(
    ("name", "key"),
    [
        (GOOD, (12784812, 51655800)),
        ("media_cargo/" + GOOD, (12784812, 51655800)),
        ("1_2_eol.jpg", (1, 2)),
        ("1_2_eol\nnew.line.jpg", (1, 2)),
        ("9223372036854775807_1_eol.jpg", (2**63 - 1, 1)),
        ("007_1_eol.jpg", (7, 1)),
    ],
)
def test_ids_are_read_off_the_name(pack: Pack, name: str, key: tuple[int, int]) -> None:
    found = judged(pack, name)

    assert (found.key, found.id, found.state, found.partition) == (key, "", None, "image_set_01")


@pytest.mark.parametrize("name", [f"{UUID}.jpg", f"{UUID.upper()}.jpg", f"EOL/{UUID}.jpg"])
def test_the_published_id_is_read_off_the_name(pack: Pack, name: str) -> None:
    found = judged(pack, name)

    assert (found.key, found.id, found.state) == (None, UUID, None)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("IMG_1234.jpg", "name without ids"),
        ("not-a-uuid.jpg", "name without ids"),
        ("_eol.jpg", "name without ids"),
        ("٣_٤_eol.jpg", "name without ids"),
        ("1_eol.jpg", "name with one id only"),
        ("1_2.jpg", "name without _eol after its two ids"),
        ("1_2_eol.jpeg", "ending .jpeg, not .jpg"),
        ("1_2_eol.JPG", "ending .JPG, not .jpg"),
        (f"{UUID}.png", "ending .png, not .jpg"),
        ("1_2_eol.jpg.part", "unfinished download, ending .part"),
        ("0_2_eol.jpg", "content id is 0, which is no id"),
        ("1_00_eol.jpg", "page id is 0, which is no id"),
        ("9223372036854775808_1_eol.jpg", "content id is beyond 63 bits"),
        ("1_10000000000000000000_eol.jpg", "page id is beyond 63 bits"),
        ("9" * 5000 + "_1_eol.jpg", "content id is beyond 63 bits"),
    ],
)
def test_a_name_that_fits_neither_style_says_why(pack: Pack, name: str, reason: str) -> None:
    found = judged(pack, name)

    assert (found.state, found.reason, found.key, found.id) == (State.BAD_NAME, reason, None, "")


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1))
def test_any_name_at_all_gets_one_row(pack: Pack, name: str) -> None:
    rows = list(EolReader(pack("tar", {name: b"x"}, "x")).scan("x"))

    assert len(rows) <= 1
    assert all(bool(row.state) == bool(row.reason) for row in rows)


# --- where the images lie


def test_a_folder_of_archives_and_folders(tmp_path: Path, pack: Pack) -> None:
    files = {GOOD: b"x"}
    shutil.copy(pack("tar.gz", files), tmp_path / "image_set_02.tar.gz")
    shutil.copy(pack("zip", files), tmp_path / "image_set_10.zip")
    shutil.copy(pack("tar", files), tmp_path / "image_set_01.tar")
    shutil.copytree(pack("folder", files), tmp_path / "image_set_03")
    shutil.copytree(pack("folder", files), tmp_path / ".cache")
    for name in (
        "notes.md",
        ".image_set_08.tar.gz.part",
        "image_set_09.tar.gz.part",
        GOOD,
        "._image_set_02.tar.gz",
    ):
        (tmp_path / name).touch()
    source = EolReader(tmp_path)

    assert source.partitions() == ("image_set_01", "image_set_02", "image_set_03", "image_set_10")
    assert source.listings() == source.partitions()
    for partition in source.partitions():
        [found] = source.scan(partition)
        assert (found.partition, found.member.name, found.key) == (partition, GOOD, (12784812, 51655800))
        assert list(source.read(partition, [found.member])) == [(0, b"x")]
    assert [(row.member.name, row.state, row.partition) for row in source.unlisted()] == [
        ("._image_set_02.tar.gz", State.NO_IMAGE, ""),
        (f".cache/{GOOD}", State.NO_IMAGE, ""),
        (".image_set_08.tar.gz.part", State.NO_IMAGE, ""),
        (GOOD, State.BAD_NAME, ""),
        ("image_set_09.tar.gz.part", State.NO_IMAGE, ""),
        ("notes.md", State.NO_IMAGE, ""),
    ]
    assert all(row.reason for row in source.unlisted())


@pytest.mark.parametrize("form", FORMS)
def test_one_place_is_one_partition(pack: Pack, form: str) -> None:
    source = EolReader(pack(form, {GOOD: b"x", f"sub/{UUID}.jpg": b"y", "README.txt": b""}, "image_set_07"))

    assert source.partitions() == ("image_set_07",)
    found = {row.member.name: row for row in source.scan("image_set_07")}
    assert {name: (row.key, row.id, row.state) for name, row in found.items()} == {
        GOOD: ((12784812, 51655800), "", None),
        f"sub/{UUID}.jpg": (None, UUID, None),
        "README.txt": (None, "", State.NO_IMAGE),
    }
    assert list(source.unlisted()) == []


def test_two_places_of_one_name(tmp_path: Path) -> None:
    (tmp_path / "image_set_01.tar.gz").touch()
    (tmp_path / "image_set_01").mkdir()

    with pytest.raises(
        SourceError, match=r"image_set_01 and image_set_01\.tar\.gz are both partition image_set_01"
    ):
        EolReader(tmp_path).partitions()


def test_an_empty_sub_folder_is_a_row(tmp_path: Path) -> None:
    (tmp_path / "image_set_01").mkdir()

    [row] = EolReader(tmp_path).scan("image_set_01")
    assert (row.member.name, row.state, row.partition) == ("image_set_01/", State.NO_IMAGE, "image_set_01")


def test_a_link_to_an_archive_that_has_gone_is_no_silence(tmp_path: Path) -> None:
    (tmp_path / "image_set_01.tar.gz").symlink_to(tmp_path / "gone.tar.gz")
    source = EolReader(tmp_path)

    assert source.partitions() == ("image_set_01",)
    with pytest.raises(SourceError, match=r"image_set_01\.tar\.gz: cannot be read: No such file"):
        list(source.scan("image_set_01"))


@pytest.mark.parametrize("files", [[], ["notes.md"], [".image_set_01.tar.gz"]])
def test_nothing_to_read(tmp_path: Path, files: list[str]) -> None:
    for name in files:
        (tmp_path / name).touch()

    with pytest.raises(SourceError, match="contains neither an archive nor an image"):
        EolReader(tmp_path).partitions()


def test_a_wrong_place(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot be read: No such file or directory"):
        EolReader(tmp_path / "images").partitions()
    (tmp_path / "images.csv").touch()
    with pytest.raises(SourceError, match="neither a folder nor an archive"):
        EolReader(tmp_path / "images.csv").partitions()


def test_a_partition_that_has_gone(pack: Pack) -> None:
    with pytest.raises(SourceError, match="partition image_set_99 no longer exists"):
        list(EolReader(pack("tar", {GOOD: b"x"})).scan("image_set_99"))


# --- the sample


@pytest.mark.parametrize(("place", "column"), [("eol-original", "name"), ("eol-hf", "treeoflife_id")])
def test_the_sample_is_listed_whole(shared: Path, place: str, column: str) -> None:
    with (shared / "sample/provenance.csv").open(newline="", encoding="utf-8") as file:
        listed = [row for row in csv.DictReader(file) if row["dataset"] == "eol"]
    source = EolReader(shared / "sample" / place)
    found = [row for partition in source.partitions() for row in source.scan(partition)]

    assert source.partitions() == ("image_set_01", "image_set_02", "image_set_03")
    assert {row.state for row in found} == {None}
    names = [row.member.name if column == "name" else row.id for row in found]
    assert Counter(names) == Counter(row[column] for row in listed)
    assert list(source.unlisted()) == []


def test_the_sample_is_read_byte_for_byte(shared: Path) -> None:
    source = EolReader(shared / "sample/eol-original")
    members = [row.member for row in source.scan("image_set_01")]

    read = list(source.read("image_set_01", members))
    assert [position for position, _ in read] == list(range(len(members)))
    assert [len(content) for _, content in read if isinstance(content, bytes)] == [
        member.size for member in members
    ]


N = State.NO_IMAGE
B = State.BAD_NAME
U = State.UNSAFE

HOSTILE: list[tuple[str, State | None, tuple[int, int] | None]] = [
    ("README.txt", N, None),
    ("IMG_1234.jpg", B, None),
    ("90500000_eol-full-size-copy.jpg", B, None),
    ("90500000_1045608_eol-full-size-copy.jpeg", B, None),
    ("90500001_1045608_eol-full-size-copy.JPG", B, None),
    ("90500002_1045608_eol-full-size-copy.jpg.part", B, None),
    ("media_cargo/90500003_1045608_eol-full-size-copy.jpg", None, (90500003, 1045608)),
    ("._90500004_1045608_eol-full-size-copy.jpg", N, None),
    ("90500005_1045608_eol-full-size-copy.jpg", None, (90500005, 1045608)),
    ("90500005_1045608_eol-full-size-copy.jpg", None, (90500005, 1045608)),
    ("10000000000000000000_1045608_eol-full-size-copy.jpg", B, None),
    ("0_1045608_eol-full-size-copy.jpg", B, None),
    *(
        (f"{number}_1045608_eol-full-size-copy.jpg", None, (number, 1045608))
        for number in range(90500006, 90500013)
    ),
    ("90000000_7986_eol-full-size-copy.jpg", None, (90000000, 7986)),
    ("90500013_1045608_eol-full-size-copy.jpg", U, None),
    ("../90500014_1045608_eol-full-size-copy.jpg", U, None),
]


def test_the_hostile_archive_with_original_names(shared: Path) -> None:
    source = EolReader(shared / "sample/hostile/eol-original")

    assert source.partitions() == tuple(f"image_set_{number:02d}" for number in (4, 5, 6, 7))
    found = list(source.scan("image_set_04"))
    assert [(row.member.name, row.state, row.key) for row in found] == HOSTILE
    # two files of one name: each with its own bytes
    twice = [row.member for row in found if row.key == (90500005, 1045608)]
    assert [len(bytes_of(content)) for _, content in source.read("image_set_04", twice)] == [33362, 146201]
    for partition in source.partitions()[1:]:
        with pytest.raises(ArchiveError, match=rf"{partition}\.tar\.gz: is "):
            list(source.scan(partition))


def bytes_of(content: bytes | OSError) -> bytes:
    assert isinstance(content, bytes)
    return content


def test_the_hostile_strays(shared: Path) -> None:
    strays = EolReader(shared / "sample/hostile/eol-original").unlisted()

    assert [(row.member.name, row.state) for row in strays] == [
        (".image_set_08.tar.gz.part", N),
        ("notes.md", N),
    ]


def test_the_hostile_archive_with_published_names(shared: Path) -> None:
    found = list(EolReader(shared / "sample/hostile/eol-hf").scan("image_set_04"))

    assert [(row.state, row.id) for row in found] == [
        (None, "6382b3cc-8814-42b7-bbfc-aeed026001c0"),
        (B, ""),
        (None, "aee61055-8292-4237-98a4-229ddcf75f16"),
        (None, UUID),
        (None, "2b64c6d9-afd8-434e-90db-f35f7de171a8"),
    ]
    assert all(uuid.UUID(row.id) for row in found if row.id)


def test_every_hostile_item_of_eol_is_asserted(shared: Path) -> None:
    with (shared / "sample/hostile.csv").open(newline="", encoding="utf-8") as file:
        where = [
            row["where"]
            for row in csv.DictReader(file)
            if row["where"].startswith("eol-original/image_set_04")
        ]
    listed = [place.partition(":")[2] for place in where]

    assert Counter(listed) == Counter([name for name, _, _ in HOSTILE] + ["media_cargo"])

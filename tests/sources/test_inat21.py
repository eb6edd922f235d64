from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tol_luigi.core.errors import ArchiveError, SourceError
from tol_luigi.core.ledger import State
from tol_luigi.sources.inat21 import INAT21, INat21Reader

if TYPE_CHECKING:
    from tol_luigi.core.reader import FileContent, Found

Pack = Callable[..., Path]

FORMS = ("folder", "tar", "tar.gz", "zip")
PACKED = FORMS[1:]
CROW = "Animalia_Chordata_Aves_Passeriformes_Corvidae_Corvus_corax"
N = State.NO_IMAGE
B = State.BAD_NAME


def scanned(source: INat21Reader) -> list[Found]:
    return [row for listing in source.listings() for row in source.scan(listing)] + list(source.unlisted())


def keys(source: INat21Reader) -> dict[tuple[int | str, ...], FileContent]:
    rows = [row for row in scanned(source) if row.key]
    found = {}
    for partition in source.partitions():
        mine = [row for row in rows if row.partition == partition]
        for position, content in source.read(partition, [row.member for row in mine]):
            found[mine[position].key or ()] = content
    assert len(found) == len(rows)
    return found


def test_columns() -> None:
    assert [(column.name, column.catalog, column.type) for column in INAT21.columns] == [
        ("filename", "inat21_filename", str),
        ("cls_name", "inat21_cls_name", str),
        ("cls_num", "inat21_cls_num", int),
    ]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("top", ["", "train/"])
def test_classes_are_dealt_to_partitions(pack: Pack, form: str, top: str) -> None:
    files = {f"{top}{number:05d}_{CROW}{number}/a.jpg": b"%d" % number for number in (0, 1, 7, 12, 105)}
    source = INat21Reader(pack(form, files), 5)

    assert {(row.key, row.partition) for row in scanned(source)} == {
        (("a.jpg", f"{CROW}{number}", number), f"{number % 5:03d}") for number in (0, 1, 7, 12, 105)
    }
    assert keys(source) == {
        ("a.jpg", f"{CROW}{number}", number): b"%d" % number for number in (0, 1, 7, 12, 105)
    }
    every = tuple(f"{number:03d}" for number in range(5))
    assert source.partitions() == (every[:3] if form == "folder" else every)
    assert source.listings() == (source.partitions() if form == "folder" else ("archive",))


CLASSES = st.integers(0, 30).map(lambda number: f"{number:05d}_{CROW}")
FILES = st.sampled_from(["a.jpg", "b.JPEG", "c.png", "x y.jpg", "ü\n'.jpg"])


@settings(deadline=None, max_examples=20)
@given(
    st.dictionaries(st.tuples(CLASSES, FILES).map("/".join), st.binary(max_size=99), min_size=1),
    st.integers(1, 9),
)
def test_all_forms_give_the_same_keys_and_bytes(pack: Pack, files: dict[str, bytes], count: int) -> None:
    answers = [keys(INat21Reader(pack(form, files), count)) for form in FORMS]

    assert answers[0] == {
        (name.split("/")[1], CROW, int(name.split("_")[0])): content for name, content in files.items()
    }
    assert all(answer == answers[0] for answer in answers)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("name", "state", "reason"),
    [
        ("not_a_class/a.jpg", B, "folder 'not_a_class' has no class number"),
        ("12/a.jpg", B, "folder '12' has no class number"),
        ("1" * 30 + f"_{CROW}/a.jpg", B, f"folder '{'1' * 30}_{CROW}' has no class number"),
        ("12_Animalia_Aves/a.jpg", B, "class '12_Animalia_Aves' names fewer than 7 ranks"),
        (f"12_{CROW}/deep/a.jpg", B, "an image deeper than its class folder"),
        (f"1_{CROW}x/a.jpg", B, f"class number 1 is already 00001_{CROW}"),
        ("a.jpg", B, "an image in no class folder"),
        ("README.md", N, "no image by its ending '.md'"),
        (f"00001_{CROW}/Thumbs.db", N, "hidden, or a file of the desktop system: 'Thumbs.db'"),
        (".ipynb_checkpoints/a.jpg", N, "hidden, or a file of the desktop system: '.ipynb_checkpoints'"),
    ],
)
def test_what_fits_no_class_says_why(pack: Pack, form: str, name: str, state: State, reason: str) -> None:
    source = INat21Reader(pack(form, {f"00001_{CROW}/a.jpg": b"x", name: b"y"}), 3)

    rows = {row.member.name: row for row in scanned(source)}
    assert (rows[name].state, rows[name].reason, rows[name].key) == (state, reason, None)
    assert rows[f"00001_{CROW}/a.jpg"].key == ("a.jpg", CROW, 1)
    assert len(rows) == 2


def test_partition_rows_bear_their_partition(pack: Pack) -> None:
    place = pack("folder", {f"00004_{CROW}/.DS_Store": b""})
    (place / f"00007_{CROW}").mkdir()

    assert [(row.partition, row.state) for row in scanned(INat21Reader(place, 3))] == [("001", N), ("001", N)]


def test_links_to_class_folders_count(pack: Pack) -> None:
    elsewhere = pack("folder", {"a.jpg": b"x"})
    place = pack("folder", {f"00001_{CROW}/a.jpg": b"y"})
    (place / f"00002_{CROW}").symlink_to(elsewhere)

    assert keys(INat21Reader(place, 9)) == {("a.jpg", CROW, 1): b"y", ("a.jpg", CROW, 2): b"x"}


def test_a_wrong_place(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot be read: No such file"):
        INat21Reader(tmp_path / "train", 3).partitions()
    (tmp_path / "images").mkdir()
    with pytest.raises(SourceError, match="contains no class folder"):
        INat21Reader(tmp_path, 3).partitions()


def test_a_cut_archive(pack: Pack) -> None:
    place = pack("tar.gz", {f"00001_{CROW}/a.jpg": b"x" * 9999})
    place.write_bytes(place.read_bytes()[:-9])

    with pytest.raises(ArchiveError, match="is incomplete or damaged"):
        list(INat21Reader(place, 3).scan("archive"))


def test_the_sample(shared: Path) -> None:
    place = shared / "sample/inat21"
    for source in (INat21Reader(place, 100), INat21Reader(place / "train", 100)):
        rows = scanned(source)
        assert len(rows) == sum(1 for _ in place.glob("train/*/*"))
        assert {row.state for row in rows} == {None}
        assert {row.partition for row in rows} == set(source.partitions())
    lynx = next(row for row in rows if row.key and row.key[2] == 10161)
    assert lynx.key == (
        "d6af655b-348d-401f-ad24-c55dd7c4eed5.jpg",
        "Animalia_Chordata_Aves_Passeriformes_Passeridae_Passer_domesticus",
        10161,
    )


@pytest.mark.parametrize("form", ["folder", "tar", "zip"])
def test_the_hostile_sample(shared: Path, pack: Pack, form: str) -> None:
    train = shared / "sample/hostile/inat21/train"
    place = train.parent
    if form != "folder":
        files = sorted(path for path in train.rglob("*") if path.is_file())
        place = pack(form, {str(path.relative_to(place)): path.read_bytes() for path in files})
    rows = {row.member.name.removeprefix("train/"): row for row in scanned(INat21Reader(place, 100))}

    raven = "10998_Animalia_Chordata_Aves_Passeriformes_Corvidae_Corvus_corax"
    carrion = "10998_Animalia_Chordata_Aves_Passeriformes_Corvidae_Corvus_corone"
    expected: dict[str, State | None] = {
        f"{raven}/zero.jpg": None,
        f"{raven}/broken.jpg": None,
        f"{raven}/.DS_Store": N,
        f"{raven}/Thumbs.db": N,
        "10997_Plantae_Tracheophyta_Magnoliopsida_Rosales_Rosaceae_Fragaria_x_ananassa/a.jpg": None,
        "10996_Animalia_Chordata_Aves__Corvidae_Corvus_cornix/a.jpg": None,
        "not_a_class/a.jpg": B,
        ".ipynb_checkpoints/a.jpg": N,
        f"{carrion}/a.jpg": B,
        "stray.jpg": B,
    }
    assert {name: row.state for name, row in rows.items()} == expected
    assert rows[f"{carrion}/a.jpg"].reason == f"class number 10998 is already {raven}"


def test_the_hostile_class_without_images(pack: Pack) -> None:
    place = pack("folder", {f"00001_{CROW}/a.jpg": b"x"})
    empty = "10995_Animalia_Chordata_Aves_Passeriformes_Corvidae_Corvus_albus"
    (place / empty).mkdir()

    [row] = INat21Reader(place, 100).scan("095")
    assert (row.member.name, row.state, row.partition) == (f"{empty}/", N, "095")

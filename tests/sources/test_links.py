"""Links in tars, zips and folders: what they lead to is read, and if they lead nowhere, the reason says where they go wrong."""

from __future__ import annotations

import io
import os
import stat
import subprocess
import tarfile
import zipfile
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tol_luigi.core.errors import ChangedError
from tol_luigi.core.ledger import State
from tol_luigi.sources import archives
from tol_luigi.sources.eol import EOL, EolReader
from tol_luigi.store.listings import collect_listing, members_at, write_listing

if TYPE_CHECKING:
    from pathlib import Path

    from tol_luigi.core.reader import FileContent, Found

TARS = ("tar", "tar.gz")
ARCHIVES = (*TARS, "zip")

HARD, SOFT = tarfile.LNKTYPE, tarfile.SYMTYPE
Entry = tuple[str, bytes, "bytes | str"]
"""Name, type, and content or target of a member."""


def file(name: str, content: bytes) -> Entry:
    return name, tarfile.REGTYPE, content


def tar_of(place: Path, *entries: Entry) -> Path:
    with tarfile.open(place, "w:gz" if place.suffix == ".gz" else "w") as tar:
        for name, kind, content in entries:
            header = tarfile.TarInfo(name)
            header.type = kind
            if isinstance(content, str):
                header.linkname = content
                tar.addfile(header)
            else:
                header.size = len(content)
                tar.addfile(header, io.BytesIO(content))
    return place


def zip_of(place: Path, *entries: Entry) -> Path:
    with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, kind, content in entries:
            info = zipfile.ZipInfo(f"{name}/" if kind == tarfile.DIRTYPE else name)
            info.create_system = 3
            mode = stat.S_IFLNK | 0o777 if kind == SOFT else stat.S_IFREG | 0o644
            info.external_attr = mode << 16
            archive.writestr(info, content)
    return place


def packed(place: Path, *entries: Entry) -> Path:
    return (zip_of if place.suffix == ".zip" else tar_of)(place, *entries)


def rows(place: Path) -> dict[str, Found]:
    found = list(archives.scan(place))
    named = {row.member.name: row for row in found}
    assert len(named) == len(found), "one row a file"
    return named


def faults(place: Path) -> dict[str, str]:
    return {name: row.reason for name, row in rows(place).items() if row.state is State.UNSAFE}


def contents(place: Path, index: Path | None = None) -> dict[str, FileContent]:
    members = [row.member for row in archives.scan(place) if row.state is None]
    if index:
        archives.index(place, index)
    read = list(archives.read(place, members, index))
    assert [position for position, _ in read] == list(range(len(members)))
    return {members[position].name: content for position, content in read}


@pytest.mark.parametrize("ending", TARS)
def test_hard_links_are_read_as_their_targets_wherever_these_are(tmp_path: Path, ending: str) -> None:
    place = tar_of(
        tmp_path / f"x.{ending}",
        ("early.jpg", HARD, "b/two.jpg"),
        file("one.jpg", b"first" * 999),
        ("b/again.jpg", HARD, "./one.jpg"),
        file("./b/two.jpg", b"second" * 999),
        ("c/chain.jpg", HARD, "b/again.jpg"),
        ("late.jpg", HARD, "one.jpg"),
        file("data.bin", b"not by its name"),
        ("renamed.jpg", HARD, "data.bin"),
        ("README", HARD, "one.jpg"),
    )

    assert contents(place) == {
        **dict.fromkeys(["one.jpg", "b/again.jpg", "c/chain.jpg", "late.jpg"], b"first" * 999),
        **dict.fromkeys(["b/two.jpg", "early.jpg"], b"second" * 999),
        "renamed.jpg": b"not by its name",
    }
    assert contents(place, tmp_path / "index") == contents(place)
    assert rows(place)["README"].state is State.NO_IMAGE
    one = rows(place)["late.jpg"].member
    assert list(archives.read(place, [one])) == [(0, b"first" * 999)]


@pytest.mark.parametrize("ending", ARCHIVES)
def test_symbolic_links_are_followed_within_the_archive(tmp_path: Path, ending: str) -> None:
    place = packed(
        tmp_path / f"x.{ending}",
        ("a.jpg", SOFT, "b/../b/c/one.jpg"),
        ("b/up.jpg", SOFT, "../a.jpg"),
        ("b/beside.jpg", SOFT, "./c/one.jpg"),
        ("b/short", SOFT, "c"),
        ("through.jpg", SOFT, "b/short/one.jpg"),
        file("b/c/one.jpg", b"content"),
        file(".git/annex/objects/0f3a", b"annexed"),
        ("annexed.jpg", SOFT, ".git/annex/objects/0f3a"),
    )

    expected = dict.fromkeys(["a.jpg", "b/up.jpg", "b/beside.jpg", "through.jpg", "b/c/one.jpg"], b"content")
    assert contents(place) == {**expected, "annexed.jpg": b"annexed"}
    assert faults(place) == {"b/short": "symbolic link to 'c', a folder, and is not followed"}


@pytest.mark.parametrize("ending", ARCHIVES)
def test_symbolic_links_that_lead_nowhere_say_why(tmp_path: Path, ending: str) -> None:
    chain = [(f"{n:03d}.jpg", SOFT, f"{n + 1:03d}.jpg") for n in range(50)]
    place = packed(
        tmp_path / f"x.{ending}",
        file("a.jpg", b"x"),
        file("050.jpg", b"end"),
        ("absolute.jpg", SOFT, "/data/a.jpg"),
        ("outside.jpg", SOFT, "../a.jpg"),
        ("nothing.jpg", SOFT, "gone.jpg"),
        ("self.jpg", SOFT, "self.jpg"),
        ("ping.jpg", SOFT, "pong.jpg"),
        ("pong.jpg", SOFT, "./ping.jpg"),
        ("grows.jpg", SOFT, "grows.jpg/x"),
        ("here.jpg", SOFT, "."),
        *chain,
    )

    found = faults(place)
    assert found.pop("absolute.jpg") == "symbolic link to '/data/a.jpg', outside the archive"
    assert found.pop("outside.jpg") == "symbolic link to '../a.jpg', outside the archive"
    assert found.pop("nothing.jpg") == "symbolic link to 'gone.jpg', which is not in the archive"
    assert found.pop("self.jpg") == "symbolic link to 'self.jpg', in a circle"
    assert found.pop("ping.jpg") == "symbolic link to 'pong.jpg', in a circle"
    assert found.pop("pong.jpg") == "symbolic link to './ping.jpg', in a circle"
    assert found.pop("grows.jpg") == "symbolic link to 'grows.jpg/x', through more than 40 others"
    assert found.pop("here.jpg") == "symbolic link to '.', a folder, and is not followed"
    assert set(found) == {f"{n:03d}.jpg" for n in range(9)}
    assert found["000.jpg"] == "symbolic link to '001.jpg', through more than 40 others"
    assert set(contents(place)) == {"a.jpg", *(f"{n:03d}.jpg" for n in range(9, 51))}


@pytest.mark.parametrize("ending", TARS)
def test_hard_links_that_lead_nowhere_say_why(tmp_path: Path, ending: str) -> None:
    place = tar_of(
        tmp_path / f"x.{ending}",
        ("nothing.jpg", HARD, "gone.jpg"),
        ("self.jpg", HARD, "self.jpg"),
        ("ping.jpg", HARD, "pong.jpg"),
        ("pong.jpg", HARD, "ping.jpg"),
        ("out.jpg", HARD, "../a.jpg"),
        ("pipe.jpg", tarfile.FIFOTYPE, ""),
        ("to-pipe.jpg", HARD, "pipe.jpg"),
    )

    assert faults(place) == {
        "nothing.jpg": "hard link to 'gone.jpg', which is not in the archive",
        "self.jpg": "hard link to 'self.jpg', in a circle",
        "ping.jpg": "hard link to 'pong.jpg', in a circle",
        "pong.jpg": "hard link to 'ping.jpg', in a circle",
        "out.jpg": "hard link to '../a.jpg', outside the archive",
        "pipe.jpg": "device, pipe or other special entry",
        "to-pipe.jpg": "hard link to 'pipe.jpg', device, pipe or other special entry",
    }
    assert contents(place) == {}


@pytest.mark.parametrize("ending", TARS)
def test_a_hard_link_to_a_symbolic_link_leads_on_from_its_own_folder(tmp_path: Path, ending: str) -> None:
    place = tar_of(
        tmp_path / f"x.{ending}",
        file("a/x.bin", b"of a"),
        file("b/x.bin", b"of b"),
        ("a/one.jpg", SOFT, "x.bin"),
        ("b/two.jpg", HARD, "a/one.jpg"),
        ("three.jpg", SOFT, "b/two.jpg"),
    )

    assert contents(place) == {"a/one.jpg": b"of a", "b/two.jpg": b"of b", "three.jpg": b"of b"}


@pytest.mark.parametrize("ending", TARS)
def test_a_hard_link_means_the_file_of_that_name_before_it(tmp_path: Path, ending: str) -> None:
    place = tar_of(
        tmp_path / f"x.{ending}",
        file("a.jpg", b"one"),
        ("of-one.jpg", HARD, "a.jpg"),
        file("a.jpg", b"other"),
        ("of-other.jpg", HARD, "a.jpg"),
    )
    links = [row.member for row in archives.scan(place) if row.member.name.startswith("of-")]

    assert [
        (link.name, content) for link, (_, content) in zip(links, archives.read(place, links), strict=True)
    ] == [
        ("of-one.jpg", b"one"),
        ("of-other.jpg", b"other"),
    ]


def test_long_and_foreign_names_of_targets(tmp_path: Path) -> None:
    long = f"{'x' * 150}/{'ä' * 60}.jpg"
    for ending in TARS:
        place = tar_of(
            tmp_path / f"x.{ending}", file(long, b"long"), ("a.jpg", HARD, long), ("b.jpg", SOFT, long)
        )
        assert contents(place) == dict.fromkeys([long, "a.jpg", "b.jpg"], b"long")
    target = "caf\udce9.jpg"
    place = tar_of(tmp_path / "y.tar", file(target, b"latin-1"), ("a.jpg", HARD, target))
    assert contents(place) == {"a.jpg": b"latin-1"}


@pytest.mark.parametrize("ending", ARCHIVES)
def test_another_target_under_the_name_is_noticed(tmp_path: Path, ending: str) -> None:
    place = packed(tmp_path / f"x.{ending}", file("a.jpg", b"one"), ("link.jpg", SOFT, "a.jpg"))
    members = [row.member for row in archives.scan(place)]
    packed(place, file("b.jpg", b"two"), ("link.jpg", SOFT, "b.jpg"))

    with pytest.raises(ChangedError):
        list(archives.read(place, members[1:]))


def test_links_that_would_take_ages_to_follow(tmp_path: Path) -> None:
    place = tar_of(
        tmp_path / "x.tar",
        ("deep.jpg", SOFT, "x/../" * 100_000 + "a.jpg"),
        *((f"{n}.jpg", HARD, f"{n + 1}.jpg") for n in range(3000)),
        file("a.jpg", b"x"),
    )

    assert faults(place)["deep.jpg"].endswith("', which is too long for a path")
    assert faults(place)["0.jpg"] == "hard link to '1.jpg', through more than 40 others"
    assert contents(place) == {"a.jpg": b"x"}


def test_a_listing_keeps_what_a_link_leads_to_and_is_as_before_without_one(tmp_path: Path) -> None:
    plain = tar_of(tmp_path / "plain.tar", file("1_2_eol.jpg", b"one"))
    linked = tar_of(
        tmp_path / "linked.tar", file("1_2_eol.jpg", b"one"), ("3_4_eol.jpg", HARD, "1_2_eol.jpg")
    )
    for place in (plain, linked):
        source = EolReader(place)
        listing = collect_listing(source.scan(place.stem), EOL.columns, lambda _: None)
        assert ("stored_as" in listing.column_names) == (place == linked)
        write_listing(tmp_path / "listing.parquet", listing)
        members = members_at(tmp_path / "listing.parquet", place.stem, range(len(listing)))
        assert members == [row.member for row in archives.scan(place)]


# --- real archivers and folders


@pytest.mark.parametrize("ending", TARS)
def test_hard_links_as_gnu_tar_makes_them(tmp_path: Path, ending: str) -> None:
    images = tmp_path / "images"
    images.mkdir()
    (images / "a.jpg").write_bytes(b"content" * 999)
    (images / "b.jpg").hardlink_to(images / "a.jpg")
    (images / "c.jpg").hardlink_to(images / "a.jpg")
    place = tmp_path / f"x.{ending}"
    mode = "-czf" if ending == "tar.gz" else "-cf"
    subprocess.run(["tar", mode, place, "-C", images, "b.jpg", "a.jpg", "c.jpg", "b.jpg"], check=True)
    with tarfile.open(place) as tar:
        assert [member.islnk() for member in tar] == [False, True, True, True]

    found = [row.member for row in archives.scan(place)]
    assert sorted(member.name for member in found) == ["a.jpg", "b.jpg", "b.jpg", "c.jpg"]
    assert {content for _, content in archives.read(place, found)} == {b"content" * 999}


def test_links_in_a_folder_say_why_they_lead_nowhere(tmp_path: Path) -> None:
    place, elsewhere = tmp_path / "images", tmp_path / "elsewhere"
    (elsewhere / "deep").mkdir(parents=True)
    (elsewhere / "x.jpg").write_bytes(b"x")
    (elsewhere / "deep" / "again").symlink_to(elsewhere)
    (elsewhere / "deep" / "other").symlink_to(tmp_path)
    (place / "sub").mkdir(parents=True)
    (place / "linked.jpg").symlink_to(elsewhere / "x.jpg")
    (place / "folder").symlink_to(elsewhere)
    (place / "sub" / "up").symlink_to(place)
    (place / "self.jpg").symlink_to("self.jpg")
    (place / "nothing.jpg").symlink_to("not there")

    assert contents(place) == {"linked.jpg": b"x", "folder/x.jpg": b"x"}
    assert faults(place) == {
        "folder/deep/again": "link to a folder that it is in, so in a circle",
        "folder/deep/other": "link to a folder, behind another such link",
        "nothing.jpg": "link to 'not there', which is not there",
        "self.jpg": "link in a circle",
        "sub/up": "link to a folder that it is in, so in a circle",
    }


PARTS = st.lists(st.sampled_from(["a", "b", "c"]), max_size=2).map(tuple)
PLACES = st.tuples(PARTS, st.sampled_from(["1.jpg", "2.jpg", "3.jpg", "4.png", "data.bin"]))
TREES = st.fixed_dictionaries(
    {
        "files": st.dictionaries(PLACES, st.binary(max_size=40), min_size=1, max_size=4),
        "hard": st.dictionaries(PLACES, st.integers(0, 9), max_size=4),
        "soft": st.dictionaries(PLACES, PLACES, max_size=4),
    }
)


def grow(root: Path, files: dict, hard: dict, soft: dict) -> None:  # type: ignore[type-arg]
    """Make a tree of files, hard links to some of them, and symbolic links to anything in it or to nothing."""

    def at(place: tuple[tuple[str, ...], str]) -> Path:
        path = root.joinpath(*place[0], place[1])
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    paths = []
    for place, content in files.items():
        at(place).write_bytes(content)
        paths.append(at(place))
    for place, number in hard.items():
        if not os.path.lexists(at(place)):
            at(place).hardlink_to(paths[number % len(paths)])
            paths.append(at(place))
    for place, target in soft.items():
        if not os.path.lexists(at(place)):
            at(place).symlink_to(os.path.relpath(at(target), at(place).parent))


@settings(deadline=None, max_examples=60)
@given(TREES)
def test_any_tree_with_links_reads_the_same_from_every_form(
    tmp_path_factory: pytest.TempPathFactory, tree: dict[str, dict]
) -> None:  # type: ignore[type-arg]
    base = tmp_path_factory.mktemp("tree")
    root = base / "images"
    root.mkdir()
    grow(root, **tree)
    subprocess.run(["tar", "-cf", base / "gnu.tar", "-C", root, "."], check=True)
    with tarfile.open(base / "python.tar.gz", "w:gz") as tar:
        tar.add(root, "")
    entries: list[Entry] = []
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if path.is_symlink():
            entries.append((name, SOFT, str(path.readlink())))
        elif path.is_file():
            entries.append(file(name, path.read_bytes()))
    zip_of(base / "made.zip", *entries)

    expected = contents(root)
    for name in ("gnu.tar", "python.tar.gz", "made.zip"):
        assert contents(base / name) == expected, name
        assert set(faults(base / name)) == set(faults(root)), name

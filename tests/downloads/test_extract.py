"""Archives unpacked: whole, within their folder, or not at all."""

from __future__ import annotations

import io
import stat
import struct
import tarfile
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from tol_luigi.core.errors import ArchiveError
from tol_luigi.core.files import scratch_path
from tol_luigi.downloads.extract import extract, extract_member

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FILES = {"train/a/1.jpg": b"one" * 1000, "train/b/2.jpg": b"", "train/b/3.jpg": b"three"}


def ignore(_: int) -> None:
    pass


def tar(path: Path, *members: tuple[str, bytes | dict[str, Any]], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as packed:  # type: ignore[call-overload]
        for name, content in members:
            header = tarfile.TarInfo(name)
            if isinstance(content, dict):
                for key, value in content.items():
                    setattr(header, key, value)
                packed.addfile(header)
            else:
                header.size = len(content)
                packed.addfile(header, io.BytesIO(content))
    return path


def zipped(path: Path, *members: tuple[str, bytes], link: str = "") -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in members:
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            if name == link:
                info.external_attr = (stat.S_IFLNK | 0o777) << 16
            packed.writestr(info, content)
    return path


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "pack",
    [
        lambda folder: tar(folder / "a.tar.gz", *FILES.items()),
        lambda folder: tar(folder / "a.tar", *FILES.items(), mode="w"),
        lambda folder: zipped(folder / "a.zip", *FILES.items()),
    ],
    ids=["tar.gz", "tar", "zip"],
)
def test_everything_is_unpacked(tmp_path: Path, pack: Callable[[Path], Path]) -> None:
    counts: list[int] = []

    assert extract(pack(tmp_path), tmp_path / "out" / "there", 3, counts.append) == 3
    assert tree(tmp_path / "out" / "there") == FILES
    assert counts == [1, 2, 3]


HOSTILE = {
    "name leads out": lambda f: tar(f / "a.tar.gz", ("x/../../evil", b"!")),
    "absolute name": lambda f: tar(f / "a.tar.gz", ("/tmp/evil", b"!")),  # noqa: S108 (never written)
    "symbolic link": lambda f: tar(f / "a.tar.gz", ("x", {"type": tarfile.SYMTYPE, "linkname": "/etc"})),
    "through a link": lambda f: tar(
        f / "a.tar.gz", ("x", {"type": tarfile.SYMTYPE, "linkname": ".."}), ("x/evil", b"!")
    ),
    "hard link": lambda f: tar(f / "a.tar.gz", ("x", {"type": tarfile.LNKTYPE, "linkname": "/etc/passwd"})),
    "device": lambda f: tar(f / "a.tar.gz", ("x", {"type": tarfile.CHRTYPE, "devmajor": 1, "devminor": 3})),
    "pipe": lambda f: tar(f / "a.tar.gz", ("x", {"type": tarfile.FIFOTYPE})),
    "one name twice": lambda f: tar(f / "a.tar.gz", ("x", b"1"), ("./x", b"2")),
    "file and folder of one name": lambda f: tar(f / "a.tar.gz", ("x", b"1"), ("x/y", b"2")),
    "bomb": lambda f: tar(f / "a.tar.gz", ("x", b"\0" * (80 << 20))),
    "cut off": lambda f: cut(tar(f / "a.tar.gz", ("x", bytes(range(256)) * 999))),
    "damaged": lambda f: turned(tar(f / "a.tar.gz", ("x", bytes(range(256)) * 999))),
    "no archive": lambda f: written(f / "a.tar.gz", b"<html>not found</html>"),
    "zip: name leads out": lambda f: zipped(f / "a.zip", ("../evil", b"!")),
    "zip: absolute name": lambda f: zipped(f / "a.zip", ("/evil", b"!")),
    "zip: backslash": lambda f: zipped(f / "a.zip", ("..\\evil", b"!")),
    "zip: link": lambda f: zipped(f / "a.zip", ("x", b"/etc/passwd"), link="x"),
    "zip: bomb": lambda f: zipped(f / "a.zip", ("x", b"\0" * (80 << 20))),
    "zip: lying about its size": lambda f: lying(zipped(f / "a.zip", ("x", b"\0" * (80 << 20)))),
    "zip: no archive": lambda f: written(f / "a.zip", b"PK\3\4"),
}


def cut(path: Path) -> Path:
    return written(path, path.read_bytes()[:-40])


def turned(path: Path) -> Path:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    return written(path, bytes(content))


def lying(path: Path) -> Path:
    """Say everywhere in a zip that its file unpacks to ten bytes."""
    return written(path, path.read_bytes().replace(struct.pack("<L", 80 << 20), struct.pack("<L", 10)))


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("pack", HOSTILE.values(), ids=HOSTILE)
def test_what_is_hostile_or_damaged_leaves_nothing(tmp_path: Path, pack: Callable[[Path], Path]) -> None:
    home = tmp_path / "home"
    home.mkdir()
    archive = pack(home)
    with pytest.raises(ArchiveError) as raised:
        extract(archive, home / "out" / "there", None, ignore)

    assert "\n" not in str(raised.value)
    assert list((home / "out").iterdir()) == []
    assert sorted(tmp_path.rglob("*evil*")) == []


def test_two_members_of_one_name_in_a_zip_are_refused(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        archive = zipped(tmp_path / "a.zip", ("x", b"1"), ("x", b"2"))
    with pytest.raises(ArchiveError, match="contains two members named"):
        extract(archive, tmp_path / "out", None, ignore)


def test_another_number_of_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match=r"contains 3 files instead of 1,128,313"):
        extract(zipped(tmp_path / "a.zip", *FILES.items()), tmp_path / "out", 1_128_313, ignore)

    assert not (tmp_path / "out").exists()


def test_what_a_killed_run_has_left_is_removed(tmp_path: Path) -> None:
    left = scratch_path(tmp_path / "out").with_name(".out.attempt-host-00000000-1-1-00000000")
    left.mkdir()
    extract(zipped(tmp_path / "a.zip", *FILES.items()), tmp_path / "out", None, ignore)

    assert tree(tmp_path / "out") == FILES


def test_a_member_is_taken_out(tmp_path: Path) -> None:
    archive = zipped(tmp_path / "a.zip", ("taxa.csv", b"id\n1\n"), ("more.csv", b""))
    extract_member(archive, "taxa.csv", tmp_path / "there" / "taxa.csv")

    assert (tmp_path / "there" / "taxa.csv").read_bytes() == b"id\n1\n"


@pytest.mark.parametrize("content", [b"\0" * (80 << 20), None], ids=["bomb", "missing"])
def test_a_member_that_cannot_be_taken_out_leaves_nothing(tmp_path: Path, content: bytes | None) -> None:
    archive = zipped(tmp_path / "a.zip", *([("taxa.csv", content)] if content else []))
    with pytest.raises(ArchiveError):
        extract_member(archive, "taxa.csv", tmp_path / "there" / "taxa.csv")

    assert list((tmp_path / "there").iterdir()) == []

"""Archives whose names tell something else than their content, and zips whose names are spelled in several ways."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tol_luigi.core.errors import ArchiveError, SourceError
from tol_luigi.core.ledger import State
from tol_luigi.sources import archives

if TYPE_CHECKING:
    from tol_luigi.core.reader import FileContent, Found

Pack = Callable[..., Path]

FILES = {"a.jpg": b"first" * 99, "b/c.jpg": bytes(range(256)) * 40}
FORMS = ("tar", "tar.gz", "zip")


def contents(place: Path, index: Path | None = None) -> dict[str, FileContent]:
    members = [row.member for row in archives.scan(place) if row.state is None]
    if index:
        archives.index(place, index)
    return {members[position].name: content for position, content in archives.read(place, members, index)}


def rows(place: Path) -> dict[str, Found]:
    return {row.member.name: row for row in archives.scan(place)}


@pytest.mark.parametrize("named", [*FORMS, "tgz", "TAR.GZ", "download"])
@pytest.mark.parametrize("form", FORMS)
def test_the_content_decides_how_an_archive_is_read(
    pack: Pack, tmp_path: Path, form: str, named: str
) -> None:
    place = pack(form, FILES).rename(tmp_path / f"x.{named}")

    assert contents(place) == FILES
    assert contents(place, tmp_path / "index") == FILES
    assert (tmp_path / "index").exists() == (form == "tar.gz")


XZ, BZ2 = lzma.compress(b"x"), bz2.compress(b"x")


@pytest.mark.parametrize("named", ["tar", "tar.gz", "tgz", "zip"])
@pytest.mark.parametrize(
    ("content", "what"),
    [
        (XZ, "an xz file, which is not read"),
        (BZ2, "a bzip2 file, which is not read"),
        (b"\x28\xb5\x2f\xfd" + bytes(99), "a zstd file, which is not read"),
        (b"7z\xbc\xaf\x27\x1c" + bytes(99), "a 7z archive, which is not read"),
        (b"Rar!\x1a\x07\x01\x00" + bytes(99), "a RAR archive, which is not read"),
        (b"<!DOCTYPE html>\n<html>\xc3\xa9</html>", "a web page (HTML), not an archive"),
        (b"\xef\xbb\xbf\r\n<HTML lang='en'>", "a web page (HTML), not an archive"),
        (b'{"error": "not found"}', "text, not an archive"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
            "a pointer of Git LFS, not an archive",
        ),
        (b"\xff\xd8\xff\xe0" + bytes(99), "a JPEG image, not an archive"),
        (gzip.compress(gzip.compress(b"x", mtime=0), mtime=0), "gzip around a gzip file, which is not read"),
        (gzip.compress(XZ, mtime=0), "gzip around an xz file, which is not read"),
        (gzip.compress(b"<html>", mtime=0), "gzip around a web page (HTML), not an archive"),
        (b"", "empty"),
    ],
)
def test_what_is_no_archive_that_is_read_is_named(
    tmp_path: Path, named: str, content: bytes, what: str
) -> None:
    place = tmp_path / f"x.{named}"
    place.write_bytes(content)

    with pytest.raises(ArchiveError) as raised:
        list(archives.scan(place))
    assert (raised.value.where, raised.value.what) == (str(place), f"is {what}")
    assert raised.value.remedy.endswith("or set [checks] unreadable_archive = skip to build without it")


def test_a_place_of_another_kind_is_named_as_well(tmp_path: Path) -> None:
    (tmp_path / "train.tar.xz").write_bytes(XZ)

    with pytest.raises(
        SourceError, match=r"train\.tar\.xz: is an xz file, which is not read\. Use a folder, or an archive"
    ):
        archives.kind(tmp_path / "train.tar.xz")


def test_a_zip_behind_a_text(pack: Pack) -> None:
    place = pack("zip", FILES)
    place.write_bytes(b"#!/bin/sh\n" + b"# unpacks itself\n" * 99 + place.read_bytes())

    assert contents(place) == FILES


def test_a_tar_that_ends_in_a_zip(pack: Pack, tmp_path: Path) -> None:
    inner = pack("zip", {"hidden.jpg": b"x"}).read_bytes()
    place = pack("tar", {**FILES, "last.zip": inner}).rename(tmp_path / "x.zip")

    assert contents(place) == FILES


def test_an_empty_tar_is_one(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "x.tar", "w"):
        pass

    assert list(archives.scan(tmp_path / "x.tar")) == []


# --- names in zips


def zip_with(
    place: Path, raw: bytes, *, flag: int = 0, extra: bytes = b"", local_extra: bytes | None = None
) -> Path:
    """Write a zip with one file, whose name has these bytes."""
    content = b"content"
    sizes = struct.pack("<3L", zlib.crc32(content), len(content), len(content))
    local_extra = extra if local_extra is None else local_extra
    local = struct.pack("<4s5H", b"PK\3\4", 20, flag, 0, 0, 33) + sizes
    local += struct.pack("<2H", len(raw), len(local_extra)) + raw + local_extra + content
    entry = struct.pack("<4s6H", b"PK\1\2", 20 | 3 << 8, 20, flag, 0, 0, 33) + sizes
    entry += struct.pack("<5H2L", len(raw), len(extra), 0, 0, 0, 0o100644 << 16, 0) + raw + extra
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, len(entry), len(local), 0)
    place.write_bytes(local + entry + end)
    return place


def unicode_path(name: str, raw: bytes) -> bytes:
    field = b"\1" + struct.pack("<L", zlib.crc32(raw)) + name.encode()
    return struct.pack("<2H", 0x7075, len(field)) + field


TIMES = struct.pack("<2HBL", 0x5455, 5, 1, 0)


@pytest.mark.parametrize(
    ("raw", "flag", "extra", "name"),
    [
        pytest.param("Vögel/été.jpg".encode(), 0x800, b"", "Vögel/été.jpg", id="UTF-8, and flagged so"),
        pytest.param("Vögel/été.jpg".encode(), 0, b"", "Vögel/été.jpg", id="UTF-8 without the flag"),
        pytest.param("鳥/🦉.jpg".encode(), 0, TIMES, "鳥/🦉.jpg", id="UTF-8 beyond CP437"),
        pytest.param("Vögel.jpg".encode("cp437"), 0, b"", "Vögel.jpg", id="CP437"),
        pytest.param(
            "птица.jpg".encode("cp866"), 0, "unicode", "птица.jpg", id="another page, and Unicode beside it"
        ),
        pytest.param(b"caf#U00e9.jpg", 0, "unicode", "café.jpg", id="escapes, and Unicode beside it"),
        pytest.param(b"./a//b.jpg", 0, b"", "a/b.jpg", id="ASCII"),
    ],
)
def test_names_of_a_zip_are_those_that_its_writer_meant(
    tmp_path: Path, raw: bytes, flag: int, extra: bytes | str, name: str
) -> None:
    field = TIMES + unicode_path(name, raw) if isinstance(extra, str) else extra
    assert contents(zip_with(tmp_path / "x.zip", raw, flag=flag, extra=field)) == {name: b"content"}
    assert contents(zip_with(tmp_path / "y.zip", raw, flag=flag, extra=field, local_extra=b"")) == {
        name: b"content"
    }


def test_a_unicode_name_of_another_name_does_not_count(tmp_path: Path) -> None:
    stale = unicode_path("other.jpg", b"renamed since")

    assert contents(zip_with(tmp_path / "x.zip", b"a.jpg", extra=stale)) == {"a.jpg": b"content"}


def test_a_unicode_name_can_be_dangerous_as_well(tmp_path: Path) -> None:
    place = zip_with(tmp_path / "x.zip", b"a.jpg", extra=unicode_path("../a.jpg", b"a.jpg"))

    assert {name: row.state for name, row in rows(place).items()} == {"../a.jpg": State.UNSAFE}


def test_a_zip_with_names_of_all_kinds_keeps_them_apart(tmp_path: Path) -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name in ("plain.jpg", "flagged-é.jpg"):
            archive.writestr(name, name)
    (tmp_path / "x.zip").write_bytes(target.getvalue())

    assert contents(tmp_path / "x.zip") == {name: name.encode() for name in ("plain.jpg", "flagged-é.jpg")}

from __future__ import annotations

import gzip
import io
import os
import socket
import stat
import struct
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tol_luigi.core.errors import ArchiveError, ChangedError, SourceError
from tol_luigi.core.ledger import State
from tol_luigi.core.reader import MAX_FILE_BYTES, FileContent, Found, Member, MemberError
from tol_luigi.sources import archives

Pack = Callable[..., Path]
Unprivileged = Callable[[], AbstractContextManager[None]]

FORMS = ("folder", "tar", "tar.gz", "tgz", "zip")
PACKED = FORMS[1:]
FILES = {"a.jpg": b"first" * 99, "b/c.JPEG": b"", "b/d/e.png": os.urandom(70_000), "z.webp": b"\0" * 100_000}


def rows(place: Path, below: str = "") -> dict[str, Found]:
    found = list(archives.scan(place, below))
    named = {row.member.name: row for row in found}
    assert len(named) == len(found)
    return named


def states(place: Path) -> dict[str, State | None]:
    return {name: row.state for name, row in rows(place).items()}


def contents(place: Path) -> dict[str, FileContent]:
    members = [row.member for row in archives.scan(place) if row.state is None]
    read = list(archives.read(place, members))
    assert [position for position, _ in read] == list(range(len(members)))
    return {members[position].name: content for position, content in read}


def tar_of(place: Path, *headers: tarfile.TarInfo, data: bytes = b"") -> Path:
    with tarfile.open(place, "w:gz" if place.suffix == ".gz" else "w") as tar:
        for header in headers:
            tar.addfile(header, io.BytesIO(data))
    return place


def header(name: str, kind: bytes = tarfile.REGTYPE, size: int = 0, link: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.size, made.linkname = kind, size, link
    return made


@pytest.mark.parametrize("form", FORMS)
def test_every_form_lists_and_reads_alike(pack: Pack, form: str) -> None:
    assert contents(pack(form, FILES)) == FILES


@pytest.mark.parametrize("form", FORMS)
def test_some_members_are_read(pack: Pack, form: str) -> None:
    place = pack(form, FILES)
    members = [rows(place)[name].member for name in ("b/c.JPEG", "z.webp")]

    assert list(archives.read(place, members)) == [(0, b""), (1, FILES["z.webp"])]
    assert list(archives.read(place, [])) == []


NAMES = st.text(st.characters(exclude_characters="/\\\0", exclude_categories=["Cs"]), min_size=1, max_size=30)
TREES = st.dictionaries(
    st.lists(NAMES.map(lambda text: f"x{text}"), min_size=1, max_size=3)
    .map("/".join)
    .map(lambda name: name + ".jpg"),
    st.binary(max_size=2000),
    min_size=1,
    max_size=6,
)


@settings(deadline=None, max_examples=40)
@given(TREES)
def test_any_names_and_bytes_survive_every_form(pack: Pack, files: dict[str, bytes]) -> None:
    for form in FORMS:
        assert contents(pack(form, files)) == files


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "name",
    [
        pytest.param("quote\"s 'and' `ticks`.jpg", id="quotes"),
        pytest.param("two\nlines.jpg", id="newline"),
        pytest.param("tab\tand\x1bescape.jpg", id="control characters"),
        pytest.param("ünï🦉.jpg", id="unicode"),
        pytest.param("-rf.jpg", id="an option"),
        pytest.param("C:x $HOME; rm.jpg", id="a shell"),
        pytest.param("a" * 251 + ".jpg", id="255 bytes"),
        pytest.param("é.jpg", id="combining accent stays as written"),
    ],
)
def test_odd_names_are_names(pack: Pack, form: str, name: str) -> None:
    assert contents(pack(form, {name: b"x", "sub/" + name: b"y"})) == {name: b"x", "sub/" + name: b"y"}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("name", "state", "reason"),
    [
        ("._a.jpg", State.NO_IMAGE, "macOS resource fork: '._a.jpg'"),
        ("b/.DS_Store", State.NO_IMAGE, "hidden, or a file of the desktop system: '.DS_Store'"),
        (".cache/a.jpg", State.NO_IMAGE, "hidden, or a file of the desktop system: '.cache'"),
        ("__MACOSX/a.jpg", State.NO_IMAGE, "hidden, or a file of the desktop system: '__MACOSX'"),
        ("Thumbs.db", State.NO_IMAGE, "hidden, or a file of the desktop system: 'Thumbs.db'"),
        ("README.txt", State.NO_IMAGE, "no image by its ending '.txt'"),
        ("README", State.NO_IMAGE, "no image by its ending ''"),
        ("a.tar.gz.part", State.NO_IMAGE, "no image by its ending '.part'"),
        ("a.jpg.part", State.BAD_NAME, "unfinished download, ending .part"),
        ("back\\slash.jpg", State.UNSAFE, "name contains a backslash or a NUL"),
    ],
)
def test_what_is_no_image_says_why(pack: Pack, form: str, name: str, state: State, reason: str) -> None:
    row = rows(pack(form, {name: b"x", "good.jpg": b"y"}))[name]

    assert (row.state, row.reason) == (state, reason)


@pytest.mark.parametrize("form", PACKED)
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("/etc/a.jpg", "absolute name"),
        ("../a.jpg", "name leads out of the archive"),
        ("a/../../b.jpg", "name leads out of the archive"),
        ("..", "name leads out of the archive"),
    ],
)
def test_names_that_lead_out_are_refused(pack: Pack, form: str, name: str, reason: str) -> None:
    row = rows(pack(form, {name: b"x"}))[name]

    assert (row.state, row.reason) == (State.UNSAFE, reason)


@pytest.mark.parametrize("form", PACKED)
def test_dots_and_doubled_slashes_are_no_part_of_a_name(pack: Pack, form: str) -> None:
    assert contents(pack(form, {"./a//b/./c.jpg": b"x"})) == {"a/b/c.jpg": b"x"}


@pytest.mark.parametrize("ending", ["tar", "tar.gz"])
def test_devices_of_a_tar_and_links_out_of_it_are_refused(tmp_path: Path, ending: str) -> None:
    place = tar_of(
        tmp_path / f"x.{ending}",
        header("a.jpg", size=3),
        header("soft.jpg", tarfile.SYMTYPE, link="/etc/passwd"),
        header("pipe.jpg", tarfile.FIFOTYPE),
        header("disk.jpg", tarfile.BLKTYPE),
        data=b"abc",
    )

    assert {name: row.reason for name, row in rows(place).items()} == {
        "a.jpg": "",
        "soft.jpg": "symbolic link to '/etc/passwd', outside the archive",
        "pipe.jpg": "device, pipe or other special entry",
        "disk.jpg": "device, pipe or other special entry",
    }
    assert contents(place) == {"a.jpg": b"abc"}


def test_links_and_nul_names_of_a_zip_are_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("link.jpg")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
        archive.writestr("a0b.jpg", b"x")
    packed = (tmp_path / "x.zip").read_bytes().replace(b"a0b.jpg", b"a\0b.jpg")
    (tmp_path / "x.zip").write_bytes(packed)

    found = rows(tmp_path / "x.zip")
    assert {name: row.reason for name, row in found.items()} == {
        "link.jpg": "symbolic link to '/etc/passwd', outside the archive",
        "a\\x00b.jpg": "name contains a backslash or a NUL",
    }


@pytest.mark.parametrize("ending", ["tar", "tar.gz", "zip"])
def test_only_folders_without_anything_are_rows(tmp_path: Path, ending: str) -> None:
    place = tmp_path / f"x.{ending}"
    if ending == "zip":
        with zipfile.ZipFile(place, "w") as archive:
            for name in ("full/", "empty/", "nest/", "nest/in/", "late/a.jpg", "full/b/c.jpg", "late/"):
                archive.writestr(name, b"")
    else:
        folders = [header(name, tarfile.DIRTYPE) for name in ("./", "full", "empty", "nest", "nest/in")]
        files = [header(name) for name in ("./late/a.jpg", "full/b/c.jpg")]
        tar_of(place, *folders, *files, header("late", tarfile.DIRTYPE))

    assert states(place) == {
        "late/a.jpg": None,
        "full/b/c.jpg": None,
        "empty/": State.NO_IMAGE,
        "nest/in/": State.NO_IMAGE,
    }
    assert rows(place)["empty/"].reason == "a folder without images"


def test_giants_are_never_read(tmp_path: Path) -> None:
    place = tmp_path / "images"
    place.mkdir()
    with (place / "a.jpg").open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)

    row = rows(place)["a.jpg"]
    assert row.state is State.TOO_LARGE
    assert str(MAX_FILE_BYTES) in row.reason
    [(_, content)] = archives.read(place, [row.member])
    assert isinstance(content, MemberError)
    with pytest.raises(ChangedError, match=rf"has {MAX_FILE_BYTES + 1} bytes, not 1 as when it was scanned"):
        list(archives.read(place, [Member("a.jpg", 1)]))


# --- names that are no UTF-8


def test_names_of_other_encodings_on_disk(tmp_path: Path) -> None:
    place = tmp_path / "images"
    place.mkdir()
    Path(os.fsdecode(os.fsencode(place) + b"/caf\xe9.jpg")).write_bytes(b"x")

    assert {name: (row.state, row.reason) for name, row in rows(place).items()} == {
        "caf\\udce9.jpg": (State.BAD_NAME, "name is not valid UTF-8"),
    }


@pytest.mark.parametrize("ending", ["tar", "tar.gz"])
def test_names_of_other_encodings_in_a_tar(tmp_path: Path, ending: str) -> None:
    place = tmp_path / f"x.{ending}"
    with tarfile.open(
        place, "w:gz" if ending == "tar.gz" else "w", format=tarfile.GNU_FORMAT, encoding="latin-1"
    ) as tar:
        tar.addfile(header("café.jpg"))

    assert states(place) == {"caf\\udce9.jpg": State.BAD_NAME}


# --- archives that are not whole


def broken(place: Path) -> ArchiveError:
    with pytest.raises(ArchiveError) as scanned:
        list(archives.scan(place))
    assert scanned.value.where == str(place)
    assert scanned.value.remedy.startswith("Fetch it again, or set [checks] unreadable_archive = skip")
    assert "\n" not in str(scanned.value)
    return scanned.value


@pytest.mark.parametrize("form", PACKED)
@pytest.mark.parametrize("part", [0.01, 0.3, 0.7])
def test_a_cut_archive_is_not_whole(pack: Pack, form: str, part: float) -> None:
    place = pack(form, {f"{n}.jpg": os.urandom(3000) for n in range(9)})
    whole = place.read_bytes()
    place.write_bytes(whole[: int(len(whole) * part)])

    assert "is incomplete or damaged: " in str(broken(place))


@pytest.mark.parametrize("form", ["tar.gz", "zip"])
def test_the_last_byte_counts(pack: Pack, form: str) -> None:
    place = pack(form, FILES)
    place.write_bytes(place.read_bytes()[:-1])

    assert "is incomplete or damaged: " in str(broken(place))


@pytest.mark.parametrize("ending", ["tar", "tar.gz"])
def test_a_tar_without_its_end_mark_is_not_whole(tmp_path: Path, ending: str) -> None:
    whole = tar_of(tmp_path / "x.tar", header("a.jpg", size=512), data=b"x" * 512).read_bytes()
    place = tmp_path / f"y.{ending}"
    place.write_bytes(whole[:1024] if ending == "tar" else gzip.compress(whole[:1024]))

    assert "is truncated or damaged (empty header)" in str(broken(place))


@pytest.mark.parametrize("ending", ["tar", "tar.gz"])
def test_a_damaged_header_is_not_the_end(tmp_path: Path, ending: str) -> None:
    names = [header(f"{n}.jpg", size=100) for n in range(3)]
    whole = bytearray(tar_of(tmp_path / "x.tar", *names, data=b"x" * 100).read_bytes())
    whole[1024 + 3] ^= 1
    place = tmp_path / f"y.{ending}"
    place.write_bytes(whole if ending == "tar" else gzip.compress(whole))

    assert "is truncated or damaged (bad checksum)" in str(broken(place))


@pytest.mark.parametrize("ending", ["tar", "tar.gz"])
def test_a_second_tar_behind_the_first_is_not_lost_in_silence(tmp_path: Path, ending: str) -> None:
    whole = tar_of(tmp_path / f"x.{ending}", header("a.jpg")).read_bytes()
    (tmp_path / f"y.{ending}").write_bytes(whole * 2)

    assert "data follow its end" in str(broken(tmp_path / f"y.{ending}"))


@pytest.mark.parametrize("size", [-1, -512, 1 << 40])
@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
def test_absurd_sizes_neither_hang_nor_fill_the_memory(tmp_path: Path, kind: bytes, size: int) -> None:
    made = header("a.jpg", kind, size)
    block = made.tobuf(tarfile.GNU_FORMAT)
    (tmp_path / "x.tar").write_bytes(block + bytes(10240))
    (tmp_path / "x.tar.gz").write_bytes(gzip.compress(block + bytes(10240)))

    broken(tmp_path / "x.tar")
    broken(tmp_path / "x.tar.gz")


def test_a_chain_of_headers_does_not_exhaust_the_stack(tmp_path: Path) -> None:
    block = header("a", tarfile.GNUTYPE_LONGNAME, 1).tobuf(tarfile.GNU_FORMAT) + b"x" + bytes(511)
    (tmp_path / "x.tar").write_bytes(block * 5000 + bytes(1024))

    broken(tmp_path / "x.tar")


@pytest.mark.parametrize("form", PACKED)
@pytest.mark.parametrize(
    "content", [b"", b"junk" * 1000, b"\x1f\x8b\x08" + b"\0" * 99, b"PK\x05\x06", b"<html>\n"]
)
def test_what_is_no_archive_at_all(tmp_path: Path, form: str, content: bytes) -> None:
    place = tmp_path / f"x.{form}"
    place.write_bytes(content)

    error = broken(place)
    assert ("is empty" in str(error)) == (content == b"")


@pytest.mark.parametrize(
    ("item", "what"), [("05", "ended before"), ("06", "CRC check failed"), ("07", "is empty")]
)
def test_the_broken_archives_of_the_sample(shared: Path, item: str, what: str) -> None:
    place = shared / f"sample/hostile/eol-original/image_set_{item}.tar.gz"

    assert what in str(broken(place))
    with pytest.raises(ArchiveError):
        list(archives.read(place, [Member("a.jpg", 1)]))


def test_a_checksum_counts_when_reading_as_well(pack: Pack) -> None:
    place = pack("tar.gz", FILES)
    members = [row.member for row in archives.scan(place)]
    whole = bytearray(place.read_bytes())
    whole[-6] ^= 1
    place.write_bytes(whole)

    with pytest.raises(ArchiveError, match="CRC check failed"):
        list(archives.read(place, members[:1]))


def test_gzip_streams_of_several_members_and_padding_are_whole(tmp_path: Path) -> None:
    whole = tar_of(
        tmp_path / "x.tar", header("a.jpg", size=5000), header("b.jpg"), data=b"x" * 5000
    ).read_bytes()
    pieces = [gzip.compress(whole[start : start + 999]) for start in range(0, len(whole), 999)]
    (tmp_path / "y.tar.gz").write_bytes(b"".join(pieces) + bytes(100))

    assert contents(tmp_path / "y.tar.gz") == {"a.jpg": b"x" * 5000, "b.jpg": b""}


@pytest.mark.parametrize("form", ["tar", "tar.gz", "zip"])
def test_another_archive_under_the_name_is_noticed(pack: Pack, form: str) -> None:
    place = pack(form, {"a.jpg": os.urandom(5000), "b.jpg": os.urandom(5000)})
    members = [row.member for row in archives.scan(place)]
    place.write_bytes(pack(form, {"c.jpg": os.urandom(6000), "d.jpg": os.urandom(9000)}).read_bytes())

    with pytest.raises(ChangedError, match=r"'a\.jpg' (where it )?was when it was scanned"):
        list(archives.read(place, members))


@pytest.mark.parametrize("form", PACKED)
def test_an_archive_in_another_order_is_noticed(pack: Pack, form: str) -> None:
    files = {f"{name}.jpg": os.urandom(5000) for name in "abcd"}
    place = pack(form, files)
    members = [row.member for row in archives.scan(place)]
    place.write_bytes(pack(form, dict(reversed(files.items()))).read_bytes())

    with pytest.raises(ChangedError, match=r"'a\.jpg'"):
        list(archives.read(place, members))


def test_long_names_and_those_in_other_letters_are_found_again(pack: Pack) -> None:
    names = [f"{'x' * 150}/{'y' * 60}.jpg", f"{'ä' * 60}/{'ö' * 50}.jpg", "ä.jpg", f"{'z' * 97}.jpg"]
    for form in ("tar", "zip"):
        place = pack(form, {name: name.encode() for name in names})
        members = [row.member for row in archives.scan(place)]
        assert [content for _, content in archives.read(place, members)] == [name.encode() for name in names]


@pytest.mark.parametrize("form", ["tar", "zip"])
def test_an_archive_cut_after_its_scan_is_noticed(pack: Pack, form: str) -> None:
    place = pack(form, {"a.jpg": os.urandom(5000), "b.jpg": os.urandom(5000)})
    members = [row.member for row in archives.scan(place)]
    place.write_bytes(place.read_bytes()[:8000])

    read = archives.read(place, members)
    assert next(read)[0] == 0
    with pytest.raises(ArchiveError, match="it ends within a file"):
        next(read)


# --- several files of one name


@pytest.mark.parametrize("form", PACKED)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_files_of_one_name_keep_their_order(tmp_path: Path, form: str) -> None:
    copies = [b"one", b"two", b"three"]
    place = tmp_path / f"x.{form}"
    if form == "zip":
        with zipfile.ZipFile(place, "w") as archive:
            for copy in copies:
                archive.writestr("a.jpg", copy)
    else:
        with tarfile.open(place, "w" if form == "tar" else "w:gz") as tar:
            tar.addfile(header("a.jpg", tarfile.SYMTYPE, link="b"))
            for copy in copies:
                tar.addfile(header("a.jpg", size=len(copy)), io.BytesIO(copy))
    members = [row.member for row in archives.scan(place) if row.state is None]

    assert [content for _, content in archives.read(place, members)] == copies
    assert [content for _, content in archives.read(place, members[2:])] == copies[2:]


# --- zip


def test_a_zip_written_to_a_pipe_has_its_sizes_behind_the_data(tmp_path: Path) -> None:
    class Pipe(io.RawIOBase):
        written = b""

        def writable(self) -> bool:
            return True

        def write(self, data: bytes) -> int:  # type: ignore[override]
            self.written += bytes(data)
            return len(data)

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w") as archive:
        for form in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            for name, content in FILES.items():
                archive.writestr(f"{form}/{name}", content, form)
    place = tmp_path / "x.zip"
    place.write_bytes(pipe.written)
    assert struct.unpack_from("<4s2xH", pipe.written)[1] & 8

    assert contents(place) == {f"{form}/{name}": data for form in (0, 8) for name, data in FILES.items()}
    flipped = bytearray(pipe.written)
    flipped[pipe.written.index(b"firstfirst")] ^= 1
    place.write_bytes(flipped)
    assert "checksum does not fit" in str(contents(place)["0/a.jpg"])


def test_zip64_headers(tmp_path: Path) -> None:
    place = tmp_path / "x.zip"
    with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in FILES.items():
            with archive.open(name, "w", force_zip64=True) as member:
                member.write(content)

    assert contents(place) == FILES


def test_a_zip_behind_other_bytes(pack: Pack) -> None:
    place = pack("zip", FILES)
    place.write_bytes(b"#!/bin/sh\n" + place.read_bytes())

    assert contents(place) == FILES


def flipped(place: Path, position: int) -> Path:
    whole = bytearray(place.read_bytes())
    whole[position] ^= 0x55
    place.write_bytes(whole)
    return place


@pytest.mark.parametrize("position", [60, 200, 1000])
def test_damage_in_a_zip_costs_one_file(pack: Pack, position: int) -> None:
    files = {"a.jpg": bytes(range(256)) * 20 + os.urandom(3000), "b.jpg": b"whole"}
    read = contents(flipped(pack("zip", files), position))

    assert str(read["a.jpg"]).startswith("a.jpg: ")
    assert isinstance(read["a.jpg"], MemberError)
    assert read["b.jpg"] == b"whole"


@pytest.mark.parametrize("form", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_rare_packings_cost_one_file(tmp_path: Path, form: int) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("a.jpg", b"x" * 99, form)
        archive.writestr("b.jpg", b"y")

    read = contents(tmp_path / "x.zip")
    assert str(read["a.jpg"]) == f"a.jpg: packed by method {form}, which is not read"
    assert read["b.jpg"] == b"y"


def test_encrypted_files_cost_themselves(pack: Pack) -> None:
    place = pack("zip", {"a.jpg": b"x", "b.jpg": b"y"})
    whole = bytearray(place.read_bytes())
    whole[6] |= 1
    place.write_bytes(whole)

    read = contents(place)
    assert str(read["a.jpg"]) == "a.jpg: encrypted"
    assert read["b.jpg"] == b"y"


def test_a_zip_that_unpacks_to_more_than_it_says(pack: Pack) -> None:
    place = pack("zip", {"a.jpg": b"\0" * 10_000_000})
    [row] = archives.scan(place)

    for size in (1000, 10_000_001):
        [(_, content)] = archives.read(place, [Member("a.jpg", size, row.member.offset)])
        assert str(content) == f"a.jpg: it does not unpack to {size} bytes"


def test_reading_a_zip_does_not_read_its_directory(pack: Pack, monkeypatch: pytest.MonkeyPatch) -> None:
    place = pack("zip", FILES)
    members = [row.member for row in archives.scan(place)]
    monkeypatch.setattr(zipfile, "ZipFile", None)

    assert [content for _, content in archives.read(place, members)] == list(FILES.values())


# --- folders on disk


def test_a_folder_is_listed_by_name(pack: Pack) -> None:
    place = pack("folder", dict.fromkeys(["b.jpg", "a/z.jpg", "a.jpg", "ä.jpg", "B.jpg", "a/b/c.jpg"], b""))

    assert list(rows(place)) == ["B.jpg", "a/b/c.jpg", "a/z.jpg", "a.jpg", "b.jpg", "ä.jpg"]
    assert list(rows(place, "a")) == ["a/b/c.jpg", "a/z.jpg"]


def test_links_on_disk_are_followed_once(pack: Pack) -> None:
    elsewhere = pack("folder", {"x.jpg": b"x", "deep/y.jpg": b"y"})
    place = pack("folder", {"a.jpg": b"a", "sub/b.jpg": b"b"})
    (place / "file.jpg").symlink_to(elsewhere / "x.jpg")
    (place / "folder").symlink_to(elsewhere)
    (place / "sub" / "up").symlink_to(place)
    (place / "self.jpg").symlink_to("self.jpg")
    (place / "nothing.jpg").symlink_to("not there")
    (elsewhere / "deep" / "again").symlink_to(place)

    assert states(place) == {
        "a.jpg": None,
        "file.jpg": None,
        "folder/deep/again": State.UNSAFE,
        "folder/deep/y.jpg": None,
        "folder/x.jpg": None,
        "nothing.jpg": State.UNSAFE,
        "self.jpg": State.UNSAFE,
        "sub/b.jpg": None,
        "sub/up": State.UNSAFE,
    }
    assert contents(place)["folder/deep/y.jpg"] == b"y"


def test_sockets_and_pipes_on_disk_are_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the path of a socket must be short
    os.mkfifo("pipe.jpg")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.jpg")

    assert states(tmp_path) == {"pipe.jpg": State.UNSAFE, "socket.jpg": State.UNSAFE}


def test_a_folder_of_empty_folders(tmp_path: Path) -> None:
    (tmp_path / "images" / "a" / "b").mkdir(parents=True)

    assert states(tmp_path / "images") == {"a/b/": State.NO_IMAGE}
    assert states(tmp_path / "images" / "a" / "b") == {"b/": State.NO_IMAGE}


@pytest.mark.parametrize("becomes", ["nothing", "a folder", "a link in a circle"])
def test_a_file_that_has_gone_is_a_change_of_the_source(pack: Pack, becomes: str) -> None:
    place = pack("folder", {"a.jpg": b"x", "b.jpg": b"y"})
    members = [row.member for row in archives.scan(place)]
    (place / "a.jpg").unlink()
    if becomes == "a folder":
        (place / "a.jpg").mkdir()
    elif becomes == "a link in a circle":
        (place / "a.jpg").symlink_to("a.jpg")

    with pytest.raises(ChangedError, match=r"a\.jpg: is gone since it was listed"):
        list(archives.read(place, members))


# --- wrong places


@pytest.mark.parametrize("name", ["nowhere", "nowhere.tar.gz", "nowhere.zip"])
def test_a_place_that_is_not_there(tmp_path: Path, name: str) -> None:
    with pytest.raises(SourceError, match="cannot be read: No such file or directory"):
        list(archives.scan(tmp_path / name))
    with pytest.raises(SourceError, match="cannot be read: No such file or directory"):
        list(archives.read(tmp_path / name, []))


def test_a_file_of_another_kind(tmp_path: Path) -> None:
    (tmp_path / "a.rar").touch()

    with pytest.raises(SourceError, match="neither a folder nor an archive") as raised:
        archives.kind(tmp_path / "a.rar")
    assert ".tar.gz, .tgz, .tar, .zip" in raised.value.remedy


@pytest.mark.parametrize("form", FORMS)
def test_a_place_that_may_not_be_read(pack: Pack, form: str, unprivileged: Unprivileged) -> None:
    place = pack(form, FILES)
    place.chmod(0)

    with unprivileged(), pytest.raises(SourceError, match="Permission denied") as raised:
        list(archives.scan(place))
    assert not isinstance(raised.value, ArchiveError)


@pytest.mark.parametrize("form", PACKED)
def test_an_archive_that_may_not_be_read_any_more(pack: Pack, form: str, unprivileged: Unprivileged) -> None:
    place = pack(form, FILES)
    members = [row.member for row in archives.scan(place)]
    place.chmod(0)

    with unprivileged(), pytest.raises(SourceError, match="cannot be read: Permission denied") as raised:
        list(archives.read(place, members))
    assert not isinstance(raised.value, ArchiveError)


def test_an_error_of_the_disk_is_not_blamed_on_the_archive(
    pack: Pack, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(tarfile.TarInfo, "fromtarfile", fail)
    with pytest.raises(SourceError, match="cannot be read: Input/output error") as raised:
        list(archives.scan(pack("tar", FILES)))
    assert not isinstance(raised.value, ArchiveError)


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("a.tar.gz", "a"),
        ("a.b.tar", "a.b"),
        ("A.TGZ", "A"),
        ("a.zip", "a"),
        ("a.gz", ""),
        ("a.jpg", ""),
        ("tar", ""),
    ],
)
def test_strip_ending(name: str, stem: str) -> None:
    assert archives.strip_ending(name) == stem


# --- memory


@pytest.mark.parametrize("ending", ["tar", "tar.gz"])
def test_memory_does_not_grow_with_the_archive(tmp_path: Path, ending: str) -> None:
    peaks = []
    for count in (1_000, 10_000):
        place = tmp_path / f"{count}.{ending}"
        tar_of(place, *(header(f"{number:09d}.jpg") for number in range(count)))
        tracemalloc.start()
        assert sum(1 for _ in archives.scan(place)) == count
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()

    assert peaks[1] < peaks[0] + 200_000


def test_an_indexed_tar_gz_gives_the_same_bytes_out_of_order_and_without_the_rest(tmp_path: Path) -> None:
    pictures = {f"part{number}.jpg": os.urandom(300_000) for number in range(20)}
    path = tmp_path / "many.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for name, content in pictures.items():
            header = tarfile.TarInfo(name)
            header.size = len(content)
            tar.addfile(header, io.BytesIO(content))
    members = [found.member for found in archives.scan(path)]
    archives.index(path, tmp_path / "many.gzindex")

    chosen = members[3::5]
    entered = dict(archives.read(path, chosen, tmp_path / "many.gzindex"))
    read_through = dict(archives.read(path, chosen))

    assert entered == read_through
    assert list(entered.values()) == [pictures[member.name] for member in chosen]

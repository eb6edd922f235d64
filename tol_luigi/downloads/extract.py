"""Archives unpacked, for those who want that: within their folder, within bounds, all of it or nothing."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tarfile
import time
import zipfile
import zlib
from typing import IO, TYPE_CHECKING

from isal import igzip, isal_zlib

from tol_luigi.core.errors import ArchiveError
from tol_luigi.core.files import clear_disk_errors, committed, remove_leftovers, scratch_path
from tol_luigi.core.ledger import State
from tol_luigi.sources.member_filter import classify_member

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["extract", "extract_member", "is_archive"]

_CHUNK = 1 << 20
_RATIO = 100
"""Tables of names shrink to a tenth, photographs not at all. Bombs unpack to thousands of times their size."""

_SMALL = 1 << 26
"""An archive may unpack to so many bytes, however small it is."""

_NAME_BYTES = 4096
_AGAIN = "Nothing of it was left. See whether it is the archive that is wanted, and fetch it again"
_INFLATE: type[Exception] = isal_zlib.error  # type: ignore[assignment]  # isal's stub calls it an instance
_BROKEN = (
    OSError,
    EOFError,
    ValueError,
    NotImplementedError,
    RuntimeError,
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    _INFLATE,
)

_Item = tuple[str, int, "Callable[[], contextlib.AbstractContextManager[IO[bytes]]]", str]
"""Name, size, how it is opened, and why it must not be unpacked."""


def is_archive(name: str) -> bool:
    """Tell by its name whether a file can be unpacked."""
    return name.lower().endswith((".tar.gz", ".tgz", ".tar", ".zip"))


def extract(archive: Path, folder: Path, count: int | None, done: Callable[[int], None]) -> int:
    """Unpack an archive; the folder appears when everything in it is there.

    What an interrupted run has left is removed first. Refused are names that lead elsewhere, links, devices,
    two members of one name, and archives that unpack to more than a hundred times their size.

    Args:
        archive: A tar, tar.gz or zip.
        folder: What is made of it; there is nothing yet of that name.
        count: How many files there have to be, None if that is not known.
        done: Is told how many files are done.

    Returns:
        How many files there are.

    Raises:
        ArchiveError: It is hostile, damaged, or holds another number of files.
        DiskError: The disk is full.
    """
    with clear_disk_errors(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(folder.parent, time.time())
        scratch = scratch_path(folder)
        scratch.mkdir()
        try:
            with _guarded(archive):
                made = _unpack(archive, scratch, done)
            if count is not None and made != count:
                raise ArchiveError(archive, f"holds {made:,} files, not {count:,}", _AGAIN)
            with contextlib.suppress(FileExistsError):
                scratch.rename(folder)
            return made
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def extract_member(archive: Path, name: str, path: Path) -> None:
    """Take one file out of a zip.

    Raises:
        ArchiveError: It is not in there, or damaged, or unpacks to more than can be.
    """
    with committed(path) as scratch, _guarded(archive), zipfile.ZipFile(archive) as packed:
        if name not in packed.namelist():
            raise ArchiveError(archive, f"holds no {name}", _AGAIN)
        budget = _Budget(archive)
        with packed.open(name) as content:
            _write(content, scratch, packed.getinfo(name).file_size, budget)


@contextlib.contextmanager
def _guarded(archive: Path) -> Iterator[None]:
    """Tell of a damaged archive as such; of a full disk as it is."""
    try:
        yield
    except ArchiveError:
        raise
    except _BROKEN as error:
        if isinstance(error, OSError) and error.errno:  # of the disk; what is damaged has no number
            raise
        raise ArchiveError(archive, f"is not whole: {error}", _AGAIN) from error


class _Budget:
    """What an archive may unpack to."""

    def __init__(self, archive: Path) -> None:
        self._archive = archive
        self._left = max(_SMALL, archive.stat().st_size * _RATIO)

    def spend(self, size: int) -> None:
        """Take bytes off.

        Raises:
            ArchiveError: There are none left.
        """
        self._left -= size
        if self._left < 0:
            what = f"unpacks to more than {_RATIO} times its size, as a zip bomb does"
            raise ArchiveError(self._archive, what, _AGAIN)


def _unpack(archive: Path, folder: Path, done: Callable[[int], None]) -> int:
    items = _zipped if archive.name.lower().endswith(".zip") else _tarred
    budget, made = _Budget(archive), 0
    for name, size, opened, danger in items(archive):
        if fault := danger or _danger(name):
            raise ArchiveError(archive, f"{name[:200]!r}: {fault}", _AGAIN)
        target = folder / name
        if name.endswith("/"):
            target.mkdir(parents=True, exist_ok=True)
            continue
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with opened() as content:
                _write(content, target, size, budget)
        except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
            what = f"{name[:200]!r}: two members have that name"
            raise ArchiveError(archive, what, _AGAIN) from error
        made += 1
        done(made)
    return made


def _write(content: IO[bytes], target: Path, size: int, budget: _Budget) -> None:
    left = size
    with target.open("xb") as file:
        while chunk := content.read(_CHUNK):
            budget.spend(len(chunk))
            left -= len(chunk)
            file.write(chunk)
    if left:
        raise EOFError(f"{target.name} does not unpack to {size} bytes")


def _danger(name: str) -> str:
    """Return why a name must not be unpacked: what is unsafe to read is unsafe to write."""
    found = classify_member(name, 0)
    if found.state is State.UNSAFE:
        return found.reason
    return "name is too long" if len(os.fsencode(name)) > _NAME_BYTES else ""


def _tarred(archive: Path) -> Iterator[_Item]:
    with contextlib.ExitStack() as stack:
        plain = archive.name.lower().endswith(".tar")
        packed = archive.open("rb") if plain else igzip.open(archive, "rb")  # type: ignore[no-untyped-call]
        stream = stack.enter_context(packed)
        tar = stack.enter_context(tarfile.open(fileobj=stream, mode="r|", bufsize=_CHUNK))
        for header in tar:

            def opened(header: tarfile.TarInfo = header) -> contextlib.AbstractContextManager[IO[bytes]]:
                file = tar.extractfile(header)
                if file is None:
                    raise tarfile.ReadError(f"{header.name} cannot be read")
                return file

            plain = header.isdir() or (header.isreg() and not header.issparse())
            danger = "" if plain else "a link, a device or a sparse file"
            yield header.name + "/" * header.isdir(), header.size, opened, danger
            tar.members.clear()  # type: ignore[attr-defined]  # tarfile would keep them all
        while rest := stream.read(_CHUNK):
            if rest.strip(b"\0"):
                raise tarfile.ReadError("something follows behind its end")


def _zipped(archive: Path) -> Iterator[_Item]:
    with zipfile.ZipFile(archive) as packed:
        for info in packed.infolist():

            def opened(info: zipfile.ZipInfo = info) -> contextlib.AbstractContextManager[IO[bytes]]:
                return packed.open(info)

            form = stat.S_IFMT(info.external_attr >> 16)
            danger = "" if form in {0, stat.S_IFREG, stat.S_IFDIR} else "a link, a device or the like"
            yield info.orig_filename, info.file_size, opened, danger

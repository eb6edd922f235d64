"""Extract archives safely: inside the target folder, with a size limit, and completely or not at all."""

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
from tol_luigi.sources.formats import ending_form
from tol_luigi.sources.member_filter import classify_member

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["extract", "extract_member", "is_archive"]

_CHUNK = 1 << 20
_RATIO = 100
"""Tables of names compress to a tenth, photographs not at all. Zip bombs expand by a factor of thousands."""

_SMALL = 1 << 26
"""An archive of any size may expand to this many bytes."""

_NAME_BYTES = 4096
_REMEDY = "No extracted file was kept. Check that it is the right archive, and fetch it again"
_INFLATE: type[Exception] = isal_zlib.error  # type: ignore[assignment]  # isal's stub declares an instance
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
"""Name, size, function that opens it, and the reason not to extract it, or ""."""


def is_archive(name: str) -> bool:
    """Return whether a file name has the extension of a supported archive."""
    return bool(ending_form(name))


def extract(archive: Path, folder: Path, count: int | None, done: Callable[[int], None]) -> int:
    """Extract an archive into a new folder, which appears when it is complete.

    Leftovers of interrupted runs are removed first. The function refuses names that lead out of the folder,
    links, devices, duplicate names, and archives that expand to more than a hundred times their size.

    Args:
        archive: A tar, tar.gz or zip.
        folder: The folder to create. It must not exist.
        count: The expected number of files, or None if it is unknown.
        done: Called with the number of files extracted so far.

    Returns:
        The number of files.

    Raises:
        ArchiveError: The archive is unsafe or damaged, or contains another number of files.
        DiskError: The disk is full.
    """
    with clear_disk_errors(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(folder.parent, time.time())
        scratch = scratch_path(folder)
        scratch.mkdir()
        try:
            with _archive_errors(archive):
                extracted = _extract_all(archive, scratch, done)
            if count is not None and extracted != count:
                raise ArchiveError(archive, f"contains {extracted:,} files instead of {count:,}", _REMEDY)
            with contextlib.suppress(FileExistsError):
                scratch.rename(folder)
            return extracted
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def extract_member(archive: Path, name: str, path: Path) -> None:
    """Extract one file from a zip.

    Raises:
        ArchiveError: The file is missing, damaged, or expands too much.
    """
    with committed(path) as scratch, _archive_errors(archive), zipfile.ZipFile(archive) as packed:
        if name not in packed.namelist():
            raise ArchiveError(archive, f"does not contain {name}", _REMEDY)
        budget = _Budget(archive)
        with packed.open(name) as content:
            _write(content, scratch, packed.getinfo(name).file_size, budget)


@contextlib.contextmanager
def _archive_errors(archive: Path) -> Iterator[None]:
    """Convert the errors of a damaged archive to ArchiveError; let errors of the disk pass."""
    try:
        yield
    except ArchiveError:
        raise
    except _BROKEN as error:
        # Errors of the disk have an errno, errors of damaged archives have none.
        if isinstance(error, OSError) and error.errno:
            raise
        raise ArchiveError(archive, f"is damaged or incomplete ({error})", _REMEDY) from error


class _Budget:
    """The number of bytes that an archive may still expand to."""

    def __init__(self, archive: Path) -> None:
        self._archive = archive
        self._left = max(_SMALL, archive.stat().st_size * _RATIO)

    def spend(self, size: int) -> None:
        """Subtract extracted bytes.

        Raises:
            ArchiveError: No bytes are left.
        """
        self._left -= size
        if self._left < 0:
            what = f"expands to more than {_RATIO} times its size, like a zip bomb"
            raise ArchiveError(self._archive, what, _REMEDY)


def _extract_all(archive: Path, folder: Path, done: Callable[[int], None]) -> int:
    items = _zipped if ending_form(archive.name) == "zip" else _tarred
    budget, extracted = _Budget(archive), 0
    for name, size, open_member, refusal in items(archive):
        if reason := refusal or _unsafe_reason(name):
            raise ArchiveError(archive, f"contains an unsafe member ({name[:200]!r}: {reason})", _REMEDY)
        target = folder / name
        if name.endswith("/"):
            target.mkdir(parents=True, exist_ok=True)
            continue
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with open_member() as content:
                _write(content, target, size, budget)
        except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
            what = f"contains two members named {name[:200]!r}"
            raise ArchiveError(archive, what, _REMEDY) from error
        extracted += 1
        done(extracted)
    return extracted


def _write(content: IO[bytes], target: Path, size: int, budget: _Budget) -> None:
    remaining = size
    with target.open("xb") as file:
        while chunk := content.read(_CHUNK):
            budget.spend(len(chunk))
            remaining -= len(chunk)
            file.write(chunk)
    if remaining:
        raise EOFError(f"{target.name} does not expand to {size} bytes")


def _unsafe_reason(name: str) -> str:
    """Return the reason not to extract a name, or "". A name that is unsafe to read is unsafe to write."""
    found = classify_member(name, 0)
    if found.state is State.UNSAFE:
        return found.reason
    return "name is too long" if len(os.fsencode(name)) > _NAME_BYTES else ""


def _tarred(archive: Path) -> Iterator[_Item]:
    with contextlib.ExitStack() as stack:
        plain = ending_form(archive.name) == "tar"
        packed = archive.open("rb") if plain else igzip.open(archive, "rb")  # type: ignore[no-untyped-call]
        stream = stack.enter_context(packed)
        tar = stack.enter_context(tarfile.open(fileobj=stream, mode="r|", bufsize=_CHUNK))
        for header in tar:

            def open_member(header: tarfile.TarInfo = header) -> contextlib.AbstractContextManager[IO[bytes]]:
                file = tar.extractfile(header)
                if file is None:
                    raise tarfile.ReadError(f"{header.name} cannot be read")
                return file

            plain = header.isdir() or (header.isreg() and not header.issparse())
            refusal = "" if plain else "a link, a device or a sparse file"
            yield header.name + "/" * header.isdir(), header.size, open_member, refusal
            tar.members.clear()  # type: ignore[attr-defined]  # tarfile would keep them all
        while rest := stream.read(_CHUNK):
            if rest.strip(b"\0"):
                raise tarfile.ReadError("data after the end marker")


def _zipped(archive: Path) -> Iterator[_Item]:
    with zipfile.ZipFile(archive) as packed:
        for info in packed.infolist():

            def open_member(info: zipfile.ZipInfo = info) -> contextlib.AbstractContextManager[IO[bytes]]:
                return packed.open(info)

            form = stat.S_IFMT(info.external_attr >> 16)
            refusal = (
                "" if form in {0, stat.S_IFREG, stat.S_IFDIR} else "a link, a device or another special file"
            )
            yield info.orig_filename, info.file_size, open_member, refusal

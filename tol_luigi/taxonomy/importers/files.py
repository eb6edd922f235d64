"""The files of a taxonomy: one file, a folder, or an archive (zip, tar, tar.gz) that is read in place.

Nothing is unpacked on disk. Single files may be compressed with gzip.
"""

from __future__ import annotations

import contextlib
import fnmatch
import io
import itertools
import os
import stat
import struct
import tarfile
import zipfile
import zlib
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from isal import igzip

from tol_luigi.core.errors import ArchiveError, SourceError, UnreadableError
from tol_luigi.core.ledger import State
from tol_luigi.sources.faults import CHECK_PATH, system_error
from tol_luigi.sources.member_filter import classify_member, is_junk
from tol_luigi.sources.zips import InflateError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["Files", "files_of", "form_of"]

_AGAIN = "Fetch it again"
_BROKEN: tuple[type[Exception], ...] = (
    *(OSError, EOFError, ValueError, LookupError, RuntimeError, RecursionError),
    *(struct.error, tarfile.TarError, zipfile.BadZipFile, zlib.error, InflateError),
)
_START = 1 << 16
_CHUNK = 1 << 20
_DEPTH = 2
_MAX_BYTES = 1 << 35
"""The size of the largest table that is read, several times that of the largest taxonomies: more is a bomb."""


@dataclass(frozen=True)
class Files:
    """The files of a taxonomy.

    Attributes:
        path: The file, folder or archive.
        form: ``file``, ``gz``, ``folder``, ``zip``, ``tar`` or ``tar.gz``.
        names: Their names below ``path``, sorted, without hidden files.
    """

    path: Path
    form: str
    names: tuple[str, ...]

    @property
    def is_single(self) -> bool:
        """Whether the path is one table, whatever its name."""
        return self.form in {"file", "gz"}

    def where(self, name: str) -> str:
        """Return the place of a file, for messages."""
        return str(self.path) if self.is_single else f"{self.path}/{name}"

    def is_empty(self, name: str) -> bool:
        """Return whether a file has no content, as tables without rows and header have."""
        with self.open(name) as file:
            return not file.read(1)

    def find_filled(self, base: str) -> str | None:
        """Return the file with a name, as :meth:`find` does; None if it is empty."""
        found = self.find(base)
        return None if found is None or self.is_empty(found) else found

    def all(self, pattern: str) -> list[str]:
        """Return the files whose last part of the name matches a pattern with ``*``, in any case, also as ``.gz``."""
        wanted = pattern.lower()
        bases = ((name, _without_gz(name.rpartition("/")[2]).lower()) for name in self.names)
        return [name for name, base in bases if fnmatch.fnmatchcase(base, wanted)]

    def find(self, *bases: str) -> str | None:
        """Return the file with one of these names that is the least deep; None if there is none.

        Raises:
            SourceError: Several are equally deep.
        """
        for base in bases:
            found = sorted(self.all(base), key=lambda name: name.count("/"))
            if len(found) > 1 and found[1].count("/") == found[0].count("/"):
                what = f"contains several files {base} ({found[0]}, {found[1]})"
                raise SourceError(self.path, what, "Name the folder of one of them")
            if found:
                return found[0]
        return None

    def main(self, *bases: str) -> str:
        """Return the file with one of these names; the only file, whatever its name, if there is one.

        Raises:
            SourceError: There is no such file.
        """
        if self.is_single:
            return self.names[0]
        found = self.find(*bases)
        if found is None:
            what = f"contains no {' or '.join(bases)}"
            raise SourceError(self.path, what, "Name the file, or the folder or archive that contains it")
        return found

    @contextlib.contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        """Open a file; the errors of a damaged archive are of type ArchiveError, wherever reading reaches them."""
        with contextlib.ExitStack() as stack:
            guard = _Guard(self.path)
            with guard.errors():
                file: Any = _OPENERS[self.form](self.path, name, stack)
                if self.form != "gz" and name.lower().endswith(".gz"):
                    file = stack.enter_context(igzip.open(file, "rb"))
            yield io.BufferedReader(_GuardedStream(file, guard), _CHUNK)


def files_of(path: Path) -> Files:
    """Return the files of a path.

    Raises:
        SourceError: It does not exist or cannot be read.
        ArchiveError: It is a damaged archive, or one with unsafe or repeated names.
    """
    with _Guard(path).errors():
        form = form_of(path)
        names = sorted(_LISTERS[form](path))
    for first, second in itertools.pairwise(names):
        if first == second:
            raise ArchiveError(path, f"contains two files named {first!r}", _AGAIN)
    return Files(path, form, tuple(names))


def form_of(path: Path) -> str:
    """Return ``file``, ``gz``, ``folder``, ``zip``, ``tar`` or ``tar.gz``, by the content of a file.

    Raises:
        OSError: It cannot be read.
        ArchiveError: It is damaged.
    """
    if stat.S_ISDIR(path.stat().st_mode):
        return "folder"
    with path.open("rb") as file:
        start = file.read(_START)
    if start.startswith(b"\x1f\x8b"):
        try:
            inner = zlib.decompressobj(wbits=31).decompress(start, tarfile.BLOCKSIZE)
        except zlib.error as error:
            raise ArchiveError(path, f"is damaged ({error})", _AGAIN) from error
        return "tar.gz" if _is_tar(inner) else "gz"
    if zipfile.is_zipfile(path) or start.startswith(b"PK\3\4"):
        return "zip"
    return "tar" if _is_tar(start[: tarfile.BLOCKSIZE]) else "file"


def _is_tar(start: bytes) -> bool:
    try:
        tarfile.TarInfo.frombuf(start, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


def _without_gz(name: str) -> str:
    return name[:-3] if name.lower().endswith(".gz") else name


def _folder_names(path: Path, above: str = "", depth: int = _DEPTH) -> Iterator[str]:
    with os.scandir(path / above) as entries:
        for entry in entries:
            name = f"{above}{entry.name}"
            if is_junk(entry.name):
                continue
            if entry.is_dir():
                if depth > 1:
                    yield from _folder_names(path, f"{name}/", depth - 1)
            elif entry.is_file():
                yield name


def _safe(path: Path, name: str) -> bool:
    """Return whether a member of an archive counts: hidden ones do not.

    Raises:
        ArchiveError: Its name is unsafe.
    """
    found = classify_member(name, 0)
    if found.state in {State.UNSAFE, State.BAD_NAME}:
        what = f"contains an unsafe member ({name[:200]!r}: {found.reason})"
        raise ArchiveError(path, what, "Fetch it again, or remove that member")
    return not any(map(is_junk, name.split("/")))


def _zip_names(path: Path) -> Iterator[str]:
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            name = info.orig_filename
            if not name.endswith("/") and _safe(path, name) and not stat.S_ISLNK(info.external_attr >> 16):
                yield name


def _tar_names(path: Path) -> Iterator[str]:
    with contextlib.ExitStack() as stack:
        for header in _headers(path, stack):
            if _safe(path, header.name) and header.isreg():
                yield header.name.removeprefix("./")


def _headers(path: Path, stack: contextlib.ExitStack) -> tarfile.TarFile:
    packed: Any = path.open("rb") if form_of(path) == "tar" else igzip.open(path, "rb")
    stream = stack.enter_context(packed)
    return stack.enter_context(tarfile.open(fileobj=stream, mode="r|", bufsize=_CHUNK))


def _open_file(path: Path, name: str, stack: contextlib.ExitStack) -> IO[bytes]:
    del name
    return stack.enter_context(path.open("rb"))


def _open_gz(path: Path, name: str, stack: contextlib.ExitStack) -> IO[bytes]:
    del name
    file: IO[bytes] = stack.enter_context(igzip.open(path, "rb"))
    return file


def _open_in_folder(path: Path, name: str, stack: contextlib.ExitStack) -> IO[bytes]:
    return stack.enter_context((path / name).open("rb"))


def _open_zipped(path: Path, name: str, stack: contextlib.ExitStack) -> IO[bytes]:
    archive = stack.enter_context(zipfile.ZipFile(path))
    return stack.enter_context(archive.open(name))


def _open_tarred(path: Path, name: str, stack: contextlib.ExitStack) -> IO[bytes]:
    tar = _headers(path, stack)
    for header in tar:
        if header.name.removeprefix("./") == name and (file := tar.extractfile(header)) is not None:
            return file
    raise tarfile.ReadError(f"{name} is no longer in it")


_OPENERS: dict[str, Callable[[Path, str, contextlib.ExitStack], IO[bytes]]] = {
    "file": _open_file,
    "gz": _open_gz,
    "folder": _open_in_folder,
    "zip": _open_zipped,
    "tar": _open_tarred,
    "tar.gz": _open_tarred,
}

_LISTERS: dict[str, Callable[[Path], Iterator[str]]] = {
    "file": lambda path: iter((path.name,)),
    "gz": lambda path: iter((path.name,)),
    "folder": _folder_names,
    "zip": _zip_names,
    "tar": _tar_names,
    "tar.gz": _tar_names,
}


@dataclass(frozen=True)
class _Guard:
    """Converts the errors of the disk and of damaged archives."""

    path: Path

    @contextlib.contextmanager
    def errors(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            raise SourceError(self.path, "does not exist", CHECK_PATH) from error
        except _BROKEN as error:
            if system := system_error(error):
                what = f"cannot be read ({system.strerror})"
                raise UnreadableError(self.path, what, CHECK_PATH) from error
            raise ArchiveError(self.path, f"is damaged or incomplete ({error})", _AGAIN) from error


class _GuardedStream(io.RawIOBase):
    """A file whose errors are converted, and that ends in an error if it is absurdly large."""

    def __init__(self, file: IO[bytes], guard: _Guard) -> None:
        super().__init__()
        self._file, self._guard, self._left = file, guard, _MAX_BYTES

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 (any writable buffer)
        with self._guard.errors():
            found = self._file.read(len(buffer))
        buffer[: len(found)] = found
        self._left -= len(found)
        if self._left < 0:
            what = f"contains a table of more than {_MAX_BYTES:,} bytes"
            raise ArchiveError(self._guard.path, what, _AGAIN)
        return len(found)

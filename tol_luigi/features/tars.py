"""Samples of any WebDataset tar, in the order of the tar."""

from __future__ import annotations

import contextlib
import hashlib
import subprocess
import tarfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self, cast

from tol_luigi.core.errors import ShardError
from tol_luigi.core.shards import split_member_name
from tol_luigi.features.samples import FeatureSample

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["TarSamples", "open_tar"]

_REMEDY = "Fetch or write it again"
_PIPE = "pipe:"


@contextlib.contextmanager
def open_tar(url: str) -> Iterator[IO[bytes]]:
    """Open a tar for reading.

    Args:
        url: A path, ``pipe:`` and a shell command that writes the tar, or a URL that fsspec reads.

    Raises:
        ShardError: It cannot be opened, or the command fails.
    """
    try:
        if url.startswith(_PIPE):
            with _piped(url) as stream:
                yield stream
        elif "://" in url:
            with _remote(url) as file:
                yield file
        else:
            with Path(url).open("rb") as local:
                yield local
    except (OSError, ImportError, ValueError) as error:
        raise _unreadable(url, error) from error


def _unreadable(url: str, error: Exception) -> ShardError:
    reason = getattr(error, "strerror", None) or " ".join(str(error).split()) or type(error).__name__
    return ShardError(url, f"it cannot be read ({reason})", "Correct the path, or make it readable")


@contextlib.contextmanager
def _remote(url: str) -> Iterator[IO[bytes]]:
    with _named_errors(url):
        import fsspec  # noqa: PLC0415 (only for URLs)

        file = fsspec.open(url, "rb").open()
    with contextlib.closing(file):
        yield cast("IO[bytes]", _Remote(url, file))


@contextlib.contextmanager
def _named_errors(url: str) -> Iterator[None]:
    """Raise a ShardError for any error: each store has its own, such as those of botocore, with no common class."""
    try:
        yield
    except Exception as error:
        raise _unreadable(url, error) from error


class _Remote:
    """A file in a store, whose errors name its URL."""

    def __init__(self, url: str, file: IO[bytes]) -> None:
        self.url, self.file = url, file

    def read(self, size: int = -1) -> bytes:
        with _named_errors(self.url):
            return self.file.read(size)


@contextlib.contextmanager
def _piped(url: str) -> Iterator[IO[bytes]]:
    command = url.removeprefix(_PIPE)
    # The user's own command, as in the lists of tars that webdataset reads.
    with subprocess.Popen(["/bin/bash", "-c", command], stdout=subprocess.PIPE) as process:  # noqa: S603
        stream = cast("IO[bytes]", process.stdout)
        yield stream
        stream.read()
    if process.returncode:
        raise ShardError(url, f"the command failed (exit code {process.returncode})", "Correct the command")


class _Hashed:
    """A stream that is hashed and counted while it is read."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.stream, self.digest, self.size = stream, hashlib.sha256(), 0

    def read(self, size: int = -1) -> bytes:
        content = self.stream.read(size)
        self.digest.update(content)
        self.size += len(content)
        return content


class _StrictHeader(tarfile.TarInfo):
    """A header of a tar; tarfile takes a damaged header, and the end of a truncated file, for the end of the tar."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        """Return the header in a block.

        Raises:
            EOFError: The file has ended before the mark of its end.
            ValueError: The header is damaged.
        """
        try:
            return super().frombuf(buf, encoding, errors)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            raise
        except (tarfile.EmptyHeaderError, tarfile.TruncatedHeaderError):  # type: ignore[attr-defined]
            raise EOFError("it is truncated") from None
        except tarfile.HeaderError as error:
            raise ValueError(f"a header is damaged: {error}") from None


class TarSamples:
    """The samples of a tar, by WebDataset's rule: consecutive members with the same key form a sample.

    Iterating reads the tar once, in order. Members that are no files, and files without an extension, are no part of a
    sample. If a sample has two members with the same name, it cannot be used (:attr:`FeatureSample.fault`).

    Args:
        url: See :func:`open_tar`.
        text_name: The extension of the text of a sample.

    Raises (while iterating):
        ShardError: It cannot be read, is truncated, or is not a tar.
    """

    def __init__(self, url: str, text_name: str = "txt") -> None:
        self.url, self.text_name = url, text_name.lower()
        self.sha256, self.size = "", 0
        """SHA-256 and size of the tar, set when the iteration has ended."""

    def __iter__(self) -> Iterator[FeatureSample]:
        """Yield the samples."""
        row, sample = 0, FeatureSample("", {}, 0)
        with open_tar(self.url) as stream:
            hashed = _Hashed(stream)
            for name, content in self._members(hashed):
                key, extension = split_member_name(name)
                if not key or not extension:
                    continue
                if key != sample.key or not sample.members:
                    if sample.members:
                        yield sample
                        row += 1
                    sample = FeatureSample(key, {}, row, self.text_name)
                sample.add(extension.lower(), content)
            while hashed.read(1 << 20):
                pass
            self.sha256, self.size = hashed.digest.hexdigest(), hashed.size
        if sample.members:
            yield sample

    def _members(self, stream: _Hashed) -> Iterator[tuple[str, bytes]]:
        try:
            with tarfile.open(fileobj=cast("Any", stream), mode="r|*", tarinfo=_StrictHeader) as tar:
                for member in tar:
                    tar.members = []  # type: ignore[attr-defined]  # tarfile keeps all headers otherwise
                    if member.isreg():
                        # Names of members need not be UTF-8, but columns are.
                        name = member.name.encode("utf-8", "backslashreplace").decode()
                        yield name, cast("IO[bytes]", tar.extractfile(member)).read()
        except (tarfile.TarError, EOFError, ValueError) as error:
            raise ShardError(self.url, f"it is not a complete tar file ({error})", _REMEDY) from error

"""Shards: distributing samples to shards, writing and reading them.

A shard is a tar file in WebDataset's layout. Its bytes depend only on its samples: members are
sorted, and headers have a fixed time, owner and mode.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import re
import tarfile
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from tol_luigi.core.errors import ShardError
from tol_luigi.core.files import committed
from tol_luigi.core.limits import reading_error
from tol_luigi.core.samples import IMAGE_EXTENSIONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

__all__ = [
    "DifferentBytesError",
    "Shard",
    "ShardReader",
    "balanced",
    "copy_record",
    "member_header",
    "record_image",
    "record_member",
    "sample_places",
    "sample_record",
    "shard_name",
    "shard_number",
    "shards_for",
    "split_member_name",
    "write_shard",
]

_END = bytes(2 * tarfile.BLOCKSIZE)

_EMPTY = tarfile.TarInfo().tobuf(tarfile.USTAR_FORMAT)
_OWNER, _TIME, _REST = _EMPTY[100:124], _EMPTY[136:148], _EMPTY[156:]
"""The constant parts of a header; the order is mode and owner, size, time, checksum, rest."""

_REST_SUM = sum(_OWNER + _TIME + _REST) + sum(b" " * 8)
"""Their contribution to the checksum, in which the checksum itself counts as blanks."""

_SIZE = slice(124, 135)
"""The place of the size in a header."""

_LARGEST = 8**11 - 1
"""The largest size that fits into octal digits."""


@dataclass(frozen=True, slots=True)
class Shard:
    """The record of a shard in a receipt.

    Attributes:
        name: The file name within the folder of its split.
        size: The size in bytes.
        sha256: The SHA-256, 64 hexadecimal digits.
        samples: The number of samples.
    """

    name: str
    size: int
    sha256: str
    samples: int


class DifferentBytesError(Exception):
    """A rewritten shard has different bytes, so its inputs have changed."""


def shard_name(number: int) -> str:
    """Return the file name of a shard by its number within the split, from 0."""
    return f"shard-{number:06d}.tar"


def shard_number(name: str) -> int:
    """Return the number in a shard's file name."""
    return int(name.removeprefix("shard-").removesuffix(".tar"))


def shards_for(samples: int, max_samples: int) -> int:
    """Return the number of shards for a number of samples."""
    return -(-samples // max_samples)


def balanced(samples: int, shards: int) -> list[range]:
    """Divide a sequence of samples into shards of equal length.

    Returns:
        ``shards`` consecutive ranges of positions that together cover ``range(samples)``. Their lengths
        differ by at most one; if there are fewer samples than shards, the last ranges are empty.
    """
    small, larger = divmod(samples, shards) if shards else (0, 0)
    starts = [index * small + min(index, larger) for index in range(shards + 1)]
    return [range(start, end) for start, end in itertools.pairwise(starts)]


def sample_record(key: str, members: Mapping[str, bytes]) -> bytes:
    """Return the bytes of one sample in a shard.

    Args:
        key: The sample's key: the image id, without a dot.
        members: Content by extension, such as ``jpg`` or ``sci.txt``.

    Returns:
        Complete tar blocks: a header and the padded content for each member, sorted by extension.
    """
    parts = []
    for extension, content in sorted(members.items()):
        header = member_header(f"{key}.{extension}", len(content))
        parts += [header, content, bytes(-len(content) % tarfile.BLOCKSIZE)]
    return b"".join(parts)


def member_header(name: str, size: int) -> bytes:
    """Return the header of a member, byte-identical to that of tarfile, in a tenth of the time.

    Args:
        name: The member's name.
        size: Its length in bytes.
    """
    named = name.encode(tarfile.ENCODING, "surrogateescape")
    if len(named) > tarfile.LENGTH_NAME or size > _LARGEST:
        header = tarfile.TarInfo(name)
        header.size = size
        return header.tobuf(tarfile.USTAR_FORMAT)
    digits = b"%011o" % size
    checksum = b"%06o\0 " % (_REST_SUM + sum(named) + sum(digits))
    return b"".join([named.ljust(tarfile.LENGTH_NAME, b"\0"), _OWNER, digits, b"\0", _TIME, checksum, _REST])


def write_shard(path: Path, records: Iterable[bytes], sha256: str = "") -> tuple[Shard, list[int]]:
    """Write a shard atomically.

    Args:
        path: The shard's path, whose name is the shard's name.
        records: The bytes of the samples from :func:`sample_record`, in shipping order.
        sha256: The expected SHA-256, if known.

    Returns:
        The shard's entry for the receipt, and the offset in bytes of each sample.

    Raises:
        DifferentBytesError: The SHA-256 is different; then nothing is written.
    """
    digest = hashlib.sha256()
    offsets: list[int] = []
    size = 0
    with committed(path) as scratch, scratch.open("wb") as file:
        for record in records:
            offsets.append(size)
            size += file.write(record)
            digest.update(record)
        # The standard end of a tar: two empty blocks, then zeros up to a full record of 20 blocks.
        padding = _END + bytes(-(size + len(_END)) % tarfile.RECORDSIZE)
        size += file.write(padding)
        digest.update(padding)
        if sha256 not in {"", digest.hexdigest()}:
            raise DifferentBytesError(path)
    return Shard(path.name, size, digest.hexdigest(), len(offsets)), offsets


_CHUNK = 1 << 20
"""The bytes that are read and hashed at a time: hashing pieces as small as the members takes twice as long."""


class _Hashed:
    """A file that is hashed while it is read in large chunks, and that must not end early."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file, self.digest = file, hashlib.sha256()
        self._chunk, self._start = b"", 0

    def read(self, size: int) -> bytes:
        """Read exactly ``size`` bytes.

        Raises:
            EOFError: The file has fewer.
        """
        missing = self._start + size - len(self._chunk)
        if missing > 0:
            self._chunk = self._chunk[self._start :] + self._hashed(max(missing, _CHUNK))
            self._start = 0
        content = self._chunk[self._start : self._start + size]
        self._start += size
        if len(content) != size:
            raise EOFError("it is truncated")
        return content

    def rest(self) -> Iterator[bytes]:
        """Read the remaining bytes, in chunks."""
        yield self._chunk[self._start :]
        while chunk := self._hashed(_CHUNK):
            yield chunk

    def _hashed(self, size: int) -> bytes:
        chunk = self.file.read(size)
        self.digest.update(chunk)
        return chunk


_MEMBER_NAME = re.compile(r"((?:.*/|)[^.]+)[.]([^/]*)")


def split_member_name(name: str) -> tuple[str, str]:
    """Split the name of a member into key and extension, as webdataset does; the extension is "" if there is none.

    webdataset has the same function, but imports PyTorch where it is installed, which takes longer than a small build.
    """
    match = _MEMBER_NAME.fullmatch(name)
    return (match[1], match[2]) if match else (name, "")


class ShardReader:
    """A shard that is read once, with WebDataset's rule: consecutive members with the same key form a sample.

    Iterating yields the key of each sample, and its members' content by extension, in the shard's order.
    Verification uses it instead of webdataset's reader, which treats a damaged header as the end of the shard
    and skips members that are not samples; :mod:`tol_luigi.dataset` uses webdataset's reader.

    Raises (while iterating):
        ShardError: The file is not a complete tar, a member is not a regular file, or a sample has two
            members with the same name.
        DiskError: The file cannot be read at the moment.
        LimitError: A system limit is reached.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.sha256 = ""
        """The SHA-256 of the file; set when the iteration has ended."""

    def __iter__(self) -> Iterator[tuple[str, dict[str, bytes]]]:
        """Yield the samples."""
        key, members = "", dict[str, bytes]()
        try:
            with self.path.open("rb") as file:
                hashed = _Hashed(file)
                for name, content in _members(hashed, self.path):
                    new, extension = split_member_name(name)
                    if new != key and members:
                        yield key, members
                    if new != key:
                        key, members = new, {}
                    if extension in members:
                        raise ShardError(self.path, f"sample {key} has two members {extension}", _REBUILD)
                    members[extension] = content
                self.sha256 = hashed.digest.hexdigest()
        except (tarfile.TarError, EOFError, FileNotFoundError, UnicodeDecodeError) as error:
            raise ShardError(self.path, f"is not a complete tar file ({error})", _REBUILD) from error
        except OSError as error:  # the shard may be intact, so it must not be deleted
            raise reading_error(self.path, error) from error
        if members:
            yield key, members


def _members(file: _Hashed, path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the members of a tar, read by blocks: tarfile treats a damaged header as the end."""
    while (block := file.read(tarfile.BLOCKSIZE)) != bytes(tarfile.BLOCKSIZE):
        name, size = _own_header(block) or _other_header(block, path)
        content = file.read(size)
        file.read(-size % tarfile.BLOCKSIZE)
        yield name, content
    if file.read(tarfile.BLOCKSIZE).strip(b"\0") or any(chunk.strip(b"\0") for chunk in file.rest()):
        raise ShardError(path, "has data after its end", _REBUILD)


def _own_header(block: bytes) -> tuple[str, int] | None:
    """Return name and size in a header as :func:`member_header` makes it, None for any other; tarfile takes five times as long."""
    try:
        name = block[: tarfile.LENGTH_NAME].rstrip(b"\0").decode()
        size = int(block[_SIZE], 8)
    except ValueError:
        return None
    return (name, size) if member_header(name, size) == block else None


def _other_header(block: bytes, path: Path) -> tuple[str, int]:
    """Return name and size in any other header.

    Raises:
        ShardError: It is not of a regular file.
        TarError: It is damaged.
    """
    header = tarfile.TarInfo.frombuf(block, "utf-8", "strict")
    if not header.isreg():
        raise ShardError(path, f"member {header.name} is not a regular file", _REBUILD)
    return header.name, header.size


def sample_places(path: Path) -> dict[str, tuple[int, int]]:
    """Return offset and length in bytes of each sample in a shard, by its key.

    Raises:
        ShardError: The shard is damaged.
    """
    places, offset = {}, 0
    for key, members in ShardReader(path):
        blocks = sum(1 - -len(content) // tarfile.BLOCKSIZE for content in members.values())
        places[key] = offset, blocks * tarfile.BLOCKSIZE
        offset += blocks * tarfile.BLOCKSIZE
    return places


def copy_record(shard: IO[bytes], offset: int, length: int, key: str) -> bytes:
    """Return the bytes of one sample in a shard.

    Args:
        shard: The shard, open for reading.
        offset: The offset of the sample, in bytes.
        length: Its length in bytes.
        key: Its expected key.

    Raises:
        ShardError: Another sample, or none, is at this offset.
    """
    shard.seek(offset)
    record = shard.read(length)
    if len(record) != length or not record.startswith(f"{key}.".encode()):
        raise ShardError(shard.name, f"sample {key} is not at byte {offset}", _REBUILD)
    return record


def record_member(record: bytes, name: str) -> bytes:
    """Return the content of a member in the bytes of a sample from :func:`sample_record`.

    Raises:
        ValueError: The member is missing or incomplete.
    """
    header, wanted = 0, name.encode()
    while header < len(record):
        content = header + tarfile.BLOCKSIZE
        size = int(record[header:content][_SIZE], 8)
        if record[header : header + tarfile.LENGTH_NAME].rstrip(b"\0") == wanted:
            if content + size > len(record):
                break
            return record[content : content + size]
        header = content + size + -size % tarfile.BLOCKSIZE
    raise ValueError(name)


def record_image(record: bytes, key: str) -> bytes:
    """Return the image in the bytes of a sample, whatever its format.

    Raises:
        ValueError: It is missing or incomplete.
    """
    for extension in IMAGE_EXTENSIONS:
        with contextlib.suppress(ValueError):
            return record_member(record, f"{key}.{extension}")
    raise ValueError(key)


_REBUILD = "Delete it and run the same command again"

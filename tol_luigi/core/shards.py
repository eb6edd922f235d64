"""Shards: cutting samples into them, writing them, reading them.

A shard is a tar file in WebDataset's layout. Its bytes follow from its samples alone: members are
sorted, and headers bear a fixed time, owner and mode.
"""

from __future__ import annotations

import hashlib
import itertools
import tarfile
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from webdataset.tariterators import base_plus_ext

from tol_luigi.core.errors import DiskError, ShardError
from tol_luigi.core.files import committed
from tol_luigi.core.limits import expected_error

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

__all__ = [
    "OtherBytesError",
    "Shard",
    "ShardReader",
    "balanced",
    "copy_record",
    "member_header",
    "record_member",
    "sample_record",
    "shard_name",
    "shard_number",
    "shards_for",
    "write_shard",
]

_END = bytes(2 * tarfile.BLOCKSIZE)

_EMPTY = tarfile.TarInfo().tobuf(tarfile.USTAR_FORMAT)
_OWNER, _TIME, _REST = _EMPTY[100:124], _EMPTY[136:148], _EMPTY[156:]
"""What every header has: mode and owner, then size, time, checksum, and the rest."""

_REST_SUM = sum(_OWNER + _TIME + _REST) + sum(b" " * 8)
"""What these add to the checksum, in which the checksum itself counts as blanks."""

_LARGEST = 8**11 - 1
"""The largest size that is written in digits."""


@dataclass(frozen=True, slots=True)
class Shard:
    """What a receipt says of one shard.

    Attributes:
        name: File name within the folder of its split.
        size: Bytes.
        sha256: 64 hexadecimal digits.
        samples: How many it holds.
    """

    name: str
    size: int
    sha256: str
    samples: int


class OtherBytesError(Exception):
    """A shard that is made again comes out otherwise than it was, so what it was made from has changed."""


def shard_name(number: int) -> str:
    """Name a shard by its number within its split, from 0."""
    return f"shard-{number:06d}.tar"


def shard_number(name: str) -> int:
    """Read the number off a shard's name."""
    return int(name.removeprefix("shard-").removesuffix(".tar"))


def shards_for(samples: int, max_samples: int) -> int:
    """Count the shards that so many samples need."""
    return -(-samples // max_samples)


def balanced(samples: int, shards: int) -> list[range]:
    """Cut a run of samples into shards of equal count.

    Returns:
        ``shards`` consecutive ranges of positions that together cover ``range(samples)``; their
        lengths differ by one at most. Where samples are fewer than shards, the last are empty.
    """
    small, larger = divmod(samples, shards) if shards else (0, 0)
    starts = [index * small + min(index, larger) for index in range(shards + 1)]
    return [range(start, end) for start, end in itertools.pairwise(starts)]


def sample_record(key: str, members: Mapping[str, bytes]) -> bytes:
    """Lay out one sample as it stands in a shard.

    Args:
        key: The sample's key: the image id, without a dot.
        members: Content by extension, such as ``jpg`` or ``sci.txt``.

    Returns:
        Whole tar blocks: a header and the padded content for each member, sorted by extension.
    """
    parts = []
    for extension, content in sorted(members.items()):
        header = member_header(f"{key}.{extension}", len(content))
        parts += [header, content, bytes(-len(content) % tarfile.BLOCKSIZE)]
    return b"".join(parts)


def member_header(name: str, size: int) -> bytes:
    """Write the header of a member: byte for byte what tarfile writes, in a tenth of the time.

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
    """Write a shard, whole or not at all.

    Args:
        path: Where it goes; its name is the shard's name.
        records: The samples, as :func:`sample_record` lays them out, in shipping order.
        sha256: What it has to come out as, if that is known.

    Returns:
        The shard's entry for the receipt, and the offset in bytes of each sample.

    Raises:
        OtherBytesError: It comes out otherwise; then nothing has been written.
    """
    digest = hashlib.sha256()
    offsets: list[int] = []
    size = 0
    with committed(path) as scratch, scratch.open("wb") as file:
        for record in records:
            offsets.append(size)
            size += file.write(record)
            digest.update(record)
        # As tar has always done: two empty blocks, then zeros up to a whole record of 20 blocks.
        padding = _END + bytes(-(size + len(_END)) % tarfile.RECORDSIZE)
        size += file.write(padding)
        digest.update(padding)
        if sha256 not in {"", digest.hexdigest()}:
            raise OtherBytesError(path)
    return Shard(path.name, size, digest.hexdigest(), len(offsets)), offsets


class _Hashed:
    """A file that is hashed as it is read, and that must not end early."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file, self.digest = file, hashlib.sha256()

    def read(self, size: int) -> bytes:
        """Read so many bytes.

        Raises:
            EOFError: There are fewer.
        """
        content = self.file.read(size)
        self.digest.update(content)
        if len(content) != size:
            raise EOFError("it breaks off")
        return content

    def rest(self) -> bytes:
        """Read what is left."""
        content = self.file.read()
        self.digest.update(content)
        return content


class ShardReader:
    """A shard, read once and as its users do: runs of members with one key make a sample.

    Iterating gives the key of each sample, and its members' content by extension, in the shard's order. Verification
    needs it instead of webdataset's reader, which takes a damaged header for the end of the shard and skips what is no
    sample; :mod:`tol_luigi.dataset` reads with webdataset's.

    Raises (while iterating):
        ShardError: The file is no whole tar, a member is no plain file, or a sample has two members of one name.
        DiskError: The system does not let it be read.
        LimitError: A limit of the system has been reached.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.sha256 = ""
        """Of the whole file; known when the iteration has ended."""

    def __iter__(self) -> Iterator[tuple[str, dict[str, bytes]]]:
        """Read the samples."""
        key, members = "", dict[str, bytes]()
        try:
            with self.path.open("rb") as file:
                hashed = _Hashed(file)
                for name, content in _members(hashed, self.path):
                    new, extension = base_plus_ext(name)
                    if new != key and members:
                        yield key, members
                    if new != key:
                        key, members = new, {}
                    if extension in members:
                        raise ShardError(self.path, f"sample {key} has two members {extension}", _REBUILD)
                    members[extension] = content
                self.sha256 = hashed.digest.hexdigest()
        except (tarfile.TarError, EOFError, FileNotFoundError, UnicodeDecodeError) as error:
            raise ShardError(self.path, f"no whole tar file ({error})", _REBUILD) from error
        except OSError as error:  # which says nothing about the shard: nobody may delete it for that
            cannot_read = DiskError(self.path, f"cannot be read: {error.strerror}", _ALLOW)
            raise expected_error(error) or cannot_read from error
        if members:
            yield key, members


def _members(file: _Hashed, path: Path) -> Iterator[tuple[str, bytes]]:
    """Read the members of a tar block by block: tarfile takes a damaged header for the end of the archive."""
    while (block := file.read(tarfile.BLOCKSIZE)) != bytes(tarfile.BLOCKSIZE):
        header = tarfile.TarInfo.frombuf(block, "utf-8", "strict")
        if not header.isreg():
            raise ShardError(path, f"member {header.name} is no plain file", _REBUILD)
        content = file.read(header.size)
        file.read(-header.size % tarfile.BLOCKSIZE)
        yield header.name, content
    if file.read(tarfile.BLOCKSIZE).strip(b"\0") or file.rest().strip(b"\0"):
        raise ShardError(path, "something follows after its end", _REBUILD)


def copy_record(shard: IO[bytes], offset: int, length: int, key: str) -> bytes:
    """Take one sample's blocks out of a shard, byte for byte.

    Args:
        shard: The shard, open for reading.
        offset: Where the sample starts, in bytes.
        length: Its length in bytes.
        key: The key it has to have.

    Raises:
        ShardError: There is another sample, or none, at that place.
    """
    shard.seek(offset)
    record = shard.read(length)
    if len(record) != length or not record.startswith(f"{key}.".encode()):
        raise ShardError(shard.name, f"sample {key} is not at byte {offset}", _REBUILD)
    return record


def record_member(record: bytes, name: str) -> bytes:
    """Take a member out of a sample's blocks, as :func:`sample_record` lays them out.

    Raises:
        ValueError: It is not there, whole.
    """
    header, wanted = 0, name.encode()
    while header < len(record):
        content = header + tarfile.BLOCKSIZE
        size = int(record[header + 124 : header + 135], 8)
        if record[header : header + tarfile.LENGTH_NAME].rstrip(b"\0") == wanted:
            if content + size > len(record):
                break
            return record[content : content + size]
        header = content + size + -size % tarfile.BLOCKSIZE
    raise ValueError(name)


_REBUILD = "Delete it and run the same command again"
_ALLOW = "See that you may read it and that its disk is well, and run the same command again"

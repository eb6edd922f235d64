"""What an older dataset holds, to be taken over by a new one instead of being made again.

Only what is proved whole is taken: a shard is hashed while its pictures are read, and where it is not what its
receipt says, they are made anew, as are pictures that the older dataset lacks.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from tol_luigi.core.errors import ShardError
from tol_luigi.core.files import read_json
from tol_luigi.core.ledger import State
from tol_luigi.core.packing import Made
from tol_luigi.core.samples import IMAGE
from tol_luigi.core.shards import Shard, record_member, shard_number
from tol_luigi.core.source import Found, Member
from tol_luigi.store.row_groups import rows_with
from tol_luigi.store.worklists import outcome_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from tol_luigi.core.packing import Content, Outcome
    from tol_luigi.core.source import Column, FileContent
    from tol_luigi.store.row_groups import Wanted
    from tol_luigi.store.worklists import WorkList

__all__ = ["OlderFiles", "read_taken", "taken_contents", "unlisted_taken"]

_FACTS = (
    "id", "name", "state", "reason", "shard", "offset", "bytes",
    "width", "height", "mode", "format", "flags", "sha256", "md5",
)  # fmt: skip

_Key = tuple[int | str | None, ...]


@dataclass(frozen=True)
class OlderFiles:
    """What an older dataset has of one (split, source, partition).

    Attributes:
        receipt: Its receipt.
        ledger: Its ledger.
        shards: The folder of the shards.
    """

    receipt: Path
    ledger: Path
    shards: Path


def taken_contents(
    work: WorkList,
    columns: Sequence[Column],
    *,
    listing: Path,
    older_listing: Path,
    older: Iterable[OlderFiles],
    decode: Callable[[list[int], list[Path]], Iterator[tuple[int, FileContent]]],
    try_again: bool,
) -> Iterator[tuple[int, Content]]:
    """Give the picture of each image out of an older dataset, where that has it, and the file of each other image.

    An image is the same if source, natural key (or published id), and length of the file are.

    Args:
        work: The images.
        columns: The source's natural key.
        listing: The new dataset's listing.
        older_listing: The older one's, which need not be there.
        older: The older dataset's files of the same partition.
        decode: Reads the files at these positions in ``work``, and is told which shards were damaged.
        try_again: Whether files that could not be read are to be read once more.

    Yields:
        A position in ``work.samples`` and its content, as :func:`tol_luigi.core.packing.pack` takes them.

    Raises:
        ShardError: A listing or ledger of the older dataset is damaged.
    """
    lacking = set(range(len(work.samples)))
    damaged: list[Path] = []
    wanted = _wanted(work, columns, listing, older_listing)
    for files in older:
        if not (wanted and files.receipt.exists() and files.ledger.exists()):
            continue
        shards, without = _found(files, wanted, try_again=try_again)
        for index, outcome in without:
            yield index, Made(outcome, b"")
            lacking.discard(index)
        for shard in shards:
            yield from shard.pictures()
            if shard.is_whole:
                lacking.difference_update(one.index for one in shard.wanted)
            else:
                damaged.append(shard.path)
    rest = sorted(lacking)
    if rest:
        yield from ((rest[place], content) for place, content in decode(rest, damaged))


def _wanted(
    work: WorkList, columns: Sequence[Column], listing: Path, older_listing: Path
) -> dict[str, list[int]]:
    """Give positions in ``work`` by the name that their file has in the older dataset."""
    if not older_listing.exists():
        return {}
    keys = {name: key for name, key, _ in _listed(listing, work.partition, columns)}
    older: dict[_Key, tuple[str, int]] = {}
    for name, key, size in _listed(older_listing, work.partition, columns):
        older.setdefault(key, (name, size))  # the first one of a key is the one that is used
    wanted: dict[str, list[int]] = {}
    for index, member in enumerate(work.members):
        name, size = older.get(keys[member.name], ("", -1))
        if size == member.size:
            wanted.setdefault(name, []).append(index)
    return wanted


def _listed(listing: Path, partition: str, columns: Sequence[Column]) -> Iterator[tuple[str, _Key, int]]:
    """Give name, natural key (or published id) and size of the files of a partition that are images."""
    names = [column.name for column in columns]
    rows = read_taken(listing, ["member", "size", "id", "state", *names], {"partition": [partition]})
    rows = rows.filter(pc.equal(rows["state"], ""))
    keys = zip(*(rows[name].to_pylist() for name in names), strict=True)
    told = zip(
        rows["member"].to_pylist(), keys, rows["id"].to_pylist(), rows["size"].to_pylist(), strict=True
    )
    for member, key, published, size in told:
        yield member, (published,) if published else key, size


class _OlderShard:
    """A shard of an older dataset, and which of its samples are wanted."""

    def __init__(self, path: Path, sha256: str) -> None:
        self.path, self.sha256 = path, sha256
        self.wanted: list[_Wanted] = []
        self.is_whole = False
        """Whether what was read of it counts; known when its pictures have been used up."""

    def pictures(self) -> Iterator[tuple[int, Made]]:
        """Read the shard once, taking its pictures and its checksum on the way."""
        digest = hashlib.sha256()
        try:
            with self.path.open("rb") as file:
                for wanted in sorted(self.wanted, key=lambda wanted: wanted.offset):
                    _skip(file, wanted.offset - file.tell(), digest)
                    record = file.read(wanted.length)
                    digest.update(record)
                    jpeg = record_member(record, f"{wanted.id}.{IMAGE}")
                    yield wanted.index, Made(dataclasses.replace(wanted.outcome), jpeg)
                _skip(file, self.path.stat().st_size - file.tell(), digest)
        except (FileNotFoundError, ValueError):
            return
        except OSError as error:
            remedy = "See that you may read it, and run the same command again"
            raise ShardError(self.path, f"cannot be read: {error.strerror}", remedy) from error
        self.is_whole = digest.hexdigest() == self.sha256


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A sample of an older shard: its id there, where it lies, and of which image it is the picture."""

    id: str
    offset: int
    length: int
    index: int
    outcome: Outcome


def _skip(file: IO[bytes], length: int, digest: hashlib._Hash) -> None:
    """Hash bytes that are not wanted."""
    while length > 0 and (piece := file.read(min(length, _PIECE))):
        digest.update(piece)
        length -= len(piece)


_PIECE = 1 << 20


def _found(
    files: OlderFiles, wanted: dict[str, list[int]], *, try_again: bool
) -> tuple[list[_OlderShard], list[tuple[int, Outcome]]]:
    """Look images up in a ledger.

    Returns:
        The shards that hold some of them, and what became of those whose files gave no picture.
    """
    shards = {
        shard_number(one.name): _OlderShard(files.shards / one.name, one.sha256)
        for one in _shards_taken(files.receipt)
    }
    rows = read_taken(files.ledger, list(_FACTS))
    rows = rows.filter(pc.is_in(rows["name"], value_set=pa.array(list(wanted), pa.string())))
    without: list[tuple[int, Outcome]] = []
    for row in rows.to_pylist():
        for index in wanted[row["name"]]:
            if row["state"] == State.EXCLUDED_IMAGE:
                continue  # by the look of it: what is kept out here is another matter
            if row["state"] != State.WRITTEN:
                # The digest of a file that could not be read is empty; one that was left out has none.
                known = row["sha256"] if try_again else row["sha256"] is not None
                without += [(index, outcome_of(row))] if known else []
            elif row["shard"] in shards:
                place = row["id"], row["offset"], row["bytes"]
                shards[row["shard"]].wanted.append(_Wanted(*place, index, outcome_of(row)))
    return [shard for shard in shards.values() if shard.wanted], without


def unlisted_taken(ledger: Path, source: str, listings: Iterable[Path]) -> Iterator[Found]:
    """Tell what lay beside the listings of a source when an older dataset was built.

    Args:
        ledger: What its mapping left out.
        source: The source's name.
        listings: Its listings.
    """
    listed: set[tuple[str, str]] = set()
    for listing in listings:
        rows = read_taken(listing, ["partition", "member", "state"])
        rows = rows.filter(pc.not_equal(rows["state"], ""))
        listed.update(zip(rows["partition"].to_pylist(), rows["member"].to_pylist(), strict=True))
    for row in read_taken(ledger, wanted={"source": [source]}).to_pylist():
        state, place = State(row["state"]), (row["partition"], row["name"])
        if state not in _STATES_OF_THE_MAPPING and place not in listed:
            yield Found(
                Member(row["name"], 0), row["partition"], id=row["id"], state=state, reason=row["reason"]
            )


_STATES_OF_THE_MAPPING = {State.DUPLICATE_NAME, State.NOT_IN_MAPPING, State.MISSING}
"""All others in its ledger are of a scan."""


def read_taken(path: Path, columns: list[str] | None = None, wanted: Wanted | None = None) -> pa.Table:
    """Read a Parquet file of an older dataset, or the rows with certain values; see :class:`Rows`.

    Raises:
        ShardError: It is missing, or damaged.
    """
    with _damage_told(path):
        return rows_with(path, wanted or {}, columns)


def _shards_taken(receipt: Path) -> list[Shard]:
    """Read what a receipt of an older dataset says of shards.

    Raises:
        ShardError: It is missing, or damaged.
    """
    with _damage_told(receipt):
        return [Shard(**shard) for shard in read_json(receipt)["shards"]]


@contextlib.contextmanager
def _damage_told(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, LookupError, TypeError) as error:
        reason = " ".join(str(error).split())
        remedy = "Repair that dataset (BuildCatalog), or build without [dataset] reuse"
        raise ShardError(path, f"it cannot be read ({reason})", remedy) from error

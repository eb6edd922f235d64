"""Images of a previous dataset that a new one reuses.

Only intact images are reused: a shard is hashed while its images are read. If its checksum differs from the
receipt, its images are decoded again, as are images that the previous dataset lacks.
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
from tol_luigi.core.ledger import WITHHELD, State
from tol_luigi.core.limits import reading_error
from tol_luigi.core.packing import ReusedImage
from tol_luigi.core.reader import Found, Member
from tol_luigi.core.shards import Shard, record_image, shard_number
from tol_luigi.store.row_groups import rows_with
from tol_luigi.store.worklists import outcome_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
    from pathlib import Path

    from tol_luigi.core.packing import Content, Outcome
    from tol_luigi.core.reader import FileContent
    from tol_luigi.core.source import Column
    from tol_luigi.store.row_groups import Wanted
    from tol_luigi.store.worklists import WorkList

__all__ = ["PreviousFiles", "previously_unlisted", "read_previous", "reused_contents"]

_COLUMNS = (
    "id", "name", "state", "reason", "shard", "offset", "bytes",
    "width", "height", "mode", "format", "flags", "sha256", "md5",
)  # fmt: skip

_Key = tuple[int | str | None, ...]


@dataclass(frozen=True)
class PreviousFiles:
    """The files of one (split, source, partition) in a previous dataset.

    Attributes:
        receipt: The receipt.
        ledger: The ledger.
        shards: The folder of the shards.
    """

    receipt: Path
    ledger: Path
    shards: Path


def reused_contents(
    work: WorkList,
    columns: Sequence[Column],
    *,
    listing: Path,
    previous_listing: Path,
    previous: Iterable[PreviousFiles],
    decode: Callable[[list[int], list[Path]], Iterator[tuple[int, FileContent]]],
    try_again: bool,
    withheld: Collection[str] = (),
) -> Iterator[tuple[int, Content]]:
    """Yield the image of each sample from a previous dataset if it has it, otherwise the file.

    Images count as identical if source, natural key (or published id) and file size are equal.

    Args:
        work: The images.
        columns: The source's natural key.
        listing: The listing of the new dataset.
        previous_listing: The listing of the previous dataset, which may be missing.
        previous: The files of the same partition in the previous dataset.
        decode: Reads the files at these positions in ``work``; it receives the list of damaged shards, too.
        try_again: Whether to read files again that could not be read before.
        withheld: The ids of the images that the new dataset withholds.

    Yields:
        A position in ``work.samples`` and its content, for :func:`tol_luigi.core.packing.pack`.

    Raises:
        ShardError: A listing or ledger of the previous dataset is damaged.
        DiskError: A shard of it cannot be read just now.
    """
    lacking = set(range(len(work.samples)))
    damaged: list[Path] = []
    wanted = _wanted(work, columns, listing, previous_listing)
    held = {index for index, sample in enumerate(work.samples) if sample.id in withheld}
    for files in previous:
        if not (wanted and files.receipt.exists() and files.ledger.exists()):
            continue
        shards, without = _found(files, wanted, held, try_again=try_again)
        for index, outcome in without:
            yield index, ReusedImage(outcome, b"")
            lacking.discard(index)
        for shard in shards:
            yield from shard.images()
            if shard.is_whole:
                lacking.difference_update(one.index for one in shard.wanted)
            else:
                damaged.append(shard.path)
    rest = sorted(lacking)
    if rest:
        yield from ((rest[place], content) for place, content in decode(rest, damaged))


def _wanted(
    work: WorkList, columns: Sequence[Column], listing: Path, previous_listing: Path
) -> dict[str, list[int]]:
    """Return positions in ``work`` by the file name in the previous dataset."""
    if not previous_listing.exists():
        return {}
    keys = {name: key for name, key, _ in _listed(listing, work.partition, columns)}
    previous: dict[_Key, tuple[str, int]] = {}
    for name, key, size in _listed(previous_listing, work.partition, columns):
        previous.setdefault(key, (name, size))  # the first file of a key is used
    wanted: dict[str, list[int]] = {}
    for index, member in enumerate(work.members):
        name, size = previous.get(keys[member.name], ("", -1))
        if size == member.size:
            wanted.setdefault(name, []).append(index)
    return wanted


def _listed(listing: Path, partition: str, columns: Sequence[Column]) -> Iterator[tuple[str, _Key, int]]:
    """Yield name, natural key (or published id) and size of the images of a partition."""
    names = [column.name for column in columns]
    rows = read_previous(listing, ["member", "size", "id", "state", *names], {"partition": [partition]})
    rows = rows.filter(pc.equal(rows["state"], ""))
    keys = zip(*(rows[name].to_pylist() for name in names), strict=True)
    files = zip(
        rows["member"].to_pylist(), keys, rows["id"].to_pylist(), rows["size"].to_pylist(), strict=True
    )
    for member, key, published, size in files:
        yield member, (published,) if published else key, size


class _PreviousShard:
    """A shard of a previous dataset, and the samples to reuse."""

    def __init__(self, path: Path, sha256: str) -> None:
        self.path, self.sha256 = path, sha256
        self.wanted: list[_Wanted] = []
        self.is_whole = False
        """Whether the shard is intact; known when ``images`` is exhausted."""

    def images(self) -> Iterator[tuple[int, ReusedImage]]:
        """Yield the wanted images, reading the shard once and hashing it."""
        digest = hashlib.sha256()
        try:
            with self.path.open("rb") as file:
                for wanted in sorted(self.wanted, key=lambda wanted: wanted.offset):
                    _skip(file, wanted.offset - file.tell(), digest)
                    record = file.read(wanted.length)
                    digest.update(record)
                    image = record_image(record, wanted.id)
                    yield wanted.index, ReusedImage(dataclasses.replace(wanted.outcome), image)
                _skip(file, self.path.stat().st_size - file.tell(), digest)
        except (FileNotFoundError, ValueError):
            return
        except OSError as error:
            raise reading_error(self.path, error) from error
        self.is_whole = digest.hexdigest() == self.sha256


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A sample of a previous shard: its id, its location, and the index of its image in the new dataset."""

    id: str
    offset: int
    length: int
    index: int
    outcome: Outcome


def _skip(file: IO[bytes], length: int, digest: hashlib._Hash) -> None:
    """Skip bytes, but hash them."""
    while length > 0 and (piece := file.read(min(length, _PIECE))):
        digest.update(piece)
        length -= len(piece)


_PIECE = 1 << 20


def _found(
    files: PreviousFiles, wanted: dict[str, list[int]], held: set[int], *, try_again: bool
) -> tuple[list[_PreviousShard], list[tuple[int, Outcome]]]:
    """Look up images in a ledger.

    Returns:
        The shards that contain some of them, and the outcomes of the images that were not written.
    """
    shards = {
        shard_number(one.name): _PreviousShard(files.shards / one.name, one.sha256)
        for one in _previous_shards(files.receipt)
    }
    rows = read_previous(files.ledger, list(_COLUMNS))
    rows = rows.filter(pc.is_in(rows["name"], value_set=pa.array(list(wanted), pa.string())))
    without: list[tuple[int, Outcome]] = []
    for row in rows.to_pylist():
        for index in wanted[row["name"]]:
            if row["state"] == State.EXCLUDED_IMAGE:
                continue  # by perceptual hash: the exclusions of the new dataset may differ
            if row["state"] in WITHHELD and index not in held:
                continue  # the previous dataset does not have the image
            if row["state"] != State.WRITTEN:
                # The digest of an unreadable file is empty; the digest of an excluded file is null.
                known = row["sha256"] if try_again else row["sha256"] is not None
                without += [(index, outcome_of(row))] if known else []
            elif row["shard"] in shards:
                place = row["id"], row["offset"], row["bytes"]
                shards[row["shard"]].wanted.append(_Wanted(*place, index, outcome_of(row)))
    return [shard for shard in shards.values() if shard.wanted], without


def previously_unlisted(ledger: Path, source: str, listings: Iterable[Path]) -> Iterator[Found]:
    """Yield the files that were in no listing of a source when a previous dataset was built.

    Args:
        ledger: The ledger of its mapping.
        source: The source's name.
        listings: The listings of the source.
    """
    listed: set[tuple[str, str]] = set()
    for listing in listings:
        rows = read_previous(listing, ["partition", "member", "state"])
        rows = rows.filter(pc.not_equal(rows["state"], ""))
        listed.update(zip(rows["partition"].to_pylist(), rows["member"].to_pylist(), strict=True))
    for row in read_previous(ledger, wanted={"source": [source]}).to_pylist():
        state, place = State(row["state"]), (row["partition"], row["name"])
        if state not in _STATES_OF_THE_MAPPING and place not in listed:
            yield Found(
                Member(row["name"], 0), row["partition"], id=row["id"], state=state, reason=row["reason"]
            )


_STATES_OF_THE_MAPPING = {State.DUPLICATE_NAME, State.NOT_IN_MAPPING, State.MISSING}
"""All other states in the ledger of a mapping come from scans."""


def read_previous(path: Path, columns: list[str] | None = None, wanted: Wanted | None = None) -> pa.Table:
    """Return rows of a Parquet file of a previous dataset, all or those with certain values.

    Raises:
        ShardError: The file is missing or damaged.
    """
    with _readable(path):
        return rows_with(path, wanted or {}, columns)


def _previous_shards(receipt: Path) -> list[Shard]:
    """Return the shards in a receipt of a previous dataset.

    Raises:
        ShardError: The receipt is missing or damaged.
    """
    with _readable(receipt):
        return [Shard(**shard) for shard in read_json(receipt)["shards"]]


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, LookupError, TypeError) as error:
        reason = " ".join(str(error).split())
        remedy = "Repair that dataset (BuildCatalog), or build without [dataset] reuse"
        raise ShardError(path, f"it cannot be read ({reason})", remedy) from error

"""What writing and checking all shards of a planned dataset would leave, but for the pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from _columns import below, chosen, fixed, fractions, hex_digits, numbers_of, where
from _table import peak_mib

from tol_luigi import __version__
from tol_luigi.bench.measure import processor_seconds
from tol_luigi.core.batches import BATCH
from tol_luigi.core.files import read_json
from tol_luigi.core.ledger import State
from tol_luigi.core.plan import WorkUnit
from tol_luigi.core.shards import Shard, balanced, shard_name
from tol_luigi.store.catalogs import partition_rows
from tol_luigi.store.ledger import LEDGER
from tol_luigi.tasks.settings import settings
from tol_luigi.tasks.shards import CheckShards, WriteShards

if TYPE_CHECKING:
    from _columns import Numbers
    from numpy.typing import NDArray

    from tol_luigi.tasks.settings import Settings

    Ints = NDArray[np.int64]

_ORDER, _BYTES, _SHA256, _MD5, _BROKEN, _SHAPE, _MODE, _FLAG = range(400, 408)
_MANY, _FEW, _GROUP = 20_000, 40, 3
"""One image in so many has the bytes of others; at least so many images do; so many are alike, on average."""

_RECORD, _TAR_RECORD, _TAR_END = 512, 10_240, 1024
_SHAPES = (
    (640, 480),
    (1024, 768),
    (500, 375),
    (1600, 1200),
    (375, 500),
    (2048, 1536),
    (500, 500),
    (800, 600),
)
_MODES = [*["RGB"] * 62, "L", "CMYK"]
_FORMATS = [*["JPEG"] * 63, "PNG"]
_FLAGS: list[list[str]] = [*[[]] * 60, ["exif_rotated"], ["elongated", "upscaled"], ["truncated"], ["grey"]]
_UNREADABLE = 0.0005


def write() -> None:
    """Leave ledger, receipt, verdict and shards of every (split, source, partition) of the dataset of the settings.

    The shards have the sizes that the receipts say, and nothing in them.
    """
    given = settings()
    shares = [WorkUnit(**share) for share in read_json(given.layout.plan)]
    images = sum(share.samples for share in shares if share.split != "train_small")
    for share in shares:
        _write_share(given, share, max(2, min(_MANY, images // _FEW)), images)


def _write_share(given: Settings, share: WorkUnit, every: int, images: int) -> None:
    layout, about = given.layout, (share.split, share.source, share.partition)
    if share.split == "train_small":
        rows = _repeated(given, share)
        order = np.arange(len(rows))
    else:
        rows = _told(given, share, every, images)
        order = np.argsort(numbers_of(rows["id"]), kind="stable")
    ledger, shards = _placed(rows, share, order)
    path = layout.ledger(*about)
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(ledger, path, compression="zstd", row_group_size=BATCH, write_page_checksum=True)
    folder = layout.shard(share.split, 0).parent
    folder.mkdir(parents=True, exist_ok=True)
    for shard in shards:
        with (folder / shard.name).open("wb") as empty:
            empty.truncate(shard.size)
    task = WriteShards(split=share.split, source=share.source, partition=share.partition)
    task.receipt_of(share, shards, {"version": __version__, "work": ""}, task.inputs()).write(
        task.receipt_path
    )
    check = task.clone(CheckShards)
    check.write_verdict([], check.inputs())


def _repeated(given: Settings, share: WorkUnit) -> pa.Table:
    """Take what train_small repeats of the ledger of train, in the order of the shards there."""
    about = share.source, share.partition
    rows = partition_rows(given.layout.predicted, *about, ["treeoflife_id", "is_train_small"])
    ids = _plain(rows.filter(rows["is_train_small"])["treeoflife_id"])
    train = pq.read_table(given.layout.ledger("train", *about))
    return train.filter(pc.is_in(train["id"], value_set=ids)).sort_by(
        [("shard", "ascending"), ("position", "ascending")]
    )


def _told(given: Settings, share: WorkUnit, every: int, images: int) -> pa.Table:
    """Say of each image of a partition of train or val what became of it, but for its place in the shards."""
    source, partition = share.source, share.partition
    columns = ["split", "treeoflife_id", "position", "excluded", "exclusion"]
    rows = partition_rows(given.layout.predicted, source, partition, columns)
    rows = rows.filter(pc.equal(rows["split"], share.split)).sort_by("position").combine_chunks()
    ids = _plain(rows["treeoflife_id"])
    numbers = numbers_of(ids)
    listing = given.layout.listing(source, given.listing_of(source, partition))
    members = pq.read_table(listing, columns=["member"], filters=[("partition", "==", partition)])["member"]
    excluded, exclusion = _plain(rows["excluded"]), _plain(rows["exclusion"])
    kept = pc.equal(excluded, "").to_numpy(zero_copy_only=False)
    broken = kept & (fractions(numbers, _BROKEN) < _UNREADABLE)
    state = where(kept, where(broken, str(State.UNREADABLE), str(State.WRITTEN)), excluded)
    alike = _alike(numbers, every, images)
    opened = kept & ~broken
    shape = below(alike, _SHAPE, len(_SHAPES))
    flag = pa.array(below(alike, _FLAG, len(_FLAGS)), mask=~opened)
    facts = {
        "id": ids,
        "source": pa.repeat(source, len(rows)),
        "partition": pa.repeat(partition, len(rows)),
        "name": members.take(rows["position"]).combine_chunks(),
        "state": state,
        "reason": where(broken, "no picture can be made of it", exclusion),
        "bytes": pa.array(_RECORD * (60 + below(alike, _BYTES, 80)), mask=~opened),
        "width": pa.array(np.array([width for width, _ in _SHAPES])[shape], mask=~opened),
        "height": pa.array(np.array([height for _, height in _SHAPES])[shape], mask=~opened),
        "mode": _known(opened, chosen(_MODES, below(alike, _MODE, len(_MODES)))),
        "format": _known(opened, chosen(_FORMATS, below(alike, _MODE, len(_FORMATS)))),
        "flags": pa.array(_FLAGS, pa.list_(pa.string())).take(flag),
        "sha256": _known(kept, fixed(hex_digits(alike, _SHA256, 4))),
        "md5": _known(kept, fixed(hex_digits(alike, _MD5, 2))),
    }
    none = pa.nulls(len(rows))
    arrays = [facts.get(field.name, none).cast(field.type) for field in LEDGER]
    return pa.table(arrays, schema=LEDGER)


def _plain(column: pa.ChunkedArray) -> pa.Array:
    """Give a column as one array of texts, however it is stored."""
    return column.cast(pa.string()).combine_chunks()


def _known(condition: NDArray[np.bool_], texts: pa.Array) -> pa.Array:
    return where(condition, texts, pa.scalar(None, pa.string()))


def _alike(numbers: Numbers, every: int, images: int) -> Numbers:
    """Give each image a number that only those with the same bytes share."""
    groups = max(1, images // every // _GROUP)
    repeats = below(numbers, _ORDER, every) == 0
    return np.where(repeats, numbers % np.uint64(groups), numbers)


def _placed(rows: pa.Table, share: WorkUnit, order: Ints) -> tuple[pa.Table, list[Shard]]:
    """Give every written image its place in the shards.

    Args:
        rows: Rows of the ledger.
        share: The numbers of the shards.
        order: The rows in the order in which they are written; others than written ones are passed over.
    """
    written = pc.equal(rows["state"], str(State.WRITTEN)).to_numpy(zero_copy_only=False)
    shipped = order[written[order]]
    places = {name: np.zeros(len(rows), np.int64) for name in ("shard", "position", "offset")}
    sizes = rows["bytes"].to_numpy(zero_copy_only=False)[shipped].astype(np.int64)
    shards = []
    for number, cut in zip(share.numbers, balanced(len(shipped), share.shards), strict=True):
        some = shipped[cut.start : cut.stop]
        ends = np.cumsum(sizes[cut.start : cut.stop])
        places["shard"][some] = number
        places["position"][some] = np.arange(len(some))
        places["offset"][some] = ends - sizes[cut.start : cut.stop]
        size = int(ends[-1]) + _TAR_END if len(some) else _TAR_END
        size += -size % _TAR_RECORD
        digest = fixed(hex_digits(np.array([number], np.uint64), len(share.split), 4))[0].as_py()
        shards.append(Shard(shard_name(number), size, digest, len(some)))
    for name, values in places.items():
        index = LEDGER.get_field_index(name)
        rows = rows.set_column(
            index, LEDGER.field(index), pa.array(values, LEDGER.field(index).type, mask=~written)
        )
    return rows, shards


if __name__ == "__main__":
    write()
    print(processor_seconds(), peak_mib())

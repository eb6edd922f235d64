"""An index of the vectors of all samples, which finds the nearest ones: hierarchical graphs (HNSW) of usearch.

The vectors are divided into parts. Each part has a graph of its own, to which one thread adds the vectors in order, so
the same vectors give the same bytes; several parts are built at the same time. A build that is killed resumes with the
parts that it had not finished. (A graph that is saved and restored draws other levels, so it would get other bytes.)
"""

from __future__ import annotations

import contextlib
import functools
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import metadata
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tol_luigi.core.errors import DatasetError
from tol_luigi.core.files import committed, read_object, remove, sha256_file, write_json
from tol_luigi.core.shards import balanced, shards_for
from tol_luigi.core.taxon import RANK_LABELS
from tol_luigi.features.coresets import usable_rows
from tol_luigi.store.row_groups import Rows, table_writer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["IDS", "PART_ROWS", "Hit", "ShardVectors", "VectorIndex", "build_index", "ids_file", "part_file"]

PART_ROWS = 500_000
"""The most vectors of a part. It determines bytes, so it is no setting."""

CONNECTIVITY, EXPANSION_ADD, EXPANSION_SEARCH, DTYPE = 16, 64, 128, "f16"
"""Links of a vector, and candidates while adding and searching. See docs/scale.md for what they find."""

IDS = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("split", pa.string()),
        pa.field("source", pa.string()),
        pa.field("shard", pa.int32()),
        *(pa.field(rank, pa.string()) for rank in RANK_LABELS),
        pa.field("common", pa.string()),
    ]
)
"""The columns of the file of ids; row i is the vector with the key i."""

_ROW_GROUP = 65_536
_CHUNK = 16_384
_MOST_OF_TAXON = 1000
"""The most images whose mean is the vector of a taxon."""


@dataclass(frozen=True)
class ShardVectors:
    """The vectors of a shard.

    Attributes:
        split: The split of the shard.
        shard: The number of the shard.
        table: The table of the family, with keys and states.
        vectors: The file of the vectors.
    """

    split: str
    shard: int
    table: Path
    vectors: Path


class Hit(NamedTuple):
    """A sample that was found.

    Attributes:
        id: The image id.
        score: The cosine of its vector and the one that was searched for.
        row: Its row in the file of ids: split, source, shard, ranks, common name.
    """

    id: str
    score: float
    row: dict[str, Any]


def ids_file(folder: Path) -> Path:
    """Return the path of the file of ids."""
    return folder / "ids.parquet"


def part_file(folder: Path, number: int) -> Path:
    """Return the path of a part."""
    return folder / f"part-{number:03d}.usearch"


def build_index(
    shards: Sequence[ShardVectors],
    catalog: Path,
    folder: Path,
    dimensions: int,
    *,
    made_from: str = "",
    threads: int = 1,
    part_rows: int = PART_ROWS,
    progress: Callable[[int], None] = lambda _: None,
) -> list[Path]:
    """Write the parts of an index, and the file of ids.

    Samples without a usable vector are left out.

    Args:
        shards: The vectors, in the order of the catalog.
        catalog: The catalog of the dataset.
        folder: The folder of the index.
        dimensions: The length of a vector.
        made_from: Identifies the vectors: parts that a killed build has finished are kept if it had the same. With "",
            none are.
        threads: The number of parts that are built at the same time.
        part_rows: The most vectors of a part.
        progress: Called with the number of vectors so far.

    Returns:
        The files.

    Raises:
        DatasetError: No sample has a usable vector.
    """
    usable = _write_ids(shards, catalog, ids_file(folder))
    counts = [len(rows) for rows in usable]
    total = sum(counts)
    if not total:
        raise DatasetError(folder, "no sample has a usable vector", "See features/report.txt for the errors")
    done = [0] * shards_for(total, part_rows)
    finished = _FinishedParts(folder, made_from)

    def build(number: int, rows: range) -> Path:
        path = part_file(folder, number)
        if finished.has(path):
            done[number] = len(rows)
            progress(sum(done))
            return path
        index = _new_index(dimensions)
        for first, vectors in _vectors(shards, usable, rows):
            index.add(np.arange(first, first + len(vectors), dtype=np.uint64), vectors, threads=1)
            done[number] += len(vectors)
            progress(sum(done))
        with committed(path) as scratch:
            index.save(str(scratch))
        finished.add(path)
        return path

    with ThreadPoolExecutor(threads) as pool:
        parts = list(pool.map(build, range(len(done)), balanced(total, len(done))))
    finished.clear()
    return [*parts, ids_file(folder)]


class _FinishedParts:
    """The parts that are finished, noted in a file until all are.

    Args:
        folder: The folder of the index.
        made_from: Identifies the vectors; "" notes nothing.
    """

    def __init__(self, folder: Path, made_from: str) -> None:
        self._note, self._lock = folder / "finished.json", threading.Lock()
        self._made_from = f"{made_from} usearch {metadata.version('usearch')}" if made_from else ""
        noted = read_object(self._note)
        is_same = self._made_from and noted.pop("made_from", "") == self._made_from
        self._sha256 = noted if is_same else {}

    def has(self, path: Path) -> bool:
        """Return whether a part is finished and undamaged."""
        return path.name in self._sha256 and path.is_file() and self._sha256[path.name] == sha256_file(path)

    def add(self, path: Path) -> None:
        """Note that a part is finished."""
        if self._made_from:
            sha256 = sha256_file(path)
            with self._lock:
                self._sha256[path.name] = sha256
                write_json(self._note, {"made_from": self._made_from, **self._sha256})

    def clear(self) -> None:
        """Remove the notes."""
        remove(self._note)


def _new_index(dimensions: int) -> Any:  # noqa: ANN401 (usearch is optional)
    from usearch.index import Index  # noqa: PLC0415 (optional)

    return Index(
        ndim=dimensions,
        metric="cos",
        dtype=DTYPE,
        connectivity=CONNECTIVITY,
        expansion_add=EXPANSION_ADD,
        expansion_search=EXPANSION_SEARCH,
    )


def _write_ids(shards: Iterable[ShardVectors], catalog: Path, path: Path) -> list[NDArray[np.int64]]:
    """Write the file of ids; return for each shard the rows with a usable vector."""
    usable: list[NDArray[np.int64]] = []
    waiting: list[pa.Table] = []
    with Rows(catalog) as known, table_writer(path, IDS) as writer:
        for shard in shards:
            states = pq.read_table(shard.table, columns=["key", "status"])
            rows = np.flatnonzero(
                pc.equal(states["status"], "ok").to_numpy() & _are_usable(shard.vectors)
            ).astype(np.int64)
            usable.append(rows)
            waiting.append(_described(states["key"].take(pa.array(rows)), shard, known))
            if sum(map(len, waiting)) >= _ROW_GROUP:
                waiting = [_write_full_groups(writer, pa.concat_tables(waiting))]
        if rest := [table for table in waiting if len(table)]:
            writer.write_table(pa.concat_tables(rest), row_group_size=_ROW_GROUP)
    return usable


def _write_full_groups(writer: pq.ParquetWriter, rows: pa.Table) -> pa.Table:
    """Write as many full row groups as there are; return the rest."""
    full = len(rows) - len(rows) % _ROW_GROUP
    writer.write_table(rows.slice(0, full), row_group_size=_ROW_GROUP)
    return rows.slice(full)


def _are_usable(path: Path) -> NDArray[np.bool_]:
    """Return which vectors of a file are finite and not zero."""
    vectors = np.load(path, mmap_mode="r")
    pieces = [vectors[start : start + _CHUNK] for start in range(0, len(vectors), _CHUNK)]
    return np.concatenate([np.empty(0, bool), *map(usable_rows, pieces)])


def _described(ids: pa.ChunkedArray, shard: ShardVectors, catalog: Rows) -> pa.Table:
    """Return the rows of the file of ids for samples of a shard."""
    wanted: dict[str, list[Any]] = {"split": [shard.split], "shard": [shard.shard]}
    rows = catalog.rows(wanted, ["treeoflife_id", *(name for name in IDS.names if name != "id")])
    found = rows.take(pc.index_in(ids, value_set=rows["treeoflife_id"].combine_chunks()))
    return pa.table([ids, *(found[name].cast(IDS.field(name).type) for name in IDS.names[1:])], schema=IDS)


def _vectors(
    shards: Sequence[ShardVectors], usable: Sequence[NDArray[np.int64]], wanted: range
) -> Iterator[tuple[int, NDArray[np.float16]]]:
    """Yield the usable vectors with these keys in chunks, each with its first key."""
    first = 0
    for shard, rows in zip(shards, usable, strict=True):
        start, stop = max(wanted.start - first, 0), min(wanted.stop - first, len(rows))
        if start < stop:
            vectors = np.load(shard.vectors, mmap_mode="r")
            for low, high in pairwise([*range(start, stop, _CHUNK), stop]):
                yield first + low, np.ascontiguousarray(vectors[rows[low:high]])
        first += len(rows)


class VectorIndex:
    """An index that is open for searching; its parts are mapped into memory, not loaded.

    Args:
        folder: The folder of the index.

    Raises:
        DatasetError: It is missing, or usearch is not installed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._parts = [_opened(path) for path in sorted(folder.glob("part-*.usearch"))]
        if not self._parts or not ids_file(folder).is_file():
            raise DatasetError(folder, "there is no index", "Set [features] index, and run tol build")

    @functools.cached_property
    def _ids(self) -> pq.ParquetFile:
        return pq.ParquetFile(ids_file(self.folder), page_checksum_verification=True)

    def __len__(self) -> int:
        """Count the vectors."""
        return int(self._ids.metadata.num_rows)

    def search(self, vector: NDArray[Any], count: int, *, but: str = "") -> list[Hit]:
        """Return the samples with the nearest vectors, the nearest first.

        Args:
            vector: The vector to search for, of any length.
            count: The most samples to return.
            but: The id of a sample to leave out.
        """
        nearest = self.nearest(vector, count + bool(but))
        rows = self._rows([key for _, key in nearest])
        hits = [Hit(row["id"], 1 - distance, row) for (distance, _), row in zip(nearest, rows, strict=True)]
        return [hit for hit in hits if hit.id != but][:count]

    def nearest(self, vector: NDArray[Any], count: int) -> list[tuple[float, int]]:
        """Return distance (1 - cosine) and key of the nearest vectors, the nearest first."""
        found: list[tuple[float, int]] = []
        for part in self._parts:
            # With fewer candidates than results, the graph would not be searched far enough.
            part.expansion_search = max(EXPANSION_SEARCH, 2 * count)
            matches = part.search(np.asarray(vector, np.float32), count, threads=1)
            pairs = zip(matches.distances.tolist(), matches.keys.tolist(), strict=True)
            found += [(distance, int(key)) for distance, key in pairs]
        return sorted(found)[:count]

    def _rows(self, keys: Sequence[int]) -> list[dict[str, Any]]:
        """Return the rows of the file of ids with these keys."""
        groups: dict[int, pa.Table] = {}
        rows = []
        for key in keys:
            group, place = divmod(key, _ROW_GROUP)
            if group not in groups:
                with _reading(ids_file(self.folder)):
                    groups[group] = self._ids.read_row_group(group)
            rows += groups[group].slice(place, 1).to_pylist()
        return rows

    def vector_of(self, image: str) -> NDArray[np.float32] | None:
        """Return the vector of a sample, None if it is not in the index."""
        keys = self._keys(lambda rows: pc.equal(rows["id"], image.lower()), ["id"])
        return self._vector(keys[0]) if keys else None

    def vector_of_taxon(self, name: str) -> tuple[NDArray[np.float32] | None, int]:
        """Return the mean vector of the images of a taxon, and how many these are.

        Args:
            name: A rank, such as ``Aves``, genus and species, or a common name; upper and lower case are the same.
        """
        wanted = name.strip().lower()

        def is_it(rows: pa.Table) -> pa.ChunkedArray:
            lower = {column: pc.utf8_lower(rows[column]) for column in rows.column_names}
            binomial = pc.binary_join_element_wise(lower["genus"], lower["species"], " ")
            columns = [binomial, *(lower[column] for column in (*RANK_LABELS[:-1], "common"))]
            return functools.reduce(
                pc.or_, [pc.fill_null(pc.equal(column, wanted), fill_value=False) for column in columns]
            )

        keys = self._keys(is_it, [*RANK_LABELS, "common"])
        if not keys:
            return None, 0
        chosen = keys[:: -(-len(keys) // _MOST_OF_TAXON)]
        mean: NDArray[np.float32] = np.mean([self._vector(key) for key in chosen], axis=0, dtype=np.float32)
        return mean, len(keys)

    def _keys(self, is_it: Callable[[pa.Table], pa.ChunkedArray], columns: list[str]) -> list[int]:
        """Return the keys of the rows of the file of ids for which a function returns true."""
        keys: list[int] = []
        with _reading(ids_file(self.folder)):
            file = self._ids
        for group in range(file.num_row_groups):
            with _reading(ids_file(self.folder)):
                rows = file.read_row_group(group, columns=columns)
            are = is_it(rows)
            keys += (np.flatnonzero(are.to_numpy()) + group * _ROW_GROUP).tolist()
        return keys

    def _vector(self, key: int) -> NDArray[np.float32]:
        for part in self._parts:
            if (vector := part.get(key, dtype="f32")) is not None:
                lengths = np.linalg.norm(vector)
                return np.asarray(vector / (lengths or 1), np.float32)
        raise DatasetError(self.folder, f"vector {key} is missing", "Delete the folder, and run tol build")


def _opened(path: Path) -> Any:  # noqa: ANN401 (usearch is optional)
    try:
        from usearch.index import Index  # noqa: PLC0415 (optional)
    except ImportError as error:
        remedy = "Install it: pip install 'tol_luigi[index]'"
        raise DatasetError("usearch", "the package is not installed", remedy) from error
    with _reading(path):
        return Index.restore(str(path), view=True)


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, RuntimeError, ValueError, pa.ArrowException) as error:
        raise DatasetError(path, f"it cannot be read ({error})", "Delete it, and run tol build") from error

"""The two catalogs, each as CSV with the published columns and as Parquet with additional ones.

Both are written and read one row group at a time. In the predicted catalog, a row group contains rows of one
partition, so that a worker reads only its own rows. In the final catalog, all row groups have the same size,
which suits sequential reads, and a Bloom filter of the image ids.
"""

from __future__ import annotations

import contextlib
import itertools
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tol_luigi.core.files import committed
from tol_luigi.core.taxon import RANK_LABELS
from tol_luigi.store.csv_text import csv_text
from tol_luigi.store.row_groups import pieces, rows_with

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
    from pathlib import Path

    from tol_luigi.core.source import Column, SourceInfo

__all__ = [
    "CLASS_INDEX",
    "NAME_RULES",
    "TOL_ID",
    "catalog_schema",
    "count_by_kingdom",
    "count_by_source",
    "count_by_split",
    "count_samples",
    "in_row_groups",
    "partition_rows",
    "predicted_schema",
    "write_catalog",
]

CLASS_INDEX = "class_index"

NAME_RULES = "name_rules"
"""The column of the naming rules that applied: see :class:`~tol_luigi.core.name_rules.NameRule`."""

TOL_ID = "tol_id"
"""The column of the taxon of the reference taxonomy, which only datasets named by one have."""

ROW_GROUP = 122_880
"""The most rows per row group, which is the number that DuckDB processes at a time."""

_REPEATED = pa.dictionary(pa.int32(), pa.string())
"""Type of texts that repeat: each is stored once per row group, and pandas reads them as categories."""

_FALSE_POSITIVES = 0.02
"""The false-positive rate of the Bloom filters; the filter of a full row group takes 128 KiB."""

_ID, _FLAGS = "treeoflife_id", "flags"
_FLAGS_IN_PARQUET = f"{_FLAGS}.list.element"


def _key_field(column: Column) -> pa.Field:
    if column.type is int:
        return pa.field(column.catalog, pa.int64())
    return pa.field(column.catalog, _REPEATED if column.repeats else pa.string())


def key_fields(sources: Iterable[SourceInfo]) -> list[pa.Field]:
    """Return the columns of natural keys in the catalogs; collections of one kind share theirs."""
    columns = {column.catalog: column for source in sources for column in source.columns}
    return [_key_field(column) for column in columns.values()]


def _public(known: Mapping[str, SourceInfo], used: Collection[str]) -> list[pa.Field]:
    # Every catalog has the columns of the published sources.
    present = [source for source in known.values() if source.is_published or source.name in used]
    return [
        pa.field("split", _REPEATED),
        pa.field(_ID, pa.string()),
        *key_fields(present),
        *(pa.field(rank, _REPEATED) for rank in RANK_LABELS),
        pa.field("common", _REPEATED),
    ]


def _naming(*, is_reference: bool) -> list[pa.Field]:
    return [pa.field(NAME_RULES, _REPEATED), *([pa.field(TOL_ID, pa.int64())] if is_reference else [])]


def predicted_schema(
    known: Mapping[str, SourceInfo], used: Collection[str], *, is_reference: bool = False
) -> pa.Schema:
    """Return the columns of the predicted catalog: the CSV columns, then the columns for later stages.

    Args:
        known: All sources by name.
        used: The names of the sources of the dataset.
        is_reference: Whether a reference taxonomy names the images.
    """
    return pa.schema(
        [
            *_public(known, used),
            pa.field(CLASS_INDEX, _REPEATED),
            *_naming(is_reference=is_reference),
            pa.field("source", _REPEATED),
            pa.field("partition", _REPEATED),
            pa.field("position", pa.int64()),
            pa.field("is_train_small", pa.bool_()),
            pa.field("excluded", _REPEATED),
            pa.field("exclusion", _REPEATED),
        ]
    )


def catalog_schema(
    known: Mapping[str, SourceInfo], used: Collection[str], *, is_reference: bool = False
) -> pa.Schema:
    """Return the columns of the final catalog: the CSV columns, then the metadata of each image.

    The arguments are those of :func:`predicted_schema`.
    """
    return pa.schema(
        [
            *_public(known, used),
            *_naming(is_reference=is_reference),
            pa.field("source", _REPEATED),
            pa.field("partition", _REPEATED),
            pa.field("shard", pa.int32()),
            pa.field("position", pa.int32()),
            pa.field("width", pa.int32()),
            pa.field("height", pa.int32()),
            pa.field("mode", _REPEATED),
            pa.field("format", _REPEATED),
            pa.field(_FLAGS, pa.list_(pa.string())),
            pa.field("sha256", pa.string()),
            pa.field("md5", pa.string()),
            pa.field("duplicate_of", pa.string()),
        ]
    )


def public_names(schema: pa.Schema) -> list[str]:
    """Return the columns of a catalog's CSV: all up to ``common``, and the class index if it exists."""
    names = schema.names[: schema.get_field_index("common") + 1]
    return [*names, CLASS_INDEX] if CLASS_INDEX in schema.names else names


def in_row_groups(tables: Iterable[pa.Table], size: int = ROW_GROUP) -> Iterator[pa.Table]:
    """Regroup the rows of tables into tables of ``size`` rows (the last may be shorter), in order."""
    waiting: list[pa.Table] = []
    count = 0
    for table in tables:
        waiting.append(table)
        count += len(table)
        if count < size:
            continue
        rows = pa.concat_tables(waiting)
        full = count - count % size
        yield from (rows.slice(start, size) for start in range(0, full, size))
        waiting, count = [rows.slice(full)], count - full
    if count:
        yield pa.concat_tables(waiting)


def write_catalog(
    csv_path: Path,
    parquet: Path,
    schema: pa.Schema,
    tables: Iterable[pa.Table],
    progress: Callable[[int], None],
    *,
    by_id: bool = False,
) -> None:
    """Write a catalog as CSV and as Parquet, each atomically; the Parquet file is committed last.

    Args:
        csv_path: The path of the CSV file, with the published columns.
        parquet: The path of the Parquet file, with all columns.
        schema: All columns.
        tables: The rows, in order. Each table becomes a row group, or several if it is larger than one.
        progress: Called with the number of rows so far.
        by_id: Whether to write Bloom filters of the ids; the row groups should have equal sizes.
    """
    names, rows = public_names(schema), 0
    with contextlib.ExitStack() as stack:
        to_parquet = stack.enter_context(committed(parquet))
        to_csv = stack.enter_context(committed(csv_path))
        text = stack.enter_context(to_csv.open("wb"))
        text.write(csv_text(pa.table({name: [name] for name in names})))
        encoded = _cut(tables, schema)
        first = next(encoded, schema.empty_table())
        columnar = stack.enter_context(_writer(to_parquet, schema, ids=len(first) if by_id else 0))
        for piece in itertools.chain([first] if len(first) else [], encoded):
            columnar.write_table(piece)
            text.write(csv_text(piece.select(names)))
            rows += len(piece)
            progress(rows)


def _cut(tables: Iterable[pa.Table], schema: pa.Schema) -> Iterator[pa.Table]:
    """Split tables larger than a row group and convert them to the columns of the catalog."""
    for table in tables:
        for start in range(0, len(table), ROW_GROUP):
            yield _encoded(table.slice(start, ROW_GROUP), schema)


def _writer(path: Path, schema: pa.Schema, *, ids: int) -> pq.ParquetWriter:
    """Open a Parquet file for writing, with Bloom filters for up to ``ids`` ids per row group, none if 0."""
    return pq.ParquetWriter(
        path,
        schema,
        compression="zstd",
        # ids, hashes and most numbers are distinct in every row: a dictionary would only enlarge them
        use_dictionary=[
            *(field.name for field in schema if pa.types.is_dictionary(field.type)),
            _FLAGS_IN_PARQUET,
        ],
        bloom_filter_options={_ID: {"ndv": ids, "fpp": _FALSE_POSITIVES}} if ids else None,
    )


def _encoded(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Convert a table to these columns, each in one chunk whose encoding depends only on the cells."""
    columns = [
        _dictionary(table[field.name])
        if pa.types.is_dictionary(field.type)
        else table[field.name].cast(field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema).combine_chunks()


def _dictionary(column: pa.ChunkedArray) -> pa.DictionaryArray:
    """Dictionary-encode a column with its used texts in order of first occurrence."""
    if not pa.types.is_dictionary(column.type):
        return column.cast(pa.string()).combine_chunks().dictionary_encode()
    # Drop unused texts first: a partition has many times as many texts as its val images use.
    return pa.chunked_array([_seen(piece) for piece in column.chunks], column.type).combine_chunks()


def _seen(encoded: pa.DictionaryArray) -> pa.DictionaryArray:
    """Return a dictionary array without unused texts, in order of first occurrence."""
    codes = pc.fill_null(encoded.indices, -1).to_numpy()
    rows = np.arange(len(codes))
    first = np.empty(len(encoded.dictionary) + 1, rows.dtype)  # the last element is for nulls
    first[codes[::-1]] = rows[::-1]  # the last assignment wins
    seen = codes[(first[codes] == rows) & (codes >= 0)]
    renumbered = np.full(len(first), -1, np.int32)
    renumbered[seen] = np.arange(len(seen))
    indices = renumbered[codes]
    texts = encoded.dictionary.take(pa.array(seen))
    return pa.DictionaryArray.from_arrays(pa.array(indices, mask=indices < 0), texts)


def partition_rows(parquet: Path, source: str, partition: str, columns: list[str] | None = None) -> pa.Table:
    """Return the rows of one partition in a predicted catalog; other row groups are not read."""
    return rows_with(parquet, {"source": [source], "partition": [partition]}, columns)


def count_samples(parquet: Path) -> dict[tuple[str, str, str], int]:
    """Count the images to write, by (split, source, partition), in a predicted catalog.

    An image of train_small counts under train, too, because it is in both.
    """
    grouping = ["split", "source", "partition", "is_train_small"]
    counts: dict[tuple[str, str, str], int] = {}
    for rows in pieces(parquet, [*grouping, "excluded"]):
        kept = rows.filter(pc.equal(rows["excluded"], "")).unify_dictionaries()
        for row in kept.group_by(grouping).aggregate([([], "count_all")]).to_pylist():
            for split in [row["split"], *(["train_small"] if row["is_train_small"] else [])]:
                key = split, row["source"], row["partition"]
                counts[key] = counts.get(key, 0) + row["count_all"]
    return counts


def count_by_split(parquet: Path) -> dict[str, int]:
    """Count the rows of each split of a final catalog, from statistics of row groups if they suffice.

    Args:
        parquet: The catalog.

    Returns:
        The number of rows by split, in the order of the catalog; splits without rows are absent.
    """
    counts: Counter[str] = Counter()
    with pq.ParquetFile(parquet) as file:
        column = file.schema_arrow.get_field_index("split")
        for group in range(file.num_row_groups):
            known = file.metadata.row_group(group).column(column).statistics
            if known is not None and known.has_min_max and known.min == known.max:
                counts[known.min] += file.metadata.row_group(group).num_rows
            else:
                counts.update(file.read_row_group(group, ["split"])["split"].to_pylist())
    return dict(counts)


def count_by_source(parquet: Path) -> dict[tuple[str, str], int]:
    """Count the rows of a final catalog by (split, source)."""
    counts: Counter[tuple[str, str]] = Counter()
    for rows in pieces(parquet, ["split", "source"]):
        grouped = rows.unify_dictionaries().group_by(["split", "source"]).aggregate([([], "count_all")])
        counts.update({(row["split"], row["source"]): row["count_all"] for row in grouped.to_pylist()})
    return dict(counts)


def count_by_kingdom(parquet: Path) -> dict[str, int]:
    """Count the images of a final catalog by kingdom, the largest first; "" is an unknown one."""
    counts: Counter[str] = Counter()
    for rows in pieces(parquet, ["split", "kingdom"]):
        once = rows.filter(pc.not_equal(rows["split"].cast(pa.string()), "train_small"))
        grouped = once.unify_dictionaries().group_by("kingdom").aggregate([([], "count_all")])
        counts.update({row["kingdom"] or "": row["count_all"] for row in grouped.to_pylist()})
    return dict(sorted(counts.items(), key=lambda one: (-one[1], one[0])))

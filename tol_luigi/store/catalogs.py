"""The two catalogs, each as CSV with the published columns and as Parquet with more.

A table is written partition by partition, a row group each, so that a worker reads its own rows only.
"""

from __future__ import annotations

import contextlib
import csv
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tol_luigi.core.files import committed
from tol_luigi.core.taxon import RANK_LABELS
from tol_luigi.store.models import PUBLISHED_SOURCES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    import pandas as pd

    from tol_luigi.core.source import Source

__all__ = [
    "catalog_schema",
    "count_samples",
    "frames",
    "partition_rows",
    "predicted_schema",
    "write_catalog",
]

CLASS_INDEX = "class_index"


def key_fields(sources: Sequence[type[Source]]) -> list[pa.Field]:
    """Give the columns that natural keys have in the catalogs."""
    return [
        pa.field(column.catalog, pa.int64() if column.type is int else pa.string())
        for source in sources
        for column in source.columns
    ]


def _public(known: dict[str, type[Source]], used: Iterable[str]) -> list[pa.Field]:
    shown = [
        known[name] for name in dict.fromkeys([*PUBLISHED_SOURCES, *used])
    ]  # the former are always there
    return [
        pa.field("split", pa.string()),
        pa.field("treeoflife_id", pa.string()),
        *key_fields(shown),
        *(pa.field(rank, pa.string()) for rank in RANK_LABELS),
        pa.field("common", pa.string()),
    ]


def predicted_schema(known: dict[str, type[Source]], used: Iterable[str]) -> pa.Schema:
    """Give the columns of the predicted catalog: those of the CSV, then those that the stages after it need."""
    return pa.schema(
        [
            *_public(known, used),
            pa.field(CLASS_INDEX, pa.string()),
            pa.field("source", pa.string()),
            pa.field("partition", pa.string()),
            pa.field("position", pa.int64()),
            pa.field("is_train_small", pa.bool_()),
            pa.field("excluded", pa.string()),
            pa.field("exclusion", pa.string()),
        ]
    )


def catalog_schema(known: dict[str, type[Source]], used: Iterable[str]) -> pa.Schema:
    """Give the columns of the final catalog: those of the CSV, then what is known of each picture."""
    return pa.schema(
        [
            *_public(known, used),
            pa.field("source", pa.string()),
            pa.field("partition", pa.string()),
            pa.field("shard", pa.int32()),
            pa.field("position", pa.int32()),
            pa.field("width", pa.int32()),
            pa.field("height", pa.int32()),
            pa.field("mode", pa.string()),
            pa.field("format", pa.string()),
            pa.field("flags", pa.list_(pa.string())),
            pa.field("sha256", pa.string()),
            pa.field("md5", pa.string()),
            pa.field("duplicate_of", pa.string()),
        ]
    )


def public_names(schema: pa.Schema) -> list[str]:
    """Give the columns of a catalog that its CSV has: up to ``common``, and the class index where there is one."""
    names = schema.names[: schema.get_field_index("common") + 1]
    return [*names, CLASS_INDEX] if CLASS_INDEX in schema.names else names


def write_catalog(
    csv_path: Path,
    parquet: Path,
    schema: pa.Schema,
    tables: Iterable[pa.Table],
    progress: Callable[[int], None],
) -> None:
    """Write a catalog in both forms, each whole or not at all; the Parquet file comes into place last.

    Args:
        csv_path: Where the CSV goes, with the published columns.
        parquet: Where the Parquet file goes, with all columns.
        schema: All columns.
        tables: The rows, in order, a row group each.
        progress: Told the number of rows so far.
    """
    names, rows = public_names(schema), 0
    with contextlib.ExitStack() as stack:
        to_parquet = stack.enter_context(committed(parquet))
        to_csv = stack.enter_context(committed(csv_path))
        text = stack.enter_context(to_csv.open("w", encoding="utf-8", newline=""))
        lines = csv.writer(text, lineterminator="\n")
        lines.writerow(names)
        columnar = stack.enter_context(pq.ParquetWriter(to_parquet, schema, compression="zstd"))
        for table in tables:
            rows += table.num_rows
            progress(rows)
            columnar.write_table(table.select(schema.names).cast(schema))
            lines.writerows(zip(*(column.to_pylist() for column in table.select(names).columns), strict=True))


def partition_rows(parquet: Path, source: str, partition: str, columns: list[str] | None = None) -> pa.Table:
    """Read the rows of one partition out of a predicted catalog, and nothing else."""
    return pq.read_table(
        parquet, columns=columns, filters=[("source", "==", source), ("partition", "==", partition)]
    )


def count_samples(parquet: Path) -> dict[tuple[str, str, str], int]:
    """Count the images to be written, by (split, source, partition), out of a predicted catalog.

    An image of train_small counts under train as well, as it is in both.
    """
    grouping = ["split", "source", "partition", "is_train_small"]
    counts: dict[tuple[str, str, str], int] = {}
    with pq.ParquetFile(parquet) as file:
        for group in range(file.num_row_groups):
            rows = file.read_row_group(group, columns=[*grouping, "excluded"])
            kept = rows.filter(pc.equal(rows["excluded"], ""))
            for row in kept.group_by(grouping).aggregate([([], "count_all")]).to_pylist():
                for split in [row["split"], *(["train_small"] if row["is_train_small"] else [])]:
                    key = split, row["source"], row["partition"]
                    counts[key] = counts.get(key, 0) + row["count_all"]
    return counts


def frames(parquet: Path, columns: list[str], progress: Callable[[int], None]) -> Iterator[pd.DataFrame]:
    """Read columns of a catalog in pieces, as pandas frames.

    Args:
        parquet: The catalog.
        columns: What to read of it.
        progress: Told the number of rows so far.
    """
    rows = 0
    with pq.ParquetFile(parquet) as file:
        for batch in file.iter_batches(columns=columns):
            yield batch.to_pandas()
            rows += batch.num_rows
            progress(rows)

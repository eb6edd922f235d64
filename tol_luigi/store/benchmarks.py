"""The hashes of benchmark pictures, as a Parquet file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from tol_luigi.core.batches import batched
from tol_luigi.core.benchmarks import BenchmarkPicture
from tol_luigi.core.files import committed
from tol_luigi.core.perceptual import PerceptualHash

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path
    from typing import Any

__all__ = ["read_benchmarks", "write_benchmarks"]

_SCHEMA = pa.schema(
    [
        ("list", pa.string()),
        ("name", pa.string()),
        ("sha256", pa.string()),
        ("hash", pa.binary(32)),
        ("quality", pa.int16()),
        ("problem", pa.string()),
    ]
)
"""A row: list, name below the folder of all lists, SHA-256 ("" where not read), perceptual hash and its quality
(null where the picture cannot be opened), and why it cannot be opened, else ""."""


def write_benchmarks(
    path: Path, pictures: Iterable[BenchmarkPicture], progress: Callable[[int], None]
) -> None:
    """Write the hashes of pictures, in their order, whole or not at all.

    Args:
        path: The file.
        pictures: The pictures.
        progress: Told the number of pictures so far.
    """
    with committed(path) as scratch, pq.ParquetWriter(scratch, _SCHEMA, compression="zstd") as writer:
        for batch in batched(_rows(pictures, progress)):
            writer.write_table(pa.Table.from_pylist(batch, schema=_SCHEMA))


def _rows(pictures: Iterable[BenchmarkPicture], progress: Callable[[int], None]) -> Iterator[dict[str, Any]]:
    for count, picture in enumerate(pictures, start=1):
        bits, quality = picture.look or (None, None)
        yield {
            "list": picture.benchmark,
            "name": picture.name,
            "sha256": picture.sha256,
            "hash": bits,
            "quality": quality,
            "problem": picture.problem,
        }
        progress(count)


def read_benchmarks(path: Path) -> Iterator[BenchmarkPicture]:
    """Read what :func:`write_benchmarks` has written."""
    for row in pq.read_table(path).to_pylist():
        look = None if row["hash"] is None else PerceptualHash(row["hash"], row["quality"])
        yield BenchmarkPicture(row["list"], row["name"], row["sha256"], look, row["problem"])

"""The hashes of benchmark images, as a Parquet file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from tol_luigi.core.batches import batched
from tol_luigi.core.benchmarks import BenchmarkImage
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
"""Columns: list, path below the folder of all lists, SHA-256 ("" if not read), perceptual hash and its
quality (null if the image cannot be opened), and why it cannot be opened, else ""."""


def write_benchmarks(path: Path, images: Iterable[BenchmarkImage], progress: Callable[[int], None]) -> None:
    """Write the hashes of images atomically, in their order.

    Args:
        path: The file.
        images: The benchmark images.
        progress: Called with the number of images so far.
    """
    with committed(path) as scratch, pq.ParquetWriter(scratch, _SCHEMA, compression="zstd") as writer:
        for batch in batched(_rows(images, progress)):
            writer.write_table(pa.Table.from_pylist(batch, schema=_SCHEMA))


def _rows(images: Iterable[BenchmarkImage], progress: Callable[[int], None]) -> Iterator[dict[str, Any]]:
    for count, image in enumerate(images, start=1):
        bits, quality = image.phash or (None, None)
        yield {
            "list": image.benchmark,
            "name": image.name,
            "sha256": image.sha256,
            "hash": bits,
            "quality": quality,
            "problem": image.problem,
        }
        progress(count)


def read_benchmarks(path: Path) -> Iterator[BenchmarkImage]:
    """Yield the benchmark images in a file of :func:`write_benchmarks`."""
    for row in pq.read_table(path).to_pylist():
        phash = None if row["hash"] is None else PerceptualHash(row["hash"], row["quality"])
        yield BenchmarkImage(row["list"], row["name"], row["sha256"], phash, row["problem"])

"""The files of a family, which are the results of one extractor, for one shard.

A family has a Parquet file with a row for each sample, in the order of the shard, and for each vector a NumPy file of
float16 with as many rows. A receipt is written last. While a shard is in progress, its results are kept in parts, so
that a killed process loses one part at most.
"""

from __future__ import annotations

import contextlib
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tol_luigi.core.errors import FeatureError
from tol_luigi.core.files import committed, remove
from tol_luigi.core.receipts import Receipt, read_receipt, record_file, record_files
from tol_luigi.store.row_groups import table_writer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from tol_luigi.features.extractor import Extractor, Family

F = TypeVar("F", bound="Extractor | Family")

__all__ = ["KEY_COLUMNS", "PART_ROWS", "FamilyFiles", "TarIdentity"]

PART_ROWS = 2048
"""The number of samples of a part, and of a row group. It determines bytes, so it is no setting."""

KEY_COLUMNS = (
    pa.field("uid", pa.string(), nullable=False),
    pa.field("key", pa.string(), nullable=False),
    pa.field("row", pa.int64(), nullable=False),
    pa.field("status", pa.string(), nullable=False),
    pa.field("error", pa.string()),
)
"""The first columns of every family: id, key and place of the sample, and what became of it."""


@dataclass(frozen=True)
class TarIdentity:
    """A tar as it was when it was read.

    Attributes:
        sha256: Its SHA-256.
        size: Its size in bytes.
        modified: When it was last modified, in nanoseconds since 1970; 0 if that is unknown.
    """

    sha256: str
    size: int
    modified: int = 0


class FamilyFiles(Generic[F]):
    """The files of an extractor for one shard.

    Args:
        folder: The folder of all families.
        name: The name of the shard, without its extension; it may begin with a folder.
        extractor: The extractor, or another family.
        fingerprint: What its results are determined by.
    """

    def __init__(self, folder: Path, name: str, extractor: F, fingerprint: str) -> None:
        self.folder, self.name, self.extractor, self.fingerprint = folder, name, extractor, fingerprint
        self._stem = folder / extractor.folder / name

    def _path(self, suffix: str) -> Path:
        return self._stem.with_name(self._stem.name + suffix)

    @property
    def table(self) -> Path:
        """The path of the Parquet file."""
        return self._path(".parquet")

    def vector(self, name: str) -> Path:
        """Return the path of the file of a vector."""
        return self._path(f".{name}.npy")

    def read_vector(self, name: str) -> NDArray[np.float16]:
        """Return a vector of all samples, mapped into memory."""
        rows: NDArray[np.float16] = np.load(self.vector(name), mmap_mode="r", allow_pickle=False)
        return rows

    def read_table(self, columns: list[str], group: int | None = None) -> pa.Table:
        """Return columns of the Parquet file: of all samples, or of those in one row group."""
        with pq.ParquetFile(self.table, page_checksum_verification=True) as file:
            return file.read(columns) if group is None else file.read_row_group(group, columns)

    @property
    def receipt_path(self) -> Path:
        """The path of the receipt."""
        return self._path(".json")

    @property
    def files(self) -> list[Path]:
        """The files that the receipt lists."""
        return [self.table, *(self.vector(vector.name) for vector in self.extractor.vectors)]

    @property
    def schema(self) -> pa.Schema:
        """The columns of the Parquet file; its metadata name the fingerprint."""
        metadata = {"tol_luigi.extractor": self.extractor.name, "tol_luigi.fingerprint": self.fingerprint}
        return pa.schema([*KEY_COLUMNS, *self.extractor.columns], metadata)

    @property
    def _part_schema(self) -> pa.Schema:
        vectors = [
            pa.field(f"vector {name}", pa.list_(pa.float16(), dimensions))
            for name, dimensions in self.extractor.vectors
        ]
        return pa.schema([*self.schema, *vectors])

    def receipt(self) -> Receipt | None:
        """Return the receipt, if it is of these results and all files have their sizes; else None."""
        receipt = read_receipt(self.receipt_path)
        if receipt is None or receipt.inputs.get("fingerprint") != self.fingerprint:
            return None
        is_intact = all(record.has_size(self.folder / name) for name, record in receipt.files.items())
        return receipt if is_intact else None

    def checked_receipt(self) -> Receipt | None:
        """Return the receipt, if also the checksums of all files are right; else None.

        Whoever keeps files that exist asks this, since the receipt of the task then records them as they are.
        """
        receipt = self.receipt()
        if receipt is None:
            return None
        is_intact = all(record_file(self.folder / name) == record for name, record in receipt.files.items())
        return receipt if is_intact else None

    # Parts.

    @property
    def _parts(self) -> Path:
        return self._stem.with_name(f".{self._stem.name}.parts-{self.fingerprint[:16]}")

    def _part(self, number: int) -> Path:
        return self._parts / f"{number:06}.parquet"

    def count_parts(self) -> int:
        """Return the number of complete parts, from the first one."""
        number = 0
        while self._part(number).exists():
            number += 1
        return number

    def write_part(self, number: int, columns: Mapping[str, Any]) -> None:
        """Write a part.

        Args:
            number: Its number, from 0.
            columns: The values by column; the vectors, of float32, by their names after ``vector``.

        Raises:
            FeatureError: Values do not have the type of their column.
        """
        arrays = [self._array(columns[field.name], field) for field in self._part_schema]
        with self._named_removal(), committed(self._part(number)) as scratch:
            pq.write_table(
                pa.Table.from_arrays(arrays, schema=self._part_schema), scratch, write_page_checksum=True
            )

    def _array(self, values: Any, field: pa.Field) -> pa.Array:  # noqa: ANN401 (a list, or rows of a vector)
        if field.name.startswith("vector "):
            return _vectors(values, field.type)
        try:
            return pa.array(values, field.type)
        except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:
            what = f"its values of {field.name} are no {field.type} ({' '.join(str(error).split())})"
            raise FeatureError(f"extractor {self.extractor.name}", what, "Correct the extractor") from error

    def read_parts(self, columns: list[str] | None = None) -> Iterator[pa.Table]:
        """Yield the parts in order."""
        for number in range(self.count_parts()):
            with pq.ParquetFile(self._part(number), page_checksum_verification=True) as file:
                yield file.read(columns)

    def remove_parts(self, first: int = 0) -> None:
        """Remove the parts from a number on; with 0, also those of other fingerprints."""
        for number in range(first, self.count_parts()):
            remove(self._part(number))
        if not first:
            for folder in self._stem.parent.glob(f".{self._stem.name}.parts-*"):
                shutil.rmtree(folder, ignore_errors=True)

    @contextlib.contextmanager
    def _named_removal(self) -> Iterator[None]:
        """Raise a FeatureError if another process has removed the parts, because it has finished with them."""
        try:
            yield
        except FileNotFoundError as error:
            what = "another process works on the same files, and has removed parts of them"
            raise FeatureError(self.table, what, "Run the same command again") from error

    def finish(self, tar: TarIdentity, expected: int) -> Receipt:
        """Write table and vectors from the parts, and then the receipt; remove the parts.

        If another process has been faster, return its receipt.

        Args:
            tar: The tar.
            expected: The number of rows.

        Raises:
            FeatureError: Another process has removed the parts, and has not finished.
        """
        if self._count_rows() != expected:
            receipt = self.receipt()
            if receipt is not None and receipt.inputs["tar"] == tar.sha256:
                self.remove_parts()
                return receipt
        with self._named_removal():
            return self._finish(tar, expected)

    def _count_rows(self) -> int:
        return sum(pq.read_metadata(self._part(number)).num_rows for number in range(self.count_parts()))

    def _finish(self, tar: TarIdentity, expected: int) -> Receipt:
        rows, statuses = 0, dict[str, int]()
        remove(self.receipt_path)
        with table_writer(self.table, self.schema) as writer:
            for part in self.read_parts():
                # Parquet does not store all types: seconds, for one, come back from a part as milliseconds.
                writer.write_table(part.select(self.schema.names).cast(self.schema))
                rows += len(part)
                for count in part["status"].value_counts().to_pylist():
                    statuses[count["values"]] = statuses.get(count["values"], 0) + count["counts"]
            if rows != expected:
                raise FileNotFoundError(self._parts)
        for name, dimensions in self.extractor.vectors:
            self._write_vector(name, rows, dimensions)
        more = {"rows": rows, "statuses": dict(sorted(statuses.items()))}
        receipt = Receipt(
            f"{self.extractor.name} {self.name}",
            "",
            {"fingerprint": self.fingerprint, "tar": tar.sha256},
            record_files(self.folder, self.files),
            more,
            {"tar_bytes": tar.size, "tar_modified": tar.modified},
        )
        receipt.write(self.receipt_path)
        self.remove_parts()
        return receipt

    def _write_vector(self, name: str, rows: int, dimensions: int) -> None:
        """Write a vector row group by row group; np.load can map the file into memory."""
        header = {"descr": "<f2", "fortran_order": False, "shape": (rows, dimensions)}
        with committed(self.vector(name)) as scratch, scratch.open("wb") as file:
            np.lib.format.write_array_header_1_0(file, header)
            written = 0
            for part in self.read_parts([f"vector {name}"]):
                written += len(part)
                for chunk in part.column(0).chunks:
                    file.write(np.ascontiguousarray(chunk.flatten().to_numpy(), "<f2").tobytes())
            if written != rows:  # another process has removed parts since the table was written
                raise FileNotFoundError(self._parts)


def _vectors(rows: np.ndarray[Any, Any], kind: pa.FixedSizeListType) -> pa.Array:
    flat = pa.array(np.ascontiguousarray(rows, np.float16).ravel(), pa.float16())
    return pa.FixedSizeListArray.from_arrays(flat, type=kind)

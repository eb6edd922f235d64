"""Tables of hundreds of millions of rows: read as streams, and joined by DuckDB, which spills to disk.

The memory is bounded, whatever the length of the tables. Results are ordered by a key, so they depend neither on the
number of threads nor on the machine.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import shutil
import tempfile
import time
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import pyarrow as pa
from isal import igzip
from pyarrow import csv

from tol_luigi.core.errors import SourceError, TableError, TolError
from tol_luigi.core.files import remove_leftovers, scratch_path
from tol_luigi.sources.delimited import FETCH, row_limit
from tol_luigi.sources.zips import InflateError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["Join", "RowStream", "joined", "open_plain_or_gzip", "quoted"]

_GZIP = b"\x1f\x8b"
_BLOCK = 1 << 23
_LONGEST_HEADER = 1 << 20
_MEMORY = "2GB"
_BROKEN = (OSError, EOFError, ValueError, zlib.error, InflateError)
"""The errors of damaged files; those of Arrow are ValueErrors or OSErrors."""


def open_plain_or_gzip(path: Path) -> IO[bytes]:
    """Open a file, and decompress it if its content is gzip, whatever its name."""
    with path.open("rb") as file:
        is_packed = file.read(len(_GZIP)) == _GZIP
    if not is_packed:
        return path.open("rb")
    opened: IO[bytes] = igzip.open(path, "rb")  # type: ignore[no-untyped-call]
    return opened


@dataclass(frozen=True)
class RowStream:
    """A table with a header and without quoting, such as those of iNaturalist and GBIF.

    Attributes:
        where: Its name in messages.
        open: Opens its decompressed bytes.
        delimiter: What separates cells.
    """

    where: str
    open: Callable[[], contextlib.AbstractContextManager[IO[bytes]]]
    delimiter: str = "\t"

    def header(self) -> list[str]:
        """Return the names of the columns.

        Raises:
            TableError: The file cannot be read.
        """
        with self._guarded(), self.open() as file:
            line = file.readline(_LONGEST_HEADER).decode("utf-8-sig")
        return line.rstrip("\r\n").split(self.delimiter)

    def batches(self, required: Sequence[str], optional: Sequence[str] = ()) -> Iterator[pa.RecordBatch]:
        """Return the rows, all cells as text; a column that the table lacks is null.

        Args:
            required: The columns that the table must have.
            optional: Columns that older tables lack.

        Raises:
            TableError: The file cannot be read, lacks a column, or has a row of another length than its header.
        """
        return self._batches(required, optional, row_limit())  # DuckDB reads them in threads of its own

    def _batches(
        self, required: Sequence[str], optional: Sequence[str], left: int | None
    ) -> Iterator[pa.RecordBatch]:
        header = self.header()
        if lacking := [name for name in required if name not in header]:
            raise TableError(self.where, f"line 1 lacks the column {', '.join(lacking)}", FETCH)
        names = [*required, *optional]
        with self._guarded(), self.open() as file:
            reader = csv.open_csv(
                pa.PythonFile(file, "r"),
                csv.ReadOptions(block_size=_BLOCK),
                csv.ParseOptions(delimiter=self.delimiter, quote_char=False),
                csv.ConvertOptions(
                    column_types=dict.fromkeys(names, pa.string()),
                    include_columns=names,
                    include_missing_columns=True,
                ),
            )
            for batch in reader:
                yield batch if left is None else batch.slice(0, left)
                left = None if left is None else left - batch.num_rows
                if left is not None and left <= 0:
                    return

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except TolError:
            raise
        except _BROKEN as error:
            what = " ".join(str(error).split())
            raise TableError(self.where, f"cannot be read ({what})", FETCH) from error


@dataclass
class Join:
    """A database in a scratch folder, for one join.

    Attributes:
        connection: The connection of DuckDB.
    """

    connection: Any
    _failures: list[TolError] = field(default_factory=list)

    def add(self, name: str, rows: RowStream, required: Sequence[str], optional: Sequence[str] = ()) -> None:
        """Give a table a name, for the next statement only; it is read while the statement runs."""
        schema = pa.schema([(column, pa.string()) for column in (*required, *optional)])
        batches = self._recorded(rows.batches(required, optional))
        self.connection.register(name, pa.RecordBatchReader.from_batches(schema, batches))

    def _recorded(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield batches; keep an error, of which DuckDB would pass on the text only."""
        try:
            yield from batches
        except TolError as error:
            self._failures.append(error)
            raise

    def run(self, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement and return its rows, which must be few.

        Raises:
            TolError: A table cannot be read, or the disk is full.
        """
        with self._guarded():
            rows: list[tuple[Any, ...]] = self.connection.execute(statement).fetchall()
            return rows

    def batches(self, statement: str, rows: int = 100_000) -> Iterator[pa.RecordBatch]:
        """Run a query and yield its rows in batches."""
        with self._guarded():
            found = self.connection.sql(statement)
            # fetch_arrow_reader until DuckDB 1.4
            read = getattr(found, "to_arrow_reader", None) or found.fetch_arrow_reader
            yield from read(rows)

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        duckdb = _duckdb()
        try:
            yield
        except duckdb.Error as error:
            if self._failures:
                raise self._failures[0] from error
            what = str(error).partition("\n")[0]
            raise SourceError(
                "joining the tables", what, "Make room on the disk, then run it again"
            ) from error


@contextlib.contextmanager
def joined(memory: str = _MEMORY) -> Iterator[Join]:
    """Open a database in a scratch folder of the system (``TMPDIR``), which is removed at the end.

    Args:
        memory: The largest memory of the join; more is spilled to the scratch folder.

    Raises:
        SourceError: DuckDB is not installed.
    """
    duckdb = _duckdb()
    folder = _scratch_folder()
    try:
        config = {"memory_limit": memory, "temp_directory": str(folder), "preserve_insertion_order": False}
        connection = duckdb.connect(str(folder / "join.duckdb"), config=config)
        try:
            yield Join(connection)
        finally:
            connection.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _scratch_folder() -> Path:
    """Return a new scratch folder, and remove those of killed processes."""
    folder = Path(tempfile.gettempdir()) / f"tol_luigi-joins-{os.geteuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.is_symlink() or folder.stat().st_uid != os.geteuid():
            raise SourceError(folder, "belongs to another user", "Set TMPDIR to a folder of yours")
        remove_leftovers(folder, time.time())
        scratch = scratch_path(folder / "join")
        scratch.mkdir()
    except OSError as error:
        raise SourceError(
            folder, f"cannot be written: {error.strerror}", "Set TMPDIR to another folder"
        ) from error
    return scratch


def _duckdb() -> Any:  # noqa: ANN401 (optional)
    try:
        return importlib.import_module("duckdb")
    except ImportError as error:
        remedy = "Install it (pip install 'tol_luigi[duckdb]')"
        raise SourceError("duckdb", "the package is not installed", remedy) from error


def quoted(texts: Sequence[str]) -> str:
    """Return texts as a list of SQL, which is never empty: ``('a', 'b')``."""
    return "(" + ", ".join("'" + text.replace("'", "''") + "'" for text in texts or [""]) + ")"

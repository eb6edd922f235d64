"""Read delimited tables into columns, with the line of every row.

Tables without quotes are parsed by pyarrow, tables with quotes by the reader of all other tables of this package. A row that
has too few or too many cells is left out and recorded: its values might be in other columns.
"""

from __future__ import annotations

import contextlib
import csv
import functools
import io
import itertools
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as pa_csv

from tol_luigi.core.errors import TableError
from tol_luigi.sources.delimited import FETCH, Table
from tol_luigi.taxonomy.importers.text import SHOWN, TextStream, open_text
from tol_luigi.taxonomy.records import REPAIRS, Repair

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from tol_luigi.taxonomy.importers.files import Files

__all__ = ["COMMA", "LINE", "PIPED", "TABS", "Dialect", "Sheet", "TableFile", "read_columns", "read_sheet"]

LINE = "line"
"""The column with the line on which a row starts; the header is line 1."""

_SIGNS = {"\t": "tabs", ",": "commas", ";": "semicolons", "|": "pipes"}
_BATCH = 1 << 16
_SEARCHED = 1 << 20
_BLOCK = 1 << 25
_TEXT = pa.string()


@dataclass(frozen=True)
class Dialect:
    """How a table is written.

    Attributes:
        delimiter: The delimiter of cells.
        quote: Whether cells can be quoted.
        is_piped: Whether each cell is followed by a tab, a pipe and, but for the last, another tab.
        encoding: The encoding of the text.
    """

    delimiter: str = "\t"
    quote: bool = False
    is_piped: bool = False
    encoding: str = "utf-8"

    def cells(self, line: str) -> list[str]:
        """Return the cells of the first line; for cells with pipes, every second one is only a pipe."""
        if self.quote:
            with contextlib.suppress(csv.Error):  # a huge cell, which is the name of no column
                return next(csv.reader([line], delimiter=self.delimiter), [""])
        return line.split(self.delimiter)


@dataclass(frozen=True)
class TableFile:
    """A table among the files of a source."""

    files: Files
    name: str
    dialect: Dialect

    @property
    def where(self) -> str:
        """The place of the table, for messages."""
        return self.files.where(self.name)

    def open(self) -> TextStream:
        """Open its text.

        Raises:
            TableError: It is empty, or in another encoding.
        """
        return open_text(self.files, self.name, self.dialect.encoding)

    def header(self) -> list[str]:
        """Return the names of the columns."""
        with self.open() as stream:
            return self.dialect.cells(stream.first_line())[:: 2 if self.dialect.is_piped else 1]


TABS, COMMA, PIPED = Dialect(), Dialect(",", quote=True), Dialect(is_piped=True)


@dataclass(frozen=True)
class Sheet:
    """The columns of a table.

    Attributes:
        where: The place of the table, for messages.
        table: The requested columns, as texts without blanks at their ends, "" in place of missing ones; and ``LINE``.
        repairs: What was changed or left out (``REPAIRS``).
        rows: The number of rows in the file, with those that are left out, but without blank ones.
    """

    where: str
    table: pa.Table
    repairs: pa.Table
    rows: int

    def without_rows(self) -> Sheet:
        """Return what is known of the table, without its columns, which need memory."""
        return replace(self, table=self.table.slice(0, 0).combine_chunks())


def read_sheet(
    file: TableFile,
    columns: Sequence[str],
    optional: Sequence[str] = (),
    spell: Callable[[str], str] = str.strip,
) -> Sheet:
    """Read a table with a header.

    Args:
        file: The table.
        columns: The columns that the table must have.
        optional: Columns that are "" if the table lacks them.
        spell: Converts a column name of the table to the spelling of ``columns``.

    Raises:
        TableError: It is empty, lacks a column, or has a quote that is never closed.
    """

    def places_of(cells: list[str]) -> dict[str, int]:
        header = list(map(spell, cells))
        if lacking := [column for column in columns if column not in header]:
            sign = _SIGNS.get(file.dialect.delimiter, repr(file.dialect.delimiter))
            remedy = f"It must be a table with the columns {', '.join(columns)}, separated by {sign}"
            raise TableError(file.where, f"line 1 lacks the column {', '.join(lacking)}", remedy)
        return {column: header.index(column) for column in (*columns, *optional) if column in header}

    sheet = _read(file, places_of, header_lines=1)
    table = sheet.table
    empty = pa.nulls(table.num_rows, _TEXT).fill_null("")
    for column in optional:
        if column not in table.column_names:
            table = table.append_column(column, empty)
    return replace(sheet, table=table)


def read_columns(file: TableFile, places: Mapping[str, int], header_lines: int = 0) -> Sheet:
    """Read columns by their places; every row must have as many cells as the first.

    Args:
        file: The table.
        places: The place of each column, from 0.
        header_lines: The number of lines before the first row.

    Raises:
        TableError: It is empty, has too few columns, or has a quote that is never closed.
    """

    def places_of(cells: list[str]) -> Mapping[str, int]:
        if wide := [column for column, place in places.items() if place >= len(cells)]:
            raise TableError(
                file.where, f"line 1 has {len(cells)} cells, and none for {', '.join(wide)}", FETCH
            )
        return places

    return _read(file, places_of, header_lines)


def _read(file: TableFile, places_of: Callable[[list[str]], Mapping[str, int]], header_lines: int) -> Sheet:
    """Read columns.

    Args:
        file: The table.
        places_of: Returns the place of each column for the cells of the first line.
        header_lines: The number of lines before the first row.
    """
    with file.open() as stream:
        cells = file.dialect.cells(stream.first_line())
        step = 2 if file.dialect.is_piped else 1
        places = {column: step * place for column, place in places_of(cells[::step]).items()}
        if file.dialect.quote and _has_quotes(file):
            table, wrong, recoded = _read_quoted(file, places, len(cells), header_lines)
        else:
            table, wrong = _read_plain(file, stream, places, len(cells), header_lines)
            recoded = stream.repairs
    encoding = [(Repair.ENCODING, "", line, before, after) for line, before, after in recoded]
    left_out = [(Repair.ROW_LENGTH, "", line, text, "") for line, text in wrong]
    return Sheet(file.where, table, _repair_rows([*encoding, *left_out]), table.num_rows + len(left_out))


def _has_quotes(file: TableFile) -> bool:
    """Return whether a table has any quote: without one, it is read several times as fast."""
    with file.open() as stream:
        return any(b'"' in block for block in iter(functools.partial(stream.read, _SEARCHED), b""))


def _trimmed(columns: Mapping[str, pa.Array], lines: pa.Array) -> pa.RecordBatch:
    """Return texts without blanks at their ends, without the rows that are blank."""
    trimmed = {column: pc.utf8_trim_whitespace(texts) for column, texts in columns.items()}
    is_filled = functools.reduce(pc.or_, (pc.not_equal(texts, "") for texts in trimmed.values()))
    return pa.record_batch({**trimmed, LINE: lines}).filter(is_filled)


def _repair_rows(rows: list[tuple[Repair, str, int, str, str]]) -> pa.Table:
    columns = zip(*rows, strict=True) if rows else [()] * len(REPAIRS)
    return pa.table(list(map(list, columns)), schema=REPAIRS)


_Wrong = list[tuple[int, str]]
"""Line and text of each row of another length."""


def _read_plain(
    file: TableFile, stream: TextStream, places: Mapping[str, int], width: int, header_lines: int
) -> tuple[pa.Table, _Wrong]:
    """Read a table without quotes."""
    wrong: _Wrong = []

    def left_out(row: pa_csv.InvalidRow) -> str:
        wrong.append((row.number + header_lines, row.text[:SHOWN]))
        return "skip"

    names = [f"c{place}" for place in range(width)]
    wanted = {column: names[place] for column, place in places.items()}
    for _ in range(header_lines):
        stream.skip_line()
    batches, row = [], 0
    try:
        for batch in _batches(stream, names, wanted.values(), file.dialect.delimiter, left_out):
            # Rows are numbered from 0 without those of another length; their lines are known at the end.
            rows = pa.array(np.arange(row, row + batch.num_rows))
            row += batch.num_rows
            batches.append(_trimmed({column: batch[at] for column, at in wanted.items()}, rows))
    except pa.ArrowInvalid as error:
        if "Empty CSV" not in str(error):
            raise TableError(file.where, f"cannot be read ({error})", FETCH) from error
    schema = pa.schema([*((column, _TEXT) for column in places), (LINE, pa.int64())])
    table = pa.Table.from_batches(batches, schema)
    skipped = [number for number, _ in wrong]
    last = header_lines + row + len(wrong)
    lines = np.setdiff1d(np.arange(header_lines + 1, last + 1), skipped, assume_unique=True)
    at = schema.get_field_index(LINE)
    table = table.set_column(at, LINE, pa.array(lines[table[LINE].to_numpy()], pa.int64()))
    return table, [(line, text.strip()) for line, text in wrong if text.strip()]


def _batches(
    stream: TextStream,
    names: list[str],
    wanted: Iterable[str],
    delimiter: str,
    left_out: Callable[[pa_csv.InvalidRow], str],
) -> pa_csv.CSVStreamingReader:
    """Return the batches of a table without quotes; each row of another length is passed to ``left_out``."""
    return pa_csv.open_csv(
        io.BufferedReader(stream),
        read_options=pa_csv.ReadOptions(column_names=names, use_threads=False, block_size=_BLOCK),
        parse_options=pa_csv.ParseOptions(
            delimiter=delimiter,
            quote_char=False,
            ignore_empty_lines=False,
            invalid_row_handler=left_out,
        ),
        convert_options=pa_csv.ConvertOptions(
            include_columns=sorted(set(wanted)),
            column_types=dict.fromkeys(wanted, _TEXT),
            strings_can_be_null=False,
        ),
    )


@dataclass(frozen=True)
class _QuotedTable(Table):
    """A table with quotes, perhaps within an archive, whose text is repaired."""

    open_stream: Callable[[], TextStream] = field(kw_only=True)

    def _bytes(self) -> IO[bytes]:
        return io.BufferedReader(self.open_stream())


def _read_quoted(
    file: TableFile, places: Mapping[str, int], width: int, header_lines: int
) -> tuple[pa.Table, _Wrong, list[tuple[int, str, str]]]:
    """Read a table with quotes; return the repairs of its text, too."""
    streams: list[TextStream] = []

    def open_stream() -> TextStream:
        streams.append(file.open())
        return streams[-1]

    table = _QuotedTable(Path(file.where), delimiter=file.dialect.delimiter, open_stream=open_stream)
    wrong: _Wrong = []
    rows = itertools.islice(table.cells(), header_lines, None)
    picked = _picked(rows, tuple(places.values()), width, wrong, file.dialect.delimiter)
    schema = pa.schema([*((column, _TEXT) for column in places), (LINE, pa.int64())])
    batches = []
    while batch := list(itertools.islice(picked, _BATCH)):
        lines, *columns = (list(column) for column in zip(*batch, strict=True))
        texts = {column: pa.array(values, _TEXT) for column, values in zip(places, columns, strict=True)}
        batches.append(_trimmed(texts, pa.array(lines, pa.int64())))
    return pa.Table.from_batches(batches, schema), wrong, streams[0].repairs


def _picked(
    rows: Iterator[tuple[int, list[str]]],
    places: Sequence[int],
    width: int,
    wrong: _Wrong,
    delimiter: str,
) -> Iterator[tuple[int | str, ...]]:
    """Yield line and requested cells of each row that has the right length; add the others to ``wrong``."""
    for line, row in rows:
        if len(row) == width:
            yield (line, *(row[place] for place in places))
        else:
            wrong.append((line, delimiter.join(row)[:SHOWN]))

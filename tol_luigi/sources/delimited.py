"""The reader of all delimited tables (CSV, TSV).

A table is read as a stream. A byte order mark, either kind of line end and blank lines are allowed. Rows that
do not have as many cells as the header, and quotes that are never closed, are errors with their line number:
otherwise values would move to other columns, or entire rows would become one cell.
"""

from __future__ import annotations

import codecs
import contextlib
import csv
import io
import itertools
import json
import re
from contextvars import ContextVar
from dataclasses import dataclass
from operator import itemgetter
from typing import IO, TYPE_CHECKING, Any, Literal, TypeVar

from tol_luigi.core.errors import TableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

__all__ = ["DELIMITERS", "FETCH", "Table", "first_rows", "json_lines", "limited", "open_table", "row_limit"]

T = TypeVar("T")

FETCH = "Fetch the file again, or fix the line"
"""The remedy for a table that others have published."""

DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}
"""Delimiters by their names in settings and messages."""

_MAX_FIELD = 1 << 24
"""The maximum number of characters of a field: a longer one is a quote that is never closed."""

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip
"""The marks of UTF-32 are first, because one of them starts with a mark of UTF-16."""

_most_rows: ContextVar[int | None] = ContextVar("most_rows", default=None)

_LINE_END = re.compile(r"\r\n?|\n")
_FIRST_BYTES = 4096


@contextlib.contextmanager
def first_rows(count: int) -> Iterator[None]:
    """End every table after some rows in a block of code, so that its readers check only these rows."""
    token = _most_rows.set(count)
    try:
        yield
    finally:
        _most_rows.reset(token)


def row_limit() -> int | None:
    """Return how many rows of each table are read in a block of :func:`first_rows`; None elsewhere."""
    return _most_rows.get()


def limited(rows: Iterator[T]) -> Iterator[T]:
    """Return the rows of a table: all of them, or the first ones in a block of :func:`first_rows`."""
    return itertools.islice(rows, _most_rows.get())


@dataclass(frozen=True)
class Table:
    """A delimited table.

    Attributes:
        path: The file.
        setting: The section and key of the table, such as ``[folder] labels``, for messages; "" for only the
            path.
        remedy: What to do about a wrong line.
        delimiter: The delimiter of cells.
        encoding: The encoding of the text.
        quoting: ``csv.QUOTE_MINIMAL``, or ``csv.QUOTE_NONE`` if a quote is an ordinary character.
        newline: As for ``open``. By default, line ends within quotes become one LF, as in the published
            process.
        max_field: The maximum number of characters in a cell.
    """

    path: Path
    setting: str = ""
    remedy: str = FETCH
    delimiter: str = ","
    encoding: str = "utf-8"
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL
    newline: str | None = None
    max_field: int = _MAX_FIELD

    def error(self, what: str, remedy: str = "") -> TableError:
        """Return an error that names the table."""
        where = f"{self.setting} = {self.path}" if self.setting else self.path
        return TableError(where, what, remedy or self.remedy)

    def rows(
        self,
        columns: Sequence[str],
        optional: Sequence[str] = (),
        normalize: Callable[[str], str] = str.strip,
    ) -> Iterator[tuple[int, tuple[str, ...]]]:
        """Yield the line on which each row starts, and its requested cells; the table has a header.

        Args:
            columns: The columns to read.
            optional: Further columns; their cells are "" if the table lacks the column.
            normalize: Converts a column name of the table to the spelling of ``columns``.

        Raises:
            TableError: The table is unreadable, lacks a column, or has a row of another length than the
                header.
        """
        header: list[str] = []
        pick = None
        for line, row in self.cells():
            if pick is None:
                # Encodings with an explicit byte order, such as UTF-16-LE, keep the mark.
                row[0] = row[0].removeprefix("\ufeff")
                header = [normalize(name) for name in row]
                pick = self._picker(header, columns, optional, normalize)
            else:
                self.check_length(line, row, len(header), "the header")
                yield line, pick(row)
        if pick is None:
            self._picker(header, columns, optional, normalize)

    def header(self, spell: Callable[[str], str] = str.strip) -> list[str]:
        """Return the names of the columns, as far as the table has a first row."""
        _, first = next(self.cells(), (1, [""]))
        return [spell(name.removeprefix("\ufeff")) for name in first]

    def check_length(self, line: int, row: Sequence[str], expected: int, of_what: str) -> None:
        """Raise an error if a row has too many or too few cells."""
        if len(row) != expected:
            many = "many" if len(row) > expected else "few"
            raise self.error(f"line {line} has too {many} cells ({len(row)}; {of_what} has {expected})")

    def cells(self) -> Iterator[tuple[int, list[str]]]:
        """Yield the line on which each row starts, and its cells; skip blank rows.

        Raises:
            TableError: The file is unreadable, or has a quote that is never closed.
        """
        return limited(self._cells())

    def _cells(self) -> Iterator[tuple[int, list[str]]]:
        csv.field_size_limit(self.max_field)
        with self._text() as file:
            # strict: an open quote at the end of the file is an error, not a last field.
            reader = csv.reader(file, delimiter=self.delimiter, quoting=self.quoting, strict=True)
            line = 1
            try:
                for row in reader:
                    if reader.line_num > line and (place := _unclosed_cell(row, self.delimiter)) is not None:
                        opening = line + sum(len(_LINE_END.findall(cell)) for cell in row[:place])
                        raise self.error(f"line {opening} {_OPEN_QUOTE}")
                    if any(map(str.strip, row)):
                        yield line, row
                    line = reader.line_num + 1
            except UnicodeError as error:
                raise self._undecodable() from error
            except csv.Error as error:
                raise self._malformed(line, reader.line_num, error) from error

    def _text(self) -> IO[str]:
        encoding = "utf-8-sig" if self.encoding == "utf-8" else self.encoding
        return io.TextIOWrapper(self._bytes(), encoding=encoding, newline=self.newline)

    def _bytes(self) -> IO[bytes]:
        """Open the table; a table within an archive is opened in another way."""
        return open_table(self.path, self.error)

    def _picker(
        self,
        header: list[str],
        columns: Sequence[str],
        optional: Sequence[str],
        normalize: Callable[[str], str],
    ) -> Callable[[list[str]], tuple[str, ...]]:
        """Return a function that returns the requested cells of a row."""
        if lacking := [name for name in columns if name not in header]:
            raise self._lacking(header, columns, lacking, normalize)
        absent = len(header)  # after the last cell
        places = [header.index(name) if name in header else absent for name in (*columns, *optional)]
        if len(places) == 1:  # itemgetter returns no tuple for one column
            return lambda row: (row[places[0]],)
        wanted: Callable[[list[str]], tuple[str, ...]] = itemgetter(*places)
        return (lambda row: wanted([*row, ""])) if absent in places else wanted

    def _lacking(
        self,
        header: Sequence[str],
        columns: Sequence[str],
        lacking: Sequence[str],
        normalize: Callable[[str], str],
    ) -> TableError:
        """Return the error for missing columns; if the encoding or the delimiter is the cause, name it."""
        text = self.delimiter.join(header)
        if "\0" in text:
            return self._undecodable()
        for word, delimiter in DELIMITERS.items():
            found = {normalize(name) for name in text.split(delimiter)}
            if delimiter != self.delimiter and found.issuperset(columns):
                now = next(name for name, sign in DELIMITERS.items() if sign == self.delimiter)
                what = f"line 1 has its cells separated by the delimiter {word}, not {now}"
                return self.error(what, self._remedy_of("delimiter", word, f"Separate them by {now}"))
        what = f"line 1 lacks the column {', '.join(lacking)}"
        return self.error(what, f"It must be a table with the columns {', '.join(columns)}")

    def _remedy_of(self, key: str, value: str, otherwise: str) -> str:
        """Return a remedy; if the settings name the table, it includes a setting of its section."""
        section = self.setting.partition(" ")[0]
        return f"{otherwise}, or set {section} {key} = {value}" if section else self.remedy

    def _undecodable(self) -> TableError:
        """Return the error for another encoding, with its likely name."""
        with self._bytes() as file:
            start = file.read(_FIRST_BYTES)
        other = next((name for mark, name in _BYTE_ORDER_MARKS if start.startswith(mark)), "")
        if not other and start.count(b"\0") > len(start) // 4:
            other = "utf-16-le" if start[1:2] == b"\0" else "utf-16-be"
        if other:
            what = f"line 1 is {other.upper()}, not {self.encoding.upper()}"
        elif self.encoding == "utf-8":
            line, byte = self._first_undecodable()
            other = "cp1252"
            what = f"line {line} is not UTF-8 (byte 0x{byte:02X}, perhaps of Windows-1252 or Latin-1)"
        else:
            return self.error(
                f"is not {self.encoding.upper()}", self._remedy_of("encoding", "utf-8", "Save it as that")
            )
        return self.error(what, self._remedy_of("encoding", other, "Save it as UTF-8"))

    def _first_undecodable(self) -> tuple[int, int]:
        """Return the first line that is not UTF-8, and its first wrong byte; the decoder reads ahead."""
        with self._bytes() as file:
            for number, line in enumerate(file, 1):
                try:
                    line.decode()
                except UnicodeDecodeError as error:
                    return number, line[error.start]
        return 1, 0

    def _malformed(self, first: int, last: int, error: csv.Error) -> TableError:
        """Return the error for a row that the reader cannot parse."""
        reason = str(error)
        if "field larger" in reason:
            return self.error(f"line {first} has a cell of more than {self.max_field:,} characters")
        if "unexpected end" in reason or "expected after" in reason:
            return self.error(f"line {self._quote(first, last)} {_OPEN_QUOTE}")
        return self.error(f"line {last} cannot be read ({reason})")

    def _quote(self, first: int, last: int) -> int:
        """Return the line of a row on which the quote opens that is not closed at the end of its cell."""
        with self._text() as file:
            text = "".join(itertools.islice(file, first - 1, last))
        cell = re.compile(rf'(?:^|(?<=[{re.escape(self.delimiter)}\r\n]))"(?:[^"]|"")*("?)')
        opening = 0
        for match in cell.finditer(text):
            opening = match.start()
            after = text[match.end() : match.end() + 1]
            if not match[1] or after not in {"", self.delimiter, "\r", "\n"}:
                break
        return first + len(_LINE_END.findall(text[:opening]))


_OPEN_QUOTE = "opens a quote that is not closed at the end of its cell"


def open_table(path: Path, error_of: Callable[[str, str], TableError] | None = None) -> IO[bytes]:
    """Open a table.

    Args:
        path: The file.
        error_of: Returns the error for a description and a remedy.

    Raises:
        TableError: The file cannot be opened.
    """
    try:
        return path.open("rb")
    except OSError as error:
        what, remedy = (
            f"cannot be opened ({error.strerror})",
            "Correct the setting that names it, or fetch the file",
        )
        raise (error_of(what, remedy) if error_of else TableError(path, what, remedy)) from error


def json_lines(table: Table) -> Iterator[tuple[int, Any]]:
    """Yield the value on each line of JSON lines, with the number of the line; skip blank lines.

    Raises:
        TableError: The file cannot be read, or a line is not JSON.
    """
    return limited(_json_lines(table))


def _json_lines(table: Table) -> Iterator[tuple[int, Any]]:
    with open_table(table.path, table.error) as file:
        for number, line in enumerate(file, 1):
            text = line.removeprefix(codecs.BOM_UTF8).strip()
            if not text:
                continue
            try:
                yield number, json.loads(text)
            except (ValueError, RecursionError) as error:
                raise table.error(f"line {number} is not JSON ({error})") from error


def _unclosed_cell(row: Sequence[str], delimiter: str) -> int | None:
    """Return the column of a cell that joins two rows because its quote is not closed; else None.

    Such a cell ends on a later line in the same column, because the row has as many cells as others. So each
    of its lines has exactly as many delimiters as the part of the row that it really is.
    """
    last = len(row) - 1
    for place, cell in enumerate(row):
        lines = _LINE_END.split(cell)
        if len(lines) == 1 or not last:
            continue
        parts = [last - place, *[last] * (len(lines) - 2), place]
        starts = [line.partition(delimiter)[0] for line in lines[1:]]
        is_numbered = row[0].isdigit()  # every row starts with a number
        if [line.count(delimiter) for line in lines] == parts and (
            not is_numbered or all(map(str.isdigit, starts))
        ):
            return place
    return None

"""The one reader of tables with delimiters: every CSV or TSV goes through it.

A table is read as a stream. A byte order mark, either kind of line end and blank lines are harmless. Rows that have not
as many cells as the header, and quotes that are never closed, are refused with the line: otherwise values would move to
other columns, or whole rows would become one cell.
"""

from __future__ import annotations

import codecs
import csv
import io
import itertools
import re
from dataclasses import dataclass
from operator import itemgetter
from typing import IO, TYPE_CHECKING, Literal

from tol_luigi.core.errors import TableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

__all__ = ["DELIMITERS", "FETCH", "Table", "opened"]

FETCH = "Fetch the file again, or fix the line"
"""What to do about a table that somebody else has published."""

DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}
"""Delimiters by the words that settings and messages use for them."""

_MAX_FIELD = 1 << 24
"""A field of more characters than this is a quote that nobody closed, and must not fill the memory."""

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip
"""Those of UTF-32 first: that of UTF-16 is how one of them begins."""

_LINE_END = re.compile(r"\r\n?|\n")
_FIRST_BYTES = 4096


@dataclass(frozen=True)
class Table:
    """A table with delimiters.

    Attributes:
        path: The file.
        setting: The section and key that name it, such as ``[folder] labels``, for messages; "" to name the path alone.
        remedy: What to do about a line that is wrong.
        delimiter: What is between the cells.
        encoding: How the text is encoded.
        quoting: ``csv.QUOTE_MINIMAL``, or ``csv.QUOTE_NONE`` if a quote is a letter like others.
        newline: As for ``open``. By default line ends within quotes become one LF, as the published process reads them.
        max_field: A cell of more characters is an error.
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
        spell: Callable[[str], str] = str.strip,
    ) -> Iterator[tuple[int, tuple[str, ...]]]:
        """Read a table with a header: the line on which each row begins, and the wanted cells.

        Args:
            columns: The columns to read.
            optional: Further columns; "" stands for the cells of one that the table lacks.
            spell: Returns the name of a column as ``columns`` spell it.

        Raises:
            TableError: The table cannot be read, lacks a column, or has a row of another length than the header.
        """
        header: list[str] = []
        pick = None
        for line, row in self.cells():
            if pick is None:
                row[0] = row[0].removeprefix(
                    "\ufeff"
                )  # which encodings with a byte order keep, such as UTF-16-LE
                header = [spell(name) for name in row]
                pick = self._picker(header, columns, optional, spell)
            else:
                self.check_length(line, row, len(header), "the header")
                yield line, pick(row)
        if pick is None:
            self._picker(header, columns, optional, spell)

    def header(self, spell: Callable[[str], str] = str.strip) -> list[str]:
        """Return the names of the columns, as far as the table has a first row."""
        _, first = next(self.cells(), (1, [""]))
        return [spell(name.removeprefix("\ufeff")) for name in first]

    def check_length(self, line: int, row: Sequence[str], expected: int, of_what: str) -> None:
        """Refuse a row that has too many cells or too few."""
        if len(row) != expected:
            raise self.error(f"line {line} has {len(row)} cells where {of_what} has {expected}")

    def cells(self) -> Iterator[tuple[int, list[str]]]:
        """Read the cells of each row, with the line on which it begins; blank rows are passed over.

        Raises:
            TableError: The file cannot be read, or has a quote that is never closed.
        """
        csv.field_size_limit(self.max_field)
        with self._text() as file:
            # strict: a quote that is still open at the end of the file is an error, not a last field
            reader = csv.reader(file, delimiter=self.delimiter, quoting=self.quoting, strict=True)
            line = 1
            try:
                for row in reader:
                    if reader.line_num > line and (place := _swallowing(row, self.delimiter)) is not None:
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
        return io.TextIOWrapper(opened(self.path, self.error), encoding=encoding, newline=self.newline)

    def _picker(
        self,
        header: list[str],
        columns: Sequence[str],
        optional: Sequence[str],
        spell: Callable[[str], str],
    ) -> Callable[[list[str]], tuple[str, ...]]:
        """Return a function that picks the wanted cells of a row."""
        if lacking := [name for name in columns if name not in header]:
            raise self._lacking(header, columns, lacking, spell)
        absent = len(header)  # behind the last cell
        places = [header.index(name) if name in header else absent for name in (*columns, *optional)]
        if len(places) == 1:  # of which itemgetter makes no tuple
            return lambda row: (row[places[0]],)
        wanted: Callable[[list[str]], tuple[str, ...]] = itemgetter(*places)
        return (lambda row: wanted([*row, ""])) if absent in places else wanted

    def _lacking(
        self,
        header: Sequence[str],
        columns: Sequence[str],
        lacking: Sequence[str],
        spell: Callable[[str], str],
    ) -> TableError:
        """Return the error of a header without some columns; name the encoding or delimiter if that is why."""
        text = self.delimiter.join(header)
        if "\0" in text:
            return self._undecodable()
        for word, delimiter in DELIMITERS.items():
            found = {spell(name) for name in text.split(delimiter)}
            if delimiter != self.delimiter and found.issuperset(columns):
                now = next(name for name, sign in DELIMITERS.items() if sign == self.delimiter)
                what = f"line 1 has its cells separated by the delimiter {word}, not {now}"
                return self.error(what, self._remedy_of("delimiter", word, f"Separate them by {now}"))
        what = f"line 1 lacks the column {', '.join(lacking)}"
        return self.error(what, f"It must be a table with the columns {', '.join(columns)}")

    def _remedy_of(self, key: str, value: str, otherwise: str) -> str:
        """Return the remedy that a setting of the table's section is, if the settings name the table."""
        section = self.setting.partition(" ")[0]
        return f"{otherwise}, or set {section} {key} = {value}" if section else self.remedy

    def _undecodable(self) -> TableError:
        """Return the error of a file in another encoding, with its likely name."""
        with opened(self.path, self.error) as file:
            begin = file.read(_FIRST_BYTES)
        other = next((name for mark, name in _BYTE_ORDER_MARKS if begin.startswith(mark)), "")
        if not other and begin.count(b"\0") > len(begin) // 4:
            other = "utf-16-le" if begin[1:2] == b"\0" else "utf-16-be"
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
        """Return the first line that is not UTF-8, and its byte: decoding runs ahead of the reader and does not know it."""
        with opened(self.path, self.error) as file:
            for number, line in enumerate(file, 1):
                try:
                    line.decode()
                except UnicodeDecodeError as error:
                    return number, line[error.start]
        return 1, 0

    def _malformed(self, first: int, last: int, error: csv.Error) -> TableError:
        """Return the error of a row that the reader cannot parse."""
        reason = str(error)
        if "field larger" in reason:
            return self.error(f"line {first} has a cell of more than {self.max_field:,} characters")
        if "unexpected end" in reason or "expected after" in reason:
            return self.error(f"line {self._quote(first, last)} {_OPEN_QUOTE}")
        return self.error(f"line {last} cannot be read ({reason})")

    def _quote(self, first: int, last: int) -> int:
        """Return the line on which the quote opens that is not closed at the end of its cell, among the lines of a row."""
        with self._text() as file:
            text = "".join(itertools.islice(file, first - 1, last))
        cell = re.compile(rf'(?:^|(?<=[{re.escape(self.delimiter)}\r\n]))"(?:[^"]|"")*("?)')
        opening = 0
        for match in cell.finditer(text):
            opening = match.start()
            behind = text[match.end() : match.end() + 1]
            if not match[1] or behind not in {"", self.delimiter, "\r", "\n"}:
                break
        return first + len(_LINE_END.findall(text[:opening]))


_OPEN_QUOTE = "opens a quote that is not closed at the end of its cell"


def opened(path: Path, error_of: Callable[[str, str], TableError] | None = None) -> IO[bytes]:
    """Open a table.

    Args:
        path: The file.
        error_of: Makes the error, out of what is wrong and what to do.

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


def _swallowing(row: Sequence[str], delimiter: str) -> int | None:
    """Return the column of a cell that is the end of one row and the begin of another, because a quote is not closed.

    Such a cell ends on a later line in the same column, since the row has as many cells as others. So each of its lines
    has exactly as many delimiters as the part of a row that it really is.
    """
    last = len(row) - 1
    for place, cell in enumerate(row):
        lines = _LINE_END.split(cell)
        if len(lines) == 1 or not last:
            continue
        parts = [last - place, *[last] * (len(lines) - 2), place]
        begins = [line.partition(delimiter)[0] for line in lines[1:]]
        is_numbered = row[0].isdigit()  # then every row begins with a number
        if [line.count(delimiter) for line in lines] == parts and (
            not is_numbered or all(map(str.isdigit, begins))
        ):
            return place
    return None

"""The table of labels of one's own collection, and the match of its labels with files."""

from __future__ import annotations

import functools
import unicodedata
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, NamedTuple

from tol_luigi.core.split_groups import ImageHint
from tol_luigi.core.splits import GIVEN_SPLITS
from tol_luigi.core.taxon import RANK_LABELS
from tol_luigi.sources.delimited import Table
from tol_luigi.sources.label_files import AUTO, open_label_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from tol_luigi.sources.label_files import LabelFile

__all__ = ["Label", "LabelTable", "Matcher", "Ranks"]

_FILE = "file"
_NAMES = (*RANK_LABELS, "name")
_OTHERS = ("common", "license", "owner")
_COLUMNS = (*_NAMES, *_OTHERS)
_OTHER_NAMES = {"cls": "class", "scientific_name": "name", "scientificname": "name"}
_FIX = "Fix the table"

_MAX_FIELD = 1 << 17
"""The maximum number of characters of a cell: a longer one is a quote that is never closed."""

_LIKELY_MISSING = frozenset(
    {
        *("na", "n/a", "n.a.", "#n/a", "#na", "<na>", "none", "nan", "-nan", "null", "nil", "missing", "not available"),
        *("-", "--", "\N{EN DASH}", "\N{EM DASH}", "?", "??", ".", "..."),
    }
)  # fmt: skip
"""How R, pandas, spreadsheets and people write a missing value; upper and lower case do not matter."""

Ranks = tuple[str, str, str, str, str, str, str]


class Label(NamedTuple):
    """A row of the table: the line on which it starts, the file, and its values, "" if unknown.

    The name is a scientific one, for which the ranks are looked up.
    """

    line: int
    file: str
    ranks: Ranks
    name: str
    common: str
    license: str
    owner: str


class LabelTable:
    """A table of labels.

    Args:
        path: The file: text with delimiters, Parquet, or JSON lines. Its columns are ``file`` (the path below the
            images, with ``/``); at least one of ``kingdom``, ``phylum``, ``class`` or ``cls``, ``order``, ``family``,
            ``genus``, ``species`` and ``name`` (a scientific name); and if known ``common``, ``license`` and ``owner``.
            Upper and lower case of the column names do not matter.
        delimiter: The name of the delimiter of text, or ``auto``; see ``DELIMITERS``.
        encoding: The encoding of text.
        missing_values: Cells that mean the same as an empty one; upper and lower case do not matter.
        section: The section whose settings these are, for messages.
        split_column: The column of splits, if there is one.
        group_column: The column of groups, if there is one.
    """

    def __init__(
        self,
        path: Path,
        delimiter: str = AUTO,
        encoding: str = "utf-8",
        missing_values: Sequence[str] = (),
        *,
        section: str = "folder",
        split_column: str | None = None,
        group_column: str | None = None,
    ) -> None:
        self._path, self._delimiter, self._encoding, self._section = path, delimiter, encoding, section
        self._missing = frozenset(map(str.casefold, missing_values))
        self.split_column, self.group_column = split_column, group_column

    @functools.cached_property
    def table(self) -> LabelFile:
        """The reader of the file."""
        text = Table(
            self._path,
            f"[{self._section}] labels",
            _FIX,
            encoding=self._encoding,
            newline="",
            max_field=_MAX_FIELD,
        )
        return open_label_file(text, self._delimiter, {_FILE, *_COLUMNS}, _column_name)

    @property
    def name(self) -> str:
        """Return the name of the file."""
        return self._path.name

    def __iter__(self) -> Iterator[Label]:
        """Yield the rows of the table.

        Raises:
            TableError: The table is unreadable, lacks a column, names a file twice, or has a wrong split.
        """
        return (label for label, _ in self.hinted())

    def rows(self, further: Mapping[str, str]) -> Iterator[tuple[Label, tuple[str, ...]]]:
        """Yield the rows of the table, each with its cells of further columns.

        Args:
            further: The names of these columns, each with the setting that names it. Cells without a value are "".

        Raises:
            TableError: As for the rows alone, or the table lacks one of the columns.
        """
        lines: dict[str, int] = {}
        columns = list(map(_column_name, further))
        header = self.table.header(_column_name)
        lacking = {
            column: setting
            for column, setting in zip(columns, further.values(), strict=True)
            if column not in header
        }
        if _FILE in header and not set(_NAMES).intersection(header):
            remedy = f"Add at least one of {', '.join(_NAMES)}"
            raise self.table.error("line 1 lacks a column that names what the images show", remedy)
        for line, cells in self.table.rows((_FILE,), (*_COLUMNS, *columns), _column_name):
            own = 1 + len(_COLUMNS)
            label, values = self._label(line, *cells[:own]), tuple(map(self._value, cells[own:]))
            first = lines.setdefault(label.file, line)
            if first != line:
                what = f"lines {first} and {line} both label {label.file!r}"
                raise self.table.error(what, "Keep one of them")
            if lacking:  # a record of JSON lines need not have all columns
                present = dict(zip(columns, values, strict=True))
                lacking = {column: setting for column, setting in lacking.items() if not present[column]}
            yield label, values
        for column, setting in lacking.items():
            raise self.table.error(
                f"lacks the column {column}, which {setting} names",
                f"Name one of its columns: {', '.join(header)}",
            )

    def hinted(self) -> Iterator[tuple[Label, ImageHint]]:
        """Yield the rows of the table, each with its split and its group.

        Raises:
            TableError: As for the rows alone, a word is not a split, or images of one group have different splits.
        """
        named = {"split_column": self.split_column, "group_column": self.group_column}
        further = {column: f"[{self._section}] {key}" for key, column in named.items() if column}
        firsts: dict[str, tuple[int, str]] = {}
        for label, cells in self.rows(further):
            given = dict(zip(further, cells, strict=True))
            hint = ImageHint(
                self._split(label.line, given.get(self.split_column or "", "")),
                given.get(self.group_column or "", ""),
            )
            if hint.split and hint.group:
                line, split = firsts.setdefault(hint.group, (label.line, hint.split))
                if split != hint.split:
                    raise self.table.error(
                        f"lines {line} and {label.line} are of one group ({self.group_column} {hint.group!r}), but line {line} is in {split} and line {label.line} in {hint.split}",
                        "Use the same split for all images of a group",
                    )
            yield label, hint

    def _split(self, line: int, word: str) -> str:
        """Return the split that a cell gives, "" if it is empty."""
        plain = word.casefold()
        if not word or plain in GIVEN_SPLITS:
            return GIVEN_SPLITS.get(plain, "")
        remedy = f"Use {', '.join(GIVEN_SPLITS)}, or leave the cell empty to have the split chosen"
        if plain in _LIKELY_MISSING:
            remedy = f"If it marks a missing value, set [{self._section}] missing_values = {plain}"
        what = f"line {line} has {word!r} in its column {self.split_column}, which is not a split"
        raise self.table.error(what, remedy)

    def likely_missing(self) -> Counter[tuple[str, str]]:
        """Count the cells that probably mean a missing value, by spelling and column."""
        found = Counter[tuple[str, str]]()
        columns = (*_COLUMNS, self.group_column or "")
        for label, hint in self.hinted():
            for column, cell in zip(columns, (*label.ranks, *label[3:], hint.group), strict=True):
                if cell.casefold() in _LIKELY_MISSING:
                    found[cell, column] += 1
        return found

    def _label(self, line: int, file: str, *cells: str) -> Label:
        parts = file.split("/")
        if not any(parts) or parts[0] == "" or ".." in parts or "\0" in file:
            raise self.table.error(
                f"line {line} names the file {file!r}, which is not a path below the images"
            )
        for column, cell in zip(_COLUMNS, cells, strict=True):
            if not cell.isprintable():
                self._check_characters(line, column, cell)
        *ranks, name, common, license_, owner = map(self._value, cells)
        kingdom, phylum, cls, order, family, genus, species = ranks
        tidy = "/".join(part for part in parts if part not in {"", "."})
        return Label(
            line, tidy, (kingdom, phylum, cls, order, family, genus, species), name, common, license_, owner
        )

    def _check_characters(self, line: int, column: str, cell: str) -> None:
        """Raise an error for a cell with a line break or a NUL, which would break the texts of samples."""
        if len(cell.splitlines()) > 1 or "\0" in cell:
            found = "a NUL" if "\0" in cell else "a line break, perhaps because a quote is not closed"
            raise self.table.error(f"the row that begins on line {line} has {found} in its cell {column}")

    def _value(self, cell: str) -> str:
        text = cell.strip()
        return "" if text.casefold() in self._missing else text


def _column_name(name: str) -> str:
    """Return the name of a column as this module writes it."""
    plain = name.strip().lower()
    return _OTHER_NAMES.get(plain, plain)


class Matcher:
    """Finds the label of each file, even if the two have different Unicode normal forms.

    macOS decomposes accents in file names, and spreadsheets compose them. A label belongs to the file with
    exactly its name. If there is no such file, it belongs to the file whose name differs only in its form, if
    that file has no label of its own. If several files or several labels match, it belongs to none.

    Args:
        labels: The labels.
        files: Lists the names of all files.
    """

    def __init__(self, labels: Iterable[str], files: Callable[[], Iterable[str]]) -> None:
        self._labels = dict.fromkeys(labels)
        self._files = files

    def find(self, file: str) -> str | None:
        """Return the label of a file; None if it has none."""
        if file in self._labels:
            return file
        if file.isascii() or _composed(file) not in self._forms:
            return None
        return self._other_forms.get(file)

    def missing(self) -> list[str]:
        """Return the labels without a file, in their order."""
        missing = dict(self._labels)
        others = []
        for file in self._files():
            if file in self._labels:
                missing.pop(file, None)
            elif not file.isascii():
                others.append(file)
        for file in others:
            missing.pop(self.find(file) or "", None)
        return list(missing)

    @functools.cached_property
    def _forms(self) -> frozenset[str]:
        return frozenset(_composed(label) for label in self._labels if not label.isascii())

    @functools.cached_property
    def _other_forms(self) -> dict[str, str]:
        """Return the labels of files with another form; few collections need this second scan."""
        files, exact = defaultdict[str, set[str]](set), set[str]()
        for file in self._files():
            if file in self._labels:
                exact.add(file)
            elif not file.isascii() and (form := _composed(file)) in self._forms:
                files[form].add(file)
        labels = defaultdict[str, set[str]](set)
        for label in self._labels:
            if not label.isascii() and label not in exact:
                labels[_composed(label)].add(label)
        pairs = ((files[form], meant) for form, meant in labels.items() if form in files)
        return {
            file: label for (file,), (label,) in (pair for pair in pairs if len(pair[0]) == len(pair[1]) == 1)
        }


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)

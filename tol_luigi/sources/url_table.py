"""A table of images by URL: any CSV, TSV, Parquet file or JSON lines with a column of URLs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from tol_luigi.core.batches import batched
from tol_luigi.core.errors import SettingsError
from tol_luigi.core.sections import setting
from tol_luigi.core.setting_kinds import Choice, Encoding, Place, Text, Whole, Words
from tol_luigi.core.source import Column, NaturalKey
from tol_luigi.core.taxon import RANK_LABELS
from tol_luigi.sources.delimited import DELIMITERS, Table
from tol_luigi.sources.label_files import AUTO, open_label_file
from tol_luigi.sources.url_partitions import MOST_PARTITIONS
from tol_luigi.sources.url_reader import UrlSection, url_plugin
from tol_luigi.sources.url_rows import LABEL_COLUMNS, Box, url_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import pyarrow as pa

    from tol_luigi.core.source import Key
    from tol_luigi.sources.label_files import LabelFile

__all__ = ["TABLE", "TableSection", "UrlTable"]

_URL, _KEY_COLUMN = "url", "key"
_TEXTS = (_KEY_COLUMN, *LABEL_COLUMNS, "license", "owner", "page", "sha256", "md5")
_FIELDS = (*_TEXTS, *Box._fields)
_NAMING = (*RANK_LABELS, "name", "identifier")
_MAX_FIELD = 1 << 17
_LARGEST = (1 << 31) - 1


class _Columns(Words):
    """Columns by the names that they have in a table, or None."""

    allowed = (
        f"column=its name in the table, separated by commas; the columns are {', '.join((_URL, *_FIELDS))}"
    )
    hint = "separated by commas"

    def parse(self, raw: str) -> tuple[str, ...] | None:
        """Return the value of a text; raise ValueError if it is not allowed."""
        words = super().parse(raw) or ()
        pairs = [tuple(part.strip() for part in word.partition("=")[::2]) for word in words]
        columns = [column for column, _ in pairs]
        if (
            not {_URL, *_FIELDS}.issuperset(columns)
            or len(set(columns)) < len(columns)
            or not all(map(all, pairs))
        ):
            raise ValueError(raw)
        return tuple(map("=".join, pairs)) or None


@dataclass(frozen=True)
class TableSection(UrlSection):
    """A table of images by URL, which are fetched."""

    section: ClassVar[str] = "table"

    images: Path | None = setting(
        Place("file"),
        None,
        "CSV, TSV, Parquet or JSON lines with the column url, kingdom to species or name, and optionally key, common, license, owner, x, y, width, height (docs/url-sources.md)",
        determines=True,
    )
    columns: tuple[str, ...] | None = setting(
        _Columns(),
        None,
        "the columns that have other names in the table, such as url=image_url,key=uuid",
        determines=True,
    )
    delimiter: str = setting(
        Choice(AUTO, *DELIMITERS),
        AUTO,
        "the delimiter of the table; auto recognises it by the header",
        determines=True,
    )
    encoding: str = setting(Encoding(), "utf-8", "the text encoding of the table", determines=True)
    missing_values: tuple[str, ...] | None = setting(
        Words(), None, "cells that count as empty, such as NA, None, ?; case does not matter", determines=True
    )
    name: str = setting(Text(), "own", "the name of the collection in the catalog", determines=True)
    partitions: int = setting(
        Whole(1, MOST_PARTITIONS), 16, "the number of partitions for the images", determines=True
    )


class UrlTable:
    """The rows of a table.

    Args:
        section: The settings that name it.
    """

    def __init__(self, section: TableSection) -> None:
        if section.images is None:
            raise SettingsError(f"[{section.section}] images", "empty", "Set it to the table of URLs")
        self._section, self._path = section, section.images
        self._missing = frozenset(map(str.casefold, section.missing_values or ()))
        pairs = [word.partition("=") for word in section.columns or ()]
        self._own = {name.lower(): column for column, _, name in pairs}
        self._renamed = {column for column, _, _ in pairs}

    def __call__(self) -> Iterator[pa.Table]:
        """Yield the rows, in their order, in tables of ``URL_ROWS``.

        Raises:
            TableError: The table cannot be read, lacks a column, or has a row with a wrong key or box.
        """
        text = Table(
            self._path,
            f"[{self._section.section}] images",
            "Fix the table",
            encoding=self._section.encoding,
            max_field=_MAX_FIELD,
        )
        table = open_label_file(text, self._section.delimiter, {_URL, *_FIELDS}, self._column)
        header = table.header(self._column)
        if _URL in header and not set(_NAMING).intersection(header):
            raise table.error(
                "lacks a column that names what the images show", f"Add at least one of {', '.join(_NAMING)}"
            )
        for rows in batched(table.rows((_URL,), _FIELDS, self._column)):
            lines = [line for line, _ in rows]
            columns = [self._values(cells) for cells in zip(*(cells for _, cells in rows), strict=True)]
            texts = dict(zip((_URL, *_TEXTS), columns, strict=False))
            texts[_KEY_COLUMN] = [
                key or url for key, url in zip(texts[_KEY_COLUMN], texts[_URL], strict=True)
            ]
            for line, key in zip(lines, texts[_KEY_COLUMN], strict=True):
                if not key or not key.isprintable():
                    raise table.error(f"line {line} has the key {key!r}, which cannot name an image")
            yield url_rows({**texts, **_boxes(table, lines, columns[len(texts) :])})

    def _column(self, name: str) -> str:
        """Return what a column of the table is here."""
        plain = name.strip().lower()
        if plain in self._own:
            return self._own[plain]
        plain = "class" if plain == "cls" else plain
        return f"{plain} of the table" if plain in self._renamed else plain

    def _values(self, cells: Sequence[str]) -> list[str]:
        """Return the texts of a column; most columns have few different ones."""
        known = {cell: self._value(cell) for cell in set(cells)}
        return [known[cell] for cell in cells]

    def _value(self, cell: str) -> str:
        text = " ".join(cell.split())
        return "" if self._missing and text.casefold() in self._missing else text


def _boxes(table: LabelFile, lines: Sequence[int], columns: Sequence[Sequence[str]]) -> dict[str, Any]:
    """Return the columns of the boxes; none if no row has one.

    Raises:
        TableError: A row has a wrong one.
    """
    if not any(map(any, columns)):
        return {}
    boxes = []
    for line, numbers in zip(lines, zip(*columns, strict=True), strict=True):
        try:
            boxes.append(_box(numbers) or (None,) * len(Box._fields))
        except ValueError as error:
            raise table.error(f"line {line} has the box {', '.join(numbers)}, {error}") from error
    return dict(zip(Box._fields, zip(*boxes, strict=True), strict=True))


def _box(numbers: Sequence[str]) -> Box | None:
    """Return a box; None if it is empty.

    Raises:
        ValueError: It is not one.
    """
    if not any(numbers):
        return None
    try:
        x, y, width, height = (round(float(number)) for number in numbers)
    except (ValueError, OverflowError):
        raise ValueError("which are not four numbers") from None
    if width < 1 or height < 1:
        raise ValueError("which has no pixel")
    if max(map(abs, (x, y, width, height))) > _LARGEST:
        raise ValueError("which is larger than any image")
    return Box(x, y, width, height)


_KEY = NaturalKey(
    columns=(Column("collection", "table_name", str, repeats=True), Column("key", "table_key", str)),
    spelling="{}/{}",
)


def _key_of(section: TableSection, key: str) -> Key:
    return section.name, key


TABLE = url_plugin(TableSection, _KEY, UrlTable, _key_of, collection_key="name", named_by="the table of URLs")

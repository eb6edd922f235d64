"""Read the licence of an image from ``licenses.csv`` without loading the file.

The file has one line per image, in the order of the catalog, and no index. Therefore each search starts at the last image
found. Samples in the order of the catalog need one pass in total, and a single image needs at most one pass.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from tol_luigi.dataset.reading import reading

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["ImageLicense", "LicenseReader"]

_FIELDS = {
    "name": "license_name",
    "owner": "copyright_owner",
    "link": "license_link",
    "source_url": "medium_source_url",
    "copy_url": "eol_full_size_copy_url",
}
_ID = "treeoflife_id"


@dataclass(frozen=True)
class ImageLicense:
    """The licence of an image, as published by its source. Unknown fields are "".

    Attributes:
        name: The name of the licence in the source.
        owner: The owner of the rights.
        link: The address of the licence text.
        source_url: The address of the original page or file.
        copy_url: The address of the copy that was downloaded.
    """

    name: str
    owner: str
    link: str
    source_url: str
    copy_url: str


_UNKNOWN = ImageLicense("", "not provided", "", "", "")
"""What the line of an image contains of which nothing is known."""


class LicenseReader:
    """Read licences; fastest in the order of the catalog.

    Args:
        path: The path of ``licenses.csv``.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._blocks: Iterator[pa.RecordBatch] = iter(())
        self._block: pa.RecordBatch | None = None
        self._without_lines: set[str] = (
            set()
        )  # sources with an image that has none, as in datasets of earlier releases

    def of(self, image: str, source: str) -> ImageLicense | None:
        """Return the licence of an image, or None if nothing is known of it."""
        with self._lock, reading(self._path):
            if source in self._without_lines:
                return None
            found = self._in_block(image) or self._read_next_blocks(image)
            if found is None:
                self._blocks = self._open()
                found = self._read_next_blocks(image)
            if found is None:
                self._without_lines.add(source)
            return None if found == _UNKNOWN else found

    def _open(self) -> Iterator[pa.RecordBatch]:
        columns = [_ID, *_FIELDS.values()]
        yield from csv.open_csv(
            self._path,
            parse_options=csv.ParseOptions(newlines_in_values=True),
            convert_options=csv.ConvertOptions(
                include_columns=columns, column_types=dict.fromkeys(columns, pa.string())
            ),
        )

    def _read_next_blocks(self, image: str) -> ImageLicense | None:
        for block in self._blocks:
            self._block = block
            if found := self._in_block(image):
                return found
        return None

    def _in_block(self, image: str) -> ImageLicense | None:
        row = pc.index(self._block[_ID], image).as_py() if self._block else -1
        if self._block is None or row < 0:
            return None
        return ImageLicense(**{name: self._block[column][row].as_py() for name, column in _FIELDS.items()})

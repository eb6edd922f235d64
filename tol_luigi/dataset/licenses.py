"""The rights in an image, read from ``licenses.csv`` without loading it.

The file has a line for every image of the sources that publish licences, in the order of the catalog, and no index. So it
is read on from where the last image was found: samples in the order of the catalog cost one pass in all, and a
single image costs a pass at most.
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
    """The rights in an image, as its source publishes them; each "" if it is not known.

    Attributes:
        name: The licence, as the source calls it.
        owner: Who holds the rights.
        link: The address of the licence's text.
        source_url: The address of the page or file that the image comes from.
        copy_url: The address of the copy that was fetched.
    """

    name: str
    owner: str
    link: str
    source_url: str
    copy_url: str


class LicenseReader:
    """Reads licences, best in the order of the catalog.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._blocks: Iterator[pa.RecordBatch] = iter(())
        self._block: pa.RecordBatch | None = None
        self._silent: set[str] = set()  # sources without licences: one image without a line shows it

    def of(self, image: str, source: str) -> ImageLicense | None:
        """Return the rights in an image of a source, None if its source publishes none."""
        with self._lock, reading(self._path):
            if source in self._silent:
                return None
            found = self._in_block(image) or self._read_on(image)
            if found is None:
                self._blocks = self._open()
                found = self._read_on(image)
            if found is None:
                self._silent.add(source)
            return found

    def _open(self) -> Iterator[pa.RecordBatch]:
        columns = [_ID, *_FIELDS.values()]
        yield from csv.open_csv(
            self._path,
            parse_options=csv.ParseOptions(newlines_in_values=True),
            convert_options=csv.ConvertOptions(
                include_columns=columns, column_types=dict.fromkeys(columns, pa.string())
            ),
        )

    def _read_on(self, image: str) -> ImageLicense | None:
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

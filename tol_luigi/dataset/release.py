"""Read the catalog of any release: of a dataset that was built, of a published folder, or a file alone."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 (a dataclass field)
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pcsv
import pyarrow.parquet as pq

from tol_luigi.core.errors import DatasetError
from tol_luigi.core.splits import SPLITS
from tol_luigi.core.taxon import RANK_LABELS
from tol_luigi.dataset.opened import Dataset
from tol_luigi.dataset.reading import reading
from tol_luigi.store.row_groups import pieces

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["LABELS", "SCHEMA", "SEPARATOR", "Release", "open_release"]

LABELS = (*RANK_LABELS, "common")
"""The columns that name an image, from the highest rank down."""

SEPARATOR = "\x1f"
"""What separates the labels of an image in the column ``labels``."""

SCHEMA = pa.schema([(name, pa.string()) for name in ("id", "split", "source", "labels", "file", "image")])
"""The columns of the rows of a release."""

_SHORTEST_ROW = 40
"""The bytes of the shortest row of a CSV file: an id takes 36."""

_REQUIRED = ("treeoflife_id", "split", *LABELS)
_OPTIONAL = ("source", "sha256")
_REMEDY = "Name the folder of a dataset, <root>/<tag>, its tag, a folder with a catalog, or a catalog (CSV or Parquet)"


@dataclass(frozen=True)
class Release:
    """A release: a catalog, and the dataset that it belongs to, if that is at hand.

    Attributes:
        path: The folder or file that was named.
        catalog: The catalog.
        dataset: The dataset with its shards, or None.
    """

    path: Path
    catalog: Path
    dataset: Dataset | None = None

    @property
    def image_settings(self) -> Mapping[str, Any]:
        """The settings of the images by key; empty if they are not known."""
        settings = self.dataset.settings if self.dataset else {}
        return {key: value for key, value in settings.items() if key.startswith("images.")}

    @functools.cached_property
    def columns(self) -> list[str]:
        """The columns of the catalog that are compared.

        Raises:
            DatasetError: The catalog lacks a column.
            DamagedError: It cannot be read.
        """
        with reading(self.catalog):
            if _is_csv(self.catalog):
                with pcsv.open_csv(self.catalog) as file:
                    names = file.schema.names
            else:
                names = pq.read_schema(self.catalog).names
        if lacking := [name for name in _REQUIRED if name not in names]:
            what = f"it is not a catalog, since it lacks columns ({', '.join(lacking)})"
            raise DatasetError(self.catalog, what, _REMEDY)
        return [name for name in (*_REQUIRED, *_OPTIONAL) if name in names]

    @property
    def most_rows(self) -> int:
        """An upper estimate of the number of rows.

        Raises:
            DamagedError: The catalog cannot be read.
        """
        with reading(self.catalog):
            if _is_csv(self.catalog):
                return self.catalog.stat().st_size // _SHORTEST_ROW
            return int(pq.read_metadata(self.catalog).num_rows)

    def rows(self, *, pixels: bool) -> Iterator[pa.Table]:
        """Yield the rows, with the columns of :data:`SCHEMA`.

        ``file`` is the SHA-256 of the original, ``image`` that of the image in the shard. What is not known is null.

        Args:
            pixels: Whether to read the images in the shards. Samples of ``train_small`` repeat others and are not read.

        Raises:
            DamagedError: The catalog cannot be read.
            DatasetError: It is not a catalog, or ``pixels`` needs the shards and they are not at hand.
            ShardError: A shard is missing or damaged.
        """
        images = self._digests() if pixels else None
        with reading(self.catalog):
            for piece in self._pieces():
                ids = piece["treeoflife_id"]
                if ids.null_count or pc.any(pc.equal(ids, "")).as_py():
                    raise DatasetError(self.catalog, "a row has no treeoflife_id", "Fill the column")
                nothing = pa.nulls(len(piece), pa.string())
                columns = {
                    "id": ids,
                    "split": pc.fill_null(_text(piece["split"]), ""),
                    "source": _text(piece["source"]) if "source" in self.columns else nothing,
                    "labels": _joined(piece),
                    "file": _text(piece["sha256"]) if "sha256" in self.columns else nothing,
                    "image": pa.array(_in_order(images, piece), pa.string()) if images else nothing,
                }
                yield pa.table(columns, SCHEMA)

    def _pieces(self) -> Iterator[pa.Table]:
        if not _is_csv(self.catalog):
            yield from pieces(self.catalog, self.columns)
            return
        types = dict.fromkeys(self.columns, pa.string())
        options = pcsv.ConvertOptions(column_types=types, include_columns=self.columns)
        parsing = pcsv.ParseOptions(newlines_in_values=True)
        with pcsv.open_csv(self.catalog, parse_options=parsing, convert_options=options) as file:
            yield from (pa.Table.from_batches([batch]) for batch in file)

    def _digests(self) -> Iterator[tuple[str, str]]:
        """Return the id and the SHA-256 of the image of each sample, in the order of the catalog."""
        samples = self._shards.samples()
        return ((sample.id, hashlib.sha256(sample.image_file).hexdigest()) for sample in samples)

    @property
    def _shards(self) -> Dataset:
        if self.dataset is None:
            what = "it has no shards, so its pixels cannot be compared"
            remedy = "Name the folder of a dataset, <root>/<tag>, or leave out --pixels"
            raise DatasetError(self.path, what, remedy)
        return self.dataset


def _in_order(images: Iterator[tuple[str, str]], piece: pa.Table) -> list[str | None]:
    """Return the digests of the images of rows of a catalog; None for rows that repeat others."""
    found: list[str | None] = []
    for image, split in zip(piece["treeoflife_id"].to_pylist(), piece["split"].to_pylist(), strict=True):
        if split == SPLITS[-1]:
            found.append(None)
            continue
        key, digest = next(images, ("", ""))
        if key != image:
            raise ValueError(f"{image} is not where the shards have it")
        found.append(digest)
    return found


def open_release(path: Path) -> Release:
    """Return the release in a folder, or that of a catalog.

    Args:
        path: The folder of a dataset, ``<root>/<tag>``; a folder with a catalog, such as a published one; or a catalog as CSV or
            Parquet.

    Raises:
        DatasetError: It is none of these, or the dataset is not finished.
        DamagedError: The settings of the dataset cannot be read.
    """
    if path.is_file():
        return Release(path, path)
    if (path / "dataset.json").is_file():
        dataset = Dataset.open(path)
        return Release(path, dataset.catalog.path, dataset)
    for name in ("catalog.parquet", "catalog.csv"):
        if (path / name).is_file():
            return Release(path, path / name)
    what = "it has neither a dataset nor a catalog" if path.is_dir() else "there is no such folder or file"
    raise DatasetError(path, what, _REMEDY)


def _is_csv(path: Path) -> bool:
    return path.suffix.lower() == ".csv"


def _text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(pa.string())


def _joined(piece: pa.Table) -> pa.ChunkedArray:
    """Return the labels of each row as one text."""
    columns = [pc.fill_null(_text(_clean(piece[label])), "") for label in LABELS]
    return pc.binary_join_element_wise(*columns, SEPARATOR)


def _clean(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Replace the separator in names; each distinct name is looked at once."""
    coded = column.combine_chunks().dictionary_encode() if not pa.types.is_dictionary(column.type) else column
    coded = coded.combine_chunks() if isinstance(coded, pa.ChunkedArray) else coded
    names = pc.replace_substring(coded.dictionary, SEPARATOR, " ")
    return pa.chunked_array([pa.DictionaryArray.from_arrays(coded.indices, names)])

"""What every export is made of: the samples of a shard, with what the catalog has on them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 (a dataclass field)
from typing import TYPE_CHECKING, NamedTuple

from tol_luigi.core.errors import DatasetError, ShardError
from tol_luigi.core.layout import Layout
from tol_luigi.core.sample_texts import SampleForm, decoded_texts
from tol_luigi.core.samples import image_of
from tol_luigi.core.shards import Shard, ShardReader, shard_number
from tol_luigi.core.splits import SPLITS
from tol_luigi.core.taxon import RANK_LABELS
from tol_luigi.dataset.reading import REPAIR, reading
from tol_luigi.dataset.shard_samples import shard_records
from tol_luigi.store.row_groups import rows_with

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tol_luigi.dataset.opened import Dataset
    from tol_luigi.store.row_groups import Wanted

__all__ = ["IMAGE_FIELD", "ExportedSample", "ShardToExport", "fields_of", "shards_to_export"]

IMAGE_FIELD = "image"
"""The field of the image."""

_FROM_CATALOG = ("treeoflife_id", "source", *RANK_LABELS)
"""The first fields of a sample besides the image; the others are its texts."""


class ExportedSample(NamedTuple):
    """A sample of an export.

    Attributes:
        file_name: The name of the image as a file: its id, with the ending of its format.
        image: The image, as it is in the shard.
        values: The values of the other fields, in the order of :func:`fields_of`.
    """

    file_name: str
    image: bytes
    values: tuple[str, ...]


def fields_of(dataset: Dataset) -> tuple[str, ...]:
    """Return the names of the fields of samples besides the image.

    A text has its name without ``.txt``; with ``_txt`` if the other fields have that name.
    """
    taken, texts = {IMAGE_FIELD, *_FROM_CATALOG}, []
    for name in SampleForm.of_record(dataset.settings).names:
        plain = name.removesuffix(".txt")
        texts.append(f"{plain}_txt" if plain.lower() in taken else plain)
    return (*_FROM_CATALOG, *texts)


@dataclass(frozen=True)
class ShardToExport:
    """A shard to export.

    Attributes:
        path: The tar.
        split: Its split, or the selection that it belongs to.
        number: Its place among the shards of the split, from 0.
        count: How many shards the split has.
        record: What its receipt says of it.
        catalog: The catalog that has its samples.
        form: What members its samples have.
    """

    path: Path
    split: str
    number: int
    count: int
    record: Shard
    catalog: Path
    form: SampleForm

    @property
    def stem(self) -> str:
        """Its name without extension."""
        return self.path.stem

    def samples(self) -> Iterator[ExportedSample]:
        """Yield the samples. At the end, the bytes of the shard are compared with its receipt.

        Raises:
            ShardError: The shard is missing or damaged, or does not belong to the catalog.
            DamagedError: The catalog is damaged.
        """
        rows, reader, count = self._rows(), ShardReader(self.path), 0
        try:
            for key, members in reader:
                found = decoded_texts(members)
                texts = (found[name] for name in self.form.names)
                values = (key, *self._values(rows, count, key), *texts)
                yield ExportedSample(f"{key}.{self.form.image.extension}", image_of(members), values)
                count += 1
        except (KeyError, ValueError, AttributeError) as error:
            raise ShardError(self.path, f"a sample is incomplete ({error})", REPAIR) from error
        except ShardError as error:
            raise ShardError(error.where, error.what, REPAIR) from error
        if (reader.sha256, count) != (self.record.sha256, self.record.samples):
            raise ShardError(self.path, "its bytes differ from those in its receipt", REPAIR)

    def _values(self, rows: list[tuple[str, ...]], place: int, key: str) -> tuple[str, ...]:
        """Return what the catalog has on the sample at a place."""
        if place >= len(rows) or rows[place][0] != key:
            raise ShardError(self.path, f"sample {key} is not where the catalog has it", REPAIR)
        return rows[place][1:]

    def _rows(self) -> list[tuple[str, ...]]:
        """Return the fields of the samples from the catalog, in order; the first is the id."""
        with reading(self.catalog):
            wanted: Wanted = {"split": [self.split], "shard": [shard_number(self.path.name)]}
            rows = rows_with(self.catalog, wanted, [*_FROM_CATALOG, "position"]).sort_by("position")
            columns = [[value or "" for value in rows[name].to_pylist()] for name in _FROM_CATALOG]
            return list(zip(*columns, strict=True))


def shards_to_export(dataset: Dataset, splits: Sequence[str] = ()) -> list[ShardToExport]:
    """Return the shards of splits and selections.

    Args:
        dataset: The dataset.
        splits: Their names; by default all splits that have samples, but no selection.

    Raises:
        DatasetError: A split is unknown or has no samples.
        DamagedError: A receipt is damaged.
    """
    layout = Layout.of_record(dataset.path, dataset.settings)
    form = SampleForm.of_record(dataset.settings)
    known = [*(split for split in SPLITS if dataset.splits[split]), *dataset.selections]
    found: list[ShardToExport] = []
    for split in splits or [split for split in known if split in SPLITS]:
        records = (
            [one for one in shard_records(layout.receipts(split)) if one.samples] if split in known else []
        )
        if not records:
            raise DatasetError(f"split {split!r}", "it is unknown or empty", f"Use one of {', '.join(known)}")
        is_selection = split not in SPLITS
        catalog = layout.selection(split) / "catalog.parquet" if is_selection else layout.catalog
        found += [
            ShardToExport(
                layout.shards / split / record.name, split, number, len(records), record, catalog, form
            )
            for number, record in enumerate(records)
        ]
    return found

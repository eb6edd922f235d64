"""The previous dataset whose images and listings a new one reuses, if the settings name one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tol_luigi.core.errors import SettingsError
from tol_luigi.core.files import read_json
from tol_luigi.core.layout import Layout, record_of
from tol_luigi.core.source_names import label_of, section_of
from tol_luigi.sources import label_fault
from tol_luigi.store.previous import PreviousFiles

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["IMAGES_SINCE", "PreviousDataset", "previous_at"]

IMAGES_SINCE = 1
"""The oldest ``format`` with the same images, and the same records in ledgers and listings, as this release.

It is set to the ``format`` of :mod:`~tol_luigi.tasks.fingerprints` whenever a release makes other images, or records more about them.
"""


_REMEDY = "Set it to the folder of a dataset, <root>/<tag>"


@dataclass(frozen=True)
class PreviousDataset:
    """A dataset that was built before.

    Attributes:
        layout: Its paths.
        record: The stored settings that it was built with.
    """

    layout: Layout
    record: Mapping[str, Any]

    def differences(self, determining: Mapping[str, Any]) -> list[str]:
        """Return the settings that would make other images than its own."""
        # A default that is not recorded is in neither, or in one of the two.
        keys = filter(_is_of_images, {**determining, **self.record})
        names = [key for key in keys if self.record.get(key) != determining.get(key)]
        fits = IMAGES_SINCE <= self.record["format"] <= determining["format"]
        return [*([] if fits else ["format"]), *names]

    @property
    def labelled(self) -> list[str]:
        """Return the names of its sources with a label that can be read."""
        return [name for name in self.record["sources"] if label_of(name) and not label_fault(name)]

    def has_source(self, source: str) -> bool:
        """Return whether it was built from a source, and not from a drawn one."""
        return source in self.record["sources"] and self.record[f"{section_of(source)}.images"] != "drawn"

    def partitions(self, source: str) -> tuple[str, ...]:
        """Return the partitions of a source; none if it was not built from the source."""
        return tuple(self.record.get(f"partitions of {source}", ()))

    def has_same_partitions(self, source: str, determining: Mapping[str, Any]) -> bool:
        """Return whether it assigns the images of a source to the same partitions as these settings."""
        keys = (f"partitions of {source}", f"{section_of(source)}.partitions")
        return all(self.record.get(key) == determining.get(key) for key in keys)

    def listings(self, source: str) -> tuple[str, ...]:
        """Return the listings of a source that it was built from: one per partition, or one for all."""
        partitions = self.partitions(source)
        existing = [path.stem for path in (self.layout.directory / "listings" / source).glob("*.parquet")]
        return partitions if not existing or set(existing) & set(partitions) else tuple(sorted(existing))

    def listing(self, source: str, partition: str) -> Path:
        """Return the path of the listing that contains a partition; it need not exist."""
        names = self.listings(source)
        return self.layout.listing(source, partition if partition in names or not names else names[0])

    def files(self, source: str, partition: str) -> list[PreviousFiles]:
        """Return the paths of the samples of a partition; train_small has none of its own."""
        units = [(split, source, partition) for split in ("train", "val")]
        layout = self.layout
        return [
            PreviousFiles(layout.receipt(*unit), layout.ledger(*unit), layout.shards / unit[0])
            for unit in units
        ]


def _is_of_images(key: str) -> bool:
    others = {"images.duplicates", "images.further_sizes"}
    return key == "encoder" or (key.startswith("images.") and key not in others)


def previous_at(directory: Path | None, where: str) -> PreviousDataset | None:
    """Read the record of a previous dataset.

    Args:
        directory: Its folder; None for no such dataset.
        where: The name of the setting in messages.

    Raises:
        SettingsError: The folder contains no dataset.
    """
    if directory is None:
        return None
    path = record_of(directory)
    try:
        record = read_json(path)
        layout = Layout.of_record(directory, record)
        lacking = {"format", *(f"{section_of(name)}.images" for name in record["sources"])} - record.keys()
    except (OSError, ValueError, KeyError, TypeError) as error:
        what = f"{directory} is not a dataset: its {path.name} cannot be read"
        raise SettingsError(where, what, _REMEDY) from error
    if lacking:
        what = f"{directory} is not a dataset: its {path.name} lacks {', '.join(sorted(lacking))}"
        raise SettingsError(where, what, _REMEDY)
    return PreviousDataset(layout, record)

"""The older dataset that a new one takes pictures and listings from, if the settings name one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tol_luigi.core.errors import SettingsError
from tol_luigi.core.files import read_json
from tol_luigi.core.layout import Layout, record_of
from tol_luigi.store.previous import PreviousFiles

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["PICTURES_SINCE", "Older", "older_at"]

PICTURES_SINCE = 1
"""The oldest ``format`` whose pictures, and what ledgers and listings tell of them, are still those of this release.

Raised to ``DATASET_FORMAT`` whenever a release makes other pictures, or tells more of them.
"""


_NAME_ONE = "Name the folder of a dataset, <root>/<tag>"


@dataclass(frozen=True)
class Older:
    """A dataset built before.

    Attributes:
        layout: Its paths.
        record: The settings that it was built with, as stored.
    """

    layout: Layout
    record: Mapping[str, Any]

    def differences(self, determining: Mapping[str, Any]) -> list[str]:
        """Name the settings that make other pictures here than there."""
        mine = {key: value for key, value in determining.items() if _is_of_pictures(key)}
        names = [key for key, value in mine.items() if self.record.get(key) != value]
        fits = PICTURES_SINCE <= self.record["format"] <= determining["format"]
        return [*([] if fits else ["format"]), *names]

    def has(self, source: str) -> bool:
        """Tell whether it was built from a source, and not from a drawn one."""
        return source in self.record["sources"] and self.record[f"{source}.images"] != "drawn"

    def partitions(self, source: str) -> tuple[str, ...]:
        """Name the partitions of a source; none if it was not built from that."""
        return tuple(self.record.get(f"partitions of {source}", ()))

    def deals_alike(self, source: str, determining: Mapping[str, Any]) -> bool:
        """Tell whether it deals the images of a source to the same partitions."""
        keys = (f"partitions of {source}", f"{source}.partitions")
        return all(self.record.get(key) == determining.get(key) for key in keys)

    def listings(self, source: str) -> tuple[str, ...]:
        """Name the listings of a source that it was built from: a partition each, or one for all."""
        partitions = self.partitions(source)
        there = [path.stem for path in (self.layout.directory / "listings" / source).glob("*.parquet")]
        return partitions if not there or set(there) & set(partitions) else tuple(sorted(there))

    def listing(self, source: str, partition: str) -> Path:
        """Give the path of the listing that a partition is in, which need not be there."""
        names = self.listings(source)
        return self.layout.listing(source, partition if partition in names or not names else names[0])

    def files(self, source: str, partition: str) -> list[PreviousFiles]:
        """Give where the samples of a partition are; train_small has none of its own."""
        about = [(split, source, partition) for split in ("train", "val")]
        layout = self.layout
        return [
            PreviousFiles(layout.receipt(*share), layout.ledger(*share), layout.shards / share[0])
            for share in about
        ]


def _is_of_pictures(key: str) -> bool:
    return key == "encoder" or (key.startswith("images.") and key != "images.duplicates")


def older_at(directory: Path | None, where: str) -> Older | None:
    """Look at an older dataset.

    Args:
        directory: Its folder, or None for no such dataset.
        where: What messages call the setting.

    Raises:
        SettingsError: There is no dataset in the folder.
    """
    if directory is None:
        return None
    path = record_of(directory)
    try:
        record = read_json(path)
        layout = Layout.of_record(directory, record)
        lacking = {"format", *(f"{name}.images" for name in record["sources"])} - record.keys()
    except (OSError, ValueError, KeyError, TypeError) as error:
        what = f"{directory} is no dataset: its {path.name} cannot be read"
        raise SettingsError(where, what, _NAME_ONE) from error
    if lacking:
        what = f"{directory} is no dataset: its {path.name} lacks {', '.join(sorted(lacking))}"
        raise SettingsError(where, what, _NAME_ONE)
    return Older(layout, record)

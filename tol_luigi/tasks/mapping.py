"""The stages that give every image its id and its split."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import luigi

from tol_luigi.core.keys import image_id
from tol_luigi.store.ledger import write_ledger
from tol_luigi.store.mapping import Listed, build_mapping, fill_splits, marker
from tol_luigi.tasks.base import DatasetTask
from tol_luigi.tasks.scan import ScanPartition

if TYPE_CHECKING:
    from collections.abc import Callable

    from tol_luigi.core.source import Key, Source

__all__ = ["MakeMapping", "MakeSplits", "MarkerTarget", "all_scans"]


class MarkerTarget(luigi.LocalTarget):
    """A stage's rows in a database: there when its marker row is, and was made with these settings.

    Args:
        path: The database.
        stage: The stage's name in the marker table.
        digest: Of the settings.
    """

    def __init__(self, path: Path, stage: str, digest: str) -> None:
        super().__init__(path)
        self.stage, self.digest = stage, digest

    def exists(self) -> bool:
        """Look at the marker row."""
        return marker(Path(self.path), self.stage) == self.digest


def all_scans(task: DatasetTask) -> list[ScanPartition]:
    """List the scans of all sources, for the dataset of a task."""
    return [
        task.clone(ScanPartition, source=source, partition=listing)
        for source in task.settings.used
        for listing in task.settings.listings(source)
    ]


class MakeMapping(DatasetTask):
    """Give every image its id and its place; take the ids of a published mapping where there is one."""

    def requires(self) -> list[ScanPartition]:
        """Have every partition scanned."""
        return all_scans(self)

    def output(self) -> list[luigi.LocalTarget]:
        """The mapping, and the ledger of what it leaves out, which is whole only when the mapping is."""
        mapping = MarkerTarget(self.layout.mapping, "mapping", self.settings.digest)
        return [mapping, luigi.LocalTarget(self.layout.mapping_ledger)]

    def run(self) -> None:
        """Put one source after the other into it."""
        with self.progress("images") as tell:
            left_out = build_mapping(
                self.layout.mapping,
                self._listed(),
                published=self.settings.published.mapping,
                digest=self.settings.digest,
                progress=tell,
            )
            write_ledger(self.layout.mapping_ledger, left_out)

    def _listed(self) -> list[Listed]:
        settings, layout = self.settings, self.layout
        return [
            Listed(
                name,
                source.columns,
                _id_maker(source),
                settings.partitions(name),
                tuple(layout.listing(name, listing) for listing in settings.listings(name)),
                source.strays(),
            )
            for name, source in settings.sources.items()
        ]


def _id_maker(source: Source) -> Callable[[Key], str]:
    return lambda key: image_id(source.name, source.spell(key))


class MakeSplits(DatasetTask):
    """Assign every image to a split; take the splits of a published mapping where there are some."""

    def requires(self) -> MakeMapping:
        """Have the mapping."""
        return self.clone(MakeMapping)

    def output(self) -> MarkerTarget:
        """The same file, with one more table filled."""
        return MarkerTarget(self.layout.mapping, "splits", self.settings.digest)

    def run(self) -> None:
        """Fill the table."""
        given = self.settings.dataset
        with self.progress("images") as tell:
            fill_splits(
                self.layout.mapping,
                [(name, source.columns) for name, source in self.settings.sources.items()],
                published=self.settings.published.mapping,
                seed=given.seed,
                val_percent=given.val_percent,
                train_small_percent=given.train_small_percent,
                digest=self.settings.digest,
                progress=tell,
            )

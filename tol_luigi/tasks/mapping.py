"""The stages that assign an id and a split to every image."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import luigi
from luigi.task import flatten

from tol_luigi.core.errors import SettingsError
from tol_luigi.core.files import remove
from tol_luigi.core.ledger import State
from tol_luigi.core.sightings import folders_of
from tol_luigi.core.source_names import setting_of
from tol_luigi.report.splits import splits_figures, splits_text
from tol_luigi.store.databases import opened
from tol_luigi.store.identities import ScannedSource
from tol_luigi.store.ledger import write_ledger
from tol_luigi.store.mapping import build_mapping, fill_splits, marker
from tol_luigi.store.models import Partition, Place, Split, SplitHint, image_model
from tol_luigi.store.previous import previously_unlisted
from tol_luigi.store.server import fill_schema, loaded
from tol_luigi.store.split_hints import HintSource, count_splits
from tol_luigi.tasks.base import DatasetTask
from tol_luigi.tasks.label_columns import hinted_sources, linked_sources, split_tables
from tol_luigi.tasks.reports import ReportTarget
from tol_luigi.tasks.scan import ScanPartition, group_hashes
from tol_luigi.tasks.stage import StageTask
from tol_luigi.tasks.unread import UNREAD, scan_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tol_luigi.core.reader import Found
    from tol_luigi.core.receipts import Receipt
    from tol_luigi.core.source import Source
    from tol_luigi.store.server import Server

__all__ = ["LoadMapping", "LoadTask", "MakeMapping", "MakeSplits", "all_scans"]


def all_scans(task: DatasetTask) -> list[ScanPartition]:
    """Return the scans of all sources, for the dataset of a task."""
    return [
        task.clone(ScanPartition, source=source, partition=listing)
        for source in task.settings.used
        for listing in task.settings.listings(source)
    ]


class MakeMapping(StageTask):
    """Assign an id and a place to every image; reuse the ids of a published mapping, if there is one."""

    _unread: list[tuple[str, str]]

    def requires(self) -> list[ScanPartition]:
        """Require the scans of all partitions."""
        return all_scans(self)

    def files(self) -> list[Path]:
        """Return the ledger of files without an id; ``MakeSplits`` finishes the mapping itself."""
        return [self.layout.mapping_ledger]

    def reads(self) -> dict[str, Path]:
        """Return the published mapping, if any, and the folders that may contain unlisted files.

        Tables of splits count, too: if they change, ``MakeSplits`` needs a mapping without the previous splits.
        """
        folders = {
            setting_of(source.name, "images"): source.reader.unlisted_root()
            for source in self._folder_sources
        }
        tables = split_tables(self.settings)
        return {**self.settings.places(("published", "mapping")), **folders, **tables}

    def parts_read(self, name: str) -> list[str]:
        """Return the folders that contain unlisted files; for the published mapping, the default."""
        for source in self._folder_sources:
            if name == setting_of(source.name, "images"):
                return folders_of(found.member.name for found in source.reader.unlisted())
        return super().parts_read(name)

    @property
    def _folder_sources(self) -> list[Source]:
        """Return the sources that are folders and may contain unlisted files; those with labels may not."""
        settings = self.settings
        return [
            source
            for name, source in settings.sources.items()
            if name not in settings.reused
            and not source.plugin.listing_tables
            and not source.plugin.is_fetched
            and source.reader.images.is_dir()
        ]

    def more(self) -> dict[str, Any]:
        """Return the digest of the inputs, and the unlisted files that could not be read, if any."""
        unread = {UNREAD: self._unread} if self._unread else {}
        return {"made_from": self.made_from, **unread}

    def unread(self, receipt: Receipt) -> list[Path]:
        """Return the paths of the unlisted files that could not be read."""
        sources = self.settings.sources
        unread = receipt.more.get(UNREAD, ())
        return [sources[source].reader.unlisted_root() / name for source, name in unread]

    def is_intact(self, receipt: Receipt) -> bool:
        """Return whether the mapping has the expected marker, too, and with splits its recorded size."""
        mapping, splits = self.layout.mapping, self.clone(MakeSplits).receipt()
        return (
            super().is_intact(receipt)
            and marker(mapping, "mapping") == receipt.more["made_from"]
            and (
                splits is None
                or splits.inputs.get(self.label) != receipt.digest  # of a previous mapping
                or splits.files[mapping.name].has_size(mapping)
            )
        )

    def withdraw(self, *, has_receipt: bool = True) -> None:
        """Remove the mapping, too, if it has a receipt or its sources have changed.

        Otherwise, another process may be writing it.
        """
        if self.receipt_path.exists() or self.change():
            remove(self.layout.mapping)
            self.clone(MakeSplits).withdraw()
        super().withdraw(has_receipt=has_receipt)

    def make(self) -> None:
        """Add the sources to the mapping, one after another."""
        self._unread = []
        with self.progress("images") as progress:
            rejected = build_mapping(
                self.layout.mapping,
                self._listed(),
                published=self.settings.published.mapping,
                digest=self.made_from,
                progress=progress,
            )
            write_ledger(self.layout.mapping_ledger, rejected)
        if not marker(self.layout.mapping, "splits"):
            self.clone(MakeSplits).withdraw()

    def _listed(self) -> list[ScannedSource]:
        settings, layout = self.settings, self.layout
        return [
            ScannedSource(
                source,
                settings.partitions(name),
                tuple(layout.listing(name, listing) for listing in settings.listings(name)),
                self._unlisted(source),
            )
            for name, source in settings.sources.items()
        ]

    def _unlisted(self, source: Source) -> Iterator[Found]:
        previous = self.settings.previous
        if previous is None or source.name not in self.settings.reused:
            return self._scanned(source)
        listings = [previous.layout.listing(source.name, name) for name in previous.listings(source.name)]
        return previously_unlisted(previous.layout.mapping_ledger, source.name, listings)

    def _scanned(self, source: Source) -> Iterator[Found]:
        """Yield the unlisted files of a source, and record those that cannot be read."""
        reader = source.reader
        for found in scan_files(self, reader.unlisted(), reader.unlisted_root()):
            if found.state is State.UNREADABLE:
                self._unread.append((source.name, found.member.name))
            yield found


class MakeSplits(StageTask):
    """Assign every image to a split; reuse the splits of a published mapping if it has any.

    Splits and groups that a source gives to its images are obeyed.
    """

    def requires(self) -> list[DatasetTask]:
        """Require the mapping; and for groups, the hashes of their files, unless duplicates do not count."""
        return [self.clone(MakeMapping), *group_hashes(self)]

    def files(self) -> list[Path]:
        """Return the mapping, now with its table of splits; and if sources give any, a report of them."""
        report = ReportTarget(self.layout.splits_report)
        return [self.layout.mapping, *(report.files if hinted_sources(self.settings) else [])]

    def reads(self) -> dict[str, Path]:
        """Return the published mapping, if any, and the tables with splits and groups."""
        return {**self.settings.places(("published", "mapping")), **split_tables(self.settings)}

    def make(self) -> None:
        """Fill the table of splits, and report what became of given splits and groups."""
        section, hinted = self.settings.dataset, hinted_sources(self.settings)
        with self.progress("images") as progress:
            fill_splits(
                self.layout.mapping,
                list(self.settings.sources.values()),
                published=self.settings.published.mapping,
                seed=section.seed,
                val_percent=section.val_percent,
                train_small_percent=section.train_small_percent,
                digest=self.clone(MakeMapping).made_from,
                progress=progress,
                hinted={name: self._hint_source(source) for name, source in hinted.items()},
            )
        if hinted:
            mapping = self.layout.mapping
            counts = {name: asdict(count_splits(mapping, source)) for name, source in hinted.items()}
            figures = splits_figures(counts, section.val_percent)
            ReportTarget(self.layout.splits_report).write(figures, splits_text(figures))

    def _hint_source(self, source: Source) -> HintSource:
        is_linked = source in linked_sources(self.settings)
        return HintSource(source.labeler, partial(self.layout.digests, source.name) if is_linked else None)


class _LoadedTarget(luigi.Target):
    """Tables on a server, which exist if they are copies of the current file.

    Args:
        server: The server.
        stage: The name of the tables in the marker row.
        path: The file that is copied.
        digest: The digest of the settings.
    """

    def __init__(self, server: Server, stage: str, path: Path, digest: str) -> None:
        self.server, self.stage, self.path, self.digest = server, stage, path, digest

    @property
    def mark(self) -> str:
        """Return a mark that identifies the file, without reading it: settings, size and time."""
        status = self.path.stat()
        return f"{self.digest} {status.st_size} {status.st_mtime_ns}"

    def exists(self) -> bool:
        """Return whether the marker row matches the file."""
        return self.path.exists() and loaded(self.server, self.stage) == self.mark


class LoadTask(DatasetTask):
    """Copy a database to the PostgreSQL server of the settings.

    Attributes:
        stage: The name of the tables in the marker row.
        creates_schema: Whether the schema is created again with these tables.
    """

    stage: ClassVar[str]
    creates_schema: ClassVar[bool] = False

    @property
    def path(self) -> Path:
        """Return the file to copy."""
        raise NotImplementedError

    @property
    def models(self) -> list[Any]:
        """Return the tables to copy."""
        raise NotImplementedError

    def output(self) -> _LoadedTarget:
        """Return the target that checks the marker row."""
        server = self.settings.server
        if server is None:
            raise SettingsError(
                "[dataset] database", "empty", "Set it to the URL of a server, or do not run this task"
            )
        return _LoadedTarget(server, self.stage, self.path, self.settings.digest)

    def complete(self) -> bool:
        """Return whether the tables are on the server, and all stages before are complete."""
        return self.output().exists() and all(task.complete() for task in flatten(self.requires()))

    def run(self) -> None:
        """Copy all tables in one transaction."""
        target = self.output()
        with opened(self.path, self.models) as database, self.progress("rows") as progress:
            tables = [(model, database.execute(model.select().tuples())) for model in self.models]
            fill_schema(
                target.server,
                tables,
                stage=self.stage,
                digest=target.mark,
                recreate=self.creates_schema,
                progress=progress,
            )


class LoadMapping(LoadTask):
    """Copy mapping and splits to the PostgreSQL server of the settings, into the dataset's own schema."""

    stage = "mapping"
    creates_schema = True

    def requires(self) -> MakeSplits:
        """Require mapping and splits."""
        return self.clone(MakeSplits)

    @property
    def path(self) -> Path:
        """Return the file to copy."""
        return self.layout.mapping

    @property
    def models(self) -> list[Any]:
        """Return the tables to copy, except the markers: the server has its own."""
        images = [image_model(name, source.columns) for name, source in self.settings.sources.items()]
        hints = [SplitHint] if hinted_sources(self.settings) else []
        return [*images, Split, *hints, Partition, Place]

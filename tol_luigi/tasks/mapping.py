"""The stages that give every image its id and its split."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import luigi
from luigi.task import flatten

from tol_luigi.core.errors import SettingsError
from tol_luigi.core.files import remove
from tol_luigi.core.ledger import State
from tol_luigi.core.sightings import folders_of
from tol_luigi.store.databases import opened
from tol_luigi.store.identities import ScannedSource
from tol_luigi.store.ledger import write_ledger
from tol_luigi.store.mapping import build_mapping, fill_splits, marker
from tol_luigi.store.models import Partition, Place, Split, image_model
from tol_luigi.store.previous import previously_unlisted
from tol_luigi.store.server import fill_schema, loaded
from tol_luigi.tasks.base import DatasetTask, StageTask
from tol_luigi.tasks.scan import ScanPartition
from tol_luigi.tasks.unread import UNREAD, scan_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tol_luigi.core.receipts import Receipt
    from tol_luigi.core.source import Found, Source
    from tol_luigi.store.server import Server

__all__ = ["LoadMapping", "LoadTask", "MakeMapping", "MakeSplits", "all_scans"]


def all_scans(task: DatasetTask) -> list[ScanPartition]:
    """List the scans of all sources, for the dataset of a task."""
    return [
        task.clone(ScanPartition, source=source, partition=listing)
        for source in task.settings.used
        for listing in task.settings.listings(source)
    ]


class MakeMapping(StageTask):
    """Give every image its id and its place; take the ids of a published mapping where there is one."""

    _unread: list[tuple[str, str]]

    def requires(self) -> list[ScanPartition]:
        """Have every partition scanned."""
        return all_scans(self)

    def files(self) -> list[Path]:
        """The ledger of what the mapping leaves out; the mapping itself is finished by ``MakeSplits``."""
        return [self.layout.mapping_ledger]

    def reads(self) -> dict[str, Path]:
        """The published mapping, if there is one, and the folders in which something can lie that is in no listing."""
        beside = {f"[{source.name}] images": source.reader.unlisted_root() for source in self._beside}
        return {**self.settings.places(("published", "mapping")), **beside}

    def parts_read(self, name: str) -> list[str]:
        """The published mapping, and the folders in which something lies that is in no listing."""
        for source in self._beside:
            if name == f"[{source.name}] images":
                return folders_of(found.member.name for found in source.reader.unlisted())
        return super().parts_read(name)

    @property
    def _beside(self) -> list[Source]:
        """The sources that are folders; of those with labels all of it is in the listing."""
        given = self.settings
        return [
            source
            for name, source in given.sources.items()
            if name not in given.taken and not source.plugin.listing_tables and source.reader.images.is_dir()
        ]

    def more(self) -> dict[str, Any]:
        """Tell one mapping from others by what it was made from; record what could not be looked at, if there is anything."""
        unread = {UNREAD: self._unread} if self._unread else {}
        return {"made_from": self.made_from, **unread}

    def unread(self, receipt: Receipt) -> list[Path]:
        """Return the paths of what could not be looked at beside the listings."""
        sources = self.settings.sources
        unread = receipt.more.get(UNREAD, ())
        return [sources[source].reader.unlisted_root() / name for source, name in unread]

    def is_intact(self, receipt: Receipt) -> bool:
        """Look at the mapping, too: at its marker, and once splits are in it at its size."""
        mapping, splits = self.layout.mapping, self.clone(MakeSplits).receipt()
        return (
            super().is_intact(receipt)
            and marker(mapping, "mapping") == receipt.more["made_from"]
            and (
                splits is None
                or splits.inputs != {self.label: receipt.digest}  # those of a mapping before this one
                or all(record.has_size(mapping) for record in splits.files.values())
            )
        )

    def withdraw(self) -> None:
        """Remove the mapping if there is a receipt of it, or if it is of sources before a change; another process may be at it."""
        if self.receipt_path.exists() or self.change():
            remove(self.layout.mapping)
            self.clone(MakeSplits).withdraw()
        super().withdraw()

    def make(self) -> None:
        """Put one source after the other into it."""
        self._unread = []
        with self.progress("images") as tell:
            left_out = build_mapping(
                self.layout.mapping,
                self._listed(),
                published=self.settings.published.mapping,
                digest=self.made_from,
                progress=tell,
            )
            write_ledger(self.layout.mapping_ledger, left_out)
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
        older = self.settings.older
        if older is None or source.name not in self.settings.taken:
            return self._noted(source)
        listings = [older.layout.listing(source.name, name) for name in older.listings(source.name)]
        return previously_unlisted(older.layout.mapping_ledger, source.name, listings)

    def _noted(self, source: Source) -> Iterator[Found]:
        """Yield the unlisted files of a source, and note those that cannot be looked at."""
        reader = source.reader
        for found in scan_files(self, reader.unlisted(), reader.unlisted_root()):
            if found.state is State.UNREADABLE:
                self._unread.append((source.name, found.member.name))
            yield found


class MakeSplits(StageTask):
    """Assign every image to a split; take the splits of a published mapping where there are some."""

    def requires(self) -> MakeMapping:
        """Have the mapping."""
        return self.clone(MakeMapping)

    def files(self) -> list[Path]:
        """The mapping, with one more table filled."""
        return [self.layout.mapping]

    def reads(self) -> dict[str, Path]:
        """The published mapping, if there is one."""
        return self.settings.places(("published", "mapping"))

    def make(self) -> None:
        """Fill the table."""
        given = self.settings.dataset
        with self.progress("images") as tell:
            fill_splits(
                self.layout.mapping,
                list(self.settings.sources.values()),
                published=self.settings.published.mapping,
                seed=given.seed,
                val_percent=given.val_percent,
                train_small_percent=given.train_small_percent,
                digest=self.clone(MakeMapping).made_from,
                progress=tell,
            )


class _LoadedTarget(luigi.Target):
    """Tables on a server: there when they are those of the file that is there.

    Args:
        server: The server.
        stage: What the marker calls the tables.
        path: The file.
        digest: Of the settings.
    """

    def __init__(self, server: Server, stage: str, path: Path, digest: str) -> None:
        self.server, self.stage, self.path, self.digest = server, stage, path, digest

    @property
    def mark(self) -> str:
        """What tells this file from others, without reading it."""
        status = self.path.stat()
        return f"{self.digest} {status.st_size} {status.st_mtime_ns}"

    def exists(self) -> bool:
        """Look at the marker row."""
        return self.path.exists() and loaded(self.server, self.stage) == self.mark


class LoadTask(DatasetTask):
    """A stage that copies a database to the PostgreSQL server of the settings.

    Attributes:
        stage: What the marker there calls the tables.
        begins: Whether the schema begins with them, and is made again.
    """

    stage: ClassVar[str]
    begins: ClassVar[bool] = False

    @property
    def path(self) -> Path:
        """The file to copy."""
        raise NotImplementedError

    @property
    def models(self) -> list[Any]:
        """Its tables."""
        raise NotImplementedError

    def output(self) -> _LoadedTarget:
        """The marker row there."""
        server = self.settings.server
        if server is None:
            raise SettingsError(
                "[dataset] database", "it names no server", "Name one, or leave this task out"
            )
        return _LoadedTarget(server, self.stage, self.path, self.settings.digest)

    def complete(self) -> bool:
        """Look at the marker row, and at the stages before."""
        return self.output().exists() and all(task.complete() for task in flatten(self.requires()))

    def run(self) -> None:
        """Copy all tables in one transaction."""
        target = self.output()
        with opened(self.path, self.models) as database, self.progress("rows") as tell:
            tables = [(model, database.execute(model.select().tuples())) for model in self.models]
            fill_schema(
                target.server,
                tables,
                stage=self.stage,
                digest=target.mark,
                recreate=self.begins,
                progress=tell,
            )


class LoadMapping(LoadTask):
    """Copy mapping and splits to the PostgreSQL server of the settings, into a schema of the dataset's own."""

    stage = "mapping"
    begins = True

    def requires(self) -> MakeSplits:
        """Have mapping and splits."""
        return self.clone(MakeSplits)

    @property
    def path(self) -> Path:
        """The file to copy."""
        return self.layout.mapping

    @property
    def models(self) -> list[Any]:
        """Its tables, but for the markers, which are those of the server."""
        images = [image_model(name, source.columns) for name, source in self.settings.sources.items()]
        return [*images, Split, Partition, Place]

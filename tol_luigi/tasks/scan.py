"""The stages before the mapping: store the settings, draw the demonstration, list the sources."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import luigi

from tol_luigi import demonstration
from tol_luigi.core.bad_images import check_bad_count
from tol_luigi.core.build_inputs import read_places
from tol_luigi.core.errors import ArchiveError, ChangedError, SettingsError
from tol_luigi.core.files import clear_disk_errors, committed, read_object, remove, scratch_path, write_json
from tol_luigi.core.ledger import State
from tol_luigi.core.reader import Found, Member
from tol_luigi.core.sightings import changed_within, file_states, folders_of, read_sightings, write_sightings
from tol_luigi.core.source_names import setting_of
from tol_luigi.store.duplicates import write_digests
from tol_luigi.store.listings import collect_listing, count_states, images_of, write_listing
from tol_luigi.store.previous import read_previous
from tol_luigi.tasks.base import DatasetTask
from tol_luigi.tasks.inputs import build_inputs
from tol_luigi.tasks.label_columns import linked_sources
from tol_luigi.tasks.partitions import SourceParameter, SourceTask
from tol_luigi.tasks.recorded_settings import can_begin_again
from tol_luigi.tasks.stage import AGAIN, CHANGED_MEANWHILE, StageTask
from tol_luigi.tasks.unread import ReadingStage, inaccessible_names, read_files, scan_files
from tol_luigi.tasks.url_settings import fetched_sources
from tol_luigi.tasks.urls import FetchPartition

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow as pa

    from tol_luigi.core.receipts import Receipt

__all__ = [
    "DrawDemonstration",
    "HashPartition",
    "ScanPartition",
    "StoreSettings",
    "all_hashes",
    "group_hashes",
    "rescanned_if_changed",
]


class StoreSettings(StageTask):
    """Store the settings that determine the dataset, so that no build continues it with others."""

    def files(self) -> list[Path]:
        """Return the settings, as JSON."""
        return [self.layout.record]

    def is_intact(self, receipt: Receipt) -> bool:
        """Return whether the stored settings are undamaged and equal to the settings of this process."""
        return (
            super().is_intact(receipt)
            and self._stored() == self.settings.determining
            and read_places(self.layout) is not None
        )

    def make(self) -> None:
        """Write the settings, unless another process has already written others that the dataset depends on.

        Raises:
            SettingsError: Another process has.
        """
        if self.receipt() is None:  # a receipt proves that these are the settings
            now = self.settings.determining
            is_first = not can_begin_again(self.layout, self._stored(), now)
            write_json(self.layout.record, now, first_wins=is_first)
            if self._stored() != self.settings.determining:
                what = "another build of this dataset has started with other settings"
                raise SettingsError(
                    self.layout.record, what, "Choose another tag, or wait for it and use its settings"
                )
        write_json(self.layout.record, self.settings.determining)
        write_json(self.layout.inputs, build_inputs(self.settings).places)

    def withdraw(self, *, has_receipt: bool = True) -> None:
        """Keep the receipt, which records with which settings the dataset was started."""

    def _stored(self) -> dict[str, Any]:
        return read_object(self.layout.record)


class DrawDemonstration(DatasetTask):
    """Draw the sources of the demonstration, if no real ones are configured."""

    def requires(self) -> StoreSettings:
        """Require the stored settings."""
        return self.clone(StoreSettings)

    def output(self) -> luigi.LocalTarget:
        """Return the folder, which is renamed into place when it is complete."""
        return luigi.LocalTarget(self.settings.directory / demonstration.FOLDER)

    def complete(self) -> bool:
        """Return whether the folder exists and the settings are stored."""
        return bool(super().complete()) and self.requires().complete()

    def run(self) -> None:
        """Draw the sources into a scratch folder, and rename it."""
        from tol_luigi.demonstration.files import draw  # noqa: PLC0415 (a dozen modules, only for this task)

        folder = Path(self.output().path)
        if folder.exists():
            return
        scratch = scratch_path(folder)
        try:
            with clear_disk_errors(folder), self.progress("images") as progress:
                scratch.mkdir(parents=True)
                draw(scratch, lambda done, _: progress(done))
            with contextlib.suppress(FileExistsError):  # another process was faster
                _rename_folder(scratch, folder)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def _rename_folder(scratch: Path, folder: Path) -> None:
    """Rename a folder.

    Raises:
        FileExistsError: A folder of that name exists and is not empty.
    """
    try:
        scratch.rename(folder)
    except OSError as error:
        if error.errno in {errno.ENOTEMPTY, errno.EEXIST}:
            raise FileExistsError(folder) from error
        raise


class ScanPartition(SourceTask, ReadingStage):
    """List the files of one partition; or of the complete archive, if one archive contains all partitions."""

    source: str = SourceParameter(description="the source's name")
    partition: str = luigi.Parameter(description="the partition's name")

    @property
    def valid_partitions(self) -> Sequence[str]:
        """Return the names of the listings: of the partitions, or of the archive that contains all of them."""
        return self.settings.listings(self.source)

    def requires(self) -> DatasetTask:
        """Require the stored settings; the drawn sources, if the demonstration is built; the archive, if it is fetched."""
        if self._is_fetched:
            return self.clone(FetchPartition)
        return self.clone(DrawDemonstration if self.settings.is_demonstration else StoreSettings)

    def files(self) -> list[Path]:
        """Return the listing, and the index of the archive if it has one."""
        index = self.layout.index(self.source)
        return [self._listing, *([index] if index.exists() else [])]

    def reads(self) -> dict[str, Path]:
        """Return the archive or folder, and the labels if the listing depends on them."""
        if self.source in self.settings.reused or self._is_fetched:
            return {}
        tables = [(self.source, key) for key in self.settings.plugins[self.source].listing_tables]
        return {setting_of(self.source, "images"): self.place, **self.settings.places(*tables)}

    def parts_read(self, name: str) -> list[str]:
        """Return only the place itself: its folders are recorded after they are listed."""
        del name
        return [""]

    def _record_folders(self, listing: pa.Table, began: int) -> None:
        """Record what the folders of the listed files look like, too.

        Raises:
            ChangedError: One of them has changed since the scan started, perhaps after it was listed.
        """
        place = self.place
        if self.settings.is_demonstration or not place.is_dir():
            return
        folders = file_states(place, folders_of(listing["member"].to_pylist()))
        # Times in the future come from a wrong clock, so they are ignored.
        changed = changed_within(folders, began, time.time_ns())
        if changed is not None:
            raise ChangedError(place / changed, CHANGED_MEANWHILE, AGAIN)
        seen = read_sightings(self.sightings_path)
        seen[setting_of(self.source, "images")] |= {
            part: sighting for part, sighting in folders.items() if part
        }
        write_sightings(self.sightings_path, seen)

    def validate_unchanged(self) -> None:
        """Raise a ChangedError if the source has changed since it was scanned; for stages that read it."""
        if change := self.change():
            raise ChangedError(*change)

    @property
    def place(self) -> Path:
        """Return the archive or folder."""
        return self.settings.sources[self.source].reader.place(self.partition)

    def withdraw(self, *, has_receipt: bool = True) -> None:
        """Remove the receipt; if the source has changed, also the receipts of stages that have read it."""
        if self.change():
            remove(self.layout.stage_receipt("MakeMapping"))
            for partition in self.settings.partitions(self.source):
                if self.settings.listing_of(self.source, partition) == self.partition:
                    remove(self.layout.stage_receipt("HashPartition", self.source, partition))
                    for split in ("train", "val"):
                        remove(self.layout.receipt(split, self.source, partition))
        super().withdraw(has_receipt=has_receipt)

    @property
    def _is_fetched(self) -> bool:
        return self.source in fetched_sources(self.settings)

    @property
    def _listing(self) -> Path:
        return self.layout.listing(self.source, self.partition)

    def make(self) -> None:
        """Scan the complete source, so that a damaged archive is found before anything is built from it."""
        if self.source in self.settings.reused:
            self._reuse()
            return
        source, began = self.settings.sources[self.source], time.time_ns()
        with self.progress("files") as progress:
            try:
                found = scan_files(self, source.reader.scan(self.partition), self.place)
                listing = collect_listing(found, source.columns, progress)
            except ArchiveError as error:
                if self.settings.checks.unreadable_archive == "stop":
                    raise
                listing = collect_listing([_rejected(self.partition, error)], source.columns, progress)
        self._check_names(count_states(listing))
        self._record_folders(listing, began)
        write_listing(self._listing, listing)
        self.skipped = inaccessible_names(self._listing, self.place)

    def _reuse(self) -> None:
        """Copy the listing of the previous dataset, and the index of the archive, if it has one."""
        previous = self.settings.previous.layout if self.settings.previous else self.layout
        listing = read_previous(previous.listing(self.source, self.partition))
        index = previous.index(self.source)
        if index.exists():
            with committed(self.layout.index(self.source)) as scratch:
                shutil.copyfile(index, scratch)
        write_listing(self._listing, listing)

    def _check_names(self, states: Mapping[str, int]) -> None:
        """Stop if too many names are not understood, for example because a path leads to the wrong folder."""
        unread = states.get(State.UNREADABLE, 0)
        bad = unread + sum(states.get(state, 0) for state in (State.BAD_NAME, State.UNSAFE, State.TOO_LARGE))
        what = f"files have names that are not those of {self.source}"
        images = self.settings.sources[self.source].reader.images
        check_bad_count(
            bad,
            bad + states.get("", 0),
            self.settings.checks.max_bad_percent,
            where=f"{images}: {self.source}/{self.partition}",
            what=f"{what}, or cannot be read" if unread else what,
            remedy="Correct the path",
        )


class HashPartition(SourceTask, ReadingStage):
    """Hash the files of one partition, if duplicates must be known before the shards: to drop them, or for groups."""

    source: str = SourceParameter(description="the source's name")
    partition: str = luigi.Parameter(description="the partition's name")

    @property
    def _listing(self) -> str:
        return self.settings.listing_of(self.source, self.partition)

    def requires(self) -> ScanPartition:
        """Require the listing of the files."""
        return self.clone(ScanPartition, partition=self._listing)

    def files(self) -> list[Path]:
        """Return the table of hashes."""
        return [self.layout.digests(self.source, self.partition)]

    @property
    def place(self) -> Path:
        """Return the archive or folder."""
        return self.settings.sources[self.source].reader.place(self._listing)

    def make(self) -> None:
        """Read and hash every file that may be an image."""
        positions, members = images_of(self.layout.listing(self.source, self._listing), self.partition)
        hashes: list[str | None] = []
        skipped: list[str] = []
        source, partition = self.source, self.partition
        with rescanned_if_changed(self, source, partition), self.progress("files", len(members)) as progress:
            for position, content in read_files(self, source, partition, members):
                hashes.append(hashlib.sha256(content).hexdigest() if isinstance(content, bytes) else None)
                if isinstance(content, OSError):
                    skipped.append(members[position].name)
                progress(len(hashes))
            self.requires().validate_unchanged()
        self.skipped = skipped
        write_digests(self.layout.digests(self.source, self.partition), positions, hashes)


@contextlib.contextmanager
def rescanned_if_changed(task: DatasetTask, source: str, partition: str) -> Iterator[None]:
    """If a source changes while it is read and the settings allow that, have the next run scan it again."""
    try:
        yield
    except ChangedError as error:
        if task.is_guarded:
            raise
        listing = task.settings.listing_of(source, partition)
        remove(task.layout.stage_receipt("ScanPartition", source, listing))
        raise ChangedError(
            error.where, error.what, "Run the same command again: it is scanned again first"
        ) from error


def all_hashes(task: DatasetTask) -> list[HashPartition]:
    """Return the tasks that hash all sources of a task's dataset; none unless duplicates are dropped."""
    if task.settings.images.duplicates != "drop":
        return []
    return [
        task.clone(HashPartition, source=source, partition=partition)
        for source in task.settings.used
        for partition in task.settings.partitions(source)
    ]


def group_hashes(task: DatasetTask) -> list[HashPartition]:
    """Return the tasks that hash the sources whose groups must not share a file with groups of the other split."""
    return [
        task.clone(HashPartition, source=source.name, partition=partition)
        for source in linked_sources(task.settings)
        for partition in task.settings.partitions(source.name)
    ]


def _rejected(partition: str, error: ArchiveError) -> Found:
    """Return the row of a damaged archive."""
    return Found(Member(Path(error.where).name, 0), partition, state=State.BAD_ARCHIVE, reason=error.what)

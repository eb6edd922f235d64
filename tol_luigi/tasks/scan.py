"""The stages before the mapping: settings stored, demonstration drawn, sources listed."""

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
from tol_luigi.core.errors import ArchiveError, ChangedError, SettingsError
from tol_luigi.core.files import clear_disk_errors, committed, read_object, remove, scratch_path, write_json
from tol_luigi.core.ledger import State
from tol_luigi.core.sightings import changed_within, file_states, folders_of, read_sightings, write_sightings
from tol_luigi.core.source import Found, Member
from tol_luigi.dataset.explain import read_places
from tol_luigi.sources import SOURCES
from tol_luigi.store.duplicates import write_digests
from tol_luigi.store.listings import collect_listing, count_states, images_of, write_listing
from tol_luigi.store.previous import read_previous
from tol_luigi.tasks.base import AGAIN, CHANGED_MEANWHILE, DatasetTask, StageTask
from tol_luigi.tasks.inputs import build_inputs
from tol_luigi.tasks.unread import ReadingStage, names_out_of_reach, read_files, scan_files

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pyarrow as pa

    from tol_luigi.core.receipts import Receipt

_IMAGES = "[{}] images"
"""What messages call the place of a source."""

__all__ = [
    "DrawDemonstration",
    "HashPartition",
    "ScanPartition",
    "StoreSettings",
    "all_hashes",
    "rescanned_if_changed",
]


class StoreSettings(StageTask):
    """Store the settings that determine the dataset, so that it is not gone on with under others."""

    def files(self) -> list[Path]:
        """The settings, as JSON."""
        return [self.layout.record]

    def is_intact(self, receipt: Receipt) -> bool:
        """Return whether the settings stored are those of this process, as they were written."""
        return (
            super().is_intact(receipt)
            and self._stored() == self.settings.determining
            and read_places(self.layout) is not None
        )

    def make(self) -> None:
        """Write them, unless another process has written others first.

        Raises:
            SettingsError: It has.
        """
        if self.receipt() is None:  # which would tell that these are the settings, whatever is stored
            write_json(self.layout.record, self.settings.determining, first_wins=True)
            if self._stored() != self.settings.determining:
                what = "another build of this dataset has begun with other settings"
                raise SettingsError(
                    self.layout.record, what, "Choose another tag, or wait for it and use its settings"
                )
        write_json(self.layout.record, self.settings.determining)
        write_json(self.layout.inputs, build_inputs(self.settings).places)

    def withdraw(self) -> None:
        """Keep the receipt: it tells with which settings the dataset has begun."""

    def _stored(self) -> dict[str, Any]:
        return read_object(self.layout.record)


class DrawDemonstration(DatasetTask):
    """Draw the sources of the demonstration, where no real ones are configured."""

    def requires(self) -> StoreSettings:
        """The settings come first in every dataset."""
        return self.clone(StoreSettings)

    def output(self) -> luigi.LocalTarget:
        """A folder, which appears when everything in it is there."""
        return luigi.LocalTarget(self.settings.directory / demonstration.FOLDER)

    def complete(self) -> bool:
        """Look at the folder, and at the settings."""
        return bool(super().complete()) and self.requires().complete()

    def run(self) -> None:
        """Draw them under another name, and rename."""
        folder = Path(self.output().path)
        if folder.exists():
            return
        scratch = scratch_path(folder)
        try:
            with clear_disk_errors(folder), self.progress("images") as tell:
                scratch.mkdir(parents=True)
                demonstration.draw(scratch, lambda done, _: tell(done))
            with contextlib.suppress(FileExistsError):  # another process has been quicker
                _rename_folder(scratch, folder)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def _rename_folder(scratch: Path, folder: Path) -> None:
    """Rename a folder.

    Raises:
        FileExistsError: There is one of that name, with something in it.
    """
    try:
        scratch.rename(folder)
    except OSError as error:
        if error.errno in {errno.ENOTEMPTY, errno.EEXIST}:
            raise FileExistsError(folder) from error
        raise


class ScanPartition(ReadingStage):
    """List the files of one partition; or, where one archive holds all partitions, of that archive."""

    source: str = luigi.ChoiceParameter(choices=tuple(SOURCES), description="the source's name")
    partition: str = luigi.Parameter(description="the partition's name")

    def requires(self) -> DatasetTask:
        """Have the settings stored, and the demonstration drawn if that is what is built."""
        return self.clone(DrawDemonstration if self.settings.is_demonstration else StoreSettings)

    def files(self) -> list[Path]:
        """The listing, and the index of the archive if there is one."""
        index = self.layout.index(self.source)
        return [self._listing, *([index] if index.exists() else [])]

    def reads(self) -> dict[str, Path]:
        """The archive or folder, and the labels where they decide what is listed."""
        if self.source in self.settings.taken:
            return {}
        tables = [(self.source, key) for key in SOURCES[self.source].listing_tables]
        return {_IMAGES.format(self.source): self.place, **self.settings.places(*tables)}

    def parts_read(self, name: str) -> list[str]:
        """The place alone: in which folders files are is seen when they are listed."""
        del name
        return [""]

    def _see_folders(self, listing: pa.Table, began: int) -> None:
        """Write down what the folders look like, too, that hold the files found.

        Raises:
            ChangedError: One of them has changed since the scan began, perhaps after it was listed.
        """
        place = self.place
        if self.settings.is_demonstration or not place.is_dir():
            return
        folders = file_states(place, folders_of(listing["member"].to_pylist()))
        # Times to come are those of a wrong clock, and say nothing.
        changed = changed_within(folders, began, time.time_ns())
        if changed is not None:
            raise ChangedError(place / changed, CHANGED_MEANWHILE, AGAIN)
        seen = read_sightings(self.sightings_path)
        seen[_IMAGES.format(self.source)] |= {part: sighting for part, sighting in folders.items() if part}
        write_sightings(self.sightings_path, seen)

    def refuse_changed(self) -> None:
        """Raise if the source is not as it was when it was scanned, for those that have read it since."""
        if change := self.change():
            raise ChangedError(*change)

    @property
    def place(self) -> Path:
        """Return the archive or folder."""
        return self.settings.sources[self.source].reader.place(self.partition)

    def withdraw(self) -> None:
        """Where the source has changed, withdraw as well what other stages have read in it: its files, and those next to it."""
        if self.change():
            remove(self.layout.stage_receipt("MakeMapping"))
            for partition in self.settings.partitions(self.source):
                if self.settings.listing_of(self.source, partition) == self.partition:
                    remove(self.layout.stage_receipt("HashPartition", self.source, partition))
                    for split in ("train", "val"):
                        remove(self.layout.receipt(split, self.source, partition))
        super().withdraw()

    @property
    def _listing(self) -> Path:
        return self.layout.listing(self.source, self.partition)

    def make(self) -> None:
        """Scan to the end, so that an archive that is not whole is found before anything is built of it."""
        if self.source in self.settings.taken:
            self._take()
            return
        source, began = self.settings.sources[self.source], time.time_ns()
        with self.progress("files") as tell:
            try:
                found = scan_files(self, source.reader.scan(self.partition), self.place)
                listing = collect_listing(found, source.columns, tell)
            except ArchiveError as error:
                if self.settings.checks.unreadable_archive == "stop":
                    raise
                listing = collect_listing([_left_out(self.partition, error)], source.columns, tell)
        self._check_names(count_states(listing))
        self._see_folders(listing, began)
        write_listing(self._listing, listing)
        self.skipped = names_out_of_reach(self._listing, self.place)

    def _take(self) -> None:
        """Take the listing of the older dataset, and the index that a scan leaves beside it."""
        older = self.settings.older.layout if self.settings.older else self.layout
        listing = read_previous(older.listing(self.source, self.partition))
        index = older.index(self.source)
        if index.exists():
            with committed(self.layout.index(self.source)) as scratch:
                shutil.copyfile(index, scratch)
        write_listing(self._listing, listing)

    def _check_names(self, states: Mapping[str, int]) -> None:
        """Stop if too few names of images are understood, as where a path leads to the wrong folder."""
        unread = states.get(State.UNREADABLE, 0)
        bad = unread + sum(states.get(state, 0) for state in (State.BAD_NAME, State.UNSAFE, State.TOO_LARGE))
        what = f"files have names that are not those of {self.source}"
        check_bad_count(
            bad,
            bad + states.get("", 0),
            self.settings.checks.max_bad_percent,
            where=f"{self.settings.sources[self.source].reader.place_setting}: {self.source}/{self.partition}",
            what=f"{what}, or cannot be read" if unread else what,
            remedy="Name the right place",
        )


class HashPartition(ReadingStage):
    """Hash the files of one partition, where duplicates are dropped: it has to be known of them before the shards."""

    source: str = luigi.ChoiceParameter(choices=tuple(SOURCES), description="the source's name")
    partition: str = luigi.Parameter(description="the partition's name")

    @property
    def _listing(self) -> str:
        return self.settings.listing_of(self.source, self.partition)

    def requires(self) -> ScanPartition:
        """Know where the files lie."""
        return self.clone(ScanPartition, partition=self._listing)

    def files(self) -> list[Path]:
        """The hashes."""
        return [self.layout.digests(self.source, self.partition)]

    @property
    def place(self) -> Path:
        """Return the archive or folder."""
        return self.settings.sources[self.source].reader.place(self._listing)

    def make(self) -> None:
        """Read every file that can be an image."""
        positions, members = images_of(self.layout.listing(self.source, self._listing), self.partition)
        hashes: list[str | None] = []
        skipped: list[str] = []
        source, partition = self.source, self.partition
        with rescanned_if_changed(self, source, partition), self.progress("files", len(members)) as tell:
            for place, content in read_files(self, source, partition, members):
                hashes.append(hashlib.sha256(content).hexdigest() if isinstance(content, bytes) else None)
                if isinstance(content, OSError):
                    skipped.append(members[place].name)
                tell(len(hashes))
            self.requires().refuse_changed()
        self.skipped = skipped
        write_digests(self.layout.digests(self.source, self.partition), positions, hashes)


@contextlib.contextmanager
def rescanned_if_changed(task: DatasetTask, source: str, partition: str) -> Iterator[None]:
    """If a source turns out to have changed while it is read, and the settings say so, have it scanned again next time."""
    try:
        yield
    except ChangedError as error:
        if task.settings.checks.changed_sources == "stop":
            raise
        listing = task.settings.listing_of(source, partition)
        remove(task.layout.stage_receipt("ScanPartition", source, listing))
        raise ChangedError(
            error.where, error.what, "Run the same command again: it is scanned again first"
        ) from error


def all_hashes(task: DatasetTask) -> list[HashPartition]:
    """List the hashing of all sources where duplicates are dropped, for the dataset of a task; else nothing."""
    if task.settings.images.duplicates != "drop":
        return []
    return [
        task.clone(HashPartition, source=source, partition=partition)
        for source in task.settings.used
        for partition in task.settings.partitions(source)
    ]


def _left_out(partition: str, error: ArchiveError) -> Found:
    """Make one row of an archive that is not whole."""
    return Found(Member(Path(error.where).name, 0), partition, state=State.BAD_ARCHIVE, reason=error.what)

"""The stages that plan, write and check the shards."""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tol_luigi import __version__
from tol_luigi.core.benchmarks import Benchmarks
from tol_luigi.core.errors import ChangedError, SettingsError, ShardError, SourceError
from tol_luigi.core.files import read_json, remove, write_json
from tol_luigi.core.packing import copy_samples, pack, recopy, repack
from tol_luigi.core.plan import WorkUnit, number
from tol_luigi.core.receipts import FileRecord, Receipt, record_file, record_files
from tol_luigi.core.shard_checks import check_shards, first_damaged
from tol_luigi.core.shards import DifferentBytesError, Shard
from tol_luigi.store.benchmarks import read_benchmarks
from tol_luigi.store.catalogs import count_samples
from tol_luigi.store.ledger import GUARDED_LEDGER, LEDGER, ids_by_shard, write_ledger
from tol_luigi.store.previous import reused_contents
from tol_luigi.store.worklists import CopyList, copy_list, shards_to_rebuild, work_list
from tol_luigi.tasks.bad_shards import collect_bad_shards
from tol_luigi.tasks.base import DatasetTask, StageTask, forget_what_is_complete
from tol_luigi.tasks.benchmarks import HashBenchmarks
from tol_luigi.tasks.matches import CheckMatches
from tol_luigi.tasks.partitions import PartitionTask, all_partitions
from tol_luigi.tasks.predict import PredictCatalog
from tol_luigi.tasks.scan import ScanPartition, rescanned_if_changed
from tol_luigi.tasks.taxa import CheckPredictedTaxa
from tol_luigi.tasks.unread import ReadingStage, read_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import luigi

    from tol_luigi.core.packing import Content, Outcome, ShardToRebuild
    from tol_luigi.core.source import FileContent
    from tol_luigi.store.worklists import WorkList

__all__ = [
    "CheckShards",
    "PlanShards",
    "WriteShards",
]


class PlanShards(StageTask):
    """Settle which shard numbers each (split, source, partition) writes."""

    def requires(self) -> list[DatasetTask]:
        """Require the work list, its taxa checked, and that its images match their names."""
        return [self.clone(PredictCatalog), self.clone(CheckPredictedTaxa), self.clone(CheckMatches)]

    def files(self) -> list[Path]:
        """The plan, as JSON."""
        return [self.layout.plan]

    def make(self) -> None:
        """Count the samples, and number the shards."""
        counts = count_samples(self.layout.predicted)
        shares = [
            (share["split"], share["source"], share["partition"]) for share in all_partitions(self.settings)
        ]
        plan = number([(*share, counts.get(share, 0)) for share in shares], self.settings.shards.max_samples)
        write_json(self.layout.plan, [asdict(share) for share in plan])


class WriteShards(PartitionTask, ReadingStage):
    """Write the shards of one partition of a split; those of train_small are copied out of those of train.

    Where a receipt says that they were written from the same work list, only shards that are missing are written.
    """

    def requires(self) -> list[DatasetTask]:
        """Have the plan, the work list, the benchmarks to keep out, and where the files lie; for train_small the samples, found good."""
        stages: list[DatasetTask] = [self.clone(PlanShards), self.clone(PredictCatalog)]
        if self.split == "train_small":
            return [*stages, self.clone(CheckShards, split="train")]
        if self.settings.leak_guard.images:
            stages.append(self.clone(HashBenchmarks))
        return [*stages, self._scan()]

    def _scan(self) -> ScanPartition:
        return self.clone(ScanPartition, partition=self.settings.listing_of(self.source, self.partition))

    @property
    def receipt_path(self) -> Path:
        """Where the receipt is: it comes into place after the shards and their ledger."""
        return self.layout.receipt(*self.work_unit)

    def shards(self, receipt: Receipt | None = None) -> list[Shard]:
        """Return what a receipt, or the one that is there, says of the shards; nothing if there is none."""
        receipt = receipt or self.receipt()
        return [Shard(**shard) for shard in receipt.more["shards"]] if receipt else []

    @property
    def place(self) -> Path:
        """Return the archive or folder that the images are read from."""
        listing = self.settings.listing_of(self.source, self.partition)
        return self.settings.sources[self.source].reader.place(listing)

    @property
    def folder(self) -> Path:
        """The folder of the shards."""
        return self.layout.shard(self.split, 0).parent

    def run(self) -> None:
        """Withdraw the verdict on older shards, then write shards, ledger and receipt, in this order."""
        forget_what_is_complete()
        if self.complete():  # another process has been quicker
            return
        remove(self.layout.verdict(*self.work_unit))
        inputs = self.inputs()
        share, work = self._share(), self._work()
        notes = {"version": __version__, "work": self._work_digest(work, inputs)}
        with rescanned_if_changed(self, self.source, self.partition):
            if not self._restored(share, work, notes["work"], inputs):
                self._write(share, work, notes, inputs)
        forget_what_is_complete()

    def doubt(self) -> None:
        """Have the work list compared with what the shards were written from; what is copied out of others is copied again."""
        receipt = self.receipt()
        if receipt is None or self.split == "train_small":
            super().doubt()
        else:
            replace(receipt, inputs={}).write(self.receipt_path)

    def _write(
        self, share: WorkUnit, work: WorkList | CopyList, notes: dict[str, str], inputs: dict[str, str]
    ) -> None:
        layout = self.layout
        paths = [layout.shard(self.split, shard) for shard in share.numbers]
        with self.progress("images", share.samples) as tell:
            if isinstance(work, CopyList):
                shards, outcomes = copy_samples(work.copies, paths)
                tell(share.samples)
            else:
                shards, outcomes = self._packed(work, paths, tell)
                files = zip(work.members, outcomes, strict=True)
                self.skipped = [member.name for member, outcome in files if outcome.is_unread]
                self._scan().refuse_changed()
        schema = GUARDED_LEDGER if self.settings.leak_guard.images else LEDGER
        write_ledger(layout.ledger(*self.work_unit), work.ledger(outcomes, share.numbers), schema)
        self.receipt_of(share, shards, notes, inputs).write(self.receipt_path)

    def receipt_of(
        self, share: WorkUnit, shards: list[Shard], notes: dict[str, str], inputs: dict[str, str]
    ) -> Receipt:
        """Return the receipt of shards, with their ledger, as they are."""
        directory = self.layout.directory
        folder = self.folder.relative_to(directory).as_posix()
        files = {f"{folder}/{shard.name}": FileRecord(shard.size, shard.sha256) for shard in shards}
        files |= record_files(directory, [self.layout.ledger(*self.work_unit)])
        more = {
            "split": self.split,
            "source": self.source,
            "partition": self.partition,
            "planned": share.samples,
            "samples": sum(shard.samples for shard in shards),
            "shards": [asdict(shard) for shard in shards],
            **self.more(),
        }
        return Receipt(self.label, self.settings.digest, inputs, files, more, notes)

    def _share(self) -> WorkUnit:
        about = {"split": self.split, "source": self.source, "partition": self.partition}
        for share in read_json(self.layout.plan):
            if about.items() <= share.items():
                return WorkUnit(**share)
        valid = ", ".join(self.settings.partitions(self.source))
        what = "there is no such partition"
        raise SettingsError(f"--partition {self.partition}", what, f"Valid for {self.source} are {valid}")

    def _restored(
        self, share: WorkUnit, work: WorkList | CopyList, digest: str, inputs: dict[str, str]
    ) -> bool:
        """Write missing shards again, if receipt and ledger tell what they were, and nothing else.

        Returns:
            Whether they are there. If not, everything has to be written.
        """
        receipt, ledger = self.receipt(), self.layout.ledger(*self.work_unit)
        planned = [self.layout.shard(self.split, number).name for number in share.numbers]
        if (
            receipt is None
            or receipt.notes.get("work") != digest
            or planned != [shard.name for shard in self.shards(receipt)]
            or not self._is_ledger_whole(receipt)
        ):
            return False
        if self.has_become_readable(receipt):
            remove(self.receipt_path)
            return False
        missing = [
            shard
            for shard in self.shards(receipt)
            if not FileRecord(shard.size, shard.sha256).has_size(self.folder / shard.name)
        ]
        try:
            self._restore(work, shards_to_rebuild(ledger, missing, self.folder))
        except DifferentBytesError as error:  # the inputs have changed, or what is copied
            if self.split == "train_small":
                self._refuse_damaged_train()
            elif self.settings.checks.changed_sources == "stop":
                where = f"{self.settings.sources[self.source].reader.images}: {self.source}/{self.partition}"
                raise ChangedError(
                    where, f"has changed since it was read, or cannot be read ({error})"
                ) from error
            # From here on shards are replaced of which the receipt would not be true.
            remove(self.receipt_path)
            return False
        if receipt.inputs != inputs:
            replace(receipt, inputs=inputs).write(self.receipt_path)
        return True

    def _is_ledger_whole(self, receipt: Receipt) -> bool:
        ledger = self.layout.ledger(*self.work_unit)
        record = receipt.files[ledger.relative_to(self.layout.directory).as_posix()]
        return record.has_size(ledger) and record_file(ledger) == record

    def _restore(self, work: WorkList | CopyList, lost: list[ShardToRebuild]) -> None:
        if isinstance(work, CopyList):
            recopy(work.copies, lost)
            return
        chosen = work.only({image for shard in lost for image in shard.ids})
        with self.progress("images", len(chosen.samples)) as tell:
            contents = self._contents(chosen, is_required=True)
            repack(chosen.samples, contents, lost, spec=self.settings.image_spec, progress=tell)

    def _refuse_damaged_train(self) -> None:
        """Stop if it is train that is damaged: what is copied out of it would be, too, with a receipt that says so."""
        train = self.clone(WriteShards, split="train")
        if damaged := first_damaged(train.folder, train.shards()):
            remove(self.layout.verdict("train", self.source, self.partition))
            what = "it is copied from, and its checksum is not that of the receipt"
            raise ShardError(damaged, what, "Run the same command again: it is checked first then")

    def _work_digest(self, work: WorkList | CopyList, inputs: dict[str, str]) -> str:
        """Return the digest of all that the shards are made of: the work list stands for what it was read from."""
        read = {
            task.label
            for task in self.rests_on()
            if isinstance(task, (PlanShards, PredictCatalog, ScanPartition))
        }
        others = {label: made for label, made in inputs.items() if label not in read}
        return hashlib.sha256(json.dumps([work.digest, others], sort_keys=True).encode()).hexdigest()

    def _work(self) -> WorkList | CopyList:
        return self._copy_list() if self.split == "train_small" else self._work_list()

    def _work_list(self) -> WorkList:
        listing = self.layout.listing(self.source, self.settings.listing_of(self.source, self.partition))
        return work_list(self.layout.predicted, listing, *self.work_unit)

    def _copy_list(self) -> CopyList:
        layout = self.layout
        train = layout.ledger("train", self.source, self.partition)
        return copy_list(
            layout.predicted, train, lambda shard: layout.shard("train", shard), self.source, self.partition
        )

    def _contents(self, work: WorkList, *, is_required: bool = False) -> Iterator[tuple[int, Content]]:
        """Give the picture of each image that an older dataset has, and the file of each other one.

        Args:
            work: The images.
            is_required: Whether every file has to be read, as those of a shard that is lost.
        """
        given, source = self.settings, self.settings.sources[self.source]
        older = given.older
        # Where benchmarks are to be known by their look, every picture has to be looked at.
        if older is None or older.differences(given.determining) or given.leak_guard.images:
            return read_files(self, self.source, self.partition, work.members, is_required=is_required)
        return reused_contents(
            work,
            source.columns,
            listing=self.layout.listing(self.source, given.listing_of(self.source, self.partition)),
            previous_listing=older.listing(self.source, self.partition),
            previous=older.files(self.source, self.partition),
            decode=lambda places, damaged: self._lacking(work, places, damaged, is_required=is_required),
            try_again=self.source not in given.taken,
        )

    def _lacking(
        self, work: WorkList, places: list[int], damaged: list[Path], *, is_required: bool
    ) -> Iterator[tuple[int, FileContent]]:
        """Read what the older dataset does not have whole, if there is anything to read it from."""
        for path in damaged:
            what = "it is not what its receipt says, so nothing is copied from it"
            sys.stderr.write(f"tol_luigi: {self.label}: {path}: {what}\n")
        source = self.settings.sources[self.source]
        if self.source not in self.settings.taken:
            members = [work.members[place] for place in places]
            return read_files(self, self.source, self.partition, members, is_required=is_required)
        because = f", as {damaged[0]} is not what its receipt says" if damaged else ""
        where = f"{source.reader.images}: {self.source}/{self.partition}"
        what = f"{len(places)} of {len(work.members)} images have no picture there{because}"
        raise SourceError(where, what, f"Set [{self.source}] images, or repair that dataset (BuildCatalog)")

    def _packed(
        self, work: WorkList, paths: list[Path], tell: Callable[[int], None]
    ) -> tuple[list[Shard], list[Outcome]]:
        source, given = self.settings.sources[self.source], self.settings
        return pack(
            work.samples,
            self._contents(work),
            paths,
            where=f"{source.reader.images}: {self.source}/{self.partition}",
            spec=given.image_spec,
            seed=given.dataset.seed,
            shuffled=given.shards.order == "shuffled",
            max_bad_percent=given.checks.max_bad_percent,
            progress=tell,
            benchmarks=self._benchmarks(),
        )

    def _benchmarks(self) -> Benchmarks | None:
        guard = self.settings.leak_guard
        if not guard.images:
            return None
        return Benchmarks(read_benchmarks(self.layout.benchmarks), guard.distance)


class CheckShards(PartitionTask, StageTask):
    """Read every shard of one partition of a split once, and compare it with receipt and ledger."""

    def requires(self) -> list[DatasetTask]:
        """Have the shards; for train_small also those of train found good, out of which damaged ones are copied."""
        before = [self.clone(CheckShards, split="train")] if self.split == "train_small" else []
        return [self.clone(WriteShards), *before]

    def rests_on(self) -> list[luigi.Task]:
        """Rest on the shards alone: that those of train are checked once more changes nothing here."""
        return [self.clone(WriteShards)]

    @property
    def receipt_path(self) -> Path:
        """Where the receipt is: it is the verdict."""
        return self.layout.verdict(*self.work_unit)

    def answers_for(self) -> dict[Path, FileRecord]:
        """Return the files that were checked."""
        return self.clone(WriteShards).answers_for()

    def is_intact(self, receipt: Receipt) -> bool:
        """Return whether the verdict is good."""
        return not receipt.more["findings"]

    def run(self) -> None:
        """Check; as the settings say, write damaged shards once more; then judge."""
        forget_what_is_complete()
        if self.complete():  # another process has been quicker
            return
        inputs, findings = self._check()
        if findings and self.settings.checks.repair:
            inputs, findings = self._repaired({Path(finding["shard"]) for finding in findings}, inputs)
        self.write_verdict(findings, inputs)
        forget_what_is_complete()
        if findings:
            collect_bad_shards(self.layout, all_partitions(self.settings))
            first = findings[0]
            remedy = f"See {self.layout.bad_shards}; delete those files, and run the same command again"
            raise ShardError(first["shard"], f"{first['what']} ({len(findings)} findings)", remedy)

    def write_verdict(self, findings: list[dict[str, str]], inputs: dict[str, str]) -> None:
        """Write the verdict on the shards that these inputs stand for."""
        # What was found good counts as something else where other shards were.
        more = {"findings": findings, "about": inputs}
        Receipt(self.label, self.settings.digest, inputs, {}, more).write(self.receipt_path)

    def _repaired(
        self, damaged: set[Path], before: dict[str, str]
    ) -> tuple[dict[str, str], list[dict[str, str]]]:
        """Delete damaged shards, so that they are written again, and check those; all, where all were written."""
        remove(self.receipt_path)
        for path in damaged:
            remove(path)
        self.clone(WriteShards).run()
        return self._check({path.name for path in damaged} if self.inputs() == before else None)

    def _check(self, names: set[str] | None = None) -> tuple[dict[str, str], list[dict[str, str]]]:
        """Check the shards of these names, or all; return what stands for them, too."""
        layout, inputs = self.layout, self.inputs()
        written = self.clone(WriteShards).shards()
        shards = [shard for shard in written if names is None or shard.name in names]
        size = self.settings.images.width, self.settings.images.height
        ids = ids_by_shard(layout.ledger(*self.work_unit))
        with self.progress("shards", len(shards)) as tell:
            return inputs, check_shards(layout.shard(self.split, 0).parent, shards, ids, size, tell)

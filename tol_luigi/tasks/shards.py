"""The stages that write and check the shards."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tol_luigi import __version__
from tol_luigi.core.benchmarks import Benchmarks
from tol_luigi.core.copying import copy_samples, in_folder, recopy
from tol_luigi.core.digests import json_digest
from tol_luigi.core.errors import ChangedError, ShardError
from tol_luigi.core.files import read_json, remove
from tol_luigi.core.jpeg_decoding import decoder_name
from tol_luigi.core.packing import pack, repack, shipping_order
from tol_luigi.core.plan import WorkUnit
from tol_luigi.core.receipts import FileRecord, Receipt, record_file
from tol_luigi.core.resampling import kernel_name
from tol_luigi.core.shard_checks import first_damaged
from tol_luigi.core.shards import DifferentBytesError, Shard, shard_name
from tol_luigi.core.splits import SPLITS
from tol_luigi.report.text import counted
from tol_luigi.store.benchmarks import read_benchmarks
from tol_luigi.store.ledger import GUARDED_LEDGER, LEDGER, ids_by_shard, write_ledger
from tol_luigi.store.rewriting import without_samples
from tol_luigi.store.withheld import read_withheld
from tol_luigi.store.worklists import CopyList, copy_list, shards_to_rebuild, work_list
from tol_luigi.tasks.bad_shards import collect_bad_shards
from tol_luigi.tasks.benchmarks import HashBenchmarks
from tol_luigi.tasks.contents import read_contents
from tol_luigi.tasks.image_sizes import ShardStage, check_sizes
from tol_luigi.tasks.label_columns import sample_form
from tol_luigi.tasks.partitions import PartitionTask, all_partitions
from tol_luigi.tasks.plan import PlanShards
from tol_luigi.tasks.predict import PredictCatalog
from tol_luigi.tasks.rights import WithholdImages
from tol_luigi.tasks.rights_settings import withholds
from tol_luigi.tasks.scan import ScanPartition, rescanned_if_changed
from tol_luigi.tasks.stage import StageTask, clear_completion_cache
from tol_luigi.tasks.unread import UNREAD

if TYPE_CHECKING:
    from collections.abc import Callable

    import luigi
    import pyarrow as pa

    from tol_luigi.core.packing import Outcome, ShardToRebuild, Withheld
    from tol_luigi.store.worklists import WorkList
    from tol_luigi.tasks.base import DatasetTask

__all__ = [
    "CheckShards",
    "WriteShards",
    "written_shards",
]


_RIGHTS = "[rights]"
"""The name of the digest of withheld images among the inputs."""


class WriteShards(ShardStage):
    """Write the shards of one partition of a split; samples of train_small are copied from train.

    If a receipt shows that they were written from the same work list, only the missing shards are written.
    """

    def requires(self) -> list[DatasetTask]:
        """Require plan, work list, benchmarks and listing; for train_small, the checked shards of train."""
        stages: list[DatasetTask] = [self.clone(PlanShards), self.clone(PredictCatalog)]
        if self.split == "train_small":
            return [*stages, self.clone(CheckShards, split="train")]
        if self.settings.leak_guard.images:
            stages.append(self.clone(HashBenchmarks))
        if withholds(self.settings):
            stages.append(self.clone(WithholdImages))
        return [*stages, self._scan()]

    def inputs(self) -> dict[str, str]:
        """Return the digests of the input stages; of the withheld images, only those of this partition count."""
        inputs, rights = super().inputs(), self.clone(WithholdImages)
        if inputs.pop(rights.label, None) is not None and (digest := rights.digest_of(*self.work_unit)):
            inputs[_RIGHTS] = digest
        return inputs

    def _scan(self) -> ScanPartition:
        return self.clone(ScanPartition, partition=self.settings.listing_of(self.source, self.partition))

    @property
    def place(self) -> Path:
        """Return the archive or folder that the images are read from."""
        listing = self.settings.listing_of(self.source, self.partition)
        return self.settings.sources[self.source].reader.place(listing)

    def run(self) -> None:
        """Write the shards, unless another process has been faster."""
        if not self.is_complete_now():
            self.write_missing_shards()

    def write_missing_shards(self) -> None:
        """Write the missing shards if the receipt is still valid, else all; then ledger and receipt.

        The verdict on the existing shards is removed first.
        """
        remove(self.layout.verdict(*self.work_unit))
        inputs = self.inputs()
        share, work = self._share(), self._work()
        notes = {"version": __version__, "work": self._work_digest(work, inputs)}
        with rescanned_if_changed(self, self.source, self.partition):
            if not self._try_restore(share, work, notes["work"], inputs) and not self._try_withhold(
                share, work, notes, inputs
            ):
                self._write_all(share, work, notes, inputs)

    def invalidate(self) -> None:
        """Force a comparison with the work list that the shards were written from; copies are made again."""
        receipt = self.receipt()
        if receipt is None or self.split == "train_small":
            super().invalidate()
        else:
            replace(receipt, inputs={}).write(self.receipt_path)

    def _write_all(
        self, share: WorkUnit, work: WorkList | CopyList, notes: dict[str, str], inputs: dict[str, str]
    ) -> None:
        layout = self.layout
        paths, *others = [[folder / shard_name(shard) for shard in share.numbers] for folder in self.folders]
        with self.progress("images", share.samples) as progress:
            if isinstance(work, CopyList):
                shards, outcomes = copy_samples(work.copies, paths)
                further = [
                    copy_samples(in_folder(work.copies, folder), each)[0]
                    for folder, each in zip(self._train.folders[1:], others, strict=True)
                ]
                progress(share.samples)
            else:
                shards, outcomes, further = self._packed(work, paths, others, progress)
                files = zip(work.members, outcomes, strict=True)
                self.skipped = [member.name for member, outcome in files if outcome.is_unread]
                self._scan().validate_unchanged()
        write_ledger(layout.ledger(*self.work_unit), work.ledger(outcomes, share.numbers), self._schema)
        self.receipt_of(share, shards, notes, inputs, further).write(self.receipt_path)

    def _share(self) -> WorkUnit:
        fields = {"split": self.split, "source": self.source, "partition": self.partition}
        return next(
            WorkUnit(**share) for share in read_json(self.layout.plan) if fields.items() <= share.items()
        )

    def _try_restore(
        self, share: WorkUnit, work: WorkList | CopyList, digest: str, inputs: dict[str, str]
    ) -> bool:
        """Write the missing shards again, if receipt and ledger determine their content.

        Returns:
            Whether all shards exist now. If not, all must be written.
        """
        receipt, ledger = self.receipt(), self.layout.ledger(*self.work_unit)
        if receipt is None or not self._is_made_from(digest, share, receipt):
            return False
        if self.has_become_readable(receipt):
            remove(self.receipt_path)
            return False
        lost: list[ShardToRebuild] = []
        for size, folder in enumerate(self.folders):
            missing = [
                shard
                for shard in self.shards(receipt, size)
                if not FileRecord(shard.size, shard.sha256).has_size(folder / shard.name)
            ]
            lost += shards_to_rebuild(ledger, missing, folder, size)
        try:
            self._restore(work, lost)
        except DifferentBytesError as error:  # the inputs or the copied shards have changed
            if self.split == "train_small":
                self._validate_train()
            elif self.is_guarded:
                where = f"{self.settings.sources[self.source].reader.images}: {self.source}/{self.partition}"
                raise ChangedError(
                    where, f"has changed since it was read, or cannot be read ({error})"
                ) from error
            # Shards are replaced from here on, so the receipt would become false.
            remove(self.receipt_path)
            return False
        if receipt.inputs != inputs:
            replace(receipt, inputs=inputs).write(self.receipt_path)
        return True

    def _try_withhold(
        self, share: WorkUnit, work: WorkList | CopyList, notes: dict[str, str], inputs: dict[str, str]
    ) -> bool:
        """Remove further images from existing shards, if nothing else has changed since these were written.

        Returns:
            Whether all shards are up to date now. If not, all must be written.
        """
        receipt, ledger = self.receipt(), self.layout.ledger(*self.work_unit)
        if receipt is None or isinstance(work, CopyList) or self.has_become_readable(receipt):
            return False
        if (
            self.settings.images.further_sizes
        ):  # the ledger has the places of the samples in the own size only
            return False
        others = {label: digest for label, digest in inputs.items() if label != _RIGHTS}
        before = others | ({_RIGHTS: receipt.inputs[_RIGHTS]} if _RIGHTS in receipt.inputs else {})
        if not self._is_made_from(self._work_digest(work, before), share, receipt):
            return False
        found = without_samples(ledger, self.shards(receipt), self.folder, self._withheld())
        if found is None:
            return False
        shards, rows = found
        self.skipped = receipt.more.get(UNREAD, ())
        write_ledger(ledger, rows, self._schema)
        self.receipt_of(share, shards, notes, inputs).write(self.receipt_path)
        return True

    def _withheld(self) -> dict[str, Withheld]:
        """Return the images to leave out because of their rights, by id."""
        return read_withheld(self.layout.withheld, *self.work_unit) if withholds(self.settings) else {}

    @property
    def _schema(self) -> pa.Schema:
        return GUARDED_LEDGER if self.settings.leak_guard.images else LEDGER

    def _is_made_from(self, work: str, share: WorkUnit, receipt: Receipt) -> bool:
        """Return whether the planned shards were written from the work with this digest, and their ledger is intact."""
        planned = [self.layout.shard(self.split, number).name for number in share.numbers]
        return (
            receipt.notes.get("work") == work
            and all(
                planned == [shard.name for shard in self.shards(receipt, size)]
                for size in range(len(self.folders))
            )
            and self._is_ledger_intact(receipt)
        )

    def _is_ledger_intact(self, receipt: Receipt) -> bool:
        ledger = self.layout.ledger(*self.work_unit)
        record = receipt.files[ledger.relative_to(self.layout.directory).as_posix()]
        return record.has_size(ledger) and record_file(ledger) == record

    def _restore(self, work: WorkList | CopyList, lost: list[ShardToRebuild]) -> None:
        if isinstance(work, CopyList):
            for size, folder in enumerate(self._train.folders):
                if mine := [shard for shard in lost if shard.size == size]:
                    recopy(in_folder(work.copies, folder) if size else work.copies, mine)
            return
        chosen = work.only({image for shard in lost for image in shard.ids})
        with self.progress("images", len(chosen.samples)) as progress:
            contents = read_contents(self, chosen, self._withheld(), is_required=True)
            spec, threads = self.settings.image_spec, self.settings.images.threads
            repack(chosen.samples, contents, lost, spec=spec, progress=progress, threads=threads)

    def _validate_train(self) -> None:
        """Raise an error if a shard of train is damaged: its copies would be damaged, but have a receipt."""
        for size, folder in enumerate(self._train.folders):
            if damaged := first_damaged(folder, self._train.shards(size=size)):
                remove(self.layout.verdict("train", self.source, self.partition))
                what = "it would be copied, but its checksum differs from its receipt"
                raise ShardError(damaged, what, "Run the same command again: it then checks this shard first")

    @property
    def _train(self) -> WriteShards:
        return self.clone(WriteShards, split="train")

    def _work_digest(self, work: WorkList | CopyList, inputs: dict[str, str]) -> str:
        """Return the digest of all inputs; the work list's digest replaces the digests of its tables."""
        read = {
            task.label
            for task in self.input_tasks()
            if isinstance(task, (PlanShards, PredictCatalog, ScanPartition))
        }
        others = {label: digest for label, digest in inputs.items() if label not in read}
        return json_digest([work.digest, others])

    def _work(self) -> WorkList | CopyList:
        return self._copy_list() if self.split == "train_small" else self._work_list()

    def _work_list(self) -> WorkList:
        listing = self.layout.listing(self.source, self.settings.listing_of(self.source, self.partition))
        texts = sample_form(self.settings)
        return work_list(self.layout.predicted, listing, *self.work_unit, texts=texts)

    def _copy_list(self) -> CopyList:
        layout = self.layout
        train = layout.ledger("train", self.source, self.partition)
        return copy_list(
            layout.predicted,
            train,
            lambda shard: layout.shard("train", shard),
            self.source,
            self.partition,
            order=partial(shipping_order, seed=self.settings.dataset.seed, shuffled=self._is_shuffled),
        )

    @property
    def _is_shuffled(self) -> bool:
        return self.settings.shards.order == "shuffled"

    def _packed(
        self, work: WorkList, paths: list[Path], further: list[list[Path]], progress: Callable[[int], None]
    ) -> tuple[list[Shard], list[Outcome], list[list[Shard]]]:
        source, settings = self.settings.sources[self.source], self.settings
        images = settings.images
        self.image_code = {"decoder": decoder_name(images.decoder), "kernel": kernel_name(images.kernel)}
        return pack(
            work.samples,
            read_contents(self, work, self._withheld()),
            paths,
            where=f"{source.reader.images}: {self.source}/{self.partition}",
            spec=settings.image_spec,
            seed=settings.dataset.seed,
            shuffled=self._is_shuffled,
            max_bad_percent=settings.checks.max_bad_percent,
            progress=progress,
            benchmarks=self._benchmarks(),
            withheld=self._withheld(),
            further=further,
            threads=settings.images.threads,
        )

    def _benchmarks(self) -> Benchmarks | None:
        guard = self.settings.leak_guard
        if not guard.images:
            return None
        return Benchmarks(read_benchmarks(self.layout.benchmarks), guard.distance)


class CheckShards(PartitionTask, StageTask):
    """Read every shard of one partition of a split once, and compare it with receipt and ledger."""

    def requires(self) -> list[DatasetTask]:
        """Require the shards; for train_small, also the checked shards of train, to copy from them again."""
        before = [self.clone(CheckShards, split="train")] if self.split == "train_small" else []
        return [self.clone(WriteShards), *before]

    def input_tasks(self) -> list[luigi.Task]:
        """Return only the task that writes the shards: another check of train changes nothing here."""
        return [self.clone(WriteShards)]

    @property
    def receipt_path(self) -> Path:
        """Return the path of the receipt, which is the verdict."""
        return self.layout.verdict(*self.work_unit)

    def output_records(self) -> dict[Path, FileRecord]:
        """Return the records of the checked files."""
        return self.clone(WriteShards).output_records()

    def is_intact(self, receipt: Receipt) -> bool:
        """Return whether the verdict has no findings."""
        return not receipt.more["findings"]

    def run(self) -> None:
        """Check the shards; write damaged ones again, if the settings allow that; fail if findings remain."""
        if self.is_complete_now():  # another process was faster
            return
        inputs, findings = self._check()
        if findings and self.settings.checks.repair:
            inputs, findings = self._repaired({Path(finding["shard"]) for finding in findings}, inputs)
        self.write_verdict(findings, inputs)
        if findings:
            collect_bad_shards(self.layout, all_partitions(self.settings))
            first = findings[0]
            remedy = f"See {self.layout.bad_shards}; delete those files, and run the same command again"
            raise ShardError(first["shard"], f"{first['what']} ({counted(len(findings), 'finding')})", remedy)

    def write_verdict(self, findings: list[dict[str, str]], inputs: dict[str, str]) -> None:
        """Write the verdict on the shards made from these inputs."""
        # Without the inputs, good verdicts on different shards would have the same digest.
        more = {"findings": findings, "about": inputs}
        Receipt(self.label, self.settings.digest, inputs, {}, more).write(self.receipt_path)

    def _repaired(
        self, damaged: set[Path], before: dict[str, str]
    ) -> tuple[dict[str, str], list[dict[str, str]]]:
        """Delete damaged shards, have them written again, and check those; all, if all were written."""
        remove(self.receipt_path)
        for path in damaged:
            remove(path)
        clear_completion_cache()
        shards = self.clone(WriteShards)
        if not shards.complete():  # another process may have written them
            shards.write_missing_shards()
        return self._check({path.name for path in damaged} if self.inputs() == before else None)

    def _check(self, names: set[str] | None = None) -> tuple[dict[str, str], list[dict[str, str]]]:
        """Check the shards with these names, or all; return their inputs and the findings."""
        inputs, written = self.inputs(), self.clone(WriteShards)
        shards = [
            [shard for shard in written.shards(size=size) if names is None or shard.name in names]
            for size in range(len(written.folders))
        ]
        return inputs, check_sizes(self, shards, ids_by_shard(self.layout.ledger(*self.work_unit)))


def written_shards(task: DatasetTask, size: int = 0) -> dict[str, list[Shard]]:
    """Return the shards of each split, in order, as the receipts of all partitions record them.

    Args:
        task: A task of the dataset.
        size: The position of their image size among all sizes.
    """
    found: dict[str, list[Shard]] = {split: [] for split in SPLITS}
    for share in all_partitions(task.settings):
        found[share["split"]] += task.clone(WriteShards, **share).shards(size=size)
    return {split: sorted(shards, key=lambda one: one.name) for split, shards in found.items()}

"""The stages that choose samples by their features, and copy them to shards of their own."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import luigi

from tol_luigi.core.copying import copy_samples
from tol_luigi.core.errors import DatasetError, LedgerError, SettingsError
from tol_luigi.core.files import read_json, remove, write_json
from tol_luigi.core.plan import WorkUnit, number
from tol_luigi.core.receipts import FileRecord, Receipt, record_files
from tol_luigi.core.shards import Shard, shard_number
from tol_luigi.report.selection import selection_text
from tol_luigi.store.attribution import attribution_files, write_attribution
from tol_luigi.store.ledger import LEDGER, write_ledger
from tol_luigi.store.selections import (
    SELECTION_TABLE,
    catalog_files,
    chosen_taxa,
    count_by_partition,
    selection_ledger,
    selection_samples,
    selection_states,
    write_selection_catalog,
)
from tol_luigi.tasks.card import index_paths, write_indexes
from tol_luigi.tasks.catalog import WriteCatalog
from tol_luigi.tasks.feature_report import ExtractFeatures
from tol_luigi.tasks.feature_settings import feature_families, feature_set
from tol_luigi.tasks.near_duplicates import FindNearDuplicates
from tol_luigi.tasks.partitions import SourceParameter, all_partitions
from tol_luigi.tasks.reports import ReportTarget
from tol_luigi.tasks.selection_settings import (
    compared_vector,
    finds_near_duplicates,
    selection_digest,
    selection_spec,
)
from tol_luigi.tasks.shards import CheckShards
from tol_luigi.tasks.stage import StageTask

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Sequence
    from pathlib import Path

    from tol_luigi.core.packing import Outcome
    from tol_luigi.features.selection import Tables
    from tol_luigi.tasks.base import DatasetTask

__all__ = ["CatalogSelection", "SelectSamples", "WriteSelection", "selection_tables"]


class _SelectionStage(StageTask):
    """A stage of the selection of the settings."""

    @property
    def name(self) -> str:
        """Return the name of the selection."""
        if self.settings.select.name is None:
            what = "it is empty, so nothing is selected"
            raise SettingsError("[select] name", what, "Set it, for example to selected")
        return self.settings.select.name

    @property
    def folder(self) -> Path:
        """Return the folder of the tables of the selection."""
        return self.layout.selection(self.name)

    @property
    def table(self) -> Path:
        """Return the path of the table with the state of each sample."""
        return self.folder / SELECTION_TABLE

    @property
    def plan(self) -> Path:
        """Return the path of the numbers of the shards."""
        return self.folder / "plan.json"

    def inputs(self) -> dict[str, str]:
        """Return the digests of the input stages, and of the settings of the selection."""
        return {**super().inputs(), "[select]": selection_digest(self.settings)}

    @property
    def shares(self) -> list[dict[str, str]]:
        """Return split, source and partition of all that samples can come from."""
        split = self.settings.select.split
        return [share for share in all_partitions(self.settings) if share["split"] == split]


class SelectSamples(_SelectionStage):
    """Choose samples: drop those for which a rule is true, and take at most so many of each species."""

    def requires(self) -> list[DatasetTask]:
        """Require the catalog, the features, and the near-duplicates, if they are looked for."""
        features = [self.clone(ExtractFeatures)] if feature_set(self.settings).extractors else []
        near = [self.clone(FindNearDuplicates)] if finds_near_duplicates(self.settings) else []
        return [self.clone(WriteCatalog), *features, *near]

    def files(self) -> list[Path]:
        """Return the table, the numbers of the shards, and the report as JSON and as text."""
        return [self.table, self.plan, *self._target.files]

    @property
    def _target(self) -> ReportTarget:
        return ReportTarget(self.folder / "report.json")

    def make(self) -> None:
        """Compute the state of each sample; number the shards; report.

        Raises:
            SettingsError: No sample is selected.
        """
        from tol_luigi.features.selection import select_samples, selection_figures  # noqa: PLC0415 (slow to load)

        spec, threads = selection_spec(self.settings), self.settings.features.threads
        selected = select_samples(spec, selection_tables(self), self.table, threads)
        figures = selection_figures(spec, selected, chosen_taxa(self.table, self.layout.catalog))
        if not figures["selected"]:
            what = f"no sample of {spec.split} is selected"
            raise SettingsError(
                "[filter], [select]", what, "Change them; tol select --dry-run says what drops the samples"
            )
        chosen = count_by_partition(self.table)
        plan = [
            (self.name, one["source"], one["partition"], chosen.get((one["source"], one["partition"]), 0))
            for one in self.shares
        ]
        write_json(self.plan, [asdict(unit) for unit in number(plan, self.settings.shards.max_samples)])
        self._target.write(figures, selection_text(figures))

    def summary(self) -> str:
        """Return the report as text."""
        return self._target.text_file.read_text(encoding="utf-8")


def selection_tables(task: StageTask) -> Tables:
    """Return the tables that a selection reads.

    Raises:
        DatasetError: The split has no samples.
    """
    from tol_luigi.features.selection import Tables  # noqa: PLC0415 (as above)

    settings, layout = task.settings, task.layout
    split, families = settings.select.split, feature_families(settings)
    found = task.clone(ExtractFeatures).families() if families else ()
    shards = [(shard, own) for of_split, shard, own in found if of_split == split]
    if families and not shards:
        raise DatasetError(
            layout.shards, f"split {split} has no samples", "Set [select] split to another one"
        )
    names = [next(iter(own.values())).name for _, own in shards]
    paths = [[layout.features / family.folder / f"{name}.parquet" for name in names] for family in families]
    near = layout.near_duplicates if finds_near_duplicates(settings) else None
    vectors: dict[int, Path] = {}
    if compared := compared_vector(settings):
        extractor, vector = compared
        vectors = {shard_number(shard.name): own[extractor.name].vector(vector) for shard, own in shards}
    return Tables(layout.catalog, families, paths, near, vectors)


class WriteSelection(_SelectionStage):
    """Copy the selected samples of one partition to shards of their own, as they are encoded."""

    source: str = SourceParameter(description="the source's name")
    partition: str = luigi.Parameter(description="the partition's name")

    def requires(self) -> list[DatasetTask]:
        """Require the selection, and the checked shards."""
        return [self.clone(SelectSamples), self.clone(CheckShards, split=self.settings.select.split)]

    @property
    def receipt_path(self) -> Path:
        """Return the path of the receipt, which lists the shards."""
        return self.layout.receipt(self.name, self.source, self.partition)

    @property
    def ledger(self) -> Path:
        """Return the path of the ledger: the state of each image of the partition."""
        return self.layout.ledger(self.name, self.source, self.partition)

    def shards(self) -> list[Shard]:
        """Return the shards in the receipt; none without a receipt."""
        receipt = self.receipt()
        return [Shard(**shard) for shard in receipt.more["shards"]] if receipt else []

    def run(self) -> None:
        """Write the shards, the ledger and the receipt, unless another process has been faster."""
        has_receipt = self.receipt_path.exists()
        if self.is_complete_now():
            return
        self.withdraw(has_receipt=has_receipt)
        inputs, unit, split = self.inputs(), self._unit(), self.settings.select.split
        ledger = self.layout.ledger(split, self.source, self.partition)
        copies = selection_samples(
            self.table, ledger, lambda shard: self.layout.shard(split, shard), self.source, self.partition
        )
        paths = [self.layout.shard(self.name, shard) for shard in unit.numbers]
        with self.progress("images", unit.samples) as progress:
            shards, outcomes = copy_samples(copies, paths)
            progress(len(copies))
        self._write_ledger(ledger, outcomes, [copy.id for copy in copies], unit)
        self._receipt_of(unit, shards, inputs).write(self.receipt_path)

    def _unit(self) -> WorkUnit:
        for unit in read_json(self.plan):
            if (unit["source"], unit["partition"]) == (self.source, self.partition):
                return WorkUnit(**unit)
        raise SettingsError(f"--partition {self.partition}", "there is no such partition", "See tol plan")

    def _write_ledger(self, ledger: Path, outcomes: list[Outcome], ids: list[str], unit: WorkUnit) -> None:
        states = selection_states(self.table, self.source, self.partition)
        rows = selection_ledger(ledger, states, dict(zip(ids, outcomes, strict=True)), unit.numbers)
        write_ledger(self.ledger, rows, LEDGER)

    def _receipt_of(self, unit: WorkUnit, shards: list[Shard], inputs: dict[str, str]) -> Receipt:
        directory = self.layout.directory
        folder = self.layout.shard(self.name, 0).parent.relative_to(directory).as_posix()
        files = {f"{folder}/{shard.name}": FileRecord(shard.size, shard.sha256) for shard in shards}
        files |= record_files(directory, [self.ledger])
        more: dict[str, Any] = {
            "split": self.name,
            "source": self.source,
            "partition": self.partition,
            "planned": unit.samples,
            "samples": sum(shard.samples for shard in shards),
            "shards": [asdict(shard) for shard in shards],
        }
        return Receipt(self.label, self.settings.digest, inputs, files, more)


class CatalogSelection(_SelectionStage):
    """Write the catalog of the selection, after checking that its ledgers add up; its attributions and indexes of shards."""

    def requires(self) -> list[DatasetTask]:
        """Require the shards of all partitions, and the catalog."""
        return [
            self.clone(WriteCatalog),
            self.clone(SelectSamples),
            *self._written,
        ]

    def files(self) -> list[Path]:
        """Return the catalog in both forms, the attributions, and the indexes of the shards."""
        shards, layout = self._shards(), self.layout
        indexes = index_paths(layout.shard(self.name, 0).parent, shards)
        return [
            *catalog_files(self.folder),
            *attribution_files(layout.attribution, self.name, _numbers(shards)),
            *indexes,
        ]

    def is_intact(self, receipt: Receipt) -> bool:
        """Return whether all files exist, also those that a selection of an earlier release lacks."""
        lists_attributions = any(name.endswith(f"/{self.name}.csv") for name in receipt.files)
        return lists_attributions and super().is_intact(receipt)

    def _shards(self) -> list[Shard]:
        """Return the shards of the selection, in order."""
        return [shard for task in self._written for shard in task.shards()]

    @property
    def _written(self) -> list[WriteSelection]:
        """Return the stages that write its shards."""
        return [self.clone(WriteSelection, **_place(share)) for share in self.shares]

    def make(self) -> None:
        """Check the sums, write catalog, attributions and indexes, and remove what is of shards of a larger selection."""
        layout, ledgers = self.layout, [task.ledger for task in self._written]
        with self.progress("samples") as progress:
            counts = write_selection_catalog(layout.catalog, self.name, ledgers, self.folder, progress)
        self._validate(counts)
        shards, folder = self._shards(), layout.shard(self.name, 0).parent
        self._attribute(shards)
        write_indexes(folder, shards)
        known = {*self.files(), *(folder / shard.name for shard in shards)}
        attributions = layout.attribution / self.name
        for path in sorted([*folder.glob("shard-[0-9]*.tar"), *attributions.glob("shard-[0-9]*.csv")]):
            if path not in known:
                remove(path)

    def _attribute(self, shards: Sequence[Shard]) -> None:
        """Write licence and owner of each sample, for all shards and for each of them."""
        layout, (_, catalog) = self.layout, catalog_files(self.folder)
        with self.progress("samples") as progress:
            for rows in write_attribution(
                layout.attribution,
                self.name,
                _numbers(shards),
                layout.catalog,
                layout.licenses,
                selection=catalog,
            ):
                progress(rows)

    def _validate(self, counts: Counter[str]) -> None:
        """Raise an error if the ledgers have other sums than the report."""
        figures = read_json(self.folder / "report.json")
        dropped = sum(figures["filtered"].values()) + figures["too_few"] + figures["surplus"]
        expected = figures["selected"], figures["samples"]
        found = counts["written"], counts["written"] + dropped
        if expected != found:
            what = f"{found[0]} of {expected[0]} selected samples were written, {dropped} were not selected"
            raise LedgerError(self.folder, what, "Delete the folder, and run the same command again")


def _numbers(shards: Sequence[Shard]) -> list[int]:
    return [shard_number(shard.name) for shard in shards]


def _place(share: dict[str, str]) -> dict[str, str]:
    return {"source": share["source"], "partition": share["partition"]}

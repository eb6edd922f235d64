"""The stage that compares a dataset with the previous one whose images it reuses."""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

from tol_luigi.core.errors import SettingsError
from tol_luigi.core.receipts import read_receipt
from tol_luigi.report.relabelling import (
    faults_text,
    moves_figures,
    moves_text,
    relabelling_figures,
    relabelling_text,
)
from tol_luigi.store.catalogs import TOL_ID
from tol_luigi.store.changes import Labelled, Moves, count_changes
from tol_luigi.tasks.base import DatasetTask
from tol_luigi.tasks.build import BuildCatalog
from tol_luigi.tasks.error_lines import refuse
from tol_luigi.tasks.reports import ReportTarget
from tol_luigi.taxonomy.published_faults import FAULT_TEXTS, PublishedFaults

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tol_luigi.core.layout import Layout

__all__ = ["RelabelShards"]


class RelabelShards(DatasetTask):
    """Build a dataset that reuses the images of a previous one ([dataset] reuse), and report what differs."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(*args, **kwargs)
        previous = self.settings.previous
        if previous is None or previous.layout.directory == self.layout.directory:
            what = "empty, or the dataset itself, so there are no images to reuse"
            remedy = "Set --dataset-reuse to the folder <root>/<tag> of a previous dataset"
            refuse(SettingsError("[dataset] reuse", what, remedy))
            raise AssertionError  # not reached, which mypy cannot know
        self.previous = previous

    def requires(self) -> BuildCatalog:
        """Require the dataset, built with copied images wherever possible."""
        return self.clone(BuildCatalog)

    @property
    def _about(self) -> dict[str, str]:
        return {"older": _mark(self.previous.layout), "newer": _mark(self.layout)}

    def output(self) -> ReportTarget:
        """Return the report, which exists if it compares these two datasets in their current state."""
        return ReportTarget(self.layout.relabel_report, about=self._about)

    def complete(self) -> bool:
        """Return whether the report exists and the dataset is complete."""
        return bool(super().complete()) and self.requires().complete()

    def run(self) -> None:
        """Compare the datasets source by source, and write the report."""
        faults = PublishedFaults() if self._gains_reference else None
        moves = Moves(observe=faults.add if faults else None)
        changes = {source: self._changes(source, moves) for source in self.settings.used}
        figures = {**relabelling_figures(changes), **moves_figures(moves.kinds, moves.rules, moves.examples)}
        text = relabelling_text(self.previous.layout.directory, self.layout.directory, changes)
        text += moves_text(figures)
        if faults:
            faults.add_unnamed(pq.read_metadata(self.previous.layout.names_ledger).num_rows)
            figures["published_faults"] = faults.figures()
            text += faults_text(figures["published_faults"], FAULT_TEXTS)
        self.output().write({"about": self._about, **figures}, text)
        sys.stdout.write(text)
        sys.stdout.flush()

    @property
    def _gains_reference(self) -> bool:
        """Return whether the names were published ones before, and are those of a reference taxonomy now."""
        schema = pq.read_schema(self.previous.layout.predicted)
        return self.settings.uses_reference and TOL_ID not in schema.names

    def _changes(self, source: str, moves: Moves) -> Counter[str]:
        """Compare partition by partition if both datasets have the same partitions."""
        before, after = self.previous.partitions(source), self.settings.partitions(source)
        alike = self.previous.has_same_partitions(source, self.settings.determining)
        counts: Counter[str] = Counter()
        for mine in [[name] for name in after] if alike else [after]:
            previous = self._labelled(self.previous.layout, source, mine if alike else before)
            found = count_changes(
                source,
                self.settings.plugins[source].columns,
                previous,
                self._labelled(self.layout, source, mine),
                moves,
            )
            counts.update(found)
        return counts

    @staticmethod
    def _labelled(layout: Layout, source: str, partitions: Sequence[str]) -> Labelled:
        ledgers = [layout.ledger(split, source, name) for split in ("train", "val") for name in partitions]
        return Labelled(layout.predicted, partitions, ledgers)


def _mark(layout: Layout) -> str:
    """Return a mark that identifies a dataset in its current state."""
    receipt = read_receipt(layout.stage_receipt("WriteCatalog"))
    return f"{layout.directory} {receipt.digest[:12] if receipt else 'unfinished'}"

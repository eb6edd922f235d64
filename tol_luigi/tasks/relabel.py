"""The stage that compares a dataset with the older one that its pictures were copied from."""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

from tol_luigi.core.errors import SettingsError
from tol_luigi.core.receipts import read_receipt
from tol_luigi.report.relabelling import relabelling_figures, relabelling_text
from tol_luigi.sources import SOURCES
from tol_luigi.store.changes import Labelled, count_changes
from tol_luigi.tasks.base import DatasetTask
from tol_luigi.tasks.build import BuildCatalog
from tol_luigi.tasks.error_lines import refuse
from tol_luigi.tasks.reports import ReportTarget

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tol_luigi.core.layout import Layout

__all__ = ["RelabelShards"]


class RelabelShards(DatasetTask):
    """Build a dataset with the pictures of an older one, which [dataset] reuse names, and tell what has changed."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(*args, **kwargs)
        older = self.settings.older
        if older is None or older.layout.directory == self.layout.directory:
            what = "it names no other dataset, with whose pictures this one could be built"
            refuse(
                SettingsError(
                    "[dataset] reuse", what, "Give --dataset-reuse <root>/<tag> of an older dataset"
                )
            )
            raise AssertionError  # not reached, as mypy cannot know
        self.older = older

    def requires(self) -> BuildCatalog:
        """Have the dataset built, in which pictures are copied wherever they can be."""
        return self.clone(BuildCatalog)

    @property
    def _about(self) -> dict[str, str]:
        return {"older": _mark(self.older.layout), "newer": _mark(self.layout)}

    def output(self) -> ReportTarget:
        """The report, which exists if it is about these two datasets as they are."""
        return ReportTarget(self.layout.relabel_report, about=self._about)

    def complete(self) -> bool:
        """Look at the comparison, and at the dataset."""
        return bool(super().complete()) and self.requires().complete()

    def run(self) -> None:
        """Compare source by source, then report."""
        changes = {source: self._changes(source) for source in self.settings.used}
        text = relabelling_text(self.older.layout.directory, self.layout.directory, changes)
        self.output().write({"about": self._about, **relabelling_figures(changes)}, text)
        sys.stdout.write(text)
        sys.stdout.flush()

    def _changes(self, source: str) -> Counter[str]:
        """Compare partition by partition, where both datasets have the same ones."""
        before, after = self.older.partitions(source), self.settings.partitions(source)
        alike = self.older.deals_alike(source, self.settings.determining)
        counts: Counter[str] = Counter()
        for mine in [[name] for name in after] if alike else [after]:
            older = self._labelled(self.older.layout, source, mine if alike else before)
            found = count_changes(
                source, SOURCES[source].columns, older, self._labelled(self.layout, source, mine)
            )
            counts.update(found)
        return counts

    @staticmethod
    def _labelled(layout: Layout, source: str, partitions: Sequence[str]) -> Labelled:
        ledgers = [layout.ledger(split, source, name) for split in ("train", "val") for name in partitions]
        return Labelled(layout.predicted, partitions, ledgers)


def _mark(layout: Layout) -> str:
    """Tell a dataset, as it is, from others."""
    receipt = read_receipt(layout.stage_receipt("WriteCatalog"))
    return f"{layout.directory} {receipt.digest[:12] if receipt else 'unfinished'}"

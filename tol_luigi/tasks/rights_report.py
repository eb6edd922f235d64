"""The stage that reports what was left out because of rights, and removes what would still contain it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tol_luigi.core.files import remove
from tol_luigi.core.ledger import State
from tol_luigi.report.rights import RightsFigures, rights_figures, rights_text
from tol_luigi.store.ledger import read_ledger
from tol_luigi.store.reconciliation import Ledger
from tol_luigi.store.selections import remove_selection
from tol_luigi.store.withheld import count_withheld, remaining_duplicates, write_changes
from tol_luigi.tasks.catalog import WriteCatalog
from tol_luigi.tasks.messages import write_line
from tol_luigi.tasks.partitions import all_partitions
from tol_luigi.tasks.reports import ReportTarget
from tol_luigi.tasks.rights import WithholdImages
from tol_luigi.tasks.rights_settings import allowed_licenses, takedowns_in_force
from tol_luigi.tasks.selection_settings import other_selections
from tol_luigi.tasks.stage import StageTask

if TYPE_CHECKING:
    from pathlib import Path

    from tol_luigi.tasks.base import DatasetTask

__all__ = ["ReportRights"]


class ReportRights(StageTask):
    """Report the images that are left out because of their rights; remove selections that still contain them.

    A selection that the settings name is written again by its own stages. Others, of earlier settings, are not.
    """

    def requires(self) -> list[DatasetTask]:
        """Require the images to leave out, and the catalog, which is written after all ledgers."""
        return [self.clone(WithholdImages), self.clone(WriteCatalog)]

    def files(self) -> list[Path]:
        """Return the report as JSON and as text, and the list of changes."""
        return [*ReportTarget(self.layout.rights_report).files, self.layout.changes]

    def make(self) -> None:
        """Count the images, write report and changes, and remove old selections of images taken down."""
        layout, takedowns = self.layout, takedowns_in_force(self.settings)
        ledgers = [Ledger(**share, path=layout.ledger(**share)) for share in all_partitions(self.settings)]
        found = count_withheld(layout.withheld, ledgers)
        own = [ledger for ledger in ledgers if ledger.split != "train_small"]
        receipt = self.clone(WithholdImages).receipt()
        rights = RightsFigures(
            sorted(allowed_licenses(self.settings)),
            found.refused,
            takedowns,
            found.images,
            found.shards,
            receipt.more["matches"] if receipt else [],
            remaining_duplicates(own, found.hashes),
        )
        self._remove_copies(found.taken_down)
        write_changes(layout.changes, takedowns, found)
        figures = rights_figures(rights)
        ReportTarget(layout.rights_report).write(figures, rights_text(figures))

    def _remove_copies(self, taken_down: set[str]) -> None:
        """Remove selections and the report of other settings that contain images taken down."""
        for name in other_selections(self.settings) if taken_down else ():
            ledgers = self.layout.records(name).glob("*/*.ledger.parquet")
            if any(_contains(path, taken_down) for path in ledgers):
                what = "it contained images that are taken down, and it is not the one of [select] name"
                write_line(f"{self.layout.selection(name)}: removed, because {what}", self.label)
                remove_selection(self.layout, name)
        if taken_down and not self.settings.report.page:  # an earlier one has images in it
            remove(self.layout.report)


def _contains(ledger: Path, images: set[str]) -> bool:
    """Return whether a ledger has samples of some images."""
    written = read_ledger(ledger, ["id"], state=State.WRITTEN)["id"].to_pylist()
    return not images.isdisjoint(written)

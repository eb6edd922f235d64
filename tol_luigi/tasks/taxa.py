"""The check of the taxa of a catalog, and the stage that runs it before the shards are written."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from tol_luigi.core.errors import TaxaError
from tol_luigi.core.taxa_checks import CHECKS, count_taxa, excesses
from tol_luigi.core.taxon import RANK_LABELS
from tol_luigi.report.taxa import taxa_figures, taxa_text
from tol_luigi.store.catalogs import NAME_RULES
from tol_luigi.store.row_groups import pieces
from tol_luigi.tasks.predict import PredictCatalog
from tol_luigi.tasks.reports import ReportTarget
from tol_luigi.tasks.stage import StageTask

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["CheckPredictedTaxa", "TaxaStage"]


class TaxaStage(StageTask):
    """Count the problems in the taxa of a catalog, and stop if there are more than the settings allow."""

    which: ClassVar[str]
    """The name of the catalog in reports."""

    @property
    def catalog(self) -> Path:
        """Return the path of the catalog."""
        raise NotImplementedError

    def files(self) -> list[Path]:
        """Return the figures as JSON and as text."""
        return self._target.files

    @property
    def _target(self) -> ReportTarget:
        return ReportTarget(self.layout.taxa_report(self.which))

    def make(self) -> None:
        """Count the problems, write the report, and compare the counts with the limits."""
        columns = ["split", "source", *RANK_LABELS, "common", NAME_RULES]
        with self.progress("rows") as progress:
            tally = count_taxa(pieces(self.catalog, columns, progress))
        limits = {name: getattr(self.settings.checks, f"max_{name}") for name in CHECKS}
        exceeded = excesses(tally, limits)
        report, text = self._target, taxa_text(tally, exceeded)
        if exceeded:
            report.write_text(text)
            remedy = f"See {report.text_file}; correct the names, or raise the limits in [checks]"
            raise TaxaError(self.catalog, "; ".join(exceeded), remedy)
        report.write(taxa_figures(tally), text)


class CheckPredictedTaxa(TaxaStage):
    """Check the taxa of the predicted catalog, before any shard is written."""

    which = "predicted"

    def requires(self) -> PredictCatalog:
        """Require the predicted catalog."""
        return self.clone(PredictCatalog)

    @property
    def catalog(self) -> Path:
        """Return the path of the predicted catalog."""
        return self.layout.predicted

"""The stage that checks the taxa of a catalog, before the shards and after them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import luigi

from tol_luigi.core.errors import TaxaError
from tol_luigi.core.taxa_checks import CHECKS, count_taxa, excesses
from tol_luigi.core.taxon import RANK_LABELS
from tol_luigi.report.taxa import taxa_figures, taxa_text
from tol_luigi.store.catalogs import NAME_RULES
from tol_luigi.store.row_groups import pieces
from tol_luigi.tasks.base import DatasetTask, StageTask
from tol_luigi.tasks.predict import PredictCatalog
from tol_luigi.tasks.reports import ReportTarget

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["CheckTaxa"]


class CheckTaxa(StageTask):
    """Count what is wrong with the taxa of a catalog, and stop where the settings say that it is too much."""

    catalog: str = luigi.ChoiceParameter(
        choices=("predicted", "final"),
        description="the catalog foretold before the shards, or that of the shards",
    )

    def requires(self) -> DatasetTask:
        """Have the catalog."""
        if self.catalog == "predicted":
            return self.clone(PredictCatalog)
        # This check stands on both sides of the shards, so the two modules need each other.
        from tol_luigi.tasks.catalog import WriteCatalog  # noqa: PLC0415

        return self.clone(WriteCatalog)

    def files(self) -> list[Path]:
        """The figures as JSON, and the text next to them."""
        return self._target.files

    @property
    def _target(self) -> ReportTarget:
        return ReportTarget(self.layout.taxa_report(self.catalog))

    @property
    def _parquet(self) -> Path:
        return self.layout.predicted if self.catalog == "predicted" else self.layout.catalog

    def make(self) -> None:
        """Count, write the report, then judge."""
        columns = ["split", "source", *RANK_LABELS, "common", NAME_RULES]
        with self.progress("rows") as tell:
            tally = count_taxa(pieces(self._parquet, columns, tell))
        limits = {name: getattr(self.settings.checks, f"max_{name}") for name in CHECKS}
        too_many = excesses(tally, limits)
        report, text = self._target, taxa_text(tally, too_many)
        if too_many:
            report.write_text(text)
            remedy = f"See {report.text_file}; mend the names, or raise the limits in [checks]"
            raise TaxaError(self._parquet, "; ".join(too_many), remedy)
        report.write(taxa_figures(tally), text)

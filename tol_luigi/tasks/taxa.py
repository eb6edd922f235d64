"""The stage that checks the taxa of a catalog, before the shards and after them."""

from __future__ import annotations

from pathlib import Path

import luigi

from tol_luigi.core.errors import TaxaError
from tol_luigi.core.files import committed, read_json, write_json
from tol_luigi.core.taxa_checks import CHECKS, count_taxa, excesses
from tol_luigi.core.taxon import RANK_LABELS
from tol_luigi.report.taxa import taxa_figures, taxa_text
from tol_luigi.store.catalogs import NAME_RULES
from tol_luigi.store.row_groups import pieces
from tol_luigi.tasks.base import BoundTask, DatasetTask
from tol_luigi.tasks.predict import PredictCatalog

__all__ = ["CheckTaxa"]


class _ReportTarget(luigi.LocalTarget):
    """A report on a catalog: there when it is about the catalog that is there, which its size tells.

    Args:
        path: The report.
        catalog: The catalog.
    """

    def __init__(self, path: Path, catalog: Path) -> None:
        super().__init__(path)
        self.catalog = catalog

    def exists(self) -> bool:
        """Compare the report with the catalog."""
        path = Path(self.path)
        if not path.exists() or not self.catalog.exists():
            return False
        return bool(read_json(path)["catalog_bytes"] == self.catalog.stat().st_size)


class CheckTaxa(BoundTask):
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

    def output(self) -> _ReportTarget:
        """The figures as JSON, which come into place after the text beside them."""
        return _ReportTarget(self.layout.taxa_report(self.catalog), self._parquet)

    @property
    def _parquet(self) -> Path:
        return self.layout.predicted if self.catalog == "predicted" else self.layout.catalog

    def run(self) -> None:
        """Count, write the report, then judge."""
        columns = ["split", "source", *RANK_LABELS, "common", NAME_RULES]
        with self.progress("rows") as tell:
            tally = count_taxa(pieces(self._parquet, columns, tell))
        report = Path(self.output().path)
        limits = {name: getattr(self.settings.checks, f"max_{name}") for name in CHECKS}
        too_many = excesses(tally, limits)
        with committed(report.with_suffix(".txt")) as scratch:
            scratch.write_text(taxa_text(tally, too_many), encoding="utf-8")
        if too_many:
            remedy = f"See {report.with_suffix('.txt')}; mend the names, or raise the limits in [checks]"
            raise TaxaError(self._parquet, "; ".join(too_many), remedy)
        write_json(report, {"catalog_bytes": self._parquet.stat().st_size, **taxa_figures(tally)})

"""The stage that writes the page on which people look at a build, and its figures as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tol_luigi.core.files import committed, read_json
from tol_luigi.report.shard_index import shards_digest
from tol_luigi.store.reconciliation import count_states
from tol_luigi.tasks.catalog import CheckTaxa, WriteCatalog
from tol_luigi.tasks.duplicates import FindDuplicates
from tol_luigi.tasks.feature_report import ExtractFeatures
from tol_luigi.tasks.feature_settings import feature_set
from tol_luigi.tasks.leaks import ReportLeaks
from tol_luigi.tasks.mapping import MakeMapping
from tol_luigi.tasks.matches import CheckMatches
from tol_luigi.tasks.partitions import all_partitions
from tol_luigi.tasks.predict import PredictCatalog
from tol_luigi.tasks.shards import CheckShards, written_shards
from tol_luigi.tasks.stage import StageTask

if TYPE_CHECKING:
    from pathlib import Path

    from tol_luigi.report.build_figures import BuildFigures
    from tol_luigi.tasks.base import DatasetTask

__all__ = ["BuildReport"]


class BuildReport(StageTask):
    """Write the report: a page with figures and images of the dataset, and the figures as CSV and JSON."""

    def requires(self) -> list[DatasetTask]:
        """Require the catalog, its checks, and all ledgers; and the features, if there are any."""
        settings = self.settings
        wanted: dict[type[DatasetTask], bool] = {
            FindDuplicates: settings.images.duplicates != "keep",
            ReportLeaks: settings.excludes_benchmarks,
            ExtractFeatures: bool(feature_set(settings).extractors),
        }
        always: list[type[DatasetTask]] = [WriteCatalog, CheckTaxa, CheckMatches, MakeMapping, PredictCatalog]
        stages = [*always, *(stage for stage, is_wanted in wanted.items() if is_wanted)]
        checks = [self.clone(CheckShards, **share) for share in all_partitions(settings)]
        return [*(self.clone(stage) for stage in stages), *checks]

    def inputs(self) -> dict[str, str]:
        """Return the digests of the input stages, and the settings of the report."""
        return {**super().inputs(), "[report]": f"thumbnails = {self.settings.report.thumbnails}"}

    def files(self) -> list[Path]:
        """Return the page, and the tables next to it."""
        from tol_luigi.report.build_tables import TABLES  # noqa: PLC0415 (loads nothing before a report is made)

        folder = self.layout.report.parent
        return [self.layout.report, self.layout.taxa_stats, *(folder / name for name in TABLES)]

    def make(self) -> None:
        """Count, read the images to show, and write page and tables."""
        from tol_luigi.dataset.report_data import catalog_data  # noqa: PLC0415 (as above)
        from tol_luigi.report.build_page import page_text  # noqa: PLC0415
        from tol_luigi.report.build_tables import tables, taxa_stats_text  # noqa: PLC0415

        figures = self._figures()
        with self.progress("rows") as progress:
            data = catalog_data(
                self.layout, self.settings.used, self._ledgers, self.settings.report.thumbnails, progress
            )
        texts = {
            **{self.layout.report.parent / name: content for name, content in tables(figures, data).items()},
            self.layout.taxa_stats: taxa_stats_text(data.stats).encode(),
            self.layout.report: page_text(figures, data).encode(),
        }
        for path, content in texts.items():
            with committed(path) as scratch:
                scratch.write_bytes(content)

    def _figures(self) -> BuildFigures:
        from tol_luigi import __version__  # noqa: PLC0415 (it imports this module)
        from tol_luigi.report.build_figures import BuildFigures  # noqa: PLC0415

        shards = written_shards(self)
        return BuildFigures(
            version=__version__,
            digest=shards_digest(shards),
            sources=self.settings.used,
            states=count_states(self._ledgers),
            shards=shards,
            reports=self._reports(),
            is_demonstration=self.settings.is_demonstration,
        )

    @property
    def _ledgers(self) -> list[Path]:
        """Return the paths of all ledgers; images of train_small are counted under train."""
        shares = [share for share in all_partitions(self.settings) if share["split"] != "train_small"]
        layout = self.layout
        return [layout.mapping_ledger, layout.names_ledger, *(layout.ledger(**share) for share in shares)]

    def _reports(self) -> dict[str, Any]:
        """Return the figures of the reports of other stages, by name."""
        layout, settings = self.layout, self.settings
        paths = {
            "settings": layout.record,
            "taxa": layout.taxa_report("final"),
            "matches": layout.matches_report,
        }
        if settings.images.duplicates != "keep":
            paths["duplicates"] = layout.duplicates_report
        if settings.excludes_benchmarks:
            paths["leaks"] = layout.leak_report
        if feature_set(settings).extractors:
            paths["features"] = layout.features_report
        return {name: read_json(path) for name, path in paths.items()}

"""The stage that writes the page on which people look at a build, and its figures as tables."""

from __future__ import annotations

from collections import Counter
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
from tol_luigi.tasks.near_duplicates import FindNearDuplicates
from tol_luigi.tasks.partitions import all_partitions
from tol_luigi.tasks.predict import PredictCatalog
from tol_luigi.tasks.selection_settings import finds_near_duplicates
from tol_luigi.tasks.shards import CheckShards, written_shards
from tol_luigi.tasks.stage import StageTask

if TYPE_CHECKING:
    from pathlib import Path

    from tol_luigi.report.build_figures import BuildFigures, CatalogData
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
            FindNearDuplicates: finds_near_duplicates(settings),
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
        """Count, read the images to show, and write pages and tables."""
        from tol_luigi.dataset.report_data import catalog_data  # noqa: PLC0415 (as above)
        from tol_luigi.report.build_page import page_text  # noqa: PLC0415
        from tol_luigi.report.build_tables import tables, taxa_stats_text  # noqa: PLC0415

        figures = self._figures()
        with self.progress("rows") as progress:
            data = catalog_data(
                self.layout,
                self.settings.used,
                self._ledgers,
                self.settings.report.thumbnails,
                progress,
                near_duplicates=self.layout.near_duplicates if finds_near_duplicates(self.settings) else None,
            )
        texts = {
            **{self.layout.report.parent / name: content for name, content in tables(figures, data).items()},
            self.layout.taxa_stats: taxa_stats_text(data.stats).encode(),
            self.layout.excluded_page: self._excluded_page(figures, data).encode(),
            self.layout.report: page_text(figures, data).encode(),
        }
        for path, content in texts.items():
            with committed(path) as scratch:
                scratch.write_bytes(content)

    def _excluded_page(self, figures: BuildFigures, data: CatalogData) -> str:
        """Return the page of images in no shard, which no other file may depend on: a copy of the dataset has no sources."""
        from tol_luigi.report.excluded_page import excluded_page, shown_examples  # noqa: PLC0415 (as above)
        from tol_luigi.tasks.originals import read_originals  # noqa: PLC0415

        rows = shown_examples(data.excluded) if self.settings.report.thumbnails else []
        counts = Counter[str]()
        for (state, _), count in figures.states.items():
            counts[state] += count
        return excluded_page(rows, read_originals(self.settings, rows), counts)

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
        if finds_near_duplicates(settings):
            paths["near_duplicates"] = layout.near_duplicates_report
        return {name: read_json(path) for name, path in paths.items()}

"""The stage that ends the extraction of features: a report, and a view that joins them with the catalog."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tol_luigi.core.files import committed
from tol_luigi.report.features import features_text
from tol_luigi.store.catalogs import catalog_schema
from tol_luigi.tasks.agreement import agreement_stages
from tol_luigi.tasks.feature_settings import feature_families, references
from tol_luigi.tasks.features import ExtractShards, FeatureStage, feature_shares
from tol_luigi.tasks.leak_scores import ExtractReferences, leak_stages
from tol_luigi.tasks.reports import ReportTarget

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tol_luigi.core.shards import Shard
    from tol_luigi.features.exports.shards import ShardFeatures
    from tol_luigi.features.extractor import Extractor
    from tol_luigi.features.family_files import FamilyFiles
    from tol_luigi.tasks.base import DatasetTask

__all__ = ["ExtractFeatures"]


class ExtractFeatures(FeatureStage):
    """Compute the features of all samples, and summarise them."""

    def requires(self) -> list[DatasetTask]:
        """Require the features of all partitions, and what is derived from them, as far as the settings want it."""
        shards = [self.clone(ExtractShards, **share) for share in feature_shares(self.settings)]
        return [*shards, *agreement_stages(self), *leak_stages(self)]

    def shards(self) -> Iterator[ShardFeatures]:
        """Yield all shards with the files of their features."""
        for share in feature_shares(self.settings):
            yield from self.clone(ExtractShards, **share).feature_shards()

    def families(self) -> Iterator[tuple[str, Shard, dict[str, FamilyFiles[Extractor]]]]:
        """Yield the split of each shard, the shard, and the families of its samples, in the order of the catalog."""
        for share in feature_shares(self.settings):
            for shard, families in self.clone(ExtractShards, **share).families_by_shard():
                yield share["split"], shard, families

    @property
    def _target(self) -> ReportTarget:
        return ReportTarget(self.layout.features_report)

    def files(self) -> list[Path]:
        """Return the report as JSON and as text, and the views for DuckDB."""
        return [*self._target.files, self.layout.features_views]

    def make(self) -> None:
        """Write the report, and the views that join the families with the catalog."""
        from tol_luigi.features.summary import (  # noqa: PLC0415 (slow to load)
            features_figures,
            tables_in,
            views_text,
        )

        families = feature_families(self.settings)
        catalog = catalog_schema(self.settings.plugins, self.settings.used)
        figures = features_figures(tables_in(self.layout.features, families))
        for name in references(self.settings):
            figures[f"leak:{name}"]["references"] = self.clone(ExtractReferences, benchmark=name).figures()
        self._target.write(figures, features_text(figures))
        with committed(self.layout.features_views) as scratch:
            scratch.write_text(views_text(families, catalog.names), encoding="utf-8")

    def summary(self) -> str:
        """Return the report as text."""
        return self._target.text_file.read_text(encoding="utf-8")

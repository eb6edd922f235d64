"""The stage that finds images that look alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tol_luigi.report.near_duplicates import near_duplicates_text
from tol_luigi.tasks.catalog import WriteCatalog
from tol_luigi.tasks.feature_report import ExtractFeatures
from tol_luigi.tasks.reports import ReportTarget
from tol_luigi.tasks.stage import StageTask

if TYPE_CHECKING:
    from pathlib import Path

    from tol_luigi.tasks.base import DatasetTask

__all__ = ["FindNearDuplicates"]

_HASH, _QUALITY = "hash", "quality"


class FindNearDuplicates(StageTask):
    """Find images with equal pixels or similar perceptual hashes, across splits, sources and labels."""

    def requires(self) -> list[DatasetTask]:
        """Require the catalog and the features."""
        return [self.clone(WriteCatalog), self.clone(ExtractFeatures)]

    def inputs(self) -> dict[str, str]:
        """Return the digests of the input stages, and the distance."""
        bits = str(self.settings.features.near_duplicate_bits)
        return {**super().inputs(), "[features] near_duplicate_bits": bits}

    def files(self) -> list[Path]:
        """Return the table, and the report as JSON and as text."""
        return [self.layout.near_duplicates, *ReportTarget(self.layout.near_duplicates_report).files]

    def make(self) -> None:
        """Compare the hashes, write the table, and report."""
        from tol_luigi.features import near_duplicates as near  # noqa: PLC0415 (slow to load, and seldom used)

        layout, bits = self.layout, self.settings.features.near_duplicate_bits
        hashed = near.read_hashes(
            (families[_HASH].table, families[_QUALITY].table if _QUALITY in families else None)
            for _, _, families in self.clone(ExtractFeatures).families()
        )
        rows = near.described_clusters(hashed, near.find_clusters(hashed, bits), layout.catalog)
        figures = near.near_duplicates_figures(hashed, rows, bits)
        near.write_near_duplicates(layout.near_duplicates, rows)
        ReportTarget(layout.near_duplicates_report).write(figures, near_duplicates_text(figures))

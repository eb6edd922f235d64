"""The stage that finds images with identical bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tol_luigi.report.duplicates import duplicates_figures, duplicates_text
from tol_luigi.store.duplicates import (
    expected_images,
    find_duplicates,
    with_ranks,
    write_duplicates,
    written_images,
)
from tol_luigi.store.reconciliation import Ledger
from tol_luigi.tasks.partitions import all_partitions
from tol_luigi.tasks.predict import PredictCatalog
from tol_luigi.tasks.reports import ReportTarget
from tol_luigi.tasks.scan import all_hashes
from tol_luigi.tasks.shards import CheckShards
from tol_luigi.tasks.stage import StageTask

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import pyarrow as pa

    from tol_luigi.tasks.base import DatasetTask

__all__ = ["FindDuplicates"]


class FindDuplicates(StageTask):
    """Find images with identical bytes by their recorded hashes; no image is read again.

    With ``duplicates = drop``, the dropped images are included.
    """

    def requires(self) -> list[DatasetTask]:
        """Require every shard, written and checked, and the predicted catalog with the images' ranks."""
        checks = [self.clone(CheckShards, **share) for share in all_partitions(self.settings)]
        return [self.clone(PredictCatalog), *checks, *all_hashes(self)]

    def files(self) -> list[Path]:
        """Return the table, and the report as text and as JSON."""
        report = ReportTarget(self.layout.duplicates_report)
        return [self.layout.duplicates, report.text_file, report.file]

    def make(self) -> None:
        """Find the duplicates, write the table, and report."""
        layout, settings = self.layout, self.settings
        alike = find_duplicates(self._images, settings.used, layout.duplicates)
        found = with_ranks(alike, layout.predicted)
        figures = duplicates_figures(found, settings.used, settings.images.duplicates)
        write_duplicates(layout.duplicates, found)
        ReportTarget(layout.duplicates_report).write(figures, duplicates_text(figures))

    def _images(self) -> Iterable[pa.Table]:
        layout = self.layout
        if self.settings.images.duplicates == "drop":
            return expected_images(layout.predicted, layout.digests)
        shares = all_partitions(self.settings)
        return written_images(Ledger(**share, path=layout.ledger(**share)) for share in shares)

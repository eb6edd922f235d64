"""The stage that reports which benchmark images were excluded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tol_luigi.core.files import read_json
from tol_luigi.report.leaks import Leaks, leak_figures, leak_text
from tol_luigi.store.benchmarks import read_benchmarks
from tol_luigi.store.leaks import count_listed, count_matched
from tol_luigi.tasks.benchmarks import HashBenchmarks
from tol_luigi.tasks.catalog import WriteCatalog
from tol_luigi.tasks.partitions import all_partitions
from tol_luigi.tasks.predict import PredictCatalog
from tol_luigi.tasks.reports import ReportTarget
from tol_luigi.tasks.shards import CheckShards
from tol_luigi.tasks.stage import StageTask

if TYPE_CHECKING:
    from pathlib import Path

    from tol_luigi.tasks.base import DatasetTask

__all__ = ["ReportLeaks"]


class ReportLeaks(StageTask):
    """Report how many images of each source were excluded for each benchmark, and how they were matched."""

    def requires(self) -> list[DatasetTask]:
        """Require the hashes of the benchmarks, if the settings name any, and the state of every image."""
        settings = self.settings
        images = [self.clone(HashBenchmarks)] if settings.leak_guard.images else []
        checks = [self.clone(CheckShards, **share) for share in all_partitions(settings)]
        return [*images, self.clone(PredictCatalog), *checks, self.clone(WriteCatalog)]

    def files(self) -> list[Path]:
        """Return the report as JSON and as text."""
        return ReportTarget(self.layout.leak_report).files

    def make(self) -> None:
        """Count the excluded images, and write the report."""
        leaks = self._leaks()
        ReportTarget(self.layout.leak_report).write(leak_figures(leaks), leak_text(leaks))

    def _leaks(self) -> Leaks:
        layout, settings = self.layout, self.settings
        guarded = settings.leak_guard.images is not None
        shares = [share for share in all_partitions(settings) if guarded and share["split"] != "train_small"]
        exclusions = read_json(layout.exclusions)
        matched = count_matched(exclusions, [layout.ledger(**share) for share in shares])
        named = {
            name: {"images": report["images_listed"], "species": report["species_listed"]}
            for name, report in exclusions.items()
        }
        shown = count_listed(read_benchmarks(layout.benchmarks)) if guarded else {}
        listed = {name: {**named.get(name, {}), **shown.get(name, {})} for name in [*named, *shown]}
        distance = settings.leak_guard.distance if guarded else None
        return Leaks(listed, matched, settings.used, distance)

"""The stage that reports what was kept out."""

from __future__ import annotations

from pathlib import Path

import luigi

from tol_luigi.core.files import committed, read_json, sha256_file, write_json
from tol_luigi.report.leaks import Leaks, leak_figures, leak_text
from tol_luigi.store.benchmarks import read_benchmarks
from tol_luigi.store.leaks import count_listed, count_matched
from tol_luigi.tasks.base import BoundTask, DatasetTask
from tol_luigi.tasks.benchmarks import HashBenchmarks
from tol_luigi.tasks.catalog import WriteCatalog
from tol_luigi.tasks.shards import all_shares

__all__ = ["ReportLeaks"]


class _ReportTarget(luigi.LocalTarget):
    """A report: there when it is about the catalog that is there."""

    def __init__(self, path: Path, catalog_receipt: Path) -> None:
        super().__init__(path)
        self.catalog_receipt = catalog_receipt

    def exists(self) -> bool:
        """Compare the report with the receipt of the catalog."""
        path = Path(self.path)
        if not all(file.exists() for file in (path, path.with_suffix(".txt"), self.catalog_receipt)):
            return False
        return bool(read_json(path)["catalog"] == sha256_file(self.catalog_receipt))


class ReportLeaks(BoundTask):
    """Report for each benchmark how many images of each source were kept out, and how they were known."""

    def requires(self) -> list[DatasetTask]:
        """Have the benchmarks looked at, where there are pictures of them, and every image accounted for."""
        pictures = [self.clone(HashBenchmarks)] if self.settings.leak_guard.images else []
        return [*pictures, self.clone(WriteCatalog)]

    def output(self) -> _ReportTarget:
        """The report as JSON, which comes into place after the text beside it."""
        return _ReportTarget(self.layout.leak_report, self.layout.catalog_receipt)

    def run(self) -> None:
        """Count, then write."""
        leaks, path = self._leaks(), self.layout.leak_report
        with committed(path.with_suffix(".txt")) as scratch:
            scratch.write_text(leak_text(leaks), encoding="utf-8")
        write_json(path, {"catalog": sha256_file(self.layout.catalog_receipt), **leak_figures(leaks)})

    def _leaks(self) -> Leaks:
        layout, settings = self.layout, self.settings
        guarded = settings.leak_guard.images is not None
        shares = [share for share in all_shares(settings) if guarded and share["split"] != "train_small"]
        matched = count_matched(layout.predicted, [layout.ledger(**share) for share in shares])
        named = {
            name: {"images": report["images_listed"], "species": report["species_listed"]}
            for name, report in read_json(layout.exclusions).items()
        }
        shown = count_listed(read_benchmarks(layout.benchmarks)) if guarded else {}
        listed = {name: {**named.get(name, {}), **shown.get(name, {})} for name in [*named, *shown]}
        distance = settings.leak_guard.distance if guarded else None
        return Leaks(listed, matched, settings.used, distance)

"""The stage that compares what is fetched with the earlier dataset whose images are kept."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from tol_luigi.core.files import sha256_file
from tol_luigi.report.fetch_changes import Fetched, UrlChange, changes, changes_figures, changes_text
from tol_luigi.sources.url_partitions import partitions_together
from tol_luigi.sources.url_reader import fetched_rows
from tol_luigi.store.row_groups import write_rows
from tol_luigi.tasks.reports import ReportTarget
from tol_luigi.tasks.stage import StageTask
from tol_luigi.tasks.url_settings import earlier_dataset, fetched_sources, url_reader
from tol_luigi.tasks.urls import FetchPartition

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from tol_luigi.core.receipts import Receipt
    from tol_luigi.tasks.previous import PreviousDataset

__all__ = ["ReportFetched"]

_SCHEMA = pa.schema([(name, pa.string()) for name in UrlChange._fields])


class ReportFetched(StageTask):
    """Report which images by URL were kept from the earlier dataset, and which are new, changed or gone since."""

    is_listed = False

    def requires(self) -> list[FetchPartition]:
        """Require all partitions that are fetched."""
        return [
            self.clone(FetchPartition, source=source, partition=partition)
            for source in fetched_sources(self.settings)
            for partition in self.settings.partitions(source)
        ]

    def files(self) -> list[Path]:
        """Return the report as JSON and as text, and for each source a table of the URLs that are not the same as before."""
        tables = [self.layout.url_changes(source) for source in fetched_sources(self.settings)]
        return [*ReportTarget(self.layout.fetch_report).files, *tables]

    def more(self) -> dict[str, Any]:
        """Return which dataset this one is compared with."""
        return {"previous": sha256_file(self._earlier.layout.record)}

    def is_intact(self, receipt: Receipt) -> bool:
        """Return whether the files exist, and compare this dataset with the one in the settings."""
        return super().is_intact(receipt) and receipt.more == self.more()

    def make(self) -> None:
        """Compare the URLs of each source, as few partitions at a time as possible."""
        counts: dict[str, Counter[str]] = {}
        for source in fetched_sources(self.settings):
            found = counts[source] = Counter[str]()
            write_rows(self.layout.url_changes(source), self._changed(source, found), _SCHEMA)
        figures = changes_figures(self._earlier.layout.directory.name, counts)
        ReportTarget(self.layout.fetch_report).write(figures, changes_text(figures))

    def _changed(self, source: str, counts: Counter[str]) -> Iterator[dict[str, Any]]:
        """Yield the URLs that are not the same as before; count all."""
        now = url_reader(self.settings, source).partitioning
        before = now.divided(len(self._earlier.partitions(source)))
        folder = self._earlier.layout.fetched(source)
        for own, earlier in partitions_together(now, before):
            for each in changes(_read(folder, earlier), _read(self.layout.fetched(source), own)):
                counts[each.change] += 1
                if each.change != "kept":
                    yield each._asdict()

    @property
    def _earlier(self) -> PreviousDataset:
        found = earlier_dataset(self.settings)
        if found is None:  # it is required only with an earlier dataset
            raise AssertionError
        return found


def _read(folder: Path, partitions: Iterable[str]) -> dict[str, Fetched]:
    """Return what became of the URLs of some partitions."""
    return {
        row["url"]: Fetched(row["state"], row["sha256"])
        for partition in partitions
        for row in fetched_rows(folder, partition)
        if not row["excluded"]
    }

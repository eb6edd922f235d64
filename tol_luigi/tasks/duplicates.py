"""The stage that tells which images have the same bytes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import luigi

from tol_luigi.core.files import committed, read_json, sha256_files, write_json
from tol_luigi.report.duplicates import duplicates_figures, duplicates_text
from tol_luigi.store.duplicates import (
    find_duplicates,
    foretold_images,
    with_ranks,
    write_duplicates,
    written_images,
)
from tol_luigi.store.reconciliation import Ledger
from tol_luigi.tasks.base import BoundTask, DatasetTask
from tol_luigi.tasks.predict import PredictCatalog
from tol_luigi.tasks.scan import all_hashes
from tol_luigi.tasks.shards import CheckShards, all_shares

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa

    from tol_luigi.tasks.layout import Layout

__all__ = ["FindDuplicates"]


class _DuplicatesTarget(luigi.LocalTarget):
    """What is known of duplicates: there when the report is, and was made of the shards that are there.

    Args:
        layout: The paths of the dataset.
        receipts: The receipts of all shards, in order.
    """

    def __init__(self, layout: Layout, receipts: list[Path]) -> None:
        super().__init__(layout.duplicates_report)
        self.others = [layout.duplicates, layout.duplicates_report.with_suffix(".txt")]
        self.receipts = receipts

    def exists(self) -> bool:
        """Compare the receipts with those that the report tells of."""
        if not all(file.exists() for file in self.others):
            return False
        try:
            return bool(read_json(Path(self.path))["receipts"] == sha256_files(self.receipts))
        except FileNotFoundError:
            return False


class FindDuplicates(BoundTask):
    """Find the images with the same bytes; no picture is read for that once more.

    With ``duplicates = drop`` those left out are among them.
    """

    def requires(self) -> list[DatasetTask]:
        """Have every shard written and checked, and what the images show."""
        checks = [self.clone(CheckShards, **share) for share in all_shares(self.settings)]
        return [self.clone(PredictCatalog), *checks, *all_hashes(self)]

    def output(self) -> _DuplicatesTarget:
        """The report as JSON, which comes into place after the table and the text."""
        receipts = [self.layout.receipt(**share) for share in all_shares(self.settings)]
        return _DuplicatesTarget(self.layout, receipts)

    def run(self) -> None:
        """Find them, write them down, and report on them."""
        layout, settings, output = self.layout, self.settings, self.output()
        found = with_ranks(find_duplicates(self._images, settings.used), layout.predicted)
        shown = found.select(["first", "id", "split", "source", "ranks"]).to_pandas()
        figures = duplicates_figures(shown, settings.used, settings.images.duplicates)
        write_duplicates(layout.duplicates, found)
        with committed(layout.duplicates_report.with_suffix(".txt")) as scratch:
            scratch.write_text(duplicates_text(figures), encoding="utf-8")
        write_json(layout.duplicates_report, {**figures, "receipts": sha256_files(output.receipts)})

    def _images(self) -> Iterable[pa.Table]:
        layout = self.layout
        if self.settings.images.duplicates == "drop":
            return foretold_images(layout.predicted, layout.digests)
        shares = all_shares(self.settings)
        return written_images(Ledger(**share, path=layout.ledger(**share)) for share in shares)

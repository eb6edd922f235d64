"""The stage that writes the catalog of what is in the shards."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import luigi

from tol_luigi.core.files import read_json, sha256_files, write_json
from tol_luigi.sources import SOURCES
from tol_luigi.store.catalogs import catalog_schema, in_row_groups, write_catalog
from tol_luigi.store.duplicates import read_firsts
from tol_luigi.store.licenses import write_licenses
from tol_luigi.store.reconciliation import Ledger, final_tables
from tol_luigi.tasks.base import BoundTask, DatasetTask
from tol_luigi.tasks.duplicates import FindDuplicates
from tol_luigi.tasks.mapping import LoadMapping, MakeMapping, MakeSplits
from tol_luigi.tasks.predict import PredictCatalog
from tol_luigi.tasks.shards import CheckShards, all_shares, collect_bad_shards

if TYPE_CHECKING:
    from tol_luigi.tasks.layout import Layout

__all__ = ["WriteCatalog"]


class _CatalogTarget(luigi.LocalTarget):
    """The final catalog: there when its receipt is, and was made from the shards that are there.

    Args:
        layout: The paths of the dataset.
        receipts: The receipts of all shards, in order.
    """

    def __init__(self, layout: Layout, receipts: list[Path]) -> None:
        super().__init__(layout.catalog_receipt)
        self.layout, self.receipts = layout, receipts

    def exists(self) -> bool:
        """Compare the receipt of the catalog with those of the shards."""
        files = {"csv": self.layout.catalog_csv, "parquet": self.layout.catalog}
        try:
            receipt = read_json(Path(self.path))
            sizes = {name: file.stat().st_size for name, file in files.items()}
            return bool(receipt["bytes"] == sizes and receipt["receipts"] == sha256_files(self.receipts))
        except FileNotFoundError:
            return False


class WriteCatalog(BoundTask):
    """Write the catalog of what is in the shards, once mapping and ledger add up."""

    def requires(self) -> list[DatasetTask]:
        """Have every shard written and checked, and what they are to be reconciled with."""
        loads: list[DatasetTask] = [self.clone(LoadMapping)] if self.settings.server else []
        before = [self.clone(MakeMapping), self.clone(MakeSplits), *loads, self.clone(PredictCatalog)]
        if self._tells_duplicates:  # which looks at every shard as well; once is enough
            return [*before, self.clone(FindDuplicates)]
        return [*before, *(self.clone(CheckShards, **share) for share in self._shares)]

    def output(self) -> _CatalogTarget:
        """The receipt of the catalog, which comes into place after CSV and Parquet."""
        return _CatalogTarget(self.layout, self._receipts())

    @property
    def _tells_duplicates(self) -> bool:
        return self.settings.images.duplicates != "keep"

    @property
    def _shares(self) -> list[dict[str, str]]:
        return all_shares(self.settings)

    def _receipts(self) -> list[Path]:
        return [self.layout.receipt(**share) for share in self._shares]

    def run(self) -> None:
        """Write what adds up, then what follows from it."""
        layout, settings = self.layout, self.settings
        with self.progress("samples") as tell:
            duplicates = read_firsts(layout.duplicates) if self._tells_duplicates else None
            tables = final_tables(
                settings.mapping, layout.predicted, layout.names_ledger, self._ledgers(), duplicates
            )
            schema = catalog_schema(SOURCES, settings.used)
            pieces = in_row_groups(tables)
            write_catalog(layout.catalog_csv, layout.catalog, schema, pieces, tell, by_id=True)
        write_licenses(layout.licenses, layout.catalog, settings.sources)
        collect_bad_shards(layout, self._shares)
        write_json(
            layout.catalog_receipt,
            {
                "receipts": sha256_files(self._receipts()),
                "bytes": {"csv": layout.catalog_csv.stat().st_size, "parquet": layout.catalog.stat().st_size},
            },
        )

    def _ledgers(self) -> list[Ledger]:
        return [Ledger(**share, path=self.layout.ledger(**share)) for share in self._shares]

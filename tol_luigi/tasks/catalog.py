"""The stages that write the catalog of the samples in the shards, and check its taxa."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tol_luigi.store.catalogs import catalog_schema, in_row_groups, write_catalog
from tol_luigi.store.duplicates import read_duplicate_index
from tol_luigi.store.licenses import write_licenses
from tol_luigi.store.reconciliation import Ledger, final_tables
from tol_luigi.tasks.bad_shards import collect_bad_shards, remove_unplanned
from tol_luigi.tasks.duplicates import FindDuplicates
from tol_luigi.tasks.mapping import LoadMapping, MakeMapping, MakeSplits
from tol_luigi.tasks.partitions import all_partitions
from tol_luigi.tasks.predict import PredictCatalog
from tol_luigi.tasks.rights_settings import stated_licenses_input
from tol_luigi.tasks.shards import CheckShards, WriteShards
from tol_luigi.tasks.stage import StageTask
from tol_luigi.tasks.taxa import TaxaStage

if TYPE_CHECKING:
    from pathlib import Path

    from tol_luigi.tasks.base import DatasetTask

__all__ = ["CheckTaxa", "WriteCatalog"]


class WriteCatalog(StageTask):
    """Write the catalog of the samples in the shards, after checking that mapping and ledgers add up."""

    def requires(self) -> list[DatasetTask]:
        """Require every shard, written and checked, and the tables to reconcile with them."""
        loads: list[DatasetTask] = [self.clone(LoadMapping)] if self.settings.server else []
        duplicates: list[DatasetTask] = [self.clone(FindDuplicates)] if self._finds_duplicates else []
        before = [self.clone(MakeMapping), self.clone(MakeSplits), *loads, self.clone(PredictCatalog)]
        before += duplicates
        return [*before, *(self.clone(CheckShards, **share) for share in self._shares)]

    def files(self) -> list[Path]:
        """Return the catalog in both forms, the licences, and the list of bad shards."""
        layout = self.layout
        return [layout.catalog_csv, layout.catalog, layout.licenses, layout.bad_shards]

    def inputs(self) -> dict[str, str]:
        """Return the digests of the input stages, and of the licences that the settings state."""
        return {**super().inputs(), **stated_licenses_input(self.settings)}

    def reads(self) -> dict[str, Path]:
        """Return the tables of licences."""
        return self.settings.source_tables(lambda plugin: plugin.license_tables)

    @property
    def _finds_duplicates(self) -> bool:
        return self.settings.images.duplicates != "keep"

    @property
    def _shares(self) -> list[dict[str, str]]:
        return all_partitions(self.settings)

    def make(self) -> None:
        """Reconcile, and write the catalog; then write the files derived from it."""
        layout, settings = self.layout, self.settings
        with self.progress("samples") as progress:
            duplicates = read_duplicate_index(layout.duplicates) if self._finds_duplicates else None
            tables = final_tables(
                settings.mapping, layout.predicted, layout.names_ledger, self._ledgers(), duplicates
            )
            schema = catalog_schema(settings.plugins, settings.used, is_reference=settings.uses_reference)
            pieces = in_row_groups(tables)
            write_catalog(layout.catalog_csv, layout.catalog, schema, pieces, progress, by_id=True)
        write_licenses(layout.licenses, layout.catalog, settings.sources)
        collect_bad_shards(layout, self._shares)
        written = [self.clone(WriteShards, **share) for share in self._shares]
        remove_unplanned(settings.layouts, {path for task in written for path in task.shard_paths()})

    def _ledgers(self) -> list[Ledger]:
        return [Ledger(**share, path=self.layout.ledger(**share)) for share in self._shares]


class CheckTaxa(TaxaStage):
    """Check the taxa of the final catalog."""

    which = "final"

    def requires(self) -> WriteCatalog:
        """Require the catalog."""
        return self.clone(WriteCatalog)

    @property
    def catalog(self) -> Path:
        """Return the path of the catalog."""
        return self.layout.catalog

"""The stage that predicts the catalog."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tol_luigi.core.errors import ExclusionError
from tol_luigi.core.files import write_json
from tol_luigi.core.ledger import State
from tol_luigi.sources import tables
from tol_luigi.store.catalogs import predicted_schema, write_catalog
from tol_luigi.store.duplicates import mark_duplicates
from tol_luigi.store.further_texts import TEXTS, FurtherTexts
from tol_luigi.store.ledger import LEDGER
from tol_luigi.store.predictions import ExclusionPolicy, predicted_tables
from tol_luigi.store.row_groups import row_writer
from tol_luigi.store.shared_images import mark_shared_images
from tol_luigi.tasks.label_columns import templates_of, text_tables
from tol_luigi.tasks.mapping import MakeSplits, all_scans
from tol_luigi.tasks.metadata import MakeMetadata
from tol_luigi.tasks.scan import all_hashes
from tol_luigi.tasks.shared_images import preferred_order, shared_tables, sharing_sources
from tol_luigi.tasks.stage import StageTask

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import pyarrow as pa

    from tol_luigi.core.exclusions import Exclusions
    from tol_luigi.tasks.base import DatasetTask

__all__ = ["PredictCatalog"]


class PredictCatalog(StageTask):
    """Write the catalog as it will be if no image is broken; it is also the work list of the shards."""

    def requires(self) -> list[DatasetTask]:
        """Require ids, splits, names and listings; with ``duplicates = drop`` also the hashes."""
        made = [self.clone(MakeSplits), self.clone(MakeMetadata)]
        return [*made, *all_scans(self), *all_hashes(self)]

    def files(self) -> list[Path]:
        """Return the catalog in both forms, the ledger of unnamed images, and the report of exclusions."""
        layout = self.layout
        return [layout.predicted, layout.predicted_csv, layout.names_ledger, layout.exclusions]

    def reads(self) -> dict[str, Path]:
        """Return the exclusion lists, and the tables with columns of further texts or ids of shared images."""
        lists = self.settings.places(("rare_species", "seen"), ("rare_species", "unseen"))
        return {**lists, **text_tables(self.settings), **shared_tables(self.settings)}

    def make(self) -> None:
        """Join mapping, names and listings, partition by partition."""
        layout, settings = self.layout, self.settings
        policy = ExclusionPolicy(self._exclusions())
        schema = predicted_schema(settings.plugins, settings.used, is_reference=settings.uses_reference)
        if templates_of(settings):
            schema = schema.append(TEXTS)
        with self.progress("images") as progress:
            write_catalog(
                layout.predicted_csv, layout.predicted, schema, self._tables(schema, policy), progress
            )

    def _tables(self, schema: pa.Schema, policy: ExclusionPolicy) -> Iterator[pa.Table]:
        """Yield the tables; then check and write what was counted on the way.

        The catalog is renamed into place after that, so it never exists without the other files.
        """
        with row_writer(self.layout.names_ledger, LEDGER) as unnamed:
            yield from self._marked(self._joined(schema, policy, unnamed), schema)
            self._validate_lists(policy)
        write_json(self.layout.exclusions, policy.report())

    def _joined(
        self, schema: pa.Schema, policy: ExclusionPolicy, unnamed: Callable[[list[dict[str, Any]]], None]
    ) -> Iterator[pa.Table]:
        """Yield the images of each partition with their names, and with further texts if the settings have any."""
        layout, settings = self.layout, self.settings
        templates = templates_of(settings)
        joined = predicted_tables(
            settings.mapping,
            layout.names,
            settings.sources.values(),
            schema=schema.remove(schema.get_field_index(TEXTS.name)) if templates else schema,
            policy=policy,
            listing=self._listing,
            unnamed=unnamed,
            output=layout.predicted,
        )
        return FurtherTexts(templates, settings.sources).added(joined) if templates else joined

    def _marked(self, tables: Iterator[pa.Table], schema: pa.Schema) -> Iterator[pa.Table]:
        """Mark images that another source has, too, and exact duplicates, if these are excluded."""
        layout, settings = self.layout, self.settings
        if sharing := sharing_sources(settings):
            order = preferred_order(settings)
            tables = mark_shared_images(tables, schema, layout.predicted, sharing, order)
        if settings.images.duplicates == "drop":
            tables = mark_duplicates(tables, schema, layout.predicted, layout.digests, settings.used)
        return tables

    def _listing(self, source: str, partition: str) -> Path:
        return self.layout.listing(source, self.settings.listing_of(source, partition))

    def _exclusions(self) -> dict[str, Exclusions]:
        section = self.settings.rare_species
        lists = {}
        if section.seen:
            lists["seen"] = tables.load_exclusions(section.seen, with_species=False)
        if section.unseen:
            lists["unseen"] = tables.load_exclusions(section.unseen, with_species=True)
        return lists

    def _validate_lists(self, policy: ExclusionPolicy) -> None:
        """Raise an error if a list matches nothing: it is then probably the wrong list."""
        section = self.settings.rare_species
        for name in policy.lists:
            if not section.allow_no_match and not policy.count(
                name, State.EXCLUDED_IMAGE, State.EXCLUDED_SPECIES
            ):
                what = "none of its images and species is in the dataset"
                remedy = "Check that it is the right list, or set [rare_species] allow_no_match = true"
                raise ExclusionError(getattr(section, name), what, remedy)

"""The stage that describes the dataset to people and programs: card, datasheet, citation, Croissant, indexes of shards."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pyarrow as pa

from tol_luigi.core.files import remove, write_json, write_text
from tol_luigi.core.receipts import record_file
from tol_luigi.core.splits import SPLITS
from tol_luigi.report.card import Card, card_text
from tol_luigi.report.citation import citation_text
from tol_luigi.report.croissant import croissant
from tol_luigi.report.datasheet import datasheet_text
from tol_luigi.report.shard_index import index_files, shard_table, shards_digest
from tol_luigi.store.catalogs import catalog_schema, count_by_kingdom, count_by_source
from tol_luigi.tasks.catalog import WriteCatalog
from tol_luigi.tasks.label_columns import sample_form
from tol_luigi.tasks.partitions import all_partitions
from tol_luigi.tasks.publication_settings import publication, publication_digest
from tol_luigi.tasks.rights_settings import stated_licenses, stated_licenses_input
from tol_luigi.tasks.shards import WriteShards, written_shards
from tol_luigi.tasks.stage import StageTask

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tol_luigi.core.receipts import Receipt
    from tol_luigi.core.shards import Shard
    from tol_luigi.tasks.base import DatasetTask

__all__ = ["WriteCard", "index_paths", "write_indexes"]


def index_paths(folder: Path, shards: Sequence[Shard]) -> list[Path]:
    """Return the paths of the indexes of a folder of shards; none if it has no shards."""
    return [folder / name for name in index_files(shards)] if shards else []


def write_indexes(folder: Path, shards: Sequence[Shard]) -> None:
    """Write the indexes of a folder of shards; if it has none, remove those of a previous state of the dataset."""
    for name, text in index_files(shards).items():
        if shards:
            write_text(folder / name, text)
        else:
            remove(folder / name)


class WriteCard(StageTask):
    """Write what people and programs read first: card, datasheet, citation, Croissant metadata, indexes of shards."""

    def requires(self) -> list[DatasetTask]:
        """Require the catalog, and the shards, which the indexes list."""
        shards = [self.clone(WriteShards, **share) for share in all_partitions(self.settings)]
        return [self.clone(WriteCatalog), *shards]

    def inputs(self) -> dict[str, str]:
        """Return the digests of the input stages, and of what the settings say of the dataset."""
        return {
            **super().inputs(),
            "[publication]": publication_digest(self.settings),
            **stated_licenses_input(self.settings),
        }

    def files(self) -> list[Path]:
        """Return the descriptions and the indexes."""
        indexes = [
            index_paths(layout.shard(split, 0).parent, shards)
            for size, layout in enumerate(self.settings.layouts)
            for split, shards in self._shards(size).items()
        ]
        return [*self._descriptions, self.layout.shard_table, *itertools.chain.from_iterable(indexes)]

    @property
    def _descriptions(self) -> list[Path]:
        layout = self.layout
        return [layout.card, layout.root_card, layout.datasheet, layout.citation, layout.croissant]

    def is_intact(self, receipt: Receipt) -> bool:
        """Return whether all files exist, also those that a dataset of an earlier release lacks."""
        names = {path.relative_to(self.layout.directory).as_posix() for path in self._descriptions}
        return super().is_intact(receipt) and names <= receipt.files.keys()

    def _shards(self, size: int = 0) -> dict[str, list[Shard]]:
        """Return the shards in one of the sizes, of each split that has any, in order."""
        return {split: shards for split, shards in written_shards(self, size).items() if shards}

    def make(self) -> None:
        """Count the samples; write the indexes, then the descriptions."""
        layout, shards, published = self.layout, self._shards(), publication(self.settings)
        for size, one in enumerate(self.settings.layouts):
            written = self._shards(size) if size else shards
            for split in SPLITS:
                write_indexes(one.shard(split, 0).parent, written.get(split, []))
        write_text(layout.shard_table, shard_table(shards))
        card, folder = self._card(shards), layout.shards.name
        tables = {path.name: record_file(path) for path in (layout.catalog, layout.shard_table)}
        write_json(
            layout.croissant, croissant(published, self._columns(), tables, shards, folder, image=card.image)
        )
        write_text(layout.citation, citation_text(published))
        write_text(layout.datasheet, datasheet_text(card, f"{folder}/"))
        write_text(layout.card, card_text(card))
        write_text(layout.root_card, card_text(card, f"{folder}/"))

    def _card(self, shards: dict[str, list[Shard]]) -> Card:
        settings, form = self.settings, sample_form(self.settings)
        return Card(
            digest=shards_digest(shards),
            size=(settings.images.width, settings.images.height),
            further_sizes=settings.images.further_sizes,
            counts=count_by_source(self.layout.catalog),
            sources=settings.used,
            texts=form.further,
            is_json=form.is_json,
            image=form.image,
            is_demonstration=settings.is_demonstration,
            shards=shards,
            kingdoms=count_by_kingdom(self.layout.catalog),
            published=publication(settings),
            stated_licenses=stated_licenses(settings),
        )

    def _columns(self) -> dict[str, type]:
        settings = self.settings
        schema = catalog_schema(settings.plugins, settings.used, is_reference=settings.uses_reference)
        return {field.name: _python_type(field.type) for field in schema}


def _python_type(kind: pa.DataType) -> type:
    if pa.types.is_list(kind):
        return list
    return int if pa.types.is_integer(kind) else str

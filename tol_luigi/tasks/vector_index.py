"""The stage that makes a vector of all samples searchable."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tol_luigi.core.errors import SettingsError
from tol_luigi.core.files import remove
from tol_luigi.core.shards import shard_number
from tol_luigi.tasks.catalog import WriteCatalog
from tol_luigi.tasks.feature_report import ExtractFeatures
from tol_luigi.tasks.run_sections import VECTOR_FORM
from tol_luigi.tasks.selection_settings import indexed_vector
from tol_luigi.tasks.stage import StageTask

if TYPE_CHECKING:
    from pathlib import Path

    from tol_luigi.features.extractor import Extractor
    from tol_luigi.features.vector_index import ShardVectors
    from tol_luigi.tasks.base import DatasetTask

__all__ = ["BuildIndex"]


class BuildIndex(StageTask):
    """Build the index of one vector of all samples, for tol search."""

    def requires(self) -> list[DatasetTask]:
        """Require the catalog and the features."""
        return [self.clone(WriteCatalog), self.clone(ExtractFeatures)]

    def inputs(self) -> dict[str, str]:
        """Return the digests of the input stages, and the name of the vector."""
        return {**super().inputs(), "[features] index": str(self.settings.features.index)}

    @property
    def folder(self) -> Path:
        """Return the folder of the index."""
        extractor, vector, _ = self._vector
        return self.layout.vector_index(extractor.folder, vector)

    @property
    def _vector(self) -> tuple[Extractor, str, int]:
        found = indexed_vector(self.settings)
        if found is None:
            what = "it is empty, so there is no vector to index"
            raise SettingsError("[features] index", what, f"Set it: {VECTOR_FORM}")
        return found

    def files(self) -> list[Path]:
        """Return the parts of the index, and the ids of the vectors."""
        return sorted([*self.folder.glob("*.parquet"), *self.folder.glob("*.usearch")])

    def make(self) -> None:
        """Add the vectors shard by shard; remove what a larger index has left."""
        from tol_luigi.features.vector_index import build_index  # noqa: PLC0415 (slow to load, and seldom used)

        _, _, dimensions = self._vector
        shards, total = self._shards()
        with self.progress("vectors", total) as progress:
            written = build_index(
                shards,
                self.layout.catalog,
                self.folder,
                dimensions,
                made_from=self.made_from,
                threads=self.settings.features.threads,
                progress=progress,
            )
        for path in self.files():
            if path not in written:
                remove(path)

    def _shards(self) -> tuple[list[ShardVectors], int]:
        """Return the vectors of all shards, and their number."""
        from tol_luigi.features.vector_index import ShardVectors  # noqa: PLC0415 (as above)

        extractor, vector, _ = self._vector
        shards, total = [], 0
        for split, shard, families in self.clone(ExtractFeatures).families():
            family = families[extractor.name]
            shards.append(ShardVectors(split, shard_number(shard.name), family.table, family.vector(vector)))
            total += shard.samples
        return shards, total

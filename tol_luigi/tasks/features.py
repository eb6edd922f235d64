"""The stages that compute features of the samples of finished shards."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from tol_luigi.core.files import committed
from tol_luigi.report.features import features_text
from tol_luigi.tasks.feature_settings import extraction_spec, feature_set
from tol_luigi.tasks.partitions import PartitionTask, all_partitions
from tol_luigi.tasks.reports import ReportTarget
from tol_luigi.tasks.shards import CheckShards, WriteShards
from tol_luigi.tasks.stage import StageTask

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tol_luigi.core.shards import Shard
    from tol_luigi.features.family_files import FamilyFiles

__all__ = ["ExtractFeatures", "ExtractShards", "FeatureStage"]


class FeatureStage(StageTask):
    """A stage that depends on the extractors of the settings."""

    def inputs(self) -> dict[str, str]:
        """Return the digests of the input stages, and of the extractors."""
        prints = json.dumps(feature_set(self.settings).prints, sort_keys=True)
        return {**super().inputs(), "[features]": hashlib.sha256(prints.encode()).hexdigest()}


class ExtractShards(PartitionTask, FeatureStage):
    """Compute the features of the samples of one partition of a split, shard by shard.

    Families that were made from the same shard by the same extractor are kept.
    """

    def requires(self) -> CheckShards:
        """Require the checked shards."""
        return self.clone(CheckShards)

    @property
    def _written(self) -> WriteShards:
        return self.clone(WriteShards)

    def _families(self, shard: Shard) -> list[FamilyFiles]:
        from tol_luigi.features.extraction import families  # noqa: PLC0415 (slow to load, and seldom used)

        extractors = feature_set(self.settings)
        name = f"{self.split}/{shard.name.removesuffix('.tar')}"
        return families(self.layout.features, name, extractors.extractors, extractors.prints)

    def families_by_shard(self) -> Iterator[tuple[Shard, dict[str, FamilyFiles]]]:
        """Yield each shard with the families of its samples, by the names of the extractors."""
        for shard in self._written.shards():
            yield shard, {family.extractor.name: family for family in self._families(shard)}

    def _all_families(self) -> Iterator[FamilyFiles]:
        for _, families in self.families_by_shard():
            yield from families.values()

    def files(self) -> list[Path]:
        """Return the files of all families."""
        return [path for family in self._all_families() for path in (*family.files, family.receipt_path)]

    def make(self) -> None:
        """Run the extractors over each shard; what was made already is not made again."""
        from tol_luigi.features.extraction import Extraction  # noqa: PLC0415 (as above)

        folder, done = self._written.folder, 0
        shards, spec = self._written.shards(), extraction_spec(self.settings.features)
        with self.progress("images", sum(shard.samples for shard in shards)) as progress:
            for shard in shards:
                extraction = Extraction(
                    str(folder / shard.name), self._families(shard), spec, sha256=shard.sha256
                )
                extraction.run(lambda rows, done=done: progress(done + rows))  # type: ignore[misc]
                done += shard.samples
                progress(done)


class ExtractFeatures(FeatureStage):
    """Compute the features of all samples, and summarise them.

    The samples of train_small are copies of samples of train, so their features are those of train.
    """

    def requires(self) -> list[ExtractShards]:
        """Require the features of all partitions."""
        shares = [share for share in all_partitions(self.settings) if share["split"] != "train_small"]
        return [self.clone(ExtractShards, **share) for share in shares]

    def families(self) -> Iterator[tuple[str, Shard, dict[str, FamilyFiles]]]:
        """Yield the split of each shard, the shard, and the families of its samples, in the order of the catalog."""
        for task in self.requires():
            for shard, families in task.families_by_shard():
                yield task.split, shard, families

    @property
    def _target(self) -> ReportTarget:
        return ReportTarget(self.layout.features_report)

    def files(self) -> list[Path]:
        """Return the report as JSON and as text, and the views for DuckDB."""
        return [*self._target.files, self.layout.features_views]

    def make(self) -> None:
        """Write the report, and the views that join the families with the catalog."""
        from tol_luigi.features.summary import features_figures, views_text  # noqa: PLC0415 (as above)

        extractors = feature_set(self.settings).extractors
        figures = features_figures(self.layout.features, extractors)
        self._target.write(figures, features_text(figures))
        with committed(self.layout.features_views) as scratch:
            scratch.write_text(views_text(extractors), encoding="utf-8")

    def summary(self) -> str:
        """Return the report as text."""
        return self._target.text_file.read_text(encoding="utf-8")

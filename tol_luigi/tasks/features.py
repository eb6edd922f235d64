"""The stages that compute features of the samples of finished shards."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from tol_luigi.tasks.feature_settings import extraction_spec, feature_set, gpu_resource
from tol_luigi.tasks.partitions import PartitionTask, all_partitions
from tol_luigi.tasks.shards import CheckShards, WriteShards
from tol_luigi.tasks.stage import StageTask

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tol_luigi.core.shards import Shard
    from tol_luigi.features.exports.shards import ShardFeatures
    from tol_luigi.features.extractor import Extractor
    from tol_luigi.features.family_files import FamilyFiles
    from tol_luigi.tasks.settings import Settings

__all__ = ["ExtractShards", "FeatureStage", "ModelStage", "feature_shares"]


class FeatureStage(StageTask):
    """A stage that depends on the extractors of the settings."""

    def inputs(self) -> dict[str, str]:
        """Return the digests of the input stages, and of the extractors."""
        prints = json.dumps(feature_set(self.settings).prints, sort_keys=True)
        return {**super().inputs(), "[features]": hashlib.sha256(prints.encode()).hexdigest()}


class ModelStage(FeatureStage):
    """A stage that runs models.

    The tasks of a stage take turns on several GPUs. Each GPU is a resource of Luigi, so no two tasks use it at once.
    """

    @property
    def turn(self) -> int:
        """Return the number of the task among those that take turns."""
        return 0

    @property
    def device(self) -> str:
        """Return where the task runs models."""
        devices = self.settings.features.devices
        return devices[0] if len(devices) == 1 else devices[self.turn % len(devices)]

    @property
    def resources(self) -> dict[str, int]:  # type: ignore[override]  # a constant in Luigi
        """Return the GPU that the task takes; of each resource, Luigi has one unless ``[resources]`` says otherwise."""
        if self.device == "cpu":
            return {}
        is_one_of_several = len(self.settings.features.devices) > 1
        return {gpu_resource(self.device) if is_one_of_several else "gpu": 1}


class ExtractShards(PartitionTask, ModelStage):
    """Compute the features of the samples of one partition of a split, shard by shard.

    Families that were made from the same shard by the same extractor are kept.
    """

    def requires(self) -> CheckShards:
        """Require the checked shards."""
        return self.clone(CheckShards)

    @property
    def _written(self) -> WriteShards:
        return self.clone(WriteShards)

    @property
    def turn(self) -> int:
        """Return the number of the partition among all."""
        return feature_shares(self.settings).index(self.share)

    def _families(self, shard: Shard, device: str = "") -> list[FamilyFiles[Extractor]]:
        from tol_luigi.features.extraction import families  # noqa: PLC0415 (slow to load, and seldom used)

        extractors = feature_set(self.settings, device)
        return families(self.layout.features, self._name(shard), extractors.extractors, extractors.prints)

    def _name(self, shard: Shard) -> str:
        return f"{self.split}/{shard.name.removesuffix('.tar')}"

    def feature_shards(self) -> Iterator[ShardFeatures]:
        """Yield the shards with the files of their features."""
        from tol_luigi.features.exports.shards import ShardFeatures  # noqa: PLC0415 (as above)

        for shard in self._written.shards():
            yield ShardFeatures(self._name(shard), self._written.folder / shard.name, self._families(shard))

    def families_by_shard(self) -> Iterator[tuple[Shard, dict[str, FamilyFiles[Extractor]]]]:
        """Yield each shard with the families of its samples, by the names of the extractors."""
        for shard in self._written.shards():
            yield shard, {family.extractor.name: family for family in self._families(shard)}

    def families(self) -> Iterator[FamilyFiles[Extractor]]:
        """Yield the families of each shard."""
        for _, families in self.families_by_shard():
            yield from families.values()

    def files(self) -> list[Path]:
        """Return the files of all families."""
        return [path for family in self.families() for path in (*family.files, family.receipt_path)]

    def make(self) -> None:
        """Run the extractors over each shard; what was made already is not made again."""
        from tol_luigi.features.extraction import Extraction  # noqa: PLC0415 (as above)

        folder, device, done = self._written.folder, self.device, 0
        shards, spec = self._written.shards(), extraction_spec(self.settings.features)
        with self.progress("images", sum(shard.samples for shard in shards)) as progress:
            for shard in shards:
                extraction = Extraction(
                    str(folder / shard.name), self._families(shard, device), spec, sha256=shard.sha256
                )
                extraction.run(lambda rows, done=done: progress(done + rows))  # type: ignore[misc]
                done += shard.samples
                progress(done)


def feature_shares(settings: Settings) -> list[dict[str, str]]:
    """Return the partitions whose samples have features.

    Those of train_small are copies of samples of train, so their features are those of train.
    """
    return [share for share in all_partitions(settings) if share["split"] != "train_small"]

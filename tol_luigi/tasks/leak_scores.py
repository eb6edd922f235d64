"""The stages that compare samples with the images of benchmarks."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import luigi

from tol_luigi.core.digests import json_digest
from tol_luigi.core.errors import SettingsError, SourceError
from tol_luigi.sources.benchmarks import places
from tol_luigi.tasks.error_lines import refuse
from tol_luigi.tasks.feature_settings import extraction_spec, feature_set, references
from tol_luigi.tasks.features import ExtractShards, ModelStage, feature_shares
from tol_luigi.tasks.partitions import PartitionTask
from tol_luigi.tasks.reference_settings import REFERENCES, compared
from tol_luigi.tasks.scan import StoreSettings
from tol_luigi.tasks.stage import StageTask

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tol_luigi.core.images import ImageSpec
    from tol_luigi.core.shards import Shard
    from tol_luigi.features.extractor import Extractor, Family
    from tol_luigi.features.family_files import FamilyFiles
    from tol_luigi.features.leak_scores import Compared
    from tol_luigi.tasks.base import DatasetTask

    Files = dict[str, FamilyFiles[Extractor]]

__all__ = ["ExtractReferences", "ScoreLeaks", "leak_stages"]

_SHOWN = 20
"""The most unusable images that a receipt names."""


class _BenchmarkStage(StageTask):
    """A stage on the references of one benchmark."""

    benchmark: str

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 (as in Luigi)
        super().__init__(*args, **kwargs)
        if self.benchmark not in (known := references(self.settings)):
            what = f"there is no such name in {REFERENCES}"
            refuse(SettingsError(f"--benchmark {self.benchmark}", what, f"Use one of {', '.join(known)}"))

    @property
    def _compared(self) -> Compared:
        return compared(self.settings.features, feature_set(self.settings).extractors)

    def _prints(self) -> dict[str, str]:
        """Return the fingerprints of the extractors whose results are compared."""
        prints = feature_set(self.settings).prints
        return {name: prints[name] for name in self._compared.extractors}

    def inputs(self) -> dict[str, str]:
        """Return the digests of the input stages, and what is compared."""
        how = [dataclasses.astuple(self._compared), self._prints()]
        # Not those of other extractors, whose change concerns no reference.
        return {**StageTask.inputs(self), REFERENCES: json_digest(how)}


class ExtractReferences(_BenchmarkStage, ModelStage):
    """Compute hashes and vectors of the images of a benchmark, with which samples are compared."""

    benchmark: str = luigi.Parameter(description="the name of the benchmark in [features] references")

    _content = ""

    def requires(self) -> StoreSettings:
        """Require the stored settings, which say how images are resized."""
        return self.clone(StoreSettings)

    def reads(self) -> dict[str, Path]:
        """Return the folder or archive of the images."""
        return {f"{REFERENCES} {self.benchmark}": references(self.settings)[self.benchmark]}

    def parts_read(self, name: str) -> list[str]:
        """Return all folders and archives."""
        return places(self.reads()[name])

    @property
    def turn(self) -> int:
        """Return the number of the benchmark among all."""
        return list(references(self.settings)).index(self.benchmark)

    def _places(self) -> dict[str, Path]:
        """Return what the stage reads, also for the demonstration, whose samples can be compared as well."""
        return self.reads()

    @property
    def is_guarded(self) -> bool:
        """Return False: no shard is made from these images, so changed ones are read again."""
        return False

    @property
    def _spec(self) -> ImageSpec:
        """Return how images become samples; the hash of the leak guard is another one."""
        return dataclasses.replace(self.settings.image_spec, hashed=False)

    def references(self) -> Files:
        """Return the files of the extractors, each after those that it depends on."""
        from tol_luigi.features.extractor import needed_extractors  # noqa: PLC0415 (slow to load, and seldom used)
        from tol_luigi.features.family_files import FamilyFiles  # noqa: PLC0415 (as above)

        found, receipt = feature_set(self.settings, self.device), self.receipt()
        content = receipt.more["content"] if receipt else self._content
        spec = dataclasses.asdict(self._spec)
        del spec["decoder"], spec["kernel"]  # all make the same bytes
        folder = self.layout.features / "references"
        return {
            one.name: FamilyFiles(
                folder, self.benchmark, one, json_digest([found.prints[one.name], spec, content])
            )
            for one in needed_extractors(found.extractors, self._compared.extractors)
        }

    def files(self) -> list[Path]:
        """Return the files of all extractors."""
        return [path for one in self.references().values() for path in (*one.files, one.receipt_path)]

    def more(self) -> dict[str, Any]:
        """Return the digest and the number of images, and which cannot be used."""
        from tol_luigi.features.references import unusable_references  # noqa: PLC0415 (as above)

        files = self._used_references()
        images = len(files[0].read_table(["key"]))
        unusable = unusable_references(files)
        shown = {one.name: one.reason for one in unusable[:_SHOWN]}
        return {"content": self._content, "images": images, "unusable": len(unusable), "reasons": shown}

    def figures(self) -> dict[str, Any]:
        """Return the number of images, and which cannot be used."""
        receipt = self.receipt()
        return {key: receipt.more[key] for key in ("images", "unusable", "reasons")} if receipt else {}

    def _used_references(self) -> list[FamilyFiles[Extractor]]:
        files = self.references()
        return [files[name] for name in self._compared.extractors]

    def make(self) -> None:
        """Run the extractors that samples are compared by, and those that they depend on, over the images."""
        from tol_luigi.features.references import (  # noqa: PLC0415 (as above)
            ReferenceImages,
            extract_references,
            unusable_references,
        )

        (place,) = self.reads().values()
        images = ReferenceImages(place, self._spec, REFERENCES)
        self._content = images.digest()
        with self.progress("reference images") as progress:
            spec = extraction_spec(self.settings.features)
            extract_references(images, list(self.references().values()), self._content, spec, progress)
        for one in self._used_references():
            unusable = unusable_references([one])
            if len(unusable) == len(one.read_table(["key"])):
                what = f"no image can be used by {one.extractor.name}; the first is {unusable[0].name} ({unusable[0].reason})"
                raise SourceError(place, what, f"Correct the images, or remove the line from {REFERENCES}")


class ScoreLeaks(PartitionTask, _BenchmarkStage):
    """Compare the samples of one partition of a split with the images of a benchmark."""

    benchmark: str = luigi.Parameter(description="the name of the benchmark in [features] references")

    def requires(self) -> list[DatasetTask]:
        """Require the features of the samples, and the references."""
        return [self.clone(ExtractShards), self.clone(ExtractReferences)]

    def _files(self) -> Iterator[tuple[Shard, Files, FamilyFiles[Family]]]:
        """Yield each shard with the files of its features, and those to write."""
        from tol_luigi.features.family_files import FamilyFiles  # noqa: PLC0415 (slow to load, and seldom used)
        from tol_luigi.features.leak_scores import VERSION, leak_family  # noqa: PLC0415 (as above)

        family = leak_family(self.benchmark, self._compared)
        prints = {name: one.fingerprint for name, one in self.clone(ExtractReferences).references().items()}
        print_ = json_digest([VERSION, family.name, self._prints(), prints, self._compared.vector])
        for shard, families in self.clone(ExtractShards).families_by_shard():
            name = next(iter(families.values())).name
            yield shard, families, FamilyFiles(self.layout.features, name, family, print_)

    def files(self) -> list[Path]:
        """Return the tables and their receipts."""
        return [path for *_, made in self._files() for path in (*made.files, made.receipt_path)]

    def make(self) -> None:
        """Write the scores of each shard; what is made from the same shard and the same references is kept."""
        from tol_luigi.features.leak_scores import References, write_leak_scores  # noqa: PLC0415 (as above)

        files = list(self._files())
        known = References(self.clone(ExtractReferences).references(), self._compared)
        with self.progress("shards", len(files)) as progress:
            for number, (shard, families, made) in enumerate(files, start=1):
                receipt = made.checked_receipt()
                if receipt is None or receipt.inputs["tar"] != shard.sha256:
                    write_leak_scores(families, known, made)
                progress(number)


def leak_stages(task: StageTask) -> list[DatasetTask]:
    """Return the stages that compare samples with benchmarks, if the settings name any."""
    return [
        task.clone(ScoreLeaks, benchmark=name, **share)
        for name in references(task.settings)
        for share in feature_shares(task.settings)
    ]

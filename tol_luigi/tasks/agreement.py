"""The stages that compare images with the texts of all taxa, and with other images of their taxon."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from tol_luigi.core.digests import json_digest
from tol_luigi.core.taxon import RANK_LABELS
from tol_luigi.store.catalogs import partition_rows
from tol_luigi.tasks.feature_settings import feature_set
from tol_luigi.tasks.features import ExtractShards, FeatureStage, ModelStage, feature_shares
from tol_luigi.tasks.partitions import PartitionTask
from tol_luigi.tasks.predict import PredictCatalog

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tol_luigi.features.agreement import Lineage
    from tol_luigi.features.clip import Clip
    from tol_luigi.features.extractor import Columns, Extractor, Family
    from tol_luigi.features.family_files import FamilyFiles
    from tol_luigi.tasks.base import DatasetTask

    Pair = tuple[FamilyFiles[Extractor], FamilyFiles[Family]]

__all__ = ["EmbedTaxa", "ScoreAgreement", "ScorePrototypes", "agreement_stages"]


class _AgreementStage(FeatureStage):
    """A stage that reads the vectors of the images of one CLIP model."""

    @property
    def _clip(self) -> Clip:
        name = self.settings.features.agreement
        (found,) = (one for one in feature_set(self.settings).extractors if one.name == name)
        return cast("Clip", found)

    def _checked_scale(self, scale: float) -> float:
        """Return the model's factor between cosines and logits.

        Raises:
            SettingsError: Nothing states it.
        """
        if scale <= 0:
            what = "nothing states it, but agreement with taxa needs the factor between cosines and logits"
            remedy = "State the one that the model was trained to, such as logit_scale: 100"
            raise self._clip.model.description.error("logit_scale", what, remedy)
        return scale

    def _made_files(self, family: Family, images: Iterable[FamilyFiles[Extractor]]) -> list[Pair]:
        """Return the files with the vectors of the images of some shards, each with those of a family."""
        from tol_luigi.features.family_files import FamilyFiles  # noqa: PLC0415 (seldom used)

        digest = json_digest([family.name, sorted(self.inputs().items())])
        return [(one, FamilyFiles(one.folder, one.name, family, digest)) for one in images]

    def _image_families(self, share: dict[str, str]) -> list[FamilyFiles[Extractor]]:
        """Return the files of the vectors of the images, one for each shard of a partition."""
        families = self.clone(ExtractShards, **share).families()
        return [one for one in families if one.extractor.name == self._clip.name]

    def _lineages(self, share: dict[str, str]) -> dict[str, Lineage]:
        """Return the taxa of the images of a partition, by id."""
        from tol_luigi.features.taxon_texts import lineages_of  # noqa: PLC0415 (seldom used)

        columns = ["treeoflife_id", *RANK_LABELS]
        return lineages_of(
            partition_rows(self.layout.predicted, share["source"], share["partition"], columns)
        )


class EmbedTaxa(_AgreementStage, ModelStage):
    """Compute the vectors of the texts of all taxa of the dataset."""

    def requires(self) -> PredictCatalog:
        """Require the predicted catalog, which has the taxa."""
        return self.clone(PredictCatalog)

    def inputs(self) -> dict[str, str]:
        """Return the digests of input stages and extractors, and the texts."""
        return {**super().inputs(), "[features] taxon_texts": " ".join(self._names)}

    @property
    def _names(self) -> tuple[str, ...]:
        return self.settings.features.taxon_texts

    @property
    def stem(self) -> Path:
        """Return the path of both files, without their suffixes."""
        return self.layout.features / "taxa" / self._clip.folder

    def files(self) -> list[Path]:
        """Return the vectors, and the lineages of their rows."""
        return [self.stem.with_suffix(".npy"), self.stem.with_suffix(".parquet")]

    def more(self) -> dict[str, Any]:
        """Return the model's factor between cosines and logits."""
        return {"logit_scale": self._clip.model.logit_scale}

    def make(self) -> None:
        """Embed the texts of each taxon, and average them."""
        from tol_luigi.features.taxon_texts import catalog_taxa, embed_taxa  # noqa: PLC0415 (seldom used)

        taxa = catalog_taxa(self.layout.predicted)
        self._clip.load_once()
        self._checked_scale(self._clip.model.logit_scale)
        with self.progress("taxa", len(taxa)) as progress:
            embed_taxa(taxa, self._names, self._clip.model.embed_texts, self.stem, progress)


class ScoreAgreement(PartitionTask, _AgreementStage):
    """Compare the images of one partition of a split with the texts of all taxa."""

    def requires(self) -> list[DatasetTask]:
        """Require the vectors of images and of taxa, and the catalog with the taxa of the images."""
        return [self.clone(ExtractShards), self.clone(EmbedTaxa), self.clone(PredictCatalog)]

    def _files(self) -> list[Pair]:
        from tol_luigi.features.agreement_columns import agreement_family  # noqa: PLC0415 (seldom used)

        return self._made_files(agreement_family(self._clip.name), self._image_families(self.share))

    def files(self) -> list[Path]:
        """Return the tables and their receipts."""
        return [path for _, made in self._files() for path in (*made.files, made.receipt_path)]

    def make(self) -> None:
        """Write the agreement of each image."""
        from tol_luigi.features.agreement import agreement  # noqa: PLC0415 (seldom used)
        from tol_luigi.features.agreement_columns import write_scores  # noqa: PLC0415
        from tol_luigi.features.taxon_texts import read_bank  # noqa: PLC0415

        embedded = self.clone(EmbedTaxa)
        receipt = embedded.receipt()
        scale = self._checked_scale(float(receipt.more["logit_scale"]) if receipt else 0.0)
        bank, vector, lineages = (
            read_bank(embedded.stem),
            self._clip.vectors[0].name,
            self._lineages(self.share),
        )
        pairs = self._files()
        with self.progress("shards", len(pairs)) as progress:
            for number, (images, made) in enumerate(pairs, start=1):
                vectors = images.read_vector(vector)

                def compared(rows: slice, keys: list[str], vectors: Any = vectors) -> Columns:  # noqa: ANN401 (float16)
                    return agreement(vectors[rows], [lineages[key] for key in keys], bank, scale)

                write_scores(images, made, compared)
                progress(number)


class ScorePrototypes(_AgreementStage):
    """Compare each image with the mean of all other images of its taxon."""

    def requires(self) -> list[DatasetTask]:
        """Require the vectors of all images, and the catalog with their taxa."""
        shares = feature_shares(self.settings)
        return [self.clone(PredictCatalog), *(self.clone(ExtractShards, **share) for share in shares)]

    def _files(self) -> list[Pair]:
        from tol_luigi.features.agreement_columns import prototype_family  # noqa: PLC0415 (seldom used)

        images = [one for share in feature_shares(self.settings) for one in self._image_families(share)]
        return self._made_files(prototype_family(self._clip.name), images)

    def files(self) -> list[Path]:
        """Return the tables and their receipts."""
        return [path for _, made in self._files() for path in (*made.files, made.receipt_path)]

    def make(self) -> None:
        """Write the distances of all images."""
        from tol_luigi.features.agreement import prototype_agreement  # noqa: PLC0415 (seldom used)
        from tol_luigi.features.agreement_columns import read_keys, write_scores  # noqa: PLC0415
        from tol_luigi.features.taxon_texts import Stacked  # noqa: PLC0415

        vector, pairs = self._clip.vectors[0], self._files()
        keys = [read_keys(images) for images, _ in pairs]
        paths = [images.vector(vector.name) for images, _ in pairs]
        rows = Stacked(dict(zip(paths, map(len, keys), strict=True)), vector.dimensions)
        lineages = {
            key: lineage
            for share in feature_shares(self.settings)
            for key, lineage in self._lineages(share).items()
        }
        labels = [lineages[key] for of_shard in keys for key in of_shard]
        scores = prototype_agreement(cast("Any", rows), labels)
        start = 0
        for (images, made), of_shard in zip(pairs, keys, strict=True):
            part = {name: values[start : start + len(of_shard)] for name, values in scores.items()}

            def known(rows: slice, _: list[str], part: Any = part) -> Columns:  # noqa: ANN401 (arrays by column)
                return {name: values[rows] for name, values in part.items()}

            write_scores(images, made, known)
            start += len(of_shard)


def agreement_stages(task: FeatureStage) -> Iterable[DatasetTask]:
    """Return the stages of agreement, if the settings name a model."""
    if not task.settings.features.agreement:
        return []
    shares = feature_shares(task.settings)
    return [*(task.clone(ScoreAgreement, **share) for share in shares), task.clone(ScorePrototypes)]

"""Jobs of dataset2metadata for tests, with small extractors in place of its models."""

from __future__ import annotations

import contextlib
import io
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import yaml

from tol_luigi.command import line
from tol_luigi.features import registry
from tol_luigi.features.extractor import Extractor, Options, Vector, unit_rows
from tol_luigi.tasks.tars import prepared_job

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pytest

    from tol_luigi.features.extractor import Columns
    from tol_luigi.features.samples import FeatureSample


class Ran(NamedTuple):
    """A command that has ended."""

    code: int
    out: str
    err: str


def job(file: Path, **keys: Any) -> Path:
    """Write a file of settings; a key that is None is left out."""
    usual: dict[str, Any] = {
        "models": ["mean"],
        "nworkers": 1,
        "batch_size": 2,
        "device": "cpu",
        "output_metadata_dir": str(file.parent / "out"),
    }
    content = {key: value for key, value in (usual | keys).items() if value is not None}
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    return file


def run(file: Path, *arguments: str) -> Ran:
    """Run a job in this process."""
    prepared_job.cache_clear()
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = line.main(["features", "--yml", str(file), "--jobs", "1", *arguments])
    return Ran(code, out.getvalue(), err.getvalue())


class Fake(Extractor):
    """The base of the extractors in place of models; what they return depends on the bytes of their weights."""

    runs: list[tuple[str, int]] = []  # noqa: RUF012 (a record for all of them)

    def __init__(self, name: str, options: Options) -> None:
        super().__init__(name, options)
        self.model = options.models[name.partition(":")[2]]
        self.prefix = self.model.name.replace("-", "_")

    def identity(self) -> dict[str, Any]:
        """Return the hash of the weights."""
        return {"sha256": self.model.sha256}

    def note(self, batch: list[Any]) -> None:
        """Note that a batch was run."""
        self.runs.append((self.name, len(batch)))


class FakeClip(Fake):
    """Vectors of images and texts."""

    def __init__(self, name: str, options: Options) -> None:
        super().__init__(name, options)
        self.dimensions = 768 if "l14" in name else 512
        self.columns = (pa.field(f"{self.prefix}_score", pa.float32()),)
        names = (f"{self.prefix}_img", f"{self.prefix}_txt")
        self.vectors = tuple(Vector(vector, self.dimensions) for vector in names)

    def prepare(self, sample: FeatureSample) -> tuple[int, str | None]:
        """Return a number of the image, and the text."""
        pixels = int(np.asarray(sample.image).sum())
        return pixels, sample.members.get("txt", b"").decode() or None

    def run(self, batch: list[tuple[int, str | None]], before: Mapping[str, Columns]) -> Columns:
        """Return vectors, as the weights and the sample seed them."""
        assert not before
        self.note(batch)
        images = self._vectors([number for number, _ in batch])
        texts = self._vectors([len(text) if text else -1 for _, text in batch])
        texts[[text is None for _, text in batch]] = np.nan
        scores = (images * texts).sum(axis=1)
        return {
            f"{self.prefix}_score": [None if np.isnan(score) else float(score) for score in scores],
            f"{self.prefix}_img": images,
            f"{self.prefix}_txt": texts,
        }

    def _vectors(self, seeds: list[int]) -> np.ndarray[Any, Any]:
        weights = int(self.model.sha256[:8], 16)
        rows = [np.random.default_rng([weights, abs(seed)]).normal(size=self.dimensions) for seed in seeds]
        return unit_rows(np.array(rows, np.float32))


class FakeHead(Fake):
    """A score from the vectors of ViT-L/14."""

    columns = (pa.field("nsfw_image_score", pa.float32()),)
    depends = ("clip:oai-clip-vit-l14",)

    def prepare(self, sample: FeatureSample) -> None:
        """Return nothing."""

    def run(self, batch: list[None], before: Mapping[str, Columns]) -> Columns:
        """Return the first element of each vector, squeezed as dataset2metadata does."""
        self.note(batch)
        vectors = np.asarray(before[self.depends[0]]["oai_clip_vit_l14_img"])
        return {"nsfw_image_score": np.abs(vectors[:, 0])}


class FakeDetoxify(Fake):
    """A score from the text."""

    columns = (pa.field("nsfw_detoxify_score", pa.float32()),)
    reads_text = True

    def prepare(self, sample: FeatureSample) -> str:
        """Return the text."""
        return sample.text

    def run(self, batch: list[str], before: Mapping[str, Columns]) -> Columns:
        """Return a score by length."""
        assert not before
        return {"nsfw_detoxify_score": [1 / len(text) for text in batch]}


class FakeCopies(FakeClip):
    """A vector, and the best match."""

    def __init__(self, name: str, options: Options) -> None:
        super().__init__(name, options)
        self.columns = (
            pa.field(f"{self.prefix}_max", pa.float32()),
            pa.field(f"{self.prefix}_ref", pa.string()),
        )
        self.vectors = (Vector(f"{self.prefix}_img", 256),)
        self.dimensions = 256

    def run(self, batch: list[tuple[int, str | None]], before: Mapping[str, Columns]) -> Columns:
        """Return vectors and matches."""
        assert not before
        images = self._vectors([number for number, _ in batch])
        best, found = images[:, 0], ["eval-1"] * len(batch)
        return {f"{self.prefix}_img": images, f"{self.prefix}_max": best, f"{self.prefix}_ref": found}


class FakeFaces(Fake):
    """A face in every image whose first pixel is light."""

    columns = (pa.field("face_bboxes", pa.list_(pa.list_(pa.float64()))), pa.field("n_faces", pa.int32()))

    def prepare(self, sample: FeatureSample) -> bool:
        """Return whether there is a face."""
        return bool(np.asarray(sample.image)[0, 0, 0] > 127)

    def run(self, batch: list[bool], before: Mapping[str, Columns]) -> Columns:
        """Return boxes."""
        assert not before
        boxes = [[[0.25, 0.25, 0.75, 0.75]] if one else [] for one in batch]
        return {"face_bboxes": boxes, "n_faces": [len(one) for one in boxes]}


FAKES = {
    "clip": FakeClip,
    "nsfw-clip-head": FakeHead,
    "detoxify": FakeDetoxify,
    "copy": FakeCopies,
    "scrfd": FakeFaces,
}

MODELS = (
    "oai-clip-vit-b32",
    "oai-clip-vit-l14",
    "nsfw-detoxify",
    "nsfw-image-oai-clip-vit-l-14",
    "dedup-isc-ft-v107",
    "faces-scrfd10g",
)


def fake_models(monkeypatch: pytest.MonkeyPatch, folder: Path, names: tuple[str, ...] = MODELS) -> list[str]:
    """Put small extractors in the place of models; return the options that say where their weights are."""
    for kind, fake in FAKES.items():
        monkeypatch.setitem(registry._FOUND, kind, fake)
    monkeypatch.setattr(Fake, "runs", [])
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / f"{name}.bin").write_text(name)
    return [argument for name in names for argument in ("--models", f"{name}={folder / name}.bin")]

"""Tars for tests of features, and small extractors."""

from __future__ import annotations

import io
import json
import os
import signal
import tarfile
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from PIL import Image

from tol_luigi.features import extraction as engine
from tol_luigi.features import family_files
from tol_luigi.features.extraction import Extraction, ExtractionSpec, families
from tol_luigi.features.extractor import Extractor, Options, Vector, fingerprints
from tol_luigi.features.registry import register, resolve

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from tol_luigi.features.extractor import Columns
    from tol_luigi.features.family_files import FamilyFiles
    from tol_luigi.features.samples import FeatureSample

Members = dict[str, bytes]


def png(number: int, side: int = 16) -> bytes:
    """Return a noisy image that differs for each number."""
    pixels = np.random.default_rng(number).integers(0, 255, (side, side, 3), np.uint8)
    written = io.BytesIO()
    Image.fromarray(pixels).save(written, "PNG")
    return written.getvalue()


def sample(number: int) -> Members:
    """Return the members of a sample."""
    fields = json.dumps({"uid": f"{number:032x}", "number": number})
    return {"png": png(number), "txt": f"sample {number}".encode(), "json": fields.encode()}


def write_tar(path: Path, samples: Iterable[tuple[str, Members]]) -> Path:
    """Write a tar of samples, each a key and its members."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for key, members in samples:
            for extension, content in members.items():
                header = tarfile.TarInfo(f"{key}.{extension}")
                header.size = len(content)
                tar.addfile(header, io.BytesIO(content))
    return path


def write_samples(path: Path, count: int, **changed: Members) -> Path:
    """Write a tar of samples; some, by their key such as ``s3``, are replaced."""
    return write_tar(
        path, [(f"s{number}", changed.get(f"s{number}", sample(number))) for number in range(count)]
    )


@register("mean")
class Mean(Extractor):
    """The mean of all pixels, and the mean of each channel as a vector."""

    columns = (pa.field("mean", pa.float64()), pa.field("boxes", pa.list_(pa.list_(pa.float64()))))
    vectors = (Vector("channels", 3),)
    calls = 0

    def prepare(self, sample: FeatureSample) -> np.ndarray[Any, Any]:
        """Return the pixels."""
        return np.asarray(sample.image, np.float64)

    def run(self, batch: list[Any], before: Mapping[str, Columns]) -> Columns:
        """Return the means."""
        assert not before
        type(self).calls += 1
        return {
            "mean": [pixels.mean() for pixels in batch],
            "boxes": [[] for _ in batch],
            "channels": np.stack([pixels.mean(axis=(0, 1)) for pixels in batch]),
        }


@register("doubled")
class Doubled(Extractor):
    """Twice the mean, from the results of another extractor."""

    depends = ("mean",)
    columns = (pa.field("doubled", pa.float64()),)

    def prepare(self, sample: FeatureSample) -> None:
        """Return nothing."""

    def run(self, batch: list[Any], before: Mapping[str, Columns]) -> Columns:
        """Return the doubled means."""
        assert len(batch) == len(before["mean"]["mean"])
        return {"doubled": [2 * mean for mean in before["mean"]["mean"]]}


@register("words")
class Words(Extractor):
    """The number of words of the text."""

    columns = (pa.field("words", pa.int32()),)
    reads_text = True

    def prepare(self, sample: FeatureSample) -> int:
        """Return the number of words."""
        return len(sample.text.split())

    def run(self, batch: list[Any], before: Mapping[str, Columns]) -> Columns:
        """Return the numbers."""
        assert not before
        return {"words": batch}


def kill_after(parts: int) -> None:
    """Make parts of 8 samples; kill this process with -9 after it has written so many parts, never with 0."""
    for module in (engine, family_files):
        module.PART_ROWS = 8
    written, left = family_files.FamilyFiles.write_part, parts

    def write_part(self: Any, number: int, columns: Any) -> None:
        nonlocal left
        written(self, number, columns)
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)

    family_files.FamilyFiles.write_part = write_part  # type: ignore[method-assign]


def extraction(
    tar: Path, folder: Path, names: Iterable[str], spec: ExtractionSpec | None = None
) -> tuple[Extraction, dict[str, FamilyFiles]]:
    """Return an extraction, and the files of its families by name."""
    extractors = resolve(names, Options())
    files = families(folder, tar.stem, extractors, fingerprints(extractors))
    made = Extraction(str(tar), files, spec or ExtractionSpec(batch=4))
    return made, {one.extractor.name: one for one in files}


def extract(
    tar: Path, folder: Path, names: Iterable[str], spec: ExtractionSpec | None = None
) -> tuple[list[str], dict[str, FamilyFiles]]:
    """Run extractors over a tar; return the names of those that were run, and the files by name."""
    made, files = extraction(tar, folder, names, spec)
    return [one.extractor.name for one in made.run()], files

"""Samples and the images of a benchmark, of which some show the same."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image
from shards import extract, write_tar

from tol_luigi.core.images import ImageSpec
from tol_luigi.features.extraction import ExtractionSpec
from tol_luigi.features.extractor import Extractor, Options, Vector, fingerprints, unit_rows
from tol_luigi.features.family_files import FamilyFiles
from tol_luigi.features.leak_scores import Compared, References, leak_family, write_leak_scores
from tol_luigi.features.references import ReferenceImages, extract_references
from tol_luigi.features.registry import register, resolve

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from tol_luigi.features.extractor import Columns
    from tol_luigi.features.samples import FeatureSample

SPEC = ImageSpec(64, 64)
COMPARED = Compared(("hash",), ("coarse", "colours"))


@register("coarse")
class Coarse(Extractor):
    """The colours of 4 x 4 fields as a vector."""

    vectors = (Vector("colours", 48),)

    def prepare(self, sample: FeatureSample) -> Any:
        """Return the colours."""
        return np.asarray(sample.image.resize((4, 4)), np.float32).ravel()

    def run(self, batch: list[Any], before: Mapping[str, Columns]) -> Columns:
        """Return the vectors."""
        assert not before
        return {"colours": unit_rows(np.stack(batch) - 128)}


def picture(number: int) -> Image.Image:
    """Return an image of soft colours that differ for each number."""
    pixels = np.random.default_rng(number).integers(0, 255, (8, 8, 3), np.uint8)
    return Image.fromarray(pixels).resize((160, 120), Image.Resampling.BICUBIC)


def copied(number: int) -> bytes:
    """Return a copy of an image, slightly smaller and of a lower quality."""
    written = io.BytesIO()
    picture(number).resize((149, 113)).save(written, "JPEG", quality=70)
    return written.getvalue()


def write_references(folder: Path, images: Mapping[str, bytes]) -> Path:
    """Write the images of a benchmark."""
    for name, content in images.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def references(folder: Path, place: Path, compared: Compared = COMPARED) -> dict[str, FamilyFiles[Extractor]]:
    """Extract the features of the images of a benchmark."""
    images = ReferenceImages(place, SPEC, "[features] references")
    digest = images.digest()
    extractors = resolve(compared.extractors, Options())
    prints = fingerprints(extractors)
    files = {
        one.name: FamilyFiles(folder / "references", "rare", one, prints[one.name] + digest)
        for one in extractors
    }
    extract_references(images, list(files.values()), digest, ExtractionSpec(batch=4))
    return files


def leak_scores(
    folder: Path, place: Path, numbers: Iterable[int], compared: Compared = COMPARED
) -> dict[str, dict[str, Any]]:
    """Return the rows of samples with these images, by their keys such as ``s3``."""
    samples = []
    for number in numbers:
        written = io.BytesIO()
        picture(number).resize((SPEC.width, SPEC.height)).save(written, "PNG")
        samples.append((f"s{number}", {"png": written.getvalue()}))
    _, files = extract(write_tar(folder / "a.tar", samples), folder, compared.extractors)
    made = FamilyFiles(folder, "a", leak_family("rare", compared), "print")
    write_leak_scores(files, References(references(folder, place, compared), compared), made)
    return {row["key"]: row for row in made.read_table(made.schema.names).to_pylist()}

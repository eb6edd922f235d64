"""Samples of one image, and what extractors compute for them."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from tol_luigi.features.samples import FeatureSample

if TYPE_CHECKING:
    from PIL import Image

    from tol_luigi.features.extractor import Extractor


def sample_of(image: Image.Image | bytes, text: str | None = None, **options: Any) -> FeatureSample:
    """Return a sample of an image, which is saved as PNG, or with the options."""
    if not isinstance(image, bytes):
        file = io.BytesIO()
        image.save(file, **{"format": "PNG", **options})
        image = file.getvalue()
    members = {"jpg": image} if text is None else {"jpg": image, "txt": text.encode()}
    return FeatureSample("a", members, 0)


def values(extractor: Extractor, sample: FeatureSample) -> dict[str, Any]:
    """Return what an extractor computes for one sample."""
    found = extractor.run([extractor.prepare(sample)], {})
    return {name: column[0] for name, column in found.items()}

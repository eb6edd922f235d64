"""The vectors to search an index for: of an image file, or of a text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tol_luigi.core.errors import DatasetError, SettingsError
from tol_luigi.features.extractor import needed_extractors
from tol_luigi.features.samples import FeatureSample, SampleError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from tol_luigi.features.extractor import Columns, Extractor

__all__ = ["image_vector", "parse_vector_name", "text_embedder", "text_vector"]


def parse_vector_name(setting: str, name: str, extractors: Sequence[Extractor]) -> tuple[Extractor, str, int]:
    """Return extractor, vector and number of dimensions of a name ``<extractor>/<vector>``.

    Args:
        setting: The setting in messages.
        name: The name.
        extractors: The extractors of the settings.

    Raises:
        SettingsError: There is no such vector.
    """
    valid = {
        f"{extractor.name}/{vector.name}": (extractor, vector.name, vector.dimensions)
        for extractor in extractors
        for vector in extractor.vectors
    }
    if name in valid:
        return valid[name]
    remedy = f"Valid are {', '.join(valid)}" if valid else "Add an extractor that computes vectors"
    raise SettingsError(f"{setting} = {name}", "no extractor computes this vector", remedy)


def image_vector(
    extractors: Sequence[Extractor], wanted: Extractor, vector: str, content: bytes, where: object
) -> NDArray[np.float32]:
    """Return the vector that an extractor computes for an image.

    Args:
        extractors: All extractors, each after those that it depends on.
        wanted: The extractor.
        vector: The name of its vector.
        content: The image, as it would be in a shard.
        where: The name of the image in messages.

    Raises:
        DatasetError: The image cannot be used.
    """
    sample = FeatureSample("query", {"jpg": content}, 0)
    results: dict[str, Columns] = {}
    try:
        for extractor in needed_extractors(extractors, [wanted.name]):
            extractor.load()
            before = {name: results[name] for name in extractor.depends}
            results[extractor.name] = extractor.run([extractor.prepare(sample)], before)
    except SampleError as error:
        raise DatasetError(where, f"it cannot be used ({error.reason})", "Choose another image") from error
    found: NDArray[np.float32] = np.asarray(results[wanted.name][vector], np.float32)[0]
    return found


def text_embedder(extractor: Extractor) -> Callable[[Sequence[str]], Any] | None:
    """Return the function with which an extractor embeds texts next to its images; None if it has none.

    This is a method ``embed_texts`` of the extractor, or of its ``model``.
    """
    for owner in (extractor, getattr(extractor, "model", None)):
        if callable(embed := getattr(owner, "embed_texts", None)):
            return embed  # type: ignore[no-any-return]  # as its extractor defines it
    return None


def text_vector(extractor: Extractor, text: str) -> NDArray[np.float32]:
    """Return the vector of a text.

    Raises:
        DatasetError: The extractor has no model of texts.
    """
    embed = text_embedder(extractor)
    if embed is None:
        what = f"{extractor.name} has no model of texts"
        raise DatasetError("--text", what, "Search by --image, --id or --taxon, or index a vector of CLIP")
    extractor.load()
    found: NDArray[np.float32] = np.asarray(embed([text]), np.float32)[0]
    return found

"""``tol search``: find the samples whose vectors are nearest to that of an image, a sample, a taxon or a text."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from tol_luigi.core.errors import DatasetError, SettingsError
from tol_luigi.core.exit_code import ExitCode
from tol_luigi.core.images import BrokenImageError, encode
from tol_luigi.core.shards import shard_name
from tol_luigi.core.taxon import RANK_LABELS
from tol_luigi.features.queries import image_vector, text_vector
from tol_luigi.features.vector_index import VectorIndex
from tol_luigi.report.text import counted
from tol_luigi.tasks.feature_settings import feature_set
from tol_luigi.tasks.run_sections import VECTOR_FORM
from tol_luigi.tasks.selection_settings import indexed_vector
from tol_luigi.tasks.settings import settings

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from tol_luigi.features.extractor import Extractor
    from tol_luigi.features.vector_index import Hit

__all__ = ["search"]


def search(given: argparse.Namespace) -> int:
    """Print the samples that are found."""
    found = indexed_vector(settings())
    if found is None:
        what = "it is empty, so there is no index"
        raise SettingsError("[features] index", what, f"Set it: {VECTOR_FORM}; and run tol build")
    extractor, vector, _ = found
    index = VectorIndex(settings().layout.vector_index(extractor.folder, vector))
    query, note = _query(given, index, extractor, vector)
    hits = index.search(query, given.count, but=given.id or "") if query is not None else []
    if given.json:
        sys.stdout.write(json.dumps([_figures(hit) for hit in hits], indent=1, ensure_ascii=False) + "\n")
    else:
        sys.stdout.writelines(f"{line.rstrip()}\n" for line in [note, *map(_line, hits)])
    return ExitCode.COMPLETE if hits else ExitCode.NEGATIVE


def _query(
    given: argparse.Namespace, index: VectorIndex, extractor: Extractor, vector: str
) -> tuple[NDArray[np.float32] | None, str]:
    """Return the vector to search for, None if there is none; and a line about it."""
    if given.id is not None:
        query = index.vector_of(given.id)
        return query, f"like sample {given.id}" if query is not None else f"{given.id} is not in the index"
    if given.taxon is not None:
        query, count = index.vector_of_taxon(given.taxon)
        images = counted(count, "image")
        return (
            query,
            f"like the mean of {images} of {given.taxon}" if count else f"no image is of {given.taxon}",
        )
    if given.text is not None:
        return text_vector(extractor, given.text), f"like the text {given.text}"
    content = _encoded(given.image)
    extractors = feature_set(settings()).extractors
    return image_vector(extractors, extractor, vector, content, given.image), f"like {given.image}"


def _encoded(path: Path) -> bytes:
    """Return an image as it would be in a shard.

    Raises:
        DatasetError: It cannot be read or decoded.
    """
    try:
        return encode(path.read_bytes(), settings().image_spec)[0]
    except OSError as error:
        what = f"it cannot be read ({error.strerror})"
        raise DatasetError(path, what, "Name an image file") from error
    except BrokenImageError as error:
        raise DatasetError(path, f"it cannot be decoded ({error.reason})", "Name another image") from error


def _name(hit: Hit) -> str:
    """Return genus and species, else the lowest known rank, and the common name."""
    ranks = [hit.row[rank] or "" for rank in RANK_LABELS]
    lowest = next((rank for rank in reversed(ranks) if rank), "no name")
    scientific = " ".join(ranks[-2:]) if all(ranks[-2:]) else lowest
    common = hit.row["common"] or ""
    # Without a common name, the catalog has the scientific or taxonomic name instead.
    instead = {scientific.lower(), " ".join(filter(None, ranks)).lower(), ""}
    return scientific if common.lower() in instead else f"{scientific} ({common})"


def _shard(hit: Hit) -> str:
    return f"{hit.row['split']}/{shard_name(hit.row['shard'])}"


def _line(hit: Hit) -> str:
    return f"{hit.score:7.4f}  {hit.id}  {_shard(hit)}  {_name(hit)}"


def _figures(hit: Hit) -> dict[str, Any]:
    ranks = {rank: hit.row[rank] for rank in RANK_LABELS}
    return {
        "id": hit.id,
        "score": round(hit.score, 6),
        "taxon": _name(hit),
        **ranks,
        "common": hit.row["common"],
        "source": hit.row["source"],
        "shard": _shard(hit),
    }

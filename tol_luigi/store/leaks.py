"""Counts of excluded benchmark images, by matching method."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc

from tol_luigi.core.ledger import State
from tol_luigi.store.ledger import read_ledger

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from tol_luigi.core.benchmarks import BenchmarkImage

__all__ = ["count_listed", "count_matched"]

_BY = {"images_excluded_by_image": "id", "images_excluded_by_species": "species"}


def count_matched(
    exclusions: Mapping[str, Mapping[str, Any]], ledgers: Iterable[Path]
) -> Counter[tuple[str, str, str]]:
    """Count the excluded images by (list, source, method).

    The method is ``id``, ``species``, ``exact_hash`` or ``perceptual_hash``; each image counts once.

    Args:
        exclusions: The matches of the exclusion lists, by ``id`` and ``species``.
        ledgers: The ledgers of all shards except those of train_small, which repeat the others; empty if no
            images were compared.
    """
    matched = Counter[tuple[str, str, str]]()
    for name, listed in exclusions.items():
        for source, counts in listed["sources"].items():
            matched.update({(name, source, how): counts[key] for key, how in _BY.items()})
    for path in ledgers:
        rows = read_ledger(path, ["source", "benchmark", "differing_bits"], state=State.EXCLUDED_IMAGE)
        for row in rows.filter(pc.is_valid(rows["benchmark"])).to_pylist():
            how = "exact_hash" if row["differing_bits"] is None else "perceptual_hash"
            matched[row["benchmark"], row["source"], how] += 1
    return matched


def count_listed(images: Iterable[BenchmarkImage]) -> dict[str, dict[str, int | list[str]]]:
    """Count the images of each list and those too plain for perceptual hashes, and list the broken ones."""
    listed: dict[str, dict[str, int | list[str]]] = {}
    count, plain = Counter[str](), Counter[str]()
    broken: dict[str, list[str]] = {}
    for image in images:
        count[image.benchmark] += 1
        plain[image.benchmark] += bool(image.phash and not image.phash.is_informative)
        if image.phash is None:
            broken.setdefault(image.benchmark, []).append(f"{image.name} ({image.problem})")
    for name in count:
        listed[name] = {
            "image_files": count[name],
            "too_plain": plain[name],
            "unreadable": broken.get(name, []),
        }
    return listed

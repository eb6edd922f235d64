"""How many images of each benchmark were kept out, and how they were known."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc

from tol_luigi.core.ledger import State
from tol_luigi.store.ledger import read_ledger

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from tol_luigi.core.benchmarks import BenchmarkPicture

__all__ = ["count_listed", "count_matched"]

_BY = {"images_excluded_by_image": "id", "images_excluded_by_species": "species"}


def count_matched(
    exclusions: Mapping[str, Mapping[str, Any]], ledgers: Iterable[Path]
) -> Counter[tuple[str, str, str]]:
    """Count the images kept out by (list, source, how they were known).

    They are known by ``id``, ``species``, ``exact_hash`` or ``perceptual_hash``; each counts once.

    Args:
        exclusions: What the exclusion lists matched, which are the first two.
        ledgers: The ledgers of all shards but those of train_small, which tell of the others; none where no pictures
            were compared.
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


def count_listed(pictures: Iterable[BenchmarkPicture]) -> dict[str, dict[str, int | list[str]]]:
    """Count the pictures of each list, those too plain to be known by their look, and name those that are broken."""
    listed: dict[str, dict[str, int | list[str]]] = {}
    count, plain = Counter[str](), Counter[str]()
    broken: dict[str, list[str]] = {}
    for picture in pictures:
        count[picture.benchmark] += 1
        plain[picture.benchmark] += bool(picture.look and not picture.look.tells)
        if picture.look is None:
            broken.setdefault(picture.benchmark, []).append(f"{picture.name} ({picture.problem})")
    for name in count:
        listed[name] = {
            "pictures": count[name],
            "too_plain": plain[name],
            "unreadable": broken.get(name, []),
        }
    return listed

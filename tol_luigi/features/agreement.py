"""How well images agree with their taxon: by the texts of all taxa, and by other images of the same taxon.

A taxon is its lineage: the names from kingdom to species, with ``""`` for ranks that are missing. So homonyms of two
kingdoms are two taxa. Source: BioCLIP's classification with the texts of lineages, and probabilities of higher ranks as
sums over their species.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tol_luigi.core.taxon import RANK_LABELS as RANKS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from tol_luigi.features.extractor import Columns

__all__ = [
    "AGREEMENT_COLUMNS",
    "RANKS",
    "Lineage",
    "TextBank",
    "agreement",
    "prototype_agreement",
]

Lineage = tuple[str, ...]
"""The names of a taxon by rank, from kingdom to species."""

AGREEMENT_COLUMNS = (
    "agree_cos",
    *(f"agree_p_{rank}" for rank in RANKS),
    "agree_rank_of_label",
    "agree_top1_taxon",
    "agree_top1_p",
    "agree_margin",
    "agree_lca_rank",
    "agree_deepest_rank",
)

CONFIDENT = 0.5
"""The probability from which on a taxon counts as recognised."""

CELLS_AT_ONCE = 32_000_000
"""How many probabilities are in memory at once, in double precision: 256 MB, and half as much of cosines."""

ROWS_AT_ONCE = 65_536
"""How many vectors of texts are in memory as float32 at once."""


@dataclass(frozen=True)
class TextBank:
    """The texts of taxa, sorted by lineage, so that the taxa below each one are neighbours.

    Attributes:
        lineages: The taxa, each once.
        vectors: A vector of length 1 for each, as float16.
    """

    lineages: Sequence[Lineage]
    vectors: NDArray[np.float16]

    def __post_init__(self) -> None:
        before: Lineage | None = None
        for lineage in self.lineages:
            if len(lineage) != len(RANKS):
                raise ValueError(f"{lineage} has not {len(RANKS)} ranks")
            if before is not None and lineage <= before:
                raise ValueError(f"{lineage} is not after {before}")
            before = lineage
        if len(self.lineages) != len(self.vectors) or not len(self.lineages):
            raise ValueError(f"there are {len(self.vectors)} vectors for {len(self.lineages)} taxa")

    @functools.cached_property
    def rows(self) -> dict[Lineage, int]:
        """The row of each taxon."""
        return {lineage: row for row, lineage in enumerate(self.lineages)}

    @functools.cached_property
    def groups(self) -> list[tuple[NDArray[np.int64], dict[Lineage, int]]]:
        """For each rank the rows where its groups of taxa begin, and the place of each group by its lineage."""
        found = []
        for depth in range(1, len(RANKS) + 1):
            places: dict[Lineage, int] = {}
            starts: list[int] = []
            for row, lineage in enumerate(self.lineages):
                prefix = lineage[:depth]
                if prefix not in places:
                    places[prefix] = len(starts)
                    starts.append(row)
            found.append((np.array(starts, np.int64), places))
        return found


def agreement(
    images: NDArray[np.float32], labels: Sequence[Lineage], bank: TextBank, logit_scale: float
) -> Columns:
    """Return how well images agree with their labels; a value that cannot be known is None.

    - ``agree_cos``: the cosine of image and label. ``agree_margin``: that, less the highest cosine with another taxon.
    - ``agree_rank_of_label``: the number of taxa whose cosine is as high or higher, the label included.
    - ``agree_p_<rank>``: the probability of the label's taxon of that rank, the sum over all taxa below it.
    - ``agree_top1_taxon``, ``agree_top1_p``: the likeliest taxon, and its probability.
    - ``agree_lca_rank``: the deepest rank at which the label and the likeliest taxon are the same.
    - ``agree_deepest_rank``: the deepest rank at which some taxon, of the label or not, has a probability of 0.5.

    Args:
        images: Vectors of length 1; rows with NaN have no values.
        labels: The taxon of each image; one that is not in the bank has no cosine.
        bank: The texts of all taxa.
        logit_scale: The model's factor between cosines and logits.
    """
    if logit_scale <= 0:
        raise ValueError(f"the logit scale is {logit_scale}, not above 0")
    columns: dict[str, list[Any]] = {name: [] for name in AGREEMENT_COLUMNS}
    at_once = max(1, CELLS_AT_ONCE // len(bank.lineages))
    for start in range(0, len(images), at_once):
        part = np.asarray(images[start : start + at_once], np.float32)
        for values in _agreements(part, labels[start : start + at_once], bank, logit_scale):
            for name in AGREEMENT_COLUMNS:
                columns[name].append(values.get(name))
    return columns


def _cosines(images: NDArray[np.float32], bank: TextBank) -> NDArray[np.float32]:
    cosines = np.empty((len(images), len(bank.vectors)), np.float32)
    for start in range(0, len(bank.vectors), ROWS_AT_ONCE):
        part = np.asarray(bank.vectors[start : start + ROWS_AT_ONCE], np.float32)
        cosines[:, start : start + len(part)] = images @ part.T
    return cosines


def _agreements(
    images: NDArray[np.float32], labels: Sequence[Lineage], bank: TextBank, logit_scale: float
) -> Iterator[dict[str, Any]]:
    """Yield the values of each image."""
    cosines = _cosines(images, bank)
    chances = np.exp(logit_scale * (cosines - cosines.max(axis=1, keepdims=True)).astype(np.float64))
    chances /= chances.sum(axis=1, keepdims=True)
    sums = [np.add.reduceat(chances, starts, axis=1) for starts, _ in bank.groups]
    for one, label in enumerate(labels):
        if not np.isfinite(images[one]).all():
            yield {}
            continue
        best = int(cosines[one].argmax())
        values = {
            "agree_top1_taxon": " ".join(filter(None, bank.lineages[best])),
            "agree_top1_p": float(chances[one, best]),
            "agree_lca_rank": _common_rank(label, bank.lineages[best]),
            "agree_deepest_rank": _deepest_rank([found[one] for found in sums], bank),
            **_chances_of_label([found[one] for found in sums], label, bank),
        }
        row = bank.rows.get(label)
        if row is not None:
            values |= _place(cosines[one], row)
        yield values


def _place(cosines: NDArray[np.float32], row: int) -> dict[str, Any]:
    """Return how the cosine of a row compares with the others."""
    own = cosines[row]
    others = np.delete(cosines, row)
    return {
        "agree_cos": float(own),
        "agree_rank_of_label": 1 + int(np.count_nonzero(others >= own)),
        "agree_margin": float(own - others.max()) if len(others) else None,
    }


def _chances_of_label(sums: list[NDArray[np.float64]], label: Lineage, bank: TextBank) -> dict[str, float]:
    """Return the probabilities of the ranks that a label has; a taxon without texts has none."""
    found = {}
    for depth, (rank, name) in enumerate(zip(RANKS, label, strict=True)):
        place = bank.groups[depth][1].get(label[: depth + 1])
        if name and place is not None:
            found[f"agree_p_{rank}"] = float(sums[depth][place])
    return found


def _common_rank(label: Lineage, other: Lineage) -> str | None:
    """Return the deepest rank with a name up to which two lineages are the same; missing ranks agree."""
    deepest = None
    for rank, one, two in zip(RANKS, label, other, strict=True):
        if one != two:
            break
        deepest = rank if one else deepest
    return deepest


def _deepest_rank(sums: list[NDArray[np.float64]], bank: TextBank) -> str | None:
    """Return the deepest rank at which a taxon with a name is likely; above it, those that it belongs to are."""
    for depth in reversed(range(len(RANKS))):
        best = int(sums[depth].argmax())
        name = bank.lineages[bank.groups[depth][0][best]][depth]
        if name and sums[depth][best] >= CONFIDENT:
            return RANKS[depth]
    return None


def prototype_agreement(
    vectors: NDArray[Any], taxa: Sequence[object], rows_at_once: int = ROWS_AT_ONCE
) -> dict[str, NDArray[np.float32]]:
    """Return how close each image is to the others of its taxon; NaN where that cannot be known.

    - ``proto_cos``: the cosine with the mean of the vectors of all other images of the taxon.
    - ``proto_z``: that, less its mean within the taxon, in standard deviations; from three images on.

    Args:
        vectors: Vectors of length 1, also as a memory map; rows with NaN do not count.
        taxa: The taxon of each.
        rows_at_once: How many vectors are in memory as float32 at once.
    """
    numbers: dict[object, int] = {}
    taxon = np.array([numbers.setdefault(one, len(numbers)) for one in taxa], np.int64)
    sums = np.zeros((len(numbers), vectors.shape[1]), np.float64)
    good = np.zeros(len(vectors), bool)
    starts = range(0, len(vectors), rows_at_once)
    for start in starts:
        part = np.asarray(vectors[start : start + rows_at_once], np.float64)
        good[start : start + len(part)] = np.isfinite(part).all(axis=1)
        kept = good[start : start + len(part)]
        np.add.at(sums, taxon[start : start + len(part)][kept], part[kept])
    counts = np.bincount(taxon[good], minlength=len(numbers))
    cosines = np.full(len(vectors), np.nan)
    for start in starts:
        part = np.asarray(vectors[start : start + rows_at_once], np.float64)
        of_part = taxon[start : start + len(part)]
        others = sums[of_part] - part
        lengths = np.linalg.norm(others, axis=1) * np.linalg.norm(part, axis=1)
        known = good[start : start + len(part)] & (counts[of_part] > 1) & (lengths > 0)
        found = np.einsum("ij,ij->i", others[known], part[known]) / lengths[known]
        cosines[start : start + len(part)][known] = found
    return {
        "proto_cos": cosines.astype(np.float32),
        "proto_z": _z_scores(cosines, taxon, len(numbers)).astype(np.float32),
    }


_FEWEST = 3
# Rounding makes deviations of this size where all are alike.
_NO_DEVIATION = 1e-6


def _z_scores(values: NDArray[np.float64], groups: NDArray[np.int64], count: int) -> NDArray[np.float64]:
    """Return values in standard deviations from the mean of their group."""
    known = np.isfinite(values)
    sizes = np.bincount(groups[known], minlength=count)
    divisors = np.maximum(sizes, 1)
    means = np.bincount(groups[known], values[known], count) / divisors
    squares = np.bincount(groups[known], (values[known] - means[groups[known]]) ** 2, count) / divisors
    deviations = np.sqrt(squares)[groups]
    usable = known & (sizes[groups] >= _FEWEST) & (deviations > _NO_DEVIATION)
    scores = np.full(len(values), np.nan)
    scores[usable] = (values[usable] - means[groups[usable]]) / deviations[usable]
    return scores

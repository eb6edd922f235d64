"""The seven ranks of each taxon: the projection of a tree of any ranks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tol_luigi.core.taxon import RANK_LABELS
from tol_luigi.taxonomy.flags import TOMBSTONES
from tol_luigi.taxonomy.preorder import levels
from tol_luigi.taxonomy.ranks import LEVELS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ["KINGDOM", "Projection", "kingdoms_of", "project", "rank_columns", "stands_for_kingdom"]

KINGDOM = RANK_LABELS[0]
"""The label of the highest rank."""


@dataclass(frozen=True)
class Projection:
    """The nearest taxon of each of the seven ranks.

    Attributes:
        nearest: For each label of a rank, the row of the nearest taxon of this rank, the taxon itself or above it; -1
            if there is none.
        repeats: Rows with a taxon of the same rank above them, such as a class in a class, in ascending order.
        repeated: For each of these, the row of this taxon.
    """

    nearest: Mapping[str, NDArray[np.int32]]
    repeats: NDArray[np.int64]
    repeated: NDArray[np.int64]


def project(
    parent: NDArray[np.int64],
    ranks: pa.Array,
    flags: NDArray[np.uint32],
    *,
    kingdoms: NDArray[np.bool_] | None = None,
) -> Projection:
    """Return the projection of a tree to the seven ranks.

    Tombstones have the ranks of their ancestors only, so no taxon is named after one. A rank that occurs twice above
    a taxon is the rank of the nearer one (the published process takes the farther one).

    Args:
        parent: The row of the parent of each taxon, -1 for a root; rows are in any order.
        ranks: The rank of each taxon.
        flags: The flags of each taxon.
        kingdoms: Taxa that count as kingdoms besides those of this rank.

    Raises:
        ValueError: A taxon is its own ancestor.
    """
    is_taxon = (flags & int(TOMBSTONES)) == 0
    own = {label: is_taxon & _equal(ranks, label) for label in RANK_LABELS}
    if kingdoms is not None:
        own[KINGDOM] |= is_taxon & kingdoms
    nearest = {label: np.full(len(parent), -1, np.int32) for label in RANK_LABELS}
    repeats: list[NDArray[np.int64]] = []
    repeated: list[NDArray[np.int64]] = []
    for rows in levels(parent):
        above = parent[rows]
        for label, column in nearest.items():
            found = np.where(above >= 0, column[above], np.int32(-1))
            is_own = own[label][rows]
            is_repeat = is_own & (found >= 0)
            repeats.append(rows[is_repeat])
            repeated.append(found[is_repeat].astype(np.int64))
            column[rows] = np.where(is_own, rows, found)
    twice, above_them = _joined(repeats), _joined(repeated)
    order = np.argsort(twice, kind="stable")
    return Projection(nearest, twice[order], above_them[order])


def rank_columns(
    parent: NDArray[np.int64],
    names: pa.Array,
    ranks: pa.Array,
    flags: NDArray[np.uint32],
    kingdoms: Mapping[str, str],
) -> tuple[Projection, dict[str, pa.Array]]:
    """Return the projection of a tree and the names of the seven ranks, "" where there is none.

    Args:
        parent: The row of the parent of each taxon, -1 for a root.
        names: The name of each taxon.
        ranks: The rank of each taxon.
        flags: The flags of each taxon.
        kingdoms: The kingdom that each name stands for, such as Animalia for Metazoa.
    """
    projection = project(parent, ranks, flags, kingdoms=stands_for_kingdom(names, ranks, kingdoms))
    columns = {
        label: pc.fill_null(names.take(_or_null(rows)), "") for label, rows in projection.nearest.items()
    }
    columns[KINGDOM] = kingdoms_of(columns[KINGDOM], kingdoms)
    return projection, columns


def stands_for_kingdom(names: pa.Array, ranks: pa.Array, kingdoms: Mapping[str, str]) -> NDArray[np.bool_]:
    """Return which taxa count as kingdoms: those in a table of kingdoms without a rank, or with one above kingdoms.

    (The Open Tree has no rank for Metazoa, and other sources call Bacteria a domain. A genus of insects has the same name.)
    """
    known = pc.is_in(names, value_set=pa.array([*kingdoms], pa.string()))
    high = ["", *(rank for rank, level in LEVELS.items() if level < LEVELS[KINGDOM])]
    is_kingdom = pc.and_(known, pc.is_in(ranks, value_set=pa.array(high)))
    found: NDArray[np.bool_] = is_kingdom.to_numpy(zero_copy_only=False)
    return found


def _equal(texts: pa.Array, value: str) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = pc.equal(texts, value).to_numpy(zero_copy_only=False)
    return found


def _joined(parts: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    return np.concatenate(parts) if parts else np.empty(0, np.int64)


def _or_null(rows: NDArray[np.int32]) -> pa.Array:
    """Return rows as indices, null for -1."""
    return pa.array(rows, mask=rows < 0)


def kingdoms_of(names: pa.Array, kingdoms: Mapping[str, str]) -> pa.Array:
    """Return the kingdom that each name stands for, the name itself if it is not in the table."""
    encoded = names.dictionary_encode()
    values = pa.array([kingdoms.get(name, name) for name in encoded.dictionary.to_pylist()], pa.string())
    return values.take(encoded.indices)

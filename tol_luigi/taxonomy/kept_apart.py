"""Records of sources that curators state not to be the same taxon, so that no alignment makes them one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow.compute as pc

from tol_luigi.taxonomy.decision import NUMBERS
from tol_luigi.taxonomy.patches import Statement
from tol_luigi.taxonomy.reasons import Reason
from tol_luigi.taxonomy.tree import NONE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tol_luigi.taxonomy.decision import Alignment
    from tol_luigi.taxonomy.forest import Forest
    from tol_luigi.taxonomy.patches import Patch

__all__ = ["keep_apart", "pairs_apart"]

_IMPOSSIBLE = -3


def pairs_apart(patches: Iterable[Patch]) -> list[tuple[str, str]]:
    """Return the identifiers of both records of each ``not_same`` that has them."""
    stated = [patch for patch in patches if patch.statement is Statement.NOT_SAME and patch.other]
    pairs = [(patch.taxon.source, patch.other.source) for patch in stated if patch.other]
    return [(one, other) for one, other in pairs if one and other]


def keep_apart(
    source: Forest, alignment: Alignment, pairs: Sequence[tuple[str, str]], taxon_of: Callable[[str], int]
) -> None:
    """Take records out of an alignment that are aligned with the taxon of a record that they are not the same as.

    Args:
        source: The source that is aligned.
        alignment: Its alignment, which is changed.
        pairs: The identifiers of records that are not the same.
        taxon_of: Returns the taxon of a record that was added before, ``NONE`` if there is none.
    """
    for pair in pairs:
        rows = [_row(source, identifier) for identifier in pair]
        taxa = [
            int(alignment.target[row]) if row >= 0 else taxon_of(identifier)
            for row, identifier in zip(rows, pair, strict=True)
        ]
        if taxa[0] == taxa[1] and taxa[0] >= 0 and max(rows) >= 0:
            row = rows[1] if rows[1] >= 0 else rows[0]
            alignment.target[row], alignment.witness[row] = NONE, NONE
            alignment.score[row], alignment.reason[row] = _IMPOSSIBLE, NUMBERS[Reason.NOT_SAME]


def _row(source: Forest, identifier: str) -> int:
    """Return the row of a record in a source, -1 if it is not in it."""
    prefix, _, uid = identifier.partition(":")
    return int(pc.index(source.uid, uid).as_py()) if prefix == source.prefix else -1

"""The report of conflicts: records whose children are in different taxa of sources of higher priorities."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from tol_luigi.taxonomy import products
from tol_luigi.taxonomy.flags import SUPPRESSED, Flag

if TYPE_CHECKING:
    from tol_luigi.taxonomy.forest import Forest
    from tol_luigi.taxonomy.merge import Clash, Merged
    from tol_luigi.taxonomy.tree import Tree

__all__ = ["conflict_table"]


def conflict_table(source: Forest, union: Forest, merged: Merged) -> pa.Table:
    """Return a row for each clash of a merge; ``union`` is what came out of it."""
    report = _Report(source, union, merged)
    rows = [report.row(clash) for clash in merged.clashes]
    return pa.Table.from_pylist(rows, schema=products.CONFLICTS)


class _Report:
    def __init__(self, source: Forest, union: Forest, merged: Merged) -> None:
        self._source, self._union, self._merged = source, union, merged
        unplaced = (union.flags & np.uint32(Flag.UNPLACED)) != 0
        parents = union.tree.parent[unplaced]
        self._unplaced = np.bincount(np.where(parents >= 0, parents, len(union)), minlength=len(union) + 1)

    def row(self, clash: Clash) -> dict[str, object]:
        """Return the row of a clash."""
        alice, bob = (int(self._merged.image[child]) for child in (clash.alice, clash.bob))
        sides = _divergence(self._union.tree, alice, bob)
        mrca = int(self._union.tree.parent[sides[0]]) if sides else -1
        return {
            "source": self._source.prefix,
            "parent": self._record(clash.record),
            **self._side("alice", clash.alice, alice, sides[0] if sides else -1),
            **self._side("bob", clash.bob, bob, sides[1] if sides else -1),
            "mrca": self._taxon(mrca),
            "sink": self._taxon(clash.sink),
            "unplaced": str(self._unplaced[clash.sink]),
            "depth": int(self._union.tree.depth[sides[0]]) if sides else -1,
            "visible": not int(self._source.flags[clash.record]) & int(SUPPRESSED),
        }

    def _side(self, who: str, child: int, image: int, ancestor: int) -> dict[str, object]:
        return {
            who: self._record(child),
            f"{who}_target": self._taxon(image),
            f"{who}_parent": self._taxon(int(self._union.tree.parent[image])),
            f"{who}_ancestor": self._taxon(ancestor),
        }

    def _record(self, row: int) -> str:
        return self._source.names.text(int(self._source.name[row]))

    def _taxon(self, row: int) -> str:
        return self._union.names.text(int(self._union.name[row])) if row >= 0 else ""


def _divergence(tree: Tree, one: int, two: int) -> tuple[int, int] | None:
    """Return the siblings that contain two taxa; None if one contains the other, or they are in different trees."""
    ones, twos = (list(tree.ancestors(row))[::-1] for row in (one, two))
    if ones[0] != twos[0]:
        return None
    for first, second in zip(ones, twos, strict=False):
        if first != second:
            return first, second
    return None

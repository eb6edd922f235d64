"""Class indexes: numbers for the distinct lineages down to each rank."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tol_luigi.core.taxon import RANKS

if TYPE_CHECKING:
    from tol_luigi.core.taxon import Taxon

__all__ = ["Lineages"]


class Lineages:
    """Numbers lineages in the order of first sight, each rank from 0.

    A lineage down to a rank is that rank's name and all above it, unknown ones included: two
    genera of one name in different families are two classes.

    Source: the class indexes of the published name lookups.
    """

    def __init__(self) -> None:
        # The index of the lineage above stands for all the names above: one short key a lineage.
        self._seen: tuple[dict[tuple[int, str], int], ...] = tuple({} for _ in RANKS)

    def index(self, taxon: Taxon) -> tuple[int, ...]:
        """Give the seven class indexes of a taxon, highest rank first, and remember its lineages."""
        indexes: list[int] = []
        above = 0
        for seen, name in zip(self._seen, taxon.ranks, strict=True):
            above = seen.setdefault((above, name), len(seen))
            indexes.append(above)
        return tuple(indexes)

    @property
    def counts(self) -> tuple[int, ...]:
        """How many lineages were seen down to each rank."""
        return tuple(map(len, self._seen))

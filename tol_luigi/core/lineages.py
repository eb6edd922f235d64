"""Class indexes: numbers of the distinct lineages down to each rank."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tol_luigi.core.taxon import RANKS

if TYPE_CHECKING:
    from tol_luigi.core.taxon import Taxon

__all__ = ["Lineages"]


class Lineages:
    """Numbers of lineages in order of first occurrence, from 0 for each rank.

    A lineage down to a rank consists of the name at that rank and all names above it, including unknown ones:
    two genera of the same name in different families are two classes.

    Source: the class indexes of the published name lookups.
    """

    def __init__(self) -> None:
        # The index of the parent lineage represents all names above, which keeps the keys short.
        self._seen: tuple[dict[tuple[int, str], int], ...] = tuple({} for _ in RANKS)

    def index(self, taxon: Taxon) -> tuple[int, ...]:
        """Return the seven class indexes of a taxon, highest rank first; new lineages are added."""
        indexes: list[int] = []
        above = 0
        for seen, name in zip(self._seen, taxon.ranks, strict=True):
            above = seen.setdefault((above, name), len(seen))
            indexes.append(above)
        return tuple(indexes)

    @property
    def counts(self) -> tuple[int, ...]:
        """The number of lineages down to each rank."""
        return tuple(map(len, self._seen))

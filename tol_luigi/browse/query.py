"""What a page shows: which images, by name or id, taxon, split, source, state and condition."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

from tol_luigi.core.ledger import State
from tol_luigi.core.taxon import RANK_LABELS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tol_luigi.browse.index import Kind

__all__ = ["ANY", "REPEATING", "Query"]

ANY = "any"
"""The state of a query for images in all states."""

REPEATING = "train_small"
"""The split whose samples repeat those of another."""


@dataclass(frozen=True)
class Query:
    """Which images are shown. Empty parts admit all.

    Attributes:
        text: A part of the name; an id or its beginning; or a file name or a natural key.
        split: A split; "" for each image once.
        source: A source.
        state: A state of the ledger, or :data:`ANY`; "" for images with a sample.
        lineage: Names by rank, highest first.
        where: A condition on the columns of the catalog, in SQL.
        only: Whether to show only images with a sample here and none in the other dataset.
    """

    text: str = ""
    split: str = ""
    source: str = ""
    state: str = ""
    lineage: tuple[tuple[str, str], ...] = ()
    where: str = ""
    only: bool = False

    @classmethod
    def of(cls, fields: Mapping[str, str]) -> Self:
        """Return the query of the fields of a page's address; other fields are ignored."""
        return cls(
            text=" ".join(fields.get("q", "").split()),
            split=fields.get("split", ""),
            source=fields.get("source", ""),
            state=fields.get("state", ""),
            lineage=tuple((rank, fields[rank]) for rank in RANK_LABELS if rank in fields),
            where=fields.get("where", "").strip(),
            only=fields.get("only") == "1",
        )

    @property
    def next_rank(self) -> str:
        """The rank below the lowest one of the query, "" below species."""
        lowest = RANK_LABELS.index(self.lineage[-1][0]) + 1 if self.lineage else 0
        return RANK_LABELS[lowest] if lowest < len(RANK_LABELS) else ""

    def without_kinds(self) -> Self:
        """Return the query without split, source and state."""
        return replace(self, split="", source="", state="")

    def admits(self, kind: Kind, *, but: str = "") -> bool:
        """Return whether images of a kind are shown.

        Args:
            kind: The kind.
            but: A part of the query that admits all: ``split``, ``source`` or ``state``.
        """
        return (
            (but == "split" or (kind.split == self.split if self.split else kind.split != REPEATING))
            and (but == "source" or self.source in {"", kind.source})
            and (
                but == "state"
                or self.state in {ANY, kind.state}
                or (not self.state and kind.state == State.WRITTEN)
            )
        )

"""The taxa of a union in the order in which a release contains them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tol_luigi.taxonomy import products
from tol_luigi.taxonomy.flags import TOMBSTONES
from tol_luigi.taxonomy.gap_filling import RankLabels
from tol_luigi.taxonomy.preorder import Preorder
from tol_luigi.taxonomy.projection import rank_columns
from tol_luigi.taxonomy.unique_names import unique_names

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from tol_luigi.taxonomy.patched_union import UnionLike

__all__ = ["OrderedUnion"]


@dataclass(frozen=True)
class OrderedUnion:
    """Columns of the taxa of a union, in preorder, siblings by name and then by origin.

    Attributes:
        rows: The row in the union of each taxon.
        position: For each row of the union, its place here.
        order: The forest of the taxa, as it is here.
        names: Their names.
        authorships: The authorships of these.
        ranks: Their ranks, "" if there is none.
        codes: Their codes of nomenclature.
        flags: Their flags.
        sources: Their identifiers, as lists.
        origins: The first identifier of each, "" if there is none.
        synonyms: All synonyms, in any order.
    """

    rows: NDArray[np.int64]
    position: NDArray[np.int64]
    order: Preorder
    names: pa.Array
    authorships: pa.Array
    ranks: pa.Array
    codes: pa.Array
    flags: NDArray[np.uint32]
    sources: pa.Array
    origins: pa.Array
    synonyms: pa.Array

    @classmethod
    def of(cls, union: UnionLike) -> OrderedUnion:
        """Return the taxa of a union."""
        origins = _first(union.sources)
        siblings = pa.table({"name": union.name, "origin": origins})
        by_name = pc.sort_indices(siblings, sort_keys=[("name", "ascending"), ("origin", "ascending")])
        among_siblings = np.empty(len(origins), np.int64)
        among_siblings[by_name.to_numpy()] = np.arange(len(origins))
        order = Preorder.of(union.parent.astype(np.int64), among_siblings)
        rows = pa.array(order.rows)
        return cls(
            rows=order.rows,
            position=order.position,
            order=order.reordered(),
            names=union.name.take(rows),
            authorships=union.authorship.take(rows),
            ranks=union.rank.take(rows),
            codes=union.code.take(rows),
            flags=union.flags[order.rows],
            sources=union.sources.take(rows),
            origins=origins.take(rows),
            synonyms=union.synonyms["name"].combine_chunks(),
        )

    def rank_labels(self, kingdoms: Mapping[str, str]) -> RankLabels:
        """Return the names of the seven ranks of all taxa."""
        _, columns = rank_columns(self.order.parent, self.names, self.ranks, self.flags, kingdoms)
        is_taxon = (self.flags & np.uint32(TOMBSTONES)) == 0
        return RankLabels(self.order.parent, self.ranks, is_taxon, columns)

    def table(self, tol_ids: NDArray[np.int64], ranks: Mapping[str, pa.Array]) -> pa.Table:
        """Return the taxa with unique names, with the schema ``TAXA`` of the products.

        Args:
            tol_ids: The id of each taxon.
            ranks: The names of the seven ranks.
        """
        parent = self.order.parent
        unique = unique_names(
            self.order,
            self.names,
            ranks=self.ranks,
            flags=self.flags,
            origins=self.origins,
            synonyms=self.synonyms,
        )
        columns = {
            "tol_id": pa.array(tol_ids),
            "parent": pa.array(tol_ids[parent], mask=parent < 0),
            "name": self.names,
            "authorship": self.authorships,
            "rank": self.ranks,
            "code": self.codes,
            "flags": pa.array(self.flags),
            "sources": pc.binary_join(self.sources, ","),
            "unique_name": unique,
            **ranks,
        }
        return pa.table([columns[name] for name in products.TAXA.names], schema=products.TAXA)


def _first(lists: pa.Array) -> pa.Array:
    """Return the first element of each list, "" if it is empty."""
    lengths = pc.list_value_length(lists).to_numpy(zero_copy_only=False)
    starts = np.cumsum(lengths) - lengths
    rows = pa.array(starts, mask=lengths == 0)
    return pc.fill_null(pc.list_flatten(lists).take(rows), "")

"""The union of sources: one tree, to which sources are added in order of their priority."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from tol_luigi.taxonomy import products
from tol_luigi.taxonomy.reasons import Heuristics, Refine

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from tol_luigi.taxonomy.records import Records

__all__ = ["SYNONYMS", "VERNACULARS", "XREF", "Union", "build_union"]

_taxon = pa.field("taxon", pa.int32())
"""The row of a taxon in the union, instead of the id that it has in the products."""

XREF = pa.schema([_taxon if field.name == "tol_id" else field for field in products.XREF])

VERNACULARS = pa.schema([_taxon if field.name == "tol_id" else field for field in products.VERNACULARS])

SYNONYMS = pa.schema([_taxon if field.name == "tol_id" else field for field in products.NAMES])


class Union:
    """A tree of taxa from several sources. Columns have one value per taxon, in order of its row."""

    @classmethod
    def start(
        cls,
        separation: Records,
        *,
        refine: Refine = Refine.STRICT,
        heuristics: Heuristics = Heuristics.EXTENDED,
    ) -> Union:
        """Return a union that contains the taxa of a separation list only."""
        raise NotImplementedError

    def add(self, records: Records) -> None:
        """Align a source with the union, merge it, and record the fate of each of its records."""
        raise NotImplementedError

    def __len__(self) -> int:
        """Return the number of taxa, tombstones included."""
        raise NotImplementedError

    @property
    def parent(self) -> NDArray[np.int32]:
        """The row of the parent; -1 for the root, the only one."""
        raise NotImplementedError

    @property
    def name(self) -> pa.Array:
        """The names (string)."""
        raise NotImplementedError

    @property
    def rank(self) -> pa.Array:
        """The ranks (string), "" if there is none."""
        raise NotImplementedError

    @property
    def flags(self) -> NDArray[np.uint32]:
        """The flags, inferred ones included."""
        raise NotImplementedError

    @property
    def code(self) -> pa.Array:
        """The nomenclatural codes (string)."""
        raise NotImplementedError

    @property
    def authorship(self) -> pa.Array:
        """The authorships (string)."""
        raise NotImplementedError

    @property
    def sources(self) -> pa.Array:
        """The identifiers (list of string), as in ``["ncbi:2952", "gbif:3207147"]``, the origin first."""
        raise NotImplementedError

    @property
    def synonyms(self) -> pa.Table:
        """The names besides ``name`` (``SYNONYMS``)."""
        raise NotImplementedError

    @property
    def xref(self) -> pa.Table:
        """One row per record of every source (``XREF``)."""
        raise NotImplementedError

    @property
    def conflicts(self) -> pa.Table:
        """The records that contradict sources of higher priorities (``products.CONFLICTS``)."""
        raise NotImplementedError

    @property
    def vernaculars(self) -> pa.Table:
        """The vernacular names (``VERNACULARS``)."""
        raise NotImplementedError

    @property
    def forwards(self) -> pa.Table:
        """Identifiers that sources have given up: ``source``, ``source_id``, ``replacement`` (string)."""
        raise NotImplementedError


def build_union(
    sources: Sequence[Records],
    separation: Records,
    *,
    refine: Refine = Refine.STRICT,
    heuristics: Heuristics = Heuristics.EXTENDED,
) -> Union:
    """Return the union of sources, the one with the highest priority first."""
    union = Union.start(separation, refine=refine, heuristics=heuristics)
    for records in sources:
        union.add(records)
    return union

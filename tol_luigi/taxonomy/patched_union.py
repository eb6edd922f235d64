"""A union with its patches: the same rows, with other parents, ranks, flags and names."""

from __future__ import annotations

import dataclasses
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pyarrow as pa

from tol_luigi.taxonomy.flag_inference import infer_flags
from tol_luigi.taxonomy.provenance import SYNONYMS
from tol_luigi.taxonomy.tree import Tree
from tol_luigi.taxonomy.tree_repairs import levels_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy.typing as npt

    from tol_luigi.taxonomy.decision import Alignment
    from tol_luigi.taxonomy.records import Records

    Rows = npt.NDArray[np.int32]

__all__ = ["PATCH_SOURCE", "Changes", "PatchedUnion", "UnionLike"]

PATCH_SOURCE = "patch"
"""The source of names that patches have added."""


class UnionLike(Protocol):
    """What products need of a union; see :class:`~tol_luigi.taxonomy.union.Union`."""

    def __len__(self) -> int: ...
    def align(self, records: Records) -> Alignment: ...  # noqa: D102
    def xref_by_source(self) -> Iterator[pa.Table]: ...  # noqa: D102
    @property
    def parent(self) -> Rows: ...  # noqa: D102
    @property
    def name(self) -> pa.Array: ...  # noqa: D102
    @property
    def rank(self) -> pa.Array: ...  # noqa: D102
    @property
    def flags(self) -> npt.NDArray[np.uint32]: ...  # noqa: D102
    @property
    def code(self) -> pa.Array: ...  # noqa: D102
    @property
    def authorship(self) -> pa.Array: ...  # noqa: D102
    @property
    def sources(self) -> pa.Array: ...  # noqa: D102
    @property
    def synonyms(self) -> pa.Table: ...  # noqa: D102
    @property
    def xref(self) -> pa.Table: ...  # noqa: D102
    @property
    def conflicts(self) -> pa.Table: ...  # noqa: D102
    @property
    def vernaculars(self) -> pa.Table: ...  # noqa: D102
    @property
    def forwards(self) -> pa.Table: ...  # noqa: D102


@dataclasses.dataclass(frozen=True)
class Changes:
    """What patches change in a union.

    Attributes:
        parents: The parents of all taxa.
        own_flags: The flags of all taxa that are not inferred.
        ranks: The new ranks, by row.
        merged: The taxa that have become synonyms, and what of.
        names: Names that have been added: rows and names.
    """

    parents: npt.NDArray[np.int64]
    own_flags: npt.NDArray[np.uint32]
    ranks: Mapping[int, str]
    merged: Mapping[int, int]
    names: Sequence[tuple[int, str]]


class PatchedUnion:
    """A union whose taxa have other properties; rows are the same.

    A taxon that has become a synonym stays as a tombstone without children; its records, names and identifiers are those of the
    taxon that it is a synonym of.
    """

    def __init__(self, union: UnionLike, changes: Changes) -> None:
        self._union, self._changes = union, changes
        self._places = np.arange(len(union), dtype=np.int32)
        for old, new in changes.merged.items():
            self._places[old] = new

    def __len__(self) -> int:
        """Return the number of taxa, tombstones included."""
        return len(self._union)

    def align(self, records: Records) -> Alignment:
        """Return what records are in the union; see :meth:`Union.align`."""
        found = self._union.align(records)
        target = np.where(found.target >= 0, self._places[found.target], found.target).astype(np.int32)
        return dataclasses.replace(found, target=target)

    @property
    def parent(self) -> Rows:
        """The row of the parent; -1 for the root."""
        return self._changes.parents.astype(np.int32)

    @property
    def name(self) -> pa.Array:
        """The names."""
        return self._union.name

    @cached_property
    def rank(self) -> pa.Array:
        """The ranks, "" if there is none."""
        if not self._changes.ranks:
            return self._union.rank
        ranks = self._union.rank.to_pylist()
        for row, rank in self._changes.ranks.items():
            ranks[row] = rank
        return pa.array(ranks, pa.string())

    @cached_property
    def flags(self) -> npt.NDArray[np.uint32]:
        """The flags, inferred ones included."""
        levels = levels_of(self.rank).astype(np.int16)
        return infer_flags(Tree(self.parent), levels, self._changes.own_flags)

    @property
    def code(self) -> pa.Array:
        """The nomenclatural codes."""
        return self._union.code

    @property
    def authorship(self) -> pa.Array:
        """The authorships."""
        return self._union.authorship

    @cached_property
    def sources(self) -> pa.Array:
        """The identifiers, the origin first; those of a synonym also with its taxon."""
        if not self._changes.merged:
            return self._union.sources
        lists = self._union.sources.to_pylist()
        for old, new in self._changes.merged.items():
            lists[new] = list(dict.fromkeys([*lists[new], *lists[old]]))
        return pa.array(lists, self._union.sources.type)

    @cached_property
    def synonyms(self) -> pa.Table:
        """The names besides ``name``."""
        added = [
            {"taxon": row, "name": name, "authorship": "", "type": "synonym", "source": PATCH_SOURCE}
            for row, name in self._changes.names
        ]
        known = self._moved(self._union.synonyms)
        return pa.concat_tables([known, pa.Table.from_pylist(added, schema=SYNONYMS)])

    @property
    def xref(self) -> pa.Table:
        """One row per record of every source."""
        return self._moved(self._union.xref)

    def xref_by_source(self) -> Iterator[pa.Table]:
        """Yield the rows of ``xref`` one source after the other."""
        return map(self._moved, self._union.xref_by_source())

    @property
    def conflicts(self) -> pa.Table:
        """The records that contradict sources of higher priorities."""
        return self._union.conflicts

    @property
    def vernaculars(self) -> pa.Table:
        """The vernacular names."""
        return self._moved(self._union.vernaculars)

    @property
    def forwards(self) -> pa.Table:
        """Identifiers that sources have given up."""
        return self._union.forwards

    def _moved(self, table: pa.Table) -> pa.Table:
        """Return a table whose taxa that have become synonyms are replaced."""
        if not self._changes.merged:
            return table
        place = table.schema.get_field_index("taxon")
        moved = pa.array(self._places).take(table["taxon"].combine_chunks())
        return table.set_column(place, table.schema.field(place), moved)

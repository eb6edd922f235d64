"""The union of sources: one tree, to which sources are added in order of their priority."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from tol_luigi.taxonomy import products
from tol_luigi.taxonomy.alignment import Alignment, align
from tol_luigi.taxonomy.conflicts import conflict_table
from tol_luigi.taxonomy.flag_inference import infer_flags
from tol_luigi.taxonomy.flags import INCERTAE_SEDIS, Flag
from tol_luigi.taxonomy.forest import CODES, RANKS, Forest
from tol_luigi.taxonomy.kept_apart import keep_apart
from tol_luigi.taxonomy.merge import Merged, merge
from tol_luigi.taxonomy.name_table import NameTable
from tol_luigi.taxonomy.provenance import SYNONYMS, VERNACULARS, XREF, Outcome, Provenance
from tol_luigi.taxonomy.reasons import Heuristics, Refine
from tol_luigi.taxonomy.tree import NONE, Tree

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from tol_luigi.taxonomy.forest import Column
    from tol_luigi.taxonomy.records import Records

__all__ = ["SYNONYMS", "VERNACULARS", "XREF", "Union", "build_union"]

_ROOT = "life"


class Union:
    """A tree of taxa from several sources. Columns have one value per taxon, in order of its row; rows never change.

    The first rows are the taxa of the separation list.
    """

    def __init__(
        self,
        separation: Records,
        refine: Refine,
        heuristics: Heuristics,
        apart: Sequence[tuple[str, str]] = (),
    ) -> None:
        self._refine, self._heuristics, self._apart = refine, heuristics, apart
        self._names = NameTable()
        self._separation = Forest.of(separation, self._names)
        self._forest = self._separation
        self._provenance = Provenance(self._names)
        self._provenance.add_separation(self._separation)
        self._conflicts: list[pa.Table] = []

    @classmethod
    def start(
        cls,
        separation: Records,
        *,
        refine: Refine = Refine.STRICT,
        heuristics: Heuristics = Heuristics.EXTENDED,
        apart: Sequence[tuple[str, str]] = (),
    ) -> Union:
        """Return a union that contains the taxa of a separation list only.

        Args:
            separation: The separation list.
            refine: When a source may come between taxa of a source with a higher priority.
            heuristics: Which heuristics an alignment uses.
            apart: The identifiers of records that are not the same taxon.
        """
        return cls(separation, refine, heuristics, apart)

    def add(self, records: Records) -> None:
        """Align a source with the union, merge it, and record the fate of each of its records.

        Records that were added before, from a source with the same prefix, keep their fate.

        Raises:
            SourceError: A record has a parent that does not exist, or is its own ancestor.
        """
        source = Forest.of(records, self._names)
        again = self._provenance.added_before(source)
        alignment = self._align(source)
        keep_apart(source, alignment, self._apart, self._provenance.taxon_of)
        merged = merge(source, self._forest, alignment, self._refine)
        union = _grown(self._forest, source, merged)
        synonyms = self._provenance.add(records, source, union, Outcome(alignment, merged, again))
        self._forest = replace(union, synonyms=synonyms)
        clashes = [clash for clash in merged.clashes if not again[clash.record]]
        self._conflicts.append(conflict_table(source, self._forest, replace(merged, clashes=clashes)))
        self.__dict__.pop("_finished", None)

    def leave_out(self, records: Records) -> None:
        """Record the fate of the records of a part of a source that is not used."""
        self._provenance.leave_out(records, Forest.of(records, self._names))

    def align(self, records: Records) -> Alignment:
        """Return what records are in the union, without adding them; rows are in order of the identifiers."""
        return self._align(Forest.of(records, self._names))

    def _align(self, source: Forest) -> Alignment:
        heads = np.full(len(self._forest), NONE, dtype=np.int32)
        heads[: len(self._separation)] = np.arange(len(self._separation))
        return align(
            source,
            self._forest,
            self._separation,
            heuristics=self._heuristics,
            preset=self._provenance.dropped_before(source),
            target_heads=heads,
            target_ids=self._provenance.ids,
        )

    def __len__(self) -> int:
        """Return the number of taxa, tombstones included."""
        return len(self._forest)

    @cached_property
    def _finished(self) -> tuple[Tree, NDArray[np.uint32]]:
        """The tree with one root, and all flags."""
        tree, flags = _one_root(self._forest)
        return tree, infer_flags(tree, self._forest.rank, flags)

    @property
    def parent(self) -> Column:
        """The row of the parent; -1 for the root, the only one."""
        return self._finished[0].parent

    @property
    def name(self) -> pa.Array:
        """The names (string)."""
        return self._names.texts(self._forest.name)

    @property
    def rank(self) -> pa.Array:
        """The ranks (string), "" if there is none."""
        return pa.array(RANKS).take(pa.array(self._forest.rank // 10))

    @property
    def flags(self) -> NDArray[np.uint32]:
        """The flags, inferred ones included."""
        return self._finished[1]

    @property
    def code(self) -> pa.Array:
        """The nomenclatural codes (string)."""
        return pa.array([str(code) for code in CODES]).take(pa.array(self._forest.code))

    @property
    def authorship(self) -> pa.Array:
        """The authorships (string)."""
        return self._names.texts(self._forest.authorship)

    @property
    def sources(self) -> pa.Array:
        """The identifiers (list of string), as in ``["ncbi:2952", "gbif:3207147"]``, the origin first."""
        return self._provenance.sources(len(self))

    @property
    def synonyms(self) -> pa.Table:
        """The names besides ``name`` (``SYNONYMS``)."""
        return self._provenance.synonyms(self._forest.synonyms)

    @property
    def xref(self) -> pa.Table:
        """One row per record of every source (``XREF``)."""
        return pa.concat_tables([XREF.empty_table(), *self.xref_by_source()])

    def xref_by_source(self) -> Iterator[pa.Table]:
        """Yield the rows of ``xref`` one source after the other, which takes less memory."""
        return self._provenance.xref()

    @property
    def conflicts(self) -> pa.Table:
        """The records that contradict sources of higher priorities (``products.CONFLICTS``)."""
        return pa.concat_tables([products.CONFLICTS.empty_table(), *self._conflicts])

    @property
    def vernaculars(self) -> pa.Table:
        """The vernacular names (``VERNACULARS``)."""
        return self._provenance.vernaculars()

    @property
    def forwards(self) -> pa.Table:
        """Identifiers that sources have given up: ``source``, ``source_id``, ``replacement`` (string)."""
        return self._provenance.forwards()


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


def _grown(union: Forest, source: Forest, merged: Merged) -> Forest:
    """Return the union with the new taxa of a source, and with what the source adds to the properties of others."""
    name = np.append(union.name, source.name[merged.origin])
    rank = np.append(union.rank, source.rank[merged.origin])
    code = np.append(union.code, source.code[merged.origin])
    authorship = np.append(union.authorship, source.authorship[merged.origin])
    flags = merged.flags.copy()

    rows = np.flatnonzero(merged.image >= 0)[::-1]  # of several records, the first one is written last
    taxa = merged.image[rows]
    same_name = source.name[rows] == name[taxa]
    _fill(rank, taxa, source.rank[rows], source.rank[rows] > 0, rank == 0)
    _fill(code, taxa, source.code[rows], source.code[rows] > 0, code == 0)
    empty = union.names.intern(pa.array([""]))[0]
    own = source.authorship[rows]
    _fill(authorship, taxa, own, same_name & (own != empty), authorship == empty)
    for flag in (Flag.EXTINCT, Flag.EDITED, Flag.FORCED_VISIBLE):
        has = (source.flags[rows] & np.uint32(flag)) != 0
        flags[taxa[has & same_name if flag is Flag.EXTINCT else has]] |= np.uint32(flag)
    return replace(
        union,
        tree=Tree(merged.parent),
        name=name,
        rank=rank,
        code=code,
        authorship=authorship,
        flags=flags,
    )


def _fill(
    column: NDArray[np.integer],
    taxa: Column,
    values: NDArray[np.integer],
    usable: NDArray[np.bool_],
    is_empty: NDArray[np.bool_],
) -> None:
    """Write values to the taxa that have none."""
    chosen = usable & is_empty[taxa]
    column[taxa[chosen]] = values[chosen]


def _one_root(forest: Forest) -> tuple[Tree, NDArray[np.uint32]]:
    """Return a tree in which other roots are unplaced below the main one, and its own flags."""
    roots, flags, parent = forest.tree.roots, forest.flags.copy(), forest.tree.parent.copy()
    if not len(roots):
        return forest.tree, flags
    named = roots[forest.name[roots] == forest.names.find(pa.array([_ROOT]))[0]]
    main = named[0] if len(named) else list(forest.tree.ancestors(0))[-1]
    others = roots[roots != main]
    parent[others] = main
    flags[others] |= np.uint32(Flag.UNPLACED)
    flags[main] &= ~np.uint32(INCERTAE_SEDIS)
    return Tree(parent), flags

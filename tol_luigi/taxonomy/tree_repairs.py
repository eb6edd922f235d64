"""Repairs of the tree of a source: parents, cycles, roots, containers, repeated siblings; and codes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tol_luigi.taxonomy import name_patterns as patterns
from tol_luigi.taxonomy.flags import INCERTAE_SEDIS, INHERITED, TOMBSTONES, Flag, flags_text
from tol_luigi.taxonomy.kingdoms import CODES
from tol_luigi.taxonomy.parent_links import break_cycles, roots_of
from tol_luigi.taxonomy.ranks import LEVELS
from tol_luigi.taxonomy.records import Repair

if TYPE_CHECKING:
    import numpy.typing as npt

    from tol_luigi.taxonomy.draft import Draft
    from tol_luigi.taxonomy.synonym_links import Forwards

    Mask = npt.NDArray[np.bool_]

__all__ = [
    "flag_rank_conflicts",
    "inherit_codes",
    "own_flags",
    "place_roots",
    "raise_children",
    "report_rank_order",
    "settle_parents",
]

_INFERRED = Flag.SIBLING_HIGHER | Flag.INFRASPECIFIC | Flag.BARREN
"""Flags that are inferred from the merged tree."""

_GROUPS = np.array([LEVELS[rank] for rank in ("phylum", "class", "order", "family", "genus", "species")])
"""The levels where the groups of ranks begin between which a conflict is a major one."""


def settle_parents(draft: Draft, forwards: Forwards) -> None:
    """Look up the parents: a synonym's is that of its taxon, a missing one is none; and break cycles.

    The taxon with the smallest identifier in a cycle becomes a root.
    """
    given = draft.given_parents
    is_none = pc.or_(pc.is_null(given), pc.fill_null(pc.equal(given, ""), fill_value=True))
    is_given = ~_mask(is_none)
    parents = np.where(is_given, draft.index.find(given), -1)
    is_missing = is_given & (parents < 0)
    through = np.where(is_missing, forwards.find(given), -1)
    for repair, mask in (
        (Repair.PARENT_IS_SYNONYM, through >= 0),
        (Repair.MISSING_PARENT, is_missing & (through < 0)),
    ):
        chosen = pa.array(mask)
        after = pc.fill_null(draft.uids_of(through[mask]), "")
        draft.log.add(repair, draft.uids.filter(chosen), given.filter(chosen), after)
    parents = np.where(is_missing, through, parents)
    draft.parents, broken = break_cycles(parents)
    draft.log.add(Repair.CYCLE, draft.uids_of(broken), draft.uids_of(parents[broken]))


def own_flags(draft: Draft) -> None:
    """Turn inherited flags that nothing above explains into own ones, and drop the other inferred flags.

    Source: ``Taxonomy.fixFlags`` of the Open Tree. What is inherited is inferred again from the merged tree.
    """
    flags, parents = draft.flags, draft.parents
    above = np.where(parents >= 0, flags[parents], 0)
    for flag, inherited in INHERITED.items():
        is_inherited = (flags & inherited) != 0
        is_explained = (above & (flag | inherited)) != 0
        draft.flags = np.where(is_inherited & ~is_explained & (parents >= 0), draft.flags | flag, draft.flags)
    dropped = np.uint32(int(_INFERRED) | sum(INHERITED.values()))
    draft.flags = (draft.flags & ~dropped).astype(np.uint32)


def raise_children(draft: Draft, is_nameless: Mask) -> None:
    """Move the children of containers to the nearest taxon above that is none, and flag them; containers stay, empty.

    The outermost container decides on the flag: ``environmental`` or ``incertae_sedis``; it gives none if nothing
    else was in it. Taxa without a name are containers, too, roots aside. Tombstones give their children back.

    Source: ``Taxonomy.elideContainers`` of the Open Tree.
    """
    kinds = _container_flags(draft, is_nameless)
    is_container = kinds >= 0
    if not is_container.any():
        return
    rows, parents = np.arange(len(draft)), draft.parents
    above = roots_of(np.where(is_container & (parents >= 0) & is_container[parents], parents, -1))
    is_inside = (parents >= 0) & is_container[parents]
    outermost = np.where(is_inside, above[parents], -1)
    contents = np.bincount(outermost[is_inside], minlength=len(draft))
    new = np.where(is_inside, parents[outermost], parents)
    flag = np.where(is_inside & (contents[outermost] > 1), kinds[outermost], 0).astype(np.uint32)
    cleared = np.uint32(~int(INCERTAE_SEDIS) & 0xFFFFFFFF)
    moved = rows[is_inside]
    draft.log.add(
        Repair.CONTAINER,
        draft.uids_of(moved),
        draft.uids_of(parents[moved]),
        _texts(flag[moved]),
    )
    draft.flags = np.where(is_inside, (draft.flags & cleared) | flag, draft.flags).astype(np.uint32)
    draft.parents = new
    is_tombstone = (draft.flags & np.uint32(TOMBSTONES)) != 0
    is_new = draft.add_flags(is_container & ~is_tombstone, Flag.WAS_CONTAINER)
    for repair, mask in (
        (Repair.CONTAINER, is_new & ~is_nameless),
        (Repair.NO_NAME, is_new & is_nameless & _mask(pc.equal(draft.names, ""))),
        (Repair.UNKNOWN_NAME, is_new & is_nameless & ~_mask(pc.equal(draft.names, ""))),
    ):
        chosen = pa.array(mask)
        draft.log.add(
            repair, draft.uids.filter(chosen), draft.names.filter(chosen), flags_text(Flag.WAS_CONTAINER)
        )


def place_roots(draft: Draft) -> None:
    """Take the biggest root, or the one named "life", for the placed one, and flag the others ``unplaced``.

    Source: ``Taxonomy.placeBiggest`` of the Open Tree.
    """
    is_root = draft.parents < 0
    if not is_root.any():
        return
    sizes = np.where(is_root, np.bincount(roots_of(draft.parents), minlength=len(draft)), 0)
    lives = np.flatnonzero(is_root & _mask(pc.equal(draft.names, "life")))
    biggest = int(lives[0]) if len(lives) == 1 else int(np.argmax(sizes))
    before = draft.flags.copy()
    is_further = is_root.copy()
    is_further[biggest] = False
    draft.add_flags(is_further, Flag.UNPLACED)
    draft.flags[biggest] &= np.uint32(~int(INCERTAE_SEDIS) & 0xFFFFFFFF)
    changed = np.flatnonzero(before != draft.flags)
    draft.log.add(
        Repair.FURTHER_ROOT, draft.uids_of(changed), _texts(before[changed]), _texts(draft.flags[changed])
    )


def flag_rank_conflicts(draft: Draft) -> None:
    """Flag taxa beside a taxon whose rank is of a higher group, such as a genus beside a family.

    Source: ``Taxonomy.analyzeRankConflicts`` of the Open Tree.
    """
    levels = levels_of(draft.ranks)
    is_ranked = (levels > 0) & (draft.parents >= 0)
    highest = np.full(len(draft), np.iinfo(np.int64).max)
    np.minimum.at(highest, draft.parents[is_ranked], levels[is_ranked])
    groups = np.searchsorted(_GROUPS, levels, side="right")
    above = np.searchsorted(_GROUPS, np.where(is_ranked, highest[draft.parents], 0), side="right")
    draft.add_flags(is_ranked & (groups > above), Flag.MAJOR_RANK_CONFLICT)


def report_rank_order(draft: Draft) -> None:
    """Record taxa whose rank is not below that of the nearest ranked taxon above; the ranks stay."""
    levels = levels_of(draft.ranks)
    nearest = roots_of(np.where(levels > 0, -1, draft.parents))
    above = np.where(draft.parents >= 0, nearest[draft.parents], -1)
    wrong = np.flatnonzero((levels > 0) & (above >= 0) & (levels <= levels[above]) & (levels[above] > 0))
    before = draft.ranks.take(pa.array(wrong)).to_pylist()
    after = pc.binary_join_element_wise(
        draft.ranks.take(pa.array(above[wrong])), draft.names.take(pa.array(above[wrong])), " "
    ).to_pylist()
    known = draft.log.contains(Repair.RANK_ORDER) if len(wrong) else set()
    rows = [
        row for row in zip(draft.uids_of(wrong).to_pylist(), before, after, strict=True) if row not in known
    ]
    columns = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
    if columns:
        draft.log.add(Repair.RANK_ORDER, *columns)


def inherit_codes(draft: Draft) -> None:
    """Give every taxon without a code that of the nearest kingdom above it, else the one that its name suggests.

    A genus is no kingdom: *Bacteria* is also one of stick insects.
    """
    levels = levels_of(draft.ranks)
    is_high = levels < LEVELS["family"]
    is_kingdom = is_high & _mask(pc.is_in(draft.names, value_set=pa.array(list(CODES))))
    nearest = roots_of(np.where(is_kingdom, -1, draft.parents))
    kingdoms = draft.names.take(pa.array(nearest))
    places = pc.index_in(kingdoms, value_set=pa.array(list(CODES)))
    codes = pa.array([code.value for code in CODES.values()], pa.string()).take(places)
    inherited = pc.if_else(pa.array(is_kingdom[nearest]), pc.fill_null(codes, ""), "")
    inherited = pc.if_else(pc.equal(inherited, ""), draft.parsed_codes, inherited)
    draft.codes = pc.if_else(pc.equal(draft.codes, ""), inherited, draft.codes)


def levels_of(ranks: pa.Array) -> npt.NDArray[np.int64]:
    """Return the levels of ranks, 0 for none."""
    encoded = ranks.dictionary_encode()
    levels = np.array([LEVELS.get(rank, 0) for rank in encoded.dictionary.to_pylist()], np.int64)
    return levels[encoded.indices.to_numpy()] if len(ranks) else np.zeros(0, np.int64)


def _container_flags(draft: Draft, is_nameless: Mask) -> npt.NDArray[np.int64]:
    """Return the flag that the children of every container get, 0 for none; -1 for what is no container."""
    is_unplacing = (draft.flags & np.uint32(Flag.WAS_CONTAINER | Flag.INCONSISTENT)) != 0
    conditions = (
        _mask(pc.match_substring_regex(draft.names, patterns.CONTAINER)),
        _mask(pc.match_substring_regex(draft.names, patterns.ENVIRONMENTAL)),
        is_nameless & (draft.parents >= 0),
        is_unplacing,
        (draft.flags & np.uint32(Flag.MERGED)) != 0,
    )
    flags = (Flag.INCERTAE_SEDIS, Flag.ENVIRONMENTAL, Flag.INCERTAE_SEDIS, Flag.UNPLACED, 0)
    return np.select(conditions, [np.int64(flag) for flag in flags], np.int64(-1))


def _texts(flags: npt.NDArray[np.uint32]) -> pa.Array:
    distinct, places = np.unique(flags, return_inverse=True)
    return pa.array([flags_text(int(flag)) for flag in distinct], pa.string()).take(pa.array(places))


def _mask(values: pa.Array) -> Mask:
    return np.asarray(values.to_numpy(zero_copy_only=False)).astype(bool)

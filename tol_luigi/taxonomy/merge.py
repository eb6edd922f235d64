"""Merge: what becomes of the records of a source that is aligned with a union.

Source: section "Merge" of the paper of the Open Tree's reference taxonomy (doi:10.3897/BDJ.5.e12581), and
``MergeMachine.java``; exceptions are documented where they are made.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from tol_luigi.taxonomy.decision import NUMBERS
from tol_luigi.taxonomy.flags import INCERTAE_SEDIS, TOMBSTONES, Flag
from tol_luigi.taxonomy.products import Fate
from tol_luigi.taxonomy.reasons import Reason, Refine
from tol_luigi.taxonomy.tree import NONE, Groups

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tol_luigi.taxonomy.decision import Alignment
    from tol_luigi.taxonomy.forest import Column, Forest

__all__ = ["FATES", "Clash", "Merged", "merge"]

FATES = tuple(Fate)
"""The fates by their number."""

_FATE = {fate: number for number, fate in enumerate(FATES)}

_DETACHED = -2
"""The parent of a new taxon whose place is not known yet."""

_TOMBSTONE, _MERGED, _UNPLACED = int(TOMBSTONES), int(Flag.MERGED), int(Flag.UNPLACED)
_INCERTAE, _UNKNOWN_PLACE = int(INCERTAE_SEDIS), int(INCERTAE_SEDIS | TOMBSTONES)

_HIDDEN = int(Flag.HIDDEN | Flag.HIDDEN_INHERITED)

_Number = TypeVar("_Number", bound=np.generic)

_POLYSEMY = -3
"""The score of a record that is certainly not one with a taxon of its name: it becomes a homonym."""


@dataclass(frozen=True)
class Clash:
    """A record whose children have images in different places: the record, two of its children, the sink."""

    record: int
    alice: int
    bob: int
    sink: int


@dataclass(frozen=True)
class Merged:
    """The union after a merge.

    Attributes:
        parent: The parents of all taxa; the new ones come after the old ones.
        flags: Their own flags.
        origin: The record of each new taxon.
        image: The taxon of each record, ``NONE`` if it is dropped.
        fate: The number of the fate of each record in ``FATES``.
        clashes: The records that are inconsistent with the union.
    """

    parent: Column
    flags: NDArray[np.uint32]
    origin: Column
    image: Column
    fate: NDArray[np.int8]
    clashes: list[Clash] = field(default_factory=list)


def merge(source: Forest, union: Forest, alignment: Alignment, refine: Refine) -> Merged:
    """Return the union with a source, to which it is aligned."""
    return _Merge(source, union, alignment, refine).run()


class _Merge:
    """A merge at work. Records with children are visited one by one, the others all at once."""

    def __init__(self, source: Forest, union: Forest, alignment: Alignment, refine: Refine) -> None:
        self._source, self._union, self._refine = source, union, refine
        self._old = len(union)
        aligned, tip = alignment.target >= 0, source.tree.is_tip
        unlike = np.isin(alignment.reason, [NUMBERS[Reason.NONE], NUMBERS[Reason.INFORMAL]])
        new_tip = tip & ~aligned & (unlike | (alignment.score <= _POLYSEMY))
        self._new_tips = np.flatnonzero(new_tip).astype(np.int32)
        room = self._old + len(self._new_tips) + int((~tip & ~aligned).sum())
        self._parents = _padded(union.tree.parent, room, _DETACHED)
        self._all_flags = _padded(union.flags, room, 0)
        self._images = alignment.target.copy()
        # single values are read and written several times as fast through memoryviews
        self._parent, self._flags, self._image = self._parents.data, self._all_flags.data, self._images.data
        self._placed, self._sink = source.is_placed.data, _sinks(source, alignment.target).data
        self._inner = _Lists(source.tree.parent, ~tip & ~aligned, len(source))
        self._aligned = _Lists(source.tree.parent, _to_visit(source, union, alignment.target), len(source))
        self._uncovered = _uncovered(union, alignment.target).data
        self._old_parent, self._old_depth = union.tree.parent.data, union.tree.depth.data
        self._origin: list[int] = []
        self._fate = np.where(aligned, _FATE[Fate.ALIGNED], _FATE[Fate.DROPPED]).astype(np.int8)
        self._fate[alignment.reason == NUMBERS[Reason.CONTAINER]] = _FATE[Fate.EXCLUDED]
        self._holds_old: set[int] = set()
        self._place = np.full(len(source), NONE, dtype=np.int32)  # where the new tips below a record go
        self._place_flags = np.zeros(len(source), dtype=np.uint32)
        self._promotions: list[tuple[int, int, int]] = []
        self._clashes: list[Clash] = []

    def run(self) -> Merged:
        """Merge all records."""
        tree = self._source.tree
        internal = np.flatnonzero(~tree.is_tip)
        for record in internal[np.argsort(tree.post[internal])].tolist():
            if self._image[record] >= 0:
                self._adopt(record, self._image[record], 0)
            else:
                self._merge_unaligned(record)
        origin = self._add_tips()
        count = self._old + len(origin)
        parent, flags = self._parents[:count], self._all_flags[:count]
        parent[parent == _DETACHED] = NONE  # new roots
        self._promote_all()
        return Merged(parent, flags, origin, self._images, self._fate, self._clashes)

    def _add_tips(self) -> Column:
        """Add the new tips, and return the records of all new taxa."""
        tips, start = self._new_tips, self._old + len(self._origin)
        above = self._source.tree.parent[tips]
        rows = np.arange(start, start + len(tips), dtype=np.int32)
        self._parents[rows] = np.where(above >= 0, self._place[above], np.int32(NONE))
        self._all_flags[rows] = self._source.flags[tips] | np.where(
            above >= 0, self._place_flags[above], np.uint32(0)
        )
        self._images[tips] = rows
        self._fate[tips] = _FATE[Fate.NEW]
        return np.append(np.array(self._origin, dtype=np.int32), tips)

    def _merge_unaligned(self, record: int) -> None:
        """Find a place for a record that is not aligned, by the places of its children."""
        sink = self._sink[record]
        common, alice, bob = self._common_parent(record)
        if alice == NONE:
            self._adopt(record, self._new(record, Fate.NEW), 0)
        elif bob != NONE:
            self._clashes.append(Clash(record, alice, bob, sink))
            self._bury(record, self._meeting(record, sink), Fate.INCONSISTENT, Flag.INCONSISTENT, _UNPLACED)
        elif not self._is_in(common, sink):
            self._bury(record, self._meeting(record, sink), Fate.ABSORBED, Flag.MERGED, _UNPLACED)
        elif self._refines(record, common, sink):
            self._insert(record, common)
        else:
            self._bury(record, common, Fate.ABSORBED, Flag.MERGED, 0)

    def _common_parent(self, record: int) -> tuple[int, int, int]:
        """Return the parent of the images of children, the first child, and the first one with another parent."""
        common = alice = bob = NONE
        for child in self._aligned[record]:
            image = self._image[child]
            if self._placed[child] and not self._flags[image] & _UNKNOWN_PLACE:
                if alice == NONE:
                    common, alice = self._parent[image], child
                elif self._parent[image] != common:
                    bob = child
                    break
        return common, alice, bob

    def _refines(self, record: int, common: int, sink: int) -> bool:
        """Return whether a record may come between the sink and its children: if all of them are images.

        The Open Tree asks that of the children of the sink even if those of the record are elsewhere.
        """
        if int(self._source.flags[record]) & _HIDDEN:
            return False
        if self._refine is Refine.OTT:
            return bool(self._uncovered[sink] == 0)
        place, _ = self._open_place(sink)
        return bool(common == place and self._uncovered[place] == 0)

    def _insert(self, record: int, common: int) -> None:
        """Make a record a taxon between a taxon and those of its children that are images of the record's."""
        row = self._new(record, Fate.REFINEMENT)
        self._holds_old.add(row)
        for child in self._aligned[record]:
            image = self._image[child]
            stays = self._refine is Refine.STRICT and self._parent[image] != common
            if not self._flags[image] & _UNKNOWN_PLACE and not stays:
                self._parent[image] = row
        self._adopt(record, row, 0)

    def _bury(self, record: int, place: int, fate: Fate, flag: Flag, flags: int) -> None:
        """Pass the children of a record on, and make the record a tombstone."""
        self._adopt(record, place, flags)
        row = self._new(record, fate)
        self._parent[row], more = self._open_place(place)
        self._flags[row] |= int(flag) | more

    def _new(self, record: int, fate: Fate) -> int:
        """Return the row of a new taxon for a record."""
        row = self._old + len(self._origin)
        self._origin.append(record)
        self._flags[row] = int(self._source.flags[record])
        self._image[record] = row
        self._fate[record] = _FATE[fate]
        return row

    def _adopt(self, record: int, target: int, flags: int) -> None:
        """Put the new taxa of the children of a record below a taxon; move old ones there that had no exact place."""
        place, more = self._open_place(target)
        flags |= more
        self._place[record], self._place_flags[record] = place, flags
        for child in self._inner[record]:
            row = self._image[child]
            if self._parent[row] == _DETACHED:
                self._attach(row, place, flags, record)
        for child in self._aligned[record]:
            self._promotions.append((child, place, flags))
        if self._refine is Refine.OTT:
            self._promote_all()

    def _attach(self, row: int, place: int, flags: int, record: int) -> None:
        """Put a new taxon below a place. If the place is below the taxon, the taxon goes where no cycle arises."""
        if row in self._holds_old:
            if self._is_in(place, row):
                place = NONE if self._refine is Refine.OTT else self._sink[record]
                flags |= _UNPLACED
            self._holds_old.add(place)
        self._parent[row] = place
        self._flags[row] |= flags

    def _promote_all(self) -> None:
        """Promote taxa until no one moves any more.

        The Open Tree promotes at once, when the place may not be part of the tree yet, so that a second merge of the
        same source moves taxa again.
        """
        moved = True
        while moved:
            moved = sum(self._promote(*each) for each in self._promotions) > 0
        self._promotions.clear()

    def _promote(self, child: int, place: int, flags: int) -> bool:
        """Move an old taxon of which only a rough place is known to a place below it, if it is that."""
        row = self._image[child]
        here = self._parent[row]
        if not self._flags[row] & _INCERTAE or self._flags[row] & _TOMBSTONE or here == place:
            return False
        if not self._is_in(place, here) or self._is_in(place, row):
            return False
        was_root = here == NONE and self._placed[child]
        own = 0 if was_root else flags | (int(self._source.flags[child]) & _INCERTAE)
        self._parent[row] = place
        self._flags[row] = (self._flags[row] & ~_INCERTAE) | own
        return True

    def _open_place(self, row: int) -> tuple[int, int]:
        """Return the taxon that stands for a tombstone, and the flags that its children have then."""
        flags = 0
        while row >= 0 and self._flags[row] & _TOMBSTONE:
            if not self._flags[row] & _MERGED:
                flags = _UNPLACED
            row = self._parent[row]
        return row, flags

    def _is_in(self, row: int, ancestor: int) -> bool:
        """Return whether a taxon is another one or below it; all attached taxa are below ``NONE``."""
        while row >= 0:
            if row == ancestor:
                return True
            row = self._parent[row]
        return ancestor == NONE == row

    def _meeting(self, record: int, sink: int) -> int:
        """Return the smallest taxon that contained the parents of all children's images, or the sink if it is smaller."""
        meeting = NONE
        for child in self._aligned[record]:
            above = self._old_parent[self._image[child]] if self._placed[child] else NONE
            if above != NONE:
                both = above if meeting == NONE else self._common_ancestor(meeting, above)
                meeting = both if both != NONE else meeting
        return meeting if meeting != NONE and self._is_in(meeting, sink) else sink

    def _common_ancestor(self, one: int, two: int) -> int:
        """Return the lowest common ancestor of two old taxa before the merge."""
        parent, depth = self._old_parent, self._old_depth
        while one != two:
            if depth[one] < depth[two]:
                one, two = two, one
            one = parent[one]
            if one == NONE:
                return NONE
        return one


class _Lists:
    """The children of every record that are of one kind."""

    def __init__(self, parent: Column, chosen: NDArray[np.bool_], count: int) -> None:
        rows = np.flatnonzero(chosen & (parent >= 0)).astype(np.int32)
        groups = Groups.of(parent[rows], rows, count)
        self._offsets = groups.offsets.data
        self._rows: list[int] = groups.values.tolist()

    def __getitem__(self, record: int) -> list[int]:
        """Return the children of a record."""
        return self._rows[self._offsets[record] : self._offsets[record + 1]]


def _padded(column: NDArray[_Number], room: int, value: int) -> NDArray[_Number]:
    """Return a copy of a column with room at its end."""
    padded = np.full(room, value, dtype=column.dtype)
    padded[: len(column)] = column
    return padded


def _sinks(source: Forest, target: Column) -> Column:
    """Return the taxon of the nearest aligned ancestor of every record."""
    nearest, parent = source.tree.nearest(target), source.tree.parent
    return np.where(parent >= 0, nearest[parent], np.int32(NONE)).astype(np.int32)


def _to_visit(source: Forest, union: Forest, target: Column) -> NDArray[np.bool_]:
    """Return which aligned records matter to their parents: if these are not aligned, or the places are not exact."""
    aligned, parent = target >= 0, source.tree.parent
    return np.asarray(aligned & ((target[parent] < 0) | ~_at(union.is_placed, target)))


def _uncovered(union: Forest, target: Column) -> NDArray[np.int64]:
    """Return how many placed children of every taxon are no images. The last place is for roots."""
    covered = np.zeros(len(union), dtype=bool)
    covered[target[target >= 0]] = True
    parents = union.tree.parent[union.is_placed & ~covered]
    return np.bincount(np.where(parents >= 0, parents, len(union)), minlength=len(union) + 1)


def _at(flags: NDArray[np.bool_], rows: Column) -> NDArray[np.bool_]:
    """Return the flags of rows, false for ``NONE``."""
    return np.append(flags, False)[rows]

"""The application of patches to a union: each is checked, and made true if it is not; none stops the build."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from tol_luigi.taxonomy.flag_inference import INFERRED
from tol_luigi.taxonomy.flags import INCERTAE_SEDIS, TOMBSTONES, Flag
from tol_luigi.taxonomy.patched_union import Changes, PatchedUnion
from tol_luigi.taxonomy.patches import Statement
from tol_luigi.taxonomy.taxon_finder import NotFoundError, TaxonFinder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import numpy.typing as npt

    from tol_luigi.taxonomy.patched_union import UnionLike
    from tol_luigi.taxonomy.patches import Patch

__all__ = ["OUTCOMES", "PatchState", "apply_patches"]


class PatchState(enum.StrEnum):
    """What became of a patch."""

    TRUE = "already true"
    APPLIED = "applied"
    NOT_APPLIED = "cannot be applied"


OUTCOMES = pa.schema(
    [
        pa.field(name, pa.string(), nullable=False)
        for name in ("id", "statement", "taxon", "state", "reason", "evidence")
    ]
)
"""One row per patch; ``reason`` says why one cannot be applied."""


class _CannotApplyError(Exception):
    """Why a patch cannot be applied."""


def apply_patches(union: UnionLike, patches: Sequence[Patch]) -> tuple[PatchedUnion, pa.Table]:
    """Return a union in which patches hold, and what became of each (``OUTCOMES``).

    Patches are applied in their order. Afterwards all are checked again: one that a later one contradicts counts as not applied.
    Applying the same patches to the result changes nothing.
    """
    board = _Board(union, patches)
    outcomes = [board.settle(patch) for patch in patches]
    rows = []
    for patch, (state, reason) in zip(patches, outcomes, strict=True):
        is_lost = state is not PatchState.NOT_APPLIED and not board.still_holds(patch)
        rows.append(
            {
                "id": patch.uid,
                "statement": patch.statement.value,
                "taxon": str(patch.taxon),
                "state": (PatchState.NOT_APPLIED if is_lost else state).value,
                "reason": "a later patch contradicts it" if is_lost else reason,
                "evidence": patch.evidence,
            }
        )
    return PatchedUnion(union, board.changes()), pa.Table.from_pylist(rows, schema=OUTCOMES)


class _Board:
    """The properties that patches change, and the checks and changes of each statement."""

    def __init__(self, union: UnionLike, patches: Iterable[Patch]) -> None:
        self._parents = union.parent.astype(np.int64)
        self._flags = (union.flags & ~np.uint32(INFERRED)).astype(np.uint32)
        self._ranks: dict[int, str] = {}
        self._merged: dict[int, int] = {}
        self._added: list[tuple[int, str]] = []
        self._union_ranks = union.rank
        self._names = union.name
        refs = [ref for patch in patches for ref in (patch.taxon, patch.other) if ref]
        self._finder = TaxonFinder(union, refs, self._parents, self.rank_of)

    def changes(self) -> Changes:
        final = {old: self._end(old) for old in self._merged}
        named = dict.fromkeys((self._end(row), name) for row, name in self._added)
        added = [(row, name) for row, name in named if name != self._name(row)]
        return Changes(self._parents, self._flags, self._ranks, final, added)

    def rank_of(self, row: int) -> str:
        return self._ranks[row] if row in self._ranks else str(self._union_ranks[row].as_py())

    def settle(self, patch: Patch) -> tuple[PatchState, str]:
        """Check a patch and make it true if it is not."""
        try:
            if self._holds(patch):
                return PatchState.TRUE, ""
            self._apply(patch)
        except (NotFoundError, _CannotApplyError) as error:
            return PatchState.NOT_APPLIED, str(error)
        return PatchState.APPLIED, ""

    def still_holds(self, patch: Patch) -> bool:
        try:
            return self._holds(patch)
        except (NotFoundError, _CannotApplyError):
            return False

    def _holds(self, patch: Patch) -> bool:
        if patch.statement is Statement.SYNONYM_OF:
            return self._is_synonym(patch)
        return _CHECKS[patch.statement](self, self._finder.one(patch.taxon), patch)

    def _apply(self, patch: Patch) -> None:
        if patch.statement is Statement.SYNONYM_OF:
            self._make_synonym(patch)
            return
        row = self._finder.one(patch.taxon)
        _CHANGES[patch.statement](self, row, patch)
        self._flags[row] |= np.uint32(Flag.EDITED)

    def _other(self, patch: Patch) -> int:
        return self._finder.one(patch.other or patch.taxon)

    def has_parent(self, row: int, patch: Patch) -> bool:
        return bool(self._parents[row] == self._other(patch))

    def has_rank(self, row: int, patch: Patch) -> bool:
        return self.rank_of(row) == patch.rank

    def is_extinct(self, row: int, _: Patch) -> bool:
        return any(self._flags[each] & Flag.EXTINCT for each in self._path(row))

    def is_extant(self, row: int, patch: Patch) -> bool:
        return not self.is_extinct(row, patch) and not self._has_only_extinct_children(row)

    def is_hidden(self, row: int, _: Patch) -> bool:
        return bool(self._flags[row] & Flag.HIDDEN)

    def is_another(self, row: int, patch: Patch) -> bool:
        return row != self._other(patch)

    def set_parent(self, row: int, patch: Patch) -> None:
        self._move(row, self._other(patch))

    def set_rank(self, row: int, patch: Patch) -> None:
        self._ranks[row] = patch.rank

    def set_extinct(self, row: int, _: Patch) -> None:
        self._flags[row] |= np.uint32(Flag.EXTINCT)

    def set_extant(self, row: int, _: Patch) -> None:
        self._revive(row)

    def set_hidden(self, row: int, _: Patch) -> None:
        self._flags[row] |= np.uint32(Flag.HIDDEN)

    def divide(self, row: int, _: Patch) -> None:
        what = f"they are one taxon, {self._name(row)}"
        raise _CannotApplyError(f"{what}; only records that are both named by their source are kept apart")

    def _move(self, row: int, parent: int) -> None:
        if row in self._path(parent):
            raise _CannotApplyError(f"{self._name(parent)} is in {self._name(row)} or is the same taxon")
        self._parents[row] = parent
        self._flags[row] &= np.uint32(~int(INCERTAE_SEDIS) & 0xFFFFFFFF)

    def _revive(self, row: int) -> None:
        if self._has_only_extinct_children(row):
            raise _CannotApplyError("all of its children are extinct")
        for each in self._path(row):
            self._flags[each] &= np.uint32(~int(Flag.EXTINCT) & 0xFFFFFFFF)

    def _has_only_extinct_children(self, row: int) -> bool:
        children = self._children(row)
        children = children[(self._flags[children] & np.uint32(TOMBSTONES)) == 0]
        return bool(len(children)) and bool(((self._flags[children] & np.uint32(Flag.EXTINCT)) != 0).all())

    def _is_synonym(self, patch: Patch) -> bool:
        accepted, name = self._other(patch), patch.taxon.name
        found = self._finder.all(patch.taxon)
        if any(row != accepted for row in found):
            return False
        if name == self._name(accepted) and not patch.taxon.source:
            return False
        return accepted in found or (accepted in self._finder.named(name))

    def _make_synonym(self, patch: Patch) -> None:
        accepted = self._other(patch)
        try:
            row = self._finder.one(patch.taxon)
        except NotFoundError as error:
            if not (error.is_absent and patch.taxon.is_bare):
                raise
            self._add_name(accepted, patch.taxon.name)
            return
        if row == accepted:
            raise _CannotApplyError("it is the accepted name of the same taxon")
        if self._parents[row] < 0:
            raise _CannotApplyError(f"{self._name(row)} is the root")
        self._merge(row, accepted)

    def _merge(self, row: int, accepted: int) -> None:
        if row in self._path(accepted):
            self._parents[accepted] = self._parents[row]
        self._parents[self._children(row)] = accepted
        self._flags[row] |= np.uint32(Flag.MERGED)
        self._flags[accepted] |= np.uint32(Flag.EDITED)
        self._merged[row] = accepted
        if self._name(row) != self._name(accepted):
            self._added.append((accepted, self._name(row)))
        self._finder.merge(row, accepted)

    def _add_name(self, row: int, name: str) -> None:
        self._added.append((row, name))
        self._flags[row] |= np.uint32(Flag.EDITED)
        self._finder.add(name, row)

    def _children(self, row: int) -> npt.NDArray[np.intp]:
        return np.flatnonzero(self._parents == row)

    def _path(self, row: int) -> list[int]:
        """Return a taxon and those above it."""
        path = [row]
        while self._parents[path[-1]] >= 0:
            path.append(int(self._parents[path[-1]]))
        return path

    def _end(self, row: int) -> int:
        while row in self._merged:
            row = self._merged[row]
        return row

    def _name(self, row: int) -> str:
        return str(self._names[row].as_py())


_CHECKS: dict[Statement, Callable[[_Board, int, Patch], bool]] = {
    Statement.HAS_PARENT: _Board.has_parent,
    Statement.HAS_RANK: _Board.has_rank,
    Statement.IS_EXTINCT: _Board.is_extinct,
    Statement.IS_EXTANT: _Board.is_extant,
    Statement.HIDDEN: _Board.is_hidden,
    Statement.NOT_SAME: _Board.is_another,
}

_CHANGES: dict[Statement, Callable[[_Board, int, Patch], None]] = {
    Statement.HAS_PARENT: _Board.set_parent,
    Statement.HAS_RANK: _Board.set_rank,
    Statement.IS_EXTINCT: _Board.set_extinct,
    Statement.IS_EXTANT: _Board.set_extant,
    Statement.HIDDEN: _Board.set_hidden,
    Statement.NOT_SAME: _Board.divide,
}

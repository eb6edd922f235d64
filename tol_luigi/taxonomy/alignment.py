"""Alignment: which taxon of one taxonomy each record of another one is.

Source: section "Alignment" of the paper of the Open Tree's reference taxonomy (doi:10.3897/BDJ.5.e12581), and
``AlignmentByName.java``. Only Overlap depends on what was aligned before; all other scores follow from the two
taxonomies, so that a heuristic scores all pairs at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tol_luigi.taxonomy.candidates import Candidates
from tol_luigi.taxonomy.decision import NUMBERS, Alignment, decide
from tol_luigi.taxonomy.divisions import Divisions
from tol_luigi.taxonomy.heuristics import Side, Sides
from tol_luigi.taxonomy.overlap import Overlap
from tol_luigi.taxonomy.reasons import Heuristics, Reason
from tol_luigi.taxonomy.source_ids import SourceIds
from tol_luigi.taxonomy.tree import NONE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tol_luigi.taxonomy.decision import Step
    from tol_luigi.taxonomy.forest import Column, Forest

__all__ = ["Alignment", "align"]

_SHARED_ID = 2
"""The score of a taxon that has an identifier of the record."""


def align(
    source: Forest,
    target: Forest,
    separation: Forest,
    *,
    heuristics: Heuristics = Heuristics.EXTENDED,
    preset: Alignment | None = None,
    target_heads: Column | None = None,
    target_ids: SourceIds | None = None,
) -> Alignment:
    """Return what the records of a source are in a target. The three taxonomies share a table of names.

    Quasi-tips are aligned first: records without a descendant that is aligned. Overlap is known for the others then.

    Args:
        source: The taxonomy of the records.
        target: The taxonomy of the candidates.
        separation: The taxa that separate homonyms.
        heuristics: Which heuristics to use.
        preset: Outcomes that are known; the reason of the others is ``NONE``.
        target_heads: The division that each taxon of the target is the head of; else they are found by their names.
        target_ids: The identifiers of the taxa of the target; else they are read from its ``sources``.
    """
    divisions = Divisions(separation)
    heads = divisions.heads(target) if target_heads is None else target_heads
    own_heads = divisions.heads(source)
    ids = _Ids(source, target_ids or SourceIds.of(target), len(target))

    found = Alignment.nothing(len(source))
    if preset is not None:
        found.put(preset, ~preset.is_open)
    if heuristics is Heuristics.EXTENDED:
        found.set(ids.origins, Reason.SOURCE_ID)
        found.reason[found.is_open & source.is_container] = NUMBERS[Reason.CONTAINER]
    found.set(_by_division(own_heads, heads, len(divisions)), Reason.DIVISION_NAME)

    sides = Sides(
        Side(source, divisions.of(source, own_heads)), Side(target, divisions.of(target, heads)), divisions
    )
    candidates = Candidates(source, target, found.is_open, ids.shared)
    first = _decided(candidates, _steps(sides, ids, heuristics), found.is_open, source.tree.is_tip)
    above_aligned = source.tree.below((found.target >= 0) | (first.target >= 0))
    found.put(first, found.is_open & ~above_aligned)

    steps = _steps(sides, ids, heuristics, Overlap(source, target, found.target))
    wanted = found.is_open & above_aligned
    found.put(_decided(candidates, steps, wanted, source.tree.is_tip), wanted)
    found.reason[found.is_open & source.is_informal] = NUMBERS[Reason.INFORMAL]
    return found


def _decided(
    candidates: Candidates, steps: Sequence[Step], wanted: NDArray[np.bool_], is_tip: NDArray[np.bool_]
) -> Alignment:
    """Return the outcomes of the wanted records."""
    found = Alignment.nothing(len(wanted))
    for rows, taxa in candidates.batches(wanted):
        decide(found, rows, taxa, steps, is_tip)
    return found


def _steps(
    sides: Sides, ids: _Ids, heuristics: Heuristics, overlap: Overlap | None = None
) -> tuple[Step, ...]:
    """Return the heuristics in their order."""
    is_extended = heuristics is Heuristics.EXTENDED
    vetoes: tuple[Step, ...] = ((Reason.RANK, sides.infraspecific_rank),)
    own: tuple[Step, ...] = ((Reason.AUTHORSHIP, sides.authorship), (Reason.CODE, sides.code))
    return (
        (Reason.SEPARATION, sides.separation),
        (Reason.RANK, sides.rank),
        *(vetoes if is_extended else ()),
        (Reason.LINEAGE, sides.lineage),
        *(own if is_extended else ()),
        *(((Reason.OVERLAP, overlap),) if overlap else ()),
        (Reason.PROXIMITY, sides.proximity),
        (Reason.NAME, sides.primary_name),
        (Reason.SAME_SOURCE_ID, ids.same_origin),
        (Reason.ANY_SOURCE_ID, ids.any_shared),
    )


def _by_division(own_heads: Column, heads: Column, count: int) -> Column:
    """Return for each head of a division in the source the head of the same division in the target."""
    taxa = np.full(count + 1, NONE, dtype=np.int32)  # the last place is for records that are no heads
    rows = np.flatnonzero(heads >= 0)[::-1]
    taxa[heads[rows]] = rows
    return taxa[own_heads]


class _Ids:
    """The identifiers that records and taxa have in common, as heuristics."""

    def __init__(self, source: Forest, target_ids: SourceIds, count: int) -> None:
        self._count = count + 1
        rows, taxa, origin = target_ids.shared(source)
        self.shared = rows, taxa
        self.origins = target_ids.origins(source)
        keys = self._keys(rows, taxa)
        self._shared_keys, self._origin_keys = np.unique(keys), np.unique(keys[origin])

    def same_origin(self, rows: Column, taxa: Column) -> tuple[NDArray[np.int8], None]:
        """Accept taxa whose first identifier is the first of the record."""
        return self._score(self._origin_keys, rows, taxa), None

    def any_shared(self, rows: Column, taxa: Column) -> tuple[NDArray[np.int8], None]:
        """Accept taxa that have any identifier of the record."""
        return self._score(self._shared_keys, rows, taxa), None

    def _score(self, known: NDArray[np.int64], rows: Column, taxa: Column) -> NDArray[np.int8]:
        return np.where(np.isin(self._keys(rows, taxa), known), _SHARED_ID, 0).astype(np.int8)

    def _keys(self, rows: Column, taxa: Column) -> NDArray[np.int64]:
        return rows.astype(np.int64) * self._count + taxa

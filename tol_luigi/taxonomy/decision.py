"""The decision between the candidates of a record: heuristic by heuristic, all records at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tol_luigi.taxonomy.reasons import REASONS, Reason
from tol_luigi.taxonomy.tree import NONE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from tol_luigi.taxonomy.forest import Column

    Answer = tuple[NDArray[np.int8], Column | None]
    Step = tuple[Reason, Callable[[Column, Column], Answer]]

__all__ = ["NUMBERS", "Alignment", "decide"]

NUMBERS = {reason: number for number, reason in enumerate(REASONS)}
"""The number of every reason."""

_BY_ELIMINATION = 2
"""The score of the only candidate left if no heuristic is in favour of it."""


@dataclass(frozen=True)
class Alignment:
    """The outcome for every record of a source, in order of its rows.

    Attributes:
        target: The row of the taxon in the target, ``NONE`` if the record is not aligned.
        score: From -3 to 3; 0 if there was no candidate, or several remained.
        reason: The number of the reason in ``REASONS``.
        witness: The number of the name of the taxon that decided, -1 if there is none.
    """

    target: Column
    score: NDArray[np.int8]
    reason: NDArray[np.int8]
    witness: Column

    @classmethod
    def nothing(cls, count: int) -> Alignment:
        """Return an alignment of no record, which may be filled."""
        return cls(
            np.full(count, NONE, dtype=np.int32),
            np.zeros(count, dtype=np.int8),
            np.full(count, NUMBERS[Reason.NONE], dtype=np.int8),
            np.full(count, NONE, dtype=np.int32),
        )

    @property
    def is_open(self) -> NDArray[np.bool_]:
        """Which records have no outcome yet, or no candidates."""
        return np.asarray(self.reason == NUMBERS[Reason.NONE])

    def put(self, other: Alignment, chosen: NDArray[np.bool_]) -> None:
        """Take over the outcomes of some records from another alignment."""
        for own, new in zip(self._columns(), other._columns(), strict=True):
            own[chosen] = new[chosen]

    def set(self, target: Column, reason: Reason) -> None:
        """Align records without an outcome to taxa, ``NONE`` for those that have none."""
        chosen = self.is_open & (target >= 0)
        self.target[chosen] = target[chosen]
        self.score[chosen] = 3
        self.reason[chosen] = NUMBERS[reason]

    def _columns(self) -> tuple[NDArray[np.integer], ...]:
        return self.target, self.score, self.reason, self.witness


def decide(
    found: Alignment, rows: Column, taxa: Column, steps: Sequence[Step], is_tip: NDArray[np.bool_]
) -> None:
    """Choose a candidate for each record.

    A heuristic keeps the candidates with the highest score. If it is negative, all are rejected; if there is one with a
    positive score, it is accepted; else the next heuristic decides between those that are left. The only one that is left
    at the end is accepted; several are none.

    Args:
        found: Where the outcomes are written.
        rows: The records, in ascending order.
        taxa: A candidate of each; a record has several rows here if it has several.
        steps: The heuristics in their order.
        is_tip: Which records have no children.
    """
    for reason, heuristic in steps:
        if not len(rows):
            return
        keep = _step(found, (rows, taxa), reason, heuristic(rows, taxa))
        rows, taxa = rows[keep], taxa[keep]
    _finish(found, rows, taxa, is_tip)


def _step(
    found: Alignment, pairs: tuple[Column, Column], reason: Reason, answer: Answer
) -> NDArray[np.bool_]:
    """Apply the answer of one heuristic, and return which pairs are left for the next one."""
    (rows, taxa), (scores, witness) = pairs, answer
    starts, sizes = _groups(rows)
    best = np.maximum.reduceat(scores, starts)
    wins = scores == np.repeat(best, sizes)
    winners = np.add.reduceat(wins, starts, dtype=np.int64)
    record = rows[starts]
    positions = np.flatnonzero(wins)
    first = positions[np.searchsorted(positions, starts)]
    found.score[record] = best
    rejected, accepted = best < 0, (winners == 1) & (best > 0)
    undecided = found.reason[record] == NUMBERS[Reason.NONE]
    chosen = (winners < sizes) | (rejected & undecided)
    found.reason[record[chosen]] = NUMBERS[reason]
    found.reason[record[accepted & undecided & ~chosen]] = NUMBERS[Reason.CONFIRMED]
    if witness is not None:
        told = chosen | (accepted & undecided)
        found.witness[record[told]] = witness[first[told]]
    found.target[record[accepted]] = taxa[first[accepted]]
    return np.asarray(wins & np.repeat(~(rejected | accepted), sizes))


def _finish(found: Alignment, rows: Column, taxa: Column, is_tip: NDArray[np.bool_]) -> None:
    """Accept the candidates that are the only ones left; of several, none."""
    if not len(rows):
        return
    starts, sizes = _groups(rows)
    record = rows[starts]
    single, several = sizes == 1, record[sizes > 1]
    only = record[single]
    found.target[only] = taxa[starts[single]]
    found.score[only] = _BY_ELIMINATION
    found.reason[only[found.reason[only] == NUMBERS[Reason.NONE]]] = NUMBERS[Reason.ELIMINATION]
    found.score[several] = 0
    found.witness[several] = NONE
    kinds = NUMBERS[Reason.AMBIGUOUS_TIP], NUMBERS[Reason.AMBIGUOUS_INTERNAL]
    found.reason[several] = np.where(is_tip[several], *kinds)


def _groups(rows: Column) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where the pairs of each record start, and how many there are."""
    starts = np.flatnonzero(np.append(True, rows[1:] != rows[:-1]))
    return starts, np.diff(np.append(starts, len(rows)))

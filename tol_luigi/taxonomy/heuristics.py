"""The heuristics of an alignment: how much speaks for a record being one with a taxon.

Each returns for pairs of a record and a taxon a score from -3 (impossible) to 3 (certain), 0 if it does not know, and the
number of the name of a witness, -1 if there is none.

Source: ``Heuristic.java`` of the Open Tree's reference taxonomy, and its paper (doi:10.3897/BDJ.5.e12581).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from tol_luigi.taxonomy.authorship import compare_authorships
from tol_luigi.taxonomy.candidates import distinct_pairs
from tol_luigi.taxonomy.name_table import text_starts_with
from tol_luigi.taxonomy.ranks import LEVELS
from tol_luigi.taxonomy.tree import NONE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tol_luigi.taxonomy.divisions import Divisions
    from tol_luigi.taxonomy.forest import Column, Forest

    Scores = NDArray[np.int8]
    Answer = tuple[Scores, Column | None]

__all__ = ["CERTAIN", "IMPOSSIBLE", "Side", "Sides"]

CERTAIN, LIKELY, UNLIKELY, IMPOSSIBLE = 3, 2, -1, -3


@dataclass(frozen=True)
class Side:
    """One of the two taxonomies of an alignment: the taxonomy, and the division of each taxon."""

    forest: Forest
    division: Column

    def informative(self, rows: Column, known_ancestor: Column) -> Column:
        """Return the nearest ancestors of taxa that say something about them, or ``NONE``.

        A genus says nothing about its species. From the first ancestor on whose name does not begin the taxon's own,
        the nearest is taken that the other taxonomy knows, too.
        """
        parent, name, names = self.forest.tree.parent, self.forest.name, self.forest.names
        above = parent[rows]
        open_rows = np.flatnonzero(above >= 0)
        while len(open_rows):
            texts = names.texts(name[rows[open_rows]])
            starts = text_starts_with(texts, names.texts(name[above[open_rows]]))
            open_rows = open_rows[starts]
            above[open_rows] = parent[above[open_rows]]
            open_rows = open_rows[above[open_rows] >= 0]
        return _at(known_ancestor, above)


class Sides:
    """Both taxonomies of an alignment, and the heuristics, which compare pairs of their rows."""

    def __init__(self, source: Side, target: Side, divisions: Divisions) -> None:
        self.source, self.target, self.divisions = source, target, divisions

    def separation(self, rows: Column, taxa: Column) -> Answer:
        """Reject taxa of a disjoint division."""
        own, other = self.source.division[rows], self.target.division[taxa]
        scores = np.where(self.divisions.disjoint[own, other], IMPOSSIBLE, 0).astype(np.int8)
        return scores, self.divisions.name(other)

    def rank(self, rows: Column, taxa: Column) -> Answer:
        """Reject a family, or what is above it, for a genus, or what is below it, and the other way round."""
        own, other = self.source.forest.rank[rows], self.target.forest.rank[taxa]
        low = (own >= LEVELS["genus"]) & (other <= LEVELS["family"]) & (other > 0)
        high = (other >= LEVELS["genus"]) & (own <= LEVELS["family"]) & (own > 0)
        return np.where(low | high, IMPOSSIBLE, 0).astype(np.int8), None

    def infraspecific_rank(self, rows: Column, taxa: Column) -> Answer:
        """Reject a variety for a subspecies, and the like: they may have the same epithets."""
        own, other = self.source.forest.rank[rows], self.target.forest.rank[taxa]
        is_below = (own > LEVELS["species"]) & (other > LEVELS["species"])
        return np.where(is_below & (own != other), IMPOSSIBLE, 0).astype(np.int8), None

    def lineage(self, rows: Column, taxa: Column) -> Answer:
        """Accept taxa whose informative ancestor is that of the record, or above it, or below it."""
        own = self.source.informative(rows, self._known_above_records)
        other = self.target.informative(taxa, self._known_above_taxa)
        own_name, other_name = _at(self.source.forest.name, own), _at(self.target.forest.name, other)
        both = (own >= 0) & (other >= 0)
        agree = both & (own_name == other_name)
        rest = np.flatnonzero(both & ~agree)
        agree[rest] = _has_ancestor(self.target.forest, self._known_above_taxa, own_name[rest], other[rest])
        rest = rest[~agree[rest]]
        agree[rest] = _has_ancestor(
            self.source.forest, self._known_above_records, other_name[rest], own[rest]
        )
        return np.where(agree, CERTAIN, 0).astype(np.int8), own_name

    def authorship(self, rows: Column, taxa: Column) -> Answer:
        """Accept the same author and year; doubt another author and another year."""
        own, other = self.source.forest, self.target.forest
        same_name = own.name[rows] == other.name[taxa]  # else the authorships are those of different names
        scores = np.zeros(len(rows), dtype=np.int8)
        first, second = own.authorship[rows[same_name]], other.authorship[taxa[same_name]]
        scores[same_name] = compare_authorships(own.names, first, second, CERTAIN, UNLIKELY)
        return scores, other.authorship[taxa]

    def code(self, rows: Column, taxa: Column) -> Answer:
        """Reject names of another nomenclatural code."""
        own, other = self.source.forest.code[rows], self.target.forest.code[taxa]
        return np.where((own > 0) & (other > 0) & (own != other), IMPOSSIBLE, 0).astype(np.int8), None

    def proximity(self, rows: Column, taxa: Column) -> Answer:
        """Doubt taxa whose smallest division is another one."""
        own, other = self.source.division[rows], self.target.division[taxa]
        differ = (own >= 0) & (other >= 0) & (own != other)
        return np.where(differ, UNLIKELY, 0).astype(np.int8), self.divisions.name(other)

    def primary_name(self, rows: Column, taxa: Column) -> Answer:
        """Accept taxa whose name is the record's, not one of its synonyms."""
        own, other = self.source.forest.name[rows], self.target.forest.name[taxa]
        return np.where(own == other, CERTAIN, 0).astype(np.int8), own

    @cached_property
    def _known_above_records(self) -> Column:
        return _nearest_known(self.source.forest, self.target.forest)

    @cached_property
    def _known_above_taxa(self) -> Column:
        return _nearest_known(self.target.forest, self.source.forest)


def _at(column: Column, rows: Column) -> Column:
    """Return the values at some rows, ``NONE`` at ``NONE``."""
    return np.where(rows >= 0, column[rows], np.int32(NONE)).astype(np.int32)


def _nearest_known(forest: Forest, other: Forest) -> Column:
    """Return the nearest rows, themselves or above, whose names another taxonomy knows."""
    known = other.knows(len(forest.names))[forest.name]
    return forest.tree.nearest(np.where(known, np.arange(len(forest), dtype=np.int32), np.int32(NONE)))


def _has_ancestor(forest: Forest, known_above: Column, names: Column, rows: Column) -> NDArray[np.bool_]:
    """Return for pairs of a name and a row whether the row, or one above it, has the name.

    Only rows with names that both taxonomies know are visited: all names that are looked for are of this kind.
    """
    if not len(rows):
        return np.zeros(0, dtype=bool)
    some_names, some_rows = distinct_pairs(names, rows, len(forest))
    found = np.zeros(len(some_names), dtype=bool)
    open_pairs, at = np.arange(len(some_names)), some_rows
    while len(open_pairs):
        hit = forest.name[at] == some_names[open_pairs]
        found[open_pairs[hit]] = True
        above = _at(known_above, forest.tree.parent[at])
        going_on = ~hit & (above >= 0)
        open_pairs, at = open_pairs[going_on], above[going_on]
    keys = some_names.astype(np.int64) * len(forest) + some_rows
    return found[np.searchsorted(keys, names.astype(np.int64) * len(forest) + rows)]

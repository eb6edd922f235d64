"""Find names that are spelt almost like another one: first genera, then epithets within a genus.

Source: the order of the search and the rule for first letters are those of TAXAMATCH, doi:10.1371/journal.pone.0107510.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, NamedTuple

from rapidfuzz import process
from rapidfuzz.distance import OSA

from tol_luigi.taxonomy.name_keys import stem, stems

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tol_luigi.taxonomy.lookup import Lookup

__all__ = ["NearName", "NearNames", "most_edits"]

_ONE_EDIT = 4
"""From how many letters on, of the longer word, a word may differ by one edit."""

_TWO_EDITS, _TWO_IN_GENUS = 10, 8
"""From how many letters on, of the shorter word, an epithet may differ by two edits, and a genus with the same epithets.

With two edits from nine letters on, epithets that are really other ones are found, such as *erigeniae* for *eugeniae*.
"""

_MOST_EDITS = 3
"""How many edits a name may differ by in all its words."""

_CACHED = 1 << 14
_HEAD = 2
"""A word with one edit has its first letter, or all letters after these."""


class NearName(NamedTuple):
    """A key that is near another one, and the number of edits between them: of letters, or of neighbours exchanged."""

    key: str
    edits: int


def most_edits(word: str, other: str, two: int = _TWO_EDITS) -> int:
    """Return by how many edits a word may differ from one that it stands for: the longer both are, the more.

    Args:
        word: The word.
        other: What it may stand for.
        two: From how many letters on, of the shorter word, these may be two.
    """
    shorter, longer = sorted((len(word), len(other)))
    return (longer >= _ONE_EDIT) + (shorter >= two)


class NearNames:
    """Finds names of a reference taxonomy.

    Args:
        lookup: Its database.
    """

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup

    @cached_property
    def _words(self) -> _Words:
        return _Words(self._lookup.words())

    def same_stems(self, key: str) -> list[str]:
        """Return the keys of one genus whose epithets differ from those of a key in their endings only."""
        word, _, rest = key.partition(" ")
        near = (f"{word} {other}" for other in self._of(word, rest))
        return [other for other in near if stems(other) == stems(key)]

    def in_genus(self, key: str) -> list[NearName]:
        """Return the keys of the same genus that are near a key, the nearest first."""
        word, _, rest = key.partition(" ")
        return _nearest_first(self._in_genus(word, rest, 0)) if rest else []

    def in_others(self, key: str) -> list[NearName]:
        """Return the keys near a key that begin with another word, the nearest first."""
        word, _, rest = key.partition(" ")
        words = self._words.near(word)
        if not rest:
            near_enough = (each for each in words if each[1] <= most_edits(word, each[0]))
            return _nearest_first(itertools.starmap(NearName, near_enough))
        near = ((other, edits, edits > most_edits(word, other)) for other, edits in words)
        return _nearest_first(
            found
            for other, edits, is_far in near
            for found in self._in_genus(other, rest, edits)
            if not is_far or found.edits == edits
        )

    def _in_genus(self, word: str, rest: str, edits: int) -> Iterator[NearName]:
        """Yield the names of a genus that are near, given the edits between the genera."""
        for other in self._of(word, rest):
            further = _edits(rest.split(" "), other.split(" "))
            if further is not None and edits + further <= _MOST_EDITS:
                yield NearName(f"{word} {other}", edits + further)

    def _of(self, word: str, rest: str) -> list[str]:
        """Return the epithets in a genus that have as many words as others."""
        spaces = rest.count(" ")
        return [other for other in self._lookup.epithets(word) if other.count(" ") == spaces]


def _nearest_first(found: Iterable[NearName]) -> list[NearName]:
    return sorted(set(found), key=lambda near: (near.edits, near.key))


def _edits(words: Sequence[str], others: Sequence[str]) -> int | None:
    """Return the edits between the words of two names, None if a word has too many; endings of a gender count one."""
    total = 0
    for word, other in zip(words, others, strict=True):
        if word == other:
            continue
        most = most_edits(word, other)
        edits = OSA.distance(word, other, score_cutoff=most)
        if edits > most or not most:
            if stem(word) != stem(other):
                return None
            edits = 1
        total += edits
    return total


class _Words:
    """The first words of names, by first letters and by what follows them."""

    def __init__(self, words: Iterable[str]) -> None:
        self._by_letter: dict[str, list[str]] = defaultdict(list)
        self._by_tail: dict[str, list[str]] = defaultdict(list)
        for word in words:
            self._by_letter[word[:1]].append(word)
            self._by_tail[word[_HEAD:]].append(word)
        self.near = lru_cache(_CACHED)(self._near)

    def _near(self, word: str) -> list[tuple[str, int]]:
        """Return the words that are near another one, with their edits; two edits only after the same first letter."""
        most = most_edits(word, f"{word}.", _TWO_IN_GENUS)
        if not most:
            return []
        found = process.extract(
            word, self._by_letter.get(word[:1], ()), scorer=OSA.distance, score_cutoff=most, limit=None
        )
        near = {
            other: int(edits)
            for other, edits, _ in found
            if 0 < edits <= most_edits(word, other, _TWO_IN_GENUS)
        }
        for tail in {word[start:] for start in (1, _HEAD, 3)}:
            for other in self._by_tail.get(tail, ()):
                if OSA.distance(word, other, score_cutoff=1) == 1 and most_edits(word, other):
                    near.setdefault(other, 1)
        return sorted(near.items())

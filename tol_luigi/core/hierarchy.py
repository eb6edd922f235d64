"""The EOL Dynamic Hierarchy, which maps pages to taxa."""

from __future__ import annotations

import sys
from array import array

from tol_luigi.core.name_rules import NameRule
from tol_luigi.core.names import clean_scientific_name
from tol_luigi.core.taxon import RANK_LABELS, RANKS, Taxon

__all__ = ["Hierarchy"]

_NONE = -1
_OTHER = len(RANKS)
_GENUS = RANKS.index("genus")
_SPECIES = RANKS.index("species")
_NO_RULE: frozenset[NameRule] = frozenset()
_HOMONYM = frozenset({NameRule.HOMONYM_GENUS})

_CODES = {name: code for names in (RANK_LABELS, RANKS) for code, name in enumerate(names)}

_CORRECTIONS = ((331434, "latouchii", 42333), (52338888, "lateralis", 42333))
"""Species with a wrong parent in the hierarchy: page, name, correct parent page."""

_GENUS_AND_EPITHET = 2
"""The number of words in a species name that includes the genus."""


class Hierarchy:
    """Pages of EOL, each with a rank, a name and a parent page.

    Add the rows first, in the order of the table, then the scraped names. The first row that describes a page
    wins. The last row with a ``taxonID`` defines the page of that id, and the last page of a genus is the
    parent of scraped names. The class holds three million rows, so an entry is a slot in flat arrays, not an
    object.

    Source: the published code that reads ``taxon.tab`` and ``scraped_page_ids.csv``.
    """

    def __init__(self) -> None:
        self._slots: dict[int, int] = {}
        self._ranks = bytearray()
        self._names: list[str] = []
        self._halved = bytearray()  # per slot: whether the genus was dropped from a two-word name
        self._parents = array("q")  # per slot: an index of _pages, which may be filled later
        self._pages = array("q")
        self._places: dict[str, int] = {}
        self._genera: dict[str, int] = {}
        self._homonyms: set[str] = set()
        self._doubtful: set[int] = set()
        self._cycles: dict[int, None] = {}
        for page, name, parent in _CORRECTIONS:
            self._enter(page, _SPECIES, name, self._place(parent))

    def __len__(self) -> int:
        """Return the number of described pages."""
        return len(self._slots)

    def __contains__(self, page_id: int) -> bool:
        """Return whether a page is described."""
        return page_id in self._slots

    @property
    def cycles(self) -> tuple[int, ...]:
        """The pages at which a walk up the parents met a cycle, in the order of the walks."""
        return tuple(self._cycles)

    def add_row(self, taxon_id: str, parent_id: str, rank: str, canonical_name: str, page_id: int) -> None:
        """Add a row of ``taxon.tab`` that has a page.

        Args:
            taxon_id: ``taxonID``.
            parent_id: ``parentNameUsageID``, "" at the root. The parent's row may come later; a
                parent without a page ends the walk.
            rank: ``taxonRank``; the walk skips ranks other than the seven.
            canonical_name: ``canonicalName``.
            page_id: ``eolID``.
        """
        self._pages[self._place_of(taxon_id)] = page_id
        if page_id in self._slots:
            return
        code, parent = _CODES.get(rank.lower(), _OTHER), self._place_of(parent_id)
        if code == _SPECIES and canonical_name == canonical_name.capitalize():
            words = canonical_name.split()
            if len(words) == _GENUS_AND_EPITHET:
                self._enter(page_id, code, words[1].lower(), parent, is_halved=True)
                return
        self._enter(page_id, code, canonical_name.lower(), parent)

    def add_scraped(self, page_id: int, scientific_name: str) -> None:
        """Describe a page by its scraped name, unless the page is already described.

        A two-word name is a species below the genus of the first word, or without a parent if no row
        has that genus. Any other name is used unchanged as the species, even if cleaning leaves it empty.
        """
        if page_id in self._slots:
            return
        name = clean_scientific_name(scientific_name)
        words = name.split()
        if len(words) != _GENUS_AND_EPITHET:
            self._enter(page_id, _SPECIES, name, self._place(_NONE))
            return
        if words[0] in self._homonyms:
            self._doubtful.add(page_id)
        genus = self._place(self._genera.get(words[0], _NONE))
        self._enter(page_id, _SPECIES, words[1], genus, is_halved=True)

    def taxon(self, page_id: int) -> Taxon | None:
        """Return the taxon of a page, or None if it has no name at any rank; see :meth:`entry`."""
        entry = self.entry(page_id)
        return entry[0] if entry else None

    def entry(self, page_id: int) -> tuple[Taxon, frozenset[NameRule]] | None:
        """Return the taxon of a page, from the page and its parents, and the naming rules that applied.

        If a rank occurs twice, the last one wins. A walk stops at a cycle, and the page is added to
        ``cycles``.
        """
        slots = [_NONE] * (_OTHER + 1)
        walked: set[int] = set()
        page = page_id
        while (slot := self._slots.get(page, _NONE)) != _NONE:
            if page in walked:
                self._cycles[page] = None
                break
            walked.add(page)
            slots[self._ranks[slot]] = slot
            page = self._pages[self._parents[slot]]
        taxon = Taxon.of(*["" if slot == _NONE else self._names[slot] for slot in slots[:_OTHER]])
        if taxon.is_empty:
            return None
        rules = _HOMONYM if page_id in self._doubtful else _NO_RULE
        if slots[_GENUS] == _NONE and self._had_genus(slots[_SPECIES]):
            rules |= {NameRule.GENUS_SPELLING}
        return taxon, rules

    def _had_genus(self, species: int) -> bool:
        """Return whether the name in a species slot was added with two words."""
        if species == _NONE:
            return False
        return bool(self._halved[species]) or len(self._names[species].split()) == _GENUS_AND_EPITHET

    def _place_of(self, taxon_id: str) -> int:
        """Return the index in ``_pages`` for the page of a ``taxonID``, which is added if it is new."""
        next_place = len(self._pages)
        place = self._places.setdefault(taxon_id, next_place)
        if place == next_place:
            self._pages.append(_NONE)
        return place

    def _place(self, page: int) -> int:
        """Return an index in ``_pages`` for a page without a ``taxonID``."""
        self._pages.append(page)
        return len(self._pages) - 1

    def _enter(self, page: int, code: int, name: str, parent: int, *, is_halved: bool = False) -> None:
        self._slots[page] = len(self._ranks)
        self._ranks.append(code)
        # Epithets repeat often; a name at none of the seven ranks is never read.
        self._names.append("" if code == _OTHER else sys.intern(name))
        self._halved.append(is_halved)
        self._parents.append(parent)
        if code == _GENUS:
            if name in self._genera:
                self._homonyms.add(name)
            self._genera[name] = page

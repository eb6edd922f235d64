"""The EOL Dynamic Hierarchy: from a page to its taxon."""

from __future__ import annotations

import sys
from array import array

from tol_luigi.core.names import clean_scientific_name
from tol_luigi.core.taxon import RANK_LABELS, RANKS, Taxon

__all__ = ["Hierarchy"]

_NO_PAGE = -1
_OTHER = len(RANKS)
_GENUS = RANKS.index("genus")
_SPECIES = RANKS.index("species")
_CODES = {label: code for code, label in enumerate(RANK_LABELS)}

_CORRECTIONS = ((331434, "latouchii", 42333), (52338888, "lateralis", 42333))
"""Species that the hierarchy misplaces: page, name, parent page."""


class Hierarchy:
    """Pages of EOL, each with a rank, a name and a parent page.

    Rows come first, in the order of the table, then the scraped names. The first to describe a
    page wins. Made for three million rows: an entry is a slot in flat arrays, not an object.

    Source: the published reading of ``taxon.tab`` and ``scraped_page_ids.csv``.
    """

    def __init__(self) -> None:
        self._slots: dict[int, int] = {}
        self._ranks = bytearray()
        self._names: list[str] = []
        self._parents = array("q")
        self._pages: dict[str, int] = {}
        self._waiting: dict[str, list[int]] = {}
        self._genera: dict[str, int] = {}
        self._cycles: dict[int, None] = {}
        for page, name, parent in _CORRECTIONS:
            self._enter(page, _SPECIES, name, parent)

    def __len__(self) -> int:
        """Count the pages described."""
        return len(self._slots)

    def __contains__(self, page_id: int) -> bool:
        """Tell whether a page is described."""
        return page_id in self._slots

    @property
    def cycles(self) -> tuple[int, ...]:
        """The pages at which a walk up the parents came round again, in the order of the walks."""
        return tuple(self._cycles)

    def add_row(self, taxon_id: str, parent_id: str, rank: str, canonical_name: str, page_id: int) -> None:
        """Add a row of ``taxon.tab`` that has a page.

        Args:
            taxon_id: ``taxonID``.
            parent_id: ``parentNameUsageID``, "" at the root. The parent's row may come later; a
                parent without a page ends the walk.
            rank: ``taxonRank``; ranks other than the seven are passed through on the walk.
            canonical_name: ``canonicalName``.
            page_id: ``eolID``.
        """
        for slot in self._waiting.pop(taxon_id, ()):
            self._parents[slot] = page_id
        self._pages.setdefault(taxon_id, page_id)
        if page_id in self._slots:
            return
        code = _CODES.get(rank.strip().lower(), _OTHER)
        parent = self._pages.get(parent_id, _NO_PAGE)
        if parent == _NO_PAGE and parent_id:
            self._waiting.setdefault(parent_id, []).append(len(self._ranks))
        self._enter(page_id, code, _epithet(canonical_name) if code == _SPECIES else canonical_name, parent)

    def add_scraped(self, page_id: int, scientific_name: str) -> None:
        """Describe a page by the name on it, where no row does.

        A name of two words is a species below the genus of the first word, or alone if no row
        has that genus; any other is a species as it stands. A name that cleans to nothing is left out.
        """
        words = clean_scientific_name(scientific_name).split()
        if not words or page_id in self._slots:
            return
        if len(words) == 2:  # noqa: PLR2004 (genus and epithet)
            self._enter(page_id, _SPECIES, words[1], self._genera.get(words[0], _NO_PAGE))
        else:
            self._enter(page_id, _SPECIES, " ".join(words), _NO_PAGE)

    def taxon(self, page_id: int) -> Taxon | None:
        """Read the taxon of a page, from itself up through its parents.

        A rank met twice keeps what was met last. A walk that comes round again stops there, and
        the page is listed in ``cycles``.

        Returns:
            The taxon, or None for a page without any name.
        """
        values = [""] * (len(RANKS) + 1)
        walked: set[int] = set()
        page = page_id
        while (slot := self._slots.get(page)) is not None:
            if page in walked:
                self._cycles[page] = None
                break
            walked.add(page)
            values[self._ranks[slot]] = self._names[slot]
            page = self._parents[slot]
        taxon = Taxon.of(*values[:_OTHER])
        return None if taxon.is_empty else taxon

    def _enter(self, page: int, code: int, name: str, parent: int) -> None:
        self._slots[page] = len(self._ranks)
        self._ranks.append(code)
        # Epithets come again and again; a name at none of the seven ranks is never read.
        self._names.append("" if code == _OTHER else sys.intern(name))
        self._parents.append(parent)
        if code == _GENUS:
            self._genera.setdefault(name.lower(), page)


def _epithet(name: str) -> str:
    """Keep the second word of a name of two words of which only the first is capitalised."""
    words = name.split()
    if len(words) == 2 and words[0][0].isupper() and not words[1][0].isupper():  # noqa: PLR2004
        return words[1]
    return name

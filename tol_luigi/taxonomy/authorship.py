"""Authorships of names: whether two spellings mean the same author and year."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tol_luigi.taxonomy.forest import Column
    from tol_luigi.taxonomy.name_table import NameTable

__all__ = ["Authorship", "authorship_of", "compare_authorships"]

_YEAR = re.compile(r"\b(1[789]\d\d|20\d\d)\b")
_WORD = re.compile(r"[^\W\d_](?:[^\W\d_]|['-])*\.?")
_PARTICLES = frozenset(
    [
        "de",
        "da",
        "del",
        "della",
        "der",
        "den",
        "di",
        "do",
        "dos",
        "du",
        "la",
        "le",
        "van",
        "von",
        "zu",
        "ter",
        "ex",
        "in",
        "et",
        "and",
        "al",
        "al.",
        "f.",
        "fil.",
        "bis",
    ]
)


@dataclass(frozen=True)
class Authorship:
    """What an authorship says: the surnames of all authors, in lower case and without accents, and the last year."""

    surnames: frozenset[str]
    year: int | None

    def shares_author(self, other: Authorship) -> bool:
        """Return whether both name the same author, whose name one of them may abbreviate ("L.", "Fabr.")."""
        return any(_same(one, two) for one in self.surnames for two in other.surnames)


def _same(one: str, two: str) -> bool:
    """Return whether two surnames are equal, or one is the abbreviation of the other."""
    short, long = sorted((one, two), key=len)
    return one == two or (short.endswith(".") and long.startswith(short[:-1])) or long == short + "."


@lru_cache(maxsize=1 << 16)
def authorship_of(text: str) -> Authorship:
    """Return what an authorship such as "(Linnaeus, 1758)" or "L. ex Mill." says."""
    years = _YEAR.findall(text)
    plain = "".join(
        letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.combining(letter)
    )
    surnames = set()
    for group in re.split(r"[,;&()\[\]]| ex | in | et | and ", plain):
        words = [word for word in _WORD.findall(group.lower()) if word not in _PARTICLES]
        full = [word for word in words if not (len(word) == 2 and word.endswith("."))]  # noqa: PLR2004, an initial
        surnames.update((full or words)[-1:])
    return Authorship(frozenset(surnames), int(years[-1]) if years else None)


def compare_authorships(
    names: NameTable, first: Column, second: Column, same: int, different: int
) -> NDArray[np.int8]:
    """Return scores of pairs of authorships, given by their numbers.

    Args:
        names: The table of the texts.
        first: The authorships of one side.
        second: The authorships of the other side.
        same: The score if they share an author, and the years are equal or one of them is unknown.
        different: The score if they share no author and the years differ.
    """
    keys, places = np.unique(np.stack([first, second]), axis=1, return_inverse=True)
    texts = [names.texts(side).to_pylist() for side in keys.astype(np.int32)]
    scores = [_score(one, two, same, different) for one, two in zip(*texts, strict=True)]
    return np.array(scores, dtype=np.int8)[places.reshape(-1)]


def _score(one: str, two: str, same: int, different: int) -> int:
    """Return the score of two authorships, 0 if one is unknown or they agree in part."""
    if not one or not two:
        return 0
    first, second = authorship_of(one), authorship_of(two)
    years_differ = first.year is not None and second.year is not None and first.year != second.year
    if first.shares_author(second):
        return 0 if years_differ else same
    return different if years_differ else 0

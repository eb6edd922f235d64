"""Image ids as pairs of numbers, which take 16 bytes each, are compared by column and found by bisection."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.int64]
    Words = NDArray[np.uint64]

__all__ = ["FEWEST_DIGITS", "SortedIds", "as_words", "id_range", "is_between", "spelt"]

FEWEST_DIGITS = 6
"""The fewest digits of the beginning of an id; shorter texts are names, such as ``bee``."""

_LENGTH, _DIGITS = 36, 32
_DASHES = (8, 13, 18, 23)
_BEGINNING = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_SHAPE = "00000000-0000-0000-0000-000000000000"


def as_words(ids: pa.Array | pa.ChunkedArray) -> Words:
    """Return the first and the second half of each id as numbers, ``(n, 2)``; zeros for an empty or other text."""
    plain = pa.chunked_array([ids] if isinstance(ids, pa.Array) else ids.chunks, pa.string()).combine_chunks()
    is_id = pc.match_substring_regex(pc.fill_null(plain, ""), f"^{_BEGINNING.pattern}$", ignore_case=True)
    words = np.zeros((len(plain), 2), np.uint64)
    characters = _characters(plain.filter(is_id)).reshape(-1, _LENGTH)
    digits = np.delete(characters, _DASHES, axis=1)
    # The letters a to f and A to F end in the bits 1 to 6.
    values = ((digits & 0x0F) + 9 * (digits >> 6)).reshape(-1, _DIGITS // 2, 2)
    packed = (values[:, :, 0] << 4 | values[:, :, 1]).astype(np.uint8)
    words[np.asarray(is_id)] = packed.copy().view(">u8").astype(np.uint64)
    return words


def _characters(texts: pa.Array) -> NDArray[np.uint8]:
    """Return the bytes of all texts, one after the other."""
    _, offsets, data = texts.buffers()
    if not len(texts):
        return np.empty(0, np.uint8)
    bounds = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    return np.frombuffer(data, np.uint8)[bounds[0] : bounds[-1]]


def spelt(words: Words) -> str:
    """Return the text of an id, "" for zeros."""
    if not words.any():
        return ""
    digits = f"{int(words[0]):016x}{int(words[1]):016x}"
    parts = (digits[start:end] for start, end in ((0, 8), (8, 12), (12, 16), (16, 20), (20, 32)))
    return "-".join(parts)


def id_range(text: str) -> tuple[str, str] | None:
    """Return the first and the last id that begin with a text, or None if no id can begin with it."""
    low = text.lower() + _SHAPE[len(text) :]
    high = text.lower() + _SHAPE.replace("0", "f")[len(text) :]
    digits = len(text.replace("-", ""))
    return (low, high) if digits >= FEWEST_DIGITS and _BEGINNING.fullmatch(low) else None


def is_between(words: Words, low: Words, high: Words) -> NDArray[np.bool_]:
    """Return whether each id is from ``low`` to ``high``, both included."""
    first, second = words[:, 0], words[:, 1]
    above = (first > low[0]) | ((first == low[0]) & (second >= low[1]))
    below = (first < high[0]) | ((first == high[0]) & (second <= high[1]))
    return np.asarray(above & below)


class SortedIds:
    """The rows of ids, in the order of the ids.

    Args:
        words: The ids by row.
        order: The rows with an id, sorted by the first half of their ids.
        first: The first half of the ids in this order.
    """

    def __init__(self, words: Words, order: Numbers, first: Words) -> None:
        self._words, self._order, self._first = words, order, first

    def between(self, low: Words, high: Words) -> Numbers:
        """Return the rows with ids from ``low`` to ``high``, both included, in order."""
        start = np.searchsorted(self._first, low[0], "left")
        stop = np.searchsorted(self._first, high[0], "right")
        rows = np.sort(self._order[start:stop])
        return rows[is_between(self._words[rows], low, high)]

    def first_rows(self, words: Words) -> Numbers:
        """Return the first row of each id, -1 if there is none."""
        found = np.full(len(words), -1, np.int64)
        if not len(self._first):
            return found
        at = np.searchsorted(self._first, words[:, 0], "left")
        open_ = np.flatnonzero(words.any(axis=1))
        while len(open_):  # different ids whose first halves agree follow each other
            open_ = open_[at[open_] < len(self._first)]
            open_ = open_[self._first[at[open_]] == words[open_, 0]]
            rows = self._order[at[open_]]
            same = self._words[rows, 1] == words[open_, 1]
            found[open_[same]] = rows[same]
            open_ = open_[~same]
            at[open_] += 1
        return found

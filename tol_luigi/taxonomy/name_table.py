"""Numbers for strings, so that taxonomies compare names as integers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ids = NDArray[np.int32]

__all__ = ["NameTable", "text_starts_with"]

_FEW = 256
"""Up to how many strings a request is small."""


class NameTable:
    """Strings by their number, from 0. Taxonomies that are compared share a table; it only grows."""

    def __init__(self) -> None:
        self._texts = pa.array([], pa.string())
        self._few: dict[str, int] = {}  # of small requests, since Arrow hashes the entire table for each

    def __len__(self) -> int:
        """Return how many strings have a number."""
        return len(self._texts)

    def intern(self, texts: pa.Array | pa.ChunkedArray) -> Ids:
        """Return the numbers of strings; new strings get the next numbers, in order of their appearance."""
        coded = _one(texts).dictionary_encode()
        distinct = coded.dictionary
        numbers = self._known(distinct)
        new = numbers < 0
        numbers[new] = np.arange(len(self._texts), len(self._texts) + int(new.sum()), dtype=np.int32)
        if new.any():
            self._texts = pa.concat_arrays([self._texts, distinct.filter(pa.array(new))])
        indices: NDArray[np.int32] = coded.indices.to_numpy(zero_copy_only=False)
        return numbers[indices]

    def _known(self, texts: pa.Array) -> Ids:
        """Return the numbers of distinct strings, -1 for those that have none."""
        if len(texts) > _FEW:
            return _int32(pc.index_in(texts, value_set=self._texts))
        few = texts.to_pylist()
        if not all(text in self._few for text in few):
            found = pc.index_in(self._texts, value_set=texts)
            rows = np.flatnonzero(found.is_valid().to_numpy(zero_copy_only=False))
            self._few |= dict(zip(self._texts.take(pa.array(rows)).to_pylist(), rows.tolist(), strict=True))
        return np.array([self._few.get(text, -1) for text in few], dtype=np.int32)

    def find(self, texts: pa.Array | pa.ChunkedArray) -> Ids:
        """Return the numbers of strings, -1 for those that have none."""
        return _int32(pc.index_in(_one(texts), value_set=self._texts))

    def texts(self, numbers: Ids) -> pa.Array:
        """Return the strings that have some numbers; "" for -1."""
        taken = self._texts.take(pa.array(numbers, mask=numbers < 0))
        return taken.fill_null("") if taken.null_count else taken

    def text(self, number: int) -> str:
        """Return the string that has a number; "" for -1."""
        return str(self._texts[number].as_py()) if number >= 0 else ""


def _one(texts: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return an array in one piece, without a dictionary."""
    whole = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
    if isinstance(whole, pa.ChunkedArray):
        whole = pa.concat_arrays(whole.chunks)
    return whole.cast(pa.string()) if whole.type != pa.string() else whole


def _int32(found: pa.Array) -> Ids:
    """Return what ``index_in`` finds as integers, -1 for null."""
    return np.array(found.fill_null(-1).to_numpy(zero_copy_only=False), dtype=np.int32)


def text_starts_with(texts: pa.Array, prefixes: pa.Array) -> NDArray[np.bool_]:
    """Return for each string whether the string at the same place in ``prefixes`` is a prefix of it.

    Arrow compares only with one prefix; this compares byte by byte, all strings at once.
    """
    (starts, lengths, content), (other_starts, other_lengths, other_content) = map(_bytes, (texts, prefixes))
    matches = lengths >= other_lengths
    open_rows = np.flatnonzero(matches & (other_lengths > 0))
    position = 0
    while len(open_rows):
        same = content[starts[open_rows] + position] == other_content[other_starts[open_rows] + position]
        matches[open_rows[~same]] = False
        position += 1
        open_rows = open_rows[same & (other_lengths[open_rows] > position)]
    return matches


def _bytes(texts: pa.Array) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint8]]:
    """Return where each string starts, its length, and the UTF-8 bytes of all."""
    _, offsets_buffer, content = texts.buffers()
    offsets = np.frombuffer(offsets_buffer, dtype=np.int32)[texts.offset : texts.offset + len(texts) + 1]
    wide = offsets.astype(np.int64)
    raw = np.frombuffer(content, dtype=np.uint8) if content is not None else np.zeros(0, dtype=np.uint8)
    return wide[:-1], np.diff(wide), raw

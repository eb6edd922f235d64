"""Columns made of row numbers alone: the same on every machine, whatever part of them is asked for."""

from __future__ import annotations

import math
from typing import IO, TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    Numbers = NDArray[np.uint64]

CHUNK = 100_000
"""Rows made at one go."""

_GOLDEN = 0x9E3779B97F4A7C15
_HEX = np.frombuffer(b"".join(b"%02x" % byte for byte in range(256)), np.uint8).reshape(256, 2)
_DASHES = (8, 13, 18, 23)
_DIGITS = [place for place in range(36) if place not in _DASHES]
_VERSION = 14


def chunks(start: int, stop: int) -> Iterator[Numbers]:
    """Give the row numbers from ``start`` to ``stop``, some at a time."""
    for first in range(start, stop, CHUNK):
        yield np.arange(first, min(first + CHUNK, stop), dtype=np.uint64)


def mixed(numbers: Numbers, salt: int) -> Numbers:
    """Give a random-looking number of 64 bits for each number.

    Source: the finaliser of SplitMix64.
    """
    value = numbers + np.uint64((salt + 1) * _GOLDEN % 2**64)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


def fractions(numbers: Numbers, salt: int) -> NDArray[np.float64]:
    """Give a fraction from 0 to below 1 for each number."""
    return (mixed(numbers, salt) >> np.uint64(11)) / float(1 << 53)


def below(numbers: Numbers, salt: int, count: int) -> NDArray[np.int64]:
    """Give a number below ``count`` for each number, all of them equally often."""
    return (mixed(numbers, salt) % np.uint64(count)).astype(np.int64)


def often_low(numbers: Numbers, salt: int, count: int) -> NDArray[np.int64]:
    """Give a number below ``count`` for each number, the low ones far more often, but nearly all of them.

    Fractions are multiplied, so that nothing depends on how a machine takes powers and logarithms.
    """
    drawn = fractions(numbers, salt) * fractions(numbers, salt + 1) * count
    thrice = below(numbers, salt + 2, 2) == 0
    return np.where(thrice, drawn * fractions(numbers, salt + 3), drawn).astype(np.int64)


def dealt(numbers: Numbers, salt: int, count: int) -> Numbers:
    """Give each number below ``count`` another one below it, no two the same one."""
    step = int(count * 0.6180339887) | 1
    while math.gcd(step, count) > 1:
        step += 2
    return (numbers * np.uint64(step % count) + np.uint64(salt * 7919 % count)) % np.uint64(count)


def fixed(letters: NDArray[np.uint8]) -> pa.Array:
    """Make texts of the rows of a matrix of ASCII letters."""
    rows, width = letters.shape
    offsets = np.arange(rows + 1, dtype=np.int32) * np.int32(width)
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(letters))]
    return pa.Array.from_buffers(pa.string(), rows, buffers)


def hex_digits(numbers: Numbers, salt: int, words: int) -> NDArray[np.uint8]:
    """Give sixteen hexadecimal digits a word for each number, as a matrix of letters."""
    values = np.stack([mixed(numbers, salt * 16 + word) for word in range(words)], axis=1)
    return _HEX[values.astype(">u8").view(np.uint8)].reshape(len(numbers), 16 * words)


def uuids(numbers: Numbers, salt: int) -> pa.Array:
    """Give a UUID for each number."""
    letters = np.full((len(numbers), 36), ord("-"), np.uint8)
    letters[:, _DIGITS] = hex_digits(numbers, salt, 2)
    letters[:, _VERSION] = ord("4")
    return fixed(letters)


def decimal(numbers: NDArray[np.uint64] | NDArray[np.int64], width: int = 0) -> pa.Array:
    """Write numbers in decimal digits, with leading zeros up to ``width``."""
    texts = pa.array(numbers).cast(pa.string())
    return pc.utf8_lpad(texts, width, "0") if width else texts


def chosen(texts: Sequence[str] | pa.Array, places: NDArray[np.int64]) -> pa.Array:
    """Give the text at each place of a list."""
    return (texts if isinstance(texts, pa.Array) else pa.array(texts)).take(pa.array(places))


def joined(*parts: pa.Array | str, separator: str = "") -> pa.Array:
    """Join texts row by row; what is one text is the same in each row."""
    return pc.binary_join_element_wise(*parts, separator)


def where(condition: NDArray[np.bool_], texts: pa.Array | str, others: pa.Array | str) -> pa.Array:
    """Give the one text or the other in each row."""
    return pc.if_else(pa.array(condition), texts, others)


def write_rows(file: IO[bytes], *parts: pa.Array | str, separator: str = ",") -> None:
    """Write rows of joined texts, a line each."""
    lines = joined(joined(*parts, separator=separator), "", separator="\n")
    end = np.frombuffer(lines.buffers()[1], np.int32)[len(lines)]
    file.write(memoryview(lines.buffers()[2])[:end])


def numbers_of(ids: pa.Array | pa.ChunkedArray) -> Numbers:
    """Read the first 64 bits of UUIDs."""
    texts = ids.cast(pa.string())
    digits = pc.replace_substring(pc.utf8_slice_codeunits(texts, 0, 18), "-", "").to_pylist()
    return np.frombuffer(bytes.fromhex("".join(digits)), ">u8").astype(np.uint64)

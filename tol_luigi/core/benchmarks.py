"""Benchmark images, and the images of a source that duplicate them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tol_luigi.core.perceptual import BITS, PerceptualHash

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

__all__ = ["BenchmarkImage", "Benchmarks", "Match"]


class BenchmarkImage(NamedTuple):
    """An image of a benchmark.

    Attributes:
        benchmark: The list that contains it.
        name: Its path below the folder of all lists; for an image in an archive, the path of the archive
            comes first.
        sha256: The SHA-256 of the file, "" if it could not be read.
        phash: The perceptual hash, None if the image cannot be opened.
        problem: Why it cannot be read or opened, else "".
    """

    benchmark: str
    name: str
    sha256: str
    phash: PerceptualHash | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Match:
    """The benchmark image that an image duplicates.

    Attributes:
        benchmark: The list that contains the benchmark image.
        name: The name of the benchmark image.
        bits: The number of bits in which the perceptual hashes differ; None for an exact duplicate.
    """

    benchmark: str
    name: str
    bits: int | None = None

    @property
    def reason(self) -> str:
        """The reason for the ledger."""
        how = "exact duplicate of" if self.bits is None else "near-duplicate of"
        differing = "" if self.bits is None else f", {self.bits} of {BITS} bits differ"
        return f"on the list {self.benchmark}: {how} {self.name}{differing}"


class Benchmarks:
    """An index of all benchmark images, by checksum and by perceptual hash.

    It takes about 100 bytes per image, and a search takes a few nanoseconds per image.

    Args:
        images: The benchmark images; of several at the same distance, the first one is the match.
        distance: The greatest Hamming distance, in bits, between the hashes of near-duplicates; -1 to find
            exact duplicates only.
    """

    def __init__(self, images: Iterable[BenchmarkImage], distance: int) -> None:
        self._distance = distance
        self._by_sha256: dict[str, Match] = {}
        self._hashed: list[BenchmarkImage] = []
        for image in images:
            if image.sha256:
                self._by_sha256.setdefault(image.sha256, Match(image.benchmark, image.name))
            if image.phash and image.phash.is_informative:
                self._hashed.append(image)
        self._words = _words(b"".join(image.phash.bits for image in self._hashed if image.phash))

    def match_bytes(self, sha256: str) -> Match | None:
        """Return the benchmark image with this checksum, if any."""
        return self._by_sha256.get(sha256)

    def match_phash(self, phash: PerceptualHash) -> Match | None:
        """Return the nearest benchmark image within the distance, if any; a plain image matches none."""
        if not phash.is_informative or not self._hashed:
            return None
        distances = np.bitwise_count(self._words ^ _words(phash.bits)).sum(axis=0, dtype=np.int16)
        nearest = int(distances.argmin())
        if distances[nearest] > self._distance:
            return None
        return Match(self._hashed[nearest].benchmark, self._hashed[nearest].name, int(distances[nearest]))


def _words(bits: bytes) -> NDArray[np.uint64]:
    """Return hashes as four rows of 64-bit words, one column per hash, the fastest layout to sum."""
    return np.ascontiguousarray(np.frombuffer(bits, np.uint64).reshape(-1, BITS // 64).T)

"""Pictures of benchmarks, and which images of a source are the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tol_luigi.core.perceptual import BITS, PerceptualHash

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

__all__ = ["BenchmarkPicture", "Benchmarks", "Match"]


class BenchmarkPicture(NamedTuple):
    """A picture of a benchmark.

    Attributes:
        benchmark: The list it is on.
        name: Its path below the folder of all lists; within an archive, after that of the archive.
        sha256: Of its bytes, "" where they could not be read.
        look: What it looks like, None where it cannot be opened.
        problem: Why not, else "".
    """

    benchmark: str
    name: str
    sha256: str
    look: PerceptualHash | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Match:
    """The picture of a benchmark that an image is the same as.

    Attributes:
        benchmark: The list it is on.
        name: The picture's name.
        bits: In how many bits the perceptual hashes differ; None where the bytes are the same.
    """

    benchmark: str
    name: str
    bits: int | None = None

    @property
    def reason(self) -> str:
        """Say it in words."""
        how = "same bytes as" if self.bits is None else "looks the same as"
        differing = "" if self.bits is None else f", {self.bits} of {BITS} bits differ"
        return f"on the list {self.benchmark}: {how} {self.name}{differing}"


class Benchmarks:
    """The pictures of all benchmarks, to be asked whether an image is one of them.

    They take some hundred bytes a picture, and each question a few nanoseconds a picture.

    Args:
        pictures: The pictures; of several that are equally near, the first counts.
        distance: The most bits in which the hashes of two pictures differ that look the same; -1 to compare bytes only.
    """

    def __init__(self, pictures: Iterable[BenchmarkPicture], distance: int) -> None:
        self._distance = distance
        self._by_bytes: dict[str, Match] = {}
        self._looking: list[BenchmarkPicture] = []
        for picture in pictures:
            if picture.sha256:
                self._by_bytes.setdefault(picture.sha256, Match(picture.benchmark, picture.name))
            if picture.look and picture.look.tells:
                self._looking.append(picture)
        self._words = _words(b"".join(picture.look.bits for picture in self._looking if picture.look))

    def same_bytes(self, sha256: str) -> Match | None:
        """Look for a picture of the same bytes."""
        return self._by_bytes.get(sha256)

    def same_look(self, look: PerceptualHash) -> Match | None:
        """Look for the picture that looks the most like this one; a plain picture looks like no other."""
        if not look.tells or not self._looking:
            return None
        distances = np.bitwise_count(self._words ^ _words(look.bits)).sum(axis=0, dtype=np.int16)
        nearest = int(distances.argmin())
        if distances[nearest] > self._distance:
            return None
        return Match(self._looking[nearest].benchmark, self._looking[nearest].name, int(distances[nearest]))


def _words(looks: bytes) -> NDArray[np.uint64]:
    """Lay hashes out as four rows of words, a column each: that is the fastest to add up."""
    return np.ascontiguousarray(np.frombuffer(looks, np.uint64).reshape(-1, BITS // 64).T)

"""The likely cause of names in a table that match no file: each cause is tried on the names."""

from __future__ import annotations

import heapq
import itertools
import unicodedata
import zlib
from typing import TYPE_CHECKING

from tol_luigi.core.matching import Cause
from tol_luigi.sources.member_filter import IMAGE_ENDINGS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

__all__ = ["find_cause"]

_COMPARED = 100_000
"""The maximum number of names to compare on each side."""


def _without_backslashes(name: str) -> str:
    return name.replace("\\", "/")


def _without_blanks(name: str) -> str:
    return "/".join(part.strip() for part in name.split("/"))


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _without_folders(name: str) -> str:
    return name.rpartition("/")[2]


def _without_ending(name: str) -> str:
    stem, dot, ending = name.rpartition(".")
    return stem if dot and f".{ending.lower()}" in IMAGE_ENDINGS else name


_DIFFERENCES: dict[str, Callable[[str], str]] = {
    "separators (backslash and /)": _without_backslashes,
    "blanks around names": _without_blanks,
    "Unicode normal forms": _composed,
    "folders in front of names": _without_folders,
    "endings": _without_ending,
    "upper and lower case": str.casefold,
}
"""Differences between names of the same file, each with a function that removes it, in order of use."""


def find_cause(labels: Iterable[str], files: Iterable[str]) -> Cause | None:
    """Return the difference without which most names would match: a single one, else two, else all of them.

    Args:
        labels: Names in a table that match no file.
        files: Names of files that match no label.
    """
    labels, files = _sample(labels), _sample(files)
    for count in (1, 2, len(_DIFFERENCES)):
        causes = (_cause(kinds, labels, files) for kinds in itertools.combinations(_DIFFERENCES, count))
        best = max(causes, key=lambda cause: cause.matched)
        if best.matched:
            return best
    return None


def _cause(kinds: tuple[str, ...], labels: Sequence[str], files: Sequence[str]) -> Cause:
    known = {_removed(kinds, label): label for label in reversed(labels)}
    matched = [(file, plain) for file in files if (plain := _removed(kinds, file)) in known]
    file, plain = matched[0] if matched else ("", "")
    return Cause(kinds, len(matched), known.get(plain, ""), file)


def _removed(kinds: Iterable[str], name: str) -> str:
    for kind in kinds:
        name = _DIFFERENCES[kind](name)
    return name


def _sample(names: Iterable[str]) -> list[str]:
    """Return some names; a name is chosen on both sides if it is the same without all differences."""

    def closeness(name: str) -> int:
        return zlib.crc32(_removed(_DIFFERENCES, name).encode("utf-8", "surrogatepass"))

    held = list(itertools.islice(names := iter(names), _COMPARED + 1))
    if len(held) <= _COMPARED:
        return held
    return heapq.nsmallest(_COMPARED, itertools.chain(held, names), key=closeness)

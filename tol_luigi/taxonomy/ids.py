"""Stable ids: taxa keep the ids that they had in the previous release.

Source: the assignment of ids by the Open Tree's ``smasher``, which aligns the previous release first and has no
identifiers of records to go by.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tol_luigi.taxonomy.identities import Keys, keys_of_sources, keys_of_taxa

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from tol_luigi.taxonomy.products import ReferenceTables

    Ids = NDArray[np.int64]

__all__ = ["Aligned", "Assignment", "PreviousIds", "assign_ids", "resolved"]

Aligned = Callable[["NDArray[np.int64]"], "NDArray[np.int64]"]
"""Returns for ids of the previous release the rows of the new taxa that they are aligned with, -1 for none."""


@dataclass(frozen=True)
class PreviousIds:
    """The ids of a previous release.

    Attributes:
        ids: The ids of its taxa, ascending.
        records: The records of each; owners are places in ``ids``.
        sources: Further identifiers of each, which its sources name.
        forwards: The ids that it has replaced.
        deprecated: The ids that it, or a release before it, has given up, ascending.
        given_up: The identifiers of each of these; owners are places in ``deprecated``.
    """

    ids: Ids
    records: Keys
    sources: Keys
    forwards: dict[int, int]
    deprecated: Ids
    given_up: Keys

    @classmethod
    def of(cls, release: ReferenceTables) -> Self:
        """Return the ids of a release."""
        taxa = release.taxa.sort_by("tol_id")
        tol_id, names = taxa["tol_id"].combine_chunks(), taxa["name"].combine_chunks()
        origins = pc.replace_substring_regex(taxa["sources"].combine_chunks(), ",.*", "")
        deprecated = release.deprecated.sort_by("id")
        return cls(
            tol_id.to_numpy(),
            keys_of_taxa(release.xref, "tol_id", tol_id, names, origins),
            keys_of_sources(_split(taxa["sources"])),
            dict(zip(*(release.forwards[name].to_pylist() for name in ("id", "replacement")), strict=True)),
            deprecated["id"].to_numpy(),
            keys_of_sources(_split(deprecated["sourceinfo"])),
        )

    @property
    def last(self) -> int:
        """The largest id that was ever used, 0 if there is none."""
        used: list[int] = [*self.ids[-1:].tolist(), *self.deprecated[-1:].tolist(), *self.forwards]
        return max(used, default=0)


@dataclass(frozen=True)
class Assignment:
    """The ids of the taxa of a release, and what became of the previous ones.

    Attributes:
        tol_ids: The id of each taxon.
        minted: The number of these that are new.
        forwards: The ids that other ids have replaced, each with an id of this release.
        merged: Ids replaced because their records are in one taxon now.
        lumped: Ids replaced because the alignment has found their taxa to be one.
        retired: Ids of the previous release that nothing replaces.
        revived: Ids that an earlier release had given up, and that are in use again.
        split: Ids whose records are in several taxa now, each with the rows of two of them; the first has the id.
    """

    tol_ids: Ids
    minted: int
    forwards: dict[int, int]
    merged: Ids
    lumped: Ids
    retired: Ids
    revived: Ids
    split: tuple[tuple[int, int, int], ...]


def assign_ids(
    count: int, records: Keys, sources: Keys, previous: PreviousIds | None, aligned: Aligned | None
) -> Assignment:
    """Return an id for each taxon.

    An id of the previous release goes to the taxon that its record has become part of. Ids whose records are gone go
    to the taxon with another of their identifiers, and then to the one that they are aligned with. Where several ids
    go to one taxon, the taxon gets the smallest, and it replaces the others. But an id that goes by its records is
    never replaced by one that goes by its name, so a taxon that stays as it is keeps its id. The remaining taxa get
    new ids in their order. No id is ever used for another taxon.

    Args:
        count: The number of taxa.
        records: The records of each taxon.
        sources: Further identifiers of each taxon, which its sources name.
        previous: The previous release; None if there is none.
        aligned: Aligns ids of the previous release with the taxa; called at most once. None leaves it out.
    """
    tol_ids = np.full(count, -1, np.int64)
    if previous is None:
        none = np.empty(0, np.int64)
        return Assignment(_minted(tol_ids, 0), count, {}, none, none, none, none, ())
    images = previous.records.images(records, len(previous.ids))
    merged = _claim(tol_ids, previous.ids, images)
    is_left = images < 0
    images[is_left] = previous.sources.images(sources, len(previous.ids))[is_left]
    merged |= _claim(tol_ids, previous.ids[is_left], images[is_left])
    rest = previous.ids[images < 0]
    lumped = _claim(tol_ids, rest, aligned(rest)) if aligned and len(rest) else {}
    revived = _revive(tol_ids, previous, records + sources)
    minted = int((tol_ids < 0).sum())
    tol_ids = _minted(tol_ids, previous.last)
    forwards = _live_forwards({**previous.forwards, **merged, **lumped}, tol_ids)
    is_retired = ~np.isin(previous.ids, tol_ids) & ~np.isin(previous.ids, [*forwards])
    return Assignment(
        tol_ids,
        minted,
        forwards,
        np.array(sorted(merged), np.int64),
        np.array(sorted(lumped), np.int64),
        previous.ids[is_retired],
        revived,
        tuple(_split_ids(previous, records, images)),
    )


def resolved(forwards: dict[int, int], live: set[int]) -> dict[int, int]:
    """Return for each id the end of its chain of replacements, in ascending order, if that is a live id."""
    ends: dict[int, int] = {}
    for old in sorted(forwards):
        end, seen = forwards[old], {old}
        while end not in live and end in forwards and end not in seen:
            seen.add(end)
            end = forwards[end]
        if end in live:
            ends[old] = end
    return ends


def _live_forwards(forwards: dict[int, int], tol_ids: Ids) -> dict[int, int]:
    """Return the replacements of ids that no taxon has, as far as they lead to a taxon."""
    named = np.array([*forwards, *forwards.values()], np.int64)
    live = set(named[np.isin(named, tol_ids)].tolist())
    return resolved({old: new for old, new in forwards.items() if old not in live}, live)


def _claim(tol_ids: Ids, ids: Ids, images: Ids) -> dict[int, int]:
    """Give ids to those of their images that have none, and return the ids that others replace.

    Args:
        tol_ids: The id of each taxon, -1 for none; it is changed.
        ids: The ids, ascending, so that the smallest comes first.
        images: The taxon of each, -1 for none.
    """
    ids, images = ids[images >= 0], images[images >= 0]
    is_free = tol_ids[images] < 0
    taxa, first = np.unique(images[is_free], return_index=True)
    tol_ids[taxa] = ids[is_free][first]
    is_replaced = tol_ids[images] != ids
    return dict(zip(ids[is_replaced].tolist(), tol_ids[images[is_replaced]].tolist(), strict=True))


def _revive(tol_ids: Ids, previous: PreviousIds, keys: Keys) -> Ids:
    """Give ids that were given up to taxa without an id that have their records, and return these ids."""
    images = previous.given_up.images(keys, len(previous.deprecated))
    images[tol_ids[images] >= 0] = -1
    is_live = np.isin(previous.deprecated, tol_ids)
    images[is_live] = -1
    _claim(tol_ids, previous.deprecated, images)
    return previous.deprecated[~is_live & np.isin(previous.deprecated, tol_ids)]


def _minted(tol_ids: Ids, last: int) -> Ids:
    """Return ids in which the missing ones follow the last one that was ever used."""
    is_new = tol_ids < 0
    result = tol_ids.copy()
    result[is_new] = last + 1 + np.arange(is_new.sum())
    return result


def _split_ids(previous: PreviousIds, records: Keys, images: Ids) -> Iterable[tuple[int, int, int]]:
    """Yield ids whose records are in several taxa, with the taxon that has the id and each of the others."""
    owners, found = previous.records.pairs(records)
    is_other = found != images[owners]
    pairs = zip(owners[is_other].tolist(), found[is_other].tolist(), strict=True)
    for owner, other in sorted(set(pairs)):
        yield int(previous.ids[owner]), int(images[owner]), other


def _split(sources: pa.ChunkedArray) -> pa.Array:
    """Return the identifiers in texts such as ``ncbi:2952,gbif:3207147`` as lists."""
    texts = sources.combine_chunks()
    lists = pc.split_pattern(texts, ",")
    return pc.if_else(pc.equal(texts, ""), pa.scalar([], pa.list_(pa.string())), lists)

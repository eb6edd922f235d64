"""Choose among the taxa that have one name: by what else is known of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tol_luigi.core.taxon import RANK_LABELS
from tol_luigi.taxonomy.authorship import authorship_of
from tol_luigi.taxonomy.flags import INCERTAE_SEDIS, TOMBSTONES, Flag, flags_text
from tol_luigi.taxonomy.kingdoms import KINGDOMS, kingdom_of
from tol_luigi.taxonomy.products import ACCEPTED

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tol_luigi.taxonomy.lookup import Lookup, LookupTaxon, NamedTaxon

    Context = Mapping[str, str]

__all__ = ["Choice", "choose", "contradiction"]

_KINGDOM = RANK_LABELS[0]
_BETWEEN = RANK_LABELS[1:5]
"""The ranks that are compared besides the kingdom: sources put a species in another genus, but not in another phylum."""

_UNCLEAR = frozenset({"Chromista", "Protozoa"})
"""Kingdoms whose limits differ from source to source: their members are also listed as plants, fungi or animals."""

_PROKARYOTES = frozenset({"Bacteria", "Archaea", "Viruses"})

_FEWEST = 2
"""From how many compared ranks on a taxon that differs in all of them is another one."""

_DOUBTFUL = int(
    INCERTAE_SEDIS
    | Flag.HIDDEN
    | Flag.INCERTAE_SEDIS_INHERITED
    | Flag.UNPLACED_INHERITED
    | Flag.HIDDEN_INHERITED
)


class Choice(NamedTuple):
    """What a name stands for.

    Attributes:
        found: Its taxa: one, several that nothing decides between, or none.
        reason: What decided, "" if there was nothing to decide.
        rejected: The taxa that contradict the context.
    """

    found: tuple[NamedTaxon, ...]
    reason: str
    rejected: tuple[LookupTaxon, ...] = ()


def choose(
    lookup: Lookup, named: Sequence[NamedTaxon], context: Context, authorship: str, text: str
) -> Choice:
    """Return which of some taxa is meant.

    Args:
        lookup: The database.
        named: Taxa with the name, one or more; tombstones among them are ignored.
        context: Names that are known to be above the taxon, by rank.
        authorship: The authorship that the name is given with, "" if none is given.
        text: The name as given.
    """
    taxa = {one.taxon.tol_id: one for one in reversed(named) if not one.taxon.is_tombstone}
    candidates = sorted(taxa.values(), key=lambda one: one.taxon.tol_id)
    if not candidates:
        kinds = sorted({flags_text(one.taxon.flags & TOMBSTONES) for one in named})
        return Choice((), f"the taxonomy keeps it as {', '.join(kinds)}, not as a taxon")
    against = {one.taxon.tol_id: contradiction(one.taxon.ranks, context) for one in candidates}
    rejected = tuple(one.taxon for one in candidates if against[one.taxon.tol_id])
    left = [one for one in candidates if not against[one.taxon.tol_id]]
    if not left:
        return Choice((), next(filter(None, against.values()), ""), rejected)
    if len(left) == 1:
        return Choice((left[0],), "by kingdom and ranks given" if rejected else "", rejected)
    deciders: tuple[tuple[str, Callable[[NamedTaxon], float]], ...] = (
        ("by spelling", lambda one: one.name.lower() == text.lower()),
        ("by authorship", lambda one: _shares_author(one, authorship)),
        ("by ranks given", lambda one: _agreement(one.taxon.ranks, context)),
    )
    for reason, score in deciders:
        if best := _only_best(left, score):
            return Choice((best,), reason, rejected)
    return _of_one_kingdom(lookup, left, rejected)


def contradiction(ranks: Sequence[str], context: Context) -> str:
    """Return why a taxon with these seven ranks is not the one of a context, "" if it can be.

    Another kingdom is a contradiction, unless it is one whose limits differ from source to source. So are other names at
    all of the ranks from phylum to family that are known of both, if these are two or more.

    Source: a homonym under another code of nomenclature is another taxon.
    """
    own = dict(zip(RANK_LABELS, ranks, strict=True))
    ours, theirs = own[_KINGDOM], kingdom_of(context.get(_KINGDOM, ""))
    if ours in KINGDOMS.values() and theirs and _are_disjoint(ours, theirs):
        return f"it is in kingdom {ours}, not {theirs}"
    pairs = [(own[rank], context[rank]) for rank in _BETWEEN if own[rank] and context.get(rank)]
    if len(pairs) >= _FEWEST and not any(_same(one, two) for one, two in pairs):
        one, two = pairs[-1]
        return f"it is in {one}, not {two}"
    return ""


def _are_disjoint(one: str, two: str) -> bool:
    if one == two:
        return False
    if _PROKARYOTES & {one, two}:
        return True
    return not _UNCLEAR & {one, two}


def _same(one: str, two: str) -> bool:
    return one.lower() == two.strip().lower()


def _shares_author(one: NamedTaxon, authorship: str) -> int:
    own = one.authorship or (one.taxon.authorship if one.type == ACCEPTED else "")
    return bool(own and authorship) and authorship_of(own).shares_author(authorship_of(authorship))


def _agreement(ranks: Sequence[str], context: Context) -> int:
    """Return how many ranks agree, less those that do not."""
    pairs = [
        (own, context[rank])
        for rank, own in zip(RANK_LABELS, ranks, strict=True)
        if own and context.get(rank)
    ]
    return sum(1 if _same(own, other) else -1 for own, other in pairs)


def _only_best(named: Sequence[NamedTaxon], score: Callable[[NamedTaxon], float]) -> NamedTaxon | None:
    """Return the one with the highest score, None if several have it."""
    scores = [score(one) for one in named]
    best = max(scores)
    return named[scores.index(best)] if scores.count(best) == 1 else None


def _of_one_kingdom(lookup: Lookup, named: list[NamedTaxon], rejected: tuple[LookupTaxon, ...]) -> Choice:
    """Return the choice if nothing given decides: one that contains the others, or the only one that is in use."""
    paths = {one.taxon.tol_id: lookup.ancestors(one.taxon.tol_id) for one in named}
    for one in named:
        if all(one.taxon.tol_id in path for path in paths.values()):
            return Choice((one,), "it contains the other taxa of this name", rejected)
    if len({one.taxon.ranks[0] for one in named}) == 1:
        best = _only_best(named, lambda one: (one.type == ACCEPTED) + (not one.taxon.flags & _DOUBTFUL) / 2)
        if best is not None and best.type == ACCEPTED:
            return Choice((best,), "the only accepted name", rejected)
    return Choice(tuple(named), f"{len(named)} taxa have this name", rejected)

"""Match names to the taxa of a reference taxonomy: exactly, by synonyms, spelling and similarity, or in part."""

from __future__ import annotations

import enum
import itertools
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from rapidfuzz.distance import OSA

from tol_luigi.core.batches import batched
from tol_luigi.core.taxon import RANK_LABELS
from tol_luigi.taxonomy.given_names import GivenName, GivenNames
from tol_luigi.taxonomy.homonyms import Choice, choose, contradiction
from tol_luigi.taxonomy.name_keys import name_key
from tol_luigi.taxonomy.near_names import NearNames
from tol_luigi.taxonomy.products import ACCEPTED
from tol_luigi.taxonomy.ranks import LEVELS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from tol_luigi.taxonomy.lookup import Lookup, LookupTaxon, NamedTaxon
    from tol_luigi.taxonomy.near_names import NearName

__all__ = ["Candidate", "MatchStatus", "Matcher", "NameMatch"]

_CACHED = 1 << 16
_BATCH = 1000
_MOST_CANDIDATES = 10
_TRINOMIAL = 3
_FAMILY = RANK_LABELS.index("family")
_BETWEEN = RANK_LABELS[1 : _FAMILY + 1]


class MatchStatus(enum.StrEnum):
    """How a name was matched."""

    EXACT = "exact"
    """It is the accepted name of a taxon."""
    SYNONYM = "synonym"
    """It is another name of a taxon."""
    CANONICAL = "canonical"
    """It is one of the names of a taxon without authorship, markup, diacritics and markers of ranks."""
    STEM = "stem"
    """It differs from one of the names of a taxon in the endings of epithets only."""
    FUZZY = "fuzzy"
    """It differs from one of the names of a taxon by a few letters."""
    PARTIAL = "partial"
    """Only a taxon above it was found: its species, its genus, or one of the ranks given with it."""
    AMBIGUOUS = "ambiguous"
    """Several taxa can be meant; the taxon is the lowest one that contains them all."""
    UNKNOWN = "unknown"
    """It was not found."""


_COMPLETE = frozenset(
    {MatchStatus.EXACT, MatchStatus.SYNONYM, MatchStatus.CANONICAL, MatchStatus.STEM, MatchStatus.FUZZY}
)


@dataclass(frozen=True)
class Candidate:
    """A taxon that a name can mean: its id and its name, with what distinguishes it from others of this name."""

    tol_id: int
    name: str


@dataclass(frozen=True)
class NameMatch:
    """The taxon that a name was matched to.

    Attributes:
        given: The name as given.
        status: How it was matched.
        tol_id: The taxon, None if there is none.
        name: The accepted name of the taxon.
        rank: Its rank, "" if it has none.
        ranks: Its seven ranks, by label; "" where there is none.
        matched: The name of the taxon that was found: the accepted name, or a synonym.
        score: How much of the name was found, from 0 to 1: 1 without the share of letters that differ or were ignored.
        reason: What decided, or why nothing was found.
        candidates: The taxa that can be meant, if these are several; those that contradict the context; or
            those with similar names, if these are not similar enough.
    """

    given: str
    status: MatchStatus
    tol_id: int | None = None
    name: str = ""
    rank: str = ""
    ranks: Mapping[str, str] = field(default_factory=lambda: dict.fromkeys(RANK_LABELS, ""))
    matched: str = ""
    score: float = 0.0
    reason: str = ""
    candidates: tuple[Candidate, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Whether the taxon is the one that the name means, not one above it."""
        return self.status in _COMPLETE


class Matcher:
    """Matches names.

    Args:
        lookup: The database of a reference taxonomy.
    """

    def __init__(self, lookup: Lookup) -> None:
        self._lookup, self._near, self._given = lookup, NearNames(lookup), GivenNames()
        self._cached = lru_cache(_CACHED)(self._matched)

    def match(self, name: str, context: Mapping[str, str] | None = None) -> NameMatch:
        """Match a name.

        Args:
            name: The name, with or without authorship.
            context: Names that are known to be above the taxon, by rank (``kingdom`` to ``genus``). They decide
                between homonyms; a taxon in another kingdom is never a match. Other keys and empty names are ignored.
        """
        known = context or {}
        return self._cached(
            name, tuple((rank, known[rank].strip()) for rank in RANK_LABELS if known.get(rank))
        )

    def match_all(
        self, names: Iterable[str], contexts: Iterable[Mapping[str, str] | None] | None = None
    ) -> Iterator[NameMatch]:
        """Match many names, each with its context if there are contexts."""
        pairs = zip(names, itertools.repeat(None) if contexts is None else contexts)  # noqa: B905 (one is endless)
        for batch in batched(pairs, _BATCH):
            self._given.prepare(" ".join(name.split()) for name, _ in batch)
            yield from itertools.starmap(self.match, batch)

    def _matched(self, text: str, context: tuple[tuple[str, str], ...]) -> NameMatch:
        return _Match(self._lookup, self._near, self._given, text, dict(context)).result()


class _Match:
    """The match of one name: the steps from exact to partial."""

    def __init__(
        self, lookup: Lookup, near: NearNames, given: GivenNames, text: str, context: Mapping[str, str]
    ) -> None:
        self._lookup, self._near, self._given, self._context = lookup, near, given, context
        self._text = " ".join(text.split())
        self._key = ""
        self._rejected: tuple[LookupTaxon, ...] = ()
        self._objection = ""
        self._similar: tuple[LookupTaxon, ...] = ()

    def result(self) -> NameMatch:
        """Return the match."""
        raw = name_key(self._text)
        if raw and (match := self._decided([raw], raw, "", MatchStatus.CANONICAL)):
            return match
        given = self._given.of(self._text)
        if not given.key:
            return self._unknown("it is no name")
        return self._of_canonical(given, raw) or self._in_part(given) or self._unknown("not found")

    def _of_canonical(self, given: GivenName, raw: str) -> NameMatch | None:
        """Return the match of the canonical form, None if there is no such name and no similar one."""
        key = given.key
        if key != raw and (match := self._decided([key], key, given.authorship, MatchStatus.CANONICAL)):
            return match
        if not given.is_formal:
            return None
        if match := self._decided(self._near.same_stems(key), key, given.authorship, MatchStatus.STEM):
            return match
        return self._of_similar(self._near.in_genus(key), given, lambda _: True) or self._of_similar(
            self._near.in_others(key), given, self._is_plausible_in(key)
        )

    def _of_similar(
        self, near: Iterable[NearName], given: GivenName, is_plausible: Callable[[NamedTaxon], bool]
    ) -> NameMatch | None:
        """Return the match to the nearest of some keys that have a plausible taxon, None if there is none."""
        for _, group in itertools.groupby(near, lambda one: one.edits):
            named = [one for found in group for one in self._lookup.named(found.key)]
            plausible = [one for one in named if is_plausible(one)]
            if match := self._decided_of(plausible, given.key, given.authorship, MatchStatus.FUZZY):
                return match
            self._similar += tuple(one.taxon for one in named if not one.taxon.is_tombstone)
        return None

    def _is_plausible_in(self, key: str) -> Callable[[NamedTaxon], bool]:
        """Return the condition on taxa whose first word is another one.

        If the first word is a genus that is known, the other genus must be in its family: *Chelonia* is not *Cheilosia*. A
        name of one word can be that of many genera, so ranks given with it must agree, unless it is above genera.
        """
        word, _, rest = key.partition(" ")
        if not rest:
            return lambda one: _is_above_genus(one.taxon) or self._agrees(one.taxon)
        genera = [one.taxon for one in self._lookup.named(word) if not one.taxon.is_tombstone]
        families = {taxon.ranks[_FAMILY] for taxon in genera if not contradiction(taxon.ranks, self._context)}
        return lambda one: (
            not families or bool(one.taxon.ranks[_FAMILY] and one.taxon.ranks[_FAMILY] in families)
        )

    def _agrees(self, taxon: LookupTaxon) -> bool:
        """Return whether one of the ranks given, from phylum to family, is that of a taxon."""
        pairs = zip(_BETWEEN, taxon.ranks[1 : _FAMILY + 1], strict=True)
        return any(own and own.lower() == self._context.get(rank, "").lower() for rank, own in pairs)

    def _in_part(self, given: GivenName) -> NameMatch | None:
        """Return the match of the species, the genus, or else of the lowest rank of the context."""
        words = given.key.split(" ")
        if given.is_formal and len(words) == _TRINOMIAL:
            species = _Match(
                self._lookup, self._near, self._given, " ".join(words[:-1]), self._context
            ).result()
            if species.is_complete:
                return self._partial(species, given.key, f"{words[-1]} is unknown in it")
        above = [(given.anchor, "only its first word is known")] if len(words) > 1 and given.anchor else []
        above += [
            (name_key(self._context[rank]), f"only its {rank} is known")
            for rank in reversed(RANK_LABELS[:-1])
            if self._context.get(rank)
        ]
        ambiguous = None
        for key, reason in above:
            match = self._decided([key], key, "", MatchStatus.CANONICAL)
            if match is not None and match.is_complete:
                return self._partial(match, given.key, reason)
            if match is not None and ambiguous is None:
                ambiguous = replace(match, reason=f"{reason}; {match.reason}")
        return ambiguous

    def _decided(
        self, keys: Sequence[str], key: str, authorship: str, status: MatchStatus
    ) -> NameMatch | None:
        """Return the match to one of the taxa that have names with some keys, None if there are none."""
        named = [one for found in keys for one in self._lookup.named(found)]
        return self._decided_of(named, key, authorship, status)

    def _decided_of(
        self, named: Sequence[NamedTaxon], key: str, authorship: str, status: MatchStatus
    ) -> NameMatch | None:
        if not named:
            return None
        choice = choose(self._lookup, named, self._context, authorship, self._text)
        if not choice.found:
            # The first objection is the one to the name itself; later ones are to similar names and to genera.
            self._rejected, self._objection = (
                self._rejected or choice.rejected,
                self._objection or choice.reason,
            )
            return None
        if len(choice.found) > 1:
            return self._ambiguous(choice, key, status)
        return self._single(choice, key, status)

    def _single(self, choice: Choice, key: str, status: MatchStatus) -> NameMatch:
        (found,) = choice.found
        if status is MatchStatus.CANONICAL and found.name.lower() == self._text.lower():
            status = MatchStatus.EXACT if found.type == ACCEPTED else MatchStatus.SYNONYM
        reasons = filter(None, [choice.reason, _synonymy(found)])
        return NameMatch(
            self._text,
            status,
            found.taxon.tol_id,
            found.taxon.name,
            found.taxon.rank,
            _labelled(found.taxon.ranks),
            found.name,
            _similarity(key, name_key(found.name)),
            "; ".join(reasons),
            _candidates(choice.rejected),
        )

    def _ambiguous(self, choice: Choice, key: str, status: MatchStatus) -> NameMatch:
        """Return the lowest taxon that contains all candidates."""
        paths = [self._lookup.ancestors(one.taxon.tol_id) for one in choice.found]
        common = [step[0] for step in zip(*paths, strict=False) if len(set(step)) == 1]
        taxon = self._lookup.taxon(common[-1]) if common else None
        nearest = max(_similarity(key, name_key(one.name)) for one in choice.found)
        return NameMatch(
            self._text,
            MatchStatus.AMBIGUOUS,
            taxon.tol_id if taxon else None,
            taxon.name if taxon else "",
            taxon.rank if taxon else "",
            _labelled(taxon.ranks) if taxon else dict.fromkeys(RANK_LABELS, ""),
            "",
            round(nearest / len(choice.found), 3),
            f"{len(choice.found)} taxa have {'similar names' if status is MatchStatus.FUZZY else 'this name'}",
            _candidates([one.taxon for one in choice.found]),
        )

    def _partial(self, above: NameMatch, key: str, reason: str) -> NameMatch:
        """Return the match to a taxon above the name."""
        if self._objection:
            reason = f"{self._objection}; {reason}"
        return NameMatch(
            self._text,
            MatchStatus.PARTIAL,
            above.tol_id,
            above.name,
            above.rank,
            above.ranks,
            above.matched,
            min(above.score, _similarity(key, name_key(above.matched or above.name))),
            "; ".join(filter(None, [reason, above.reason])),
            above.candidates or _candidates(self._rejected),
        )

    def _unknown(self, reason: str) -> NameMatch:
        if not self._rejected and self._similar:
            reason = "only similar names are known"
        candidates = _candidates(self._rejected or self._similar)
        return NameMatch(
            self._text, MatchStatus.UNKNOWN, reason=self._objection or reason, candidates=candidates
        )


def _labelled(ranks: Sequence[str]) -> dict[str, str]:
    return dict(zip(RANK_LABELS, ranks, strict=True))


def _is_above_genus(taxon: LookupTaxon) -> bool:
    return 0 < LEVELS.get(taxon.rank, 0) < LEVELS["genus"]


def _synonymy(found: NamedTaxon) -> str:
    return "" if found.type == ACCEPTED else f"{found.type} of {found.taxon.name}"


def _candidates(taxa: Sequence[LookupTaxon]) -> tuple[Candidate, ...]:
    return tuple(
        Candidate(taxon.tol_id, taxon.unique_name or taxon.name) for taxon in taxa[:_MOST_CANDIDATES]
    )


def _similarity(key: str, other: str) -> float:
    return round(float(OSA.normalized_similarity(key, other)), 3)

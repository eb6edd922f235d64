"""A taxon of an opened reference taxonomy."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self

from tol_luigi.core.errors import DatasetError
from tol_luigi.core.taxon import RANK_LABELS
from tol_luigi.taxonomy.flags import flags_text
from tol_luigi.taxonomy.lookup import Lookup
from tol_luigi.taxonomy.reasons import Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tol_luigi.taxonomy.lookup import LookupTaxon

__all__ = ["ReferenceTaxon"]


@dataclass(frozen=True)
class ReferenceTaxon:
    """A taxon of a reference taxonomy.

    Attributes:
        id: Its id.
        name: Its scientific name, without authorship.
        authorship: The authorship of the name, "" if it is unknown.
        rank: Its rank, "" if it has none.
        code: The code of nomenclature of the name, "" if it is unknown.
        flags: What else is known of it, such as ``extinct``.
        sources: Its identifiers, the origin first, such as ``ncbi:7460``.
        unique_name: Its name with what distinguishes it from taxa of the same name.
        ranks: The names of its seven ranks, "" where there is none.
    """

    id: int
    name: str
    authorship: str
    rank: str
    code: str
    flags: tuple[str, ...]
    sources: tuple[str, ...]
    unique_name: str
    ranks: Mapping[str, str]
    _lookup: Lookup = field(repr=False, compare=False)
    _parent: int | None = field(repr=False, compare=False)

    @classmethod
    def of(cls, lookup: Lookup, taxon: LookupTaxon) -> Self:
        """Return a taxon of a database."""
        return cls(
            taxon.tol_id,
            taxon.name,
            taxon.authorship,
            taxon.rank,
            taxon.code,
            tuple(filter(None, flags_text(taxon.flags).split(","))),
            tuple(filter(None, taxon.sources.split(","))),
            taxon.unique_name or taxon.name,
            MappingProxyType(dict(zip(RANK_LABELS, taxon.ranks, strict=True))),
            lookup,
            taxon.parent,
        )

    def __reduce__(self) -> tuple[Callable[[Path, int], ReferenceTaxon], tuple[Path, int]]:
        """Pickle the path of the database and the id."""
        return _reopened, (self._lookup.path, self.id)

    @property
    def parent(self) -> ReferenceTaxon | None:
        """The taxon that directly contains it, None for a root."""
        return None if self._parent is None else _required(self._lookup, self._parent)

    @property
    def lineage(self) -> list[ReferenceTaxon]:
        """The taxa that contain it, the root first."""
        return [_required(self._lookup, tol_id) for tol_id in self._lookup.ancestors(self.id)[:-1]]

    @property
    def children(self) -> list[ReferenceTaxon]:
        """The taxa directly in it, in order of their names."""
        return [self.of(self._lookup, child) for child in self._lookup.children(self.id)]

    @property
    def synonyms(self) -> list[dict[str, Any]]:
        """Its other scientific names: ``name``, ``authorship``, ``type`` and the ``source`` that has it."""
        return self._lookup.synonyms(self.id)

    @property
    def vernaculars(self) -> list[dict[str, Any]]:
        """Its vernacular names, the preferred ones of each language first: ``name``, ``language``, ``source``, ``rank``, ``is_preferred``."""
        return self._lookup.vernaculars(self.id)

    @property
    def conflicts(self) -> list[dict[str, Any]]:
        """The conflicts between sources that mention its name; ``docs/taxonomy.md`` describes the columns."""
        return self._lookup.conflicts(self.name)

    @property
    def records(self) -> list[dict[str, Any]]:
        """The records of sources that became this taxon, the one that placed it first.

        Each has ``source``, ``source_id``, ``name``, ``rank``, its ``fate``, and the ``reason`` (the heuristic that decided), with
        its ``score`` and ``witness``.
        """
        order = {identifier: place for place, identifier in enumerate(self.sources)}
        records = self._lookup.records(self.id)
        return sorted(records, key=lambda one: order.get(f"{one['source']}:{one['source_id']}", len(order)))

    @property
    def why(self) -> list[str]:
        """The reasons for its place: for each record, what became of it and what decided, one line each."""
        return [_reason(record) for record in self.records]

    def as_dict(self) -> dict[str, Any]:
        """Return all of it as JSON values."""
        children = self.children
        return {
            "id": self.id,
            "name": self.name,
            "authorship": self.authorship,
            "rank": self.rank,
            "code": self.code,
            "flags": list(self.flags),
            "unique_name": self.unique_name,
            "ranks": dict(self.ranks),
            "lineage": [_brief(taxon) for taxon in self.lineage],
            "children": [_brief(taxon) for taxon in children],
            "sources": list(self.sources),
            "synonyms": self.synonyms,
            "vernaculars": self.vernaculars,
            "records": self.records,
            "conflicts": self.conflicts,
        }


def _brief(taxon: ReferenceTaxon) -> dict[str, Any]:
    return {"id": taxon.id, "name": taxon.name, "rank": taxon.rank}


def _reason(record: Mapping[str, Any]) -> str:
    score = "" if record["score"] is None else f", score {record['score']:+d}"
    witness = f" ({record['witness']})" if record["witness"] else ""
    reason = "no taxon had this name before" if record["reason"] == Reason.NONE else record["reason"]
    decided = f": {reason}{witness}{score}" if reason else ""
    return f"{record['source']}:{record['source_id']} {record['name']} is {record['fate']}{decided}"


def _required(lookup: Lookup, tol_id: int) -> ReferenceTaxon:
    """Return a taxon that another one refers to.

    Raises:
        DatasetError: It is missing, so the database is damaged.
    """
    taxon = lookup.taxon(tol_id)
    if taxon is None:
        raise DatasetError(lookup.path, f"taxon {tol_id} is missing", "Build the reference taxonomy again")
    return ReferenceTaxon.of(lookup, taxon)


def _reopened(path: Path, tol_id: int) -> ReferenceTaxon:
    return _required(Lookup(path), tol_id)

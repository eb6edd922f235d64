"""Names of images by a reference taxonomy."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from tol_luigi.core.taxon import RANK_LABELS, Taxon
from tol_luigi.taxonomy.label_records import Label, label_of, label_records

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from tol_luigi.core.source import NameRecord
    from tol_luigi.taxonomy.products import ReferenceTables
    from tol_luigi.taxonomy.records import Records

__all__ = ["Certainty", "LabelFate", "Naming", "Referenced", "naming_of"]

_ENGLISH = ("en", "eng", "English")
_INFRASPECIFIC = ("subspecies", "variety", "subvariety", "form", "subform")


class Certainty(enum.StrEnum):
    """How the taxon of an image was found."""

    IDENTIFIED = "identified"
    """By the id that its source gives."""
    ALIGNED = "aligned"
    """By its name and the names above it."""
    EXTENDED = "extended"
    """The reference lacks its name, which is kept below the nearest taxon that the reference has."""
    HIGHER = "higher"
    """Its name is no name of a taxon ("Megaselia sp."), so the nearest taxon above it is used."""
    AMBIGUOUS = "ambiguous"
    """Several taxa can be meant, so the nearest taxon above that is certain is used."""
    UNKNOWN = "unknown"
    """The reference has none of its names, which are kept as they are."""


class LabelFate(NamedTuple):
    """What an alignment has found for one taxon of a label.

    Attributes:
        tol_id: The taxon of the reference, None if there is none.
        is_new: Whether it is a name that the reference lacks, so that it can be kept as it is.
        is_informal: Whether it is no name of a taxon.
        name: The name, cleaned.
        reason: The heuristic that decided.
    """

    tol_id: int | None
    is_new: bool
    is_informal: bool
    name: str
    reason: str


@dataclass(frozen=True)
class Referenced:
    """The name of images.

    Attributes:
        taxon: Their taxon.
        common: Their common name, "" if there is none.
        tol_id: The taxon of the reference that they are in, None if there is none.
        certainty: How it was found.
        reason: What decided: the heuristic of the alignment, or the identifier.
        given: The label of the source.
    """

    taxon: Taxon
    common: str
    tol_id: int | None
    certainty: Certainty
    reason: str
    given: str


class Naming:
    """Names the records of one source by a reference taxonomy.

    Args:
        reference: The taxonomy.
        align: Aligns the labels of the source with it; returns the fate of each of their taxa.
        records: All records of the source. They are only read, since a source may have one for each of a million images.
    """

    def __init__(
        self,
        reference: ReferenceTables,
        align: Callable[[Records], Mapping[str, LabelFate]],
        records: Iterable[NameRecord],
    ) -> None:
        wanted = dict.fromkeys((record.identifier, label_of(record)) for record in records)
        self._ids = _identified(reference, {identifier for identifier, _ in wanted if identifier})
        labels = label_records(label for identifier, label in wanted if identifier not in self._ids)
        fates = align(labels.records) if labels.uids else {}
        self._found = {
            label: naming_of(label, [fates[uid] for uid in uids]) for label, uids in labels.uids.items()
        }
        aligned = {found.tol_id for found in self._found.values() if found.tol_id is not None}
        self._rows = _rows(reference, {*self._ids.values(), *aligned})

    def of(self, record: NameRecord) -> Referenced | None:
        """Return the name of a record, None if it has none."""
        label = label_of(record)
        if (identified := self._ids.get(record.identifier)) is not None:
            found = _Found(identified, Certainty.IDENTIFIED, record.identifier, ())
        else:
            found = self._found[label]
        row = self._rows.get(found.tol_id) if found.tol_id is not None else None
        taxon = _taxon(row.ranks if row else {}, found.kept)
        if taxon.is_empty:
            return None
        is_own = found.certainty in {Certainty.IDENTIFIED, Certainty.ALIGNED}
        common = record.common or (row.common if row and is_own else "")
        given = " > ".join(name for _, name in label)
        return Referenced(taxon, common, found.tol_id, found.certainty, found.reason, given)


def _identified(reference: ReferenceTables, wanted: Collection[str]) -> dict[str, int]:
    """Return the taxa of identifiers that the reference knows."""
    if not wanted:
        return {}
    taxa = reference.taxa
    lists = pc.split_pattern(taxa["sources"].combine_chunks(), ",")
    ids = taxa["tol_id"].combine_chunks().take(pc.list_parent_indices(lists))
    identifiers = pc.list_flatten(lists)
    mask = pc.is_in(identifiers, value_set=pa.array(sorted(wanted), pa.string()))
    found: dict[str, int] = {}
    for identifier, tol_id in zip(
        identifiers.filter(mask).to_pylist(), ids.filter(mask).to_pylist(), strict=True
    ):
        found.setdefault(identifier, tol_id)
    return found


def _rows(reference: ReferenceTables, wanted: Collection[int]) -> dict[int, _Row]:
    """Return seven ranks and common name of taxa."""
    taxa = reference.taxa
    chosen = taxa.filter(pc.is_in(taxa["tol_id"], value_set=pa.array(sorted(wanted), pa.int64())))
    found = chosen.select(["tol_id", "parent", "rank", *RANK_LABELS]).to_pylist()
    above = {row["tol_id"]: row["parent"] for row in found if row["rank"] in _INFRASPECIFIC}
    english = _english(reference, {*wanted, *(parent for parent in above.values() if parent is not None)})
    return {
        row["tol_id"]: _Row(
            {label: row[label] for label in RANK_LABELS},
            english.get(row["tol_id"]) or english.get(above.get(row["tol_id"], -1), ""),
        )
        for row in found
    }


def _english(reference: ReferenceTables, wanted: Collection[int]) -> dict[int, str]:
    """Return one English name of each taxon: the first that its source prefers, or else the first."""
    names = reference.vernaculars
    is_wanted = pc.is_in(names["tol_id"], value_set=pa.array(sorted(wanted), pa.int64()))
    is_english = pc.is_in(names["language"], value_set=pa.array(_ENGLISH))
    found: dict[int, tuple[bool, str]] = {}
    for row in names.filter(pc.and_(is_wanted, is_english)).to_pylist():
        known = found.get(row["tol_id"])
        if known is None or (row["is_preferred"] and not known[0]):
            found[row["tol_id"]] = row["is_preferred"], row["name"]
    return {tol_id: name for tol_id, (_, name) in found.items()}


class _Row(NamedTuple):
    """A taxon of the reference: its seven ranks by label, and its English name."""

    ranks: Mapping[str, str]
    common: str


class _Found(NamedTuple):
    """What was found for a label; ``kept`` are the ranks and names below the taxon that are kept as given."""

    tol_id: int | None
    certainty: Certainty
    reason: str
    kept: tuple[tuple[str, str], ...]


def naming_of(label: Label, fates: Sequence[LabelFate]) -> _Found:
    """Return what the fates of the taxa of a label, highest first, mean for its images.

    The lowest taxon that is aligned counts. Names below it that the reference lacks are kept, down to the first one that
    is ambiguous or no name of a taxon.
    """
    lowest = max((place for place, fate in enumerate(fates) if fate.tol_id is not None), default=-1)
    tol_id = fates[lowest].tol_id if lowest >= 0 else None
    below = fates[lowest + 1 :]
    kept = []
    certainty = Certainty.ALIGNED if lowest >= 0 else Certainty.UNKNOWN
    reason = fates[lowest].reason if lowest >= 0 else ""
    for (rank, _), fate in zip(label[lowest + 1 :], below, strict=True):
        if fate.is_informal or not fate.is_new:
            certainty = Certainty.HIGHER if fate.is_informal else Certainty.AMBIGUOUS
            reason = fate.reason
            break
        if rank:
            kept.append((rank, fate.name))
        if lowest >= 0:
            certainty = Certainty.EXTENDED
        reason = fate.reason
    return _Found(tol_id, certainty, reason, tuple(kept))


def _taxon(ranks: Mapping[str, str], kept: Iterable[tuple[str, str]]) -> Taxon:
    """Return the taxon of the ranks of a reference and of further ranks below them."""
    every = {**dict.fromkeys(RANK_LABELS, ""), **ranks, **dict(kept)}
    kingdom, phylum, cls, order, family, genus, species = (every[label].lower() for label in RANK_LABELS)
    words = species.split()
    if len(words) > 1:
        genus, species = genus or words[0], " ".join(words[1:])
    return Taxon(kingdom, phylum, cls, order, family, genus, species)

"""What each source has contributed to a union: identifiers, names, vernacular names, and the fate of every record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tol_luigi.taxonomy import products
from tol_luigi.taxonomy.decision import NUMBERS, Alignment
from tol_luigi.taxonomy.forest import RANKS, Synonyms
from tol_luigi.taxonomy.merge import FATES
from tol_luigi.taxonomy.products import Fate
from tol_luigi.taxonomy.reasons import REASONS, Reason
from tol_luigi.taxonomy.records import Repair
from tol_luigi.taxonomy.removed_records import KEPT, removed_records
from tol_luigi.taxonomy.source_ids import Identifiers, SourceIds, identifiers, split_curies
from tol_luigi.taxonomy.tree import NONE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from tol_luigi.taxonomy.forest import Column, Forest
    from tol_luigi.taxonomy.merge import Merged
    from tol_luigi.taxonomy.name_table import NameTable
    from tol_luigi.taxonomy.records import Records

__all__ = ["SYNONYMS", "VERNACULARS", "XREF", "Outcome", "Provenance"]

_TAXON = pa.field("taxon", pa.int32())


def _with_rows(schema: pa.Schema) -> pa.Schema:
    """Return a schema with the row of a taxon in the union instead of its id."""
    return pa.schema([_TAXON if field.name == "tol_id" else field for field in schema])


XREF = _with_rows(products.XREF)

VERNACULARS = _with_rows(products.VERNACULARS)

SYNONYMS = _with_rows(products.NAMES)

_FOLDED = {Repair.REPEATED_RECORD: Reason.REPEATED_RECORD, Repair.REPEATED_SIBLING: Reason.REPEATED_SIBLING}

_NOT_COMPARED = (Reason.NONE, Reason.INFORMAL, Reason.CONTAINER, Reason.NOT_USED, *_FOLDED.values())
"""Reasons of records that had no candidates, and so have no score."""

_FORWARDS = pa.schema([(name, pa.string()) for name in ("source", "source_id", "replacement")])


@dataclass(frozen=True)
class _Fates:
    """The fates of the records of a source, as columns."""

    prefix: str
    uid: pa.Array
    name: Column
    rank: NDArray[np.int16]
    taxon: Column
    fate: NDArray[np.int8]
    alignment: Alignment


@dataclass(frozen=True)
class Outcome:
    """What became of the records of a source.

    Attributes:
        alignment: Their alignment with the union.
        merged: The union after the merge.
        again: Which records were added before, and so have a fate already.
    """

    alignment: Alignment
    merged: Merged
    again: NDArray[np.bool_]


class Provenance:
    """The contributions of all sources that were added to a union."""

    def __init__(self, names: NameTable) -> None:
        self._names = names
        self.ids = SourceIds()
        """The identifiers of all taxa."""
        self._curies: list[tuple[Column, str, pa.Array]] = []
        self._fates: list[_Fates] = []
        self._synonym_source: Column = np.zeros(0, dtype=np.int32)
        self._vernaculars: list[pa.Table] = []
        self._forwards: list[pa.Table] = []

    def add_separation(self, separation: Forest) -> None:
        """Add the separation list, whose taxa have identifiers, which are not listed, and no records."""
        for each in identifiers(separation):
            self.ids.add(each)
        source = self._names.intern(pa.array([separation.prefix]))[0]
        self._synonym_source = np.full(len(separation.synonyms.row), source, dtype=np.int32)

    def added_before(self, source: Forest) -> NDArray[np.bool_]:
        """Return which records were added before, from a source with the same prefix."""
        found = np.zeros(len(source), dtype=bool)
        for fates in self._fates:
            if fates.prefix == source.prefix:
                found |= pc.is_in(source.uid, value_set=fates.uid).to_numpy(zero_copy_only=False)
        return found

    def taxon_of(self, identifier: str) -> int:
        """Return the taxon of a record, ``NONE`` if it has none."""
        prefix, _, uid = identifier.partition(":")
        for fates in self._fates:
            if fates.prefix == prefix and (place := pc.index(fates.uid, uid).as_py()) >= 0:
                return int(fates.taxon[place])
        return NONE

    def dropped_before(self, source: Forest) -> Alignment:
        """Return the outcomes of the records that were dropped when they were added before."""
        found = Alignment.nothing(len(source))
        for fates in self._fates:
            if fates.prefix == source.prefix:
                rows = np.flatnonzero(fates.fate == FATES.index(Fate.DROPPED))
                places = pc.index_in(source.uid, value_set=fates.uid.take(pa.array(rows)))
                places = places.fill_null(NONE).to_numpy()
                hit = places >= 0
                found.score[hit] = fates.alignment.score[rows[places[hit]]]
                found.reason[hit] = NUMBERS[Reason.KNOWN]
        return found

    def add(self, records: Records, source: Forest, union: Forest, outcome: Outcome) -> Synonyms:
        """Add a source, and return the synonyms of the union with those of the source.

        Args:
            records: The source.
            source: The source.
            union: The union after the merge, with the synonyms that it had before.
            outcome: What became of the records.
        """
        image, again = outcome.merged.image, outcome.again
        self._add_identifiers(source, image, len(union) - len(outcome.merged.origin), again)
        merged, new = outcome.merged, np.flatnonzero(~again).astype(np.int32)
        self._fates.append(_fates(source, merged.image, merged.fate, outcome.alignment, new))
        self._add_removed(records, source, image, again)
        self._add_vernaculars(records, source, image, again)
        forwards = records.forwards.rename_columns(["source_id", "replacement"])
        forwards = forwards.sort_by([("source_id", "ascending"), ("replacement", "ascending")])
        self._forwards.append(forwards.add_column(0, "source", _repeated(source.prefix, len(forwards))))
        return self._add_synonyms(source, union, image)

    def leave_out(self, records: Records, source: Forest) -> None:
        """Add a part of a source that is not used."""
        count = len(source)
        image, again = np.full(count, NONE, dtype=np.int32), np.zeros(count, dtype=bool)
        found = Alignment.nothing(count)
        found.reason[:] = NUMBERS[Reason.NOT_USED]
        fate = np.full(count, FATES.index(Fate.EXCLUDED), dtype=np.int8)
        self._fates.append(_fates(source, image, fate, found, np.arange(count, dtype=np.int32)))
        self._add_removed(records, source, image, again)

    def _add_removed(self, records: Records, source: Forest, image: Column, again: NDArray[np.bool_]) -> None:
        """Add the records that the normalisation has folded into others."""
        removed = removed_records(records.repairs)
        rows = pc.index_in(removed[KEPT], value_set=source.uid).fill_null(NONE).to_numpy()
        chosen = np.flatnonzero((rows >= 0) & ~np.append(again, True)[rows])
        if not len(chosen):
            return
        removed, rows = removed.take(pa.array(chosen)), rows[chosen]
        found = Alignment.nothing(len(rows))
        reasons = [NUMBERS[_FOLDED[Repair(repair)]] for repair in removed["repair"].to_pylist()]
        found.reason[:] = reasons
        found.witness[:] = source.name[rows]
        self._fates.append(
            _Fates(
                source.prefix,
                removed["uid"].combine_chunks(),
                self._names.intern(removed["before"]),
                source.rank[rows],
                image[rows],
                np.full(len(rows), FATES.index(Fate.FOLDED), dtype=np.int8),
                found,
            )
        )

    def _add_identifiers(self, source: Forest, image: Column, old: int, again: NDArray[np.bool_]) -> None:
        usable = (image >= 0) & ~again
        for each in identifiers(source):
            chosen = usable[each.row]
            taxa = image[each.row[chosen]]
            origin = each.is_origin[chosen] & (taxa >= old)
            self.ids.add(Identifiers(each.prefix, each.ids.filter(pa.array(chosen)), taxa, origin))
        rows = np.flatnonzero(usable)
        uid, sources = (column.take(pa.array(rows)) for column in (source.uid, source.sources))
        if not pc.any(pc.not_equal(sources, "")).as_py():
            self._curies.append((image[rows], f"{source.prefix}:", uid))
        else:
            places, curies = split_curies(source.prefix, uid, sources)
            self._curies.append((image[rows[places]], "", curies))

    def _add_vernaculars(
        self, records: Records, source: Forest, image: Column, again: NDArray[np.bool_]
    ) -> None:
        table = records.vernaculars
        rows = pc.index_in(table["uid"], value_set=source.uid).fill_null(NONE).to_numpy()
        taxa = np.where((rows >= 0) & ~np.append(again, True)[rows], np.append(image, NONE)[rows], NONE)
        kept = np.flatnonzero(taxa >= 0)
        table = table.take(pa.array(kept))
        ranks = pa.array(RANKS).take(pa.array(np.append(source.rank, 0)[rows[kept]] // 10))
        columns = {
            "taxon": pa.array(taxa[kept], pa.int32()),
            "name": table["name"],
            "language": table["language"],
            "source": _repeated(source.prefix, len(kept)),
            "rank": ranks,
            "is_preferred": table["is_preferred"],
        }
        sorting = [(key, "ascending") for key in ("taxon", "language", "name", "rank", "is_preferred")]
        self._vernaculars.append(pa.table(columns, schema=VERNACULARS).sort_by(sorting))

    def _add_synonyms(self, source: Forest, union: Forest, image: Column) -> Synonyms:
        own = union.synonyms
        kind = self._names.intern(pa.array(["synonym"]))[0]
        prefix = self._names.intern(pa.array([source.prefix]))[0]
        count = len(source)
        row = np.concatenate([own.row, image, image[source.synonyms.row]])
        name = np.concatenate([own.name, source.name, source.synonyms.name])
        by = np.concatenate([own.authorship, source.authorship, source.synonyms.authorship])
        kinds = np.concatenate([own.kind, np.full(count, kind, dtype=np.int32), source.synonyms.kind])
        added = len(row) - len(own.row)
        origin = np.append(self._synonym_source, np.full(added, prefix, dtype=np.int32))
        chosen = np.flatnonzero((row >= 0) & (name != np.append(union.name, NONE)[row]))
        keys = row[chosen].astype(np.int64) << 32 | name[chosen]
        chosen = chosen[np.sort(np.unique(keys, return_index=True)[1])]
        self._synonym_source = origin[chosen]
        return Synonyms(row[chosen], name[chosen], by[chosen], kinds[chosen])

    def sources(self, count: int) -> pa.Array:
        """Return the identifiers of all taxa, as lists."""
        taxa = np.concatenate([np.zeros(0, dtype=np.int32), *(rows for rows, _, _ in self._curies)])
        parts = [pc.binary_join_element_wise(prefix, ids, "") for _, prefix, ids in self._curies]
        order = np.argsort(taxa, kind="stable")
        curies = pa.concat_arrays([pa.array([], pa.string()), *parts]).take(pa.array(order))
        taxa = taxa[order]
        kept = _first_of_each(taxa, curies)
        offsets = np.append(0, np.cumsum(np.bincount(taxa[kept], minlength=count))).astype(np.int32)
        return pa.ListArray.from_arrays(pa.array(offsets), curies.filter(pa.array(kept)))

    def synonyms(self, synonyms: Synonyms) -> pa.Table:
        """Return the synonyms of a union as a table, by taxon."""
        order = np.argsort(synonyms.row, kind="stable")
        texts = (synonyms.name, synonyms.authorship, synonyms.kind, self._synonym_source)
        columns = [self._names.texts(numbers[order]) for numbers in texts]
        return pa.table([pa.array(synonyms.row[order]), *columns], schema=SYNONYMS)

    def xref(self) -> Iterator[pa.Table]:
        """Yield the fates of the records of each source."""
        reasons, fates = pa.array([str(each) for each in REASONS]), pa.array([str(each) for each in FATES])
        for each in self._fates:
            found = each.alignment
            no_score = np.isin(found.reason, [NUMBERS[reason] for reason in _NOT_COMPARED])
            columns = {
                "source": _repeated(each.prefix, len(each.uid)),
                "source_id": each.uid,
                "name": self._names.texts(each.name),
                "rank": pa.array(RANKS).take(pa.array(each.rank // 10)),
                "taxon": pa.array(each.taxon, mask=each.taxon < 0),
                "fate": fates.take(pa.array(each.fate)),
                "reason": reasons.take(pa.array(found.reason)),
                "score": pa.array(found.score, mask=no_score),
                "witness": self._names.texts(found.witness),
            }
            yield pa.table(columns, schema=XREF)

    def vernaculars(self) -> pa.Table:
        """Return the vernacular names of all taxa."""
        return pa.concat_tables([VERNACULARS.empty_table(), *self._vernaculars])

    def forwards(self) -> pa.Table:
        """Return the identifiers that sources have given up."""
        tables = [table.cast(_FORWARDS) for table in self._forwards]
        return pa.concat_tables([_FORWARDS.empty_table(), *tables])


def _first_of_each(taxa: Column, curies: pa.Array) -> NDArray[np.bool_]:
    """Return which identifiers a taxon has not had before; taxa are in order."""
    kept = np.ones(len(taxa), dtype=bool)
    follows = np.append(False, taxa[1:] == taxa[:-1])
    several = np.flatnonzero(follows | np.append(follows[1:], False))  # all others have one identifier
    numbers = curies.take(pa.array(several)).dictionary_encode().indices.to_numpy(zero_copy_only=False)
    kept[several] = False
    keys = taxa[several].astype(np.int64) << 32 | numbers
    kept[several[np.unique(keys, return_index=True)[1]]] = True
    return kept


def _repeated(text: str, count: int) -> pa.Array:
    return pa.repeat(pa.scalar(text), count)


def _fates(source: Forest, image: Column, fate: NDArray[np.int8], found: Alignment, rows: Column) -> _Fates:
    """Return the fates of some records."""
    return _Fates(
        source.prefix,
        source.uid.take(pa.array(rows)),
        source.name[rows],
        source.rank[rows],
        image[rows],
        fate[rows],
        Alignment(found.target[rows], found.score[rows], found.reason[rows], found.witness[rows]),
    )

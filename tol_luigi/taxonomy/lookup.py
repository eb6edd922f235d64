"""Read ``lookup.sqlite``: taxa, names, words and records."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from tol_luigi.core.errors import DatasetError
from tol_luigi.store.databases import read_only
from tol_luigi.taxonomy.flags import TOMBSTONES
from tol_luigi.taxonomy.lookup_models import FORMAT
from tol_luigi.taxonomy.products import ACCEPTED

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

__all__ = ["Lookup", "LookupTaxon", "NamedTaxon"]

_REMEDY = "Build the reference taxonomy again"

_COLUMNS = """t.tol_id, t.parent, t.name, t.authorship, t.rank, t.code, t.flags, t.sources, t.unique_name,
    l.kingdom, l.phylum, l.class, l."order", l.family, l.genus, coalesce(t.species, t.name)"""
_FROM = "taxon t JOIN lineage l ON l.id = t.lineage"
_NAMED = f"""SELECT coalesce(n.name, t.name), coalesce(n.type, '{ACCEPTED}'), n.authorship, {_COLUMNS}
    FROM name n JOIN taxon t ON t.tol_id = n.tol_id JOIN lineage l ON l.id = t.lineage
    WHERE n.key = ? ORDER BY n.tol_id, n.type IS NOT NULL, n.number"""  # noqa: S608 (constants)
_ANCESTORS = """WITH RECURSIVE above(tol_id, parent, depth) AS (
    SELECT tol_id, parent, 0 FROM taxon WHERE tol_id = ?
    UNION ALL SELECT t.tol_id, t.parent, depth + 1 FROM taxon t JOIN above ON t.tol_id = above.parent)
    SELECT tol_id FROM above ORDER BY depth DESC"""

_CACHED = 1 << 16
_AFTER_SPACE = "!"
"""The character that follows the space."""


class LookupTaxon(NamedTuple):
    """A taxon; ``ranks`` are the names of the seven ranks, "" where there is none."""

    tol_id: int
    parent: int | None
    name: str
    authorship: str
    rank: str
    code: str
    flags: int
    sources: str
    unique_name: str
    ranks: tuple[str, ...]

    @property
    def is_tombstone(self) -> bool:
        """Whether it is kept only to explain what became of a record."""
        return bool(self.flags & TOMBSTONES)


class NamedTaxon(NamedTuple):
    """A taxon that has a name: its accepted name, or a synonym."""

    name: str
    type: str
    authorship: str
    taxon: LookupTaxon


def _taxon(row: Sequence[Any]) -> LookupTaxon:
    return LookupTaxon._make((*row[:9], tuple(row[9:])))


@dataclass(frozen=True)
class Lookup:
    """A database of a reference taxonomy; any number of threads can read it.

    Attributes:
        path: The database.
    """

    path: Path

    @cached_property
    def _database(self) -> sqlite3.Connection:
        """The open database.

        Raises:
            DatasetError: It is missing, damaged, or has another format.
        """
        if not self.path.is_file():
            raise DatasetError(self.path, "the file is missing", _REMEDY)
        try:
            # SQLite serialises the calls of threads, and nothing writes.
            database = sqlite3.connect(read_only(self.path), uri=True, check_same_thread=False)
            found = database.execute("SELECT value FROM about WHERE key = 'format'").fetchone()
        except sqlite3.Error as error:
            what = f"cannot be read as the database of a reference taxonomy ({error})"
            raise DatasetError(self.path, what, _REMEDY) from error
        if found != (str(FORMAT),):
            what = f"has format {found[0] if found else 'none'}, and this version of tol_luigi reads {FORMAT}"
            raise DatasetError(self.path, what, _REMEDY)
        return database

    def _rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        return self._fetched(sql, values)[1]

    def _dicts(self, sql: str, *values: object) -> list[dict[str, Any]]:
        names, rows = self._fetched(sql, values)
        return [dict(zip(names, row, strict=True)) for row in rows]

    def _fetched(self, sql: str, values: tuple[object, ...]) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Return the names of the columns of a query, and its rows.

        Raises:
            DatasetError: The database is damaged.
        """
        try:
            cursor = self._database.execute(sql, values)
            return [column[0] for column in cursor.description], cursor.fetchall()
        except sqlite3.Error as error:
            raise DatasetError(self.path, f"is damaged ({error})", _REMEDY) from error

    @cached_property
    def about(self) -> dict[str, Any]:
        """What is known of the taxonomy as a whole."""
        return {key: json.loads(value) for key, value in self._rows("SELECT key, value FROM about")}

    def __len__(self) -> int:
        """Count the taxa, tombstones too."""
        count: int = self._rows("SELECT count(*) FROM taxon")[0][0]
        return count

    def taxon(self, tol_id: int) -> LookupTaxon | None:
        """Return a taxon, None if there is none with this id."""
        rows = self._rows(f"SELECT {_COLUMNS} FROM {_FROM} WHERE t.tol_id = ?", tol_id)  # noqa: S608 (constants)
        return _taxon(rows[0]) if rows else None

    def named(self, key: str) -> list[NamedTaxon]:
        """Return the taxa that have a name with this key, once for each of these names, in order of their ids."""
        return [NamedTaxon._make((*row[:3], _taxon(row[3:]))) for row in self._rows(_NAMED, key)]

    def vernacular(self, key: str) -> list[LookupTaxon]:
        """Return the taxa that have a vernacular name with this key, in order of their ids."""
        sql = f"""SELECT {_COLUMNS} FROM {_FROM} WHERE t.tol_id IN
            (SELECT tol_id FROM vernacular WHERE key = ?) ORDER BY t.tol_id"""  # noqa: S608 (constants)
        return [_taxon(row) for row in self._rows(sql, key)]

    def identified(self, source: str, source_id: str) -> list[int]:
        """Return the ids of the taxa with an identifier of a source."""
        sql = """SELECT tol_id FROM record WHERE source = ? AND source_id = ? AND tol_id IS NOT NULL
            UNION SELECT tol_id FROM identifier WHERE identifier = ? ORDER BY 1"""
        return [tol_id for (tol_id,) in self._rows(sql, source, source_id, f"{source}:{source_id}")]

    def replacement(self, tol_id: int) -> int | None:
        """Return the id that has replaced an id of an earlier release, None if none has."""
        rows = self._rows("SELECT replacement FROM forward WHERE id = ?", tol_id)
        return rows[0][0] if rows else None

    def deprecated(self, tol_id: int) -> dict[str, Any] | None:
        """Return why an id of the earlier release is no longer used, None if it is, or was never."""
        rows = self._rows("SELECT row FROM deprecated WHERE id = ?", tol_id)
        return json.loads(rows[0][0]) if rows else None

    def ancestors(self, tol_id: int) -> tuple[int, ...]:
        """Return the ids from the root to a taxon, the taxon included."""
        return tuple(row[0] for row in self._rows(_ANCESTORS, tol_id))

    def children(self, tol_id: int) -> list[LookupTaxon]:
        """Return the children of a taxon in order of their names."""
        sql = f"SELECT {_COLUMNS} FROM {_FROM} WHERE t.parent = ? ORDER BY t.name, t.tol_id"  # noqa: S608 (constants)
        return [_taxon(row) for row in self._rows(sql, tol_id)]

    def synonyms(self, tol_id: int) -> list[dict[str, Any]]:
        """Return the names of a taxon besides its accepted name: name, authorship, type and source."""
        sql = """SELECT name, authorship, type, source FROM name WHERE tol_id = ? AND type IS NOT NULL
            ORDER BY name, number"""
        return self._dicts(sql, tol_id)

    def vernaculars(self, tol_id: int) -> list[dict[str, Any]]:
        """Return the vernacular names of a taxon, the preferred ones of each language first."""
        sql = "SELECT name, language, source, rank, is_preferred FROM vernacular WHERE tol_id = ? ORDER BY number"
        return [{**row, "is_preferred": bool(row["is_preferred"])} for row in self._dicts(sql, tol_id)]

    def records(self, tol_id: int) -> list[dict[str, Any]]:
        """Return the records of sources that have become a taxon or are part of it, each with its fate."""
        sql = """SELECT r.source, r.source_id, coalesce(r.name, t.name) AS name, coalesce(r.rank, t.rank) AS rank,
            r.fate, r.reason, r.score, r.witness FROM record r JOIN taxon t ON t.tol_id = r.tol_id
            WHERE r.tol_id = ? ORDER BY r.number"""
        return self._dicts(sql, tol_id)

    def conflicts(self, name: str) -> list[dict[str, Any]]:
        """Return the conflicts that mention a name."""
        sql = "SELECT row FROM mention JOIN conflict ON id = conflict WHERE text = ? ORDER BY id"
        return [json.loads(row) for (row,) in self._rows(sql, name)]

    def words(self) -> Iterator[str]:
        """Yield the first words of all names, sorted."""
        return (word for (word,) in self._rows("SELECT word FROM word"))

    @cached_property
    def epithets(self) -> Any:  # noqa: ANN401 (a cached function)
        """A function that returns the rest of all keys that start with a word, sorted."""
        return lru_cache(_CACHED)(self._epithets)

    def _epithets(self, word: str) -> tuple[str, ...]:
        sql = "SELECT DISTINCT substr(key, ?) FROM name WHERE key > ? AND key < ? ORDER BY key"
        rows = self._rows(sql, len(word) + 2, f"{word} ", f"{word}{_AFTER_SPACE}")
        return tuple(rest for (rest,) in rows)

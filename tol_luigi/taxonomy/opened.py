"""Open a reference taxonomy from Python, without Luigi and settings. Nothing is written."""

from __future__ import annotations

import functools
import glob
import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from tol_luigi.core.errors import DatasetError, UnknownTaxonError
from tol_luigi.taxonomy.lookup import Lookup
from tol_luigi.taxonomy.lookup_store import LOOKUP
from tol_luigi.taxonomy.matching import Matcher
from tol_luigi.taxonomy.name_keys import name_key
from tol_luigi.taxonomy.reference_taxon import ReferenceTaxon

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    import pyarrow as pa

    from tol_luigi.taxonomy.lookup import LookupTaxon
    from tol_luigi.taxonomy.matching import NameMatch

__all__ = ["Taxonomy", "open_taxonomy"]

_TABLES = ("taxa", "names", "xref", "vernaculars", "conflicts", "forwards", "deprecated")
_FOLDER = "taxonomy"
_REMEDY = "Use the folder of a reference taxonomy, <root>/<tag>/taxonomy"


class Taxonomy:
    """A reference taxonomy.

    Create it with :meth:`open`, or with ``tol_luigi.taxonomy.open``. It can be pickled, and many threads may use it.

    >>> taxonomy = Taxonomy.open("taxonomy")
    >>> bee = taxonomy["Apis mellifera"]
    >>> bee.rank, bee.ranks["family"]
    ('species', 'Apidae')

    Attributes:
        path: The database.
        lookup: Its queries.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lookup = Lookup(path)
        self._matcher = Matcher(self.lookup)

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Open a reference taxonomy.

        Args:
            path: Its folder, its ``lookup.sqlite``, or the folder of a dataset that has one.

        Raises:
            DatasetError: There is none, or it is damaged.
        """
        given = Path(path).absolute()
        places = [given / LOOKUP, given / _FOLDER / LOOKUP] if given.is_dir() else [given]
        found = next((place for place in places if place.is_file()), None)
        if found is None:
            raise DatasetError(given, f"is not a reference taxonomy ({LOOKUP} is missing)", _REMEDY)
        taxonomy = cls(found)
        _ = taxonomy.about
        return taxonomy

    def __repr__(self) -> str:
        """Return an expression with the path."""
        return f"Taxonomy.open({str(self.path)!r})"

    def __reduce__(self) -> tuple[Callable[[Path], Taxonomy], tuple[Path]]:
        """Pickle only the path; unpickling opens the taxonomy again."""
        return type(self).open, (self.path,)

    @property
    def about(self) -> dict[str, Any]:
        """What the taxonomy says of itself."""
        return self.lookup.about

    def __len__(self) -> int:
        """Count the taxa, also those that are kept only to explain what became of a record."""
        return len(self.lookup)

    def __contains__(self, key: object) -> bool:
        """Return whether an id, an identifier or a name is known."""
        return isinstance(key, (str, int)) and bool(self.find(key))

    def __getitem__(self, key: str | int) -> ReferenceTaxon:
        """Return the taxon of an id, an identifier or a scientific name.

        Args:
            key: An id, an identifier such as ``ncbi:7460``, or a name, accepted or not.

        Raises:
            UnknownTaxonError: There is no such taxon, or several have the name.

        >>> taxonomy["Apis mellifica"].name
        'Apis mellifera'
        """
        found = self._found(key)
        if not found and isinstance(key, str):
            match = self.match(key)
            if match.is_complete and match.tol_id is not None and match.status != "fuzzy":
                return self.taxon(match.tol_id)
        taxa = [taxon for taxon in found if not taxon.is_tombstone] or found
        if len(taxa) == 1:
            return ReferenceTaxon.of(self.lookup, taxa[0])
        raise self._unknown(key, [ReferenceTaxon.of(self.lookup, taxon) for taxon in taxa])

    def taxon(self, tol_id: int) -> ReferenceTaxon:
        """Return the taxon of an id; an id of an earlier release leads to the one that has replaced it.

        Raises:
            UnknownTaxonError: There is no such taxon.
        """
        return self[int(tol_id)]

    def find(self, key: str | int) -> list[ReferenceTaxon]:
        """Return all taxa with an id, an identifier, a scientific or a vernacular name.

        >>> [taxon.unique_name for taxon in taxonomy.find("Ficus variegata")]
        ['Ficus variegata (species in Animalia)', 'Ficus variegata (species in Plantae)']
        """
        found = self._found(key)
        if not found and isinstance(key, str):
            found = self.lookup.vernacular(name_key(key))
        return [ReferenceTaxon.of(self.lookup, taxon) for taxon in found]

    def _found(self, key: str | int) -> list[LookupTaxon]:
        if isinstance(key, int) or key.strip().isdecimal():
            ids = [int(key)]
            forward = self.lookup.replacement(int(key))
            ids = [forward] if forward is not None else ids
        elif ":" in key and " " not in key.strip():
            source, _, source_id = key.strip().partition(":")
            ids = self.lookup.identified(source, source_id)
        else:
            return list({one.taxon.tol_id: one.taxon for one in self.lookup.named(name_key(key))}.values())
        return [taxon for tol_id in ids if (taxon := self.lookup.taxon(tol_id)) is not None]

    def _unknown(self, key: str | int, taxa: Sequence[ReferenceTaxon]) -> UnknownTaxonError:
        where = f"{self.path}: {key}"
        if taxa:
            names = ", ".join(f"{taxon.unique_name} ({taxon.id})" for taxon in taxa[:5])
            return UnknownTaxonError(where, f"{len(taxa)} taxa have this name: {names}", "Use the id of one")
        gone = self.lookup.deprecated(int(key)) if str(key).isdecimal() else None
        if gone is not None:
            what = f"no taxon has this id any more ({gone['name']}: {gone['reason']})"
            return UnknownTaxonError(where, what, "Look for its name")
        remedy = "Use match() or `tol taxon`, which find names that are spelt in another way"
        return UnknownTaxonError(where, "no taxon has this name or id", remedy)

    def match(self, name: str, context: Mapping[str, str] | None = None) -> NameMatch:
        """Match a name to a taxon: exactly, by synonyms, by its canonical form, by similarity, or in part.

        Args:
            name: The name, with or without authorship.
            context: Names that are known to be above the taxon, by rank (``kingdom`` to ``genus``). They decide
                between homonyms; a taxon in another kingdom is never a match.

        >>> match = taxonomy.match("Apis melifera L.")
        >>> match.status, match.name, match.score
        (<MatchStatus.FUZZY: 'fuzzy'>, 'Apis mellifera', 0.929)
        >>> taxonomy.match("Ficus variegata", {"kingdom": "Plantae"}).ranks["family"]
        'Moraceae'
        """
        return self._matcher.match(name, context)

    def match_all(
        self, names: Iterable[str], contexts: Iterable[Mapping[str, str] | None] | None = None
    ) -> Iterator[NameMatch]:
        """Match many names, each with its context if there are contexts.

        >>> [match.status.value for match in taxonomy.match_all(["Quercus alba", "Quercus nova"])]
        ['exact', 'partial']
        """
        return self._matcher.match_all(names, contexts)

    def to_arrow(self, table: str, columns: Sequence[str] | None = None) -> pa.Table:
        """Read a table of the taxonomy into an Arrow table.

        Args:
            table: ``taxa``, ``names``, ``xref``, ``vernaculars``, ``conflicts``, ``forwards`` or ``deprecated``.
            columns: The columns to read, or None for all.

        Raises:
            DatasetError: There is no such table or column, or the file is missing or damaged.

        >>> taxonomy.to_arrow("taxa", ["name", "rank"]).num_columns
        2
        """
        import pyarrow as pa  # noqa: PLC0415 (looking up a name needs no Arrow)
        import pyarrow.parquet as pq  # noqa: PLC0415

        path = self._table(table)
        try:
            file = pq.ParquetFile(path)
            unknown = [name for name in columns or () if name not in file.schema_arrow.names]
            if not unknown:
                return file.read(columns)
        except (OSError, ValueError, pa.ArrowException) as error:
            raise DatasetError(path, f"cannot be read ({error})", "Build the taxonomy again") from error
        remedy = f"Use columns of the table: {', '.join(file.schema_arrow.names)}"
        raise DatasetError(path, f"unknown column ({', '.join(unknown)})", remedy)

    def to_duckdb(self, table: str, connection: Any = None) -> Any:  # noqa: ANN401 (DuckDB is optional)
        """Return a table of the taxonomy as a DuckDB relation, which reads the file when rows are requested.

        Args:
            table: See :meth:`to_arrow`.
            connection: The DuckDB connection; a new one by default.

        Raises:
            DatasetError: DuckDB is not installed, or there is no such table.

        >>> taxonomy.to_duckdb("taxa").filter("rank = 'genus'").aggregate("count(*)").fetchall()
        [(5,)]
        """
        path = self._table(table)
        try:
            duckdb = importlib.import_module("duckdb")
        except ImportError as error:
            remedy = "Install it (pip install 'tol_luigi[duckdb]'), or use to_arrow()"
            raise DatasetError("duckdb", "the package is not installed", remedy) from error
        source = duckdb.connect() if connection is None else connection
        try:
            return source.read_parquet(glob.escape(str(path)))
        except duckdb.Error as error:
            what = f"cannot be read ({str(error).splitlines()[0]})"
            raise DatasetError(path, what, "Build the taxonomy again") from error

    @functools.cached_property
    def folder(self) -> Path:
        """The folder of the taxonomy."""
        return self.path.parent

    def _table(self, name: str) -> Path:
        if name not in _TABLES:
            raise DatasetError(f"table {name!r}", "is unknown", f"Use one of {', '.join(_TABLES)}")
        return self.folder / f"{name}.parquet"


def open_taxonomy(path: str | Path) -> Taxonomy:
    """Open a reference taxonomy; see :meth:`Taxonomy.open`."""
    return Taxonomy.open(path)

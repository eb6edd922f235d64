"""The taxa of a union that patches are about."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tol_luigi.taxonomy.flags import TOMBSTONES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import numpy.typing as npt

    from tol_luigi.taxonomy.patched_union import UnionLike
    from tol_luigi.taxonomy.patches import TaxonRef

__all__ = ["NotFoundError", "TaxonFinder"]

_SHOWN = 3


class NotFoundError(Exception):
    """A reference matches no taxon, or several."""

    def __init__(self, message: str, is_absent: bool) -> None:
        super().__init__(message, is_absent)
        self.is_absent = is_absent
        """Whether there is none."""

    def __str__(self) -> str:
        """Return the message."""
        return str(self.args[0])


class TaxonFinder:
    """Finds taxa by their names, relatives, ranks and identifiers. Only names that occur in the references are indexed.

    Args:
        union: The union.
        refs: All references that will be asked for.
        parents: The parents of its taxa, as they are whenever a reference is asked for.
        rank_of: The rank of a row, likewise.
    """

    def __init__(
        self,
        union: UnionLike,
        refs: Iterable[TaxonRef],
        parents: npt.NDArray[np.int64],
        rank_of: Callable[[int], str],
    ) -> None:
        refs = list(refs)
        names = sorted({name for ref in refs for name in ref.names})
        self._parents, self._rank_of = parents, rank_of
        self._union_names = union.name
        is_alive = (union.flags & np.uint32(TOMBSTONES)) == 0
        self._accepted = _rows_by_name(union.name, np.arange(len(union)), names, is_alive)
        synonyms = union.synonyms
        rows = synonyms["taxon"].to_numpy().astype(np.int64)
        self._synonyms = _rows_by_name(synonyms["name"].combine_chunks(), rows, names, is_alive)
        self._sources = _rows_by_source(
            union.sources, sorted({ref.source for ref in refs if ref.source}), is_alive
        )

    def one(self, ref: TaxonRef) -> int:
        """Return the row of the only taxon that is meant.

        Of several, the only one whose accepted name it is, is meant.

        Raises:
            NotFoundError: There is none, or there are several.
        """
        rows = self.all(ref)
        if not rows:
            raise NotFoundError(f"there is no taxon {ref}", is_absent=True)
        if len(rows) > 1:
            accepted = [row for row in rows if row in self._accepted.get(ref.name, [])]
            rows = accepted if len(accepted) == 1 else rows
        if len(rows) > 1:
            shown = ", ".join(f"in {self._place(row)}" for row in rows[:_SHOWN])
            more = ", …" if len(rows) > _SHOWN else ""
            raise NotFoundError(f"there are {len(rows)} taxa {ref} ({shown}{more})", is_absent=False)
        return rows[0]

    def all(self, ref: TaxonRef) -> list[int]:
        """Return the rows of all taxa that a reference may mean."""
        rows = self.named(ref.name) if ref.name else list(self._sources.get(ref.source, []))
        if ref.source:
            rows = [row for row in rows if row in self._sources.get(ref.source, [])]
        if ref.ancestor:
            rows = [row for row in rows if self._is_in(row, ref.ancestor)]
        if ref.descendant:
            rows = self._containing(rows, ref.descendant)
        if ref.witness:
            named, containing = set(self.named(ref.witness)), self._containing(rows, ref.witness)
            rows = [row for row in rows if row in named or row in containing or self._is_in(row, ref.witness)]
        if ref.rank:
            rows = [row for row in rows if self._rank_of(row) == ref.rank]
        return rows

    def merge(self, row: int, into: int) -> None:
        """Have a taxon be found as another one from now on."""
        for table in (self._synonyms, self._sources):
            for key, rows in table.items():
                table[key] = _distinct(into if each == row else each for each in rows)
        for name, rows in self._accepted.items():
            if row in rows:
                self._accepted[name] = [each for each in rows if each != row]
                self._synonyms[name] = _distinct([*self._synonyms.get(name, []), into])

    def add(self, name: str, row: int) -> None:
        """Have a taxon be found by another name, too."""
        self._synonyms[name] = _distinct([*self._synonyms.get(name, []), row])

    def named(self, name: str) -> list[int]:
        """Return the rows of all taxa that have a name, accepted or not."""
        return _distinct([*self._accepted.get(name, []), *self._synonyms.get(name, [])])

    def _above(self, row: int) -> Iterator[int]:
        while (row := int(self._parents[row])) >= 0:
            yield row

    def _is_in(self, row: int, name: str) -> bool:
        named = set(self.named(name))
        return any(above in named for above in self._above(row))

    def _containing(self, rows: list[int], name: str) -> list[int]:
        """Return the rows that have a taxon of a name in them."""
        above = {each for row in self.named(name) for each in self._above(row)}
        return [row for row in rows if row in above]

    def _place(self, row: int) -> str:
        parent = int(self._parents[row])
        return str(self._union_names[parent].as_py()) if parent >= 0 else "no other taxon"


def _rows_by_name(
    names: pa.Array, rows: npt.NDArray[np.int64], wanted: list[str], is_alive: npt.NDArray[np.bool_]
) -> dict[str, list[int]]:
    places = np.flatnonzero(
        pc.is_in(names, value_set=pa.array(wanted, pa.string())).to_numpy(zero_copy_only=False)
    )
    found: dict[str, list[int]] = {}
    for name, row in zip(names.take(pa.array(places)).to_pylist(), rows[places].tolist(), strict=True):
        if is_alive[row]:
            found.setdefault(name, []).append(row)
    return found


def _rows_by_source(
    sources: pa.Array, wanted: list[str], is_alive: npt.NDArray[np.bool_]
) -> dict[str, list[int]]:
    if not wanted:
        return {}
    rows = pc.list_parent_indices(sources).to_numpy().astype(np.int64)
    return _rows_by_name(pc.list_flatten(sources), rows, wanted, is_alive)


def _distinct(rows: Iterable[int]) -> list[int]:
    return list(dict.fromkeys(rows))

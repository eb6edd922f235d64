"""The alignment of the labels of a source of images with a finished reference taxonomy."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from tol_luigi.taxonomy.alignment import align
from tol_luigi.taxonomy.forest import Forest
from tol_luigi.taxonomy.name_table import NameTable
from tol_luigi.taxonomy.naming import LabelFate
from tol_luigi.taxonomy.normalisation import normalise
from tol_luigi.taxonomy.reasons import REASONS, Reason
from tol_luigi.taxonomy.separation import separation

if TYPE_CHECKING:
    from tol_luigi.taxonomy.products import ReferenceTables
    from tol_luigi.taxonomy.records import Records

__all__ = ["LabelAligner"]

_DISJOINT = -3
"""The score of a record whose name is a homonym of another taxon, which it certainly is not."""


class LabelAligner:
    """Aligns labels with a reference taxonomy, whose columns are made once, at the first call.

    Args:
        reference: The taxonomy.
    """

    def __init__(self, reference: ReferenceTables) -> None:
        self._tables, self._names = reference, NameTable()

    @cached_property
    def _reference(self) -> Forest:
        return Forest.of_tables(self._tables, self._names)

    @cached_property
    def _separation(self) -> Forest:
        return Forest.of(separation(), self._names)

    def __call__(self, records: Records) -> dict[str, LabelFate]:
        """Return the fate of each record, by its id."""
        fates = {
            uid: LabelFate(None, False, True, "", "unknown name") for uid in records.taxa["uid"].to_pylist()
        }
        forest = Forest.of(normalise(records), self._names)
        aligned = align(forest, self._reference, self._separation)
        ids = self._reference.uid
        names = self._names.texts(forest.name).to_pylist()
        columns = aligned.target, aligned.score, aligned.reason, forest.is_informal
        rows = zip(forest.uid.to_pylist(), names, *columns, strict=True)
        for uid, name, target, score, number, is_informal in rows:
            reason = REASONS[number]
            is_new = reason == Reason.NONE or (target < 0 and score <= _DISJOINT)
            fates[uid] = LabelFate(
                int(ids[int(target)].as_py()) if target >= 0 else None,
                bool(is_new),
                bool(is_informal),
                name,
                str(reason),
            )
        return fates

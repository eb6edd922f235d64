"""The usable samples of a tar: what all extractors have a result for, and what is written into files of other layouts."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tol_luigi.core.errors import FeatureError
from tol_luigi.features.samples import Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tol_luigi.features.extractor import Extractor
    from tol_luigi.features.family_files import FamilyFiles

__all__ = ["Dropped", "Output", "UsableRows"]


@dataclass(frozen=True)
class Output:
    """A column of the Parquet file, or an array of the npz file.

    Attributes:
        name: Its name there.
        extractor: The name of the extractor that computes it.
        column: The column or vector of the extractor.
        key: The key in the object that the column contains as JSON; "" if it is the column itself.
        is_vector: Whether it is a vector of the extractor.
        is_required: Whether a sample without a value is dropped.
    """

    name: str
    extractor: str
    column: str
    key: str = ""
    is_vector: bool = False
    is_required: bool = False


@dataclass(frozen=True)
class Dropped:
    """A sample that is in neither file.

    Attributes:
        tar: Its tar.
        key: Its key.
        row: Its place in the tar, from 0.
        extractor: The extractor that cannot use it.
        status: What is wrong.
        error: The same in a few words.
    """

    tar: str
    key: str
    row: int
    extractor: str
    status: str
    error: str


class UsableRows:
    """The samples of a tar that all extractors can use, with the columns and vectors that are written.

    Args:
        tar: The tar.
        families: The files of each extractor.
        outputs: The columns and arrays to write.
    """

    def __init__(
        self, tar: str, families: Sequence[FamilyFiles[Extractor]], outputs: Sequence[Output]
    ) -> None:
        self.tar, self._outputs = tar, outputs
        self._families = {one.extractor.name: one for one in families}

    def _column(self, extractor: str, column: str) -> pa.ChunkedArray:
        return pq.read_table(self._families[extractor].table, columns=[column], memory_map=True).column(0)

    @functools.cached_property
    def dropped(self) -> list[Dropped]:
        """The samples that some extractor cannot use, or that lack a value of an output, in order."""
        found: dict[int, Dropped] = {}
        for name, family in self._families.items():
            table = pq.read_table(family.table, columns=["key", "row", "status", "error"])
            for one in table.filter(pc.not_equal(table["status"], str(Status.OK))).to_pylist():
                if _is_cause(one["status"], found.get(one["row"])):
                    found[one["row"]] = Dropped(
                        self.tar, one["key"], one["row"], name, one["status"], one["error"]
                    )
            keys: pa.ChunkedArray = table["key"]
            for output in (one for one in self._outputs if one.extractor == name and one.is_required):
                for row in np.flatnonzero(self._lacking(output)).tolist():
                    error = f"there is no value of {output.name}"
                    status = (
                        Status.MISSING_TEXT
                        if output.column.endswith(("_txt", "_score"))
                        else Status.EXTRACTOR_ERROR
                    )
                    found.setdefault(row, Dropped(self.tar, keys[row].as_py(), row, name, str(status), error))
        return [found[row] for row in sorted(found)]

    def _lacking(self, output: Output) -> NDArray[np.bool_]:
        if output.is_vector:
            return np.asarray(np.isnan(self._vector(output.extractor, output.column)).any(axis=1), np.bool_)
        column = self._column(output.extractor, output.column)
        return np.asarray(column.is_null().to_numpy(), np.bool_)

    def _vector(self, extractor: str, name: str) -> NDArray[np.float16]:
        return self._families[extractor].read_vector(name)

    @functools.cached_property
    def _kept(self) -> NDArray[np.bool_]:
        """Which rows are in the files."""
        first = next(iter(self._families.values()))
        kept = np.ones(pq.read_metadata(first.table).num_rows, np.bool_)
        kept[[one.row for one in self.dropped]] = False
        return kept

    @property
    def count(self) -> int:
        """How many rows are in the files."""
        return int(self._kept.sum())

    def validate(self, max_error_percent: float) -> None:
        """Raise an error if more than a percentage of the samples are dropped, or all; one is always allowed.

        Raises:
            FeatureError: They are.
        """
        allowed = max(1, int(len(self._kept) * max_error_percent / 100))
        if len(self.dropped) > allowed or not self.count:
            first = self.dropped[0]
            what = (
                f"{len(self.dropped)} of {len(self._kept)} samples have no result; "
                f"the first is {first.key} ({first.status}: {first.error})"
            )
            raise FeatureError(self.tar, what, "Correct the cause, or set warn_and_continue: true")

    def column(self, output: Output) -> pa.Array:
        """Return the column of an output, as its extractor has it."""
        column: pa.Array = self._column(output.extractor, output.column).combine_chunks()
        return column.filter(pa.array(self._kept))

    def key_column(self, name: str) -> pa.Array:
        """Return ``uid``, ``key`` or ``row`` of the samples."""
        return self._column(next(iter(self._families)), name).combine_chunks().filter(pa.array(self._kept))

    def values(self, output: Output) -> list[Any]:
        """Return the values of an output that is a key of JSON."""
        return [json.loads(text)[output.key] for text in self.column(output).to_pylist()]

    def rows(self, output: Output) -> NDArray[Any]:
        """Return the rows of an output that is an array."""
        if output.is_vector:
            return self._vector(output.extractor, output.column)[self._kept]
        return np.array(self.column(output).to_pylist(), np.float32)


def _is_cause(status: str, known: Dropped | None) -> bool:
    """Return whether a status says more than what is known."""
    return known is None or (known.status == Status.DEPENDENCY_ERROR and status != Status.DEPENDENCY_ERROR)

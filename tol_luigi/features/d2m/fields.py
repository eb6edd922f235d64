"""Fields of the samples' json as columns, with types."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from tol_luigi.features.extractor import Extractor, Options
from tol_luigi.features.samples import SampleError, Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tol_luigi.features.extractor import Columns
    from tol_luigi.features.samples import FeatureSample

__all__ = ["JsonFields", "TypedValues"]


class JsonFields(Extractor):
    """Fields of the member ``json``, as the text of an object; a sample without one of them cannot be used.

    Args:
        fields: The names of the fields.
    """

    columns = (pa.field("fields", pa.string()),)

    def __init__(self, fields: Sequence[str]) -> None:
        super().__init__("json-fields", Options())
        self.fields = tuple(fields)

    def identity(self) -> dict[str, Any]:
        """Return the names of the fields."""
        return {"fields": list(self.fields)}

    def prepare(self, sample: FeatureSample) -> str:
        """Return the fields of a sample."""
        found = sample.fields
        if missing := [name for name in self.fields if name not in found]:
            raise SampleError(Status.MISSING_FIELDS, f"its json has no {', '.join(missing)}")
        return json.dumps({name: found[name] for name in self.fields}, ensure_ascii=False)

    def run(self, batch: list[str], before: Mapping[str, Columns]) -> Columns:
        """Return the texts."""
        del before
        return {"fields": batch}


_BOXES = pa.list_(pa.list_(pa.float64()))

_KNOWN = {
    "uid": pa.string(),
    "key": pa.string(),
    "url": pa.string(),
    "caption": pa.string(),
    "text": pa.string(),
    "sha256": pa.string(),
    "status": pa.string(),
    "error_message": pa.string(),
    "exif": pa.string(),
    "width": pa.int64(),
    "height": pa.int64(),
    "original_width": pa.int64(),
    "original_height": pa.int64(),
    "similarity": pa.float64(),
    "face_bboxes": _BOXES,
    "face-boxes": _BOXES,
}
"""The types of usual fields, also in a group of tars where they are all null or all empty."""


class TypedValues:
    """A column of values of JSON: its type is found first, by all values, and then values become arrays.

    A column with only nulls has the type string. Values that no single type fits become texts of JSON.

    Args:
        name: The name of the column.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._type: pa.DataType | None = pa.null()

    def see(self, values: Iterable[Any]) -> None:
        """Take account of values."""
        if self._type is None:
            return
        found = _inferred(list(values))
        self._type = None if found is None else _unified(self._type, found)

    @property
    def type(self) -> pa.DataType:
        """The type."""
        known = _KNOWN.get(self._name)
        if known is not None and self._type is not None and _unified(self._type, known) == known:
            return known
        return pa.string() if self._type is None else _without_nulls(self._type)

    def array(self, values: Sequence[Any]) -> pa.Array:
        """Return values as an array of the type."""
        kind = self.type
        if kind == pa.string():
            return pa.array([_text(value) for value in values], kind)
        return pa.array(values, kind)


def _inferred(values: list[Any]) -> pa.DataType | None:
    try:
        return pa.array(values).type
    except (pa.ArrowException, OverflowError, ValueError, TypeError):
        return None


def _unified(one: pa.DataType, other: pa.DataType) -> pa.DataType | None:
    schemas = [pa.schema([pa.field("value", kind)]) for kind in (one, other)]
    numbers = sum(pa.types.is_integer(kind) or pa.types.is_floating(kind) for kind in (one, other))
    try:
        found = pa.unify_schemas(schemas, promote_options="permissive" if numbers != 1 else "default")
    except (pa.ArrowException, TypeError):
        return None
    return found.field("value").type


def _without_nulls(kind: pa.DataType) -> pa.DataType:
    """Return a type with string instead of null, also inside of lists and structs."""
    if pa.types.is_null(kind):
        return pa.string()
    if pa.types.is_list(kind):
        return pa.list_(_without_nulls(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(one.name, _without_nulls(one.type)) for one in kind])
    return kind


def _text(value: Any) -> str | None:  # noqa: ANN401 (JSON is any)
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)

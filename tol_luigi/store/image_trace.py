"""Queries for one image, which use an index or read the rows of one partition."""

from __future__ import annotations

import contextlib
import functools
import operator
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import peewee
import pyarrow.compute as pc
import pyarrow.dataset as pds

from tol_luigi.core.keys import image_id
from tol_luigi.core.source import IMAGE_ID, LABEL, Reference
from tol_luigi.core.source_names import base_of
from tol_luigi.core.taxon import RANK_LABELS
from tol_luigi.store.databases import opened
from tol_luigi.store.models import Name, Partition, Place, ReferenceName, Split, SplitHint, image_model
from tol_luigi.store.row_groups import rows_with

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tol_luigi.core.source import Key, NaturalKey, SourceInfo

__all__ = [
    "MOST_FOUND",
    "Named",
    "Placement",
    "find_ids",
    "find_work_unit",
    "has_split",
    "named",
    "placed",
    "ranks_by_label",
    "reference_of",
    "rejected",
    "rows_of",
    "split_hint",
]

MOST_FOUND = 20
"""The largest number of images that a search in a source returns."""


@dataclass(frozen=True)
class Placement:
    """The entry of an image in the mapping.

    Attributes:
        source: The name of its source.
        key: Its natural key.
        partition: Its partition, "" if the image has no file.
        position: Its row in the listing of the partition.
        is_val: Whether it is in val; None if the splits are not yet made.
        is_train_small: Whether it is in train_small; None if the splits are not yet made.
    """

    source: str
    key: Key
    partition: str
    position: int | None
    is_val: bool | None
    is_train_small: bool | None


@dataclass(frozen=True)
class Named:
    """The entry of a name key in the name lookups: rendered ranks, common name and class index."""

    key: str
    ranks: tuple[str, ...]
    common: str
    class_index: str


def placed(mapping: Path, source: SourceInfo, image: str) -> Placement | None:
    """Return the entry of an image in the mapping, or None if the source has no image with this id.

    Args:
        mapping: The mapping.
        source: The source to search.
        image: The id, in lower case.
    """
    model = image_model(source.name, source.columns)
    with opened(mapping, [model, Place, Split, Partition]):
        found = model.select().where(model.evobio10m_id == image).tuples().first()
        if found is None:
            return None
        place = (
            Place.select(Partition.name, Place.position)
            .join(Partition, on=(Partition.number == Place.partition))
            .where(Place.evobio10m_id == image)
            .tuples()
            .first()
        )
        split = Split.get_or_none(Split.evobio10m_id == image)
    partition, position = place or ("", None)
    flags = (bool(split.is_val), bool(split.is_train_small)) if split else (None, None)
    return Placement(source.name, tuple(found[:-1]), partition, position, *flags)


def find_work_unit(mapping: Path, image: str) -> tuple[str, str, str] | None:
    """Return the split, source and partition of an image, or None if it has no file.

    This function is thread-safe.

    Args:
        mapping: The mapping.
        image: The id, in lower case.
    """
    query = (
        Place.select(Split.is_val, Partition.source, Partition.name)
        .join(Partition, on=(Partition.number == Place.partition))
        .switch(Place)
        .join(Split, on=(Split.evobio10m_id == Place.evobio10m_id))
        .where(Place.evobio10m_id == image)
    )
    with opened(mapping, []) as database:
        found = next(iter(database.execute(query.tuples())), None)
    return ("val" if found[0] else "train", *found[1:]) if found else None


def find_ids(mapping: Path, source: SourceInfo, text: str) -> list[str]:
    """Return the images of a source that match a file name or a natural key.

    An id derived from the key is looked up directly. A published id does not depend on the key, so the
    source's table is searched, which takes some seconds for millions of images.

    Args:
        mapping: The mapping.
        source: The source to search.
        text: A path or name of a file, or a key as :meth:`NaturalKey.spell` writes it.

    Returns:
        The first ids, sorted.
    """
    model = image_model(source.name, source.columns)
    file = next((column.name for column in source.columns if column.type is str and not column.repeats), None)
    key = None if file else _numbers(source.key, text)
    if file is None and key is None:
        return []
    with opened(mapping, [model]):
        if key:
            derived = image_id(base_of(source.name), source.key.spell(key))
            found = model.select().where(model.evobio10m_id == derived).tuples().first()
            if found and tuple(found[:-1]) == key:
                return [derived]
            conditions = [_equal(model, source, key)]
        else:
            conditions = _called(getattr(model, str(file)), text)
        for condition in conditions:
            # Sorted here, because SQLite would walk the index of ids and fetch each row individually.
            ids = model.select(model.evobio10m_id).where(condition).limit(MOST_FOUND)
            if found := sorted(row[0] for row in ids.tuples()):
                return found
        return []


def _numbers(natural_key: NaturalKey, text: str) -> Key | None:
    """Parse a natural key of numbers from a file name, or from numbers separated by ``/`` or ``_``."""
    if natural_key.from_listed and (key := natural_key.from_listed(text.rpartition("/")[2])):
        return key
    pattern = "(?:.*/)?" + "[_/]".join(["([0-9]{1,18})"] * len(natural_key.columns))
    numbers = re.fullmatch(pattern, text.removesuffix(".jpg"), re.DOTALL)
    return tuple(map(int, numbers.groups())) if numbers else None


def _called(field: Any, text: str) -> list[Any]:  # noqa: ANN401 (a peewee field and expressions)
    """Return conditions for a column of paths, the strictest first.

    The path is the text; it ends in the text; it is the end of the text, which is longer, such as an absolute path.
    """
    parts = text.split("/")
    ends = ["/".join(parts[first:]) for first in range(1, len(parts))]
    tail = f"/{text}"
    return [
        field == text,
        peewee.fn.SUBSTR(field, -len(tail)) == tail,
        *(field == end for end in ends if end),
    ]


def _equal(model: Any, source: SourceInfo, key: Key) -> Any:  # noqa: ANN401 (a peewee model and expression)
    parts = [getattr(model, column.name) == part for column, part in zip(source.columns, key, strict=True)]
    return functools.reduce(operator.and_, parts)


def has_split(published: Path, image: str) -> bool:
    """Return whether a published mapping has a split for an image."""
    with contextlib.suppress(peewee.DatabaseError), opened(published, [Split]):
        return bool(Split.get_or_none(Split.evobio10m_id == image))
    return False


def split_hint(mapping: Path, image: str) -> tuple[str, str]:
    """Return the split and the group that its source gives to an image, "" if it gives none."""
    with opened(mapping, [SplitHint]):
        row = SplitHint.get_or_none(SplitHint.evobio10m_id == image) if SplitHint.table_exists() else None
    return (row.given, row.image_group) if row else ("", "")


def named(names: Path, source: SourceInfo, key: Key, image: str, listing: Path | None = None) -> Named | None:
    """Return the name entry of an image, or None if it has none.

    Args:
        names: The name lookups.
        source: The source of the image.
        key: Its natural key.
        image: Its id.
        listing: The stored listing of the source, if it is one of URLs.
    """
    values = {
        **{column.name: part for column, part in zip(source.columns, key, strict=True)},
        IMAGE_ID: image,
    }
    if source.key.name_column == LABEL:
        rows = rows_of(listing, {"id": image}) if listing and listing.exists() else []
        values[LABEL] = rows[0][LABEL] if rows else ""
    name_key = str(values[source.key.name_column])
    with opened(names, [Name]):
        query = Name.select().where((Name.source == source.name) & (Name.key == name_key))
        row = query.tuples().first()
    if row is None:
        return None
    _, _, *ranks, common, class_index, _ = row
    return Named(name_key, tuple(ranks), common, class_index)


def reference_of(names: Path, source: str, name_key: str) -> Reference | None:
    """Return the taxon of the reference taxonomy that a name key belongs to, None if none is used.

    Args:
        names: The name lookups.
        source: The name of the source.
        name_key: The name key.
    """
    with opened(names, [ReferenceName]):
        if not ReferenceName.table_exists():
            return None
        chosen = (ReferenceName.source == source) & (ReferenceName.key == name_key)
        row = ReferenceName.select().where(chosen).tuples().first()
    return Reference(*row[2:]) if row else None


def rows_of(parquet: Path, wanted: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of a catalog, listing or ledger with these values; other row groups are skipped.

    Args:
        parquet: The file.
        wanted: The value of each column to compare.
    """
    return list(rows_with(parquet, {column: [value] for column, value in wanted.items()}).to_pylist())


def rejected(ledger: Path, text: str) -> list[dict[str, Any]]:
    """Return the ledger rows of rejected files with an id, a path or a file name.

    Args:
        ledger: A ledger file.
        text: The id, path or name.
    """
    name, image = pc.field("name"), pc.field("id")
    condition = (image == text.lower()) | (name == text) | pc.ends_with(name, pattern=f"/{text}")
    return list(pds.dataset(ledger).to_table(filter=condition).slice(0, MOST_FOUND).to_pylist())


def ranks_by_label(ranks: Sequence[str]) -> dict[str, str]:
    """Return the known ranks by label, from kingdom down."""
    return {label: rank for label, rank in zip(RANK_LABELS, ranks, strict=True) if rank}

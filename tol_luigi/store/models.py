"""The tables of ``mapping.sqlite``.

The source tables and ``split`` are those of the published file, column for column, so that either
file serves in place of the other, but lie in the order of the ids, without a second tree for their keys; ``partition``, ``place`` and ``marker`` stand beside them. No
model knows a database: ``open_mapping`` and ``create_mapping`` bind them.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import peewee

from tol_luigi.core.source import IMAGE_ID

if TYPE_CHECKING:
    from tol_luigi.core.source import Column

__all__ = ["Marker", "Name", "Partition", "Place", "Split", "image_model"]


@functools.cache
def image_model(source: str, columns: tuple[Column, ...]) -> Any:  # noqa: ANN401 (its fields are known at run time)
    """Give the model of one source's table: an image's natural key, and the id under which it ships.

    Rows are written once, by ``MakeMapping``.

    Args:
        source: The source's name, which is the table's name.
        columns: The natural key.
    """
    fields: dict[str, Any] = {
        column.name: peewee.IntegerField() if column.type is int else peewee.TextField() for column in columns
    }
    fields[IMAGE_ID] = peewee.TextField()
    # Peewee puts a primary key first, unless it is composite: then the columns stand as published.
    key = peewee.CompositeKey(IMAGE_ID)
    fields["Meta"] = type("Meta", (), {"table_name": source, "primary_key": key, "without_rowid": True})
    return type(source.capitalize(), (peewee.Model,), fields)


class Split(peewee.Model):
    """The split of an image, for every image of the source tables; neither flag set means train only.

    Written by ``MakeSplits``.
    """

    evobio10m_id = peewee.TextField(primary_key=True)
    is_val = peewee.IntegerField()
    is_train_small = peewee.IntegerField()

    class Meta:
        table_name = "split"
        without_rowid = True


class Partition(peewee.Model):
    """A unit of work; its number is its place in the order of the catalogs. Written by ``MakeMapping``."""

    number = peewee.IntegerField(primary_key=True)
    source = peewee.TextField()
    name = peewee.TextField()

    class Meta:
        table_name = "partition"
        indexes = ((("source", "name"), True),)


class Place(peewee.Model):
    """Where an image lies: the row of its partition's listing. Written by ``MakeMapping``.

    It stands in the order of the ids, as all tables of images do: so they are joined by reading each of them once.
    """

    partition = peewee.IntegerField()
    position = peewee.IntegerField()
    evobio10m_id = peewee.TextField()

    class Meta:
        table_name = "place"
        primary_key = peewee.CompositeKey("evobio10m_id")
        without_rowid = True


class Marker(peewee.Model):
    """A stage that has written its rows, and the settings it did so with. The last row a stage writes."""

    stage = peewee.TextField(primary_key=True)
    digest = peewee.TextField()

    class Meta:
        table_name = "marker"


class Name(peewee.Model):
    """What an image of a source shows, by the source's name key; the table of ``names.sqlite``.

    Ranks stand as they are rendered, ``common`` is "" where no common name is known, and
    ``class_index`` is JSON. ``rules`` are those that have touched the name and can be wrong, with commas
    between them. Written by ``MakeMetadata``.
    """

    source = peewee.TextField()
    key = peewee.TextField()
    kingdom = peewee.TextField()
    phylum = peewee.TextField()
    cls = peewee.TextField(column_name="class")
    order = peewee.TextField()
    family = peewee.TextField()
    genus = peewee.TextField()
    species = peewee.TextField()
    common = peewee.TextField()
    class_index = peewee.TextField()
    rules = peewee.TextField()

    class Meta:
        table_name = "name"
        primary_key = peewee.CompositeKey("source", "key")
        without_rowid = True

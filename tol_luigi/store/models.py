"""The tables of ``mapping.sqlite``.

The source tables and ``split`` have the columns of the published file, so either file can replace the other,
but are stored in the order of the ids, without a separate index of their keys. ``partition``, ``place`` and
``marker`` are additional tables. Models are not bound to a database: :mod:`tol_luigi.store.databases` binds
them.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import peewee

from tol_luigi.core.source import IMAGE_ID

if TYPE_CHECKING:
    from tol_luigi.core.source import Column

__all__ = ["Marker", "Name", "Partition", "Place", "ReferenceName", "Split", "SplitHint", "image_model"]


@functools.cache
def image_model(source: str, columns: tuple[Column, ...]) -> Any:  # noqa: ANN401 (its fields are known at run time)
    """Return the model of one source's table, with the natural key and the id of each image.

    ``MakeMapping`` writes the rows, once.

    Args:
        source: The source's name, which is the table's name.
        columns: The natural key.
    """
    fields: dict[str, Any] = {
        column.name: peewee.IntegerField() if column.type is int else peewee.TextField() for column in columns
    }
    fields[IMAGE_ID] = peewee.TextField()
    # Peewee puts a primary key first unless it is composite, which keeps the published order of columns.
    key = peewee.CompositeKey(IMAGE_ID)
    fields["Meta"] = type("Meta", (), {"table_name": source, "primary_key": key, "without_rowid": True})
    return type(source.capitalize(), (peewee.Model,), fields)


class Split(peewee.Model):
    """The split of every image of the source tables; an image with neither flag is in train only.

    Written by ``MakeSplits``.
    """

    evobio10m_id = peewee.TextField(primary_key=True)
    is_val = peewee.IntegerField()
    is_train_small = peewee.IntegerField()

    class Meta:
        table_name = "split"
        without_rowid = True


class SplitHint(peewee.Model):
    """The split and the group that its source gives to an image; "" if it gives none.

    Written by ``MakeSplits``, only for sources with given splits or groups, and only for images that have one of them.
    """

    evobio10m_id = peewee.TextField(primary_key=True)
    given = peewee.TextField()
    image_group = peewee.TextField()

    class Meta:
        table_name = "split_hint"
        without_rowid = True


class Partition(peewee.Model):
    """A partition, numbered in the order of the catalogs. Written by ``MakeMapping``."""

    number = peewee.IntegerField(primary_key=True)
    source = peewee.TextField()
    name = peewee.TextField()

    class Meta:
        table_name = "partition"
        indexes = ((("source", "name"), True),)


class Place(peewee.Model):
    """The location of an image: the row in its partition's listing. Written by ``MakeMapping``.

    Like all tables of images, it is stored in the order of the ids, so that a join reads each table once.
    """

    partition = peewee.IntegerField()
    position = peewee.IntegerField()
    evobio10m_id = peewee.TextField()

    class Meta:
        table_name = "place"
        primary_key = peewee.CompositeKey("evobio10m_id")
        without_rowid = True


class Marker(peewee.Model):
    """A stage that has written its rows, with its settings digest. A stage writes this row last."""

    stage = peewee.TextField(primary_key=True)
    digest = peewee.TextField()

    class Meta:
        table_name = "marker"


class Name(peewee.Model):
    """The names of a source's images by name key; the table of ``names.sqlite``.

    Ranks are rendered, ``common`` is "" if no common name is known, and ``class_index`` is JSON. ``rules``
    are the naming rules that applied and can be wrong, separated by commas. Written by ``MakeMetadata``.
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


class ReferenceName(peewee.Model):
    """The taxon of the reference taxonomy that the images of a name key belong to; a table of ``names.sqlite``.

    ``tol_id`` is NULL if the reference has none of their names. Written by ``MakeMetadata`` if ``[names] method = reference``.
    """

    source = peewee.TextField()
    key = peewee.TextField()
    tol_id = peewee.IntegerField(null=True)
    certainty = peewee.TextField()
    reason = peewee.TextField()
    given = peewee.TextField()

    class Meta:
        table_name = "reference_name"
        primary_key = peewee.CompositeKey("source", "key")
        without_rowid = True

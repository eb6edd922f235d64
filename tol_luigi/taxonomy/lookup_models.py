"""The tables of ``lookup.sqlite``, in which names and ids of a reference taxonomy are looked up.

:mod:`tol_luigi.taxonomy.lookup_store` writes them, once. Models are not bound to a database:
:mod:`tol_luigi.store.databases` binds them. A text that another column already contains is null.
"""

from __future__ import annotations

import peewee

__all__ = [
    "FORMAT",
    "MODELS",
    "About",
    "Conflict",
    "Deprecated",
    "Forward",
    "Identifier",
    "LineageRow",
    "Mention",
    "NameRow",
    "SourceRecord",
    "TaxonRow",
    "VernacularRow",
    "Word",
]

FORMAT = 1
"""The version of the tables, which ``about`` contains."""


class LineageRow(peewee.Model):
    """The six ranks above the species, once for all taxa that share them; "" for a rank that is missing."""

    id = peewee.IntegerField(primary_key=True)
    kingdom = peewee.TextField()
    phylum = peewee.TextField()
    cls = peewee.TextField(column_name="class")
    order = peewee.TextField()
    family = peewee.TextField()
    genus = peewee.TextField()

    class Meta:
        table_name = "lineage"


class TaxonRow(peewee.Model):
    """A taxon; ``species`` is null if it is the name of the taxon itself."""

    tol_id = peewee.IntegerField(primary_key=True)
    parent = peewee.IntegerField(null=True)
    name = peewee.TextField()
    authorship = peewee.TextField()
    rank = peewee.TextField()
    code = peewee.TextField()
    flags = peewee.IntegerField()
    sources = peewee.TextField()
    unique_name = peewee.TextField()
    lineage = peewee.IntegerField()
    species = peewee.TextField(null=True)

    class Meta:
        table_name = "taxon"


class NameRow(peewee.Model):
    """A scientific name of a taxon, stored in order of its key.

    ``name`` and ``type`` are null for the accepted name, which is the name of the taxon.
    """

    key = peewee.TextField()
    tol_id = peewee.IntegerField()
    number = peewee.IntegerField()
    name = peewee.TextField(null=True)
    authorship = peewee.TextField()
    type = peewee.TextField(null=True)
    source = peewee.TextField()

    class Meta:
        table_name = "name"
        primary_key = peewee.CompositeKey("key", "tol_id", "number")
        without_rowid = True


class Word(peewee.Model):
    """A first word of keys: a genus, or the name of a taxon above it."""

    word = peewee.TextField(primary_key=True)

    class Meta:
        table_name = "word"
        without_rowid = True


class VernacularRow(peewee.Model):
    """A vernacular name of a taxon."""

    tol_id = peewee.IntegerField()
    number = peewee.IntegerField()
    key = peewee.TextField(index=True)
    name = peewee.TextField()
    language = peewee.TextField()
    source = peewee.TextField()
    rank = peewee.TextField()
    is_preferred = peewee.BooleanField()

    class Meta:
        table_name = "vernacular"
        primary_key = peewee.CompositeKey("tol_id", "number")
        without_rowid = True


class SourceRecord(peewee.Model):
    """A record of a source and its fate; ``name`` and ``rank`` are null if they are those of its taxon."""

    source = peewee.TextField()
    source_id = peewee.TextField()
    number = peewee.IntegerField()
    tol_id = peewee.IntegerField(null=True)
    name = peewee.TextField(null=True)
    rank = peewee.TextField(null=True)
    fate = peewee.TextField()
    reason = peewee.TextField()
    score = peewee.IntegerField(null=True)
    witness = peewee.TextField()

    class Meta:
        table_name = "record"
        primary_key = peewee.CompositeKey("source", "source_id", "number")
        without_rowid = True


class Identifier(peewee.Model):
    """An identifier of a taxon in a source of which no record was read."""

    identifier = peewee.TextField()
    tol_id = peewee.IntegerField()

    class Meta:
        table_name = "identifier"
        primary_key = peewee.CompositeKey("identifier", "tol_id")
        without_rowid = True


class Conflict(peewee.Model):
    """A conflict between sources: its row, as JSON."""

    id = peewee.IntegerField(primary_key=True)
    row = peewee.TextField()

    class Meta:
        table_name = "conflict"


class Mention(peewee.Model):
    """A name or an identifier that a conflict mentions."""

    text = peewee.TextField()
    conflict = peewee.IntegerField()

    class Meta:
        table_name = "mention"
        primary_key = peewee.CompositeKey("text", "conflict")
        without_rowid = True


class Forward(peewee.Model):
    """An id of an earlier release, and the id that has replaced it."""

    id = peewee.IntegerField(primary_key=True)
    replacement = peewee.IntegerField()

    class Meta:
        table_name = "forward"


class Deprecated(peewee.Model):
    """An id of the earlier release that no taxon has any more: its row, as JSON."""

    id = peewee.IntegerField(primary_key=True)
    row = peewee.TextField()

    class Meta:
        table_name = "deprecated"


class About(peewee.Model):
    """What is known of the taxonomy as a whole: values as JSON."""

    key = peewee.TextField(primary_key=True)
    value = peewee.TextField()

    class Meta:
        table_name = "about"
        without_rowid = True


MODELS: tuple[type[peewee.Model], ...] = (
    LineageRow,
    TaxonRow,
    NameRow,
    Word,
    VernacularRow,
    SourceRecord,
    Identifier,
    Conflict,
    Mention,
    Forward,
    Deprecated,
    About,
)

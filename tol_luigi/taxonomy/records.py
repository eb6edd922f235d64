"""The tables in which a taxonomy of one source is passed on: from its importer to the normalisation and the alignment."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["FORWARDS", "NAMES", "REPAIRS", "TAXA", "VERNACULARS", "Code", "Records", "Repair"]


class Code(enum.StrEnum):
    """The code of nomenclature that a name follows; "" if it is unknown."""

    UNKNOWN = ""
    ZOOLOGICAL = "zoological"
    BOTANICAL = "botanical"
    BACTERIAL = "bacterial"
    VIRAL = "viral"


class Repair(enum.StrEnum):
    """What an importer or the normalisation had to change in a source, or to leave out."""

    CYCLE = "cycle"
    MISSING_PARENT = "missing_parent"
    PARENT_IS_SYNONYM = "parent_is_synonym"
    REPEATED_ID = "repeated_id"
    REPEATED_RECORD = "repeated_record"
    """A record with the identifier of another one, which is kept."""
    REPEATED_SIBLING = "repeated_sibling"
    UNKNOWN_RANK = "unknown_rank"
    RANK_AGAINST_NAME = "rank_against_name"
    MARKED_RANK = "marked_rank"
    """A rank that only the marker in the name shows ("var.")."""
    RANK_ORDER = "rank_order"
    """A rank that is not below the rank of an ancestor; it is kept."""
    FURTHER_ROOT = "further_root"
    CONTAINER = "container"
    DIACRITICS = "diacritics"
    SUBGENUS = "subgenus"
    QUOTES = "quotes"
    MARKUP = "markup"
    AUTHORSHIP = "authorship"
    SPELLING = "spelling"
    """Another way to write a name: its infrageneric part, the form of a marker, upper case."""
    REPEATED_NAME = "repeated_name"
    """A synonym that repeats a name of its taxon."""
    HYBRID = "hybrid"
    INFORMAL = "informal"
    UNKNOWN_NAME = "unknown_name"
    NO_NAME = "no_name"
    NO_ID = "no_id"
    SYNONYM_OF_NOTHING = "synonym_of_nothing"
    VERNACULAR_OF_NOTHING = "vernacular_of_nothing"
    SYNONYM_CHAIN = "synonym_chain"
    ROW_LENGTH = "row_length"
    ENCODING = "encoding"


_text = pa.string()

TAXA = pa.schema(
    [
        pa.field("uid", _text, nullable=False),
        pa.field("parent", _text),
        pa.field("name", _text, nullable=False),
        pa.field("authorship", _text, nullable=False),
        pa.field("rank", _text, nullable=False),
        pa.field("code", _text, nullable=False),
        pa.field("flags", pa.uint32(), nullable=False),
        pa.field("sources", _text, nullable=False),
    ]
)
"""The accepted taxa of a source, one row each, in any order.

``uid`` is unique in the source. ``parent`` is the ``uid`` of the parent, null for a root. ``name`` is the canonical name
once it is normalised, and the name of the source before. ``rank`` is lower-case, "" if there is none. ``code`` is a
:class:`Code`, ``flags`` a sum of :class:`~tol_luigi.taxonomy.flags.Flag`. ``sources`` are the identifiers of the record in other
sources, as in ``ncbi:2952,gbif:3207147``, the first being its origin; "" stands for ``<prefix>:<uid>``.
"""

NAMES = pa.schema(
    [
        pa.field("uid", _text, nullable=False),
        pa.field("name", _text, nullable=False),
        pa.field("authorship", _text, nullable=False),
        pa.field("type", _text, nullable=False),
    ]
)
"""Further scientific names of taxa; ``type`` is ``synonym``, or what the source calls it, such as ``misspelling``."""

VERNACULARS = pa.schema(
    [
        pa.field("uid", _text, nullable=False),
        pa.field("name", _text, nullable=False),
        pa.field("language", _text, nullable=False),
        pa.field("is_preferred", pa.bool_(), nullable=False),
    ]
)
"""Vernacular names of taxa; ``language`` is a tag such as ``en``, "" if it is unknown."""

FORWARDS = pa.schema([pa.field("uid", _text, nullable=False), pa.field("replacement", _text, nullable=False)])
"""Ids that the source has given up, and those that replace them; and the ids of synonyms with those of their taxa.

A replacement may itself be replaced.
"""

REPAIRS = pa.schema(
    [
        pa.field("repair", _text, nullable=False),
        pa.field("uid", _text, nullable=False),
        pa.field("line", pa.int64()),
        pa.field("before", _text, nullable=False),
        pa.field("after", _text, nullable=False),
    ]
)
"""What was changed or left out: a :class:`Repair`, the record, its line in the file if known, and both values.

``after`` is "" if an importer has left out the row.
"""


@dataclass(frozen=True)
class Records:
    """A taxonomy of one source.

    Attributes:
        prefix: The prefix of its identifiers, such as ``ncbi``.
        taxa: Its accepted taxa (``TAXA``).
        names: Their synonyms (``NAMES``).
        vernaculars: Their vernacular names (``VERNACULARS``).
        forwards: The ids that it has given up (``FORWARDS``).
        repairs: What was changed or left out so far (``REPAIRS``).
        about: What the source says of itself: title, version, licence, address; any keys. Importers add the number of ``rows``
            that they have read, of rows that are ``left_out`` by a rule of the format, and of rows ``joined`` to others.
    """

    prefix: str
    taxa: pa.Table
    names: pa.Table = field(default_factory=NAMES.empty_table)
    vernaculars: pa.Table = field(default_factory=VERNACULARS.empty_table)
    forwards: pa.Table = field(default_factory=FORWARDS.empty_table)
    repairs: pa.Table = field(default_factory=REPAIRS.empty_table)
    about: Mapping[str, str] = field(default_factory=dict)

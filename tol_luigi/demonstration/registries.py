"""Write the tables of iNaturalist, BIOSCAN, ITIS and the name resolvers for the demonstration."""

from __future__ import annotations

import csv
import json
from random import Random
from typing import TYPE_CHECKING, Any

from tol_luigi.demonstration.taxa import RANKS, TAXA, bioscan_images

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

__all__ = ["columns", "write", "write_json", "write_table"]

_RESOLVED = {"Amanita", "Trametes", "Xanthoria", "Aeshna", "Episyrphus", "Octopus", "Vulpes"}
"""The genera in the results of the resolvers. ITIS contains Octopus and Vulpes as well."""

_NOT_IN_ITIS = _RESOLVED - {"Octopus", "Vulpes"}

_NAMED_BY_ITIS = {
    "Vulpes vulpes": "zorro rojo",
    "Chelonia mydas": "tortuga verde",
    "Danaus plexippus": "mariposa monarca",
}
"""The species with an English name in ITIS, where the Spanish name comes first."""

_FIRST_TSN, _FIRST_INAT = 97_100_000, 97_200_000


def columns(names: str) -> tuple[str, ...]:
    """Parse a header of names separated by spaces."""
    return tuple(names.split())


_ITIS = columns(
    "hierarchy_string_tsn hierarchy_string_names terminal_tsn terminal_scientific_name "
    "terminal_vernacular terminal_vernacular_lang hierarchy_string_ranks Kingdom Subkingdom "
    "Infrakingdom Superphylum Phylum Subphylum Infraphylum Superclass Class Subclass Infraclass "
    "Superorder Order Suborder Infraorder Section Subsection Superfamily Family Subfamily Tribe "
    "Subtribe Genus Subgenus Species"
)
_INAT_TAXA = columns(
    "id taxonID identifier parentNameUsageID kingdom phylum class order family genus specificEpithet "
    "infraspecificEpithet modified scientificName taxonRank references"
)
_INAT_NAMES = columns("id vernacularName language locality countryCode source lexicon contributor created")
_BIOSCAN = columns(
    "sampleid processid uri name phylum class order family subfamily tribe genus species subspecies "
    "nucraw image_file large_diptera_family medium_diptera_family small_diptera_family "
    "large_insect_order medium_insect_order small_insect_order chunk_number copyright_license "
    "copyright_holder copyright_institution copyright_contact photographer author"
)


def write_table(
    path: Path, header: Sequence[str], rows: Iterable[Sequence[object]], *, titled: bool = True
) -> None:
    """Write a table: tab-separated without quotes if its extension is ``.tab``, else comma-separated."""
    with path.open("w", encoding="utf-8", newline="") as file:
        tabs = path.suffix == ".tab"
        writer = csv.writer(
            file,
            delimiter="\t" if tabs else ",",
            quoting=csv.QUOTE_NONE if tabs else csv.QUOTE_MINIMAL,
            lineterminator="\n",
        )
        if titled:
            writer.writerow(header)
        writer.writerows(rows)


def write_json(path: Path, content: Any) -> None:  # noqa: ANN401 (JSON is any)
    """Write indented JSON."""
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _chains() -> list[list[object]]:
    """Return the rows of the ITIS chains: species of animals and plants, mostly without an English name."""
    numbers: dict[str, int] = {}
    rows: list[list[object]] = []
    for taxon in TAXA:
        if not taxon.ranks[-1] or taxon.ranks[5] in _NOT_IN_ITIS:
            continue
        chain = [(rank.capitalize(), value) for rank, value in zip(RANKS[:6], taxon.ranks, strict=False)]
        chain = [
            chain[0],
            ("Subkingdom", "Bilateria" if chain[0][1] == "Animalia" else "Viridiplantae"),
            *chain[1:],
        ]
        if taxon.ranks[1] == "Cnidaria":
            chain[1:2] = []
        chain.append(("Species", taxon.name))
        names = [name for _, name in chain]
        tsns = [str(numbers.setdefault(name, _FIRST_TSN + len(numbers))) for name in names]
        spanish = _NAMED_BY_ITIS.get(taxon.name)
        vernacular = (f"{spanish}, {taxon.english}", "Spanish, English") if spanish else ("", "")
        row = [
            "-".join(tsns),
            "->".join(names),
            tsns[-1],
            taxon.name,
            *vernacular,
            "->".join(rank for rank, _ in chain),
        ]
        rows.append([*row, *(dict(chain).get(column, "") for column in _ITIS[7:])])
    return rows


def _inat(folder: Path) -> None:
    """Write the two tables of iNaturalist: its species and one genus, and two common names for each."""
    taxa: list[list[object]] = []
    names: list[list[object]] = []
    for number, taxon in enumerate(taxon for taxon in TAXA if taxon.images[1] or taxon.name == "Quercus"):
        own, rank = _FIRST_INAT + number, "species" if taxon.ranks[-1] else "genus"
        address = f"https://www.inaturalist.org/taxa/{own}"
        taxa.append(
            [own, address, address, "", *taxon.ranks, "", "2024-01-01T00:00:00Z", taxon.name, rank, ""]
        )
        spellings = (taxon.english, taxon.english.title())
        names += [[own, name, "en", "", "", "", "English", "", "2024-01-01T00:00:00Z"] for name in spellings]
    write_table(folder / "taxa.csv", _INAT_TAXA, taxa)
    write_table(folder / "VernacularNames-english.csv", _INAT_NAMES, names)


def _resolved() -> str:
    """Return the lines of ``resolved.jsonl``: the results of the name resolvers for species."""
    lines = []
    for taxon in TAXA:
        if taxon.ranks[5] in _RESOLVED and taxon.ranks[-1]:
            ranks = dict(zip(RANKS, (*taxon.ranks[:-1], taxon.name), strict=True))
            lines.append(json.dumps({taxon.name: {"Open Tree of Life Reference Taxonomy": ranks}}))
    return "\n".join(lines) + "\n"


def _specimens() -> list[dict[str, object]]:
    """Return the records of BIOSCAN, with fictitious barcodes."""
    records = []
    for number, image in enumerate(bioscan_images()):
        known: dict[str, object] = dict.fromkeys(_BIOSCAN, "not_classified")
        known |= dict.fromkeys(
            (column for column in _BIOSCAN if column.startswith(("large", "medium", "small"))), "no_split"
        )
        known |= {rank: value for rank, value in zip(RANKS[1:], image.taxon.ranks[1:], strict=True) if value}
        if image.taxon.ranks[-1]:
            known["species"] = image.taxon.name
        barcode = "".join(Random(image.file).choices("ACGT", k=60))  # noqa: S311 (no secret)
        known |= {
            "sampleid": image.file.removesuffix(".jpg"),
            "processid": f"TOLDEMO{number:05d}-24",
            "uri": f"BOLD:ZZZ{number:04d}",
            "name": image.taxon.name,
            "nucraw": barcode,
            "image_file": image.file,
            "chunk_number": int(image.folder.removeprefix("part")),
            "copyright_license": "CC0",
        }
        records.append(known)
    return records


def write(folder: Path) -> None:
    """Write these tables into a folder."""
    _inat(folder)
    write_json(folder / "BIOSCAN_Insect_Dataset_metadata.jsonld", _specimens())
    write_table(folder / "species_level_taxonomy_chains.csv", _ITIS, _chains())
    (folder / "resolved.jsonl").write_text(_resolved(), encoding="utf-8")

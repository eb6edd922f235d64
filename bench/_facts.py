"""Tables that are made up and have a row an image: media manifests, the metadata of BIOSCAN, and benchmark lists."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
from _columns import below, chosen, chunks, dealt, decimal, fixed, hex_digits, joined, where, write_rows
from _tree import GENUS, ORDER, SPECIES

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa
    from _life import Life

_DEAL, _COPY, _SITE, _LICENCE, _OWNER, _SEQUENCE, _LETTER = range(800, 807)

_MANIFEST = 500_000
"""Rows of a media manifest."""

_LICENCES = (
    "cc-by-nc-4.0", "cc-by-nc-3.0", "cc-by-nc-sa-3.0", "cc-by-2.0", "cc-by-sa-2.5", "cc-0-1.0", "cc-publicdomain",
    "No known copyright restrictions",
)  # fmt: skip
_SITES = (
    "https://www.inaturalist.org/photos/",
    "https://farm5.staticflickr.com/4070/4402683731_",
    "https://commons.wikimedia.org/wiki/File:Specimen_in_its_habitat_",
    "https://api.gbif.org/v1/image/unsafe/",
)
_OWNERS = (
    "Ada {0}",
    '"{0}, Grace"',
    "Museum of {0}",
    "© Zoë {0}, some rights reserved",
    "",
    "{0}",
    "Jean-Baptiste de {0}",
)


def _owners() -> list[str]:
    """Make owners as they stand in a table: some with commas, some with letters beyond ASCII, some unknown."""
    made = [_OWNERS[number % len(_OWNERS)].format(f"Photographer{number}") for number in range(4096)]
    return [f'"{owner}"' if "," in owner.strip('"') and owner[0] != '"' else owner for owner in made]


def write_manifests(folder: Path, life: Life) -> None:
    """Write media manifests with a row for each image of EOL, in an order of their own."""
    folder.mkdir()
    owners = _owners()
    header = (
        b"EOL content ID,EOL page ID,Medium Source URL,EOL Full-Size Copy URL,License Name,Copyright Owner\n"
    )
    for number, start in enumerate(range(0, life.sizes.eol, _MANIFEST), start=1):
        with (folder / f"media_manifest_{number}.csv").open("wb") as file:
            file.write(header if number == 1 else b"")
            for rows in chunks(start, min(start + _MANIFEST, life.sizes.eol)):
                images = dealt(rows, _DEAL, life.sizes.eol)
                content, page, _ = life.eol(images)
                letters = hex_digits(images, _COPY, 2)
                folders = [fixed(letters[:, place : place + 2]) for place in (0, 2, 4)]
                copy = joined(*folders, fixed(letters), separator="/")
                write_rows(
                    file,
                    *(decimal(content), decimal(page)),
                    joined(
                        chosen(_SITES, below(images, _SITE, len(_SITES))),
                        decimal(content * 31),
                        "/original.jpg",
                    ),
                    joined("https://content.eol.org/data/media/", copy, ".jpg"),
                    chosen(_LICENCES, below(images, _LICENCE, len(_LICENCES))),
                    chosen(owners, below(images, _OWNER, len(owners))),
                )


_FAMILY_KNOWN, _GENUS_KNOWN, _SPECIES_KNOWN = 0.97, 0.22, 0.08
"""How many insects are known down to each rank; the order is known of all."""

_BASES = 658
_UNKNOWN = "not_classified"
_UNSPLIT = (
    "large_diptera_family", "medium_diptera_family", "small_diptera_family", "large_insect_order",
    "medium_insect_order", "small_insect_order",
)  # fmt: skip
_RIGHTS = '  "copyright_license": "CC-BY-SA-2.5",\n  "copyright_holder": "CBG Photography Group"\n'


def _sequences() -> pa.Array:
    """Make some barcodes of DNA."""
    numbers = np.arange(1024, dtype=np.uint64)
    letters = np.stack([below(numbers, _LETTER + place, 4) for place in range(_BASES)], axis=1)
    return fixed(np.frombuffer(b"ACGT", np.uint8)[letters])


def write_insects(path: Path, life: Life) -> None:
    """Write ``BIOSCAN_Insect_Dataset_metadata.jsonld``, in the order of the parts."""
    sequences = _sequences()
    with path.open("wb") as file:
        file.write(b"[\n")
        for numbers in chunks(0, life.sizes.bioscan):
            genera, species, known = life.insects(numbers)
            order, family, genus = life.tree.lineage(GENUS, genera)[ORDER:]
            sample, image = life.insect_files(numbers)
            fields = {
                "sampleid": sample,
                "processid": joined("TOL", sample),
                "uri": joined("BOLD:", decimal(genera, 7)),
                "name": order,
                "phylum": "Arthropoda",
                "class": "Insecta",
                "order": order,
                "family": where(known < _FAMILY_KNOWN, family, _UNKNOWN),
                "subfamily": _UNKNOWN,
                "tribe": _UNKNOWN,
                "genus": where(known < _GENUS_KNOWN, genus, _UNKNOWN),
                "species": where(known < _SPECIES_KNOWN, life.tree.binomial(species), _UNKNOWN),
                "subspecies": _UNKNOWN,
                "nucraw": chosen(sequences, below(numbers, _SEQUENCE, len(sequences))),
                "image_file": image,
                **dict.fromkeys(_UNSPLIT, "no_split"),
            }
            parts = [joined(f'  "{name}": "', value, '",\n') for name, value in fields.items()]
            is_last = numbers == life.sizes.bioscan - 1
            write_rows(file, " {\n", *parts, _RIGHTS, where(is_last, " }", " },"), separator="")
        file.write(b"]\n")


_RARE, _SEEN = 400, 250
"""Species of the Rare Species benchmark, and how many of them stay in the training data."""

_LISTED = 4
"""All images of a species are on a list but for one in so many."""


def write_rare_species(seen: Path, unseen: Path, life: Life) -> None:
    """List images of species that have about as many of them as those of the benchmark."""
    species = np.flatnonzero(life.kinds == SPECIES)
    pages = species[len(species) // 12 :][: life.sizes.of(_RARE, 4)]
    is_rare = np.zeros(life.sizes.pages, np.bool_)
    is_rare[pages] = True
    images: dict[int, list[str]] = {page: [] for page in pages.tolist()}
    for numbers in chunks(0, life.sizes.eol):
        content, page, about = life.eol(numbers)
        for found in np.flatnonzero(is_rare[about] & (numbers % _LISTED > 0)):
            name = f"{content[found]}_{page[found]}_eol-full-size-copy.jpg"
            images[int(about[found])].append(f"/data/rare-species/{name}")
    lineage = [names.to_pylist() for names in life.tree.lineage(SPECIES, life.taxa[pages])]
    lists: dict[Path, dict[str, list[str]]] = {seen: {}, unseen: {}}
    for number, (paths, *ranks) in enumerate(zip(images.values(), *lineage, strict=True)):
        if number * _RARE < _SEEN * len(pages):
            lists[seen][" ".join(ranks[GENUS:])] = paths
        else:
            lists[unseen]["-".join(ranks)] = paths
    for path, listed in lists.items():
        path.write_text(json.dumps(listed, indent=2), encoding="utf-8")

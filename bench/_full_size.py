"""Make the inputs of a dataset of any size up to the mapping: listings, metadata tables, and settings that name them."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING

from _facts import write_insects, write_manifests, write_rare_species
from _hierarchy import write_hierarchy, write_scraped
from _life import Life
from _mapped import make_mapping
from _scanned import leave_receipts
from _sizes import FULL, Places, Sizes
from _sources import BIOSCAN_ARCHIVE, INAT21_ARCHIVE, make_sources
from _tables import (
    write_chains,
    write_eol_vernaculars,
    write_inat_vernaculars,
    write_resolved,
    write_taxa,
)

if TYPE_CHECKING:
    from collections.abc import Callable


def make(folder: Path, images: int, *, published: bool = False) -> Path:
    """Make everything that stands before the mapping; the same arguments give the same bytes.

    Args:
        folder: Where it goes; nothing of it may be there.
        images: How many images.
        published: Make a published mapping as well, and use it.

    Returns:
        The settings file.
    """
    places, life = Places(folder), Life(Sizes(images))
    make_sources(places, life, published=published)
    places.tables.mkdir()
    tables = _tables(places.tables, life)
    if published:
        tables["published", "mapping"] = places.tables / "mapping.sqlite"
        make_mapping(tables["published", "mapping"], life)
    places.settings.write_text(_settings(life.sizes, tables), encoding="utf-8")
    leave_receipts(places.settings)
    return places.settings


def _tables(folder: Path, life: Life) -> dict[tuple[str, str], Path]:
    """Make the metadata tables, and give them by section and key of the settings."""
    written: dict[tuple[str, str], tuple[str, Callable[[Path, Life], None]]] = {
        ("eol", "taxon_tab"): ("taxon.tab", write_hierarchy),
        ("eol", "scraped_page_ids"): ("scraped_page_ids.csv", write_scraped),
        ("eol", "vernacular_names"): ("vernacularnames.csv", write_eol_vernaculars),
        ("eol", "media_manifests"): ("media_manifest", write_manifests),
        ("inat21", "taxa"): ("taxa.csv", write_taxa),
        ("inat21", "vernacular_names"): ("VernacularNames-english.csv", write_inat_vernaculars),
        ("bioscan", "metadata"): ("BIOSCAN_Insect_Dataset_metadata.jsonld", write_insects),
        ("itis", "chains"): ("species_level_taxonomy_chains.csv", write_chains),
        ("resolved", "jsonl"): ("resolved.jsonl", write_resolved),
    }
    for name, write in written.values():
        write(folder / name, life)
    tables = {setting: folder / name for setting, (name, _) in written.items()}
    for key in ("seen", "unseen"):
        tables["rare_species", key] = folder / f"{key}_in_training.json"
    write_rare_species(tables["rare_species", "seen"], tables["rare_species", "unseen"], life)
    return tables


def _settings(sizes: Sizes, tables: dict[tuple[str, str], Path]) -> str:
    """Name everything, relative to the folder of the settings file."""
    sections: dict[str, dict[str, object]] = {
        "dataset": {"root": "built", "tag": "full"},
        "eol": {"images": "sources/eol"},
        "inat21": {"images": f"sources/{INAT21_ARCHIVE}", "partitions": sizes.groups},
        "bioscan": {"images": f"sources/{BIOSCAN_ARCHIVE}", "partitions": sizes.parts},
        "rare_species": {"allow_no_match": "true"},  # of very few images, none need be on a list
        "report": {"thumbnails": 0},  # the shards have nothing in them
    }
    for (section, key), path in tables.items():
        sections.setdefault(section, {})[key] = f"{path.parent.name}/{path.name}"
    return "\n".join(
        "\n".join([f"[{section}]", *(f"{key} = {value}" for key, value in values.items()), ""])
        for section, values in sections.items()
    )


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=str(__doc__))
    parser.add_argument("folder", type=Path, help="where everything goes")
    parser.add_argument("--images", type=int, default=FULL, help="how many (default: %(default)s)")
    parser.add_argument("--published", action="store_true", help="with a published mapping")
    given = parser.parse_args()
    start = time.process_time()
    print(make(given.folder, given.images, published=given.published))
    print(f"{time.process_time() - start:.1f} s of processor time")


if __name__ == "__main__":
    main()

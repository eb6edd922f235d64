"""Make the inputs of a dataset of any size up to the mapping: listings, metadata tables, and settings that name them."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from _life import Life
from _mapped import make_mapping
from _sizes import FULL, Places, Sizes
from _sources import BIOSCAN_ARCHIVE, INAT21_ARCHIVE, make_sources
from _tables import make_tables


def make(folder: Path, images: int, *, published: bool = False) -> Path:
    """Make everything that stands before the mapping; the same arguments give the same bytes.

    Args:
        folder: Where it goes; it may not be there yet.
        images: How many images.
        published: Make a published mapping as well, and use it.

    Returns:
        The settings file.
    """
    places, life = Places(folder), Life(Sizes(images))
    make_sources(places, life, published=published)
    make_tables(places.tables, life)
    if published:
        make_mapping(places.tables / "mapping.sqlite", life)
    places.settings.write_text(_settings(life.sizes, published=published), encoding="utf-8")
    return places.settings


def _settings(sizes: Sizes, *, published: bool) -> str:
    sections = {
        "dataset": {"root": "built", "tag": "full"},
        "eol": {
            "images": "sources/eol",
            "taxon_tab": "tables/taxon.tab",
            "scraped_page_ids": "tables/scraped_page_ids.csv",
            "vernacular_names": "tables/vernacularnames.csv",
            "media_manifests": "tables/media",
        },
        "inat21": {
            "images": f"sources/{INAT21_ARCHIVE}",
            "taxa": "tables/taxa.csv",
            "vernacular_names": "tables/VernacularNames-english.csv",
            "partitions": sizes.groups,
        },
        "bioscan": {
            "images": f"sources/{BIOSCAN_ARCHIVE}",
            "metadata": "tables/bioscan.jsonld",
            "partitions": sizes.parts,
        },
        "itis": {"chains": "tables/species_level_taxonomy_chains.csv"},
        "resolved": {"jsonl": "tables/resolved.jsonl"},
        "rare_species": {
            "seen": "tables/seen_in_training.json",
            "unseen": "tables/unseen_in_training.json",
            "allow_no_match": "true",
        },
    }
    if published:
        sections["published"] = {"mapping": "tables/mapping.sqlite"}
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

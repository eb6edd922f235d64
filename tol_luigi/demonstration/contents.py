"""What is known of the demonstration sources before they are drawn, and the settings for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["ESTIMATES", "ESTIMATE_ERROR", "FOLDER", "LISTINGS", "PARTITIONS", "settings"]

FOLDER = "demonstration"
"""The folder for the drawn sources, inside the folder of the dataset."""

PARTITIONS: dict[str, tuple[str, ...]] = {
    "eol": ("image_set_01", "image_set_02"),
    "bioscan": ("part1", "part2"),
    "inat21": ("000", "001", "002", "003"),
}
"""The partitions of each source, known before the sources are drawn."""

ESTIMATES = {"eol": (56, 2_200_000), "inat21": (40, 1_310_000), "bioscan": (24, 280_000)}
"""The approximate number of images and bytes of each drawn source."""

ESTIMATE_ERROR = 0.05
"""The largest relative error of these numbers: the bytes depend on the version of Pillow."""

LISTINGS: dict[str, tuple[str, ...]] = {**PARTITIONS, "bioscan": ("archive",)}
"""The units of a scan: one per partition, except for the single archive of BIOSCAN."""


def settings(folder: Path) -> dict[str, dict[str, str]]:
    """Return the settings, by section, with which a build uses the sources in a folder."""
    metadata = folder / "metadata"
    return {
        "eol": {
            "images": str(folder / "eol"),
            "taxon_tab": str(metadata / "taxon.tab"),
            "scraped_page_ids": str(metadata / "scraped_page_ids.csv"),
            "vernacular_names": str(metadata / "vernacularnames.csv"),
            "media_manifests": str(metadata / "media_manifest"),
        },
        "inat21": {
            "images": str(folder / "inat21"),
            "taxa": str(metadata / "taxa.csv"),
            "vernacular_names": str(metadata / "VernacularNames-english.csv"),
            "partitions": str(len(PARTITIONS["inat21"])),
        },
        "bioscan": {
            "images": str(folder / "bioscan" / "cropped_256.zip"),
            "metadata": str(metadata / "BIOSCAN_Insect_Dataset_metadata.jsonld"),
            "partitions": str(len(PARTITIONS["bioscan"])),
        },
        "itis": {"chains": str(metadata / "species_level_taxonomy_chains.csv")},
        "resolved": {"jsonl": str(metadata / "resolved.jsonl")},
        "rare_species": {
            "seen": str(metadata / "seen_in_training.json"),
            "unseen": str(metadata / "unseen_in_training.json"),
        },
    }

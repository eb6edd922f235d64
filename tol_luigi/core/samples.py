"""What a sample says of its picture: the text members, declared once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tol_luigi.core.taxon import common_or_name

if TYPE_CHECKING:
    from tol_luigi.core.taxon import Taxon

__all__ = ["IMAGE", "MEMBERS", "texts"]

IMAGE = "jpg"
"""The extension of the picture itself."""

MEMBERS = (
    "com.txt",
    "common_name.txt",
    IMAGE,
    "sci.txt",
    "sci_com.txt",
    "scientific_name.txt",
    "taxon.txt",
    "taxonTag.txt",
    "taxonTag_com.txt",
    "taxon_com.txt",
    "taxonomic_name.txt",
)
"""The extensions of a sample's members, sorted as they stand in a shard."""


def texts(taxon: Taxon, common: str) -> dict[str, str]:
    """Write the ten texts of a sample.

    Args:
        taxon: What the picture shows.
        common: Its common name, or "" where none is known: then the scientific name stands in, or
            where that is empty too, the taxonomic name.

    Returns:
        Text by member extension: every one of ``MEMBERS`` but the picture.

    Source: the text types of TreeOfLife-10M, from which BioCLIP was trained.
    """
    common = common_or_name(taxon, common)
    tagged = " ".join(f"{rank} {name}" for rank, name in taxon.tagged)
    return {
        "scientific_name.txt": taxon.scientific,
        "taxonomic_name.txt": taxon.taxonomic,
        "common_name.txt": common,
        "sci.txt": f"a photo of {taxon.scientific}.",
        "com.txt": f"a photo of {common}.",
        "taxon.txt": f"a photo of {taxon.taxonomic}.",
        "taxonTag.txt": f"a photo of {tagged}.",
        "sci_com.txt": f"a photo of {taxon.scientific} with common name {common}.",
        "taxon_com.txt": f"a photo of {taxon.taxonomic} with common name {common}.",
        "taxonTag_com.txt": f"a photo of {tagged} with common name {common}.",
    }

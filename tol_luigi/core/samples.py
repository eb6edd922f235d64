"""What a sample says of its picture: the text members, declared once."""

from __future__ import annotations

import re
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


_BREAKS = re.compile("[\0\n\r\v\f\x1c-\x1e\x85\u2028\u2029]+")
"""NUL, and whatever ends a line. Some published names hold them; the texts of a sample are one line each."""


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
    scientific, taxonomic = taxon.scientific, taxon.taxonomic
    if _BREAKS.search(f"{common} {tagged}"):  # the ranks are all in the latter
        common, tagged, scientific, taxonomic = (
            _BREAKS.sub(" ", text) for text in (common, tagged, scientific, taxonomic)
        )
    return {
        "scientific_name.txt": scientific,
        "taxonomic_name.txt": taxonomic,
        "common_name.txt": common,
        "sci.txt": f"a photo of {scientific}.",
        "com.txt": f"a photo of {common}.",
        "taxon.txt": f"a photo of {taxonomic}.",
        "taxonTag.txt": f"a photo of {tagged}.",
        "sci_com.txt": f"a photo of {scientific} with common name {common}.",
        "taxon_com.txt": f"a photo of {taxonomic} with common name {common}.",
        "taxonTag_com.txt": f"a photo of {tagged} with common name {common}.",
    }

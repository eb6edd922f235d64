"""The members of a sample: the image and its texts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from tol_luigi.core.taxon import common_or_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tol_luigi.core.taxon import Taxon

__all__ = [
    "IMAGE",
    "IMAGE_EXTENSIONS",
    "IMAGE_FORMATS",
    "MEMBERS",
    "TEXTS",
    "ImageFormat",
    "image_of",
    "one_line",
    "texts",
]


class ImageFormat(NamedTuple):
    """A format of the images of samples.

    Attributes:
        name: Its name in texts.
        extension: The extension of the image in a sample.
        pillow: Pillow's name of it.
        media_type: Its media type.
    """

    name: str
    extension: str
    pillow: str
    media_type: str


IMAGE_FORMATS = {
    "jpeg": ImageFormat("JPEG", "jpg", "JPEG", "image/jpeg"),
    "webp": ImageFormat("WebP", "webp", "WEBP", "image/webp"),
}
"""The formats of the images of samples by the value of ``[images] format``; the first is the published one."""

IMAGE_EXTENSIONS = tuple(form.extension for form in IMAGE_FORMATS.values())
"""The extensions that the image of a sample can have; a sample has one of them."""

IMAGE = IMAGE_FORMATS["jpeg"].extension
"""The extension of the image in the published format."""

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
"""The extensions of a published sample's members, in their order in a shard."""

TEXTS = tuple(name for name in MEMBERS if name != IMAGE)
"""The extensions of its texts."""


def image_of(members: Mapping[str, bytes]) -> bytes:
    """Return the image among the members of a sample, whatever its format.

    Raises:
        KeyError: There is none.
    """
    for extension in IMAGE_EXTENSIONS:
        if extension in members:
            return members[extension]
    raise KeyError("image")


_BREAKS = re.compile("[\0\n\r\v\f\x1c-\x1e\x85\u2028\u2029]+")
"""NUL and all line breaks. Some published names contain them; each text of a sample is one line."""


def one_line(text: str) -> str:
    """Return a text with a blank instead of each NUL or line break."""
    return _BREAKS.sub(" ", text)


def texts(taxon: Taxon, common: str) -> dict[str, str]:
    """Return the ten texts of a sample.

    Args:
        taxon: The taxon of the image.
        common: Its common name, or "" if none is known: then the scientific name replaces it, or the
            taxonomic name if that is empty, too.

    Returns:
        Texts by member extension: all of ``MEMBERS`` except the image.

    Source: the text types of TreeOfLife-10M, on which BioCLIP was trained.
    """
    common = common_or_name(taxon, common)
    tagged = " ".join(f"{rank} {name}" for rank, name in taxon.tagged)
    scientific, taxonomic = taxon.scientific, taxon.taxonomic
    if _BREAKS.search(f"{common} {tagged}"):  # the latter contains all ranks
        common, tagged, scientific, taxonomic = (
            one_line(text) for text in (common, tagged, scientific, taxonomic)
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

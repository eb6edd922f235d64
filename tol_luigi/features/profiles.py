"""The built-in extractors, and sets of them: all that the settings need to know of them."""

from __future__ import annotations

__all__ = ["BUILT_IN", "MODEL_KINDS", "PROFILES"]

BUILT_IN = {
    "hash": "hashes",
    "quality": "quality",
    "exif": "exif",
    "pdq": "pdq",
    "opennsfw": "opennsfw",
    "centerface": "centerface",
    "efficientnet-lite0": "imagenet",
    "textregions": "textregions",
    "profanity": "profanity",
    "clip": "clip",
    "nsfw-clip-head": "nsfw_head",
    "scrfd": "scrfd",
    "copy": "copy_detection",
    "detoxify": "detoxify",
    "blip2": "captions",
}
"""The modules of the built-in extractors, by name or kind; each is loaded when it is used."""

MODEL_KINDS = ("clip", "nsfw-clip-head", "scrfd", "copy", "detoxify", "blip2")
"""The kinds of extractors that need a model of the user: ``<kind>:<model>``."""

PROFILES: dict[str, tuple[str, ...]] = {
    "light": ("hash", "quality"),
    "offline": (
        "hash",
        "quality",
        "exif",
        "opennsfw",
        "centerface",
        "efficientnet-lite0",
        "textregions",
        "profanity",
    ),
    # The models of dataset2metadata, by their names there.
    "datacomp": (
        "clip:oai-clip-vit-b32",
        "clip:oai-clip-vit-l14",
        "detoxify:nsfw-detoxify",
        "nsfw-clip-head:nsfw-image-oai-clip-vit-l-14",
        "copy:dedup-isc-ft-v107",
        "scrfd:faces-scrfd10g",
    ),
    "bioclip": ("hash", "quality", "clip:bioclip"),
}
"""The extractors of each profile."""

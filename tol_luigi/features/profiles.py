"""The built-in extractors, and sets of them: all that the settings need to know of them."""

from __future__ import annotations

__all__ = ["BUILT_IN", "PROFILES"]

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
}
"""The extractors of each profile."""

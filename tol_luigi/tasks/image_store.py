"""How the archives of images by URL store them: as received, or at a bounded size."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tol_luigi.core.bounded_images import bounded_image, image_size
from tol_luigi.core.reader import MemberError
from tol_luigi.downloads.kept_images import CUT, RECEIVED, RESIZED, StoredImage
from tol_luigi.sources.url_reader import cut_box

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tol_luigi.core.images import ImageSpec
    from tol_luigi.sources.url_rows import Box
    from tol_luigi.tasks.settings import Settings

__all__ = ["ImageStore", "image_store", "is_stored_alike"]

_KEYS = (
    *(f"fetch.{key}" for key in ("store", "resized_size", "resized_quality")),
    *(
        f"images.{key}"
        for key in ("exif", "resize", "max_pixels", "max_memory_mib", "transparency", "high_bit_depth")
    ),
    "encoder",
)
"""The recorded settings that determine what a resized image looks like."""


@dataclass(frozen=True)
class ImageStore:
    """How images are stored.

    Attributes:
        side: The largest number of pixels of a side; None if images are stored as received.
        spec: How images are decoded and encoded.
    """

    side: int | None
    spec: ImageSpec

    def stored(self, image: StoredImage, box: Box | None) -> StoredImage:
        """Return what is stored of an image, of which only a box is used if there is one."""
        if self.side is None or image.stored:
            return image
        content = image.content
        size = image_size(content, self.spec)
        width, height = (size.width, size.height) if size else (None, None)
        part = cut_box(content, box) if box else content
        if isinstance(part, MemberError):  # the scan reports it
            return StoredImage(content, RECEIVED, width, height)
        bounded = bounded_image(part, self.side, self.spec)
        stored = CUT if box else RECEIVED if bounded is content else RESIZED
        return StoredImage(bounded, stored, width, height)


def image_store(settings: Settings) -> ImageStore:
    """Return how the settings store images."""
    section = settings.fetch
    side = section.resized_size if section.store == "resized" else None
    return ImageStore(side, replace(settings.image_spec, jpeg_quality=section.resized_quality))


def is_stored_alike(record: Mapping[str, Any], determining: Mapping[str, Any]) -> bool:
    """Return whether two datasets would store an image in the same way, by their recorded settings."""
    return all(record.get(key) == determining.get(key) for key in _KEYS)

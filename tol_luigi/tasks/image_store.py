"""How the archives of images by URL store them: as received, or at a bounded size."""

from __future__ import annotations

import contextlib
import os
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tol_luigi.core.bounded_images import bounded_image, image_size
from tol_luigi.core.digests import json_digest
from tol_luigi.core.ordered import in_order
from tol_luigi.core.reader import MemberError
from tol_luigi.downloads.fetch_outcomes import RECEIVED, RESIZED, StoredImage
from tol_luigi.downloads.fetch_urls import as_received
from tol_luigi.sources.url_reader import CUT, cut_box

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tol_luigi.core.images import ImageSpec
    from tol_luigi.downloads.fetch_urls import Images
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


_LARGE_PIXELS = 16_000_000
_ONE_LARGE = threading.Lock()
"""Larger images are resized one after the other, so that the memory of a process stays that of one image, and a little more."""

_MOST_THREADS = 4

_AHEAD = 2
"""How many images wait for each thread."""


@dataclass(frozen=True)
class ImageStore:
    """How images are stored.

    Attributes:
        side: The largest number of pixels of a side; None if images are stored as received.
        spec: How images are decoded and encoded.
        name: What determines what is stored, as text; "" for images as received.
    """

    side: int | None
    spec: ImageSpec
    name: str = ""

    @property
    def threads(self) -> int:
        """The number of threads that resize images as they arrive, 0 if none is resized."""
        return min(_MOST_THREADS, len(os.sched_getaffinity(0))) if self.side else 0

    def images(self, content: bytes, boxes: frozenset[Box | None]) -> Images:
        """Return what is stored of a received image, of which some boxes are used."""
        if self.side is None:
            return as_received(content, boxes)
        return {box: self.stored(StoredImage(content), box) for box in boxes}

    def in_order(self, images: Iterable[tuple[StoredImage, Box | None]]) -> Iterator[StoredImage]:
        """Yield what is stored of images and their boxes, in their order; some are resized at the same time."""
        threads = max(1, self.threads)
        return in_order(lambda pair: self.stored(*pair), images, threads, ahead=_AHEAD * threads)

    def stored(self, image: StoredImage, box: Box | None) -> StoredImage:
        """Return what is stored of an image, of which only a box is used if there is one."""
        if self.side is None or image.stored:
            return image
        content = image.content
        size = image_size(content, self.spec)
        width, height = (size.width, size.height) if size else (None, None)
        with _ONE_LARGE if size and size.width * size.height > _LARGE_PIXELS else contextlib.nullcontext():
            part = cut_box(content, box) if box else content
            if isinstance(part, MemberError):  # the scan reports it
                return StoredImage(content, RECEIVED, width, height)
            bounded = bounded_image(part, self.side, self.spec)
        stored = CUT if box else RECEIVED if bounded is content else RESIZED
        return StoredImage(bounded, stored, width, height)


def image_store(settings: Settings) -> ImageStore:
    """Return how the settings store images."""
    section = settings.fetch
    spec = replace(settings.image_spec, jpeg_quality=section.resized_quality)
    if section.store == "original":
        return ImageStore(None, spec)
    return ImageStore(section.resized_size, spec, json_digest(_identity(settings.determining)))


def is_stored_alike(record: Mapping[str, Any], determining: Mapping[str, Any]) -> bool:
    """Return whether two datasets would store an image in the same way, by their recorded settings."""
    return _identity(record) == _identity(determining)


def _identity(record: Mapping[str, Any]) -> list[Any]:
    return [record.get(key) for key in _KEYS]

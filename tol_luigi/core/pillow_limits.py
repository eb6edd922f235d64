"""Pillow's two global switches: how large an image may be, and whether it may be truncated."""

from __future__ import annotations

import contextlib
import threading
import warnings
from typing import TYPE_CHECKING

from PIL import Image, ImageFile

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["pillow_limits"]

_SWITCHES = threading.RLock()


@contextlib.contextmanager
def pillow_limits(*, max_pixels: int, lenient: bool) -> Iterator[None]:
    """Set the switches for one image and restore them afterwards; other threads wait."""
    with _SWITCHES:
        before = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES
        # Pillow rejects images with more than twice this number, and checks each frame of an animation.
        Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES = -(-max_pixels // 2), lenient
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield
        finally:
            Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES = before

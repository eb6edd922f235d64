"""Images resized by OpenCV as ``img2dataset`` does it: with one thread, the area filter, and OpenCV's JPEG encoder."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

try:
    import cv2
except ImportError:  # optional
    cv2: Any = None  # type: ignore[no-redef]
else:
    cv2.setNumThreads(1)

Pixels = NDArray[np.uint8]

__all__ = ["decoded", "encoded", "is_installed", "resized"]


def is_installed() -> bool:
    """Return whether OpenCV can be imported."""
    return cv2 is not None


def decoded(content: bytes) -> Pixels:
    """Return the pixels of an image file."""
    pixels: Pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    return pixels


def resized(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    """Return pixels in another size: by the area filter, or enlarged by Lanczos's."""
    is_smaller = pixels.shape[1] >= size[0] and pixels.shape[0] >= size[1]
    smaller: Pixels = cv2.resize(
        pixels, size, interpolation=cv2.INTER_AREA if is_smaller else cv2.INTER_LANCZOS4
    )
    return smaller


def encoded(pixels: Pixels, quality: int) -> bytes:
    """Return a JPEG of pixels."""
    return bytes(cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1])

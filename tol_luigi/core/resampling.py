"""Resizing with Pillow's bicubic filter: by a compiled kernel that makes the same bytes in less time, or by Pillow.

The kernel (``tol_luigi/native``) is missing if the package was installed without a C compiler.
"""

from __future__ import annotations

import functools
import hashlib
import logging
from typing import TYPE_CHECKING, Any

from PIL import Image, features

try:
    from tol_luigi.core import _resampling
except ImportError:
    _resampling: Any = None  # type: ignore[no-redef]

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["AUTO", "KERNELS", "PILLOW", "is_faster", "kernel_label", "kernel_name", "kernels", "resize"]

AUTO, PLAIN, PILLOW = "auto", "plain", "pillow"

KERNELS = (AUTO, PLAIN, PILLOW)
"""The values of ``[images] kernel``."""

_LOG = logging.getLogger("luigi-interface")

_STORED = {"RGB": (4, "RGBX"), "L": (1, "L")}
"""The modes that the kernel resizes, with the bytes of a pixel in Pillow's memory and Pillow's name for that layout."""

_TESTED = [
    ("RGB", (67, 45), (22, 19), (0, 0, 67, 45)),
    ("RGB", (31, 18), (40, 43), (1.3, 0.4, 29.8, 17.1)),
    ("RGB", (19, 150), (17, 11), (0, 2.5, 19, 149)),  # the height first
    ("RGB", (120, 9), (13, 7), (0.7, 0, 120, 9)),  # more weights than a register of AVX-512 holds
    ("L", (120, 9), (13, 7), (0.7, 0, 120, 9)),
    ("L", (67, 45), (33, 19), (0.5, 0, 66, 45)),
    ("L", (3, 2), (11, 5), (0, 0, 3, 2)),
]
"""Modes, sizes, new sizes and boxes that take every way through the kernel."""


def resize(
    image: Image.Image, size: tuple[int, int], box: tuple[float, float, float, float], kernel: str = AUTO
) -> Image.Image:
    """Return a part of an image in another size; bytes and metadata are those of ``Image.resize`` with ``BICUBIC``.

    Args:
        image: A decoded image of any mode. The kernel resizes RGB and L whose rows are in one block of memory, Pillow all others.
        size: The new width and height, in pixels.
        box: The part: left, top, right and bottom, in pixels.
        kernel: One of ``KERNELS`` or of :func:`kernels`.
    """
    name = kernel_name(kernel)
    if name == PILLOW or image.mode not in _STORED:
        return image.resize(size, Image.Resampling.BICUBIC, box)
    bands, layout = _STORED[image.mode]
    try:
        _, array = image.__arrow_c_array__()
        pixels = _resampling.resize(array, bands, image.size, size, box, name)
    except ValueError:  # several blocks, or a size or a box that Pillow reads in another way or refuses
        return image.resize(size, Image.Resampling.BICUBIC, box)
    resized = Image.frombytes(image.mode, size, pixels, "raw", layout)
    resized.info = image.info.copy()
    return resized


@functools.cache
def kernels() -> Sequence[str]:
    """Return the names of the kernels that this processor can run, from the slowest to the fastest."""
    return _resampling.kernels() if _resampling else []


def kernel_name(kernel: str = AUTO) -> str:
    """Return what resizes images: a name of :func:`kernels`, or ``pillow``.

    Args:
        kernel: One of ``KERNELS`` or of :func:`kernels`.
    """
    available = kernels()
    # Pillow is as fast as plain C.
    name = (PILLOW, *available[1:])[-1] if kernel == AUTO else kernel
    return name if name in available and _is_exact(name) else PILLOW


def is_faster(kernel: str) -> bool:
    """Return whether a kernel of :func:`kernel_name` is faster than Pillow; plain C is as fast."""
    return kernel not in {PLAIN, PILLOW}


def kernel_label(kernel: str) -> str:
    """Return a name of :func:`kernel_name` as it is shown to users."""
    return "Pillow" if kernel == PILLOW else f"compiled code ({kernel})"


@functools.cache
def _is_exact(name: str) -> bool:
    """Return whether a kernel and Pillow make the same bytes of some noise; if not, log a warning."""
    for mode, size, new_size, box in _TESTED:
        bands, layout = _STORED[mode]
        noise = hashlib.shake_128(b"").digest(bands * size[0] * size[1])
        image = Image.frombytes(mode, size, noise, "raw", layout)
        _, array = image.__arrow_c_array__()
        pixels = _resampling.resize(array, bands, size, new_size, box, name)
        resized = Image.frombytes(mode, new_size, pixels, "raw", layout)
        if resized.tobytes() != image.resize(new_size, Image.Resampling.BICUBIC, box).tobytes():
            _LOG.warning(
                "The kernel %s resizes images otherwise than Pillow %s, so Pillow is used, which takes longer. Please report this.",
                name,
                features.version("pil"),
            )
            return False
    return True

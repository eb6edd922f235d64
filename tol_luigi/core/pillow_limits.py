"""Pillow's global switches: how large an image may be, whether it may be truncated, and how it is stored."""

from __future__ import annotations

import contextlib
import threading
import warnings
from typing import TYPE_CHECKING

from PIL import Image, ImageFile, _imaging

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["pillow_limits"]

_ENTRY = threading.Lock()
"""Held by a thread until its limits are set, so that one with other limits is not overtaken for ever."""

_STATE = threading.Condition()
_users = 0
_limits: tuple[int, bool] = (0, False)
_restore = contextlib.ExitStack()

_BLOCK = 1 << 30
"""The bytes that Pillow may store as one block: images in several blocks cannot be read by other programs in place."""


@contextlib.contextmanager
def pillow_limits(*, max_pixels: int, lenient: bool) -> Iterator[None]:
    """Set the switches for one image and restore them afterwards.

    Threads with the same limits go on at the same time, others wait. A thread must not ask for limits within its block.
    """
    wanted = max_pixels, lenient
    with _ENTRY, _STATE:
        _STATE.wait_for(lambda: not _users or _limits == wanted)
        _enter(wanted)
    try:
        yield
    finally:
        with _STATE:
            _leave()


def _enter(wanted: tuple[int, bool]) -> None:
    global _users, _limits  # noqa: PLW0603 (so are the switches)
    if not _users:
        _limits = wanted
        block = _imaging.get_block_size()
        _restore.callback(_switch, Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, block)
        # Pillow rejects images with more than twice this number, and checks each frame of an animation.
        _switch(-(-wanted[0] // 2), wanted[1], max(block, _BLOCK))
        _restore.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
    _users += 1


def _leave() -> None:
    global _users  # noqa: PLW0603 (as above)
    _users -= 1
    if not _users:
        _restore.close()
        _STATE.notify_all()


def _switch(pixels: int | None, lenient: bool, block: int) -> None:
    Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES = pixels, lenient
    _imaging.set_block_size(block)

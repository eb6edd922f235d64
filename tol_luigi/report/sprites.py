"""Sheets of thumbnails: many small images in one file."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, NamedTuple

from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["COLUMNS", "PER_SHEET", "SIDE", "SpritePlace", "sprite_place", "sprite_sheets"]

SIDE = 80
"""The side of a thumbnail in pixels."""

COLUMNS = 20
"""How many thumbnails a row of a sheet has."""

PER_SHEET = COLUMNS * 20
"""How many thumbnails a sheet has."""

_QUALITY = 72
_EMPTY = (128, 128, 128)


class SpritePlace(NamedTuple):
    """Where a thumbnail is: the number of its sheet, and its field there, from the upper left corner in pixels."""

    sheet: int
    left: int
    top: int


def sprite_place(number: int) -> SpritePlace:
    """Return where a thumbnail is, by its number among all."""
    sheet, within = divmod(number, PER_SHEET)
    row, column = divmod(within, COLUMNS)
    return SpritePlace(sheet, column * SIDE, row * SIDE)


def sprite_sheets(jpegs: Iterable[bytes]) -> Iterator[bytes]:
    """Yield sheets of thumbnails as JPEG, whose bytes depend on the images and on Pillow alone.

    Args:
        jpegs: The images, in the order of their places: row by row, sheet by sheet.
    """
    waiting: list[Image.Image] = []
    for jpeg in jpegs:
        waiting.append(_thumbnail(jpeg))
        if len(waiting) == PER_SHEET:
            yield _sheet(waiting)
            waiting = []
    if waiting:
        yield _sheet(waiting)


def _thumbnail(jpeg: bytes) -> Image.Image:
    """Return the thumbnail of an image, with its aspect ratio."""
    with Image.open(io.BytesIO(jpeg)) as image:
        image.draft("RGB", (SIDE, SIDE))
        small = image.convert("RGB")
    small.thumbnail((SIDE, SIDE), Image.Resampling.BICUBIC)
    return small


def _sheet(thumbnails: list[Image.Image]) -> bytes:
    rows = -(-len(thumbnails) // COLUMNS)
    sheet = Image.new("RGB", (min(len(thumbnails), COLUMNS) * SIDE, rows * SIDE), _EMPTY)
    for number, one in enumerate(thumbnails):
        place = sprite_place(number)
        sheet.paste(one, (place.left + (SIDE - one.width) // 2, place.top + (SIDE - one.height) // 2))
    written = io.BytesIO()
    sheet.save(written, "JPEG", quality=_QUALITY)
    return written.getvalue()

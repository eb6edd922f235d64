"""Boxes in images: fitting an image into a square, and choosing among overlapping boxes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Fitted", "fit", "suppress"]


class Fitted(NamedTuple):
    """An image that is reduced or enlarged into a square, at its upper left.

    Attributes:
        pixels: The pixels of the square, (side, side, 3); what the image does not cover is black.
        width: How many columns of it are the image.
        height: How many rows of it are the image.
    """

    pixels: NDArray[np.uint8]
    width: int
    height: int


def fit(image: Image.Image, side: int) -> Fitted:
    """Return an image in a square of some side, with its proportions kept."""
    longer = max(image.size)
    width, height = (max(1, (2 * length * side + longer) // (2 * longer)) for length in image.size)
    pixels = np.zeros((side, side, 3), np.uint8)
    pixels[:height, :width] = np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))
    return Fitted(pixels, width, height)


def suppress(boxes: NDArray[np.float64], scores: NDArray[Any], overlap: float) -> list[int]:
    """Return which boxes remain, the best first, if each removes worse ones that it overlaps.

    Args:
        boxes: Left, top, right and bottom, (N, 4).
        scores: The score of each; equal ones are taken in their order.
        overlap: The intersection of two boxes, as a part of their union, from which the worse one is removed.
    """
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    waiting = np.argsort(-scores, kind="stable")
    kept = []
    while len(waiting):
        best, waiting = waiting[0], waiting[1:]
        kept.append(int(best))
        sides = np.minimum(boxes[best, 2:], boxes[waiting, 2:]) - np.maximum(
            boxes[best, :2], boxes[waiting, :2]
        )
        common = np.prod(np.maximum(sides, 0), axis=1)
        union = areas[best] + areas[waiting] - common
        waiting = waiting[common < overlap * union]
    return kept

"""Extrapolate from the parts of a source that were read to all of it, with the likely error."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Part", "Total", "extrapolate"]

_FEWEST_PARTS = 5
"""The smallest number of parts from whose differences an error is estimated."""

_LEAST_ERROR = 0.01
"""The smallest relative error of an estimate."""


class Part(NamedTuple):
    """A part that was read: its weight, such as the bytes of an archive, and the images in it with their bytes."""

    weight: float
    images: int
    bytes: int


class Total(NamedTuple):
    """Estimated images and bytes, and the likely relative error of both; None if it is unknown."""

    images: float
    bytes: float
    error: float | None


def extrapolate(parts: Sequence[Part], weight: float) -> Total:
    """Extrapolate by weight: the ratio estimator, with twice its standard error.

    Args:
        parts: The parts that were read.
        weight: The weight of all parts, read or not.
    """
    read = sum(part.weight for part in parts)
    images, size = sum(part.images for part in parts), sum(part.bytes for part in parts)
    if not images or not read:
        return Total(0, 0, None)
    errors = [
        _relative_error([(part.weight, value) for part, value in zip(parts, values, strict=True)])
        for values in ([part.images for part in parts], [part.bytes for part in parts])
    ]
    unread = 1 - min(read / weight, 1)
    error = max(_LEAST_ERROR, max(errors) * math.sqrt(unread))
    is_known = len(parts) >= _FEWEST_PARTS and error < 1
    return Total(images * weight / read, size * weight / read, error if is_known else None)


def _relative_error(pairs: Sequence[tuple[float, int]]) -> float:
    """Return twice the standard error of the sum of values, relative to it, from pairs of weight and value."""
    weights, values = sum(weight for weight, _ in pairs), sum(value for _, value in pairs)
    squares = sum((value - values / weights * weight) ** 2 for weight, value in pairs)
    return 2 * math.sqrt(squares * len(pairs) / max(len(pairs) - 1, 1)) / max(values, 1)

"""Where an image lies in its sample: stretched over it, cut to its shape, or with bars at two sides."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["FITS", "Placement", "placement"]

FITS = ("stretch", "crop", "pad")
"""The values of ``[images] fit``."""

_Size = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Placement:
    """Which part of an image becomes which part of a sample.

    Attributes:
        box: The part of the image that is shown: left, top, right and bottom in its pixels, not always whole numbers.
        size: The width and the height that this part has in the sample, in pixels.
        corner: Its left upper corner in the sample.
    """

    box: tuple[float, float, float, float]
    size: _Size
    corner: _Size = (0, 0)

    @property
    def enlarges(self) -> bool:
        """Whether the sample shows the image larger than it is, in any direction."""
        left, top, right, bottom = self.box
        return self.size[0] > right - left or self.size[1] > bottom - top


def placement(image: _Size, sample: _Size, fit: str) -> Placement:
    """Return where an image lies in its sample.

    Args:
        image: The width and the height of the image, in pixels.
        sample: Those of the sample.
        fit: ``stretch`` shows all of the image and changes its aspect ratio, as in the published dataset. ``crop``
            keeps the ratio and shows the middle of the image; ``pad`` keeps it and shows all of the image.
    """
    (width, height), (across, down) = image, sample
    if fit == "crop":
        scale = max(across / width, down / height)
        # Rounding must not make the box larger than the image.
        shown = min(across / scale, width), min(down / scale, height)
        left, top = (width - shown[0]) / 2, (height - shown[1]) / 2
        return Placement((left, top, left + shown[0], top + shown[1]), sample)
    if fit == "pad":
        scale = min(across / width, down / height)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        corner = (across - size[0]) // 2, (down - size[1]) // 2
        return Placement((0, 0, width, height), size, corner)
    return Placement((0, 0, width, height), sample)

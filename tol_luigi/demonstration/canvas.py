"""Draw shapes with smooth outlines, and with light from the upper left, in a local coordinate system."""

from __future__ import annotations

import cmath
import itertools
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from PIL import ImageColor

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from PIL import ImageDraw

__all__ = ["Canvas", "Colour", "Style", "colour", "mix", "smooth_curve"]

Colour = tuple[int, int, int]

_LIGHT = -0.42 - 0.55j
"""The direction of the light, from the upper left, as a share of the radius of a shape."""

_OPAQUE = 255
_RIM = 0.34
"""The outer share of a round shape that is shaded."""

_JOINT = 3
"""Lines narrower than this, in pixels, need no round joints."""


def colour(text: str) -> Colour:
    """Parse a colour, such as ``#a0522d``."""
    red, green, blue = ImageColor.getrgb(text)[:3]
    return red, green, blue


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """Blend two colours. ``share`` is the share of the second colour, from 0 to 1."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def smooth_curve(points: Sequence[complex], *, closed: bool, steps: int = 6) -> list[complex]:
    """Return a smooth curve (Catmull-Rom) through points."""
    count = len(points)
    spans = range(count if closed else count - 1)
    curve = []
    for span in spans:
        near = (span - 1, span, span + 1, span + 2)
        a, b, c, d = (points[i % count if closed else min(max(i, 0), count - 1)] for i in near)
        for step in range(steps):
            t = step / steps
            curve.append(
                b + t * ((c - a) / 2 + t * (a - 2.5 * b + 2 * c - d / 2 + t * (1.5 * (b - c) + (d - a) / 2)))
            )
    return curve if closed else [*curve, points[-1]]


def _parse_outline(outline: Sequence[complex] | str) -> Sequence[complex]:
    """Parse an outline that is a string."""
    if not isinstance(outline, str):
        return outline
    pairs = (pair.split(",") for pair in outline.split())
    return [complex(float(x), float(y)) for x, y in pairs]


@dataclass(frozen=True)
class Canvas:
    """A drawing surface with local coordinates: complex numbers, x to the right, y down, about -50 to 50.

    Outlines are sequences of points, or a string: ``"0,-28 17,-23"``.

    Attributes:
        opaque: The Pillow drawing for opaque shapes.
        translucent: The Pillow drawing for translucent shapes.
        rng: The random numbers of the image.
        origin: The position of the local origin, in pixels.
        unit: The length of 1 in local coordinates, in pixels, with the rotation as its angle.
        mirrored: Whether left and right are swapped.
    """

    opaque: ImageDraw.ImageDraw
    translucent: ImageDraw.ImageDraw
    rng: Random
    origin: complex
    unit: complex
    mirrored: bool

    def move(self, by: complex, scale: float = 1.0, turn: float = 0.0) -> Canvas:
        """Return a canvas that is moved, scaled and rotated clockwise.

        Args:
            by: The new origin, in the coordinates of this canvas.
            scale: The new unit, in units of this canvas.
            turn: The angle in radians.
        """
        spin = cmath.rect(scale, -turn if self.mirrored else turn)
        return replace(self, origin=self.to_pixels(by), unit=self.unit * spin)

    def flip(self) -> Canvas:
        """Return a canvas with left and right swapped."""
        return replace(self, mirrored=not self.mirrored)

    def both_sides(self) -> tuple[Canvas, Canvas]:
        """Return this canvas and its mirror image, for symmetric figures."""
        return self, self.flip()

    def to_pixels(self, point: complex) -> complex:
        """Convert a point from local coordinates to pixels."""
        return self.origin + self.unit * (-point.conjugate() if self.mirrored else point)

    def jitter(self, value: float, share: float = 0.12) -> float:
        """Vary a number randomly by at most ``share`` of its value."""
        return value * self.rng.uniform(1 - share, 1 + share)

    def shape(
        self,
        points: Sequence[complex] | str,
        tint: Colour,
        *,
        relief: float = 0.22,
        alpha: int = _OPAQUE,
        soft: bool = True,
    ) -> None:
        """Fill a closed outline.

        Args:
            points: The outline, in local coordinates.
            tint: The colour.
            relief: The strength of the shading, from 0 (flat) to 1.
            alpha: The opacity, from 0 (invisible) to 255 (opaque). Translucent shapes are flat.
            soft: Whether the outline is a smooth curve through the points, not a polygon.
        """
        corners = _parse_outline(points)
        outline = [self.to_pixels(p) for p in (smooth_curve(corners, closed=True) if soft else corners)]
        if alpha < _OPAQUE:
            self.translucent.polygon([(p.real, p.imag) for p in outline], fill=(*tint, alpha))
            return
        middle = sum(outline) / len(outline)
        radius = sum(abs(p - middle) for p in outline) / len(outline)
        layers = 1 if relief == 0 else min(7, max(3, round(radius / 9)))
        for layer in range(layers):
            depth = layer / layers
            if depth < _RIM:
                shade = mix(tint, (24, 22, 40), relief * (0.75 - depth / 0.45))
            else:
                shade = mix(tint, (255, 252, 236), relief * (depth - _RIM) * 1.3)
            size = 1 - 0.9 * depth
            centre = middle * (1 - size) + _LIGHT * radius * 0.55 * depth
            x, y = centre.real, centre.imag
            self.opaque.polygon([(x + p.real * size, y + p.imag * size) for p in outline], fill=shade)

    def oval(
        self,
        at: complex,
        wide: float,
        high: float,
        tint: Colour,
        *,
        turn: float = 0,
        relief: float = 0.22,
        alpha: int = _OPAQUE,
    ) -> None:
        """Fill an ellipse around ``at`` with semi-axes ``wide`` and ``high``, rotated clockwise."""
        spin = cmath.rect(1, turn)
        angles = (math.tau * step / 32 for step in range(32))
        ring = [at + spin * complex(wide * math.cos(a), high * math.sin(a)) for a in angles]
        self.shape(ring, tint, relief=relief, alpha=alpha, soft=False)

    def stroke(
        self,
        points: Sequence[complex] | str,
        width: float,
        tint: Colour,
        *,
        end: float | None = None,
        alpha: int = _OPAQUE,
    ) -> None:
        """Draw a curve through points, with its width changing from ``width`` to ``end`` (default: same)."""
        line = [self.to_pixels(p) for p in smooth_curve(_parse_outline(points), closed=False, steps=6)]
        last = width if end is None else end
        unit = abs(self.unit)
        if alpha < _OPAQUE:
            self.translucent.line(
                [(p.real, p.imag) for p in line], (*tint, alpha), max(1, round(width * unit)), "curve"
            )
            return
        for step, (a, b) in enumerate(itertools.pairwise(line)):
            thick = max(1.0, (width + (last - width) * step / len(line)) * unit)
            self.opaque.line([(a.real, a.imag), (b.real, b.imag)], tint, max(1, round(thick)))
            if thick > _JOINT:
                self.opaque.circle((b.real, b.imag), thick / 2, tint)
        if width * unit > _JOINT:
            self.opaque.circle((line[0].real, line[0].imag), width * unit / 2, tint)

    def eye(self, at: complex, size: float, iris: Colour = (26, 20, 18)) -> None:
        """Draw an eye with a glint."""
        self.oval(at, size, size, iris, relief=0)
        self.oval(at, size * 0.62, size * 0.62, (12, 10, 12), relief=0)
        self.oval(at + size * (-0.3 - 0.35j), size * 0.3, size * 0.3, (250, 250, 250), relief=0)

    def shadow(self, at: complex, wide: float, high: float) -> None:
        """Draw a soft elliptical shadow on the ground."""
        for step in range(14):
            self.oval(at, wide * (1 - step / 17), high * (1 - step / 17), (20, 26, 20), alpha=9)


@dataclass(frozen=True)
class Style:
    """The appearance of a taxon.

    Attributes:
        figure: The name of its figure in ``tol_luigi.demonstration.drawings``.
        scenes: The scenes in which it appears.
        tints: Its colours; their meaning depends on the figure.
        form: A proportion; its meaning depends on the figure.
        mark: A pattern; its values depend on the figure.
    """

    figure: str
    scenes: tuple[str, ...]
    tints: tuple[Colour, ...]
    form: float = 1.0
    mark: str = ""

    def varied(self, rng: Random) -> Style:
        """Return the style of one individual: slightly warmer, cooler, lighter or darker."""
        cast = rng.choice(((255, 235, 190), (190, 215, 255), (255, 255, 255), (30, 24, 30)))
        share = rng.uniform(0, 0.1)
        return replace(self, tints=tuple(mix(tint, cast, share) for tint in self.tints))

"""The pen that the drawings are drawn with: soft outlines, light from the upper left, its own frame."""

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

__all__ = ["Colour", "Look", "Pen", "colour", "mix", "smooth"]

Colour = tuple[int, int, int]

_LIGHT = -0.42 - 0.55j
"""Where the light comes from: the upper left, as a share of a shape's radius."""

_OPAQUE = 255
_RIM = 0.34
"""The outer share of a round shape that lies in its own shade."""

_JOINT = 3
"""A line of fewer pixels shows no joints."""


def colour(text: str) -> Colour:
    """Read a colour, such as ``#a0522d``."""
    red, green, blue = ImageColor.getrgb(text)[:3]
    return red, green, blue


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """Blend two colours; ``share`` (0 to 1) is that of the second."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def smooth(points: Sequence[complex], *, closed: bool, steps: int = 6) -> list[complex]:
    """Lay a soft curve (Catmull-Rom) through points."""
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


def _points(outline: Sequence[complex] | str) -> Sequence[complex]:
    """Read an outline that is written as a text."""
    if not isinstance(outline, str):
        return outline
    pairs = (pair.split(",") for pair in outline.split())
    return [complex(float(x), float(y)) for x, y in pairs]


@dataclass(frozen=True)
class Pen:
    """Draws in its own frame: x to the right, y down, as a complex number; a picture spans about -50 to 50.

    Outlines are sequences of such points, or a text: ``"0,-28 17,-23"``.

    Attributes:
        ink: Draws opaquely.
        glaze: Draws with transparency.
        dice: The picture's numbers of chance.
        origin: Where the frame's origin lies, in pixels.
        unit: What a length of 1 in the frame is, in pixels, with the turn as its angle.
        mirrored: Whether left and right are exchanged.
    """

    ink: ImageDraw.ImageDraw
    glaze: ImageDraw.ImageDraw
    dice: Random
    origin: complex
    unit: complex
    mirrored: bool

    def moved(self, by: complex, scale: float = 1.0, turn: float = 0.0) -> Pen:
        """Return a pen whose origin lies at ``by``, which draws ``scale`` times as large, turned clockwise.

        Args:
            by: The new origin, in this pen's frame.
            scale: The new unit, in this pen's.
            turn: In radians.
        """
        spin = cmath.rect(scale, -turn if self.mirrored else turn)
        return replace(self, origin=self.place(by), unit=self.unit * spin)

    def flipped(self) -> Pen:
        """Return a pen that exchanges left and right of the frame."""
        return replace(self, mirrored=not self.mirrored)

    def both(self) -> tuple[Pen, Pen]:
        """Return two pens for what is the same on either side of the frame's upright axis."""
        return self, self.flipped()

    def place(self, point: complex) -> complex:
        """Turn a point of the frame into pixels."""
        return self.origin + self.unit * (-point.conjugate() if self.mirrored else point)

    def about(self, value: float, share: float = 0.12) -> float:
        """Vary a number by chance, by at most ``share`` of itself."""
        return value * self.dice.uniform(1 - share, 1 + share)

    def blob(
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
            points: The outline, in the frame.
            tint: The colour.
            relief: How round it looks, from 0 (flat) to 1.
            alpha: From 0 (invisible) to 255 (opaque). What is transparent is flat.
            soft: Whether the outline is a curve through the points, or has corners.
        """
        corners = _points(points)
        outline = [self.place(p) for p in (smooth(corners, closed=True) if soft else corners)]
        if alpha < _OPAQUE:
            self.glaze.polygon([(p.real, p.imag) for p in outline], fill=(*tint, alpha))
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
            self.ink.polygon([(x + p.real * size, y + p.imag * size) for p in outline], fill=shade)

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
        """Fill an ellipse around ``at`` with the half axes ``wide`` and ``high``, turned clockwise."""
        spin = cmath.rect(1, turn)
        angles = (math.tau * step / 32 for step in range(32))
        ring = [at + spin * complex(wide * math.cos(a), high * math.sin(a)) for a in angles]
        self.blob(ring, tint, relief=relief, alpha=alpha, soft=False)

    def stroke(
        self,
        points: Sequence[complex] | str,
        width: float,
        tint: Colour,
        *,
        end: float | None = None,
        alpha: int = _OPAQUE,
    ) -> None:
        """Draw a curve through points, ``width`` wide at its start and ``end`` (or as wide) at its end."""
        line = [self.place(p) for p in smooth(_points(points), closed=False, steps=6)]
        last = width if end is None else end
        unit = abs(self.unit)
        if alpha < _OPAQUE:
            self.glaze.line(
                [(p.real, p.imag) for p in line], (*tint, alpha), max(1, round(width * unit)), "curve"
            )
            return
        for step, (a, b) in enumerate(itertools.pairwise(line)):
            thick = max(1.0, (width + (last - width) * step / len(line)) * unit)
            self.ink.line([(a.real, a.imag), (b.real, b.imag)], tint, max(1, round(thick)))
            if thick > _JOINT:
                self.ink.circle((b.real, b.imag), thick / 2, tint)
        if width * unit > _JOINT:
            self.ink.circle((line[0].real, line[0].imag), width * unit / 2, tint)

    def eye(self, at: complex, size: float, iris: Colour = (26, 20, 18)) -> None:
        """Draw an eye with a glint."""
        self.oval(at, size, size, iris, relief=0)
        self.oval(at, size * 0.62, size * 0.62, (12, 10, 12), relief=0)
        self.oval(at + size * (-0.3 - 0.35j), size * 0.3, size * 0.3, (250, 250, 250), relief=0)

    def shadow(self, at: complex, wide: float, high: float) -> None:
        """Darken the ground softly, in an ellipse."""
        for step in range(14):
            self.oval(at, wide * (1 - step / 17), high * (1 - step / 17), (20, 26, 20), alpha=9)


@dataclass(frozen=True)
class Look:
    """How a kind of living thing looks.

    Attributes:
        figure: What draws it: a name of ``tol_luigi.demonstration.drawings``.
        scenes: The places where it may be met.
        tints: Its colours; each figure says which is which.
        form: A proportion; each figure says which.
        mark: A pattern; each figure knows its own.
    """

    figure: str
    scenes: tuple[str, ...]
    tints: tuple[Colour, ...]
    form: float = 1.0
    mark: str = ""

    def varied(self, dice: Random) -> Look:
        """Return the look of one individual, a little warmer, cooler, lighter or darker than the others."""
        cast = dice.choice(((255, 235, 190), (190, 215, 255), (255, 255, 255), (30, 24, 30)))
        share = dice.uniform(0, 0.1)
        return replace(self, tints=tuple(mix(tint, cast, share) for tint in self.tints))

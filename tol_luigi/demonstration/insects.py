"""Draw insects, all from above."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tol_luigi.demonstration.canvas import colour, mix

if TYPE_CHECKING:
    from tol_luigi.demonstration.canvas import Canvas, Style

__all__ = ["ant", "bee", "beetle", "butterfly", "dragonfly"]

_BLACK, _WHITE = colour("#1e1b1f"), colour("#f6f3ea")


def _facing(canvas: Canvas) -> Canvas:
    """Rotate the canvas randomly and draw a shadow."""
    canvas = canvas.move(0j, 1, canvas.rng.uniform(-0.7, 0.7))
    canvas.shadow(2 + 4j, 24, 34)
    return canvas


def beetle(canvas: Canvas, style: Style) -> None:
    """Draw a beetle. Tints: wing cases, shield, marks; form: length; mark: spots or jaws."""
    cases, shield, marks = style.tints
    canvas, long = _facing(canvas), style.form
    for half in canvas.both_sides():
        for leg in ("10,-10 22,-18 26,-28", "12,4 27,4 33,12", "10,18 22,24 25,38"):
            half.stroke(leg, 2.2, _BLACK, end=1.2)
        if style.mark == "jaws":
            half.shape("2,-31 9,-35 13,-44 8,-52 5,-50 8,-44 4,-38 1,-36", marks)
            half.stroke("6,-31 14,-34 17,-40 20,-40", 1, _BLACK)
        else:
            half.stroke("4,-30 10,-36 14,-37", 0.9, _BLACK, end=1.6)
    canvas.oval(-27j, 8.5, 6, mix(shield, _BLACK, 0.4))
    canvas.shape("0,-29 12,-27 16,-18 10,-13 0,-12 -10,-13 -16,-18 -12,-27", shield)
    for half in canvas.both_sides():
        outline = [
            0 - 15j,
            9 - 15j,
            complex(19 / long, -2),
            complex(19.5 / long, 12 * long),
            10 + 26j * long,
            0 + 31j * long,
        ]
        half.shape(outline, cases, relief=0.3)
        if style.mark == "spots":
            half.oval(11 - 21j, 3, 2.4, _WHITE, relief=0.1)
            for at in (10 - 5j, 13 + 8j, 7 + 20j):
                half.oval(at * 1.02, 4, 4, marks, relief=0.1)
        else:
            for line in (5, 10):
                half.stroke(
                    [complex(line * 0.8, -12), complex(line, 6), complex(line * 0.7, 24 * long)],
                    0.6,
                    mix(cases, _BLACK, 0.4),
                )
    canvas.stroke([-14j, 30.5j * long], 0.8, mix(cases, _BLACK, 0.7))
    if style.mark == "spots":
        canvas.oval(-13j, 4.4, 4, marks, relief=0.1)
    canvas.stroke([-7 - 2j, -9 + 10j], 1.6, mix(cases, _WHITE, 0.6), end=0.8)


def butterfly(canvas: Canvas, style: Style) -> None:
    """Draw a butterfly with open wings. Tints: wings, edge, dots; mark: veins or tails."""
    wing, edge, dots = style.tints
    canvas = canvas.move(0j, 1.02, canvas.rng.uniform(-0.4, 0.4))
    canvas.shadow(3 + 6j, 40, 26)
    fold, tails = canvas.rng.uniform(0.88, 1), style.mark == "tails"

    def shaped(text: str) -> list[complex]:
        """Parse an outline, narrowed by how far the wings are closed."""
        return [complex(float(x) * fold, float(y)) for x, y in (pair.split(",") for pair in text.split())]

    for half in canvas.both_sides():
        half.shape(shaped("3,2 20,4 33,12 32,25 22,33 12,27"), edge)
        if tails:
            half.shape(shaped("18,29 26,27 26,36 24,43 21,43 21,36"), edge)
        half.shape(shaped("4,3 20,6 29,13 27,21 19,27 12,22"), wing)
        half.shape(shaped("2,-4 12,-22 34,-33 45,-30 43,-16 36,0 18,6"), edge)
        half.shape(shaped("3,-3 13,-18 30,-27 38,-24 35,-14 30,-3 17,3"), wing)
        for vein in ("3,-3 18,-18 34,-26", "3,-3 20,-12 36,-19", "4,-2 20,-6 34,-8", "4,-1 18,0 28,-2"):
            half.stroke(shaped(vein), 1.1, edge, end=0.6)
        for vein in ("4,4 18,9 29,14", "4,4 16,14 25,22", "4,5 11,15 16,24"):
            half.stroke(shaped(vein), 1, edge, end=0.6)
        for step in range(8):
            half.oval(shaped(f"{42.5 - step * 0.9:.1f},{-28 + step * 3.7:.1f}")[0], 1.05, 0.9, dots, relief=0)
        for at in shaped("31.5,13 31.5,17.5 30.5,22 27.5,26 24,29.5 19.5,29.5"):
            half.oval(at, 1.1, 0.9, dots, relief=0)
        if tails:
            half.shape(shaped("12,-22 17,-25 20,-14 14,-12"), edge, relief=0)
            half.shape(shaped("22,-28 26,-30 28,-20 24,-20"), edge, relief=0)
            half.oval(shaped("14,23")[0], 3.2, 3.2, colour("#3f6fb4"), relief=0.1)
            half.oval(shaped("13,24.6")[0], 2.2, 1.8, colour("#c8452e"), relief=0)
        half.stroke("0,-13 4,-24 9,-31", 0.7, _BLACK)
        half.oval(9 - 31j, 1.3, 1.3, _BLACK, relief=0)
    canvas.shape("0,-9 3,-5 2.4,8 0,25 -2.4,8 -3,-5", mix(edge, _BLACK, 0.4))
    canvas.oval(-11j, 2.8, 3, mix(edge, _BLACK, 0.5))


def _hair(canvas: Canvas, at: complex, wide: float, high: float, tint: tuple[int, int, int]) -> None:
    """Draw short hair around an ellipse."""
    for step in range(56):
        root = complex(wide * math.cos(step * 0.11 * math.pi / 3), high * math.sin(step * 0.11 * math.pi / 3))
        tip = root * canvas.rng.uniform(1.08, 1.2)
        canvas.stroke([at + root * 0.8, at + tip], 0.8, mix(tint, _WHITE, canvas.rng.uniform(0, 0.25)))


def bee(canvas: Canvas, style: Style) -> None:
    """Draw a bee or a fly. Tints: thorax, abdomen, bands; form: width; mark: fly or hairy."""
    thorax, body, bands = style.tints
    canvas, wide, fly = _facing(canvas), style.form, style.mark == "fly"
    for half in canvas.both_sides():
        for leg in ("6,-12 18,-20 22,-30", "8,-6 22,-4 28,6", "6,2 18,10 20,26"):
            half.stroke(leg, 1.8, mix(_BLACK, bands if fly else _BLACK, 0.3), end=1)
    canvas.shape(
        [
            complex(x * wide, y)
            for x, y in ((0, -4), (13, 2), (15, 16), (9, 29), (0, 35), (-9, 29), (-15, 16), (-13, 2))
        ],
        body,
    )
    for row, y in enumerate((5, 12, 19, 26)):
        reach = wide * (14.5, 15.5, 14, 10.5)[row] * 0.97
        tint = _WHITE if style.mark == "hairy" and y > 20 else bands if row % 2 == 0 or fly else body  # noqa: PLR2004
        canvas.stroke(
            [complex(-reach, y - 1), complex(0, y + 1.6), complex(reach, y - 1)], 2.6 if fly else 4.4, tint
        )
    if style.mark == "hairy":
        _hair(canvas, -11j, 12 * wide, 11, thorax)
    canvas.oval(-11j, 12 * wide, 11, thorax)
    if style.mark == "hairy":
        canvas.shape("-11,-17 0,-21 11,-17 9,-14 0,-16 -9,-14", bands)
    canvas.oval(-24j, 8.5, 6, mix(thorax, _BLACK, 0.5))
    for half in canvas.both_sides():
        half.oval(
            5.4 - 25j, 4.6 if fly else 2.6, 5.2 if fly else 4, colour("#8c3b2c") if fly else _BLACK, turn=0.4
        )
        half.stroke("2,-28 5,-34 10,-36" if not fly else "1.5,-29 3,-33", 1, _BLACK)
        half.shape("6,-12 22,-12 40,2 44,14 36,18 18,8", (226, 234, 240), alpha=120)
        half.stroke("6,-11 24,-9 42,10", 0.6, (90, 84, 80), alpha=150)
        half.stroke("8,-9 20,0 36,15", 0.5, (90, 84, 80), alpha=130)
        if not fly:
            half.shape("7,-6 20,4 30,16 26,22 14,12", (226, 234, 240), alpha=110)


def ant(canvas: Canvas, style: Style) -> None:
    """Draw an ant. Tints: thorax, abdomen, head."""
    thorax, body, head = style.tints
    canvas, stride = _facing(canvas), canvas.rng.uniform(-3, 3)
    for half, lag in zip(canvas.both_sides(), (stride, -stride), strict=True):
        half.stroke(
            [3 - 10j, complex(16, -18 + lag), complex(22, -28 + lag), complex(28, -36 + lag)],
            1.7,
            mix(thorax, _BLACK, 0.4),
            end=0.9,
        )
        half.stroke(
            [3 - 5j, complex(18, -7 - lag), complex(27, 1 - lag), complex(34, 4 - lag)],
            1.7,
            mix(thorax, _BLACK, 0.4),
            end=0.9,
        )
        half.stroke(
            [3 + 0j, complex(15, 9 + lag), complex(21, 22 + lag), complex(29, 33 + lag)],
            1.7,
            mix(thorax, _BLACK, 0.4),
            end=0.9,
        )
        half.stroke(
            [4 - 33j, complex(12, -38 + lag), complex(15, -40 + lag), complex(19, -47 + lag)],
            1.2,
            mix(head, _BLACK, 0.4),
        )
        half.shape("1,-36 6,-38 5,-42 1,-41", mix(head, _BLACK, 0.3))
    canvas.shape("0,6 9,12 12,22 8,33 0,38 -8,33 -12,22 -9,12", body)
    for y in (15, 22, 29):
        canvas.stroke([complex(-9.5, y), complex(0, y + 2.4), complex(9.5, y)], 0.7, mix(body, _WHITE, 0.25))
    canvas.oval(4j, 3, 3.4, thorax)
    canvas.shape("0,-21 6,-17 5,-9 4,0 0,3 -4,0 -5,-9 -6,-17", thorax)
    canvas.shape("0,-40 7,-37 9,-29 5,-22 0,-21 -5,-22 -9,-29 -7,-37", head)
    for half in canvas.both_sides():
        half.oval(6.4 - 31j, 1.4, 2, _BLACK, relief=0)


def dragonfly(canvas: Canvas, style: Style) -> None:
    """Draw a dragonfly. Tints: thorax, abdomen, bands."""
    thorax, body, bands = style.tints
    canvas = canvas.move(3j, 1.02, canvas.rng.uniform(-0.8, 0.8))
    for half in canvas.both_sides():
        for wing in ("3,-17 20,-25 42,-25 48,-21 42,-17 20,-13", "3,-12 20,-13 40,-5 45,0 38,3 18,-2"):
            half.shape(wing, (232, 240, 244), alpha=150)
            half.shape(wing, (160, 190, 205), alpha=50)
        for vein in ("3,-17 22,-24 46,-22", "3,-16 24,-19 44,-19", "3,-12 22,-10 43,-2", "3,-11 20,-6 38,1"):
            half.stroke(vein, 0.6, (70, 74, 76))
        for step in range(9):
            half.stroke(
                [complex(8 + 4 * step, -22.5 + 0.1 * step), complex(8.5 + 4 * step, -16)], 0.4, (90, 96, 98)
            )
            half.stroke(
                [complex(8 + 3.6 * step, -12 + step), complex(8 + 3.4 * step, -7 + 0.9 * step)],
                0.4,
                (90, 96, 98),
            )
        half.shape("39,-24.5 44,-23.6 43.6,-22.6 39,-23.4", _BLACK, relief=0)
        half.shape("37,-6 41,-3.6 40.4,-2.6 36.6,-4.8", _BLACK, relief=0)
    canvas.shape("0,-8 3.4,-4 2.3,4 2.8,24 3.2,36 1.6,42 -1.6,42 -3.2,36 -2.8,24 -2.3,4 -3.4,-4", body)
    for row in range(9):
        for half in canvas.both_sides():
            half.oval(complex(1.3, -3 + 4.7 * row), 1.1, 1.5, bands, relief=0)
    canvas.shape("0,-26 6.5,-22 6.5,-13 3,-6 -3,-6 -6.5,-13 -6.5,-22", thorax)
    for half in canvas.both_sides():
        half.stroke("2.6,-23 3.4,-14", 2, bands)
        half.oval(3.6 - 29j, 4.6, 4.2, mix(bands, colour("#3c6f9c"), 0.5))

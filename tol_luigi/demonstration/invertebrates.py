"""Draw invertebrates other than insects."""

from __future__ import annotations

import cmath
import itertools
import math
from typing import TYPE_CHECKING

from tol_luigi.demonstration.canvas import colour, mix

if TYPE_CHECKING:
    from tol_luigi.demonstration.canvas import Canvas, Style

__all__ = ["jellyfish", "octopus", "snail", "spider", "starfish"]

_BLACK, _WHITE = colour("#1e1b1f"), colour("#f6f3ea")


def spider(canvas: Canvas, style: Style) -> None:
    """Draw a spider in its web. Tints: body, legs, marks."""
    body, legs, marks = style.tints
    hub, silk = canvas.move(2 - 3j), (238, 242, 244)
    spokes = [cmath.rect(1, math.tau * (k + canvas.rng.uniform(-0.2, 0.2)) / 16) for k in range(16)]
    for spoke in spokes:
        hub.stroke([0j, spoke * 110], 0.35, silk, alpha=150)
    for ring in range(4, 22):
        for first, second in zip(spokes, [*spokes[1:], spokes[0]], strict=True):
            far = ring * 3.2
            hub.stroke([first * far, (first + second) / 2 * far * 0.95, second * far], 0.3, silk, alpha=120)
    canvas = canvas.move(1j, 1.1, canvas.rng.uniform(-0.25, 0.25) + math.pi)
    for half in canvas.both_sides():
        for leg in (
            "3,-14 14,-30 18,-36 12,-48",
            "4,-12 20,-22 26,-26 28,-38",
            "4,-8 18,-4 24,0 31,-2",
            "3,-5 16,12 20,20 17,36",
        ):
            half.stroke(leg, 2.4, legs, end=0.8)
            half.stroke(leg, 0.9, mix(legs, _BLACK, 0.5), end=0.4)
    canvas.oval(-11j, 6, 8, mix(body, legs, 0.4))
    canvas.shape("0,-6 12,-1 15,9 9,22 0,27 -9,22 -15,9 -12,-1", body, relief=0.3)
    for half in canvas.both_sides():
        half.stroke("10,0 12,8 6,20 2,24", 1.2, mix(body, _BLACK, 0.45))
        half.oval(3 + 5.4j, 2.2, 1.1, marks, relief=0)
        half.oval(7.4 + 5.8j, 1.1, 1.1, marks, relief=0)
        half.oval(1.8 - 17j, 0.9, 0.9, _BLACK, relief=0)
    for y in (0, 3.4, 8, 11.4, 15):
        canvas.oval(complex(0, y), 1.2, 1.8, marks, relief=0)


def octopus(canvas: Canvas, style: Style) -> None:
    """Draw an octopus. Tints: skin, suckers."""
    skin, cups = style.tints
    canvas, rng = canvas.move(-3j), canvas.rng
    for arm in (-4, 4, -3, 3, -2, 2, -1, 1):
        side, rank = (1 if arm > 0 else -1), abs(arm)
        tint, wave = mix(skin, _BLACK, 0.05 * rank), rng.uniform(-0.25, 0.25)
        root, way = complex(3 * arm, 6), cmath.rect(1, math.pi / 2 - side * (0.44 * rank - 0.22))
        path = [root]
        for joint in range(9):
            curl = (-0.16 + 0.1 * joint) * (1 if joint > 2 + rank % 2 else -1) + wave * (1 - joint / 6)
            way *= cmath.rect(1, -side * curl * 0.75)
            path.append(path[-1] + way * (7.4 - 0.42 * joint))
        canvas.stroke([p + 1 + 1.4j for p in path], 6.6, mix(tint, _BLACK, 0.35), end=1.2)
        canvas.stroke(path, 6.6, tint, end=1.2)
        for joint, (here, after) in enumerate(itertools.pairwise(path)):
            aside = (after - here) / abs(after - here) * 1j * side * (1.9 - 0.17 * joint)
            for at in (here, (here + after) / 2):
                canvas.oval(at + aside, 1.25 - 0.1 * joint, 1.25 - 0.1 * joint, cups, relief=0)
    canvas.shape("0,-38 14,-33 20,-18 16,-4 14,10 0,15 -14,10 -16,-4 -20,-18 -14,-33", skin, relief=0.3)
    for _ in range(16):
        at = complex(rng.uniform(-12, 12), rng.uniform(-34, -10))
        canvas.oval(at, canvas.jitter(1.5, 0.5), 1.1, mix(skin, cups, 0.35), relief=0)
    for half in canvas.both_sides():
        half.oval(9 + 1j, 5, 4.6, mix(skin, _WHITE, 0.25))
        half.oval(9.4 + 1j, 3.3, 3, colour("#e8c964"), relief=0)
        half.oval(9.4 + 1j, 2.6, 1, _BLACK, relief=0)


def jellyfish(canvas: Canvas, style: Style) -> None:
    """Draw jellyfish. Tints: bell, rings."""
    bell, rings = style.tints
    for at, scale in ((-30 - 28j, 0.35), (31 + 16j, 0.42), (-1 - 4j, 1.0)):
        one = canvas.move(at, scale, canvas.rng.uniform(-0.3, 0.3))
        for lace in range(23):
            x, sway = -29 + 58 * lace / 22, canvas.rng.uniform(-4, 4)
            one.stroke(
                [complex(x, 6), complex(x + sway, 16), complex(x * 0.94 - sway, canvas.jitter(28, 0.25))],
                0.5,
                bell,
                alpha=120,
            )
        for lace in (-9, -3, 3, 9):
            one.stroke(
                [
                    complex(lace, 4),
                    complex(lace * 1.2 + 3, 20),
                    complex(lace * 1.5 - 3, 34),
                    complex(lace * 1.2, 44),
                ],
                3,
                mix(bell, rings, 0.3),
                alpha=110,
            )
        dome = "-33,8 -32,-8 -20,-25 0,-31 20,-25 32,-8 33,8 22,11 11,8 0,11 -11,8 -22,11"
        one.shape(dome, bell, alpha=120)
        one.shape("-27,3 -26,-9 -16,-21 0,-26 16,-21 26,-9 27,3 0,6", bell, alpha=80)
        one.shape("-24,-10 -15,-22 0,-27 -8,-20 -16,-9", (255, 255, 255), alpha=90)
        for x, y in ((-8, -10), (8, -10), (-13, -1), (13, -1)):
            for size in (6.4, 5.2):
                one.oval(complex(x, y), size, size * 0.68, rings, alpha=90)
            one.oval(complex(x, y), 3, 1.8, bell, alpha=130)


def starfish(canvas: Canvas, style: Style) -> None:
    """Draw a starfish. Tints: skin, knobs."""
    skin, knobs = style.tints
    canvas = canvas.move(1j, 1.05, canvas.rng.uniform(-0.6, 0.6))
    canvas.shadow(3 + 4j, 36, 36)
    outline, arms = [], []
    for arm in range(5):
        out = cmath.rect(1, math.tau * (arm + canvas.rng.uniform(-0.1, 0.1)) / 5 - math.pi / 2)
        bend = cmath.rect(1, canvas.rng.uniform(-0.16, 0.16))
        arms.append((out, bend))
        outline += [
            out * (13 - 9.5j),
            out * bend * (30 - 6j),
            out * bend**2 * 45,
            out * bend * (30 + 6j),
            out * (13 + 9.5j),
        ]
    canvas.shape(outline, skin, relief=0.38)
    for out, bend in arms:
        for step in range(9):
            at = out * bend ** (step / 4.5) * (5 + 4.4 * step)
            canvas.oval(at, 1.5 - 0.09 * step, 1.5 - 0.09 * step, knobs, relief=0.2)
            for side in (-1, 1):
                canvas.oval(
                    at * (1 + 0.0j) + out * 1j * side * (5.4 - 0.4 * step),
                    0.9,
                    0.9,
                    mix(knobs, skin, 0.3),
                    relief=0,
                )
    canvas.oval(1.5 + 1j, 2.2, 2.2, mix(knobs, _WHITE, 0.3))


def snail(canvas: Canvas, style: Style) -> None:
    """Draw a snail. Tints: shell, band, body."""
    shell, band, body = style.tints
    canvas.shadow(2 + 31j, 42, 5)
    canvas.shape("-44,30 -26,19 0,16 20,16 28,2 36,-6 43,-2 42,10 36,24 26,31 0,32", body)
    for row in range(26):
        at = complex(canvas.rng.uniform(-30, 34), 0) + complex(0, canvas.rng.uniform(22, 29))
        canvas.oval(at, 1.4, 0.8, mix(body, _BLACK if row % 2 else _WHITE, 0.18), relief=0)
    for tip in (35 - 25j, 45 - 23j):
        canvas.stroke([38 - 3j, (38 - 3j + tip) / 2 + 1, tip], 2.2, body, end=1.2)
        canvas.oval(tip, 1.6, 1.6, _BLACK, relief=0.1)
    canvas.stroke("42,6 48,8", 1.6, body, end=0.9)
    centre = -6 + 0j
    canvas.oval(centre, 27, 25, shell, relief=0.34)
    canvas.shape("8,16 20,12 24,19 12,24 2,24", shell)
    spiral = [centre + cmath.rect(23.5 * math.exp(-0.115 * k), 0.9 - k * 0.62) for k in range(24)]
    canvas.stroke(spiral, 4, band, end=1)
    canvas.stroke([centre + (p - centre) * 1.13 for p in spiral], 1, mix(shell, _BLACK, 0.45), end=0.4)
    canvas.shape("-24,-10 -14,-20 -4,-21 -12,-14", (255, 255, 255), alpha=70)

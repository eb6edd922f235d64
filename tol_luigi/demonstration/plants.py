"""Draw plants, fungi and lichens."""

from __future__ import annotations

import cmath
import math
from typing import TYPE_CHECKING

from tol_luigi.demonstration.canvas import colour, mix

if TYPE_CHECKING:
    from tol_luigi.demonstration.canvas import Canvas, Style

__all__ = ["bracket", "broadleaf", "conifer", "daisy", "fern", "lichen", "mushroom", "poppy"]

_BLACK, _WHITE, _STEM = colour("#1e1b1f"), colour("#f6f3ea"), colour("#4f7f3a")


def _bunch(canvas: Canvas) -> list[tuple[Canvas, float]]:
    """Return the canvas and the stalk length of three flowers, the nearest last."""
    places = ((-24 - 12j, 0.62), (25 - 20j, 0.56), (1 - 4j, 1.0))
    bunch = []
    for at, scale in places:
        by = at + complex(canvas.rng.uniform(-5, 5), canvas.rng.uniform(-6, 6))
        bunch.append((canvas.move(by, canvas.jitter(scale), canvas.rng.uniform(-0.2, 0.2)), 90 / scale))
    return bunch


def daisy(canvas: Canvas, style: Style) -> None:
    """Draw daisies. Tints: petals, disk, tips of the petals."""
    petals, disk, tips = style.tints
    for flower, stalk in _bunch(canvas):
        flower.stroke([0j, complex(5, stalk / 3), complex(0, stalk)], 2.4, _STEM)
        for layer, count in ((30, 21), (26, 17)):
            for petal in range(count):
                out = cmath.rect(1, math.tau * (petal + flower.rng.uniform(-0.15, 0.15)) / count)
                tint = mix(petals, (160, 160, 190), 0.2 if layer == 30 else 0.02)  # noqa: PLR2004 (the layer behind)
                flower.oval(out * layer * 0.55, layer * 0.46, 3.4, tint, turn=cmath.phase(out), relief=0.1)
                flower.oval(out * layer * 0.96, 1.6, 1.8, tips, turn=cmath.phase(out), alpha=110)
        flower.oval(0j, 9.5, 9.5, disk, relief=0.4)
        for seed in range(60):
            at = cmath.rect(1.12 * math.sqrt(seed), seed * 2.39996)
            flower.oval(
                at, 0.7, 0.7, mix(disk, (150, 90, 10) if seed % 2 else (255, 240, 150), 0.4), relief=0
            )


def poppy(canvas: Canvas, style: Style) -> None:
    """Draw poppies. Tints: petals, heart."""
    petals, heart = style.tints
    for flower, stalk in _bunch(canvas):
        flower.stroke([0j, complex(-6, stalk / 3), complex(2, stalk)], 1.8, _STEM)
        for turn, size in ((0.5, 1.0), (2.1, 1.0), (3.6, 1.0), (5.2, 0.95), (1.2, 0.8), (4.3, 0.8)):
            petal = flower.move(0j, flower.jitter(size), turn)
            rim = "0,0 14,-12 22,-28 12,-34 4,-31 -6,-35 -15,-32 -22,-24 -13,-9"
            petal.shape(rim, mix(petals, _BLACK, 0.12 if size == 1 else 0), relief=0.26)
            for crease in (-8, -3, 3, 9):
                petal.stroke(
                    [complex(crease / 3, -8), complex(crease, -20), complex(crease * 1.4, -29)],
                    0.5,
                    mix(petals, _BLACK, 0.25),
                )
            petal.shape("-4,-4 0,-13 5,-4", heart, relief=0)
        for hair in range(34):
            out = cmath.rect(flower.rng.uniform(6, 12), hair * 0.55)
            flower.stroke([out * 0.3, out], 0.5, heart)
            flower.oval(out, 0.9, 0.9, mix(heart, _WHITE, 0.15), relief=0)
        flower.oval(0j, 4.6, 4.6, colour("#86a05c"))
        for ray in range(8):
            flower.stroke([0j, cmath.rect(4, ray * math.pi / 4)], 0.6, heart)


def broadleaf(canvas: Canvas, style: Style) -> None:
    """Draw a broad-leaved tree. Tints: leaves, trunk."""
    leaves, trunk = style.tints
    canvas = canvas.move(2j)
    canvas.shadow(44j, 36, 4)
    for half in canvas.both_sides():
        half.stroke("1,22 10,6 20,-8", 4.6, trunk, end=2)
        half.stroke("0,16 6,-4 9,-22", 4, trunk, end=1.6)
    canvas.shape("-5,10 5,10 6,30 11,44 2,43 -10,45 -6,30", trunk)
    for groove in (-2.5, 0.5, 3):
        canvas.stroke([complex(groove, 16), complex(groove * 1.2, 40)], 0.7, mix(trunk, _BLACK, 0.35))
    crowns = [
        (22 + 4j, 15),
        (-23 + 3j, 15),
        (31 - 10j, 14),
        (-31 - 11j, 14),
        (0 + 2j, 14),
        (17 - 26j, 17),
        (-17 - 27j, 17),
        (0 - 35j, 14),
        (0 - 16j, 20),
    ]
    for depth, (at, size) in enumerate(crowns):
        heart = at + complex(canvas.rng.uniform(-2, 2), canvas.rng.uniform(-2, 2))
        count = 11
        rim = [heart + cmath.rect(canvas.jitter(size), math.tau * k / count) for k in range(count)]
        canvas.shape(rim, mix(leaves, _BLACK, 0.26 - 0.03 * depth), relief=0.3)
    for _ in range(230):
        at = complex(canvas.rng.gauss(0, 17), canvas.rng.gauss(-16, 11))
        if abs(complex(at.real / 40, (at.imag + 15) / 30)) > 1:
            continue
        lit = at.real + at.imag + 14 < 0
        light = mix(leaves, (236, 240, 150), canvas.rng.uniform(0.05, 0.4))
        shine = light if lit else mix(leaves, _BLACK, canvas.rng.uniform(0, 0.35))
        canvas.oval(at, 1.9, 1.1, shine, turn=canvas.rng.uniform(0, 3), relief=0)


def conifer(canvas: Canvas, style: Style) -> None:
    """Draw a pine. Tints: needles, trunk."""
    needles, trunk = style.tints
    canvas = canvas.move(1j, 1.02)
    canvas.shadow(45j, 28, 4)
    canvas.stroke("3,46 1,20 -3,-6 1,-34", 6.5, trunk, end=2.2)
    for ring in range(12):
        at = complex(1.5 - ring * 0.2, 42 - 5.6 * ring)
        canvas.stroke([at - 1.6, at + 0.6 + 1j], 0.7, mix(trunk, _BLACK, 0.4))
    tiers = [
        (10, 18, -20),
        (6, 16, 21),
        (-4, 19, 19),
        (-9, 19, -19),
        (-19, 17, 14),
        (-22, 16, -13),
        (-33, 15, 2),
        (-28, 12, -4),
    ]
    for y, wide, x in tiers:
        at = complex(x + canvas.rng.uniform(-2, 2), y + canvas.rng.uniform(-1.5, 1.5))
        canvas.stroke([complex(-1, y + 9), at + 3j], 2.2, trunk, end=1.2)
        rim = [
            at
            + complex(
                canvas.jitter(wide * 0.95) * math.cos(k * 0.52), canvas.jitter(6.4, 0.3) * math.sin(k * 0.52)
            )
            for k in range(12)
        ]
        canvas.shape(rim, mix(needles, _BLACK, 0.2), relief=0.34)
        for _ in range(46):
            tuft = at + complex(canvas.rng.uniform(-0.8, 0.8) * wide, canvas.rng.uniform(-4.5, 3.5))
            tip = tuft + complex(canvas.rng.uniform(-2, 2), canvas.rng.uniform(-3.6, -1.6))
            canvas.stroke([tuft, tip], 0.7, mix(needles, (214, 226, 150), canvas.rng.uniform(0, 0.45)))


def fern(canvas: Canvas, style: Style) -> None:
    """Draw the fronds of a fern. Tint: leaves."""
    (leaves,) = style.tints
    root = 6 + 58j
    for lean, long in ((-0.95, 0.8), (0.95, 0.78), (-0.5, 0.95), (0.55, 0.92), (0.03, 1.1)):
        sway, tint = lean + canvas.rng.uniform(-0.1, 0.1), mix(leaves, _BLACK, 0.28 * abs(lean))
        frond = canvas.move(root, long, sway)
        bend = 22 * (1 if sway > 0 else -1)
        stem = [complex(bend * (k / 20) ** 2, -90 * k / 20) for k in range(21)]
        frond.stroke(stem, 1.6, mix(tint, (120, 90, 40), 0.4), end=0.4)
        for step in range(4, 21):
            wide = 24 * (1 - (step / 21) ** 1.6) * min(1.0, step / 6) + 1.5
            for side in (-1, 1):
                out = cmath.rect(1, side * 1.15 - math.pi / 2 + 2 * bend * step / 20 / 90)
                tip = stem[step] + out * wide
                frond.stroke([stem[step], tip], 0.6, tint)
                for leaf in range(1, 8):
                    at, size = stem[step] + out * wide * leaf / 7.4, 0.15 * wide * (1.15 - leaf / 9) + 0.5
                    tone = mix(tint, (220, 236, 140), 0.25 if side < 0 else 0.08)
                    frond.oval(
                        at, size, 0.42 * size + 0.5, tone, turn=cmath.phase(out) - side * 0.9, relief=0
                    )
                    frond.oval(
                        at, size, 0.42 * size + 0.4, tone, turn=cmath.phase(out) + side * 0.9, relief=0
                    )


def mushroom(canvas: Canvas, style: Style) -> None:
    """Draw toadstools with spotted caps. Tints: cap, spots, stem."""
    cap, spots, stem = style.tints
    for at, scale, lean in ((-27 + 19j, 0.48, -0.14), (29 + 22j, 0.4, 0.16), (0 + 2j, 1.0, 0.0)):
        one = canvas.move(at, canvas.jitter(scale, 0.08), lean + canvas.rng.uniform(-0.08, 0.08))
        one.shadow(43j, 22, 4)
        one.shape("-6,-4 6,-4 7,24 12,40 4,44 -4,44 -12,40 -7,24", stem)
        for ring in range(3):
            one.stroke(
                [
                    complex(-10 + ring, 38 - 3 * ring),
                    complex(0, 41 - 3 * ring),
                    complex(10 - ring, 38 - 3 * ring),
                ],
                1.2,
                mix(stem, _BLACK, 0.16),
            )
        one.shape("-8,8 8,8 13,18 6,17 0,20 -6,17 -13,18", mix(stem, _WHITE, 0.4))
        one.shape("-37,0 -20,-5 20,-5 37,0 20,7 -20,7", mix(stem, (150, 130, 90), 0.25))
        for gill in range(-11, 12):
            one.stroke(
                [complex(gill * 0.8, 0), complex(gill * 2.8, 5.6 - 0.05 * gill * gill)],
                0.5,
                mix(stem, _BLACK, 0.3),
            )
        one.shape("-38,2 -34,-14 -20,-28 0,-33 20,-28 34,-14 38,2 20,-2 0,-3 -20,-2", cap, relief=0.32)
        for row, (y, reach, size) in enumerate(
            ((-28, 9, 2.6), (-21, 21, 3.3), (-13, 28, 3.4), (-6, 32, 2.4))
        ):
            for step in range(2 + row):
                x = reach * (2 * step / (1 + row) - 1) + one.rng.uniform(-2, 2)
                spot = complex(x, y + one.rng.uniform(-1.5, 1.5) + 0.004 * x * x)
                one.oval(
                    spot,
                    one.jitter(size, 0.3) * (1 - abs(x) / 80),
                    one.jitter(size * 0.72, 0.3),
                    spots,
                    relief=0.2,
                )


def bracket(canvas: Canvas, style: Style) -> None:
    """Draw bracket fungi on a log. Tints: four zones, from the edge inwards."""
    canvas = canvas.move(0j, 1.05)
    for at, scale in (
        (-20 - 30j, 0.62),
        (21 - 24j, 0.7),
        (-24 + 0j, 0.74),
        (14 + 4j, 0.95),
        (-10 + 26j, 0.8),
        (27 + 30j, 0.6),
    ):
        one = canvas.move(at, canvas.jitter(scale), canvas.rng.uniform(-0.2, 0.2))
        one.shape("-30,1 -24,16 0,25 24,16 30,1 0,-3", (18, 14, 12), alpha=90)
        wave = [1 + 0.1 * math.sin(k * 2.1 + one.rng.uniform(0, 1)) for k in range(13)]
        for zone in range(9):
            size = 1 - 0.105 * zone
            rim = [
                complex(-math.cos(math.pi * k / 12) * 30, math.sin(math.pi * k / 12) * 21 - 2)
                * wave[k]
                * size
                for k in range(13)
            ]
            tint = style.tints[0 if zone == 0 else 1 + (zone - 1) % (len(style.tints) - 1)]
            one.shape(
                [*rim, complex(0, -4 * size)],
                mix(tint, _WHITE, 0.06 * (zone % 2)),
                relief=0.14 if zone == 0 else 0,
            )


def lichen(canvas: Canvas, style: Style) -> None:
    """Draw rosettes of a lichen on stone. Tints: lobes, cups."""
    lobes, cups = style.tints
    for at, size in ((-38 - 19j, 10), (35 + 21j, 13), (-25 + 34j, 8), (24 - 37j, 7), (-3 + 0j, 26)):
        heart = at + complex(canvas.rng.uniform(-3, 3), canvas.rng.uniform(-3, 3))
        for ring, count in ((1.0, 34), (0.84, 30), (0.67, 25), (0.5, 19), (0.33, 13), (0.14, 6)):
            for lobe in range(count):
                out = cmath.rect(1, math.tau * (lobe + canvas.rng.uniform(-0.3, 0.3)) / count)
                reach, tint = canvas.jitter(size * ring, 0.1), mix(lobes, (176, 150, 50), 0.45 * (1 - ring))
                canvas.oval(
                    heart + out * reach, size * 0.15, size * 0.1, tint, turn=cmath.phase(out), relief=0.3
                )
        for _ in range(size):
            cup = heart + cmath.rect(
                size * 0.6 * math.sqrt(canvas.rng.random()), canvas.rng.uniform(0, math.tau)
            )
            big = canvas.jitter(1.3 + size * 0.03, 0.3)
            canvas.oval(cup, big, big, mix(lobes, _WHITE, 0.2), relief=0.1)
            canvas.oval(cup, big * 0.7, big * 0.7, cups, relief=0)

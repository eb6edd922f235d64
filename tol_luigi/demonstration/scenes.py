"""The places that the drawings are set in: out of focus, with some grass, bubbles or veins before them."""

from __future__ import annotations

import cmath
from dataclasses import replace
from random import Random

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from tol_luigi.demonstration.pen import Pen, colour, mix, smooth

__all__ = ["finish", "prepare"]

_SCENES = {
    "meadow": ("#cfe6ee", "#b9d690", "#6f9f4a", ("#e8efb0", "#9cc46a", "#f4e3a0", "#84b05a")),
    "forest": ("#88a878", "#5d8256", "#33512f", ("#a9c48a", "#c5d59a", "#46693f", "#6f9460")),
    "autumn": ("#dcc39a", "#b98d58", "#6e4c2c", ("#e6c884", "#c98a48", "#a3602f", "#d9b070")),
    "sky": ("#9cc4e4", "#c6dff0", "#eaf2f2", ("#e4eff6", "#b4d3ea", "#f6f8f4")),
    "lake": ("#8cc0b4", "#4f9491", "#255f66", ("#a8d2be", "#6aaca2", "#d2e6c4")),
    "reef": ("#6fc6de", "#2a8fbb", "#145a86", ("#8fd8e4", "#3fa4c8", "#1c6e9c")),
    "deep": ("#2f6ea4", "#164678", "#0a2348", ("#3f86b8", "#1d5a92", "#123a68")),
    "sand": ("#ecdcb8", "#dcc496", "#bc9a68", ("#f4e8ca", "#cfb384", "#e4d0a4")),
    "beach": ("#bfe0e6", "#e2d2ae", "#c4a878", ("#d6e8e4", "#efe2c4", "#cdb48a")),
    "snow": ("#c4d8e6", "#e4ecf0", "#f4f6f6", ("#ffffff", "#d2e0ea", "#ecf2f4")),
    "leaf": ("#b4d67c", "#8cbc58", "#5f9440", ("#c6e290", "#7cae4c", "#a2cc6c")),
    "bark": ("#a08a70", "#80694f", "#554333", ("#b09a7e", "#6a5541", "#93795c")),
    "rock": ("#b4b4ae", "#94948e", "#6a6a66", ("#c8c8c0", "#7e7e78", "#a6a69e")),
    "dusk": ("#f0c8a0", "#c89a98", "#6c6484", ("#f6dcb4", "#dcae9c", "#8c7c98")),
    "tray": ("#eef0ee", "#e6e8e6", "#d8dad8", ("#f2f4f2", "#e2e4e2")),
}
"""What a scene looks like out of focus: colours at the top, in the middle, at the bottom, and of its spots."""

_GRASSY = {"meadow": "#5f9440", "forest": "#2f4f2a", "autumn": "#7c5a30", "lake": "#2f7468"}
_BUBBLY = {"lake", "reef", "deep"}
_ROUGH = {"bark", "rock", "sand"}


def backdrop(scene: str, size: tuple[int, int], dice: Random) -> Image.Image:
    """Paint a scene out of focus: a gradient, spots of light, and a slight texture."""
    top, middle, bottom, spots = _SCENES[scene]
    stops = [colour(top), colour(middle), colour(bottom)]
    small = max(size[0] // 14, 16), max(size[1] // 14, 16)
    image = Image.new("RGB", small)
    draw = ImageDraw.Draw(image, "RGBA")
    lit = dice.uniform(0.9, 1.06)
    for row in range(small[1]):
        height = 2 * row / (small[1] - 1)
        first = min(int(height), 1)
        shade = mix(stops[first], stops[first + 1], height - first)
        draw.line([(0, row), (small[0], row)], fill=tuple(min(255, round(c * lit)) for c in shade))
    reach = min(small) * (0.08 if scene == "tray" else 0.16)
    for _ in range(26):
        x, y, radius = dice.uniform(0, small[0]), dice.uniform(0, small[1]), dice.uniform(0.3, 1) * reach
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), (*colour(dice.choice(spots)), 74))
    half = image.filter(ImageFilter.GaussianBlur(0.8)).resize(
        (size[0] // 2, size[1] // 2), Image.Resampling.BICUBIC
    )
    return half.resize(size, Image.Resampling.NEAREST)


def _grass(scene: str, page: Pen, wide: int, high: int) -> None:
    """Let grass grow at the lower edge."""
    dice, base = page.dice, colour(_GRASSY[scene])
    for _ in range(46):
        foot, tall = complex(dice.uniform(-0.02, 1.02) * wide, high), dice.uniform(0.05, 0.2) * high
        blade = [foot, foot - 0.6j * tall, foot + complex(dice.uniform(-0.6, 0.6), -1) * tall]
        tint = mix(base, colour(dice.choice(_SCENES[scene][3])), dice.uniform(0, 0.6))
        page.stroke(blade, min(wide, high) * 0.012, tint, end=min(wide, high) * 0.002)


def _water(page: Pen, wide: int, high: int) -> None:
    """Let beams of light fall through water, and bubbles rise."""
    dice = page.dice
    for _ in range(3):
        x, slant = dice.uniform(0.1, 0.9), dice.uniform(-0.2, 0.2)
        corners = ((x, 0), (x + 0.07, 0), (x + slant + 0.2, 1), (x + slant, 1))
        page.blob([complex(a * wide, b * high) for a, b in corners], (255, 255, 255), alpha=17, soft=False)
    for _ in range(12):
        at = complex(dice.uniform(0, wide), dice.uniform(0, high))
        radius = dice.uniform(0.004, 0.014) * min(wide, high)
        page.oval(at, radius, radius, (235, 250, 255), alpha=90)


def _veins(page: Pen, wide: int, high: int) -> None:
    """Draw the veins of a leaf that fills the picture."""
    dice, short = page.dice, min(wide, high)
    heights = (dice.uniform(0.55, 0.9), dice.uniform(0.4, 0.6), dice.uniform(0.1, 0.5))
    rib = [complex(x * wide, y * high) for x, y in zip((-0.02, 0.5, 1.02), heights, strict=True)]
    page.stroke(rib, short * 0.02, (206, 230, 150), alpha=150)
    for at in smooth(rib, closed=False, steps=4)[:-1]:
        for side in (-1, 1):
            vein = [at, at + complex(0.16, side * 0.2) * short, at + complex(0.36, side * 0.62) * short]
            page.stroke(vein, short * 0.007, (206, 230, 150), alpha=110)


def _specks(scene: str, page: Pen, wide: int, high: int) -> None:
    """Roughen bark, rock or sand."""
    dice, tints = page.dice, (colour(_SCENES[scene][3][0]), colour(_SCENES[scene][2]))
    flat, turn = {"bark": (0.12, 0.0), "rock": (0.6, 1.4), "sand": (0.09, 1.4)}[scene]
    for _ in range(60):
        at = complex(dice.uniform(0, wide), dice.uniform(0, high))
        long = dice.uniform(0.01, 0.09) * min(wide, high)
        page.oval(at, long * flat, long, dice.choice(tints), turn=turn, alpha=46)


def _foreground(scene: str, pen: Pen, size: tuple[int, int]) -> None:
    """Put a scene's grass, bubbles or veins before its backdrop; the figure comes on top."""
    page = replace(pen, origin=0j, unit=1 + 0j, mirrored=False)
    if scene in _GRASSY:
        _grass(scene, page, *size)
    if scene in _BUBBLY:
        _water(page, *size)
    if scene == "leaf":
        _veins(page, *size)
    if scene in _ROUGH:
        _specks(scene, page, *size)


def prepare(scene: str, size: tuple[int, int], seed: str) -> tuple[Image.Image, Pen]:
    """Set up a picture: the scene at twice the size, and the pen to draw a figure with.

    Args:
        scene: A name of a scene: meadow, forest, autumn, sky, lake, reef, deep, sand, beach, snow, leaf,
            bark, rock, dusk, tray.
        size: Width and height of the finished picture, in pixels.
        seed: The name of the picture, which decides all that is left to chance.
    """
    dice = Random(seed)  # noqa: S311 (for looks, not for secrets)
    large = size[0] * 2, size[1] * 2
    image = backdrop(scene, large, dice)
    unit = min(large) / 100 * dice.uniform(0.88, 1.04)
    centre = complex(large[0] * dice.uniform(0.46, 0.54), large[1] * dice.uniform(0.48, 0.52))
    ink, glaze = ImageDraw.Draw(image), ImageDraw.Draw(image, "RGBA")
    pen = Pen(ink, glaze, dice, centre, unit * cmath.rect(1, dice.uniform(-0.07, 0.07)), dice.random() < 0.5)  # noqa: PLR2004
    _foreground(scene, pen, large)
    return image, pen


def finish(image: Image.Image, dice: Random) -> Image.Image:
    """Halve the picture, which smooths its edges, and give it the grain of a photograph."""
    small = image.reduce(2)
    coarse = max(small.width * 2 // 3, 1), max(small.height * 2 // 3, 1)
    noise = Image.frombytes("L", coarse, dice.randbytes(coarse[0] * coarse[1]))
    grain = noise.point([value * 15 // 255 for value in range(256)]).resize(
        small.size, Image.Resampling.BILINEAR
    )
    return ImageChops.add(small, Image.merge("RGB", (grain, grain, grain)), 1, -7)

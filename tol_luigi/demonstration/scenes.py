"""Draw the scenes of the images: a blurred background, and grass, bubbles or leaf veins in front of it."""

from __future__ import annotations

import cmath
from dataclasses import replace
from random import Random

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from tol_luigi.demonstration.canvas import Canvas, colour, mix, smooth_curve

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
"""The colours of each scene: at the top, in the middle, at the bottom, and of its spots."""

_GRASSY = {"meadow": "#5f9440", "forest": "#2f4f2a", "autumn": "#7c5a30", "lake": "#2f7468"}
_BUBBLY = {"lake", "reef", "deep"}
_ROUGH = {"bark", "rock", "sand"}


def backdrop(scene: str, size: tuple[int, int], rng: Random) -> Image.Image:
    """Draw the blurred background of a scene: a gradient, spots of light, and a slight texture."""
    top, middle, bottom, spots = _SCENES[scene]
    stops = [colour(top), colour(middle), colour(bottom)]
    small = max(size[0] // 14, 16), max(size[1] // 14, 16)
    image = Image.new("RGB", small)
    draw = ImageDraw.Draw(image, "RGBA")
    lit = rng.uniform(0.9, 1.06)
    for row in range(small[1]):
        height = 2 * row / (small[1] - 1)
        first = min(int(height), 1)
        shade = mix(stops[first], stops[first + 1], height - first)
        draw.line([(0, row), (small[0], row)], fill=tuple(min(255, round(c * lit)) for c in shade))
    reach = min(small) * (0.08 if scene == "tray" else 0.16)
    for _ in range(26):
        x, y, radius = rng.uniform(0, small[0]), rng.uniform(0, small[1]), rng.uniform(0.3, 1) * reach
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), (*colour(rng.choice(spots)), 74))
    half = image.filter(ImageFilter.GaussianBlur(0.8)).resize(
        (size[0] // 2, size[1] // 2), Image.Resampling.BICUBIC
    )
    return half.resize(size, Image.Resampling.NEAREST)


def _grass(scene: str, sheet: Canvas, wide: int, high: int) -> None:
    """Draw grass at the lower edge."""
    rng, base = sheet.rng, colour(_GRASSY[scene])
    for _ in range(46):
        foot, tall = complex(rng.uniform(-0.02, 1.02) * wide, high), rng.uniform(0.05, 0.2) * high
        blade = [foot, foot - 0.6j * tall, foot + complex(rng.uniform(-0.6, 0.6), -1) * tall]
        tint = mix(base, colour(rng.choice(_SCENES[scene][3])), rng.uniform(0, 0.6))
        sheet.stroke(blade, min(wide, high) * 0.012, tint, end=min(wide, high) * 0.002)


def _water(sheet: Canvas, wide: int, high: int) -> None:
    """Draw beams of light in water, and bubbles."""
    rng = sheet.rng
    for _ in range(3):
        x, slant = rng.uniform(0.1, 0.9), rng.uniform(-0.2, 0.2)
        corners = ((x, 0), (x + 0.07, 0), (x + slant + 0.2, 1), (x + slant, 1))
        sheet.shape([complex(a * wide, b * high) for a, b in corners], (255, 255, 255), alpha=17, soft=False)
    for _ in range(12):
        at = complex(rng.uniform(0, wide), rng.uniform(0, high))
        radius = rng.uniform(0.004, 0.014) * min(wide, high)
        sheet.oval(at, radius, radius, (235, 250, 255), alpha=90)


def _veins(sheet: Canvas, wide: int, high: int) -> None:
    """Draw the veins of a leaf that fills the image."""
    rng, short = sheet.rng, min(wide, high)
    heights = (rng.uniform(0.55, 0.9), rng.uniform(0.4, 0.6), rng.uniform(0.1, 0.5))
    rib = [complex(x * wide, y * high) for x, y in zip((-0.02, 0.5, 1.02), heights, strict=True)]
    sheet.stroke(rib, short * 0.02, (206, 230, 150), alpha=150)
    for at in smooth_curve(rib, closed=False, steps=4)[:-1]:
        for side in (-1, 1):
            vein = [at, at + complex(0.16, side * 0.2) * short, at + complex(0.36, side * 0.62) * short]
            sheet.stroke(vein, short * 0.007, (206, 230, 150), alpha=110)


def _specks(scene: str, sheet: Canvas, wide: int, high: int) -> None:
    """Draw the texture of bark, rock or sand."""
    rng, tints = sheet.rng, (colour(_SCENES[scene][3][0]), colour(_SCENES[scene][2]))
    flat, turn = {"bark": (0.12, 0.0), "rock": (0.6, 1.4), "sand": (0.09, 1.4)}[scene]
    for _ in range(60):
        at = complex(rng.uniform(0, wide), rng.uniform(0, high))
        long = rng.uniform(0.01, 0.09) * min(wide, high)
        sheet.oval(at, long * flat, long, rng.choice(tints), turn=turn, alpha=46)


def _foreground(scene: str, canvas: Canvas, size: tuple[int, int]) -> None:
    """Draw the grass, bubbles, veins or texture of a scene on its background, below the figure."""
    sheet = replace(canvas, origin=0j, unit=1 + 0j, mirrored=False)
    if scene in _GRASSY:
        _grass(scene, sheet, *size)
    if scene in _BUBBLY:
        _water(sheet, *size)
    if scene == "leaf":
        _veins(sheet, *size)
    if scene in _ROUGH:
        _specks(scene, sheet, *size)


def prepare(scene: str, size: tuple[int, int], seed: str) -> tuple[Image.Image, Canvas]:
    """Draw the scene of an image at twice its size; return it with the canvas for a figure.

    Args:
        scene: The name of a scene: meadow, forest, autumn, sky, lake, reef, deep, sand, beach, snow, leaf,
            bark, rock, dusk, tray.
        size: Width and height of the finished image, in pixels.
        seed: The name of the image, which seeds the random numbers.
    """
    rng = Random(seed)  # noqa: S311 (not for cryptography)
    large = size[0] * 2, size[1] * 2
    image = backdrop(scene, large, rng)
    unit = min(large) / 100 * rng.uniform(0.88, 1.04)
    centre = complex(large[0] * rng.uniform(0.46, 0.54), large[1] * rng.uniform(0.48, 0.52))
    opaque, translucent = ImageDraw.Draw(image), ImageDraw.Draw(image, "RGBA")
    turn = cmath.rect(1, rng.uniform(-0.07, 0.07))
    canvas = Canvas(opaque, translucent, rng, centre, unit * turn, rng.random() < 0.5)  # noqa: PLR2004
    _foreground(scene, canvas, large)
    return image, canvas


def finish(image: Image.Image, rng: Random) -> Image.Image:
    """Scale the image to half its size, which smooths edges, and add the grain of a photograph."""
    small = image.reduce(2)
    coarse = max(small.width * 2 // 3, 1), max(small.height * 2 // 3, 1)
    noise = Image.frombytes("L", coarse, rng.randbytes(coarse[0] * coarse[1]))
    grain = noise.point([value * 15 // 255 for value in range(256)]).resize(
        small.size, Image.Resampling.BILINEAR
    )
    return ImageChops.add(small, Image.merge("RGB", (grain, grain, grain)), 1, -7)

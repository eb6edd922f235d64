"""Twelve drawn taxa, and the files with which small models of them are described."""

from __future__ import annotations

import itertools
import json
import random
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw

if TYPE_CHECKING:
    from pathlib import Path

SHAPES = {"Circulata": "ellipse", "Quadrata": "rectangle", "Triangulata": "triangle"}
COLOURS = {"Rubra": (200, 40, 40), "Caerulea": (40, 60, 200)}
SIZES = {"magna": 11, "parva": 6}

TAXA = [
    (shape, "", "", colour, "", "", size) for shape, colour, size in itertools.product(SHAPES, COLOURS, SIZES)
]
"""Lineages with missing ranks, and homonyms below several kingdoms."""

SIDE, LENGTH, START, END = 32, 8, "<|startoftext|>", "<|endoftext|>"
MEAN, STD = [0.5, 0.4, 0.45], [0.25, 0.3, 0.26]


def caption(taxon: tuple[str, ...]) -> str:
    return " ".join(filter(None, taxon))


def drawn(taxon: tuple[str, ...], chance: random.Random) -> Image.Image:
    """Draw an individual, somewhere on a background of some colour."""
    radius = SIZES[taxon[6]] + chance.uniform(-1, 1)
    image = Image.new("RGB", (SIDE, SIDE), tuple(chance.randint(150, 255) for _ in range(3)))
    x, y = (chance.uniform(radius, SIDE - radius) for _ in range(2))
    fill = tuple(part + chance.randint(-30, 30) for part in COLOURS[taxon[3]])
    box = (x - radius, y - radius, x + radius, y + radius)
    draw, shape = ImageDraw.Draw(image), SHAPES[taxon[0]]
    if shape == "triangle":
        draw.polygon([(x, y - radius), (x - radius, y + radius), (x + radius, y + radius)], fill=fill)
    else:
        getattr(draw, shape)(box, fill=fill)
    return image


def write_json(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1), encoding="utf-8")


PREPROCESSOR = {
    "do_resize": True,
    "size": {"shortest_edge": SIDE},
    "resample": 3,
    "do_center_crop": True,
    "crop_size": {"height": SIDE, "width": SIDE},
    "do_normalize": True,
    "image_mean": MEAN,
    "image_std": STD,
}


def write_images(folder: Path, each: int = 10) -> None:
    """Write images that the model has not seen, a PNG each, named by the number of the taxon and of the image."""
    folder.mkdir()
    chance = random.Random(99)  # noqa: S311 (drawings)
    for number, taxon in enumerate(TAXA):
        for one in range(each):
            drawn(taxon, chance).save(folder / f"{number:02}-{one}.png")

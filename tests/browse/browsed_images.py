"""The images of two small datasets, with hostile names, and images that cannot become samples."""

from __future__ import annotations

import csv
import os
from typing import TYPE_CHECKING

from PIL import Image

if TYPE_CHECKING:
    from pathlib import Path

SPECIES = (
    ("Animalia", "Chordata", "Aves", "Passeriformes", "Corvidae", "Corvus", "corax"),
    ("Animalia", "Chordata", "Aves", "Passeriformes", "Corvidae", "Corvus", "corone"),
    ("Animalia", "Arthropoda", "Insecta", "Hymenoptera", "Apidae", "Apis", "mellifera"),
    ("Plantae", "Tracheophyta", "Magnoliopsida", "Fagales", "Fagaceae", "Quercus", "robur"),
    ("Plantae", "Tracheophyta", "Magnoliopsida", "", "", "", ""),
)
HOSTILE = (
    "<img src=x onerror=document.title='run'>",
    "\x1b[31mred\x1b[0m",
    'it\'s "quoted" & more',
    "\u202egnp.exe",
)
"""Common names."""

OWNER = "<i>Ana\" O'Lima"

IMAGES = 60
MISSING = {3, 11, 20}
"""Images that the second dataset does not have."""

_BROKEN, _TWIN = 7, 13


def fill(folder: Path) -> None:
    """Draw the images of both datasets, and the table of their names."""
    images, others = folder / "first", folder / "second"
    images.mkdir()
    others.mkdir()
    with (folder / "labels.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(
            [
                "file",
                "kingdom",
                "phylum",
                "class",
                "order",
                "family",
                "genus",
                "species",
                "common",
                "license",
                "owner",
            ]
        )
        for number in range(IMAGES):
            name = f"it's <b>{number}.jpg"
            if number == _BROKEN:
                (images / name).write_bytes(b"no image")
            else:
                shade = _BROKEN + 1 if number == _TWIN else number
                Image.new("RGB", (40 + shade, 60), (shade * 4, 90, 255 - shade * 4)).save(images / name)
            if number not in MISSING:
                os.link(images / name, others / name)
            common = HOSTILE[number] if number < len(HOSTILE) else ""
            table.writerow([name, *SPECIES[number % len(SPECIES)], common, "cc-by-4.0", OWNER])

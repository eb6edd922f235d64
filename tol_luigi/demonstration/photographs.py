"""Draw a folder of images that is laid out as people lay out their photographs: one folder for each species."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tol_luigi.demonstration.drawings import draw_image
from tol_luigi.demonstration.taxa import TAXA

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["draw_photographs"]

_SPECIES = 20
_EACH = 3
_SIZE = (640, 480)
_QUALITY = 85


def draw_photographs(folder: Path) -> int:
    """Draw 60 images as ``<Genus>_<species>/IMG_0001.jpg``, the same on each run.

    Args:
        folder: A new folder.

    Returns:
        The number of images.

    Raises:
        OSError: The folder exists, or cannot be written.
    """
    folder.mkdir(parents=True)
    species = [taxon.name for taxon in TAXA if taxon.ranks[-1]][:_SPECIES]
    for number, name in enumerate(name for name in species for _ in range(_EACH)):
        place = folder / name.replace(" ", "_")
        place.mkdir(exist_ok=True)
        file = f"IMG_{number + 1:04d}.jpg"
        draw_image(name, _SIZE, file).save(place / file, "JPEG", quality=_QUALITY)
    return len(species) * _EACH

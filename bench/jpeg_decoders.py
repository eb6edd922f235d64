"""Does simplejpeg decode JPEGs to the same pixels as Pillow, and in what time? It needs the package simplejpeg."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import simplejpeg
from _pictures import BIOSCAN, EOL, INAT21, large_originals, photographs
from _table import Row, arguments, show, show_host
from PIL import Image, ImageDraw, ImageFilter

from tol_luigi.bench.measure import measured, spread

if TYPE_CHECKING:
    from collections.abc import Callable

SAMPLINGS = (0, 1, 2)
"""Pillow's numbers of 4:4:4, 4:2:2 and 4:2:0."""
MORE = {EOL: 1, INAT21: 10, BIOSCAN: 20}
"""So many more of the small pictures, so that each run takes about as long."""


def by_pillow(content: bytes) -> Image.Image:
    """Decode an image as the samples are made."""
    with Image.open(io.BytesIO(content)) as image:
        image.load()
        return image


def by_simplejpeg(content: bytes) -> np.ndarray:
    """Decode with the same settings, exact DCT and smooth upsampling of colours, to the layout of Pillow's memory."""
    return simplejpeg.decode_jpeg(content, "RGBX", fastdct=False, fastupsample=False)


def drawn() -> list[bytes]:
    """Draw images of odd and even sizes, and save them with each sampling of colours, in one scan and in several."""
    files = []
    for size in [(1, 1), (2, 3), (7, 5), (16, 16), (17, 33), (64, 31), (255, 257), (640, 479)]:
        image = Image.effect_noise(size, 90).convert("RGB").filter(ImageFilter.GaussianBlur(1))
        ImageDraw.Draw(image).ellipse((0, 0, *size), outline=(250, 20, 40), width=3)
        for sampling in SAMPLINGS:
            for quality in (5, 50, 90, 100):
                for progressive in (False, True):
                    file = io.BytesIO()
                    image.save(file, "JPEG", quality=quality, subsampling=sampling, progressive=progressive)
                    files.append(file.getvalue())
    return files


def decoded(decode: Callable[[bytes], object], files: list[bytes]) -> None:
    """Decode images, one after the other; the memory of each is free for the next one."""
    for content in files:
        decode(content)


def differing(files: list[bytes]) -> int:
    """Count the images whose pixels differ."""
    return sum(
        not np.array_equal(np.asarray(by_pillow(content)), by_simplejpeg(content)[..., :3])
        for content in files
    )


def main() -> None:
    """Print a table for each source, and how many images differ."""
    given = arguments(str(__doc__), 24, repeat=5)
    show_host()
    compared = [*drawn(), *large_originals(given.shared, 0)]
    for kind, more in MORE.items():
        files = photographs(kind, given.images * more, given.shared)
        compared += files[:24]
        runs = measured(
            {
                "Pillow": lambda files=files: decoded(by_pillow, files),
                "simplejpeg": lambda files=files: decoded(by_simplejpeg, files),
            },
            given.repeat,
        )
        millis = {name: spread(seconds, len(files)) for name, seconds in runs.items()}
        rows = [Row(name, taken, millis["Pillow"]) for name, taken in millis.items()]
        show(f"{kind}: {__doc__}", f"{len(files)} images", "ms of processor time an image", "Pillow", rows)
    print(f"\nimages whose pixels differ: {differing(compared)} of {len(compared)}")


if __name__ == "__main__":
    main()

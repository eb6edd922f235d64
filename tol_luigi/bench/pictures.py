"""Images to measure with: drawn ones with the sizes and the detail of photographs, or those of a folder."""

from __future__ import annotations

import io
import itertools
from typing import TYPE_CHECKING, NamedTuple

from PIL import Image, ImageDraw, ImageOps

from tol_luigi.core.errors import SourceError
from tol_luigi.core.image_formats import FORMATS
from tol_luigi.core.images import ImageSpec
from tol_luigi.core.pillow_limits import pillow_limits
from tol_luigi.core.printable_text import printable
from tol_luigi.core.reader import MemberError
from tol_luigi.sources import archives

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from tol_luigi.core.reader import Member

__all__ = ["SETS", "ImageSet", "drawn", "drawn_sets", "filled", "images_of", "jpeg"]

Size = tuple[int, int]

LARGE, MIDDLE, SMALL = "2 to 4 megapixels", "500 pixels", "256 pixels"

SETS: dict[str, list[Size]] = {
    LARGE: [(1800, 1200), (1920, 1080), (2048, 1536), (2400, 1600)],
    MIDDLE: [(500, 375), (375, 500), (500, 500), (500, 333)],
    SMALL: [(342, 256), (256, 256), (256, 341)],
}
"""The sizes of the images of each set, in pixels: those of the sources of TreeOfLife-10M."""

_COUNTS = {LARGE: 8, MIDDLE: 48, SMALL: 72}
"""How many images a run takes, so that all runs take about as long."""

_ORIGINALS, _ORIGINAL_SIZE = 4, (1400, 1000)
_LARGE_SIDE = 1000

_MOST_FILES, _MOST_PIXELS = 100, 40_000_000
"""How many images of a folder are measured, and how many pixels, at most."""


class ImageSet(NamedTuple):
    """Images that are measured together.

    Attributes:
        name: What they are.
        files: The contents of their files.
        form: How they are stored: ``folder`` or ``tar.gz``.
        skipped: How many files are left out.
    """

    name: str
    files: list[bytes]
    form: str
    skipped: int = 0


def drawn_sets() -> Iterator[ImageSet]:
    """Yield the drawn images of each set, the same ones each time; large ones are stored in an archive."""
    originals = [drawn(_ORIGINAL_SIZE, number) for number in range(_ORIGINALS)]
    for name, sizes in SETS.items():
        made = [jpeg(filled(size, originals, number)) for number, size in enumerate(sizes)]
        files = list(itertools.islice(itertools.cycle(made), _COUNTS[name]))
        yield ImageSet(name, files, "tar.gz" if name == LARGE else "folder")


def images_of(place: Path) -> ImageSet:
    """Return up to 100 images of a folder or archive, from all over it, that every variant can read: complete RGB images.

    Raises:
        SourceError: There is none.
    """
    listed = [found.member for found in archives.scan(place) if found.state is None]
    chosen = listed[:: max(1, len(listed) // _MOST_FILES)][:_MOST_FILES]
    files: list[bytes] = []
    pixels = skipped = 0
    for content in _contents(place, chosen):
        count = _pixels(content)
        if not count or (files and pixels + count > _MOST_PIXELS):
            skipped += 1
            continue
        files.append(content)
        pixels += count
    if not files:
        what = "has no complete RGB image" if listed else "has no image"
        raise SourceError(place, what, "Name a folder or an archive of images, or leave out --images")
    form = "tar.gz" if archives.kind(place) == "tar.gz" else "folder"
    return ImageSet(f"images of {printable(place.resolve().name)}", files, form, skipped)


def _contents(place: Path, chosen: list[Member]) -> Iterator[bytes]:
    """Yield the contents of files; of a file that cannot be read, nothing."""
    for _, content in archives.read(place, chosen):
        yield b"" if isinstance(content, (MemberError, OSError)) else content


def _pixels(content: bytes) -> int:
    """Return the number of pixels of a complete RGB image; 0 for any other file."""
    try:
        with (
            pillow_limits(max_pixels=ImageSpec().max_pixels, lenient=False),
            Image.open(io.BytesIO(content), formats=FORMATS) as image,
        ):
            if image.mode != "RGB" or image.width * image.height > _MOST_PIXELS:
                return 0
            image.load()
            return image.width * image.height
    except Exception:  # noqa: BLE001 (Pillow raises many kinds for broken files)
        return 0


def drawn(size: Size, number: int) -> Image.Image:
    """Return an image of shapes on a grainy ground, the same one each time."""
    ground = [
        Image.effect_mandelbrot(size, (-2 + 0.1 * number, -1.2, 1, 1.2 + band), 60) for band in range(3)
    ]
    image = Image.merge("RGB", ground)
    pen = ImageDraw.Draw(image)
    for step in range(200):
        seed = (step + 1) * 7919 + number * 104_729
        left, top = seed % size[0], seed * 31 % size[1]
        colour = (seed % 256, seed // 3 % 256, seed // 7 % 256)
        pen.ellipse((left, top, left + 5 + seed % 60, top + 5 + seed % 40), fill=colour)
    return image


def filled(size: Size, originals: Iterable[Image.Image], number: int) -> Image.Image:
    """Return an image that is filled with originals side by side in full size, which keeps their detail.

    Args:
        size: Its width and height, in pixels.
        originals: At least one image.
        number: The original to begin with.
    """
    canvas = Image.new("RGB", size)
    rotated = itertools.cycle(originals)
    across = down = reach = 0
    for image in itertools.islice(rotated, number, None):
        part = image if size[0] >= _LARGE_SIDE else ImageOps.fit(image, size)
        canvas.paste(part, (across, down))
        across, reach = across + part.width, max(reach, down + part.height)
        if across >= size[0]:
            across, down = 0, reach
        if down >= size[1]:
            return canvas
    raise AssertionError


def jpeg(image: Image.Image, **options: int) -> bytes:
    """Return an image as the file that a camera would save."""
    file = io.BytesIO()
    image.save(file, "JPEG", **{"quality": 85, **options})
    return file.getvalue()

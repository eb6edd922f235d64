"""Pictures to measure with: those of the reference material where it is there, otherwise drawn ones."""

from __future__ import annotations

import functools
import io
import itertools
import tarfile
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageOps

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

Size = tuple[int, int]

EOL, INAT21, BIOSCAN = "EOL", "iNat21", "BIOSCAN"
SIZES: dict[str, list[Size]] = {
    EOL: [(1800, 1200), (1920, 1080), (2048, 1536), (2400, 1600)],
    INAT21: [(500, 375), (375, 500), (500, 500), (500, 333)],
    BIOSCAN: [(342, 256), (256, 256), (256, 341)],
}
"""The sizes of the photographs of each source, in pixels."""


def photographs(kind: str, count: int, shared: Path | None) -> list[bytes]:
    """Give so many JPEGs of the sizes of a source; the same ones come again where there are few."""
    made = list(itertools.islice(_made(kind, shared), min(count, 24)))
    return list(itertools.islice(itertools.cycle(made), count))


def photograph(size: Size, number: int, shared: Path | None, **options: int) -> bytes:
    """Make a JPEG of a size that has as much detail as photographs of that size."""
    return jpeg(_filled(size, _originals(shared), number), **options)


def jpeg(image: Image.Image, **options: int) -> bytes:
    """Save a picture as a camera would."""
    file = io.BytesIO()
    image.save(file, "JPEG", **{"quality": 85, **options})
    return file.getvalue()


def _made(kind: str, shared: Path | None) -> Iterator[bytes]:
    """Make pictures without end: the small ones of the sample as they are, the large ones out of its photographs."""
    if shared and kind != EOL:
        folder = shared / "sample" / {INAT21: "inat21", BIOSCAN: "bioscan"}[kind]
        yield from (path.read_bytes() for path in sorted(folder.rglob("*.jpg")))
    for number in itertools.count():
        yield photograph(SIZES[kind][number % len(SIZES[kind])], number, shared)


def large_originals(shared: Path | None, least: int = 2_000_000) -> list[bytes]:
    """Give the photographs of the sample of EOL with more than so many pixels, two megapixels or another number, as they are."""
    if shared is None:
        return [jpeg(drawn((2000, 1500), 0))]
    found = []
    for archive in sorted((shared / "sample" / "eol-hf").glob("*.tar.gz")):
        found += [content for content, image in _opened(archive) if image.width * image.height > least]
    return found


@functools.cache
def _originals(shared: Path | None) -> list[Image.Image]:
    """Give the photographs of the sample of EOL that have detail enough, or drawn ones."""
    if shared is None:
        return [drawn((1400, 1000), number) for number in range(4)]
    found = []
    for archive in sorted((shared / "sample" / "eol-hf").glob("*.tar.gz")):
        found += [image for _, image in _opened(archive)]
    return found


_ENOUGH, _LARGE = 900_000, 1000


def _opened(archive: Path) -> Iterator[tuple[bytes, Image.Image]]:
    with tarfile.open(archive) as tar:
        for member in tar:
            file = tar.extractfile(member)
            content = file.read() if file else b""
            try:
                image = Image.open(io.BytesIO(content))
                if image.mode == "RGB" and image.width * image.height > _ENOUGH:
                    image.load()
                    yield content, image
            except OSError:  # some of them are broken on purpose
                continue


def _filled(size: Size, originals: Iterable[Image.Image], number: int) -> Image.Image:
    """Fill a picture with photographs side by side, each as large as it is, so that its detail stays what it was."""
    canvas = Image.new("RGB", size)
    rotated = itertools.cycle(originals)
    across = down = reach = 0
    for image in itertools.islice(rotated, number, None):
        part = image if size[0] >= _LARGE else ImageOps.fit(image, size)
        canvas.paste(part, (across, down))
        across, reach = across + part.width, max(reach, down + part.height)
        if across >= size[0]:
            across, down = 0, reach
        if down >= size[1]:
            return canvas
    raise AssertionError


def drawn(size: Size, number: int) -> Image.Image:
    """Draw shapes on a grainy ground, the same ones each time."""
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

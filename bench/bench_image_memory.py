"""How much memory does it take to open an image, by format and mode, and is it less than was reckoned?"""

from __future__ import annotations

import io
import itertools
import multiprocessing
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from _table import Row, arguments, in_a_process, peak_mib, show, show_host
from PIL import Image

from tol_luigi.core.image_memory import bytes_to_open
from tol_luigi.core.images import ImageSpec, encode

SPEC = ImageSpec(high_bit_depth="keep")
TINY = 64
FORMATS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "JPEG": ("RGB", "JPEG", {}),
    "JPEG, grey": ("L", "JPEG", {}),
    "JPEG, CMYK": ("CMYK", "JPEG", {}),
    "JPEG, progressive": ("RGB", "JPEG", {"progressive": True}),
    "JPEG, progressive, full colours": ("RGB", "JPEG", {"progressive": True, "subsampling": 0}),
    "JPEG, progressive, CMYK": ("CMYK", "JPEG", {"progressive": True}),
    "PNG": ("RGB", "PNG", {"compress_level": 1}),
    "PNG, palette": ("P", "PNG", {"compress_level": 1}),
    "PNG, transparent": ("RGBA", "PNG", {"compress_level": 1}),
    "PNG, grey of 16 bits": ("I;16", "PNG", {"compress_level": 1}),
    "TIFF": ("RGB", "TIFF", {}),
    "TIFF, LZW in one strip": ("RGB", "TIFF", {"compression": "tiff_lzw", "tiffinfo": {278: 1 << 20}}),
    "TIFF, 32-bit integers": ("I", "TIFF", {}),
    "TIFF, floating point": ("F", "TIFF", {}),
    "GIF": ("P", "GIF", {}),
    "BMP": ("RGB", "BMP", {}),
    "WebP": ("RGB", "WEBP", {"method": 0}),
    "WebP, lossless": ("RGB", "WEBP", {"method": 0, "lossless": True, "quality": 0}),
    "AVIF": ("RGB", "AVIF", {"speed": 10}),
    "JPEG 2000": ("RGB", "JPEG2000", {}),
    "JPEG 2000, in tiles": ("RGB", "JPEG2000", {"tile_size": (512, 512)}),
    "PPM": ("RGB", "PPM", {}),
}
"""Mode, format and options of what is measured."""


def saved(side: int, mode: str, form: str, options: dict[str, Any]) -> bytes:
    """Return a square image, smooth and the same each time."""
    seeds = np.random.default_rng(17).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    image = Image.fromarray(seeds).resize((side, side), Image.Resampling.BICUBIC)
    for step in (*{"I;16": ("L",)}.get(mode, ()), mode):
        image = image.convert(step)
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def opened(place: Path) -> list[float]:
    """Open an image, after a tiny one of its kind; return the memory taken, reckoned, and the file, in bytes a pixel."""
    encode((place / "tiny").read_bytes(), SPEC)
    before = peak_mib()
    content = (place / "image").read_bytes()
    with Image.open(io.BytesIO(content)) as image:
        pixels, reckoned = image.width * image.height, bytes_to_open(image, content, SPEC.width, turned=False)
    encode(content, SPEC)
    return [(peak_mib() - before) * 2**20 / pixels, reckoned / pixels, len(content) / pixels]


def child(folder: Path) -> None:
    """Open one image of each kind, each in a process that has opened no other, and print what that took."""
    places = [folder / str(number) for number in range(len(FORMATS))]
    with multiprocessing.get_context("fork").Pool(1, maxtasksperchild=1) as pool:
        figures = pool.map(opened, places, chunksize=1)
    print(*itertools.chain.from_iterable(figures))


def main() -> None:
    """Print a table of all formats."""
    if sys.argv[1:2] == ["child"]:
        child(Path(sys.argv[2]))
        return
    given = arguments(f"{__doc__} --images is in millions of pixels.", 16, repeat=1)
    show_host()
    with tempfile.TemporaryDirectory() as name:
        for number, about in enumerate(FORMATS.values()):
            place = Path(name) / str(number)
            place.mkdir()
            (place / "tiny").write_bytes(saved(TINY, *about))
            (place / "image").write_bytes(saved(round((given.images * 1e6) ** 0.5), *about))
        runs = [in_a_process(__file__, "child", name) for _ in range(given.repeat)]
    rows = []
    for what, start in zip(FORMATS, range(0, len(runs[0]), 3), strict=True):
        taken, reckoned, stored = zip(*(run[start : start + 3] for run in runs), strict=True)
        rows.append(Row(what, taken, reckoned, f"{stored[0]:.2f} of it the file"))
    show(
        str(__doc__),
        f"{given.images} million pixels each",
        "bytes a pixel, at most",
        "what is reckoned",
        rows,
    )


if __name__ == "__main__":
    main()

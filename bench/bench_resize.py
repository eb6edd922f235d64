"""How much faster do the compiled kernels resize images than Pillow, and how much faster are samples made?"""

from __future__ import annotations

import io

from _pictures import BIOSCAN, EOL, INAT21, photograph, photographs
from _table import Row, arguments, show, show_host
from PIL import Image

from tol_luigi.bench.measure import measured, spread
from tol_luigi.core.images import ImageSpec, encode
from tol_luigi.core.pillow_limits import pillow_limits
from tol_luigi.core.resampling import AUTO, PILLOW, kernels, resize

SIZES = [(256, 256), (500, 375), (2450, 1800), (1800, 2450), (1500, 4500)]
"""From BIOSCAN to 4.4 megapixels, across and upright; the height of the last one is resized first."""

MODES = ("RGB", "L")
SAMPLES = {EOL: 1, INAT21: 5, BIOSCAN: 10}
"""So many more of the small photographs, so that each run takes about as long."""

SPEC = ImageSpec()


def resized(images: list[Image.Image], kernel: str) -> None:
    """Resize images as samples are."""
    for image in images:
        resize(image, (SPEC.width, SPEC.height), (0, 0, *image.size), kernel)


def decoded(content: bytes, mode: str) -> Image.Image:
    """Decode a photograph to where packing has it: in one block of memory."""
    with pillow_limits(max_pixels=SPEC.max_pixels, lenient=False):
        image = Image.open(io.BytesIO(content))
        image.load()
        return image.convert(mode)


def samples(pictures: list[bytes], kernel: str) -> None:
    """Decode, resize and encode photographs."""
    for content in pictures:
        encode(content, ImageSpec(kernel=kernel))


def main() -> None:
    """Print a table of resizing, and one of making samples."""
    given = arguments(str(__doc__), 16, repeat=5)
    show_host()
    rows = []
    for size in SIZES:
        files = [photograph(size, number, given.shared) for number in range(max(1, given.images // 4))]
        for mode in MODES:
            images = [decoded(content, mode) for content in files]
            variants = {
                name: lambda name=name, images=images: resized(images, name) for name in (PILLOW, *kernels())
            }
            taken = {
                name: spread(runs, len(images)) for name, runs in measured(variants, given.repeat).items()
            }
            rows += [
                Row(f"{size[0]} x {size[1]} {mode}, {name}", taken[name], taken[PILLOW]) for name in taken
            ]
    note = f"{len(files)} photographs a line, to {SPEC.width} x {SPEC.height}"
    show("Resizing", note, "ms of processor time an image", PILLOW, rows)
    rows = []
    for kind, more in SAMPLES.items():
        pictures = photographs(kind, given.images * more, given.shared)
        variants = {name: lambda name=name, p=pictures: samples(p, name) for name in (PILLOW, AUTO)}
        taken = {name: spread(runs, len(pictures)) for name, runs in measured(variants, given.repeat).items()}
        rows += [Row(f"{kind}, {name}", taken[name], taken[PILLOW]) for name in taken]
    note = f"{given.images} photographs, and more of small ones"
    show("Making samples: decode, resize, encode", note, "ms of processor time an image", PILLOW, rows)


if __name__ == "__main__":
    main()

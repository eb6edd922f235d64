"""Compare the compiled kernels with Pillow on very many images: photographs in crops and scales, and noise of random sizes."""

from __future__ import annotations

import argparse
import hashlib
import io
import os
import random
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from _pictures import large_originals
from PIL import Image

from tol_luigi.core.pillow_limits import pillow_limits
from tol_luigi.core.resampling import PILLOW, kernels, resize

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST, MOST_PIXELS, LARGEST_RESULT = 20_000, 1 << 23, 1 << 21

Case = tuple[Image.Image, tuple[int, int], tuple[float, float, float, float]]


def main() -> None:
    """Print how many images were compared, and every difference."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photographs", type=int, default=2000)
    parser.add_argument("--noise", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--shared", type=Path, default=os.environ.get("TOL_SHARED"))
    parser.add_argument(
        "--digests",
        type=Path,
        help="write what this version of Pillow makes, for `diff`, and compare no kernel",
    )
    given = parser.parse_args()
    drawn = random.Random(given.seed)  # noqa: S311 (not a secret)
    differences, digests = 0, list[str]()
    cases = {
        "photographs": (photographs(drawn, given.shared), given.photographs),
        "noise": (noise(drawn), given.noise),
    }
    for what, (images, count) in cases.items():
        for number in range(count):
            with pillow_limits(max_pixels=1 << 30, lenient=False):
                if given.digests:
                    digests.append(f"{what} {number} {made_by_pillow(*next(images))}\n")
                else:
                    differences += differing(*next(images), f"{what} {number} of seed {given.seed}")
        print(
            f"{count} images of {what}, kernels {', '.join(kernels())}: {differences} differences", flush=True
        )
    if given.digests:
        given.digests.write_text("".join(digests), encoding="utf-8")
    sys.exit(bool(differences))


def made_by_pillow(image: Image.Image, size: tuple[int, int], box: tuple[float, float, float, float]) -> str:
    """Return digests of an image, of its pixels in another size, and of the JPEG of the image in quality 100."""
    encoded = io.BytesIO()
    image.crop((0, 0, min(image.width, 224), min(image.height, 224))).save(encoded, "JPEG", quality=100)
    made = image.tobytes(), resize(image, size, box, PILLOW).tobytes(), encoded.getvalue()
    return " ".join([f"{image.size} {box} {size}", *(hashlib.sha256(one).hexdigest()[:16] for one in made)])


def differing(
    image: Image.Image, size: tuple[int, int], box: tuple[float, float, float, float], what: str
) -> int:
    """Return how many kernels make other bytes than Pillow."""
    expected = resize(image, size, box, PILLOW).tobytes()
    found = [name for name in kernels() if resize(image, size, box, name).tobytes() != expected]
    if found:
        print(f"{what}: {image.mode} {image.size} {box} to {size} differs with {', '.join(found)}")
    return len(found)


def photographs(drawn: random.Random, shared: Path | None) -> Iterator[Case]:
    """Yield parts of photographs, to 224 x 224 or to a random size."""
    originals = [image(content) for content in large_originals(shared)]
    while True:
        for original in originals:
            part = original.crop(tuple(map(int, box_in(original.size, drawn))))
            scaled = side(drawn, 3000), side(drawn, 3000)
            # nearest pixels: all versions of Pillow make the same of them
            part = part.resize(scaled, Image.Resampling.NEAREST) if drawn.random() < 1 / 3 else part.copy()
            size = (224, 224) if drawn.random() < 1 / 2 else (side(drawn, 1500), side(drawn, 1500))
            yield part.convert(drawn.choice(["RGB", "RGB", "L"])), size, (0, 0, *part.size)


def image(content: bytes) -> Image.Image:
    """Decode a photograph."""
    with Image.open(io.BytesIO(content)) as opened:
        return opened.convert("RGB")


def noise(drawn: random.Random) -> Iterator[Case]:
    """Yield noise, and black and white noise, of sizes from 1 x 1 to 20,000 a side."""
    numbers = np.random.default_rng(drawn.randrange(1 << 32))
    while True:
        width, height = side(drawn, LONGEST), side(drawn, LONGEST)
        size = side(drawn, LONGEST), side(drawn, LONGEST)
        if width * height > MOST_PIXELS or size[0] * size[1] > LARGEST_RESULT:
            continue
        if size[0] * height > 4 * MOST_PIXELS or size[1] * width > 4 * MOST_PIXELS:
            continue  # the image between the passes
        bands = drawn.choice([1, 3])
        values = numbers.integers(0, 256, (height, width, bands), np.uint8)
        if drawn.random() < 1 / 4:
            values = (values & 128).astype(bool) * np.uint8(255)
        box = (0, 0, width, height) if drawn.random() < 1 / 2 else box_in((width, height), drawn)
        yield Image.fromarray(values[:, :, 0] if bands == 1 else values), size, box


def side(drawn: random.Random, longest: int) -> int:
    """Return a length whose logarithm is distributed evenly."""
    return max(1, round(longest ** drawn.random()))


def box_in(size: tuple[int, int], drawn: random.Random) -> tuple[float, float, float, float]:
    """Return a part of an image, of a pixel in each direction at least."""
    left, top = (drawn.random() * (length - 1) for length in size)
    right = left + 1 + drawn.random() * (size[0] - left - 1)
    bottom = top + 1 + drawn.random() * (size[1] - top - 1)
    return left, top, right, bottom


if __name__ == "__main__":
    main()

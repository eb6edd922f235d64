"""How large and how close to the resized pixels are the images of samples, by format and quality, and what do they cost?"""

from __future__ import annotations

import argparse
import contextlib
import io
import statistics
import time
from pathlib import Path

import numpy as np
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio

from tol_luigi.core.images import LOSSLESS, BrokenImageError, ImageSpec, encode

QUALITIES = (75, 90, 95, 100)
EXACT = ImageSpec(format="webp", webp_quality=LOSSLESS)
SPECS = {
    **{f"jpeg, quality {quality}": ImageSpec(jpeg_quality=quality) for quality in QUALITIES},
    **{f"webp, quality {quality}": ImageSpec(format="webp", webp_quality=quality) for quality in QUALITIES},
    f"webp, {LOSSLESS}": EXACT,
}


def pixels(content: bytes) -> np.ndarray:
    """Return the pixels of an image."""
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


def photographs(folder: Path) -> list[bytes]:
    """Return the JPEG files below a folder that can be read."""
    found = []
    for path in sorted(folder.rglob("*.jpg")):
        with contextlib.suppress(BrokenImageError):
            content = path.read_bytes()
            encode(content, EXACT)
            found.append(content)
    return found


def main() -> None:
    """Print a line for each format and quality."""
    parser = argparse.ArgumentParser(description=str(__doc__))
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="a folder with photographs, *.jpg")
    originals = photographs(parser.parse_args().folder)
    exact = [pixels(encode(content, EXACT)[0]) for content in originals]
    for name, spec in SPECS.items():
        start = time.process_time()
        encoded = [encode(content, spec)[0] for content in originals]
        made = time.process_time()
        opened = [pixels(content) for content in encoded]
        read = time.process_time()
        size = statistics.mean(map(len, encoded)) / 1000
        with np.errstate(divide="ignore"):
            signal = [peak_signal_noise_ratio(one, other) for one, other in zip(exact, opened, strict=True)]
        times = [1000 * seconds / len(originals) for seconds in (made - start, read - made)]
        print(
            f"{name}: {size:.1f} kB, PSNR {statistics.mean(signal):.1f} dB; "
            f"made in {times[0]:.1f} ms, decoded in {times[1]:.2f} ms"
        )


if __name__ == "__main__":
    main()

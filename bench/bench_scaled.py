"""How much faster is resize=scaled than resize=exact, and how near are its pictures?"""

from __future__ import annotations

import io
import statistics

import numpy as np
from _pictures import large_originals, photograph
from _table import Row, arguments, show, show_host
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from tol_luigi.bench.measure import measured, spread
from tol_luigi.core.images import ImageSpec, encode

SIZES = [
    (500, 375),
    (1024, 768),
    (1600, 1200),
    (1920, 1080),
    (2048, 1536),
    (2155, 2155),
    (2560, 1600),
    (4032, 3024),
]
"""From iNat21 to a telephone; 2155 pixels are decoded to hardly more than the least that is allowed."""

EXACT, SCALED = ImageSpec(), ImageSpec(resize="scaled")


def encoded(pictures: list[bytes], spec: ImageSpec) -> list[bytes]:
    """Make the JPEGs of samples."""
    return [encode(content, spec)[0] for content in pictures]


def likeness(pictures: list[bytes]) -> str:
    """Compare the two, as they are read out of a shard."""
    pairs = zip(encoded(pictures, EXACT), encoded(pictures, SCALED), strict=True)
    opened = [[np.asarray(Image.open(io.BytesIO(content))) for content in pair] for pair in pairs]
    opened = [pair for pair in opened if not np.array_equal(*pair)]
    if not opened:
        return "the same pixels"
    signal = [float(peak_signal_noise_ratio(*pair)) for pair in opened]
    similar = [float(structural_similarity(*pair, channel_axis=2)) for pair in opened]
    return (
        f"of {len(opened)} that differ: PSNR {min(signal):.1f} at least, {statistics.mean(signal):.1f} on average;"
        f" SSIM {min(similar):.4f} at least, {statistics.mean(similar):.4f} on average"
    )


def main() -> None:
    """Print a table for all sizes."""
    given = arguments(str(__doc__), 8, repeat=5)
    show_host()
    groups = {"photographs as they are": large_originals(given.shared)[: given.images]}
    for size in SIZES:
        # every fourth one with full colours, as some cameras save them
        groups[f"{size[0]} x {size[1]}"] = [
            photograph(size, number, given.shared, subsampling=0 if number % 4 == 1 else 2)
            for number in range(given.images)
        ]
    rows = []
    for what, pictures in groups.items():
        variants = {
            "exact": lambda pictures=pictures: encoded(pictures, EXACT),
            "scaled": lambda pictures=pictures: encoded(pictures, SCALED),
        }
        runs = measured(variants, given.repeat)
        taken = {name: spread(seconds, len(pictures)) for name, seconds in runs.items()}
        speed = statistics.median(taken["exact"]) / statistics.median(taken["scaled"])
        kilobytes = statistics.mean(map(len, pictures)) / 1000
        note = f"{speed:.1f} times the speed; {likeness(pictures)}; {kilobytes:.0f} kB a file"
        rows.append(Row(what, taken["scaled"], taken["exact"], note))
    show(
        str(__doc__),
        f"{given.images} images a line, fewer photographs",
        "ms of processor time an image, scaled",
        "exact",
        rows,
    )


if __name__ == "__main__":
    main()

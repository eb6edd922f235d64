"""How close are samples of images that are stored at a bounded size to samples of the originals?"""

from __future__ import annotations

import argparse
import io
import os
import statistics
from dataclasses import replace
from pathlib import Path

import numpy as np
from _pictures import large_originals
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from tol_luigi.core.bounded_images import bounded_image
from tol_luigi.core.images import ImageSpec, encode

STORED = [(1024, 95), (1024, 85), (512, 95)]
SAMPLE = ImageSpec()


def sample(content: bytes) -> np.ndarray:
    """Return the pixels of the sample of an image, as they are read out of a shard."""
    return np.asarray(Image.open(io.BytesIO(encode(content, SAMPLE)[0])))


def main() -> None:
    """Print a line for each way to store."""
    parser = argparse.ArgumentParser(description=__doc__)
    shared = os.environ.get("TOL_SHARED")
    parser.add_argument("--shared", type=Path, default=Path(shared) if shared else None)
    originals = large_originals(parser.parse_args().shared, 1_000_000)
    exact = [sample(content) for content in originals]
    print(f"{len(originals)} photographs, {statistics.mean(map(len, originals)) / 1000:.0f} kB on average")
    for resize in ("exact", "scaled"):
        for side, quality in STORED:
            spec = replace(SAMPLE, jpeg_quality=quality, resize=resize)
            stored = [bounded_image(content, side, spec) for content in originals]
            pairs = list(zip(exact, map(sample, stored), strict=True))
            signal = [float(peak_signal_noise_ratio(*pair)) for pair in pairs]
            similar = [float(structural_similarity(*pair, channel_axis=2)) for pair in pairs]
            print(
                f"resize = {resize}, {side} pixels, quality {quality}: {statistics.mean(map(len, stored)) / 1000:.0f} kB; "
                f"PSNR {min(signal):.1f} at least, {statistics.mean(signal):.1f} dB on average; "
                f"SSIM {min(similar):.4f}, {statistics.mean(similar):.4f}"
            )


if __name__ == "__main__":
    main()

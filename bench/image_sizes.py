"""What does a further image size cost in the same pass over the photographs, and in a pass of its own?"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING

from image_formats import photographs

from tol_luigi.core.images import ImageSpec, encode_sizes

if TYPE_CHECKING:
    from collections.abc import Sequence

ROUNDS = 5
OWN = ImageSpec()
FURTHER = [((384, 384),), ((512, 512),), ((384, 384), (512, 512))]


def milliseconds(originals: Sequence[bytes], spec: ImageSpec) -> float:
    """Return the processor time per photograph."""
    start = time.process_time()
    for content in originals:
        encode_sizes(content, spec)
    return 1000 * (time.process_time() - start) / len(originals)


def main() -> None:
    """Print a line for each set of further sizes."""
    parser = argparse.ArgumentParser(description=str(__doc__))
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="a folder with photographs, *.jpg")
    parser.add_argument("--resize", default=OWN.resize, choices=["exact", "scaled"])
    chosen = parser.parse_args()
    originals = photographs(chosen.folder)
    for sizes in FURTHER:
        together = ImageSpec(resize=chosen.resize, further_sizes=sizes)
        specs = [together, *(ImageSpec(*size, resize=chosen.resize) for size in together.sizes)]
        rounds = [[milliseconds(originals, spec) for spec in specs] for _ in range(ROUNDS)]
        one, *each = map(min, zip(*rounds, strict=True))
        names = ", ".join(f"{width}x{height}" for width, height in together.sizes)
        print(
            f"{names}: {one:.1f} ms in one pass, {sum(each):.1f} ms one after the other, ratio {one / sum(each):.2f}; "
            f"a further size takes {one - each[0]:.1f} ms"
        )


if __name__ == "__main__":
    main()

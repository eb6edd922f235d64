"""How much does it cost to compare every image with the pictures of benchmarks?"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from _pictures import BIOSCAN, EOL, INAT21, photographs
from _table import Row, arguments, show, show_host

from tol_luigi.bench.measure import measured, spread
from tol_luigi.bench.partitions import members, packed, stored
from tol_luigi.core.benchmarks import BenchmarkImage, Benchmarks
from tol_luigi.core.images import ImageSpec
from tol_luigi.core.perceptual import USUAL_DISTANCE, PerceptualHash

MORE = {EOL: 1, INAT21: 5, BIOSCAN: 10}
"""So many more of the small pictures, so that each run takes about as long."""

SPEC = ImageSpec()


def benchmarks(count: int) -> Benchmarks:
    """Make so many pictures that look like none of a source."""
    looks = np.random.default_rng(17).bytes(32 * count)
    listed = (
        BenchmarkImage("rare", str(n), f"{n:064}", PerceptualHash(looks[32 * n : 32 * n + 32], 100))
        for n in range(count)
    )
    return Benchmarks(listed, USUAL_DISTANCE)


def main() -> None:
    """Print a table for each source."""
    given = arguments(str(__doc__), 40, repeat=5, pictures=12_000)
    show_host()
    guards = {count: benchmarks(count) for count in (given.pictures, 10 * given.pictures)}
    for kind, more in MORE.items():
        count = given.images * more
        pictures = photographs(kind, count, given.shared)
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            path = stored(folder, "folder", pictures)
            listed = members(path)
            variants = {
                "packing": lambda path=path, listed=listed: packed(path, listed, path.parent / "a", SPEC)
            }
            for size, guard in guards.items():
                variants[f"with {size:,} pictures to keep out"] = (
                    lambda path=path, listed=listed, guard=guard: packed(
                        path, listed, path.parent / "b", replace(SPEC, hashed=True), guard
                    )
                )
            taken = {name: spread(runs, count) for name, runs in measured(variants, given.repeat).items()}
        rows = [Row(name, runs, taken["packing"]) for name, runs in taken.items()]
        show(f"{kind}: {__doc__}", f"{count} images", "ms of processor time an image", "packing", rows)


if __name__ == "__main__":
    main()

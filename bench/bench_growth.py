"""Do time and memory of packing and checking grow with the number of images as they should?"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from _table import Row, arguments, in_a_process, peak_mib, show, show_host

from tol_luigi.bench.measure import processor_seconds
from tol_luigi.bench.partitions import checked, members, packed, stored
from tol_luigi.bench.pictures import drawn, jpeg
from tol_luigi.core.images import ImageSpec

STEPS = (1, 2, 4, 8)
SPEC = ImageSpec(width=64, height=64)


def child(path: Path, shards: Path) -> None:
    """Pack a place, check the shard, and print what that took."""
    listed = members(path)
    start, bare = processor_seconds(), peak_mib()
    written, outcomes = packed(path, listed, shards, SPEC)
    middle, packing = processor_seconds(), peak_mib()
    checked(shards, written, outcomes, SPEC)
    print(middle - start, processor_seconds() - middle, bare, packing, peak_mib())


def main() -> None:
    """Print a table for the time and one for the memory."""
    if sys.argv[1:2] == ["child"]:
        child(Path(sys.argv[2]), Path(sys.argv[3]))
        return
    given = arguments(str(__doc__), 1000, repeat=3)
    show_host()
    counts = [given.images * step for step in STEPS]
    taken: dict[int, list[list[float]]] = {count: [] for count in counts}
    pictures = [jpeg(drawn((120, 90), number)) for number in range(16)]
    for _ in range(given.repeat):
        for count in counts:
            with tempfile.TemporaryDirectory() as name:
                path = stored(Path(name), "tar", (pictures[number % 16] for number in range(count)))
                taken[count].append(in_a_process(__file__, "child", path, Path(name) / "shards"))
    least = f"{given.images} images"
    for column, what in enumerate(["packing", "checking"]):
        rows = [
            Row(f"{count} images", *(_column(taken[of], column, 1000 / of) for of in (count, counts[0])))
            for count in counts
        ]
        title = f"{__doc__} Time of {what}: as much an image, however many there are."
        show(title, "as in the lines", "ms of processor time an image", least, rows)
    rows = [
        Row(
            f"{count} images",
            _column(taken[count], 4),
            _column(taken[counts[0]], 4),
            _grown(taken[count], count),
        )
        for count in counts
    ]
    title = f"{__doc__} Memory: flat, but for what is recorded of each sample."
    show(title, "as in the lines", "MiB, the most that the process held", least, rows)


def _column(runs: list[list[float]], column: int, factor: float = 1.0) -> list[float]:
    return [factor * run[column] for run in runs]


def _grown(runs: list[list[float]], count: int) -> str:
    grown = min(run[4] - run[2] for run in runs)
    return f"{grown:.1f} MiB more than before packing, {1024 * grown / count:.2f} KiB a sample"


if __name__ == "__main__":
    main()

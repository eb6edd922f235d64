"""What does it cost to find the images with the same bytes among all that were written?"""

from __future__ import annotations

import hashlib
import sys
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from _table import Row, arguments, in_a_process, peak_mib, show, show_host

from tol_luigi.bench.measure import processor_seconds
from tol_luigi.store.duplicates import find_duplicates, written_images
from tol_luigi.store.ledger import LEDGER
from tol_luigi.store.reconciliation import Ledger

GROUP = 36_000
"""Rows of a partition: those of ten million images in 280 partitions."""

EVERY = 50
"""One image in so many has the bytes of another one."""

WAYS = {"a dict of the ids by hash": "dict", "tol_luigi": "ours"}


def ledgers(folder: Path) -> list[Ledger]:
    """List the ledgers that lie in a folder."""
    return [Ledger("train", "eol", path.stem, path) for path in sorted(folder.iterdir())]


def fill(folder: Path, rows: int) -> None:
    """Write ledgers of so many images."""
    for number, start in enumerate(range(0, rows, GROUP)):
        images = range(start, min(start + GROUP, rows))
        contents = [image - 1 if image % EVERY == 1 else image for image in images]
        known = {
            "id": [f"{image * 0x9E3779B1 % 2**32:08x}-0000-4000-8000-{image:012x}" for image in images],
            "source": ["eol"] * len(images),
            "partition": [f"{number:03}"] * len(images),
            "state": ["written"] * len(images),
            "sha256": [hashlib.sha256(b"%d" % content).hexdigest() for content in contents],
        }
        columns = [known.get(name, pa.nulls(len(images), LEDGER.field(name).type)) for name in LEDGER.names]
        pq.write_table(pa.table(columns, schema=LEDGER), folder / f"{number:03}", compression="zstd")


def by_dict(images: list[Ledger]) -> int:
    """Count duplicates as one would at first."""
    groups: dict[str, list[str]] = {}
    for table in written_images(images):
        for sha256, image in zip(table["sha256"].to_pylist(), table["id"].to_pylist(), strict=True):
            groups.setdefault(sha256, []).append(image)
    return sum(len(group) for group in groups.values() if len(group) > 1)


def child(way: str, folder: Path) -> None:
    """Find the duplicates one way; print how many there are, the seconds, and the most memory held."""
    images = ledgers(folder)
    before, start = peak_mib(), processor_seconds()
    if way == "dict":
        count = by_dict(images)
    else:
        count = len(find_duplicates(lambda: written_images(images), ["eol"], folder / "found"))
    print(count, processor_seconds() - start, peak_mib() - before)


def main() -> None:
    """Print the tables."""
    if sys.argv[1:2] == ["child"]:
        child(sys.argv[2], Path(sys.argv[3]))
        return
    given = arguments(str(__doc__), 0, repeat=3, rows=1_000_000)
    show_host()
    runs: dict[str, list[list[float]]] = {name: [] for name in WAYS}
    with tempfile.TemporaryDirectory() as name:
        fill(Path(name), given.rows)
        for _ in range(given.repeat):
            for name_of_way, way in WAYS.items():
                runs[name_of_way].append(in_a_process(__file__, "child", way, name))
    baseline = next(iter(WAYS))
    for unit, place in (("seconds of processor time", 1), ("MiB, the most held since the start", 2)):
        figures = {name: [run[place] for run in of_way] for name, of_way in runs.items()}
        table = [
            Row(name, values, figures[baseline], f"{runs[name][0][0]:,.0f} found")
            for name, values in figures.items()
        ]
        show(
            str(__doc__),
            f"{given.rows:,} images, one in {EVERY} with the bytes of another",
            unit,
            baseline,
            table,
        )


if __name__ == "__main__":
    main()

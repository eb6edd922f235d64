"""What does it cost to compare two releases (tol diff)?"""

from __future__ import annotations

import hashlib
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from _table import Row, arguments, in_a_process, peak_mib, show, show_host

from tol_luigi.bench.measure import processor_seconds
from tol_luigi.core.taxon import RANK_LABELS
from tol_luigi.dataset.difference import compare
from tol_luigi.dataset.release import LABELS, open_release

GROUP = 122_880
"""Rows of a row group, as in a catalog."""

PER_TAXON = 22
"""Images of a taxon: those of ten million images of 450,000 taxa."""

EVERY = 50
"""One image in so many is added, one removed, one moved, one relabelled, and one made from another file."""

WAYS = {"tol_luigi": "ours", "pandas, all rows at a time": "pandas"}

MOST_IN_PANDAS = 2_000_000
"""Rows beyond which pandas is left out: it needs 1.5 GiB for a million."""

_COLUMNS = ("treeoflife_id", "split", *LABELS, "source", "sha256")


def fill(path: Path, rows: int, *, is_new: bool) -> None:
    """Write a catalog of so many rows, in the order of a shuffled release."""
    schema = pa.schema([(name, pa.string()) for name in _COLUMNS])
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for start in range(0, rows, GROUP):
            images = [n for n in range(start, min(start + GROUP, rows)) if n % EVERY != (1 if is_new else 2)]
            writer.write_table(pa.table(_columns(images, is_new=is_new), schema=schema))


def _columns(images: list[int], *, is_new: bool) -> dict[str, list[str]]:
    taxa = [image * 0x9E3779B1 % 2**32 // PER_TAXON for image in images]
    changed = {kind: [is_new and image % EVERY == kind for image in images] for kind in (3, 4, 5)}
    lineages = {
        rank: [f"{rank} {taxon // 30 ** (len(RANK_LABELS) - 1 - level)}" for taxon in taxa]
        for level, rank in enumerate(RANK_LABELS)
    }
    lineages["genus"] = [
        f"{name} renamed" if is_renamed else name
        for name, is_renamed in zip(lineages["genus"], changed[4], strict=True)
    ]
    return {
        "treeoflife_id": [
            f"{image * 0x9E3779B1 % 2**32:08x}-0000-4000-8000-{image:012x}" for image in images
        ],
        "split": ["val" if is_moved else "train" for is_moved in changed[3]],
        **lineages,
        "common": lineages["species"],
        "source": ["eol"] * len(images),
        "sha256": [
            hashlib.sha256(b"%d%d" % (image, is_other)).hexdigest()
            for image, is_other in zip(images, changed[5], strict=True)
        ],
    }


def with_pandas(paths: list[Path]) -> int:
    """Count the changes as one would at first."""
    before, now = (pq.read_table(path).to_pandas() for path in paths)
    both = before.merge(now, on="treeoflife_id", how="outer", indicator=True, suffixes=("_before", "_now"))
    is_in_both = both["_merge"] == "both"
    count = int((~is_in_both).sum())
    for columns in (["split"], LABELS, ["sha256"]):
        differs = np.zeros(len(both), dtype=bool)
        for name in columns:
            differs |= both[f"{name}_before"] != both[f"{name}_now"]
        count += int((differs & is_in_both).sum())
    return count


def child(way: str, folder: Path) -> None:
    """Compare one way; print the number of changes, the seconds, and the most memory held."""
    paths = [folder / "before.parquet", folder / "now.parquet"]
    memory, start = peak_mib(), processor_seconds()
    if way == "pandas":
        count = with_pandas(paths)
    else:
        first, second = map(open_release, paths)
        count = sum(compare(first, second, examples=10).changes.values())
    print(count, processor_seconds() - start, peak_mib() - memory)


def main() -> None:
    """Print the tables."""
    if sys.argv[1:2] == ["child"]:
        child(sys.argv[2], Path(sys.argv[3]))
        return
    given = arguments(str(__doc__), 0, repeat=3, rows=1_000_000)
    show_host()
    ways = {name: way for name, way in WAYS.items() if way == "ours" or given.rows <= MOST_IN_PANDAS}
    runs: dict[str, list[list[float]]] = {name: [] for name in ways}
    with tempfile.TemporaryDirectory() as name:
        for release in ("before", "now"):
            fill(Path(name, f"{release}.parquet"), given.rows, is_new=release == "now")
        for _ in range(given.repeat):
            for name_of_way, way in ways.items():
                runs[name_of_way].append(in_a_process(__file__, "child", way, name))
    baseline = next(reversed(ways))
    if len({run[0] for of_way in runs.values() for run in of_way}) != 1:
        raise AssertionError
    for unit, place in (("seconds of processor time", 1), ("MiB, the most held since the start", 2)):
        figures = {name: [run[place] for run in of_way] for name, of_way in runs.items()}
        table = [
            Row(name, values, figures[baseline], f"{runs[name][0][0]:,.0f} changes")
            for name, values in figures.items()
        ]
        show(str(__doc__), f"{given.rows:,} rows a release", unit, baseline, table)


if __name__ == "__main__":
    main()

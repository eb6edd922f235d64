"""Does a worker that writes one partition need more memory where the dataset is large?"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import sys
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from _pictures import INAT21, photographs
from _table import Row, arguments, in_a_process, peak_mib, show, show_host

FEW = 10_000
GROUP = 36_000
"""Rows of a partition: those of ten million images in 280 partitions."""


def child(what: str) -> None:
    """Plan, or write the shards of the one real partition and print the memory that took."""
    import _builds  # noqa: PLC0415 (it reads the settings that the environment names)

    if what == "plan":
        _builds.plan()
    else:
        _builds.write(1, ("train",))
    print(peak_mib())


def ids(start: int, count: int) -> list[str]:
    """Make ids that are nobody's."""
    numbers = range(start, start + count)
    return [f"{number:08x}-0000-4000-8000-{number * 0x9E3779B97F4B % 2**48:012x}" for number in numbers]


def enlarge(dataset: Path, rows: int) -> None:
    """Add rows of other partitions to the catalog and to the mapping of a dataset that is planned."""
    catalog, larger = dataset / "predicted-catalog.parquet", dataset / "larger"
    real = pq.read_table(catalog)
    model = real.slice(0, 1).to_pylist()[0]
    with (
        pq.ParquetWriter(larger, real.schema, compression="zstd") as writer,
        contextlib.closing(sqlite3.connect(dataset / "mapping.sqlite")) as mapping,
    ):
        writer.write_table(real)
        for number, start in enumerate(range(0, rows, GROUP)):
            made = ids(start, min(GROUP, rows - start))
            columns = {
                name: pa.repeat(pa.scalar(value, real.schema.field(name).type), len(made))
                for name, value in model.items()
            }
            columns |= {
                "treeoflife_id": pa.array(made),
                "partition": pa.repeat(f"other-{number}", len(made)),
                "position": pa.array(range(len(made)), pa.int64()),
            }
            writer.write_table(pa.table(columns, schema=real.schema))
            mapping.executemany("INSERT INTO split VALUES (?, 0, 0)", ((image,) for image in made))
            mapping.executemany(
                "INSERT INTO place VALUES (?, ?, ?)",
                ((1000 + number, position, image) for position, image in enumerate(made)),
            )
        mapping.commit()
    larger.replace(catalog)


def main() -> None:
    """Print the table."""
    if sys.argv[1:2] == ["child"]:
        child(sys.argv[2])
        return
    given = arguments(str(__doc__), 300, repeat=3, rows=1_000_000)
    show_host()
    from _builds import configured  # noqa: PLC0415 (as above)

    pictures = photographs(INAT21, given.images, given.shared)
    peaks: dict[int, list[float]] = {}
    sizes: dict[int, float] = {}
    for rows in (min(FEW, given.rows), given.rows):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            config = {"LUIGI_CONFIG_PATH": str(configured(folder, pictures, 1))}
            in_a_process(__file__, "child", "plan", **config)
            enlarge(folder / "built", rows)
            sizes[rows] = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
            peaks[rows] = []
            for _ in range(given.repeat):
                shutil.rmtree(folder / "built" / "224x224", ignore_errors=True)
                peaks[rows] += in_a_process(__file__, "child", "write", **config)
    few = next(iter(peaks))
    table = [
        Row(
            f"{rows:,} rows",
            values,
            peaks[few],
            f"{max(values) - min(peaks[few]):+.0f} MiB at most (target: 100); {sizes[rows]:,.0f} MB on disk",
        )
        for rows, values in peaks.items()
    ]
    show(
        str(__doc__),
        f"one partition of {given.images} images",
        "MiB, the most that the process held",
        f"{few:,} rows",
        table,
    )


if __name__ == "__main__":
    main()

"""How fast are shards written, compared with webdataset's writer?"""

from __future__ import annotations

import tempfile
from pathlib import Path

import webdataset
from _pictures import BIOSCAN, photographs
from _table import Row, arguments, show, show_host

from tol_luigi.bench.measure import measured, spread
from tol_luigi.bench.partitions import RANKS, samples
from tol_luigi.core.images import ImageSpec, encode
from tol_luigi.core.samples import IMAGE, texts
from tol_luigi.core.shards import sample_record, write_shard
from tol_luigi.core.taxon import Taxon

Contents = dict[str, dict[str, bytes]]


def ours(path: Path, contents: Contents) -> None:
    """Write with the project's writer."""
    write_shard(path, (sample_record(key, members) for key, members in contents.items()))


def theirs(path: Path, contents: Contents) -> None:
    """Write with webdataset's writer, with a fixed time as ours has."""
    with webdataset.TarWriter(str(path), encoder=False, mtime=0) as writer:
        for key, members in contents.items():
            writer.write({"__key__": key, **members})


def main() -> None:
    """Print the table."""
    given = arguments(str(__doc__), 2000, repeat=5)
    show_host()
    said = {name: text.encode() for name, text in texts(Taxon.from_rendered(RANKS), "honey bee").items()}
    pictures = [
        encode(content, ImageSpec())[0]
        for content in photographs(BIOSCAN, min(24, given.images), given.shared)
    ]
    contents: Contents = {
        sample.id: {**said, IMAGE: pictures[number % len(pictures)]}
        for number, sample in enumerate(samples(given.images))
    }
    with tempfile.TemporaryDirectory() as folder:
        variants = {
            "webdataset.TarWriter": lambda: theirs(Path(folder) / "theirs.tar", contents),
            "write_shard": lambda: ours(Path(folder) / "shard-000000.tar", contents),
        }
        runs = measured(variants, given.repeat)
    taken = {name: spread(seconds, given.images) for name, seconds in runs.items()}
    notes = {"write_shard": "with SHA-256, and flushed to disk"}
    rows = [
        Row(name, values, taken["webdataset.TarWriter"], notes.get(name, ""))
        for name, values in taken.items()
    ]
    show(
        str(__doc__),
        f"{given.images} samples of 11 members",
        "ms of processor time a sample",
        "webdataset.TarWriter",
        rows,
    )


if __name__ == "__main__":
    main()

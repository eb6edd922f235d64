"""How fast are shards verified, compared with reading them with webdataset?"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from _pictures import INAT21, photographs
from _table import Row, arguments, show, show_host
from webdataset.tariterators import group_by_keys, tar_file_expander

from tol_luigi.bench.measure import measured, spread
from tol_luigi.bench.partitions import members, packed, samples, stored
from tol_luigi.core.images import ImageSpec
from tol_luigi.core.shard_checks import Level, check_shards
from tol_luigi.core.shards import shard_name

if TYPE_CHECKING:
    from tol_luigi.core.shards import Shard

SPEC = ImageSpec()
COPIES = 20
"""The shard is hashed so many times in one run, as starting ``sha256sum`` takes time."""


def main() -> None:
    """Print the table."""
    given = arguments(str(__doc__), 1000, repeat=5)
    show_host()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = stored(folder, "tar", photographs(INAT21, given.images, given.shared))
        shards, outcomes = packed(path, members(path), folder / "shards", SPEC)
        known = samples(given.images)
        order = sorted(range(given.images), key=lambda place: outcomes[place].position)
        ids = {0: [known[place].id for place in order]}
        texts = {sample.id: sample for sample in known}

        def webdataset() -> None:
            url = str(folder / "shards" / shards[0].name)
            with Path(url).open("rb") as file:
                for _ in group_by_keys(tar_file_expander([{"url": url, "stream": file}])):
                    pass

        def verified(level: Level) -> None:
            size = SPEC.width, SPEC.height
            findings = check_shards(
                folder / "shards", shards, ids, size, lambda _: None, level=level, samples=texts
            )
            if findings:
                sys.exit(str(findings[0]))

        runs = measured(
            {
                "webdataset, read only": webdataset,
                "level receipt": lambda: verified(Level.RECEIPT),
                "level members": lambda: verified(Level.MEMBERS),
                "level pixels": lambda: verified(Level.PIXELS),
            },
            given.repeat,
        )
        hashed = _hashed(folder / "shards", shards[0], given.repeat)
    millis = {what: spread(seconds, given.images) for what, seconds in runs.items()}
    rows = [Row(what, taken, millis["webdataset, read only"]) for what, taken in millis.items()]
    what = f"{given.images} samples of {SPEC.width} x {SPEC.height} pixels, {shards[0].size / 1e6:.0f} MB"
    show(str(__doc__), what, "ms of processor time a sample", "webdataset", rows)
    size = COPIES * shards[0].size
    rows = [
        Row(what, spread(seconds, size / 1e9), spread(hashed["sha256sum"], size / 1e9))
        for what, seconds in hashed.items()
    ]
    show(
        "Is it as fast as the hash?",
        f"{size / 1e9:.1f} GB; target: 1.11",
        "ms of processor time a GB",
        "sha256sum",
        rows,
    )


def _hashed(folder: Path, shard: Shard, repeat: int) -> dict[str, list[float]]:
    """Measure the level that only reads, on copies of a shard."""
    copies = [replace(shard, name=shard_name(number)) for number in range(COPIES)]
    for copy in copies[1:]:
        shutil.copyfile(folder / shard.name, folder / copy.name)
    paths = [folder / copy.name for copy in copies]

    def checked() -> None:
        size = SPEC.width, SPEC.height
        if findings := check_shards(folder, copies, {}, size, lambda _: None, level=Level.BYTES):
            sys.exit(str(findings[0]))

    return measured(
        {
            "sha256sum": lambda: subprocess.run(["sha256sum", *paths], check=True, stdout=subprocess.DEVNULL),
            "level bytes": checked,
        },
        repeat,
    )


if __name__ == "__main__":
    main()

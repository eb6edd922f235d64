"""How fast are shards verified, compared with reading them with webdataset?"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from _pictures import INAT21, photographs
from _places import members, packed, samples, stored
from _table import Row, arguments, measured, show, show_host, spread
from webdataset.tariterators import group_by_keys, tar_file_expander

from tol_luigi.core.images import ImageSpec
from tol_luigi.core.shard_checks import Level, check_shards

SPEC = ImageSpec()


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
    millis = {what: spread(seconds, given.images) for what, seconds in runs.items()}
    rows = [Row(what, taken, millis["webdataset, read only"]) for what, taken in millis.items()]
    what = f"{given.images} samples of {SPEC.width} x {SPEC.height} pixels, {shards[0].size / 1e6:.0f} MB"
    show(str(__doc__), what, "ms of processor time a sample", "webdataset", rows)


if __name__ == "__main__":
    main()

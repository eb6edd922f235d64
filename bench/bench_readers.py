"""How fast is a tar.gz of photographs read, compared with Python's own modules and webdataset?"""

from __future__ import annotations

import gzip
import tarfile
import tempfile
from pathlib import Path

from _pictures import INAT21, photographs
from _table import Row, arguments, show, show_host
from webdataset.tariterators import tar_file_iterator

from tol_luigi.bench.measure import measured
from tol_luigi.bench.partitions import members, stored
from tol_luigi.sources import archives


def main() -> None:
    """Print the table."""
    given = arguments(str(__doc__), 1000, repeat=5)
    show_host()
    pictures = photographs(INAT21, given.images, given.shared)
    unpacked = sum(map(len, pictures)) / 1e6
    with tempfile.TemporaryDirectory() as folder:
        path = stored(Path(folder), "tar.gz", pictures)
        listed, index = members(path), Path(folder) / "index"
        for _ in archives.scan(path):
            pass
        archives.index(path, index)

        def python() -> int:
            with gzip.open(path) as file, tarfile.open(fileobj=file) as tar:
                return sum(len(found.read()) for member in tar if (found := tar.extractfile(member)))

        def webdataset() -> int:
            with path.open("rb") as file:
                return sum(len(sample["data"]) for sample in tar_file_iterator(file))

        def ours(known: Path | None) -> int:
            return sum(
                len(content)
                for _, content in archives.read(path, listed, known)
                if isinstance(content, bytes)
            )

        variants = {
            "gzip and tarfile": python,
            "webdataset": webdataset,
            "tol_luigi": lambda: ours(None),
            "tol_luigi, by its index": lambda: ours(index),
            "tol_luigi, scan": lambda: len(members(path)),
        }
        if not python() == webdataset() == ours(None) == ours(index):
            raise AssertionError
        runs = measured(variants, given.repeat)
    speed = {name: [unpacked / seconds for seconds in taken] for name, taken in runs.items()}
    rows = [Row(name, values, speed["gzip and tarfile"]) for name, values in speed.items()]
    show(
        str(__doc__),
        f"{given.images} images, {unpacked:.0f} MB",
        "MB of pictures a second of processor time (more is better)",
        "gzip and tarfile",
        rows,
    )


if __name__ == "__main__":
    main()

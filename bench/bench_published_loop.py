"""What does it cost to pack images, and to check and list the shards, against the published method?"""

from __future__ import annotations

import tempfile
from pathlib import Path

from _pictures import BIOSCAN, EOL, INAT21, photographs
from _table import Row, arguments, show, show_host

from tol_luigi.bench.cases import cases
from tol_luigi.bench.measure import measured, spread
from tol_luigi.bench.pictures import ImageSet

FORMS = {EOL: "tar.gz", INAT21: "folder", BIOSCAN: "folder"}
"""What the published method reads of each source."""

MORE = {EOL: 1, INAT21: 5, BIOSCAN: 10}
"""So many more of the small images, so that each run takes about as long."""


def main() -> None:
    """Print a table for each source and case."""
    given = arguments(str(__doc__), 24, repeat=5)
    show_host()
    for kind, form in FORMS.items():
        images = ImageSet(kind, photographs(kind, given.images * MORE[kind], given.shared), form)
        count = len(images.files)
        with tempfile.TemporaryDirectory() as name:
            for case in cases(("pack", "stage"), images, Path(name)):
                runs = measured(case.variants, given.repeat)
                taken = {variant: spread(seconds, count) for variant, seconds in runs.items()}
                rows = [Row(variant, each, taken[case.baseline]) for variant, each in taken.items()]
                title = f"{kind}, {case.name}: {__doc__}"
                note = f"{count} images of {sum(map(len, images.files)) / count / 1000:.0f} kB"
                show(title, note, "ms of processor time an image", case.baseline, rows)


if __name__ == "__main__":
    main()

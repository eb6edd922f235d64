"""How much does packing a partition cost beyond decoding, resizing and encoding its pictures?"""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

from _pictures import BIOSCAN, EOL, INAT21, photographs
from _table import Row, arguments, show, show_host
from PIL import Image

from tol_luigi.bench.measure import measured, spread
from tol_luigi.bench.partitions import members, packed, stored
from tol_luigi.core.images import ImageSpec
from tol_luigi.core.pillow_limits import pillow_limits
from tol_luigi.core.resampling import PILLOW, resize

FORMS = {EOL: ("tar.gz", "tar"), INAT21: ("tar.gz", "folder"), BIOSCAN: ("zip", "folder")}
"""How each source comes, and a form that costs less to read."""

TARGETS = {EOL: 1.15, INAT21: 1.4, BIOSCAN: 1.4}
MORE = {EOL: 1, INAT21: 5, BIOSCAN: 10}
"""So many more of the small pictures, so that each run takes about as long."""

SPEC, BEFORE = ImageSpec(), ImageSpec(kernel=PILLOW)


def kernel(pictures: list[bytes]) -> None:
    """Do what cannot be left out, and nothing else."""
    for content in pictures:
        sample(content).save(io.BytesIO(), "JPEG", quality=SPEC.jpeg_quality)


def sample(content: bytes) -> Image.Image:
    """Decode and resize a photograph; its memory is free for the next one when this returns."""
    limits = pillow_limits(max_pixels=SPEC.max_pixels, lenient=False)
    with limits, Image.open(io.BytesIO(content)) as image:
        image.load()
        decoded = image if image.mode == "RGB" else image.convert("RGB")
        return resize(decoded, (SPEC.width, SPEC.height), (0, 0, *decoded.size))


def main() -> None:
    """Print a table for each source."""
    given = arguments(str(__doc__), 40, repeat=5)
    show_host()
    for kind, forms in FORMS.items():
        count = given.images * MORE[kind]
        pictures = photographs(kind, count, given.shared)
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            variants = {"kernel": lambda pictures=pictures: kernel(pictures)}
            for form in forms:
                path = stored(folder, form, pictures)
                listed, target = members(path), folder / f"{form}-shards"
                variants[f"pack from {form}"] = lambda path=path, listed=listed, target=target: packed(
                    path, listed, target, SPEC
                )
                if form == forms[0]:
                    variants[f"pack from {form}, resized by Pillow"] = (
                        lambda path=path, listed=listed, target=folder / "before": packed(
                            path, listed, target, BEFORE
                        )
                    )
            taken = {name: spread(runs, count) for name, runs in measured(variants, given.repeat).items()}
        mean = sum(map(len, pictures)) / count / 1000
        rows = [Row(name, runs, taken["kernel"]) for name, runs in taken.items()]
        note = f"{count} images of {mean:.0f} kB; target: {TARGETS[kind]}"
        show(f"{kind}: {__doc__}", note, "ms of processor time an image", "kernel", rows)


if __name__ == "__main__":
    main()

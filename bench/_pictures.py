"""Pictures to measure with: those of the reference material where it is there, otherwise drawn ones."""

from __future__ import annotations

import functools
import io
import itertools
import tarfile
from typing import TYPE_CHECKING

from PIL import Image

from tol_luigi.bench.pictures import SETS, drawn, filled, jpeg

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Size = tuple[int, int]

EOL, INAT21, BIOSCAN = "EOL", "iNat21", "BIOSCAN"
SIZES: dict[str, list[Size]] = dict(zip((EOL, INAT21, BIOSCAN), SETS.values(), strict=True))
"""The sizes of the photographs of each source, in pixels."""


def photographs(kind: str, count: int, shared: Path | None) -> list[bytes]:
    """Give so many JPEGs of the sizes of a source; the same ones come again where there are few."""
    made = list(itertools.islice(_made(kind, shared), min(count, 24)))
    return list(itertools.islice(itertools.cycle(made), count))


def photograph(size: Size, number: int, shared: Path | None, **options: int) -> bytes:
    """Make a JPEG of a size that has as much detail as photographs of that size."""
    return jpeg(filled(size, _originals(shared), number), **options)


def _made(kind: str, shared: Path | None) -> Iterator[bytes]:
    """Make pictures without end: the small ones of the sample as they are, the large ones out of its photographs."""
    if shared and kind != EOL:
        folder = shared / "sample" / {INAT21: "inat21", BIOSCAN: "bioscan"}[kind]
        yield from (path.read_bytes() for path in sorted(folder.rglob("*.jpg")))
    for number in itertools.count():
        yield photograph(SIZES[kind][number % len(SIZES[kind])], number, shared)


def large_originals(shared: Path | None, least: int = 2_000_000) -> list[bytes]:
    """Give the photographs of the sample of EOL with more than so many pixels, two megapixels or another number, as they are."""
    if shared is None:
        return [jpeg(drawn((2000, 1500), 0))]
    found = []
    for archive in sorted((shared / "sample" / "eol-hf").glob("*.tar.gz")):
        found += [content for content, image in _opened(archive) if image.width * image.height > least]
    return found


@functools.cache
def _originals(shared: Path | None) -> list[Image.Image]:
    """Give the photographs of the sample of EOL that have detail enough, or drawn ones."""
    if shared is None:
        return [drawn((1400, 1000), number) for number in range(4)]
    found = []
    for archive in sorted((shared / "sample" / "eol-hf").glob("*.tar.gz")):
        found += [image for _, image in _opened(archive)]
    return found


_ENOUGH = 900_000


def _opened(archive: Path) -> Iterator[tuple[bytes, Image.Image]]:
    with tarfile.open(archive) as tar:
        for member in tar:
            file = tar.extractfile(member)
            content = file.read() if file else b""
            try:
                image = Image.open(io.BytesIO(content))
                if image.mode == "RGB" and image.width * image.height > _ENOUGH:
                    image.load()
                    yield content, image
            except OSError:  # some of them are broken on purpose
                continue

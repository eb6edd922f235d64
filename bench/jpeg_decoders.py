"""Does simplejpeg decode JPEGs to the pixels of Pillow, and in what time?"""

from __future__ import annotations

import io
import random
import sys
from typing import TYPE_CHECKING

from _pictures import BIOSCAN, EOL, INAT21, large_originals, photographs
from _table import Row, arguments, show, show_host
from PIL import Image

from tol_luigi.bench.measure import measured, spread
from tol_luigi.core.jpeg_decoding import DECODERS, PILLOW, decoder_label, decoder_name, load
from tol_luigi.core.pillow_limits import pillow_limits

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

MORE = {EOL: 1, INAT21: 10, BIOSCAN: 20}
"""So many more of the small pictures, so that each run takes about as long."""

SIDES = (1, 2, 7, 8, 9, 15, 16, 17, 33, 64, 100, 255, 500, 900)
QUALITIES = (1, 5, 20, 50, 75, 90, 95, 100)
START_OF_IMAGE, START_OF_SCAN = b"\xff\xd8", b"\xff\xda"
FRAMES = (b"\xff\xc0", b"\xff\xc2")
"""The markers of the frame of a JPEG in one scan and in several."""
RATIOS = (0x11, 0x12, 0x14, 0x21, 0x22, 0x31, 0x41, 0x42, 0x44)
"""How many samples of brightness there are to each of colour, across and down."""


def main() -> None:
    """Print a table for each source, and how many files differ: photographs, and drawn ones (--files), half of them damaged."""
    given = arguments(str(__doc__), 24, repeat=5, files=10_000, seed=1)
    show_host()
    for kind, more in MORE.items():
        files = photographs(kind, given.images * more, given.shared)
        runs = measured(
            {name: lambda files=files, name=name: decoded(files, name) for name in DECODERS[::-1]},
            given.repeat,
        )
        millis = {name: spread(seconds, len(files)) for name, seconds in runs.items()}
        rows = [
            Row(decoder_label(decoder_name(name)), taken, millis[PILLOW]) for name, taken in millis.items()
        ]
        show(f"{kind}: {__doc__}", f"{len(files)} images", "ms of processor time an image", "Pillow", rows)
    originals = large_originals(given.shared, 0)
    drawn = random.Random(given.seed)  # noqa: S311 (not a secret)
    found = (
        differing(originals, "photograph"),
        differing(made(originals, drawn, given.files), "drawn file"),
    )
    print(
        f"\nfiles that differ: {found[0]} of {len(originals)} photographs, {found[1]} of {given.files} drawn ones"
    )
    sys.exit(any(found))


def decoded(files: Sequence[bytes], decoder: str) -> None:
    """Decode images, one after the other; the memory of each is free for the next one."""
    for content in files:
        with Image.open(io.BytesIO(content)) as image:
            load(image, content, decoder)


def result(content: bytes, decoder: str) -> tuple[object, ...]:
    """Return the pixels of a file, or the error that it gives."""
    try:
        with (
            pillow_limits(max_pixels=1 << 30, lenient=False),
            Image.open(io.BytesIO(content), formats=("JPEG",)) as image,
        ):
            load(image, content, decoder)
            return image.mode, image.size, image.tobytes()
    except Exception as error:  # noqa: BLE001 (of a damaged file, Pillow raises anything)
        return type(error), str(error).partition("<")[0]


def differing(files: Iterable[bytes], what: str) -> int:
    """Return how many files the decoders make different things of, and name them."""
    found = 0
    for number, content in enumerate(files):
        if len({result(content, name) for name in DECODERS}) > 1:
            print(f"{what} {number}: differs")
            found += 1
    return found


def made(originals: Sequence[bytes], drawn: random.Random, count: int) -> Iterator[bytes]:
    """Yield parts of photographs in all samplings and qualities, in one scan and in several; every second file is damaged."""
    pictures = [Image.open(io.BytesIO(content)).convert("RGB") for content in originals[:40]]
    for number in range(count):
        content = saved(part_of(drawn.choice(pictures), drawn), drawn)
        if number % 2:
            content = drawn.choice([damaged, damaged, rearranged, rearranged, resampled])(content, drawn)
        yield content


def part_of(picture: Image.Image, drawn: random.Random) -> Image.Image:
    """Return a part of a picture, of a size that may be no multiple of a block."""
    width, height = (min(side, drawn.choice(SIDES) + drawn.randrange(9)) for side in picture.size)
    left, top = drawn.randrange(picture.width - width + 1), drawn.randrange(picture.height - height + 1)
    return picture.crop((left, top, left + width, top + height))


def saved(picture: Image.Image, drawn: random.Random) -> bytes:
    """Return a picture as a JPEG of random properties."""
    file = io.BytesIO()
    picture.save(
        file,
        "JPEG",
        quality=drawn.choice(QUALITIES),
        subsampling=drawn.randrange(3),
        progressive=drawn.random() < 1 / 3,
        restart_marker_blocks=drawn.choice([0, 0, 1, 5]),
    )
    return file.getvalue()


def damaged(content: bytes, drawn: random.Random) -> bytes:
    """Return a file with some bytes changed, added or lost, or without its end."""
    for _ in range(drawn.randrange(1, 5)):
        place = drawn.randrange(len(content) // 100, len(content) + 1)
        added, lost = drawn.choice([(1, 1), (1, 1), (5, 0), (0, 5), (0, len(content))])
        content = content[:place] + drawn.randbytes(added) + content[place + lost :]
    return content


def rearranged(content: bytes, drawn: random.Random) -> bytes:
    """Return a file with a segment of its header missing, repeated, or changed in one byte."""
    found = list(segments(content))
    start, end = drawn.choice(found)
    segment = content[start:end]
    place = drawn.randrange(len(segment))
    other = segment[:place] + drawn.randbytes(1) + segment[place + 1 :]
    before, _ = drawn.choice(found)
    return drawn.choice(
        [
            content[:start] + content[end:],
            content[:before] + segment + content[before:],
            content[:start] + other + content[end:],
        ]
    )


def segments(content: bytes) -> Iterator[tuple[int, int]]:
    """Yield where each segment before the first scan starts and ends."""
    start = len(START_OF_IMAGE)
    while content[start : start + 2] != START_OF_SCAN:
        end = start + 2 + int.from_bytes(content[start + 2 : start + 4], "big")
        yield start, end
        start = end


def resampled(content: bytes, drawn: random.Random) -> bytes:
    """Return a file that states another sampling of its colours than it has."""
    place = max(map(content.find, FRAMES)) + 11
    return content[:place] + bytes([drawn.choice(RATIOS)]) + content[place + 1 :]


if __name__ == "__main__":
    main()

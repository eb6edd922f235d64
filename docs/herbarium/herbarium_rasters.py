"""Herbarium sheets that are NumPy arrays, <number>.npy, next to those in <number>.jpg."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

import herbarium
import numpy as np
from PIL import Image

from tol_luigi.core.ledger import State
from tol_luigi.core.reader import FileContent, Found, Member, MemberError


class RasterReader(herbarium.HerbariumReader):
    """Accepts the ending .npy, and converts each array to PNG."""

    def scan(self, listing: str) -> Iterator[Found]:
        for found in super().scan(listing):
            file = PurePosixPath(found.member.name)
            is_raster = found.state is State.NO_IMAGE and file.suffix == ".npy" and file.stem.isdecimal()
            yield Found(found.member, partition="all", key=(int(file.stem),)) if is_raster else found

    def read(self, partition: str, members: Sequence[Member]) -> Iterator[tuple[int, FileContent]]:
        for position, content in super().read(partition, members):
            if isinstance(content, bytes) and members[position].name.endswith(".npy"):
                yield position, png(content)
            else:
                yield position, content


def png(content: bytes) -> bytes | MemberError:
    """Return an array as PNG, or what is wrong with the file."""
    image = io.BytesIO()
    try:
        pixels = np.lib.format.read_array(io.BytesIO(content))
        # Uncompressed, since it is decoded again at once.
        Image.fromarray(pixels).save(image, "PNG", compress_level=0)
    except (OSError, TypeError, ValueError) as error:
        return MemberError(f"cannot be converted: {error}")
    return image.getvalue()


HERBARIUM = replace(herbarium.HERBARIUM, reader=lambda given, images, index: RasterReader(images))

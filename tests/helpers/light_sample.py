"""The sample with small photographs: most tests build it again and again, and need no large ones."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

from PIL import Image

SIDE = 288
"""The longest side of a photograph, in pixels: more than a sample has, so that it is still resized."""


def small(content: bytes) -> bytes:
    """Return a photograph with at most SIDE pixels a side; any other content, such as a broken file, as it is."""
    try:
        with Image.open(io.BytesIO(content)) as image:
            if image.format != "JPEG" or image.mode != "RGB" or max(image.size) <= SIDE:
                return content
            image.draft("RGB", (SIDE * 2, SIDE * 2))
            image.thumbnail((SIDE, SIDE))
    except OSError:
        return content
    shrunk = io.BytesIO()
    image.save(shrunk, "JPEG", quality=90)
    return shrunk.getvalue()


def write_light_sample(sample: Path, target: Path) -> None:
    """Write a sample whose photographs are small: EOL's archives, iNat21 and BIOSCAN; its tables are links to the originals."""
    for path in sample.iterdir():
        if path.name in ("eol-original", "inat21", "bioscan"):
            _copy(path, target / path.name)
        else:
            (target / path.name).symlink_to(path)


def _copy(source: Path, target: Path) -> None:
    for folder, _, names in os.walk(source):
        copied = target / Path(folder).relative_to(source)
        copied.mkdir()
        for name in names:
            path = Path(folder, name)
            if name.endswith(".tar.gz"):
                _pack(path, copied / name)
            else:
                (copied / name).write_bytes(small(path.read_bytes()))


def _pack(archive: Path, target: Path) -> None:
    with tarfile.open(archive) as members, tarfile.open(target, "w:gz", compresslevel=1) as packed:
        for member in members:
            file = members.extractfile(member) if member.isfile() else None
            content = small(file.read()) if file else b""
            member.size = len(content)
            packed.addfile(member, io.BytesIO(content))

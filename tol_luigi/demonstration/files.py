"""Write the files of the demonstration sources: archives, class folders, a zip, and their tables."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from typing import TYPE_CHECKING

from tol_luigi.demonstration import tables
from tol_luigi.demonstration.contents import PARTITIONS
from tol_luigi.demonstration.drawings import draw_image
from tol_luigi.demonstration.taxa import DemoImage, bioscan_images, eol_images, inat21_images

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

__all__ = ["draw"]

_QUALITY = 85
_TRUNCATED_SHARE = 0.62
"""The share of bytes that a truncated file keeps."""

_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)
_FILE_MODE = 0o644


def _encoded(spec: DemoImage) -> bytes:
    """Draw an image and encode it in the file format of its source."""
    scene = "tray" if spec.folder.startswith("part") else ""
    image, target = draw_image(spec.taxon.name, spec.size, spec.file, scene), io.BytesIO()
    if spec.variant == "palette":
        image.quantize(64).save(target, "PNG")
    else:
        mode = {"grey": "L", "cmyk": "CMYK"}.get(spec.variant, "RGB")
        image.convert(mode).save(target, "JPEG", quality=_QUALITY)
    content = target.getvalue()
    return content[: int(len(content) * _TRUNCATED_SHARE)] if spec.variant == "truncated" else content


def _write_tar(path: Path, members: Iterable[tuple[str, bytes]]) -> None:
    """Write a ``.tar.gz`` without timestamps and owners."""
    with (
        path.open("wb") as file,
        gzip.GzipFile("", "wb", 6, file, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for name, content in members:
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), _FILE_MODE
            archive.addfile(entry, io.BytesIO(content))


def _write_zip(path: Path, members: Iterable[tuple[str, bytes]]) -> None:
    """Write a zip archive without timestamps and owners."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members:
            entry = zipfile.ZipInfo(name, _ZIP_EPOCH)
            entry.create_system, entry.external_attr = 3, _FILE_MODE << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)


def draw(folder: Path, progress: Callable[[int, int], None] | None = None) -> None:
    """Write the sources into an existing empty folder.

    The output is byte-identical on each run with the same versions of Pillow and zlib.

    Args:
        folder: The folder for ``eol``, ``inat21``, ``bioscan`` and ``metadata``; about 4 MB.
        progress: Called after each image with the number of finished images and the total.
    """
    eol, inat21, bioscan = eol_images(), inat21_images(), bioscan_images()
    total, done = len(eol) + len(inat21) + len(bioscan), 0

    def encode(spec: DemoImage) -> bytes:
        """Draw and encode an image; report progress."""
        nonlocal done
        content = _encoded(spec)
        done += 1
        if progress is not None:
            progress(done, total)
        return content

    for name in ("eol", "bioscan", "metadata"):
        (folder / name).mkdir()
    for partition in PARTITIONS["eol"]:
        specs = [spec for spec in eol if spec.folder == partition]
        _write_tar(folder / "eol" / f"{partition}.tar.gz", ((spec.file, encode(spec)) for spec in specs))
    for spec in inat21:
        path = folder / "inat21" / "train" / spec.folder / spec.file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode(spec))
    cropped = ((f"bioscan/images/cropped_256/{spec.folder}/{spec.file}", encode(spec)) for spec in bioscan)
    _write_zip(folder / "bioscan" / "cropped_256.zip", cropped)
    tables.write(folder / "metadata")

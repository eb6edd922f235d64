"""The files of the demonstration's sources: archives, class folders, a zip, and their tables."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from typing import TYPE_CHECKING

from tol_luigi.demonstration import tables
from tol_luigi.demonstration.drawings import picture
from tol_luigi.demonstration.taxa import Shot, bioscan_shots, eol_shots, inat21_shots

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

__all__ = ["ESTIMATES", "FOLDER", "LISTINGS", "PARTITIONS", "draw", "settings"]

FOLDER = "demonstration"
"""The folder, within the dataset's, into which the sources are drawn."""

PARTITIONS: dict[str, tuple[str, ...]] = {
    "eol": ("image_set_01", "image_set_02"),
    "bioscan": ("part1", "part2"),
    "inat21": ("000", "001", "002", "003"),
}
"""The partitions of each source, known before anything is drawn."""

ESTIMATES = {"eol": (55, 400_000), "inat21": (45, 300_000), "bioscan": (30, 100_000)}
"""About how many images, of how many bytes, each source will have when it is drawn."""

LISTINGS: dict[str, tuple[str, ...]] = {**PARTITIONS, "bioscan": ("archive",)}
"""What is scanned at one go: a partition each, but BIOSCAN's one archive as a whole."""

_QUALITY = 85
_KEPT = 0.62
"""The share of its bytes that is left of a file that is cut off."""

_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)
_FILE_MODE = 0o644


def _encoded(shot: Shot) -> bytes:
    """Draw an image and encode it as the file that the source has."""
    scene = "tray" if shot.place.startswith("part") else ""
    image, target = picture(shot.taxon.name, shot.size, shot.file, scene), io.BytesIO()
    if shot.oddity == "palette":
        image.quantize(64).save(target, "PNG")
    else:
        mode = {"grey": "L", "cmyk": "CMYK"}.get(shot.oddity, "RGB")
        image.convert(mode).save(target, "JPEG", quality=_QUALITY)
    content = target.getvalue()
    return content[: int(len(content) * _KEPT)] if shot.oddity == "truncated" else content


def _write_tar(path: Path, members: Iterable[tuple[str, bytes]]) -> None:
    """Write a ``.tar.gz`` that tells nothing of when and by whom it was made."""
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
    """Write a zip archive that tells nothing of when and by whom it was made."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members:
            entry = zipfile.ZipInfo(name, _ZIP_EPOCH)
            entry.create_system, entry.external_attr = 3, _FILE_MODE << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)


def draw(folder: Path, progress: Callable[[int, int], None] | None = None) -> None:
    """Fill an existing empty folder with the sources.

    The same bytes at every drawing, as long as Pillow and zlib stay the same.

    Args:
        folder: Gets the folders ``eol``, ``inat21``, ``bioscan`` and ``metadata``; about 4 MB.
        progress: Is told after each image how many are done, and of how many.
    """
    eol, inat21, bioscan = eol_shots(), inat21_shots(), bioscan_shots()
    total, done = len(eol) + len(inat21) + len(bioscan), 0

    def drawn(shot: Shot) -> bytes:
        """Draw an image and report it."""
        nonlocal done
        content = _encoded(shot)
        done += 1
        if progress is not None:
            progress(done, total)
        return content

    for name in ("eol", "bioscan", "metadata"):
        (folder / name).mkdir()
    for partition in PARTITIONS["eol"]:
        shots = [shot for shot in eol if shot.place == partition]
        _write_tar(folder / "eol" / f"{partition}.tar.gz", ((shot.file, drawn(shot)) for shot in shots))
    for shot in inat21:
        path = folder / "inat21" / "train" / shot.place / shot.file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(drawn(shot))
    cropped = ((f"bioscan/images/cropped_256/{shot.place}/{shot.file}", drawn(shot)) for shot in bioscan)
    _write_zip(folder / "bioscan" / "cropped_256.zip", cropped)
    tables.write(folder / "metadata")


def settings(folder: Path) -> dict[str, dict[str, str]]:
    """Return the settings, section by section, that make a build use the sources in a folder."""
    metadata = folder / "metadata"
    return {
        "eol": {
            "images": str(folder / "eol"),
            "taxon_tab": str(metadata / "taxon.tab"),
            "scraped_page_ids": str(metadata / "scraped_page_ids.csv"),
            "vernacular_names": str(metadata / "vernacularnames.csv"),
            "media_manifests": str(metadata / "media_manifest"),
        },
        "inat21": {
            "images": str(folder / "inat21"),
            "taxa": str(metadata / "taxa.csv"),
            "vernacular_names": str(metadata / "VernacularNames-english.csv"),
            "partitions": str(len(PARTITIONS["inat21"])),
        },
        "bioscan": {
            "images": str(folder / "bioscan" / "cropped_256.zip"),
            "metadata": str(metadata / "BIOSCAN_Insect_Dataset_metadata.jsonld"),
            "partitions": str(len(PARTITIONS["bioscan"])),
        },
        "itis": {"chains": str(metadata / "species_level_taxonomy_chains.csv")},
        "resolved": {"jsonl": str(metadata / "resolved.jsonl")},
        "rare_species": {
            "seen": str(metadata / "seen_in_training.json"),
            "unseen": str(metadata / "unseen_in_training.json"),
        },
    }

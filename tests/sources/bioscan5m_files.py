"""Archives and tables in the form in which BIOSCAN-5M is published, with images drawn here."""

from __future__ import annotations

import csv
import hashlib
import io
import zipfile
from typing import TYPE_CHECKING, Any

from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

COLUMNS = (
    *(
        "processid",
        "sampleid",
        "taxon",
        "phylum",
        "class",
        "order",
        "family",
        "subfamily",
        "genus",
        "species",
    ),
    *("dna_bin", "dna_barcode", "country", "province_state", "coord-lat", "coord-lon"),
    *("image_measurement_value", "area_fraction", "scale_factor", "inferred_ranks", "split"),
    *("index_bioscan_1M_insect", "chunk"),
)
CHUNKED = {"pretrain": 2, "train": 1, "other_heldout": 1}
BEE = {"order": "Hymenoptera", "family": "Apidae", "genus": "Apis", "species": "Apis mellifera"}
WASP = {"order": "Hymenoptera", "family": "Braconidae", "genus": "Aphidius", "species": "Aphidius sp. 3"}
FLY = {"order": "Diptera", "family": "Cecidomyiidae"}


def row(key: str, split: str, names: dict[str, str], **more: str) -> dict[str, str]:
    """Return a row of the table, with the chunk that the published table has."""
    chunk = hashlib.md5(key.encode(), usedforsecurity=False).hexdigest()[: CHUNKED.get(split, 0)]
    common = {"processid": key, "sampleid": f"S-{key}", "split": split, "chunk": chunk}
    return {**common, "phylum": "Arthropoda", "class": "Insecta", "country": "Canada", **names, **more}


def member(row: dict[str, str], kind: str = "cropped_256") -> str:
    """Return the name of the image of a row in an archive."""
    folders = filter(None, [row["split"], row["chunk"]])
    return "/".join(["bioscan5m/images", kind, *folders, f"{row['processid']}.jpg"])


def write_table(path: Path, rows: Iterable[dict[str, str]], columns: Iterable[str] = COLUMNS) -> Path:
    """Write the table with some of its columns."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(columns), extrasaction="ignore", restval="")
        writer.writeheader()
        writer.writerows(rows)
    return path


def image(number: int) -> bytes:
    """Return an image that differs from those of other numbers."""
    file = io.BytesIO()
    Image.new("RGB", (16, 12), (number * 9 % 256, 80, 255 - number * 7 % 256)).save(file, "JPEG")
    return file.getvalue()


def write_zip(path: Path, files: dict[str, Any]) -> Path:
    """Write files to an archive, as the published ones: stored, not compressed."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path

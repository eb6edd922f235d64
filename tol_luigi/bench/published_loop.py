"""The published method of packing images, as a simple loop, to compare with.

Each image is opened, resized and passed to webdataset, which encodes it: Pillow's bicubic filter, quality 100, a member for each
text. Then every shard is read for the check, and read and decoded again for the catalog. It records no checksums and
no reasons, and does not resume. The published scripts also load the complete mapping for each archive; this loop does not.

Source: the description of the steps in the documentation of TreeOfLife-10M.
"""

from __future__ import annotations

import io
import tarfile
from typing import IO, TYPE_CHECKING, Any

from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tol_luigi.core.packing import Sample

__all__ = ["write_and_check", "write_shard"]

_LABELS = ("kingdom", "phylum", "class", "order", "family", "genus", "species")


def write_shard(place: Path, samples: list[Sample], shard: Path, size: tuple[int, int]) -> None:
    """Write a sample for each image of a folder or ``tar.gz``, in the order in which they are stored."""
    from webdataset import TarWriter  # noqa: PLC0415 (it imports PyTorch where it is installed)

    shard.parent.mkdir(parents=True, exist_ok=True)
    with TarWriter(str(shard)) as writer:
        for file, sample in zip(_files(place), samples, strict=True):
            image: Image.Image = Image.open(file)
            if image.mode in {"RGBA", "P"}:
                image = image.convert("RGB")
            resized = image.resize(size, resample=Image.Resampling.BICUBIC)
            writer.write({"__key__": sample.id, "jpg": resized, **_texts(sample)})


def write_and_check(place: Path, samples: list[Sample], shard: Path, size: tuple[int, int]) -> list[str]:
    """Write a shard, read it for the check of its members, and decode its images for the catalog; return the ids.

    Raises:
        ValueError: A sample lacks a member.
    """
    write_shard(place, samples, shard, size)
    for sample in _read(shard):
        if "jpg" not in sample or "sci.txt" not in sample:
            raise ValueError(sample["__key__"])
    ids = []
    for sample in _read(shard):
        Image.open(io.BytesIO(sample["jpg"])).convert("RGB")
        ids.append(sample["__key__"])
    return ids


def _read(shard: Path) -> Iterator[dict[str, Any]]:
    """Yield the samples of a shard as webdataset reads them, from a file that is closed at the end."""
    from webdataset.tariterators import group_by_keys, tar_file_expander  # noqa: PLC0415 (imports PyTorch)

    with shard.open("rb") as file:
        yield from group_by_keys(tar_file_expander([{"url": str(shard), "stream": file}]))


def _files(place: Path) -> Iterator[IO[bytes]]:
    if place.is_dir():
        for path in sorted(place.iterdir()):
            with path.open("rb") as file:
                yield file
        return
    with tarfile.open(place, "r") as archive:
        for member in archive:
            if (content := archive.extractfile(member)) is not None:
                yield content


def _texts(sample: Sample) -> dict[str, str]:
    *higher, genus, species = sample.ranks
    scientific = f"{genus} {species}"
    taxonomic = " ".join([*higher, scientific])
    tagged = " ".join(f"{label} {rank}" for label, rank in zip(_LABELS, sample.ranks, strict=True))
    texts = {"sci": scientific, "taxon": taxonomic, "taxonTag": tagged}
    return {
        "scientific_name.txt": scientific,
        "taxonomic_name.txt": taxonomic,
        "common_name.txt": sample.common,
        "com.txt": f"a photo of {sample.common}.",
        **{f"{name}.txt": f"a photo of {text}." for name, text in texts.items()},
        **{
            f"{name}_com.txt": f"a photo of {text} with common name {sample.common}."
            for name, text in texts.items()
        },
    }

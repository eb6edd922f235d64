"""Partitions to measure with: images stored as sources store them, and packed as a worker packs them."""

from __future__ import annotations

import io
import tarfile
import uuid
import zipfile
from typing import TYPE_CHECKING

from tol_luigi.core.packing import Sample, pack
from tol_luigi.core.shard_checks import check_shards
from tol_luigi.core.shards import shard_name
from tol_luigi.sources import archives

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from tol_luigi.core.benchmarks import Benchmarks
    from tol_luigi.core.images import ImageSpec
    from tol_luigi.core.packing import Outcome
    from tol_luigi.core.reader import Member
    from tol_luigi.core.shards import Shard

__all__ = ["RANKS", "checked", "members", "packed", "packed_and_checked", "samples", "stored"]

RANKS = ("Animalia", "Arthropoda", "Insecta", "Hymenoptera", "Apidae", "Apis", "mellifera")


def stored(folder: Path, form: str, pictures: Iterable[bytes]) -> Path:
    """Store image files in a ``folder``, a ``tar``, a ``tar.gz`` or a ``zip``; return its path."""
    path = folder / ("pictures" if form == "folder" else f"pictures.{form}")
    named = ((f"{number:06}.jpg", content) for number, content in enumerate(pictures))
    if form == "folder":
        path.mkdir()
        for name, content in named:
            (path / name).write_bytes(content)
    elif form == "zip":
        with zipfile.ZipFile(path, "w") as zipped:
            for name, content in named:
                zipped.writestr(name, content)
    else:
        with tarfile.open(path, "w:gz" if form == "tar.gz" else "w") as tar:
            for name, content in named:
                member = tarfile.TarInfo(name)
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    return path


def members(path: Path) -> list[Member]:
    """Return the images of a place."""
    return [found.member for found in archives.scan(path)]


def samples(count: int) -> list[Sample]:
    """Return samples with ids that are always the same."""
    return [Sample(str(uuid.UUID(int=number << 64)), RANKS, "honey bee") for number in range(count)]


def packed(
    path: Path,
    listed: Sequence[Member],
    shards: Path,
    spec: ImageSpec,
    benchmarks: Benchmarks | None = None,
) -> tuple[list[Shard], list[Outcome]]:
    """Write a shard of a place, as a worker does; return it, and what became of each image."""
    shards_and_outcomes = pack(
        samples(len(listed)),
        archives.read(path, listed),
        [shards / shard_name(0)],
        where="train/bench/a",
        spec=spec,
        seed=17,
        shuffled=True,
        max_bad_percent=5,
        progress=lambda _: None,
        benchmarks=benchmarks,
    )
    return shards_and_outcomes[:2]


def packed_and_checked(path: Path, listed: Sequence[Member], shards: Path, spec: ImageSpec) -> list[Shard]:
    """Write a shard of a place and check it, as workers do; return it.

    Raises:
        ValueError: The check has found something.
    """
    written, outcomes = packed(path, listed, shards, spec)
    checked(shards, written, outcomes, spec)
    return written


def checked(folder: Path, shards: Sequence[Shard], outcomes: Sequence[Outcome], spec: ImageSpec) -> None:
    """Check a shard that :func:`packed` has written.

    Raises:
        ValueError: The check has found something.
    """
    known = samples(len(outcomes))
    order = sorted(range(len(outcomes)), key=lambda place: outcomes[place].position)
    ids = {0: [known[place].id for place in order]}
    if findings := check_shards(folder, shards, ids, (spec.width, spec.height), lambda _: None):
        raise ValueError(findings[0])

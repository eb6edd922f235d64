"""Partitions to measure with: pictures put where sources have them."""

from __future__ import annotations

import io
import tarfile
import uuid
import zipfile
from typing import TYPE_CHECKING

from tol_luigi.core.packing import Sample, pack
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

RANKS = ("Animalia", "Arthropoda", "Insecta", "Hymenoptera", "Apidae", "Apis", "mellifera")


def stored(folder: Path, form: str, pictures: Iterable[bytes]) -> Path:
    """Put pictures into a ``folder``, a ``tar``, a ``tar.gz`` or a ``zip``."""
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
    """List the pictures of a place."""
    return [found.member for found in archives.scan(path)]


def samples(count: int) -> list[Sample]:
    """Make so many samples, with ids that are always the same."""
    return [Sample(str(uuid.UUID(int=number << 64)), RANKS, "honey bee") for number in range(count)]


def packed(
    path: Path,
    listed: Sequence[Member],
    shards: Path,
    spec: ImageSpec,
    benchmarks: Benchmarks | None = None,
) -> tuple[list[Shard], list[Outcome]]:
    """Write a shard of a place, as a worker does."""
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

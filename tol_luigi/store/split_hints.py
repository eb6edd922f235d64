"""Splits and groups that sources give to their images, and what became of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import peewee
import pyarrow.parquet as pq

from tol_luigi.store.databases import opened
from tol_luigi.store.models import Partition, Place, Split, SplitHint, image_model

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tol_luigi.core.source import Labeler, SourceInfo
    from tol_luigi.core.split_groups import ImageHint

__all__ = ["HintSource", "SplitCounts", "count_splits", "read_hints"]


@dataclass(frozen=True)
class HintSource:
    """Where the splits and groups of the images of a source come from.

    Attributes:
        labeler: The labeler of the source.
        digests: Returns the file with the hashes of a partition, see :func:`.write_digests`; None if duplicates do not
            matter.
    """

    labeler: Labeler
    digests: Callable[[str], Path] | None = None


def read_hints(images: Sequence[tuple[Any, ...]], source: str, origin: HintSource) -> list[ImageHint]:
    """Return what is known of images before their splits are chosen; the mapping must be bound to its models.

    Args:
        images: Natural key and id of each image of the source.
        source: The name of the source.
        origin: Where splits, groups and hashes come from.
    """
    hints = list(origin.labeler.split_hints(images))
    if origin.digests is None:
        return hints
    hashes = _hashes(source, origin.digests)
    return [
        hint._replace(sha256=hashes.get(image[-1], "")) for image, hint in zip(images, hints, strict=True)
    ]


def _hashes(source: str, digests: Callable[[str], Path]) -> dict[str, str]:
    """Return the hashes of the files of a source by image id, as far as they could be read."""
    found: dict[str, str] = {}
    for partition in list(Partition.select().where(Partition.source == source)):
        table = pq.read_table(digests(partition.name))
        known = dict(zip(table["position"].to_pylist(), table["sha256"].to_pylist(), strict=True))
        places = Place.select(Place.evobio10m_id, Place.position).where(Place.partition == partition.number)
        rows: list[tuple[str, int]] = list[Any](places.tuples())
        found.update((image, sha256) for image, position in rows if (sha256 := known.get(position)))
    return found


@dataclass(frozen=True)
class SplitCounts:
    """The splits of a source that gives splits or groups to its images.

    Attributes:
        images: The number of its images.
        val: The number of its images in val.
        given_train: The number of images whose given split is train.
        given_val: The same for val.
        groups: The number of groups.
        grouped: The number of images in groups.
        smallest: The number of images of the smallest group, 0 without groups.
        largest: The same for the largest group.
    """

    images: int
    val: int
    given_train: int
    given_val: int
    groups: int
    grouped: int
    smallest: int
    largest: int


def count_splits(mapping: Path, source: SourceInfo) -> SplitCounts:
    """Count the splits of a source that gives splits or groups to its images.

    Args:
        mapping: The mapping, with the tables ``split`` and ``split_hint``.
        source: The source.
    """
    model = image_model(source.name, source.columns)
    with opened(mapping, [model, Split, SplitHint]):
        images = model.select().count()
        val = model.select().join(Split, on=_same(model, Split)).where(Split.is_val == 1).count()
        hinted = model.select().join(SplitHint, on=_same(model, SplitHint))
        train, held_out = (hinted.where(SplitHint.given == split).count() for split in ("train", "val"))
        grouped = (
            SplitHint.select(peewee.fn.COUNT(SplitHint.evobio10m_id))
            .join(model, on=_same(model, SplitHint))
            .where(SplitHint.image_group != "")
            .group_by(SplitHint.image_group)
        )
        sizes = [row[0] for row in list[Any](grouped.tuples())]
    ends = min(sizes, default=0), max(sizes, default=0)
    return SplitCounts(images, val, train, held_out, len(sizes), sum(sizes), *ends)


def _same(model: Any, other: Any) -> Any:  # noqa: ANN401 (peewee models and an expression)
    return model.evobio10m_id == other.evobio10m_id

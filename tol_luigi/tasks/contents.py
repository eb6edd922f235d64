"""The content of the images of a partition: files of the source, or samples of the dataset that is reused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tol_luigi.core.errors import SourceError
from tol_luigi.report.text import counted
from tol_luigi.store.previous import reused_contents
from tol_luigi.tasks.messages import write_line
from tol_luigi.tasks.unread import read_files

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tol_luigi.core.packing import Content, Withheld
    from tol_luigi.core.reader import FileContent
    from tol_luigi.store.worklists import WorkList
    from tol_luigi.tasks.partitions import PartitionTask

__all__ = ["read_contents"]


def read_contents(
    task: PartitionTask, work: WorkList, withheld: Mapping[str, Withheld], *, is_required: bool = False
) -> Iterator[tuple[int, Content]]:
    """Yield each image: as encoded in a previous dataset if it has the image, else the source's file.

    Args:
        task: The task that writes the shards of their partition.
        work: The images.
        withheld: The images to leave out because of their rights, by id.
        is_required: Whether every file must be read, as for a lost shard.
    """
    settings, source = task.settings, task.settings.sources[task.source]
    previous = settings.previous
    # Perceptual hashes of benchmarks and further sizes need the original files.
    is_decoded = settings.leak_guard.images or settings.images.further_sizes
    if previous is None or previous.differences(settings.determining) or is_decoded:
        return read_files(task, task.source, task.partition, work.members, is_required=is_required)
    return reused_contents(
        work,
        source.columns,
        listing=task.layout.listing(task.source, settings.listing_of(task.source, task.partition)),
        previous_listing=previous.listing(task.source, task.partition),
        previous=previous.files(task.source, task.partition),
        decode=lambda places, damaged: _decoded(task, work, places, damaged, is_required=is_required),
        try_again=task.source not in settings.reused,
        withheld=withheld,
    )


def _decoded(
    task: PartitionTask, work: WorkList, places: list[int], damaged: list[Path], *, is_required: bool
) -> Iterator[tuple[int, FileContent]]:
    """Read the images that the previous dataset lacks or has damaged, if the source is available."""
    for path in damaged:
        what = "it differs from its receipt, so nothing is copied from it"
        write_line(f"{path}: {what}", task.label)
    source = task.settings.sources[task.source]
    if task.source not in task.settings.reused:
        members = [work.members[place] for place in places]
        return read_files(task, task.source, task.partition, members, is_required=is_required)
    because = f", because {damaged[0]} differs from its receipt" if damaged else ""
    where = f"{source.reader.images}: {task.source}/{task.partition}"
    what = f"{len(places):,} of {counted(len(work.members), 'image')} missing there{because}"
    section = source.plugin.section.section
    raise SourceError(where, what, f"Set [{section}] images, or repair that dataset (BuildCatalog)")

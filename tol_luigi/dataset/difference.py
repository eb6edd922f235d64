"""Compare two releases image by image.

Images are identified by their ids. Catalogs of any size are compared in bounded memory: rows are distributed over
partitions by a hash of the id, on disk, and the partitions are compared one after the other.
"""

from __future__ import annotations

import contextlib
import heapq
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tol_luigi.core.files import clear_disk_errors
from tol_luigi.core.splits import SPLITS
from tol_luigi.dataset.release import LABELS, SCHEMA, SEPARATOR

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tol_luigi.dataset.release import Release

__all__ = ["CHANGES", "Difference", "Example", "Renaming", "Side", "compare", "difference_figures"]

CHANGES = ("added", "removed", "moved", "relabelled", "other file", "other pixels")
"""What can happen to an image; in both releases, it can be several of the last four."""

_REPEATED = SPLITS[-1]
_MOST_PARTITIONS = 64
"""As many files are open at a time."""


_COLUMNS = {"moved": "place", "relabelled": "labels", "other file": "file", "other pixels": "image"}
"""The column that differs, by change of an image that is in both releases."""


class Example(NamedTuple):
    """An image that differs.

    Attributes:
        id: Its id.
        source: Its source, "" if it is not known.
        before: Its splits before for ``moved``, else its labels joined by :data:`.SEPARATOR`; "" if it was not there.
        now: The same now.
    """

    id: str
    source: str
    before: str
    now: str


class Renaming(NamedTuple):
    """Images that had one name and have another now.

    Attributes:
        rank: The highest rank that differs, or ``common``.
        before: The labels before.
        now: The labels now.
        images: How many images.
        id: The first of them by id.
    """

    rank: str
    before: tuple[str, ...]
    now: tuple[str, ...]
    images: int
    id: str


@dataclass
class Side:
    """The counts of one release.

    Attributes:
        images: Images by source, "" if the source is not known.
        splits: Samples by split.
        has_files: Whether the catalog has digests of the originals.
    """

    images: Counter[str] = field(default_factory=Counter)
    splits: Counter[str] = field(default_factory=Counter)
    has_files: bool = False


@dataclass
class Difference:
    """What differs between two releases.

    Attributes:
        before: The first release.
        now: The second release.
        changes: Images by one of :data:`CHANGES` and source.
        moves: Moved images by way, such as ``train to val`` or ``into train_small``.
        ranks: Relabelled images by the highest rank that differs, and ``filled``, ``emptied`` or ``changed``.
        examples: The first images by id, by one of :data:`CHANGES`.
        renamings: The most frequent changes of labels.
        compares_pixels: Whether the images in the shards have been compared.
    """

    before: Side = field(default_factory=Side)
    now: Side = field(default_factory=Side)
    changes: Counter[tuple[str, str]] = field(default_factory=Counter)
    moves: Counter[str] = field(default_factory=Counter)
    ranks: Counter[tuple[str, str]] = field(default_factory=Counter)
    examples: dict[str, list[Example]] = field(default_factory=dict)
    renamings: list[Renaming] = field(default_factory=list)
    compares_pixels: bool = False

    def count(self, change: str) -> int:
        """Return the number of images with one of :data:`CHANGES`."""
        return sum(images for (what, _), images in self.changes.items() if what == change)

    def add(self, change: str, images: pa.Table, before: str, now: str, examples: int) -> None:
        """Count images with a change, and keep the first of them.

        Args:
            change: One of :data:`CHANGES`.
            images: The images, sorted by id.
            before: The column for ``before`` of an example, "" if there is none.
            now: The same for ``now``.
            examples: The most examples.
        """
        for source, count in _by_source(images).items():
            self.changes[change, source] += count
        shown = images[:examples]
        nothing = [""] * len(shown)
        texts = [pc.fill_null(shown[name], "").to_pylist() if name else nothing for name in (before, now)]
        first = map(Example, shown["id"].to_pylist(), pc.fill_null(shown["source"], "").to_pylist(), *texts)
        self.examples[change] = sorted([*self.examples.get(change, []), *first])[:examples]

    def count_moves(self, images: pa.Table) -> None:
        """Count the ways that images have moved between splits, and into and out of ``train_small``."""
        ways = images.group_by(["split before", "split now"], use_threads=False).aggregate([("id", "count")])
        for row in ways.to_pylist():
            if row["split before"] != row["split now"]:
                self.moves[f"{row['split before']} to {row['split now']}"] += row["id_count"]
        for way, when, other in (("into", "now", "before"), ("out of", "before", "now")):
            is_moved = pc.and_not(images[f"is_small {when}"], images[f"is_small {other}"])
            self.moves[f"{way} {_REPEATED}"] += pc.sum(is_moved).as_py() or 0

    @property
    def differs(self) -> bool:
        """Whether any image differs."""
        return any(self.changes.values())


def compare(
    before: Release, now: Release, *, examples: int, pixels: bool = False, rows_at_once: int = 150_000
) -> Difference:
    """Compare two releases.

    Args:
        before: The first release.
        now: The second release.
        examples: The most examples of each change.
        pixels: Whether to compare the images in the shards, too, which reads all shards.
        rows_at_once: About how many rows of each release to compare at a time.

    Raises:
        DatasetError: One of them is not a catalog, or has no shards to compare pixels of.
        DamagedError: A catalog cannot be read.
        DiskError: The disk of the temporary folder is full.
    """
    found = Difference(compares_pixels=pixels)
    found.before.has_files, found.now.has_files = ("sha256" in one.columns for one in (before, now))
    renamings = _Renamings()
    parts = min(_MOST_PARTITIONS, 1 + max(before.most_rows, now.most_rows) // rows_at_once)
    with contextlib.ExitStack() as stack:
        stack.enter_context(clear_disk_errors(Path(tempfile.gettempdir(), "tol-diff")))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tol-diff-")))
        sides = [
            _partitioned(release.rows(pixels=pixels), folder / name, parts, side)
            for release, name, side in ((before, "before", found.before), (now, "now", found.now))
        ]
        for first, second in zip(*sides, strict=True):
            _compare_images(_images(first), _images(second), found, renamings, examples)
    renamings.finish(found, examples)
    return found


def _partitioned(rows: Iterable[pa.Table], folder: Path, parts: int, side: Side) -> Iterator[pa.Table]:
    """Distribute rows over files, and count the samples of each split; yield one partition after the other."""
    folder.mkdir()
    paths = [folder / f"{number}.parquet" for number in range(parts)]
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(pq.ParquetWriter(path, SCHEMA, compression="zstd")) for path in paths]
        for piece in rows:
            for entry in pc.value_counts(piece["split"]).to_pylist():
                side.splits[entry["values"]] += entry["counts"]
            hashes = pd.util.hash_array(piece["id"].to_numpy(), categorize=False) % parts
            for number, file in enumerate(files):
                file.write_table(piece.take(np.flatnonzero(hashes == number)))
    return map(pq.read_table, paths)


def _images(rows: pa.Table) -> pa.Table:
    """Return one row for each image, sorted by id, and whether it is in ``train_small``.

    It is the first row that repeats no other sample, else the first.
    """
    is_repeated = pc.equal(rows["split"], _REPEATED)
    ordered = rows.take(np.argsort(is_repeated.to_numpy(), kind="stable"))
    ordered = ordered.append_column("row", pa.array(np.arange(len(rows))))
    firsts = ordered.group_by("id", use_threads=False).aggregate([("row", "min")])
    images = ordered.take(firsts["row_min"]).drop_columns(["row"])
    is_small = pc.is_in(images["id"], value_set=rows["id"].filter(is_repeated))
    both = pc.binary_join_element_wise(images["split"], _REPEATED, " and ")
    is_both = pc.and_(is_small, pc.not_equal(images["split"], _REPEATED))
    images = images.append_column("place", pc.if_else(is_both, both, images["split"]))
    return images.append_column("is_small", is_small).sort_by("id")


def _compare_images(
    before: pa.Table, now: pa.Table, found: Difference, renamings: _Renamings, examples: int
) -> None:
    """Add what differs between the images of a partition."""
    for side, images in ((found.before, before), (found.now, now)):
        side.images.update(_by_source(images))
    place = pc.index_in(now["id"], value_set=before["id"])
    is_kept = pc.is_in(before["id"], value_set=now["id"])
    found.add("added", now.filter(pc.is_null(place)), "", "labels", examples)
    found.add("removed", before.filter(pc.invert(is_kept)), "labels", "", examples)
    both = _side_by_side(before.take(place.drop_null()), now.filter(pc.is_valid(place)))

    found.count_moves(both)
    for change, column in _COLUMNS.items():
        # The comparison is null, which filters leave out, where a digest is not known.
        changed = both.filter(pc.not_equal(both[f"{column} before"], both[f"{column} now"]))
        shown = "place" if change == "moved" else "labels"
        found.add(change, changed, f"{shown} before", f"{shown} now", examples)
        if change == "relabelled":
            renamings.add(changed)


def _side_by_side(before: pa.Table, now: pa.Table) -> pa.Table:
    """Join rows of the same images, as columns such as ``split before`` and ``split now``."""
    columns = {
        f"{name} {when}": rows[name]
        for name in before.column_names
        for rows, when in ((before, "before"), (now, "now"))
    }
    # The source may be known in one release only.
    source = pc.min_element_wise(before["source"], now["source"])
    return pa.table({"id": now["id"], "source": source, **columns})


def _by_source(images: pa.Table) -> dict[str, int]:
    """Return the number of images by source, "" if the source is not known."""
    counts = pc.value_counts(images["source"]).to_pylist()
    return {entry["values"] or "": entry["counts"] for entry in counts}


class _Renamings:
    """Counts of changed labels, by the labels before and now."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], tuple[int, str]] = {}

    def add(self, images: pa.Table) -> None:
        """Add relabelled images."""
        keys = ["labels before", "labels now"]
        groups = images.group_by(keys, use_threads=False).aggregate([("id", "count"), ("id", "min")])
        for row in groups.to_pylist():
            key = row[keys[0]], row[keys[1]]
            count, first = self._seen.get(key, (0, row["id_min"]))
            self._seen[key] = count + row["id_count"], min(first, row["id_min"])

    def finish(self, found: Difference, examples: int) -> None:
        """Set ranks and the most frequent renamings of a difference."""
        for (before, now), (images, _) in self._seen.items():
            found.ranks[_highest_change(before.split(SEPARATOR), now.split(SEPARATOR))] += images
        often = heapq.nsmallest(examples, self._seen.items(), key=lambda item: (-item[1][0], item[0]))
        for (before, now), (images, first) in often:
            labels = tuple(before.split(SEPARATOR)), tuple(now.split(SEPARATOR))
            rank, _ = _highest_change(*labels)
            found.renamings.append(Renaming(rank, *labels, images, first))


def _highest_change(before: Sequence[str], now: Sequence[str]) -> tuple[str, str]:
    """Return the highest rank that differs, or ``common``, and ``filled``, ``emptied`` or ``changed``."""
    pairs = zip(LABELS, before, now, strict=True)
    rank, old, new = next((rank, old, new) for rank, old, new in pairs if old != new)
    return rank, "filled" if not old else "changed" if new else "emptied"


def difference_figures(before: Release, now: Release, found: Difference) -> dict[str, Any]:
    """Return a difference as JSON; what has not been looked for is null."""
    is_compared = {
        "other file": found.before.has_files and found.now.has_files,
        "other pixels": found.compares_pixels,
    }
    counts = {what: found.count(what) if is_compared.get(what, True) else None for what in CHANGES}
    known = {**before.image_settings, **now.image_settings} if before.dataset and now.dataset else {}
    settings = {key: [release.image_settings.get(key) for release in (before, now)] for key in known}
    changed = {source for (_, source), images in found.changes.items() if images}
    sources = sorted(
        source for source in {*found.before.images, *found.now.images} if source or "" in changed
    )
    return {
        "before": _side_figures(before, found.before),
        "now": _side_figures(now, found.now),
        "images": counts,
        "sources": {
            source or "unknown": {
                what: found.changes[what, source] for what in CHANGES if counts[what] is not None
            }
            for source in sources
        },
        "moved": {way: images for way, images in sorted(found.moves.items()) if images},
        "relabelled": {
            rank: {kind: found.ranks[rank, kind] for kind in ("filled", "changed", "emptied")}
            for rank in LABELS
            if any(rank == changed for changed, _ in found.ranks)
        },
        "names": [
            {**renaming._asdict(), "before": _name(renaming.before), "now": _name(renaming.now)}
            for renaming in found.renamings
        ],
        "examples": {
            what: [_example_figures(what, example) for example in examples]
            for what, examples in found.examples.items()
            if what != "relabelled"
        },
        "image_settings": {key: values for key, values in settings.items() if values[0] != values[1]},
    }


def _side_figures(release: Release, side: Side) -> dict[str, Any]:
    order = [*(split for split in SPLITS if split in side.splits), *sorted(set(side.splits) - set(SPLITS))]
    return {
        "path": str(release.path),
        "images": sum(side.images.values()),
        "samples": {split: side.splits[split] for split in order},
    }


def _example_figures(change: str, example: Example) -> dict[str, str]:
    texts = example.before, example.now
    if change != "moved":
        texts = _name(example.before.split(SEPARATOR)), _name(example.now.split(SEPARATOR))
    return {"id": example.id, "source": example.source, "before": texts[0], "now": texts[1]}


def _name(labels: Sequence[str]) -> str:
    """Return the known ranks, and the common name in brackets if it is not one of the other names."""
    *ranks, common = labels
    known = " ".join(filter(None, ranks))
    instead = {"", known.lower(), " ".join(filter(None, ranks[-2:])).lower()}
    return known if common.lower() in instead else f"{known} ({common})"

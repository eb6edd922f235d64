"""Attribution: licence and owner of each sample, for each split and for each shard."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from tol_luigi.core.errors import LedgerError
from tol_luigi.core.files import committed
from tol_luigi.core.license_names import license_url, spdx_name
from tol_luigi.core.shards import shard_name
from tol_luigi.store.csv_text import csv_text, harmless
from tol_luigi.store.row_groups import pieces

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path
    from typing import IO

__all__ = ["attribution_files", "write_attribution"]

_HEADER = ("id", "license", "license_as_given", "license_url", "owner", "source", "url")
_READ = ("treeoflife_id", "license_name", "copyright_owner", "medium_source_url", "eol_full_size_copy_url")
_NOT_PROVIDED = "not provided"


def _of_shard(folder: Path, split: str, shard: int) -> Path:
    """Return the path of the attributions of a shard."""
    return folder / split / f"{shard_name(shard).removesuffix('.tar')}.csv"


def attribution_files(folder: Path, split: str, shards: Collection[int]) -> list[Path]:
    """Return the paths of the attributions of a split, and of those of its shards."""
    return [folder / f"{split}.csv", *(_of_shard(folder, split, shard) for shard in shards)]


def write_attribution(
    folder: Path,
    split: str,
    shards: Collection[int],
    catalog: Path,
    licenses: Path,
    *,
    selection: Path | None = None,
) -> Iterator[int]:
    """Write the attributions of a split or selection, all in one file, and those of each shard in a file of its own.

    Args:
        folder: The folder of the attributions.
        split: The split, or the name of the selection.
        shards: The numbers of its shards, some of which may be empty.
        catalog: The final catalog.
        licenses: The table of the licences of its images, ``licenses.csv``.
        selection: The catalog of the selection; None for a split.

    Yields:
        The number of samples so far.

    Raises:
        LedgerError: The catalog and the licences are not those of the same images.
    """
    header = csv_text(pa.table({name: [name] for name in _HEADER}))
    missing, current, rows = set(shards), -1, 0
    with contextlib.ExitStack() as all_of_split, contextlib.ExitStack() as of_shard:
        every = _opened(folder / f"{split}.csv", header, all_of_split)
        one: IO[bytes] | None = None
        for shard, samples in _by_shard(_samples(split, catalog, licenses, selection)):
            if one is None or shard != current:
                of_shard.close()
                one, current = _opened(_of_shard(folder, split, shard), header, of_shard), shard
                missing.discard(shard)
            text = csv_text(samples)
            one.write(text)
            every.write(text)
            rows += len(samples)
            yield rows
    for shard in sorted(missing):
        with contextlib.ExitStack() as of_shard:
            _opened(_of_shard(folder, split, shard), header, of_shard)


def _opened(path: Path, header: memoryview, stack: contextlib.ExitStack) -> IO[bytes]:
    file = stack.enter_context(stack.enter_context(committed(path)).open("wb"))
    file.write(header)
    return file


def _by_shard(samples: Iterator[pa.Table]) -> Iterator[tuple[int, pa.Table]]:
    """Yield consecutive samples of one shard, with its number."""
    for piece in samples:
        ends = pc.run_end_encode(piece["shard"].combine_chunks())
        start = 0
        for end, shard in zip(ends.run_ends.to_pylist(), ends.values.to_pylist(), strict=True):
            yield shard, piece.slice(start, end - start).select(_HEADER)
            start = end


def _samples(split: str, catalog: Path, licenses: Path, selection: Path | None) -> Iterator[pa.Table]:
    """Yield the attributions of the samples of a split with the numbers of their shards, in the order of the catalog."""
    columns = ["treeoflife_id", "split", "source", "shard"]
    if split != "train_small" and selection is None:
        for images in _licensed(catalog, licenses, columns):
            yield images.filter(pc.equal(images["split"], split))
        return
    # train_small and selections repeat images in the same order, but in shards of their own.
    small = [piece.filter(pc.equal(piece["split"], split)) for piece in pieces(selection or catalog, columns)]
    own = pa.concat_tables(small).combine_chunks()
    done = 0
    for images in _licensed(catalog, licenses, columns):
        next_ids = (
            own["treeoflife_id"].slice(done, len(images)).combine_chunks()
        )  # those of this piece come first
        repeated = images.filter(pc.is_in(images["id"], next_ids))
        part = own.slice(done, len(repeated))
        _validate_same(repeated["id"], part["treeoflife_id"], licenses)
        yield repeated.set_column(repeated.schema.get_field_index("shard"), "shard", part["shard"])
        done += len(repeated)


def _licensed(catalog: Path, licenses: Path, columns: list[str]) -> Iterator[pa.Table]:
    """Yield the images of the catalog with their licences, both in the order of the catalog."""
    with licenses.open("rb") as file:
        lines = _Lines(
            csv.open_csv(
                file,
                parse_options=csv.ParseOptions(newlines_in_values=True),
                convert_options=csv.ConvertOptions(
                    include_columns=_READ, column_types=dict.fromkeys(_READ, pa.string())
                ),
            )
            if len(_first_rows(catalog))
            else iter(())
        )
        for piece in pieces(catalog, columns):
            images = piece.filter(pc.not_equal(piece["split"], "train_small"))
            found = lines.take(len(images))
            _validate_same(images["treeoflife_id"], found["treeoflife_id"], licenses)
            yield _attributed(images, found)


def _first_rows(catalog: Path) -> pa.Table:
    return next(pieces(catalog, ["split"]), pa.table({"split": []}))


class _Lines:
    """The rows of ``licenses.csv``, some at a time."""

    def __init__(self, batches: Iterator[pa.RecordBatch]) -> None:
        self._batches = batches
        self._rest = pa.table({name: pa.array([], pa.string()) for name in _READ})

    def take(self, count: int) -> pa.Table:
        """Return the next rows, fewer at the end."""
        waiting, rows = [self._rest], len(self._rest)
        while rows < count and (batch := next(self._batches, None)) is not None:
            waiting.append(pa.Table.from_batches([batch]))
            rows += len(batch)
        table = pa.concat_tables(waiting)
        self._rest = table.slice(count)
        return table.slice(0, count)


def _validate_same(ids: pa.ChunkedArray, found: pa.ChunkedArray, licenses: Path) -> None:
    if not ids.equals(found):
        remedy = "Delete it and run the same command again"
        raise LedgerError(licenses, "its images are not those of the catalog", remedy)


def _attributed(images: pa.Table, found: pa.Table) -> pa.Table:
    """Return images with the columns of an attribution; what a source has written is made harmless."""
    given = found["license_name"].combine_chunks().dictionary_encode()
    names = [spdx_name(name) for name in given.dictionary.to_pylist()]
    owner, url = found["copyright_owner"], found["medium_source_url"]
    url = pc.if_else(pc.equal(url, ""), found["eol_full_size_copy_url"], url)
    columns = {
        "id": images["treeoflife_id"],
        "license": pa.array(names, pa.string()).take(given.indices),
        "license_as_given": harmless(given.dictionary).take(given.indices),
        "license_url": pa.array(map(license_url, names), pa.string()).take(given.indices),
        "owner": harmless(pc.if_else(pc.equal(owner, _NOT_PROVIDED), "", owner)),
        "source": images["source"].cast(pa.string()),
        "url": harmless(url),
        "split": images["split"].cast(pa.string()),
        "shard": images["shard"],
    }
    return pa.table(columns)

"""The mapping, ``mapping.sqlite``, of images to ids, locations and splits."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING, Any

import numpy as np
import peewee
import pyarrow as pa
import pyarrow.compute as pc

from tol_luigi.core.batches import BATCH, batched
from tol_luigi.core.errors import MappingError
from tol_luigi.core.files import remove
from tol_luigi.core.source import IMAGE_ID
from tol_luigi.core.splits import assign, assign_with_hints
from tol_luigi.store.databases import created, fetch, fetch_table, insert_rows, insert_table, opened
from tol_luigi.store.identities import identified, image_schema
from tol_luigi.store.ledger import ledger_row
from tol_luigi.store.models import Marker, Partition, Place, Split, SplitHint, image_model
from tol_luigi.store.runs import begins_run
from tol_luigi.store.split_hints import read_hints

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from tol_luigi.core.source import SourceInfo
    from tol_luigi.core.splits import Assignment
    from tol_luigi.store.identities import Identities, ScannedSource
    from tol_luigi.store.split_hints import HintSource

__all__ = ["build_mapping", "fill_splits", "marker", "reading_published"]

_TABLES = [Split, Partition, Place, Marker]
_PUBLISHED = "published"


def marker(path: Path, stage: str) -> str:
    """Return the settings digest in the marker of a stage; "" if there is no marker or no file."""
    if not path.exists():
        return ""
    with contextlib.suppress(peewee.DatabaseError), opened(path, [Marker]):
        row = Marker.get_or_none(Marker.stage == stage)
        return str(row.digest) if row else ""
    return ""


def build_mapping(
    path: Path,
    sources: Sequence[ScannedSource],
    *,
    published: Path | None,
    digest: str,
    progress: Callable[[int], None],
) -> Iterator[dict[str, Any]]:
    """Write the mapping, and yield ledger rows for everything that is not in it.

    If several files have the same natural key, the first one is used, in the order of sources, partitions and
    listings.

    Args:
        path: The database to write atomically.
        sources: The sources, in the order of the catalogs.
        published: A published mapping with the ids to use. Then only its images are used, except for sources
            that are not published.
        digest: The digest of the settings and the listings, for the marker.
        progress: Called with the number of images so far.

    Yields:
        A ledger row for each file that is not in the mapping, and for each published image without a file.
        The database is committed only after the last row.

    Raises:
        MappingError: The published mapping lacks a table, or its content is invalid.
    """
    if published:
        _validate_database(published)
    models = [image_model(source.name, source.columns) for source in sources]
    if path.exists() and marker(path, "mapping") != digest:
        remove(path)  # damaged, or written from other listings
    # Another process may have added splits by now: its file, otherwise equal, is not replaced.
    with created(path, [*models, *_TABLES], first_wins=True) as database:
        count = partitions = 0
        for source in sources:
            looked_up = published if source.source.is_published else None
            known = _published_images(source, looked_up) if looked_up else None
            with identified(source, known, path) as found:
                yield from _add_source(database, found, partitions, count, progress)
                count += found.count
            partitions += len(source.partitions)
        Marker.create(stage="mapping", digest=digest)


def _add_source(
    database: peewee.SqliteDatabase,
    found: Identities,
    partitions: int,
    count: int,
    progress: Callable[[int], None],
) -> Iterator[dict[str, Any]]:
    """Add one source; none of it stays in memory.

    Args:
        database: The mapping.
        found: The images of the source.
        partitions: The number of partitions so far.
        count: The number of images so far.
        progress: Called with the number of images so far.

    Yields:
        A ledger row for everything from the source that is not in the mapping.
    """
    source = found.source
    model = image_model(source.name, source.columns)
    for images in found.images():
        for rows in insert_table(database, model, images):
            progress(count + rows)
        count += len(images)
    numbered = [(partitions + number, source.name, name) for number, name in enumerate(source.partitions)]
    insert_rows(database, Partition, numbered)
    for places in found.places():
        moved = places.set_column(0, "partition", pc.add(places["partition"], partitions))
        for _ in insert_table(database, Place, moved):
            pass  # the images are already counted
    yield from _rejected(found)


def _validate_database(published: Path) -> None:
    """Check that a file is an SQLite database."""
    try:
        with opened(published, []) as database:
            database.get_tables()
    except peewee.DatabaseError as error:
        raise MappingError(
            published,
            f"is not an SQLite database ({error})",
            "Set [published] mapping to a file in the published format",
        ) from error


@contextlib.contextmanager
def reading_published(published: Path, source: str) -> Iterator[None]:
    """Raise errors in reading a table of a published mapping as a message that names the table.

    Raises:
        MappingError: The table cannot be read.
    """
    try:
        yield
    except (peewee.DatabaseError, sqlite3.DatabaseError, pa.ArrowException, OverflowError) as error:
        what = f"its table {source} cannot be read ({' '.join(str(error).split())})"
        raise MappingError(
            published, what, "Set [published] mapping to a file with the published tables"
        ) from error


def _published_images(source: ScannedSource, published: Path) -> pa.Table:
    """Return the source's table of the published mapping, in the order of the ids."""
    model = image_model(source.name, source.columns)
    with reading_published(published, source.name), opened(published, [model]) as database:
        images = fetch_table(database, model.select().tuples(), image_schema(source.columns))
    images = images.take(pc.sort_indices(images[IMAGE_ID]))
    if images[IMAGE_ID].null_count or not begins_run(images[IMAGE_ID]).all():
        what = f"its table {source.name} has repeated or missing ids"
        remedy = "Set [published] mapping to a file with unique ids, like the published one"
        raise MappingError(published, what, remedy)
    return images


def _rejected(found: Identities) -> Iterator[dict[str, Any]]:
    """Yield a ledger row for everything from a source that is not in the mapping."""
    source = found.source
    for rows in found.rejected():
        yield from rows
    for file in source.unlisted:
        key = file.id, source.name, file.partition, file.member.name
        yield ledger_row(*key, file.state or "", file.reason)
    for rows in found.missing():
        yield from rows


def fill_splits(
    path: Path,
    sources: Sequence[SourceInfo],
    *,
    published: Path | None,
    seed: int,
    val_percent: int,
    train_small_percent: int,
    digest: str,
    progress: Callable[[int], None],
    hinted: Mapping[str, HintSource] | None = None,
) -> None:
    """Fill the ``split`` table for every image of the source tables, and write its marker.

    Args:
        path: The mapping, which is replaced with a copy that contains the splits.
        sources: The sources.
        published: A published mapping with the splits to use, unless its table is empty or missing.
        seed: The dataset's seed.
        val_percent: See :func:`tol_luigi.core.splits.assign`.
        train_small_percent: The same.
        digest: The digest of the settings, for the marker.
        progress: Called with the number of images so far.
        hinted: By name, the sources that give splits or groups to their images. Only with any of them the table
            ``split_hint`` is created.

    Raises:
        MappingError: The published splits lack images of the published mapping.
        TableError: A source gives wrong splits.
    """
    hinted = hinted or {}
    models = [image_model(source.name, source.columns) for source in sources]
    attached = {_PUBLISHED: published} if published else {}
    tables = [*_TABLES, *([SplitHint] if hinted else [])]
    with created(path, [*models, *tables], copy_of=path, attached=attached) as database:
        if Marker.get_or_none(Marker.stage == "splits"):
            return  # another process was faster, and this is a copy of its file
        reused = published is not None and _has_splits(database)
        count = 0
        for source, model in zip(sources, models, strict=True):
            if reused and source.is_published:
                count += _copy_splits(database, model, published)
                progress(count)
            else:
                shares = {
                    "seed": seed,
                    "val_percent": val_percent,
                    "train_small_percent": train_small_percent,
                }
                if source.name in hinted:
                    chosen = _assign_hinted(database, model, source.name, hinted[source.name], shares)
                else:
                    chosen = assign(_ids(database, model), **shares, scratch=path.parent)
                splits = zip(_ids(database, model), *map(_integers, chosen), strict=True)
                for batch in batched(splits):
                    insert_rows(database, Split, batch)
                    count += len(batch)
                    progress(count)
        Marker.create(stage="splits", digest=digest)


def _assign_hinted(
    database: peewee.SqliteDatabase,
    model: Any,  # noqa: ANN401 (its fields are known at run time)
    source: str,
    origin: HintSource,
    shares: Mapping[str, int],
) -> Assignment:
    """Split the images of a source that gives splits or groups to them, in the order of their ids; record these."""
    images = list(model.select().order_by(model.evobio10m_id).tuples())
    ids = [image[-1] for image in images]
    hints = read_hints(images, source, origin)
    known = (
        (image, hint.split, hint.group)
        for image, hint in zip(ids, hints, strict=True)
        if hint.split or hint.group
    )
    insert_rows(database, SplitHint, known)
    return assign_with_hints(ids, hints, **shares)


_SPLIT = [IMAGE_ID, "is_val", "is_train_small"]


def _ids(database: peewee.SqliteDatabase, model: Any) -> Iterator[str]:  # noqa: ANN401 (as above)
    """Yield the ids of a source's images, in order."""
    image = model.evobio10m_id
    for rows in fetch(database, model.select(image).order_by(image).tuples()):
        for (found,) in rows:
            yield found


def _integers(flags: NDArray[np.bool_]) -> Iterator[int]:
    """Yield flags as integers, of which a batch exists at a time."""
    for start in range(0, len(flags), BATCH):
        yield from flags[start : start + BATCH].astype(np.int8).tolist()


def _has_splits(database: peewee.SqliteDatabase) -> bool:
    if "split" not in database.get_tables(schema=_PUBLISHED):
        return False
    return bool(database.execute_sql(f"SELECT EXISTS (SELECT 1 FROM {_PUBLISHED}.split)").fetchone()[0])  # noqa: S608


def _copy_splits(database: peewee.SqliteDatabase, model: Any, published: Path | None) -> int:  # noqa: ANN401
    """Copy the splits of a source's images, and return their number."""
    table = model._meta.table_name  # noqa: SLF001 (peewee's own spelling of its public model metadata)
    # CROSS JOIN makes SQLite read the first table first, in the order of the ids.
    sql = (
        f"INSERT INTO main.split ({', '.join(_SPLIT)}) "  # noqa: S608 (the names are our own)
        f'SELECT image.{IMAGE_ID}, is_val, is_train_small FROM main."{table}" AS image '
        f"CROSS JOIN {_PUBLISHED}.split AS source_split ON source_split.{IMAGE_ID} = image.{IMAGE_ID}"
    )
    copied = int(database.execute_sql(sql).rowcount)
    if lacking := model.select().count() - copied:
        what = f"its split table lacks {lacking} images of its table {table}"
        remedy = "Set [published] mapping to a file with complete splits, or empty its split table"
        raise MappingError(published, what, remedy)
    return copied

"""Building ``mapping.sqlite``: which image has which id, and where it lies."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING, Any

import peewee
import pyarrow as pa
import pyarrow.compute as pc

from tol_luigi.core.errors import MappingError
from tol_luigi.core.files import remove
from tol_luigi.core.source import IMAGE_ID
from tol_luigi.core.splits import assign
from tol_luigi.store.databases import created, fetch_table, insert_rows, insert_table, opened
from tol_luigi.store.identities import identify, image_schema
from tol_luigi.store.ledger import ledger_row
from tol_luigi.store.models import Marker, Partition, Place, Split, image_model
from tol_luigi.store.runs import begins_run

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence
    from pathlib import Path

    from tol_luigi.core.source import SourceInfo
    from tol_luigi.store.identities import Identities, Listed

__all__ = ["build_mapping", "fill_splits", "marker", "reading_published"]

_TABLES = [Split, Partition, Place, Marker]
_PUBLISHED = "published"


def marker(path: Path, stage: str) -> str:
    """Tell under which settings a stage has written its rows; "" if it has not, or there is no file."""
    if not path.exists():
        return ""
    with contextlib.suppress(peewee.DatabaseError), opened(path, [Marker]):
        row = Marker.get_or_none(Marker.stage == stage)
        return str(row.digest) if row else ""
    return ""


def build_mapping(
    path: Path,
    sources: Sequence[Listed],
    *,
    published: Path | None,
    digest: str,
    progress: Callable[[int], None],
) -> Iterator[dict[str, Any]]:
    """Write the mapping, and tell what is left out of it.

    The first image of a natural key keeps it, in the order of sources, partitions and listings.

    Args:
        path: The database to write, whole or not at all.
        sources: The sources, in the order of the catalogs.
        published: A published mapping to take ids from; then only its images are used, but for sources that
            no published file has.
        digest: Of the settings and the listings, for the marker.
        progress: Told the number of images so far.

    Yields:
        A ledger row for each file that the mapping does not hold, and for each published image that no
        source holds. The database is in place only when all of them have been taken.

    Raises:
        MappingError: The published mapping lacks a table, or has something else in it.
    """
    if published:
        _refuse_other_files(published)
    models = [image_model(source.name, source.columns) for source in sources]
    if path.exists() and marker(path, "mapping") != digest:
        remove(path)  # damaged, or made from other listings
    # Another process may have filled in splits by now: its file, equal but for them, is not replaced.
    with created(path, [*models, *_TABLES], first_wins=True) as database:
        count = partitions = 0
        for source in sources:
            looked_up = published if source.source.is_published else None
            count = yield from _add_source(database, source, looked_up, partitions, count, progress)
            partitions += len(source.partitions)
        Marker.create(stage="mapping", digest=digest)


def _add_source(  # noqa: PLR0917 (what it adds to, what it adds, and what it goes on from)
    database: peewee.SqliteDatabase,
    source: Listed,
    published: Path | None,
    partitions: int,
    images: int,
    progress: Callable[[int], None],
) -> Generator[dict[str, Any], None, int]:
    """Add one source, of which nothing stays in memory.

    Args:
        database: The mapping.
        source: The source.
        published: A published mapping, if its ids are taken from there.
        partitions: How many there are already.
        images: The same.
        progress: Told the number of images so far.

    Yields:
        A ledger row for everything that the mapping does not hold of the source.

    Returns:
        How many images there are now.
    """
    found = identify(source, _published_images(source, published) if published else None)
    for rows in insert_table(database, image_model(source.name, source.columns), found.images):
        progress(images + rows)
    _insert_places(database, found, partitions)
    yield from _left_out(found)
    return images + len(found.images)


def _refuse_other_files(published: Path) -> None:
    """See that a file is a database at all."""
    try:
        with opened(published, []) as database:
            database.get_tables()
    except peewee.DatabaseError as error:
        raise MappingError(
            published, f"is no SQLite database ({error})", "Give a mapping as published"
        ) from error


@contextlib.contextmanager
def reading_published(published: Path, source: str) -> Iterator[None]:
    """Name the table of a published mapping in whatever error reading it raises.

    Raises:
        MappingError: The table cannot be read.
    """
    try:
        yield
    except (peewee.DatabaseError, sqlite3.DatabaseError, pa.ArrowException, OverflowError) as error:
        what = f"its table {source} cannot be read ({' '.join(str(error).split())})"
        raise MappingError(published, what, "Give a mapping with the published tables") from error


def _published_images(source: Listed, published: Path) -> pa.Table:
    """Read the source's table of the published mapping, in the order of the ids."""
    model = image_model(source.name, source.columns)
    with reading_published(published, source.name), opened(published, [model]) as database:
        images = fetch_table(database, model.select().tuples(), image_schema(source.columns))
    images = images.take(pc.sort_indices(images[IMAGE_ID]))
    if images[IMAGE_ID].null_count or not begins_run(images[IMAGE_ID]).all():
        what = f"its table {source.name} has ids more than once, or none"
        raise MappingError(published, what, "Give a mapping whose ids are keys, as published")
    return images


def _insert_places(database: peewee.SqliteDatabase, found: Identities, before: int) -> None:
    """Note where the images of a source lie, and its partitions, which are numbered on from those before."""
    source = found.source
    numbered = [(before + number, source.name, name) for number, name in enumerate(source.partitions)]
    insert_rows(database, Partition, numbered)
    places = found.places
    places = places.set_column(0, "partition", pc.add(places["partition"], before))
    for _ in insert_table(database, Place, places):
        pass  # its images have been counted


def _left_out(found: Identities) -> Iterator[dict[str, Any]]:
    """Give a ledger row for everything that the mapping does not hold of a source."""
    source = found.source
    for rows in found.left_out():
        yield from rows
    for file in source.unlisted:
        about = file.id, source.name, file.partition, file.member.name
        yield ledger_row(*about, file.state or "", file.reason)
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
) -> None:
    """Fill the ``split`` table for every image of the source tables, and mark it as filled.

    Args:
        path: The mapping, which is replaced by one with the table filled.
        sources: The sources.
        published: A published mapping to take splits from, unless its table is empty or not there.
        seed: Of the dataset.
        val_percent: See :func:`tol_luigi.core.splits.assign`.
        train_small_percent: The same.
        digest: Of the settings, for the marker.
        progress: Told the number of images so far.

    Raises:
        MappingError: The published splits leave out images of the published mapping.
    """
    models = [image_model(source.name, source.columns) for source in sources]
    attached = {_PUBLISHED: published} if published else {}
    with created(path, [*models, *_TABLES], copy_of=path, attached=attached) as database:
        if Marker.get_or_none(Marker.stage == "splits"):
            return  # another process has been quicker, and this is a copy of what it has made
        taken = published is not None and _has_splits(database)
        count = 0
        for source, model in zip(sources, models, strict=True):
            if taken and source.is_published:
                count += _take_splits(database, model, published)
                progress(count)
            else:
                ids = fetch_table(database, _ids(model), pa.schema([(IMAGE_ID, pa.string())]))
                chosen = assign(
                    (image for batch in ids.to_batches() for image in batch.column(0).to_pylist()),
                    seed=seed,
                    val_percent=val_percent,
                    train_small_percent=train_small_percent,
                )
                flags = (pa.array(flag.astype("int8")) for flag in chosen)
                for rows in insert_table(database, Split, pa.table([ids[IMAGE_ID], *flags], names=_SPLIT)):
                    progress(count + rows)
                count += len(ids)
        Marker.create(stage="splits", digest=digest)


_SPLIT = [IMAGE_ID, "is_val", "is_train_small"]


def _ids(model: Any) -> Any:  # noqa: ANN401 (its fields are known at run time)
    """Ask for the ids of a source's images, in order."""
    image = model.evobio10m_id
    return model.select(image).order_by(image).tuples()


def _has_splits(database: peewee.SqliteDatabase) -> bool:
    if "split" not in database.get_tables(schema=_PUBLISHED):
        return False
    return bool(database.execute_sql(f"SELECT EXISTS (SELECT 1 FROM {_PUBLISHED}.split)").fetchone()[0])  # noqa: S608


def _take_splits(database: peewee.SqliteDatabase, model: Any, published: Path | None) -> int:  # noqa: ANN401
    """Copy the splits of a source's images, and give their number."""
    table = model._meta.table_name  # noqa: SLF001 (peewee's own spelling of its public model metadata)
    # A cross join, to SQLite, is one whose first table is read first: in the order of the ids.
    sql = (
        f"INSERT INTO main.split ({', '.join(_SPLIT)}) "  # noqa: S608 (the names are our own)
        f'SELECT image.{IMAGE_ID}, is_val, is_train_small FROM main."{table}" AS image '
        f"CROSS JOIN {_PUBLISHED}.split AS given ON given.{IMAGE_ID} = image.{IMAGE_ID}"
    )
    copied = int(database.execute_sql(sql).rowcount)
    if lacking := model.select().count() - copied:
        what = f"its split table lacks {lacking} images of its table {table}"
        raise MappingError(
            published, what, "Give a mapping whose splits are complete, or empty the split table"
        )
    return copied

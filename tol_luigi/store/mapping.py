"""Building ``mapping.sqlite``: which image has which id, and where it lies."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import peewee

from tol_luigi.core.errors import MappingError
from tol_luigi.core.files import remove
from tol_luigi.core.ledger import State
from tol_luigi.core.splits import assign
from tol_luigi.store.databases import created, fetch, insert_rows, insert_sql, opened
from tol_luigi.store.ledger import ledger_row
from tol_luigi.store.listings import read_listing
from tol_luigi.store.models import PUBLISHED_SOURCES, Marker, Partition, Place, Split, image_model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from tol_luigi.core.source import Column, Found, Key

__all__ = ["Listed", "build_mapping", "fill_splits", "marker"]

_TABLES = [Split, Partition, Place, Marker]
_PUBLISHED = "published"


@dataclass(frozen=True)
class Listed:
    """One source, scanned.

    Attributes:
        name: The source's name.
        columns: Its natural key.
        make_id: Gives the id of a natural key.
        partitions: Its partitions, in order.
        listings: Its listing files, in order.
        strays: What lies beside the listings.
    """

    name: str
    columns: tuple[Column, ...]
    make_id: Callable[[Key], str]
    partitions: tuple[str, ...]
    listings: tuple[Path, ...]
    strays: Iterable[Found] = ()


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
        digest: Of the settings, for the marker.
        progress: Told the number of images so far.

    Yields:
        A ledger row for each file that the mapping does not hold, and for each published image that no
        source holds. The database is in place only when all of them have been taken.

    Raises:
        MappingError: The published mapping lacks a table.
    """
    if published:
        _refuse_other_files(published)
    models = [image_model(source.name, source.columns) for source in sources]
    attached = {_PUBLISHED: published} if published else {}
    if path.exists() and not marker(path, "mapping"):
        remove(path)  # damaged: no stage leaves one without its marker
    # Another process may have filled in splits by now: its file, equal but for them, is not replaced.
    with created(path, [*models, *_TABLES], attached=attached, first_wins=True) as database:
        # A worker finds the rows of its partition by the primary key, and one image by this index.
        database.execute_sql("CREATE UNIQUE INDEX place_id ON place (evobio10m_id)")
        count = 0
        for source, model in zip(sources, models, strict=True):
            filler = _Filler(database, source, model)
            looked_up = published if source.name in PUBLISHED_SOURCES else None
            if looked_up:
                filler.import_published(looked_up)
            for looked_at, left_out in filler.fill(published=looked_up is not None):
                yield from left_out
                count += looked_at
                progress(count)
            if looked_up:
                yield from filler.missing()
        Marker.create(stage="mapping", digest=digest)


def _refuse_other_files(published: Path) -> None:
    """See that a file is a database at all."""
    try:
        with opened(published, []) as database:
            database.get_tables()
    except peewee.DatabaseError as error:
        raise MappingError(
            published, f"is no SQLite database ({error})", "Give a mapping as published"
        ) from error


class _Filler:
    """Puts one source into the mapping."""

    def __init__(self, database: peewee.SqliteDatabase, source: Listed, model: Any) -> None:  # noqa: ANN401
        self.database, self.source, self.model = database, source, model
        self.execute = database.connection().execute
        self.columns = [column.name for column in source.columns]
        first = Partition.select().count()
        self.numbers = {name: first + index for index, name in enumerate(source.partitions)}
        insert_rows(
            database, Partition, [(number, source.name, name) for name, number in self.numbers.items()]
        )
        # SQL made once by peewee and run for each row: building a query costs more than running it.
        self.insert_image = insert_sql(model, ignore=True)
        self.insert_place = insert_sql(Place, ignore=True)
        of_id = model.select(model.evobio10m_id).where(model.evobio10m_id == "")
        conditions = [getattr(model, name) == 0 for name in self.columns]
        self.select_by_id = str(of_id.sql()[0])
        self.select_by_key = str(model.select(model.evobio10m_id).where(*conditions).sql()[0])

    def import_published(self, published: Path) -> None:
        """Copy the source's table from the published mapping, and index it by natural key."""
        names = ", ".join(f'"{name}"' for name in [*self.columns, "evobio10m_id"])
        table = self.source.name
        try:
            self.database.execute_sql(
                f'INSERT INTO main."{table}" ({names}) '  # noqa: S608 (the names are our own)
                f'SELECT {names} FROM {_PUBLISHED}."{table}" ORDER BY evobio10m_id'
            )
        except peewee.DatabaseError as error:
            what = f"its table {table} cannot be read ({error})"
            raise MappingError(published, what, "Give a mapping with the published tables") from error
        keys = ", ".join(f'"{name}"' for name in self.columns)
        self.database.execute_sql(f'CREATE INDEX main."by_key_{table}" ON "{table}" ({keys})')

    def fill(self, *, published: bool) -> Iterator[tuple[int, list[dict[str, Any]]]]:
        """Give every listed image its id and its place.

        Yields:
            For each batch, how many files were looked at, and a ledger row for each that is left out.
        """
        identify = self._looked_up if published else self._made
        for listing in self.source.listings:
            for rows in read_listing(listing):
                yield len(rows), [left_out for row in rows if (left_out := self._settle(row, identify))]
        strays = [
            self._left_out(_described(stray), stray.state or "", stray.reason) for stray in self.source.strays
        ]
        yield 0, strays
        if published:
            self.database.execute_sql(f'DROP INDEX main."by_key_{self.source.name}"')

    def _settle(
        self, row: dict[str, Any], identify: Callable[[dict[str, Any]], str | None]
    ) -> dict[str, Any] | None:
        if row["state"]:
            return self._left_out(row, row["state"], row["reason"])
        image = identify(row)
        if image is None:
            reason = (
                "no published mapping tells what this id is" if row["id"] else "not in the published mapping"
            )
            return self._left_out(row, State.NOT_IN_MAPPING, reason)
        place = (self.numbers[row["partition"]], row["position"], image)
        if self.execute(self.insert_place, place).rowcount:
            return None
        return self._left_out(
            {**row, "id": image}, State.DUPLICATE_NAME, "an earlier image has the same natural key"
        )

    def _made(self, row: dict[str, Any]) -> str | None:
        """Make the id from the natural key. A name that is an id does not tell the key."""
        if row["id"]:
            return None
        key = tuple(row[name] for name in self.columns)
        image = self.source.make_id(key)
        self.execute(self.insert_image, (*key, image))
        return image

    def _looked_up(self, row: dict[str, Any]) -> str | None:
        """Find the published id, by the name if that is one, else by the natural key."""
        if row["id"]:
            found = self.execute(self.select_by_id, (row["id"],)).fetchone()
        else:
            found = self.execute(self.select_by_key, [row[name] for name in self.columns]).fetchone()
        return str(found[0]) if found else None

    def missing(self) -> Iterator[dict[str, Any]]:
        """Tell which published images no source holds."""
        image = self.model.evobio10m_id
        query = self.model.select().where(image.not_in(Place.select(Place.evobio10m_id))).order_by(image)
        for rows in fetch(self.database, query.tuples()):
            for *key, unseen in rows:
                row = {"partition": "", "member": "/".join(map(str, key)), "id": unseen}
                yield self._left_out(row, State.MISSING, "the published mapping lists it, no source holds it")

    def _left_out(self, row: dict[str, Any], state: str, reason: str) -> dict[str, Any]:
        name, partition = self.source.name, row["partition"]
        return ledger_row(row["id"], name, partition, row["member"], state, reason)


def _described(stray: Found) -> dict[str, Any]:
    return {"partition": stray.partition, "member": stray.member.name, "id": stray.id}


def fill_splits(
    path: Path,
    sources: Sequence[tuple[str, tuple[Column, ...]]],
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
        sources: The name and natural key of each source.
        published: A published mapping to take splits from, unless its table is empty or not there.
        seed: Of the dataset.
        val_percent: See :func:`tol_luigi.core.splits.assign`.
        train_small_percent: The same.
        digest: Of the settings, for the marker.
        progress: Told the number of images so far.

    Raises:
        MappingError: The published splits leave out images of the published mapping.
    """
    models = [image_model(*source) for source in sources]
    attached = {_PUBLISHED: published} if published else {}
    with created(path, [*models, *_TABLES], copy_of=path, attached=attached) as database:
        if Marker.get_or_none(Marker.stage == "splits"):
            return  # another process has been quicker, and this is a copy of what it has made
        taken = published is not None and _has_splits(database)
        for (name, _), model in zip(sources, models, strict=True):
            if taken and name in PUBLISHED_SOURCES:
                _take_splits(database, model, published)
            else:
                chosen = assign(
                    _ids(database, model),
                    seed=seed,
                    val_percent=val_percent,
                    train_small_percent=train_small_percent,
                )
                flags = (array.astype(int).tolist() for array in chosen)
                insert_rows(database, Split, zip(_ids(database, model), *flags, strict=True))
            progress(Split.select().count())
        Marker.create(stage="splits", digest=digest)


def _ids(database: peewee.SqliteDatabase, model: Any) -> Iterator[str]:  # noqa: ANN401 (its fields are known at run time)
    """Give the ids of a source's images, in order."""
    image = model.evobio10m_id
    for rows in fetch(database, model.select(image).order_by(image).tuples()):
        yield from (row[0] for row in rows)


def _has_splits(database: peewee.SqliteDatabase) -> bool:
    if "split" not in database.get_tables(schema=_PUBLISHED):
        return False
    return bool(database.execute_sql(f"SELECT EXISTS (SELECT 1 FROM {_PUBLISHED}.split)").fetchone()[0])  # noqa: S608


def _take_splits(database: peewee.SqliteDatabase, model: Any, published: Path | None) -> None:  # noqa: ANN401
    table = model._meta.table_name  # noqa: SLF001 (peewee's own spelling of its public model metadata)
    before = Split.select().count()
    sql = (
        "INSERT INTO main.split (evobio10m_id, is_val, is_train_small) "  # noqa: S608 (the names are our own)
        f"SELECT evobio10m_id, is_val, is_train_small FROM {_PUBLISHED}.split "
        f'WHERE evobio10m_id IN (SELECT evobio10m_id FROM main."{table}") ORDER BY evobio10m_id'
    )
    database.execute_sql(sql)
    lacking = model.select().count() - (Split.select().count() - before)
    if lacking:
        what = f"its split table lacks {lacking} images of its table {table}"
        raise MappingError(
            published, what, "Give a mapping whose splits are complete, or empty the split table"
        )

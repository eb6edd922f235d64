"""The predicted catalog: mapping, splits, names and exclusions joined, partition by partition."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import peewee
import pyarrow as pa

from tol_luigi.core.ledger import State
from tol_luigi.core.taxon import RANK_LABELS, Taxon, common_or_name
from tol_luigi.store.catalogs import CLASS_INDEX
from tol_luigi.store.databases import fetch, opened
from tol_luigi.store.ledger import ledger_row
from tol_luigi.store.listings import members_at
from tol_luigi.store.models import Name, Partition, Place, Split, image_model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from tol_luigi.core.exclusions import Exclusions
    from tol_luigi.core.source import Source
    from tol_luigi.store.server import Server

__all__ = ["Guard", "images_by_id", "list_named", "predicted_tables"]

_NAMES = [Name.kingdom, Name.phylum, Name.cls, Name.order, Name.family, Name.genus, Name.species]
_NAMELESS = "no rank is known of it"
_ON_LIST = "on the list "


class Guard:
    """Keeps benchmark images and species out, and counts what each list matched.

    Args:
        lists: Each exclusion list by name, the first match of which counts.
    """

    def __init__(self, lists: dict[str, Exclusions]) -> None:
        self.lists = lists
        self.matched = {name: {"images": 0, "species": 0} for name in lists}

    def report(self) -> dict[str, dict[str, Any]]:
        """Give for each list how many images and species it names, and how many images it matched by which."""
        return {
            name: {
                "images_listed": exclusions.files,
                "species_listed": exclusions.species,
                "keys_not_understood": list(exclusions.unread),
                "images_excluded_by_image": self.matched[name]["images"],
                "images_excluded_by_species": self.matched[name]["species"],
            }
            for name, exclusions in self.lists.items()
        }

    def judge(self, source: Source, key: Sequence[Any], taxon: Taxon) -> tuple[str, str]:
        """Tell whether an image is to be left out.

        Args:
            source: Its source.
            key: Its natural key.
            taxon: What it shows.

        Returns:
            The state and the reason, both "" for an image to keep.
        """
        for name, exclusions in self.lists.items():
            if source.is_listed(exclusions, key):
                self.matched[name]["images"] += 1
                return State.EXCLUDED_IMAGE, f"{_ON_LIST}{name}"
        for name, exclusions in self.lists.items():
            if exclusions.match_species(taxon):
                self.matched[name]["species"] += 1
                return State.EXCLUDED_SPECIES, f"{taxon.scientific} is {_ON_LIST}{name}"
        return "", ""


def list_named(reason: str) -> str:
    """Give the list that a reason of :meth:`Guard.judge` names."""
    return reason.rpartition(_ON_LIST)[2]


def images_by_id(mapping: Path | Server, source: Source) -> Iterator[tuple[Any, ...]]:
    """Give the natural key and the id of every image that has a place, in the order of the ids."""
    model = image_model(source.name, source.columns)
    image = model.evobio10m_id
    placed = model.select().where(image.in_(Place.select(Place.evobio10m_id))).order_by(image)
    with opened(mapping, [model, Place]) as database:
        for rows in fetch(database, placed.tuples()):
            yield from rows


def predicted_tables(
    mapping: Path | Server,
    names: Path,
    sources: Iterable[Source],
    *,
    schema: pa.Schema,
    guard: Guard,
    listing: Callable[[str, str], Path],
    unnamed: list[dict[str, Any]],
) -> Iterator[pa.Table]:
    """Join everything known of the images.

    Args:
        mapping: The mapping, with its splits; or the server that both are on.
        names: The name lookups.
        sources: The sources, in the order of the catalogs.
        schema: The columns of the predicted catalog.
        guard: Judges each image.
        listing: Gives the listing of a source and partition.
        unnamed: Filled with a ledger row for each image without a taxon.

    Yields:
        The images of one partition each, in the order of their ids; empty partitions are passed over.
    """
    for source in sources:
        model = image_model(source.name, source.columns)
        with opened(mapping, [model, Place, Split, Partition, Name], attached={"names": names}) as database:
            partitions = Partition.select().where(Partition.source == source.name).order_by(Partition.number)
            for partition in list(partitions):
                query = _query(model, source, partition.number)
                rows = [row for batch in fetch(database, query) for row in batch]
                if rows:
                    joined = _Joined(source, partition.name, guard)
                    yield joined.table(rows, schema)
                    unnamed += joined.unnamed(listing(source.name, partition.name))


def _query(model: Any, source: Source, number: int) -> Any:  # noqa: ANN401 (a peewee model and query)
    keys = [getattr(model, column.name) for column in source.columns]
    name_key = getattr(model, source.name_key).cast("TEXT")
    return (
        Place.select(
            Place.position,
            model.evobio10m_id,
            *keys,
            Split.is_val,
            Split.is_train_small,
            *_NAMES,
            Name.common,
            Name.class_index,
        )
        .join(model, on=(model.evobio10m_id == Place.evobio10m_id))
        .join(Split, on=(Split.evobio10m_id == Place.evobio10m_id))
        .join(Name, peewee.JOIN.LEFT_OUTER, on=((Name.source == source.name) & (Name.key == name_key)))
        .where(Place.partition == number)
        .order_by(Place.evobio10m_id)
        .tuples()
    )


class _Joined:
    """Turns the joined rows of one partition into rows of the predicted catalog."""

    def __init__(self, source: Source, partition: str, guard: Guard) -> None:
        self.source, self.partition, self.guard = source, partition, guard
        self.without_taxon: list[tuple[int, str]] = []

    def table(self, rows: list[tuple[Any, ...]], schema: pa.Schema) -> pa.Table:
        """Make the table; columns of other sources are null."""
        made = [row for joined in rows if (row := self._row(joined))]
        return pa.Table.from_pylist(made, schema=schema)

    def _row(self, joined: tuple[Any, ...]) -> dict[str, Any] | None:
        width = len(self.source.columns)
        position, image, *rest = joined
        key, (is_val, is_train_small, *named) = rest[:width], rest[width:]
        *ranks, common, class_index = named
        if not any(ranks):
            self.without_taxon.append((position, image))
            return None
        taxon = Taxon.from_rendered(ranks)
        excluded, exclusion = self.guard.judge(self.source, key, taxon)
        return {
            "split": "val" if is_val else "train",
            "treeoflife_id": image,
            **{column.catalog: value for column, value in zip(self.source.columns, key, strict=True)},
            **dict(zip(RANK_LABELS, ranks, strict=True)),
            "common": common_or_name(taxon, common),
            CLASS_INDEX: class_index,
            "source": self.source.name,
            "partition": self.partition,
            "position": position,
            "is_train_small": bool(is_train_small),
            "excluded": excluded,
            "exclusion": exclusion,
        }

    def unnamed(self, listing: Path) -> list[dict[str, Any]]:
        """Give a ledger row for each image without a taxon.

        Args:
            listing: Where the names of the files stand.
        """
        members = members_at(listing, self.partition, [position for position, _ in self.without_taxon])
        return [
            ledger_row(image, self.source.name, self.partition, member.name, State.NO_TAXON, _NAMELESS)
            for (_, image), member in zip(self.without_taxon, members, strict=True)
        ]

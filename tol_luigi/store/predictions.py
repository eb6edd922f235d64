"""The predicted catalog: mapping, splits, names and exclusions joined, source by source and columns at a time."""

from __future__ import annotations

import functools
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tol_luigi.core.exclusions import STAYS, Verdict
from tol_luigi.core.ledger import State
from tol_luigi.core.source import IMAGE_ID
from tol_luigi.core.taxon import RANK_LABELS, Taxon, common_or_name
from tol_luigi.store.catalogs import CLASS_INDEX, NAME_RULES
from tol_luigi.store.databases import fetch, fetch_table, opened
from tol_luigi.store.identities import image_schema
from tol_luigi.store.ledger import ledger_row
from tol_luigi.store.listings import members_at
from tol_luigi.store.models import Name, Partition, Place, Split, image_model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from tol_luigi.core.exclusions import Exclusions
    from tol_luigi.core.source import Key, Source
    from tol_luigi.store.server import Server

    Numbers = NDArray[np.int64]

__all__ = ["NAMELESS", "Guard", "images_by_id", "predicted_tables"]

_NAMES = [Name.kingdom, Name.phylum, Name.cls, Name.order, Name.family, Name.genus, Name.species]
NAMELESS = "no rank is known of it"
"""Why an image has the state ``NO_TAXON``."""

_TAXA = 1 << 15


class Guard:
    """Keeps benchmark images and species out, and counts what each list matched.

    Args:
        lists: Each exclusion list by name, the first match of which counts, one of an image before one of its species.

    Attributes:
        matched: How many images of each source each list matched, by (list, source, state).
        verdicts: Every verdict so far, by its number; that of 0 is that an image stays.
    """

    def __init__(self, lists: dict[str, Exclusions]) -> None:
        self.lists = lists
        self.matched = Counter[tuple[str, str, State]]()
        self.verdicts = [STAYS]
        self._sources: list[str] = []

    def report(self) -> dict[str, dict[str, Any]]:
        """Return for each list how many images and species it names, and how many images of each source it matched by which."""
        return {
            name: {
                "images_listed": exclusions.files,
                "species_listed": exclusions.species,
                "keys_not_understood": list(exclusions.unread),
                "images_excluded_by_image": self.count(name, State.EXCLUDED_IMAGE),
                "images_excluded_by_species": self.count(name, State.EXCLUDED_SPECIES),
                "sources": {
                    source: {
                        "images_excluded_by_image": self.matched[name, source, State.EXCLUDED_IMAGE],
                        "images_excluded_by_species": self.matched[name, source, State.EXCLUDED_SPECIES],
                    }
                    for source in self._sources
                },
            }
            for name, exclusions in self.lists.items()
        }

    def count(self, name: str, *states: State) -> int:
        """Count the images of all sources that a list matched, with one of some states."""
        return sum(self.matched[name, source, state] for source in self._sources for state in states)

    def of_taxon(self, taxon: Taxon) -> int:
        """Give the number of the verdict on a taxon."""
        for name, exclusions in self.lists.items():
            if exclusions.match_species(taxon):
                return self._number(Verdict(State.EXCLUDED_SPECIES, name, taxon.scientific))
        return 0

    def judge(self, source: Source, keys: Sequence[Key], by_taxon: Numbers) -> Numbers:
        """Judge images, and count what is left out.

        Args:
            source: Their source.
            keys: Their natural keys.
            by_taxon: The numbers of the verdicts on what they show.

        Returns:
            The numbers of the verdicts on them.
        """
        judged = by_taxon.copy()
        for name, exclusions in reversed(self.lists.items()):  # the first has the last word
            if listed := exclusions.match_images(source.key, keys):
                number = self._number(Verdict(State.EXCLUDED_IMAGE, name))
                judged[[place for place, key in enumerate(keys) if key in listed]] = number
        if source.name not in self._sources:
            self._sources.append(source.name)
        for verdict, count in zip(self.verdicts, np.bincount(judged).tolist(), strict=False):
            if verdict.state is not None:
                self.matched[verdict.listed, source.name, verdict.state] += count
        return judged

    def _number(self, verdict: Verdict) -> int:
        if verdict not in self.verdicts:
            self.verdicts.append(verdict)
        return self.verdicts.index(verdict)


def images_by_id(mapping: Path | Server, source: Source) -> Iterator[tuple[Any, ...]]:
    """Give the natural key and the id of every image that has a place, in the order of the ids."""
    model = image_model(source.name, source.columns)
    image = model.evobio10m_id
    placed = model.select().join(Place, on=(Place.evobio10m_id == image)).order_by(image)
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
    """Join everything known of the images. Memory is about 210 bytes an image of the largest source.

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
        named = _names(names, source, guard)
        for partition, mine in _named_images(mapping, source, named.keys):
            joined = _Joined(source, partition, mine.filter(pc.is_valid(mine[_NAME])), named, guard)
            yield joined.table(schema)
            nameless = mine.filter(pc.is_null(mine[_NAME]))
            unnamed += _unnamed(source.name, partition, nameless, listing(source.name, partition))


_NAME = "name"
_VERDICT = "verdict"


def _named_images(
    mapping: Path | Server, source: Source, name_keys: pa.Array
) -> Iterator[tuple[str, pa.Table]]:
    """Give the images of a source that have a place, partition by partition, each in the order of their ids.

    Args:
        mapping: The mapping, with its splits.
        source: The source.
        name_keys: The keys that have a name; null stands where an image's key is none of them.
    """
    images, partitions = _placed_images(mapping, source)
    names = pc.index_in(images[source.key.name_column].cast(pa.string()), value_set=name_keys)
    # In one piece, since rows are taken from all over it.
    images = images.append_column(_NAME, names).combine_chunks()
    numbers = images["partition"].to_numpy()
    order = np.argsort(numbers, kind="stable")
    wanted = sorted(partitions)
    # For all partitions at once: each search copies the numbers of all images.
    starts, ends = (np.searchsorted(numbers, wanted, side, order) for side in ("left", "right"))
    for number, start, end in zip(wanted, starts, ends, strict=True):
        if start < end:
            yield partitions[number], images.take(pa.array(order[start:end]))


def _placed_images(mapping: Path | Server, source: Source) -> tuple[pa.Table, dict[int, str]]:
    """Read the images of a source that have a place, in the order of their ids, and its partitions by their numbers."""
    model = image_model(source.name, source.columns)
    image = model.evobio10m_id
    query = (
        model.select(model, Place.partition, Place.position, Split.is_val, Split.is_train_small)
        .join(Place, on=(Place.evobio10m_id == image))
        .join(Split, on=(Split.evobio10m_id == image))
        .order_by(image)
        .tuples()
    )
    flags = [(name, pa.int8()) for name in ("is_val", "is_train_small")]
    schema = [*image_schema(source.columns), ("partition", pa.int32()), ("position", pa.int64()), *flags]
    with opened(mapping, [model, Place, Split, Partition]) as database:
        images = fetch_table(database, query, pa.schema(schema))
        mine = Partition.select().where(Partition.source == source.name)
        return images, {partition.number: partition.name for partition in list(mine)}


@dataclass(frozen=True)
class _Names:
    """What the images of a source can show, a row a name key.

    Attributes:
        keys: The name keys.
        shown: The ranks as rendered, the common name or what stands for it, the class index and the rules.
        verdicts: The numbers of the guard's verdicts.
    """

    keys: pa.Array
    shown: pa.Table
    verdicts: Numbers


def _names(path: Path, source: Source, guard: Guard) -> _Names:
    """Read the names of a source; those that have no rank at all are none."""

    @functools.lru_cache(_TAXA)  # most insects are of few taxa
    def judged(ranks: tuple[str, ...]) -> tuple[str, int]:
        taxon = Taxon.from_rendered(ranks)
        return common_or_name(taxon, ""), guard.of_taxon(taxon)

    columns = [*RANK_LABELS, "common", CLASS_INDEX, NAME_RULES]
    given = [Name.key, *_NAMES, Name.common, Name.class_index, Name.rules]
    query = Name.select(*given).where(Name.source == source.name)
    keys: list[str] = []
    verdicts: list[int] = []
    pieces = [pa.table({name: pa.array([], pa.string()) for name in columns})]
    with opened(path, [Name]) as database:
        for rows in fetch(database, query.order_by(Name.key).tuples()):
            shown = []
            for key, *ranks, common, class_index, rules in rows:
                if any(ranks):
                    instead, verdict = judged(tuple(ranks))
                    keys.append(key)
                    verdicts.append(verdict)
                    shown.append((*ranks, common or instead, class_index, rules))
            if shown:
                arrays = [pa.array(values, pa.string()) for values in zip(*shown, strict=True)]
                pieces.append(pa.table(arrays, names=columns))
    return _Names(
        pa.array(keys, pa.string()), pa.concat_tables(pieces).combine_chunks(), np.array(verdicts, np.int64)
    )


@dataclass(frozen=True)
class _Joined:
    """The images of one partition that have a name, to be made rows of the predicted catalog."""

    source: Source
    partition: str
    images: pa.Table
    names: _Names
    guard: Guard

    def table(self, schema: pa.Schema) -> pa.Table:
        """Make the table; columns of other sources are null."""
        images, count = self.images, len(self.images)
        name = images[_NAME]
        shown = self.names.shown.take(name)
        keys = [images[column.name] for column in self.source.columns]
        verdicts = self.guard.judge(
            self.source,
            list(zip(*(key.to_pylist() for key in keys), strict=True)),
            self.names.verdicts[name.to_numpy()],
        )
        states = pa.array([verdict.state or "" for verdict in self.guard.verdicts], pa.string())
        reasons = pa.array([verdict.reason for verdict in self.guard.verdicts], pa.string())
        known = {
            "split": pc.if_else(pc.equal(images["is_val"], 1), "val", "train"),
            "treeoflife_id": images[IMAGE_ID],
            **{column.catalog: key for column, key in zip(self.source.columns, keys, strict=True)},
            **{label: shown[label] for label in shown.column_names},
            "source": pa.repeat(self.source.name, count),
            "partition": pa.repeat(self.partition, count),
            "position": images["position"],
            "is_train_small": pc.equal(images["is_train_small"], 1),
            "excluded": states.take(pa.array(verdicts)),
            "exclusion": reasons.take(pa.array(verdicts)),
        }
        columns = [
            known[field.name].cast(field.type) if field.name in known else pa.nulls(count, field.type)
            for field in schema
        ]
        return pa.table(columns, schema=schema)


def _unnamed(source: str, partition: str, images: pa.Table, listing: Path) -> list[dict[str, Any]]:
    """Give a ledger row for each image without a taxon; the names of their files stand in the listing."""
    members = members_at(listing, partition, images["position"].to_pylist())
    return [
        ledger_row(image, source, partition, member.name, State.NO_TAXON, NAMELESS)
        for image, member in zip(images[IMAGE_ID].to_pylist(), members, strict=True)
    ]

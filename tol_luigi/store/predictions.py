"""The predicted catalog: mapping, splits, names and exclusions, joined source by source in columns."""

from __future__ import annotations

import functools
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tol_luigi.core.exclusions import KEPT, Verdict
from tol_luigi.core.ledger import State
from tol_luigi.core.source import IMAGE_ID
from tol_luigi.core.taxon import RANK_LABELS, Taxon, common_or_name
from tol_luigi.store.catalogs import CLASS_INDEX, NAME_RULES, TOL_ID
from tol_luigi.store.databases import fetch, fetch_table, opened
from tol_luigi.store.identities import image_schema
from tol_luigi.store.ledger import ledger_row
from tol_luigi.store.listings import members_at
from tol_luigi.store.models import Name, Partition, Place, ReferenceName, Split, image_model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    import peewee
    from numpy.typing import NDArray

    from tol_luigi.core.exclusions import Exclusions
    from tol_luigi.core.source import Key, Source
    from tol_luigi.store.server import Server

    Numbers = NDArray[np.int64]

__all__ = ["NAMELESS", "ExclusionPolicy", "images_by_id", "predicted_tables"]

_NAMES = [Name.kingdom, Name.phylum, Name.cls, Name.order, Name.family, Name.genus, Name.species]
NAMELESS = "no rank is known"
"""The reason for the state ``NO_TAXON``."""

_TAXA = 1 << 15


class ExclusionPolicy:
    """Excludes benchmark images and species, and counts the matches of each list.

    Args:
        lists: The exclusion lists by name. A match by image takes precedence over one by species, then the
            first list wins.

    Attributes:
        matched: The number of matched images by (list, source, state).
        verdicts: All verdicts so far, by number; verdict 0 keeps an image.
    """

    def __init__(self, lists: dict[str, Exclusions]) -> None:
        self.lists = lists
        self.matched = Counter[tuple[str, str, State]]()
        self.verdicts = [KEPT]
        self._sources: list[str] = []

    def report(self) -> dict[str, dict[str, Any]]:
        """Return the numbers of listed images and species, and of matched images by source, for each list."""
        return {
            name: {
                "images_listed": exclusions.files,
                "species_listed": exclusions.species,
                "keys_not_understood": list(exclusions.unparsed),
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
        """Return the number of images of all sources that a list matched, for the given states."""
        return sum(self.matched[name, source, state] for source in self._sources for state in states)

    def verdict_on_taxon(self, taxon: Taxon) -> int:
        """Return the number of the verdict on a taxon."""
        for name, exclusions in self.lists.items():
            if exclusions.match_species(taxon):
                return self._number(Verdict(State.EXCLUDED_SPECIES, name, taxon.scientific))
        return 0

    def apply(self, source: Source, keys: Sequence[Key], by_taxon: Numbers) -> Numbers:
        """Return the verdicts on images, and count the excluded ones.

        Args:
            source: Their source.
            keys: Their natural keys.
            by_taxon: The numbers of the verdicts on their taxa.

        Returns:
            The numbers of the verdicts on the images.
        """
        numbers = by_taxon.copy()
        for name, exclusions in reversed(self.lists.items()):  # the first list wins
            if listed := exclusions.match_images(source.key, keys):
                number = self._number(Verdict(State.EXCLUDED_IMAGE, name))
                numbers[[place for place, key in enumerate(keys) if key in listed]] = number
        if source.name not in self._sources:
            self._sources.append(source.name)
        for verdict, count in zip(self.verdicts, np.bincount(numbers).tolist(), strict=False):
            if verdict.state is not None:
                self.matched[verdict.listed, source.name, verdict.state] += count
        return numbers

    def _number(self, verdict: Verdict) -> int:
        if verdict not in self.verdicts:
            self.verdicts.append(verdict)
        return self.verdicts.index(verdict)


def images_by_id(mapping: Path | Server, source: Source) -> Iterator[tuple[Any, ...]]:
    """Yield the natural key and the id of every image with a file, in the order of the ids."""
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
    policy: ExclusionPolicy,
    listing: Callable[[str, str], Path],
    unnamed: list[dict[str, Any]],
) -> Iterator[pa.Table]:
    """Yield the tables of the predicted catalog. Memory is about 210 bytes per image of the largest source.

    Args:
        mapping: The mapping with splits, or the server that has them.
        names: The name lookups.
        sources: The sources, in the order of the catalogs.
        schema: The columns of the predicted catalog.
        policy: The exclusion policy.
        listing: Returns the listing of a source and partition.
        unnamed: Extended by a ledger row for each image without a taxon.

    Yields:
        The images of one partition, in the order of their ids; empty partitions are skipped.
    """
    for source in sources:
        named = _names(names, source, policy)
        for partition, mine in _named_images(mapping, source, named.keys):
            joined = _Joined(source, partition, mine.filter(pc.is_valid(mine[_NAME])), named, policy)
            yield joined.table(schema)
            nameless = mine.filter(pc.is_null(mine[_NAME]))
            unnamed += _unnamed(source.name, partition, nameless, listing(source.name, partition))


_NAME = "name"
_VERDICT = "verdict"


def _named_images(
    mapping: Path | Server, source: Source, name_keys: pa.Array
) -> Iterator[tuple[str, pa.Table]]:
    """Yield the images of a source that have a file, partition by partition, in the order of their ids.

    Args:
        mapping: The mapping with splits.
        source: The source.
        name_keys: The keys that have a name; an image with another key has null as its name.
    """
    images, partitions = _placed_images(mapping, source)
    names = pc.index_in(images[source.key.name_column].cast(pa.string()), value_set=name_keys)
    # One chunk makes random access fast.
    images = images.append_column(_NAME, names).combine_chunks()
    numbers = images["partition"].to_numpy()
    order = np.argsort(numbers, kind="stable")
    wanted = sorted(partitions)
    # One search for all partitions, because each search copies the numbers of all images.
    starts, ends = (np.searchsorted(numbers, wanted, side, order) for side in ("left", "right"))
    for number, start, end in zip(wanted, starts, ends, strict=True):
        if start < end:
            yield partitions[number], images.take(pa.array(order[start:end]))


def _placed_images(mapping: Path | Server, source: Source) -> tuple[pa.Table, dict[int, str]]:
    """Return the images of a source that have a file, in id order, and its partitions by number."""
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
    """The names of a source, one row per name key.

    Attributes:
        keys: The name keys.
        labels: The rendered ranks, the common name or its replacement, the class index and the rules; the taxon of
            the reference taxonomy, if it names the images.
        verdicts: The numbers of the verdicts on the taxa.
    """

    keys: pa.Array
    labels: pa.Table
    verdicts: Numbers


def _names(path: Path, source: Source, policy: ExclusionPolicy) -> _Names:
    """Return the names of a source, without those that have no rank."""

    @functools.lru_cache(_TAXA)  # most insects belong to few taxa
    def fallback_and_verdict(ranks: tuple[str, ...]) -> tuple[str, int]:
        taxon = Taxon.from_rendered(ranks)
        return common_or_name(taxon, ""), policy.verdict_on_taxon(taxon)

    columns = [*RANK_LABELS, "common", CLASS_INDEX, NAME_RULES]
    fields = [Name.key, *_NAMES, Name.common, Name.class_index, Name.rules]
    query = Name.select(*fields).where(Name.source == source.name)
    keys: list[str] = []
    verdicts: list[int] = []
    pieces = [pa.table({name: pa.array([], pa.string()) for name in columns})]
    with opened(path, [Name, ReferenceName]) as database:
        for rows in fetch(database, query.order_by(Name.key).tuples()):
            labels = []
            for key, *ranks, common, class_index, rules in rows:
                if any(ranks):
                    fallback, verdict = fallback_and_verdict(tuple(ranks))
                    keys.append(key)
                    verdicts.append(verdict)
                    labels.append((*ranks, common or fallback, class_index, rules))
            if labels:
                arrays = [pa.array(values, pa.string()) for values in zip(*labels, strict=True)]
                pieces.append(pa.table(arrays, names=columns))
        taxa = _reference_taxa(database, source) if ReferenceName.table_exists() else None
    found, table = pa.array(keys, pa.string()), pa.concat_tables(pieces).combine_chunks()
    if taxa is not None:
        rows = pc.index_in(found, value_set=taxa["key"])
        table = table.append_column(TOL_ID, taxa[TOL_ID].take(rows))
    return _Names(found, table, np.array(verdicts, np.int64))


def _reference_taxa(database: peewee.Database, source: Source) -> pa.Table:
    """Return the taxon of each name key of a source that belongs to one."""
    query = ReferenceName.select(ReferenceName.key, ReferenceName.tol_id).where(
        ReferenceName.source == source.name, ReferenceName.tol_id.is_null(is_null=False)
    )
    return fetch_table(database, query.tuples(), pa.schema([("key", pa.string()), (TOL_ID, pa.int64())]))


@dataclass(frozen=True)
class _Joined:
    """The named images of one partition, with everything that the predicted catalog needs."""

    source: Source
    partition: str
    images: pa.Table
    names: _Names
    policy: ExclusionPolicy

    def table(self, schema: pa.Schema) -> pa.Table:
        """Return the rows of the predicted catalog; columns of other sources are null."""
        images, count = self.images, len(self.images)
        name = images[_NAME]
        labels = self.names.labels.take(name)
        keys = [images[column.name] for column in self.source.columns]
        verdicts = self.policy.apply(
            self.source,
            list(zip(*(key.to_pylist() for key in keys), strict=True)),
            self.names.verdicts[name.to_numpy()],
        )
        states = pa.array([verdict.state or "" for verdict in self.policy.verdicts], pa.string())
        reasons = pa.array([verdict.reason for verdict in self.policy.verdicts], pa.string())
        known = {
            "split": pc.if_else(pc.equal(images["is_val"], 1), "val", "train"),
            "treeoflife_id": images[IMAGE_ID],
            **{column.catalog: key for column, key in zip(self.source.columns, keys, strict=True)},
            **{label: labels[label] for label in labels.column_names},
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
    """Return a ledger row for each image without a taxon, with its file name from the listing."""
    members = members_at(listing, partition, images["position"].to_pylist())
    return [
        ledger_row(image, source, partition, member.name, State.NO_TAXON, NAMELESS)
        for image, member in zip(images[IMAGE_ID].to_pylist(), members, strict=True)
    ]

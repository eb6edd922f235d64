"""The predicted catalog: mapping, splits, names and exclusions, joined source by source in columns."""

from __future__ import annotations

import functools
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import peewee
import pyarrow as pa
import pyarrow.compute as pc

from tol_luigi.core.exclusions import KEPT, Verdict
from tol_luigi.core.ledger import State
from tol_luigi.core.source import IMAGE_ID, LABEL
from tol_luigi.core.taxon import RANK_LABELS, Taxon, common_or_name
from tol_luigi.store.catalogs import CLASS_INDEX, NAME_RULES, TOL_ID
from tol_luigi.store.databases import fetch, fetch_tables, opened
from tol_luigi.store.identities import image_schema
from tol_luigi.store.ledger import ledger_row
from tol_luigi.store.listings import members_at
from tol_luigi.store.models import Name, Partition, Place, ReferenceName, Split, image_model
from tol_luigi.store.spools import PART_ROWS, number_of_parts, spooled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from tol_luigi.core.exclusions import Exclusions
    from tol_luigi.core.source import Key, Source
    from tol_luigi.store.server import Server
    from tol_luigi.store.spools import Spool

    Numbers = NDArray[np.int64]

__all__ = ["NAMELESS", "ExclusionPolicy", "images_by_id", "predicted_tables"]

_NAMES = [Name.kingdom, Name.phylum, Name.cls, Name.order, Name.family, Name.genus, Name.species]
NAMELESS = "no rank is known"
"""The reason for the state ``NO_TAXON``."""


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
    unnamed: Callable[[list[dict[str, Any]]], None],
    output: Path,
    held: int = PART_ROWS,
) -> Iterator[pa.Table]:
    """Yield the tables of the predicted catalog. Memory is that of the different labels, and of ``held`` images or one partition.

    Args:
        mapping: The mapping with splits, or the server that has them.
        names: The name lookups.
        sources: The sources, in the order of the catalogs.
        schema: The columns of the predicted catalog.
        policy: The exclusion policy.
        listing: Returns the listing of a source and partition.
        unnamed: Called with the ledger rows of images without a taxon, partition by partition.
        output: The file to be written; more than ``held`` images of a source are in a scratch file in its folder.
        held: The most images in memory.

    Yields:
        The images of one partition, in the order of their ids; empty partitions are skipped.
    """
    for source in sources:
        with (
            opened(names, [Name, ReferenceName]) as database,
            spooled(output, _spool_schema(source), held) as spool,
        ):
            labels = _Labels(database, source, policy)
            for partition, mine in _by_partition(mapping, source, labels, spool, held):
                named = mine.filter(pc.is_valid(mine[_NAME]))
                yield _Joined(source, partition, named, labels, policy).table(schema)
                nameless = mine.filter(pc.is_null(mine[_NAME]))
                unnamed(_unnamed(source.name, partition, nameless, listing(source.name, partition)))


_NAME = "name"
"""The column of the number of an image's labels, null if it has no name."""

_FLAGS = ("is_val", "is_train_small")


def _placed_schema(source: Source) -> pa.Schema:
    flags = [(name, pa.int8()) for name in _FLAGS]
    return pa.schema(
        [*image_schema(source.columns), ("partition", pa.int32()), ("position", pa.int64()), *flags]
    )


def _spool_schema(source: Source) -> pa.Schema:
    return _placed_schema(source).append(pa.field(_NAME, pa.int32()))


def _by_partition(
    mapping: Path | Server, source: Source, labels: _Labels, spool: Spool, held: int
) -> Iterator[tuple[str, pa.Table]]:
    """Yield the images of a source that have a file, partition by partition, in the order of their ids.

    Args:
        mapping: The mapping with splits.
        source: The source.
        labels: Its labels.
        spool: A spool for the images.
        held: The number of images that are named at a time.
    """
    model = image_model(source.name, source.columns)
    image = model.evobio10m_id
    query = (
        model.select(model, Place.partition, Place.position, Split.is_val, Split.is_train_small)
        .join(Place, on=(Place.evobio10m_id == image))
        .join(Split, on=(Split.evobio10m_id == image))
        .order_by(image)
        .tuples()
    )
    with opened(mapping, [model, Place, Split, Partition]) as database:
        mine = Partition.select().where(Partition.source == source.name)
        partitions = {partition.number: partition.name for partition in list(mine)}
        numbers = sorted(partitions)
        parts = number_of_parts(model.select().count(), held)
        # each part contains consecutive partitions
        part_of = np.zeros(max(numbers, default=0) + 1, np.int64)
        part_of[numbers] = np.arange(len(numbers)) * parts // max(1, len(numbers))
        for images in fetch_tables(database, query, _placed_schema(source), held):
            named = images.append_column(_NAME, labels.numbers(images))
            spool.add(named, part_of[images["partition"].to_numpy()])
    for part in range(parts):
        images = spool.part(part).combine_chunks()  # one chunk makes random access fast
        found = images["partition"].to_numpy()
        order = np.argsort(found, kind="stable")
        wanted = [number for number in numbers if part_of[number] == part]
        # One search for all partitions, because each search copies the numbers of all images.
        starts, ends = (np.searchsorted(found, wanted, side, order) for side in ("left", "right"))
        for number, start, end in zip(wanted, starts, ends, strict=True):
            if start < end:
                yield partitions[number], images.take(pa.array(order[start:end]))


class _Labels:
    """The different labels of a source: rendered ranks, common name or its replacement, class index and rules.

    If a reference taxonomy names the images, its taxon is a label, too. Equal labels of images that are named one by one have one number.

    Args:
        database: The names.
        source: The source.
        policy: The exclusion policy.
    """

    def __init__(self, database: peewee.Database, source: Source, policy: ExclusionPolicy) -> None:
        self._database, self._source, self._policy = database, source, policy
        self._has_taxa = ReferenceName.table_exists()
        fields = [(name, pa.string()) for name in (*RANK_LABELS, "common", CLASS_INDEX, NAME_RULES)]
        self._schema = pa.schema([*fields, *([(TOL_ID, pa.int64())] if self._has_taxa else [])])
        self._pieces = [self._schema.empty_table()]
        self._known: dict[tuple[Any, ...], int] = {}
        self._verdicts: list[int] = []

    def numbers(self, images: pa.Table) -> pa.Array | pa.ChunkedArray:
        """Return the number of the labels of each image, null if it has no name.

        Args:
            images: The next images of the source, in the order of the ids.
        """
        column = self._source.key.name_column
        if column == IMAGE_ID:  # one by one: names and images are in the same order
            ids = images[IMAGE_ID]
            keys, numbers = self._read(Name.key.between(ids[0].as_py(), ids[-1].as_py()))
        else:
            keys, numbers = self._every
        wanted = self._keys(images) if column == LABEL else images[column].cast(pa.string())
        return numbers.take(pc.index_in(wanted, value_set=keys))

    @functools.cached_property
    def _keys(self) -> Callable[[pa.Table], pa.Array | pa.ChunkedArray]:
        return self._source.labeler.name_keys()

    @functools.cached_property
    def _every(self) -> tuple[pa.Array, pa.Array]:
        return self._read()

    def _read(self, *conditions: Any) -> tuple[pa.Array, pa.Array]:  # noqa: ANN401 (of peewee)
        """Return the name keys that have a rank, and the numbers of their labels; new labels are added."""
        query = Name.select(Name.key, *_NAMES, Name.common, Name.class_index, Name.rules)
        if self._has_taxa:
            is_same = (ReferenceName.source == Name.source) & (ReferenceName.key == Name.key)
            query = query.select_extend(ReferenceName.tol_id)
            query = query.join(ReferenceName, peewee.JOIN.LEFT_OUTER, on=is_same)
        query = query.where(Name.source == self._source.name, *conditions).order_by(Name.key)
        keys, numbers = [pa.array([], pa.string())], [pa.array([], pa.int32())]
        for rows in fetch(self._database, query.tuples()):
            named = [row for row in rows if any(row[1 : 1 + len(RANK_LABELS)])]
            keys.append(pa.array([row[0] for row in named], pa.string()))
            numbers.append(pa.array(self._numbered(named), pa.int32()))
        return pa.concat_arrays(keys), pa.concat_arrays(numbers)

    def _numbered(self, rows: list[tuple[Any, ...]]) -> list[int]:
        """Return the numbers of the labels in rows."""
        added, numbers = [], []
        for _, *labels in rows:
            ranks, further = labels[: len(RANK_LABELS)], tuple(labels[len(RANK_LABELS) :])
            number = self._known.get(further)  # the class index identifies the ranks
            if number is None:
                number = self._known[further] = len(self._known)
                taxon = Taxon.from_rendered(tuple(ranks))
                self._verdicts.append(self._policy.verdict_on_taxon(taxon))
                common, *others = further
                added.append((*ranks, common or common_or_name(taxon, ""), *others))
            numbers.append(number)
        if added:
            columns = [
                pa.array(column, field.type)
                for column, field in zip(zip(*added, strict=True), self._schema, strict=True)
            ]
            self._pieces.append(pa.table(columns, schema=self._schema))
        return numbers

    @functools.cached_property
    def table(self) -> pa.Table:
        """The labels by number; all images must be numbered before."""
        return pa.concat_tables(self._pieces).combine_chunks()

    @functools.cached_property
    def verdicts(self) -> Numbers:
        """The numbers of the verdicts on the taxa, by the number of their labels."""
        return np.array(self._verdicts, np.int64)


@dataclass(frozen=True)
class _Joined:
    """The named images of one partition, with everything that the predicted catalog needs."""

    source: Source
    partition: str
    images: pa.Table
    names: _Labels
    policy: ExclusionPolicy

    def table(self, schema: pa.Schema) -> pa.Table:
        """Return the rows of the predicted catalog; columns of other sources are null."""
        images, count = self.images, len(self.images)
        name = images[_NAME]
        labels = self.names.table.take(name)
        keys = [images[column.name] for column in self.source.columns]
        verdicts = self.policy.apply(
            self.source,
            list(zip(*(key.to_pylist() for key in keys), strict=True)) if self.policy.lists else [],
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

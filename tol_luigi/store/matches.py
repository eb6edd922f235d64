"""The outcome of the images of each source on the way to the predicted catalog, and their names."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from tol_luigi.core.ledger import State
from tol_luigi.core.source import IMAGE_ID
from tol_luigi.store.databases import opened
from tol_luigi.store.mapping import reading_published
from tol_luigi.store.models import image_model
from tol_luigi.store.predictions import images_by_id
from tol_luigi.store.reconciliation import count_states
from tol_luigi.store.row_groups import pieces

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from tol_luigi.core.source import Column, Key, Source
    from tol_luigi.store.server import Server

__all__ = [
    "OutcomeCounts",
    "count_outcomes",
    "known_images",
    "missing_names",
    "unlisted_names",
    "unnamed_keys",
]


@dataclass(frozen=True)
class OutcomeCounts:
    """Numbers of images of a source, by outcome.

    Attributes:
        unlisted: Files that are not in the mapping, or have no label.
        missing: Images in the mapping or the labels that have no file.
        unnamed: Images without any rank.
        named: Images in the predicted catalog.
        kept: Images in the predicted catalog that are not excluded.
    """

    unlisted: int
    missing: int
    unnamed: int
    named: int
    kept: int

    @property
    def placed(self) -> int:
        """Files that are images with an id."""
        return self.named + self.unnamed


def count_outcomes(
    predicted: Path, names_ledger: Path, mapping_ledger: Path, sources: Iterable[str]
) -> dict[str, OutcomeCounts]:
    """Count the images of each source by outcome."""
    states = count_states([mapping_ledger, names_ledger])
    named, kept = Counter[str](), Counter[str]()
    for rows in pieces(predicted, ["source", "excluded"]):
        for counter, chosen in ((named, rows), (kept, rows.filter(pc.equal(rows["excluded"], "")))):
            for found in pc.value_counts(chosen["source"].cast(pa.string())).to_pylist():
                counter[found["values"]] += found["counts"]
    return {
        source: OutcomeCounts(
            states[State.NOT_IN_MAPPING, source],
            states[State.MISSING, source],
            states[State.NO_TAXON, source],
            named[source],
            kept[source],
        )
        for source in sources
    }


def missing_names(mapping_ledger: Path, source: str) -> Iterator[str]:
    """Yield the names, in the mapping or the labels, of the images without a file."""
    return _names(mapping_ledger, source, State.MISSING)


def unlisted_names(mapping_ledger: Path, source: Source, listings: Iterable[Path]) -> Iterator[str]:
    """Yield the files outside the mapping or the labels: by natural key if they have one, else id or path."""
    members = pa.array(_names(mapping_ledger, source.name, State.NOT_IN_MAPPING), pa.string())
    keys = [column.name for column in source.columns]
    for listing in listings:
        for rows in pieces(listing, ["member", *keys, "id"]):
            for row in rows.filter(pc.is_in(rows["member"], value_set=members)).to_pylist():
                key = tuple(row[name] for name in keys)
                yield row["id"] or (row["member"] if key[0] is None else "/".join(map(str, key)))


def unnamed_keys(mapping: Path | Server, names_ledger: Path, source: Source) -> Iterator[Key]:
    """Yield the natural keys of the images without any rank."""
    unnamed = {
        image for rows in _rows(names_ledger, source.name, State.NO_TAXON) for image in rows["id"].to_pylist()
    }
    return (key for *key, image in images_by_id(mapping, source) if image in unnamed)  # type: ignore[misc]  # keys have no fixed length


def _names(ledger: Path, source: str, state: State) -> Iterator[str]:
    for rows in _rows(ledger, source, state):
        yield from rows["name"].to_pylist()


def _rows(ledger: Path, source: str, state: State) -> Iterator[pa.Table]:
    for rows in pieces(ledger, ["id", "source", "name", "state"]):
        yield rows.filter(pc.and_(pc.equal(rows["source"], source), pc.equal(rows["state"], state)))


def known_images(
    published: Path, source: str, columns: tuple[Column, ...], keys: Sequence[Key], ids: Sequence[str]
) -> list[Key]:
    """Return the natural keys of the given images, by key or id, that a published mapping contains.

    Raises:
        MappingError: The mapping cannot be read.
    """
    model: Any = image_model(source, columns)
    first, wanted = getattr(model, columns[0].name), set(keys)
    queries = [
        model.select().where(getattr(model, IMAGE_ID).in_(ids)),
        model.select().where(first.in_([key[0] for key in keys])),
    ]
    with reading_published(published, source), opened(published, [model]) as database:
        listed, similar = ([tuple(key) for *key, _ in database.execute(query.tuples())] for query in queries)
        return [*listed, *(key for key in similar if key in wanted)]

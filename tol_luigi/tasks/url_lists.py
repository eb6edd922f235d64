"""The stage that lists the URLs of a source, and assigns each to a partition."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tol_luigi.core.batches import batched
from tol_luigi.core.keys import image_ids
from tol_luigi.core.ledger import State
from tol_luigi.core.source_names import base_of
from tol_luigi.sources.stored_listing import (
    LABELS,
    STORED_SCHEMA,
    label_columns,
    label_of,
    name_key,
    stored_columns,
    stored_labels,
    stored_listing,
)
from tol_luigi.sources.url_rows import Box
from tol_luigi.store.catalogs import in_row_groups
from tol_luigi.store.row_groups import table_writer, write_partitions
from tol_luigi.store.runs import begins_run
from tol_luigi.store.spools import parts_of_ids, spooled
from tol_luigi.tasks.listed_elsewhere import ListedElsewhere, listed_before
from tol_luigi.tasks.partitions import SourceParameter
from tol_luigi.tasks.stage import StageTask
from tol_luigi.tasks.url_settings import url_reader

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tol_luigi.sources.url_rows import UrlRow
    from tol_luigi.store.spools import Spool
    from tol_luigi.tasks.base import DatasetTask

__all__ = ["ListUrls"]

_LISTED = pa.schema(
    [
        *((name, pa.string()) for name in ("partition", "key", "url", "state", "reason", "sha256", "md5")),
        *((name, pa.int32()) for name in Box._fields),
    ]
)
_NO_BOX = (None,) * len(Box._fields)
_HELD_ROWS = 200_000
"""The most rows in memory; they are then written to a scratch file."""

_PARTS = 256
"""Ranges of image ids, and the most groups of partitions, whose rows are sorted at a time."""


class ListUrls(StageTask):
    """List the URLs of a source that its settings select, and assign each to a partition by its server.

    An image that a preferred source lists, too, is not fetched again.
    """

    source: str = SourceParameter(description="the source's name")

    is_listed = False
    _digests: dict[str, str]

    def requires(self) -> list[DatasetTask]:
        """Require the stored settings, and the URLs of preferred sources that share images with this one."""
        from tol_luigi.tasks.scan import StoreSettings  # noqa: PLC0415 (which imports this module)

        preferred = listed_before(self.settings, self.source)
        return [self.clone(StoreSettings), *(self.clone(ListUrls, source=name) for name in preferred)]

    def reads(self) -> dict[str, Path]:
        """Return the files of the listing."""
        plugin = self.settings.plugins[self.source]
        keys = dict.fromkeys(["images", *plugin.name_tables])
        return self.settings.places(*((self.source, key) for key in keys))

    def files(self) -> list[Path]:
        """Return the table of URLs, that of all rows by image id, and that of their labels."""
        folder = self.layout.fetched(self.source)
        return [self.layout.urls(self.source), stored_listing(folder), stored_labels(folder)]

    def more(self) -> dict[str, Any]:
        """Return a digest of the rows of each partition."""
        return {"partitions": self._digests}

    def make(self) -> None:
        """Read the listing once; write the URLs partition by partition, and what names the images in the order of the ids."""
        reader = url_reader(self.settings, self.source)
        spell = self.settings.plugins[self.source].key.spell
        elsewhere = ListedElsewhere(self.settings, self.layout, self.source)
        urls, listing, labels = self.files()
        digests = {name: hashlib.sha256() for name in reader.partitions()}
        numbers = {name: number for number, name in enumerate(digests)}
        with (
            self.progress("URLs") as progress,
            spooled(urls, _LISTED, _HELD_ROWS) as by_partition,
            spooled(listing, STORED_SCHEMA, _HELD_ROWS) as by_id,
            spooled(labels, LABELS, _HELD_ROWS) as by_label,
        ):
            groups, done = min(_PARTS, len(digests)), 0
            for rows in batched(reader.listing(), _HELD_ROWS):
                keys = [row.key for row in rows]
                partitions = [reader.partitioning.partition_of(row.url) for row in rows]
                listed = list(map(_listed, partitions, rows, elsewhere.sources(keys)))
                held: dict[str, list[tuple[Any, ...]]] = {}
                for cells in listed:
                    held.setdefault(cells[0], []).append(cells)
                for partition, mine in held.items():
                    digests[partition].update(json.dumps(mine).encode())
                columns = [
                    pa.array(cells, field.type)
                    for cells, field in zip(zip(*listed, strict=True), _LISTED, strict=True)
                ]
                found = np.array([numbers[partition] for partition in partitions])
                by_partition.add(pa.table(columns, schema=_LISTED), found * groups // len(digests))
                ids = image_ids(base_of(self.source), (spell(reader.key_of(key)) for key in keys))
                labels_of_rows = list(map(label_of, rows))
                known = {label: name_key(label) for label in dict.fromkeys(labels_of_rows)}
                named = stored_columns(rows, ids, map(known.__getitem__, labels_of_rows))
                by_id.add(named, parts_of_ids(named["id"], _PARTS))
                said = label_columns(known)
                by_label.add(said, parts_of_ids(said["label"], _PARTS))
                done += len(rows)
                progress(done)
            with table_writer(urls, _LISTED) as writer:
                for table in map(by_partition.part, range(groups)):
                    write_partitions(writer, table)
            with table_writer(listing, STORED_SCHEMA) as writer:
                for table in in_row_groups(_sorted(by_id, "id")):
                    writer.write_table(table)
            with table_writer(labels, LABELS) as writer:
                for table in in_row_groups(_sorted(by_label, "label")):
                    writer.write_table(table)
        self._digests = {name: digest.hexdigest() for name, digest in digests.items()}


def _sorted(spool: Spool, column: str) -> Iterator[pa.Table]:
    """Yield the rows of a spool in the order of a column; of equal ones, the first that was added."""
    for part in map(spool.part, range(_PARTS)):
        rows = part.take(pc.sort_indices(part[column]))  # a stable order
        yield rows.filter(begins_run(rows[column]))


def _listed(partition: str, row: UrlRow, preferred: str) -> tuple[Any, ...]:
    """Return the cells of a row in the table of URLs."""
    state, reason = row.state, row.reason
    if preferred and state is None:
        state, reason = State.IN_OTHER_SOURCE, f"the same image as one of {preferred} ([dataset] prefer)"
    box = row.box or _NO_BOX
    return partition, row.key, row.url, str(state or ""), reason, row.sha256, row.md5, *box

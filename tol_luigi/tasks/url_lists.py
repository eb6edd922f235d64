"""The stage that lists the URLs of a source, and assigns each to a partition."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tol_luigi.core.keys import image_ids
from tol_luigi.core.source_names import base_of
from tol_luigi.sources.stored_listing import LABELS, STORED_SCHEMA, labelled, stored_labels, stored_listing
from tol_luigi.sources.url_rows import Box
from tol_luigi.store.catalogs import in_row_groups
from tol_luigi.store.row_groups import partitions_of, rows_digest, table_writer
from tol_luigi.store.runs import begins_run
from tol_luigi.store.spools import parts_of_ids, spooled
from tol_luigi.tasks.listed_elsewhere import ListedElsewhere, listed_before
from tol_luigi.tasks.partitions import SourceParameter
from tol_luigi.tasks.stage import StageTask
from tol_luigi.tasks.url_settings import url_reader

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tol_luigi.sources.url_reader import UrlReader
    from tol_luigi.store.spools import Spool
    from tol_luigi.tasks.base import DatasetTask

__all__ = ["ListUrls"]

_LISTED = pa.schema(
    [
        *((name, pa.string()) for name in ("partition", "key", "url", "state", "reason", "sha256", "md5")),
        *((name, pa.int32()) for name in Box._fields),
    ]
)
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
        elsewhere = ListedElsewhere(self.settings, self.layout, self.source)
        urls, listing, labels = self.files()
        names = np.array(reader.partitions())
        groups = min(_PARTS, len(names))
        self._digests = dict.fromkeys(names.tolist(), rows_digest(_LISTED.empty_table()))
        with (
            self.progress("URLs") as progress,
            spooled(urls, _LISTED, _HELD_ROWS) as by_partition,
            spooled(listing, STORED_SCHEMA, _HELD_ROWS) as by_id,
            spooled(labels, LABELS, _HELD_ROWS) as by_label,
        ):
            done = 0
            for rows in in_row_groups(reader.listing(), _HELD_ROWS):
                found = np.array(list(map(reader.partitioning.number_of, rows["url"].to_pylist())))
                listed = elsewhere.excluded(rows).add_column(0, "partition", pa.array(names[found]))
                by_partition.add(listed, found * groups // len(names))
                name_keys, known = labelled(rows)
                ids = pa.array(self._ids(reader, rows), pa.string())
                by_id.add(
                    rows.add_column(0, "id", ids).append_column("label", name_keys), parts_of_ids(ids, _PARTS)
                )
                by_label.add(known, parts_of_ids(known["label"], _PARTS))
                done += len(rows)
                progress(done)
            with table_writer(urls, _LISTED) as writer:
                for part in map(by_partition.part, range(groups)):
                    for partition, mine in partitions_of(part):
                        writer.write_table(mine)
                        self._digests[partition] = rows_digest(mine)
            with table_writer(listing, STORED_SCHEMA) as writer:
                for table in in_row_groups(_sorted(by_id, "id")):
                    writer.write_table(table)
            with table_writer(labels, LABELS) as writer:
                for table in in_row_groups(_sorted(by_label, "label")):
                    writer.write_table(table)

    def _ids(self, reader: UrlReader, rows: pa.Table) -> Iterator[str]:
        """Yield the image ids of rows of the listing."""
        spell = self.settings.plugins[self.source].key.spell
        return image_ids(base_of(self.source), (spell(reader.key_of(key)) for key in rows["key"].to_pylist()))


def _sorted(spool: Spool, column: str) -> Iterator[pa.Table]:
    """Yield the rows of a spool in the order of a column; of equal ones, the first that was added."""
    for part in map(spool.part, range(_PARTS)):
        rows = part.take(pc.sort_indices(part[column]))  # a stable order
        yield rows.filter(begins_run(rows[column]))

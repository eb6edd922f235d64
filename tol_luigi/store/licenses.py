"""``licenses.csv``: under which licence, and whose, each image is."""

from __future__ import annotations

import contextlib
import csv
import re
from typing import TYPE_CHECKING, Any

import peewee
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tol_luigi.core.files import committed, scratch_beside
from tol_luigi.store.databases import created, insert_rows, opened

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tol_luigi.core.source import Source

__all__ = ["license_link", "write_licenses"]

_COLUMNS = (
    "treeoflife_id",
    "eol_content_id",
    "eol_page_id",
    "md5",
    "medium_source_url",
    "eol_full_size_copy_url",
    "license_name",
    "copyright_owner",
    "license_link",
    "title",
)
_UNKNOWN = "not provided"
_CREATIVE_COMMONS = re.compile(r"cc-(by(?:-nc)?(?:-sa|-nd)?)-(\d\.\d)")
_PUBLIC_DOMAIN = {
    "cc-publicdomain": "https://creativecommons.org/publicdomain/mark/1.0/",
    "cc-0-1.0": "https://creativecommons.org/publicdomain/zero/1.0/",
}


class _License(peewee.Model):
    """What a source says of an image, by its natural key as one text; in a database of its own, for one join."""

    source = peewee.TextField()
    key = peewee.TextField()
    medium_url = peewee.TextField()
    full_size_url = peewee.TextField()
    name = peewee.TextField()
    owner = peewee.TextField()

    class Meta:
        primary_key = peewee.CompositeKey("source", "key")
        without_rowid = True


def license_link(name: str) -> str:
    """Give the address of a licence by EOL's name for it, "" where there is none."""
    if matched := _CREATIVE_COMMONS.fullmatch(name):
        return f"https://creativecommons.org/licenses/{matched[1]}/{matched[2]}/"
    return _PUBLIC_DOMAIN.get(name, "")


def write_licenses(path: Path, catalog: Path, sources: Mapping[str, Source]) -> None:
    """Write a line for every image of the sources that tell licences.

    Args:
        path: The CSV to write, whole or not at all, in the order of the catalog.
        catalog: The final catalog; its rows of train_small repeat others and are passed over.
        sources: The sources, by name.

    Source: the published ``licenses.csv``.
    """
    told = scratch_beside(path)  # on disk, since the real one has millions of rows
    try:
        telling = _collect(told, sources)
        with (
            opened(told, [_License]),
            committed(path) as scratch,
            scratch.open("w", encoding="utf-8", newline="") as text,
        ):
            writer = csv.writer(text, lineterminator="\n")
            writer.writerow(_COLUMNS)
            for image in _images(catalog, telling):
                writer.writerow(_row(image, sources[image["source"]]))
    finally:
        with contextlib.suppress(OSError):  # on a disk that nobody may write to; what was wrong has been told
            told.unlink()


def _collect(path: Path, sources: Mapping[str, Source]) -> list[str]:
    """Put what the sources tell into a database, and give the names of those that tell something."""
    with created(path, [_License]) as database:
        for name, source in sources.items():
            insert_rows(database, _License, ((name, *row) for row in source.licenses()), ignore=True)
        return [row.source for row in _License.select(_License.source).distinct()]


def _images(catalog: Path, sources: list[str]) -> Iterator[dict[str, Any]]:
    with pq.ParquetFile(catalog) as file:
        for batch in file.iter_batches():
            told = pc.is_in(batch["source"], value_set=pa.array(sources, pa.string()))
            yield from batch.filter(pc.and_(told, pc.not_equal(batch["split"], "train_small"))).to_pylist()


def _row(image: dict[str, Any], source: Source) -> tuple[Any, ...]:
    key = source.spell([image[column.catalog] for column in source.columns])
    found = _License.get_or_none(_License.source == source.name, _License.key == key)
    medium, full, name, owner = (
        (found.medium_url, found.full_size_url, found.name, found.owner) if found else ("",) * 4
    )
    ids = image["treeoflife_id"], image["eol_content_id"], image["eol_page_id"], image["md5"]
    return (*ids, medium, full, name, owner or _UNKNOWN, license_link(name), _UNKNOWN)

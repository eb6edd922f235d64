"""A plain reading of the published method, to hold the stages against.

One dictionary of the whole mapping, one INSERT a row, random ids, samples of sets of ids, the names of everything in one
dictionary, and tables written row by row. It is given what the stages are given, and leaves its files in a folder of its own.
"""

from __future__ import annotations

import csv
import json
import random
import sqlite3
import sys
import time
import uuid
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
from _stages import tell

from tol_luigi.bench.measure import processor_seconds
from tol_luigi.store.licenses import license_link
from tol_luigi.store.names import lookup_name
from tol_luigi.tasks.partitions import all_partitions
from tol_luigi.tasks.settings import settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tol_luigi.tasks.settings import Settings

FOLDER = "plain"
"""Where it leaves its files, beside the settings file."""

_COLUMNS = {
    "eol": ("content_id", "page_id"),
    "bioscan": ("part", "filename"),
    "inat21": ("filename", "cls_name", "cls_num"),
}
_HEAD = [
    "split", "treeoflife_id", "eol_content_id", "eol_page_id", "bioscan_part", "bioscan_filename", "inat21_filename",
    "inat21_cls_name", "inat21_cls_num", "kingdom", "phylum", "class", "order", "family", "genus", "species", "common",
]  # fmt: skip
_RIGHTS = [
    "treeoflife_id", "eol_content_id", "eol_page_id", "md5", "medium_source_url", "eol_full_size_copy_url",
    "license_name", "copyright_owner", "license_link", "title",
]  # fmt: skip


def _members(given: Settings, source: str) -> Iterator[str]:
    for name in given.listings(source):
        for row in pq.read_table(given.layout.listing(source, name), columns=["member"]).to_pylist():
            yield row["member"]


def _key(source: str, member: str) -> tuple[Any, ...]:
    """Read the natural key off a name; () where it tells none."""
    *_, folder, file = ["", *member.split("/")]
    if source == "eol":
        content, page, *_ = file.split("_")
        return (int(content), int(page)) if page.isdigit() else ()
    if source == "bioscan":
        return int(folder.removeprefix("part")), file
    number, _, name = folder.partition("_")
    return file, name, int(number)


def mapping(given: Settings, folder: Path) -> None:
    """Give every image an id, and keep all of them in mind."""
    known: dict[tuple[Any, ...], str] = {}
    database = sqlite3.connect(folder / "mapping.sqlite")
    cursor = database.cursor()
    for source in given.used:
        columns = ", ".join(_COLUMNS[source])
        cursor.execute(f"CREATE TABLE {source} ({columns}, evobio10m_id TEXT PRIMARY KEY)")
        places = ", ".join("?" for _ in (*_COLUMNS[source], "id"))
        for member in _members(given, source):
            key = _key(source, member)
            if not key or (source, *key) in known:
                continue
            known[source, *key] = image = str(uuid.uuid4())
            cursor.execute(f"INSERT INTO {source} VALUES ({places})", (*key, image))  # noqa: S608 (the names are our own)
    database.commit()
    database.close()


def splits(given: Settings, folder: Path) -> None:
    """Draw the images to be held out, and the small training set, out of sets of ids."""
    database = sqlite3.connect(folder / "mapping.sqlite")
    cursor = database.cursor()
    cursor.execute(
        "CREATE TABLE split (evobio10m_id TEXT PRIMARY KEY, is_val INTEGER, is_train_small INTEGER)"
    )
    draw = random.Random(given.dataset.seed)  # noqa: S311 (as the published process did)
    for source in given.used:
        ids = {row[0] for row in database.execute(f"SELECT evobio10m_id FROM {source}")}  # noqa: S608 (as above)
        val = set(draw.sample(list(ids), len(ids) * given.dataset.val_percent // 100))
        train = ids - val
        small = set(draw.sample(list(train), len(train) * given.dataset.train_small_percent // 100))
        for image in ids:
            cursor.execute(
                "INSERT INTO split VALUES (?, ?, ?)", (image, int(image in val), int(image in small))
            )
    database.commit()
    database.close()


def _all_images(given: Settings) -> dict[str, tuple[str, tuple[Any, ...]]]:
    """Read the source and the natural key of every image of the dataset."""
    database = sqlite3.connect(given.layout.mapping)
    images: dict[str, tuple[str, tuple[Any, ...]]] = {}
    for source in given.used:
        columns = ", ".join(_COLUMNS[source])
        for *key, image in database.execute(f"SELECT {columns}, evobio10m_id FROM {source}"):  # noqa: S608 (as above)
            images[image] = source, tuple(key)
    database.close()
    return images


def _all_names(given: Settings) -> dict[tuple[str, str], tuple[list[str], str]]:
    """Read the names of everything."""
    names = {}
    for source in given.used:
        lookup = json.loads((given.layout.metadata / lookup_name(source)).read_text(encoding="utf-8"))
        for key, (ranks, common, *_) in lookup.items():
            names[source, key] = ranks, common
    return names


def _row(split: str, image: str, source: str, key: tuple[Any, ...], name: tuple[list[str], str]) -> list[Any]:
    keys: dict[str, tuple[Any, ...]] = {other: ("",) * len(columns) for other, columns in _COLUMNS.items()}
    keys[source] = key
    ranks, common = name
    common = common or " ".join(ranks[-2:]).strip().capitalize() or " ".join(filter(None, ranks))
    return [split, image, *keys["eol"], *keys["bioscan"], *keys["inat21"], *ranks, common]


def _name_key(source: str, key: tuple[Any, ...], image: str) -> str:
    return image if source == "bioscan" else str(key[-1])


def predicted(given: Settings, folder: Path) -> None:
    """Look up the names of every image in mind, and write them down."""
    images, names = _all_images(given), _all_names(given)
    database = sqlite3.connect(given.layout.mapping)
    is_val = dict(database.execute("SELECT evobio10m_id, is_val FROM split"))
    database.close()
    with (folder / "predicted-catalog.csv").open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(_HEAD)
        for image, (source, key) in images.items():
            name = names.get((source, _name_key(source, key, image)))
            if name and any(name[0]):
                lines.writerow(_row("val" if is_val[image] else "train", image, source, key, name))


def catalog(given: Settings, folder: Path) -> None:
    """Look up every sample in the shards, and its licence; the ledgers tell which there are, since there are no shards."""
    images, names = _all_images(given), _all_names(given)
    digests = {}
    with (folder / "catalog.csv").open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(_HEAD)
        for share in all_partitions(given):
            ledger = pq.read_table(given.layout.ledger(**share), columns=["id", "state", "md5"])
            for row in ledger.to_pylist():
                image = row["id"]
                if row["state"] == "written":
                    source, key = images[image]
                    digests[image] = row["md5"]
                    name = names[source, _name_key(source, key, image)]
                    lines.writerow(_row(share["split"], image, source, key, name))
    _licenses(given, folder, digests)


def _licenses(given: Settings, folder: Path, digests: dict[str, str]) -> None:
    """Write the licences down, with all manifests in mind."""
    rights: dict[tuple[str, str], list[str]] = {}
    for path in sorted(given.source_sections["eol"].media_manifests.iterdir()):
        with path.open(encoding="utf-8", newline="") as file:
            for content, page, *others in csv.reader(file):
                rights.setdefault((content, page), others)
    with (
        (folder / "catalog.csv").open(encoding="utf-8", newline="") as file,
        (folder / "licenses.csv").open("w", encoding="utf-8", newline="") as written,
    ):
        lines = csv.writer(written)
        lines.writerow(_RIGHTS)
        for row in csv.DictReader(file):
            content, page = row["eol_content_id"], row["eol_page_id"]
            if content and row["split"] != "train_small":
                image = row["treeoflife_id"]
                medium, copy, name, owner = rights.get((content, page), [""] * 4)
                told = [medium, copy, name, owner or "not provided", license_link(name), "not provided"]
                lines.writerow([image, content, page, digests[image], *told])


STAGES = {"MakeMapping": mapping, "MakeSplits": splits, "PredictCatalog": predicted, "WriteCatalog": catalog}
"""What does the work of which stage."""


def main() -> None:
    """Do the work of one stage."""
    given = settings()
    folder = given.directory.parents[1] / FOLDER
    folder.mkdir(exist_ok=True)
    clock, processor = time.monotonic(), processor_seconds()
    STAGES[sys.argv[1]](given, folder)
    tell(clock, processor)


if __name__ == "__main__":
    main()

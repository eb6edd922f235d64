"""Images by URL, read from the archives that they were fetched to, and named by the rows of their listing."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import io
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from PIL import Image

from tol_luigi.core.errors import SourceError
from tol_luigi.core.ledger import State
from tol_luigi.core.plugin import SourcePlugin
from tol_luigi.core.reader import Found, Member, MemberError, Reader
from tol_luigi.core.sections import SourceSection
from tol_luigi.core.source import IMAGE_ID, LABEL, Entry, Labeler, License, NameRecord
from tol_luigi.core.taxon import Taxon
from tol_luigi.sources import archives
from tol_luigi.sources.stored_listing import (
    Label,
    NameKeys,
    StoredLabels,
    labels_of,
    labels_of_images,
    name_key,
    stored_cells,
    stored_listing,
)
from tol_luigi.sources.url_partitions import UrlPartitions
from tol_luigi.sources.url_rows import Box

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from tol_luigi.core.higher_ranks import HigherRankTable
    from tol_luigi.core.reader import FileContent
    from tol_luigi.core.source import Key, NaturalKey
    from tol_luigi.core.vernacular import CommonNames
    from tol_luigi.sources.url_rows import UrlListing

__all__ = [
    "CUT",
    "FETCHED",
    "FETCHED_SCHEMA",
    "OUTCOME_COLUMNS",
    "UrlLabeler",
    "UrlReader",
    "UrlSection",
    "box_of",
    "cut_box",
    "fetched_archive",
    "fetched_requests",
    "fetched_rows",
    "fetched_table",
    "stem_of",
    "url_plugin",
]


FETCHED = "fetched"
"""The state of a URL that gave an image."""

FETCHED_SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("key", "url", "server", "member", "excluded", "state", "reason")),
        ("code", pa.int32()),
        ("bytes", pa.int64()),
        *((name, pa.string()) for name in ("sha256", "md5", "type")),
        *((name, pa.int32()) for name in Box._fields),
        *((name, pa.string()) for name in ("stored", "stored_sha256")),
        *((name, pa.int32()) for name in ("image_width", "image_height")),
    ]
)
"""The table of a fetched partition: a row for each row of the listing, in their order.

``bytes``, ``sha256``, ``md5`` and the size of the image are those of what was received. ``stored`` is "" if this is what the
archive contains; else it contains a resized image, or the box cut out of it, with another SHA-256.
"""

OUTCOME_COLUMNS = ("reason", "code", "bytes", "sha256", "md5", "type")
"""Its columns that contain what became of the URL, besides the state."""

CUT = "box"
"""What ``stored`` is for an image of which only the box is stored."""

_LONGEST = 80
"""The longest name of an image in its archive, without an ending."""


def fetched_archive(folder: Path, partition: str) -> Path:
    """Return the path of the images of a partition."""
    return folder / f"{partition}.tar"


def fetched_table(folder: Path, partition: str) -> Path:
    """Return the path of the table of a partition."""
    return folder / f"{partition}.parquet"


def fetched_requests(folder: Path, partition: str) -> Path:
    """Return the path of the table of tries and times of a partition, which can differ each time."""
    return folder / f"{partition}-requests.parquet"


def fetched_rows(folder: Path, partition: str) -> list[dict[str, Any]]:
    """Return the rows of the table of a partition; none if it is missing, damaged, or has other columns."""
    try:
        table = pq.read_table(fetched_table(folder, partition), page_checksum_verification=True)
    except (OSError, ValueError):  # the errors of Arrow are among them
        return []
    return table.to_pylist() if table.schema.equals(FETCHED_SCHEMA) else []


def box_of(row: Mapping[str, Any]) -> Box | None:
    """Return the box of a row of a table; None if it has none."""
    return None if row["width"] is None else Box(*(row[name] for name in Box._fields))


def stem_of(key: str) -> str:
    """Return the name of an image in its archive, without an ending: its key, or the hash of a long one."""
    name = quote(key, safe=" ()+,=@").replace(".", "%2E")
    return name if len(name) <= _LONGEST else hashlib.blake2b(key.encode(), digest_size=20).hexdigest()


class UrlReader(Reader):
    """Reads the archives of a source of URLs.

    Args:
        images: The folder of the archives.
        listing: Yields the rows of the listing.
        partitions: The number of partitions.
        key_of: Returns the natural key for the key of a row.
        server: The server of all URLs, if there is only one.
    """

    def __init__(
        self,
        images: Path,
        listing: UrlListing,
        partitions: int,
        key_of: Callable[[str], Key],
        server: str = "",
    ) -> None:
        self.images, self.listing, self.key_of = images, listing, key_of
        self.partitioning = UrlPartitions(partitions, server)

    def partitions(self) -> tuple[str, ...]:
        """Return all partitions; some of them may be empty."""
        return self.partitioning.names()

    def place(self, listing: str) -> Path:
        """Return the archive of a partition."""
        return fetched_archive(self.images, listing)

    def expected_images(self) -> int:
        """Return the number of rows that are fetched."""
        return sum(pc.sum(pc.equal(rows["state"], "")).as_py() or 0 for rows in self.listing())

    def scan(self, listing: str) -> Iterator[Found]:
        """Yield the images of a partition, then the rows that have no image.

        Raises:
            SourceError: It has not been fetched.
        """
        rows = self._rows(listing)
        keys = {row["member"]: row["key"] for row in rows if row["member"]}
        for found in archives.scan(self.place(listing)):
            key = None if found.state else keys.get(found.member.name)
            yield dataclasses.replace(found, partition=listing, key=None if key is None else self.key_of(key))
        for row in rows:
            if not row["member"]:
                member, key = Member(row["key"], 0), self.key_of(row["key"])
                if row["excluded"]:
                    yield Found(member, listing, state=State(row["excluded"]), reason=row["reason"])
                else:
                    reason = ": ".join(filter(None, [row["state"], row["reason"]])) + f" ({row['url']})"
                    yield Found(member, listing, key, state=State.NOT_FETCHED, reason=reason)

    def unlisted(self) -> Iterator[Found]:
        """Yield nothing: every row of the listing has a partition."""
        return iter(())

    def read(self, partition: str, members: Sequence[Member]) -> Iterator[tuple[int, FileContent]]:
        """Read images of one partition; of an image with a box, only the box, without loss."""
        boxes = {
            row["member"]: box_of(row)
            for row in self._rows(partition)
            if row["member"] and row["stored"] != CUT
        }
        for position, content in archives.read(self.place(partition), members):
            box = boxes.get(members[position].name)
            yield position, cut_box(content, box) if box and isinstance(content, bytes) else content

    def _rows(self, partition: str) -> list[dict[str, Any]]:
        path = fetched_table(self.images, partition)
        try:
            rows: list[dict[str, Any]] = pq.read_table(path, page_checksum_verification=True).to_pylist()
        except OSError as error:
            raise SourceError(path, "cannot be read", "Run the same command again") from error
        return rows


def cut_box(content: bytes, box: Box) -> bytes | MemberError:
    """Return the part of an image in a box, as PNG; an error if it cannot be read or has no such part."""
    try:
        with Image.open(io.BytesIO(content)) as image:
            left, upper = max(0, box.x), max(0, box.y)
            right, lower = min(image.width, box.x + box.width), min(image.height, box.y + box.height)
            if left >= right or upper >= lower:
                return MemberError(
                    f"the box {tuple(box)} is outside the image of {image.width} x {image.height} pixels"
                )
            part, target = image.crop((left, upper, right, lower)), io.BytesIO()
            if part.mode not in {"L", "RGB", "RGBA", "P", "LA", "I;16"}:
                part = part.convert("RGB")
            part.save(target, "PNG", compress_level=1)
            return target.getvalue()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        return MemberError(f"cannot be decoded to cut out its box: {error}")


class UrlLabeler(Labeler):
    """Names images by the labels of their rows; the last part of their natural key is the key of the row.

    Args:
        listing: Yields the rows of the listing.
        folder: The folder of what is fetched, in which ``ListUrls`` stores rows and labels; the listing is read if they are missing.
    """

    def __init__(self, listing: UrlListing, folder: Path | None = None) -> None:
        self.listing, self.folder = listing, folder

    def entries(
        self, images: Iterable[tuple[int | str, ...]], lookup: HigherRankTable, common_names: CommonNames
    ) -> Iterator[Entry]:
        """Yield an entry for each label that names a rank; those of a scientific name alone are looked up."""
        for key, label in self._labels(images):
            taxon = Taxon.of(*label.ranks)
            if taxon.is_empty and label.name:
                taxon = lookup.fill(lookup.taxon_of(label.name, label.ranks))
            if taxon.is_empty:
                continue
            if label.common:
                yield Entry(key, taxon, label.common)
            else:
                yield Entry(key, taxon, common_names.of(taxon), common_names.rules(taxon))

    def records(self, images: Iterable[tuple[int | str, ...]]) -> Iterator[NameRecord]:
        """Yield a record for each label that has a name, with the names as written."""
        for key, label in self._labels(images):
            if any(label.ranks) or label.name or label.identifier:
                yield NameRecord(key, *label)

    def name_keys(self) -> Callable[[pa.Table], pa.Array | pa.ChunkedArray]:
        """Return a function that returns the name keys of images, those of their labels."""
        if self._stored:
            return NameKeys(self._stored).of
        labels = self._first_labels(None)
        name_keys = {label: name_key(label) for label in set(labels.values())}
        known = {key: name_keys[label] for key, label in labels.items()}

        def of(images: pa.Table) -> pa.Array:
            last = images.column_names.index(IMAGE_ID) - 1  # the last part of the natural key
            return pa.array([known.get(str(key)) for key in images[last].to_pylist()], pa.string())

        return of

    def label(self, key: Key) -> str:
        """Return the key of the row of an image."""
        return str(key[-1])

    @property
    def _stored(self) -> Path | None:
        """The stored rows, if there are any."""
        path = stored_listing(self.folder) if self.folder else None
        return path if path and path.exists() else None

    def _labels(self, images: Iterable[tuple[int | str, ...]]) -> Iterator[tuple[str, Label]]:
        """Yield the labels of images with their name keys, each once, in the order of the images."""
        if self.folder and self._stored:
            stored = StoredLabels(self.folder)
            keys = dict.fromkeys(labels_of_images(images, self._stored))
            yield from ((key, stored[key]) for key in keys)
            return
        wanted = [str(key) for *_, key, _ in images]
        known = self._first_labels(set(wanted))
        labels = dict.fromkeys(known[key] for key in wanted if key in known)
        yield from ((name_key(label), label) for label in labels)

    def _first_labels(self, keys: Container[str] | None) -> dict[str, Label]:
        """Return the label of the first row with each key, of some keys or of all."""
        known: dict[str, Label] = {}
        for rows in self.listing():
            for key, label in zip(rows["key"].to_pylist(), labels_of(rows), strict=True):
                if keys is None or key in keys:
                    known.setdefault(key, label)
        return known


_LICENSE_COLUMNS = ["key", "page", "url", "license", "owner"]


def _licenses(
    tables: Iterable[pa.Table | pa.RecordBatch], natural: NaturalKey, key_of: Callable[[str], Key]
) -> Iterator[pa.Table]:
    """Yield the licence, the owner, the page and the URL of each row of a listing, in tables."""
    for rows in tables:
        keys = pa.array([natural.spell(key_of(key)) for key in rows["key"].to_pylist()], pa.string())
        yield pa.table([keys, *(rows[name] for name in _LICENSE_COLUMNS[1:])], names=License._fields)


class UrlSection(SourceSection):
    """The section of a source of URLs, which has the number of partitions for its images."""

    partitions: int


S = TypeVar("S", bound=UrlSection)


def url_plugin(
    section: type[S],
    key: NaturalKey,
    listing: Callable[[S], UrlListing],
    key_of: Callable[[S, str], Key],
    labeler: Callable[[UrlListing, Path | None], UrlLabeler] = UrlLabeler,
    *,
    server: Callable[[S], str] = lambda _: "",
    name_tables: tuple[str, ...] = ("images",),
    **others: Any,  # noqa: ANN401 (the other attributes of a plugin)
) -> SourcePlugin[S]:
    """Return the plugin of a source of URLs, whose listing is ``images``.

    Args:
        section: Its section; the source has the same name.
        key: The natural key of its images.
        listing: Returns the rows of its listing, given its settings.
        key_of: Returns the natural key of an image, given the settings and the key of its row.
        labeler: Names its images by the rows of the listing.
        server: Returns the server of all its URLs, given its settings; "" if there are several.
        name_tables: The keys of the tables of the listing.
        others: Further attributes of the plugin.
    """

    def reader(given: S, images: Path, _index: Path | None) -> UrlReader:
        found = functools.partial(key_of, given)
        return UrlReader(images, listing(given), given.partitions, found, server(given))

    def licenses(given: S, folder: Path) -> Iterator[pa.Table]:
        stored = stored_listing(folder)
        tables = stored_cells(stored, _LICENSE_COLUMNS) if stored.exists() else listing(given)()
        return _licenses(tables, key, functools.partial(key_of, given))

    return SourcePlugin(
        name=section.section,
        section=section,
        key=dataclasses.replace(key, name_column=LABEL),
        reader=reader,
        labeler=lambda given: labeler(listing(given), None),
        fetched_labeler=lambda given, folder: labeler(listing(given), folder),
        fetched_licenses=licenses,
        name_tables=name_tables,
        license_tables=name_tables,
        is_fetched=True,
        **others,
    )

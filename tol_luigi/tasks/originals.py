"""Small copies of source files that are in no shard, for the report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tol_luigi.core.errors import TolError
from tol_luigi.core.images import BrokenImageError, preview
from tol_luigi.core.ledger import State
from tol_luigi.core.reader import MemberError
from tol_luigi.report.sprites import SIDE
from tol_luigi.sources import archives
from tol_luigi.store.listings import members_named
from tol_luigi.tasks.rights_settings import withholds

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tol_luigi.core.reader import FileContent, Member
    from tol_luigi.tasks.settings import Settings

__all__ = ["read_originals"]

_MOST_BYTES = 1 << 25
"""A larger file is not read for a thumbnail."""

_RIGHTS = "not shown, because rights exclude images"
_MISSING = "the file cannot be read now"
_STREAMED = "not shown, because its archive can only be read from the start"
_TOO_LARGE = "not shown, because the file is large"


def read_originals(settings: Settings, rows: Sequence[Mapping[str, str]]) -> list[bytes | str]:
    """Return a small JPEG of each of some rows of the ledgers, or why there is none.

    Nothing is shown if rights exclude images, since one of these may have been excluded for another reason first.

    Args:
        settings: The settings of the dataset.
        rows: The rows, of images that are in no shard.
    """
    if withholds(settings):
        return [_RIGHTS] * len(rows)
    found: list[bytes | str] = [_MISSING] * len(rows)
    for (source, partition), numbers in _by_partition(rows).items():
        if source in settings.reused or partition not in settings.partitions(source):
            continue
        try:
            for number, content in _partition_contents(settings, source, partition, rows, numbers):
                found[number] = content
        except (TolError, OSError):  # the source has changed, or cannot be read at the moment
            continue
    return found


def _by_partition(rows: Sequence[Mapping[str, str]]) -> dict[tuple[str, str], list[int]]:
    found: dict[tuple[str, str], list[int]] = {}
    for number, row in enumerate(rows):
        found.setdefault((row["source"], row["partition"]), []).append(number)
    return found


def _partition_contents(
    settings: Settings, source: str, partition: str, rows: Sequence[Mapping[str, str]], numbers: Sequence[int]
) -> Iterator[tuple[int, bytes | str]]:
    """Yield the numbers of rows of one partition, each with a small JPEG, or why there is none."""
    reader, listing = settings.sources[source].reader, settings.listing_of(source, partition)
    if not archives.is_quick(reader.place(listing), reader.index):
        yield from ((number, _STREAMED) for number in numbers)
        return
    names = {rows[number]["name"] for number in numbers}
    members = members_named(settings.layout.listing(source, listing), partition, names)
    places = {number: _place(members, rows[number]) for number in numbers}
    chosen = sorted((place, number) for number, place in places.items() if place is not None)
    small = [(members[place], number) for place, number in chosen if members[place].size <= _MOST_BYTES]
    yield from ((number, _TOO_LARGE) for place, number in chosen if members[place].size > _MOST_BYTES)
    for place, content in reader.read(partition, [member for member, _ in small]):
        yield small[place][1], _shown(content)


def _place(members: Sequence[Member], row: Mapping[str, str]) -> int | None:
    """Return which of the files a row is about: of several with one name, the last is the repeated one."""
    places = [place for place, member in enumerate(members) if member.name == row["name"]]
    return (places[-1] if row["state"] == State.DUPLICATE_NAME else places[0]) if places else None


def _shown(content: FileContent) -> bytes | str:
    if isinstance(content, OSError):
        return _MISSING
    if isinstance(content, MemberError):
        return "the file cannot be unpacked"
    try:
        return preview(content, SIDE)
    except BrokenImageError as error:
        return error.reason

"""The partitions of images by URL: dealt by server, so that all requests to a server come from one process at a time."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tol_luigi.core.keys import hashed_number

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["LANES", "MOST_PARTITIONS", "UrlPartitions", "partitions_together", "server_of"]

MOST_PARTITIONS = 20_000
"""The most partitions of a source."""

LANES = 16
"""A server belongs to one of this many lanes, the same for all sources. One partition of a lane is fetched at a time."""

_CACHED = 1 << 16
"""The number of servers in memory."""


def server_of(url: str) -> str:
    """Return the name of the server of a URL in lower case, "" if it has none."""
    return _server_of_origin(_origin(url))


def _origin(url: str) -> str:
    """Return the beginning of a URL that contains its server: millions of URLs have the same one."""
    end = url.find("/", url.find("://") + 3)
    return url if end < 0 else url[:end]


@functools.lru_cache(_CACHED)
def _server_of_origin(origin: str) -> str:
    try:
        return (urlsplit(origin).hostname or "").rstrip(".")
    except ValueError:
        return ""


@functools.lru_cache(_CACHED)
def _lane_of_origin(origin: str) -> int:
    return hashed_number(_server_of_origin(origin)) % LANES


class UrlPartitions:
    """The partitions of one source.

    Partition i contains URLs of servers whose lane is i modulo the largest power of two that is neither more than their
    number nor more than the number of lanes. The URLs of a server are distributed to all these partitions.

    Args:
        count: The number of partitions.
        server: The server of all URLs, if there is only one: then all partitions have URLs, in its lane.
    """

    def __init__(self, count: int, server: str = "") -> None:
        self.count, self.server = count, server
        most = 1 if server else LANES
        self.groups = min(most, 1 << (count.bit_length() - 1)) if count else 0
        self._members = [range(group, count, self.groups) for group in range(self.groups)]

    def divided(self, count: int) -> UrlPartitions:
        """Return the division of the same source into another number of partitions."""
        return UrlPartitions(count, self.server)

    def names(self) -> tuple[str, ...]:
        """Return the names of the partitions, in order."""
        return tuple(f"{number:05d}" for number in range(self.count))

    def partition_of(self, url: str) -> str:
        """Return the partition of a URL."""
        return f"{self.number_of(url):05d}"

    def number_of(self, url: str) -> int:
        """Return the number of the partition of a URL, from 0."""
        members = self._members[_lane_of_origin(_origin(url)) % self.groups]
        return members[hashed_number(url) % len(members)]

    def lanes(self, partition: str) -> Sequence[int]:
        """Return the lanes of the servers of a partition."""
        if self.server:
            return [hashed_number(self.server) % LANES]
        return range(int(partition) % self.groups, LANES, self.groups)


def partitions_together(first: UrlPartitions, second: UrlPartitions) -> Iterator[tuple[list[str], list[str]]]:
    """Yield partitions of two divisions of URLs, such that a URL is never in two pairs; the second can be empty."""
    if first.count == second.count:
        yield from (([name], [name]) for name in first.names())
        return
    groups = min(first.groups, second.groups) or 1
    for group in range(groups):
        yield list(first.names()[group::groups]), list(second.names()[group::groups])

"""The connections of luigid: bounded in number, time and memory, with room for the next one whoever holds the others."""

from __future__ import annotations

import asyncio
import errno
import logging
import resource
import time
from collections import Counter
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from tornado.iostream import IOStream

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence

__all__ = ["LARGEST_BODIES", "LARGEST_BODY", "LARGEST_HEADERS", "Connections", "Listener", "Stage"]

_LOG = logging.getLogger("luigi.scheduler")

LARGEST_HEADERS = 32 * 2**10
LARGEST_BODY = 16 * 2**20
"""In bytes. The largest request reports a task with all that it requires: some 100 bytes for each."""
LARGEST_BODIES = 128 * 2**20
"""In bytes, of all connections together."""
_SMALL_BODY = 64 * 2**10
"""In bytes. So much is there for each, whatever others have announced."""

_MOST = 256
_FEWEST = 8
_SPARE = 8
_BUFFER = 2**20
_PAUSE_SECONDS = 0.1
_NONE_LEFT = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


class Stage(Enum):
    """What a connection waits for, and for how many seconds it may."""

    HEADERS = 10.0
    BODY = 15.0
    ANSWER = 600.0  # a log is as long as it is, and a way through ssh slow
    REFUSED = 2.0


@dataclass
class _Connection:
    address: str
    stage: Stage
    since: float
    size: int = 0

    def is_overdue(self, now: float) -> bool:
        return now - self.since > self.stage.value


class Connections:
    """The connections that are open, and what each of them waits for.

    Args:
        most: How many there may be. Half of the descriptors that the process may have, if None: logs, pages and
            the state need some, too.
    """

    def __init__(self, most: int | None = None) -> None:
        self._most = most or _most_connections()
        self._open: dict[IOStream, _Connection] = {}

    def admit(self, stream: IOStream, address: str) -> None:
        """Take a new connection; if there are too many, the one that is most likely to be idle is closed for it."""
        self._forget_closed()
        while len(self._open) >= self._most:
            self._close_one()
        self._open[stream] = _Connection(address, Stage.HEADERS, time.monotonic())

    def enter(self, stream: IOStream, stage: Stage, size: int | None = None) -> None:
        """Note that a connection has come to a stage.

        Args:
            stream: The connection.
            stage: What it waits for now.
            size: How many bytes its request has announced; as before if None.
        """
        if connection := self._open.get(stream):
            connection.stage, connection.since = stage, time.monotonic()
            connection.size = connection.size if size is None else size

    def has_room_for(self, size: int) -> bool:
        """Return whether there is memory for a body of that many bytes, next to those of other connections."""
        self._forget_closed()
        return size <= _SMALL_BODY or sum(each.size for each in self._open.values()) + size <= LARGEST_BODIES

    def close_overdue(self) -> None:
        """Close the connections that have waited for too long."""
        now = time.monotonic()
        for stream, connection in list(self._open.items()):
            if connection.is_overdue(now):
                stream.close()
        self._forget_closed()

    def make_do_with_fewer(self) -> None:
        """Take fewer connections from now on, so that descriptors are left for files."""
        self._forget_closed()
        self._most = max(_FEWEST, len(self._open) - _SPARE)
        while len(self._open) > self._most:
            self._close_one()

    def _close_one(self) -> None:
        """Close the connection that can best be spared.

        First those whose requests are not complete; of these, one of the address with the most; of these, the oldest.
        So half-sent requests, however many, make room for a complete one.
        """
        incomplete = Counter(each.address for each in self._open.values() if each.stage is not Stage.ANSWER)

        def order(stream: IOStream) -> tuple[bool, int, float]:
            each = self._open[stream]
            return each.stage is Stage.ANSWER, -incomplete[each.address], each.since

        spared = min(self._open, key=order)
        spared.close()
        del self._open[spared]

    def _forget_closed(self) -> None:
        self._open = {stream: each for stream, each in self._open.items() if not stream.closed()}


def _most_connections() -> int:
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if descriptors == resource.RLIM_INFINITY:
        return _MOST
    return min(_MOST, max(_FEWEST, descriptors // 2))


class Listener:
    """Takes connections, one at a time, so that each is counted before the next one.

    Tornado's own way to take them raises at the limit of descriptors, again and again.

    Args:
        sockets: Where to listen.
        connections: Those that are open.
        serve: What to do with a connection, and the address that it comes from.
    """

    def __init__(
        self,
        sockets: Sequence[socket.socket],
        connections: Connections,
        serve: Callable[[IOStream, tuple[str, int]], object],
    ) -> None:
        self._sockets, self._connections, self._serve = sockets, connections, serve
        self._loop = asyncio.get_running_loop()

    def start(self) -> None:
        """Take connections from now on."""
        for listening in self._sockets:
            self._loop.add_reader(listening, self._accept, listening)

    def stop(self) -> None:
        """Take no more connections."""
        for listening in self._sockets:
            self._loop.remove_reader(listening)
            listening.close()

    def _accept(self, listening: socket.socket) -> None:
        try:
            taken, address = listening.accept()
        except (BlockingIOError, InterruptedError, ConnectionError):  # it has gone again
            return
        except OSError as error:
            if error.errno not in _NONE_LEFT:
                raise
            self._connections.make_do_with_fewer()
            _LOG.warning("No further connection can be taken (%s)", error.strerror)
            self._pause(listening)
            return
        stream = IOStream(taken, max_buffer_size=_BUFFER)
        self._connections.admit(stream, address[0])
        self._serve(stream, address)

    def _pause(self, listening: socket.socket) -> None:
        self._loop.remove_reader(listening)
        self._loop.call_later(_PAUSE_SECONDS, self._resume, listening)

    def _resume(self, listening: socket.socket) -> None:
        if listening.fileno() >= 0:
            self._loop.add_reader(listening, self._accept, listening)

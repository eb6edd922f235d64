"""The connections of luigid, limited in number, time and memory, so that no client can block the others."""

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

__all__ = ["MAX_BODIES_BYTES", "MAX_BODY_BYTES", "MAX_HEADER_BYTES", "Connections", "Listener", "Stage"]

_LOG = logging.getLogger("luigi.scheduler")

MAX_HEADER_BYTES = 32 * 2**10
MAX_BODY_BYTES = 16 * 2**20
"""The largest request reports a task and its requirements, at about 100 bytes per requirement."""
MAX_BODIES_BYTES = 128 * 2**20
"""For all connections together."""
_SMALL_BODY = 64 * 2**10
"""A body of up to this many bytes is always admitted, whatever other connections have announced."""

_MAX_CONNECTIONS = 256
_MIN_CONNECTIONS = 8
_SPARE_CONNECTIONS = 8
_MAX_BUFFER = 2**20
_PAUSE_SECONDS = 0.1
_OUT_OF_RESOURCES = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


class Stage(Enum):
    """What a connection waits for, with the time limit in seconds."""

    HEADERS = 10.0
    BODY = 15.0
    ANSWER = 600.0  # logs may be long, and ssh tunnels slow
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
    """The open connections, and what each of them waits for.

    Args:
        limit: The maximum number. If None, half of the file descriptors that the process may open: logs,
            pages and the state need some as well.
    """

    def __init__(self, limit: int | None = None) -> None:
        self._limit = limit or _default_limit()
        self._open: dict[IOStream, _Connection] = {}

    def admit(self, stream: IOStream, address: str) -> None:
        """Register a new connection; at the limit, close the connection that is most likely idle."""
        self._forget_closed()
        while len(self._open) >= self._limit:
            self._close_one()
        self._open[stream] = _Connection(address, Stage.HEADERS, time.monotonic())

    def enter(self, stream: IOStream, stage: Stage, size: int | None = None) -> None:
        """Record the stage of a connection.

        Args:
            stream: The connection.
            stage: What it waits for now.
            size: The size of the body in bytes, as announced by the request; unchanged if None.
        """
        if connection := self._open.get(stream):
            connection.stage, connection.since = stage, time.monotonic()
            connection.size = connection.size if size is None else size

    def has_room_for(self, size: int) -> bool:
        """Return whether a body of ``size`` bytes fits in memory, next to the bodies of other connections."""
        self._forget_closed()
        return (
            size <= _SMALL_BODY or sum(each.size for each in self._open.values()) + size <= MAX_BODIES_BYTES
        )

    def close_overdue(self) -> None:
        """Close the connections that are past their time limit."""
        now = time.monotonic()
        for stream, connection in list(self._open.items()):
            if connection.is_overdue(now):
                stream.close()
        self._forget_closed()

    def reduce_limit(self) -> None:
        """Accept fewer connections from now on, to keep file descriptors for files."""
        self._forget_closed()
        self._limit = max(_MIN_CONNECTIONS, len(self._open) - _SPARE_CONNECTIONS)
        while len(self._open) > self._limit:
            self._close_one()

    def _close_one(self) -> None:
        """Close the least important connection.

        Connections with incomplete requests come first. Among them, the address with the most incomplete
        requests comes first, then the oldest connection. So half-sent requests cannot block a complete one.
        """
        incomplete = Counter(each.address for each in self._open.values() if each.stage is not Stage.ANSWER)

        def order(stream: IOStream) -> tuple[bool, int, float]:
            each = self._open[stream]
            return each.stage is Stage.ANSWER, -incomplete[each.address], each.since

        stream = min(self._open, key=order)
        stream.close()
        del self._open[stream]

    def _forget_closed(self) -> None:
        self._open = {stream: each for stream, each in self._open.items() if not stream.closed()}


def _default_limit() -> int:
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if descriptors == resource.RLIM_INFINITY:
        return _MAX_CONNECTIONS
    return min(_MAX_CONNECTIONS, max(_MIN_CONNECTIONS, descriptors // 2))


class Listener:
    """Accepts connections one at a time, so that each is counted before the next one.

    Tornado's own loop raises repeatedly at the limit of file descriptors.

    Args:
        sockets: The listening sockets.
        connections: The open connections.
        serve: Called with each new connection and its remote address.
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
        """Start accepting connections."""
        for listening in self._sockets:
            self._loop.add_reader(listening, self._accept, listening)

    def stop(self) -> None:
        """Stop accepting connections."""
        for listening in self._sockets:
            self._loop.remove_reader(listening)
            listening.close()

    def _accept(self, listening: socket.socket) -> None:
        try:
            accepted, address = listening.accept()
        except (BlockingIOError, InterruptedError, ConnectionError):  # the client has disconnected
            return
        except OSError as error:
            if error.errno not in _OUT_OF_RESOURCES:
                raise
            self._connections.reduce_limit()
            _LOG.warning("Cannot accept another connection (%s)", error.strerror)
            self._pause(listening)
            return
        stream = IOStream(accepted, max_buffer_size=_MAX_BUFFER)
        self._connections.admit(stream, address[0])
        self._serve(stream, address)

    def _pause(self, listening: socket.socket) -> None:
        self._loop.remove_reader(listening)
        self._loop.call_later(_PAUSE_SECONDS, self._resume, listening)

    def _resume(self, listening: socket.socket) -> None:
        if listening.fileno() >= 0:
            self._loop.add_reader(listening, self._accept, listening)

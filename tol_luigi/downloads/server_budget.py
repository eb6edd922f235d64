"""The budget of a server: how many requests it gets at once and a second, and when it is left alone."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from tol_luigi.downloads.addresses import Network

__all__ = ["FetchPolicy", "ServerBudget"]

_SLOWEST = 1 / 64
"""The lowest rate of a server that refuses requests, as a share of the highest."""

_FASTER = 1 / 50
"""By how much an answer raises the rate, as a share of the highest."""

_DOWN_AFTER = 5
"""A server is down after this many requests in a row without an answer."""

_LONGEST_PAUSE = 3600.0
"""The longest time that a server is left alone, also if it asks for more."""


@dataclass(frozen=True)
class FetchPolicy:
    """How images are fetched.

    Attributes:
        agent: The User-Agent of requests.
        connections: The largest number of requests at once per server.
        rate: The largest number of requests a second per server.
        servers: Both numbers, for servers with others, by the host.
        tries: The number of requests for a URL before it is given up.
        pause: The seconds before the second request; doubled before each further one.
        timeout: The largest number of seconds for a request.
        most_bytes: The size of the largest image.
        redirects: The largest number of redirects in a row.
        obeys_opt_out: Whether ``X-Robots-Tag: noai`` and ``noimageai`` are obeyed.
        networks: Networks that are allowed although they are not public.
        together: The largest number of requests at once to all servers; also of images in memory.
    """

    agent: str
    connections: int = 4
    rate: float = 10.0
    tries: int = 4
    pause: float = 1.0
    timeout: float = 60.0
    most_bytes: int = 64 << 20
    redirects: int = 5
    obeys_opt_out: bool = True
    networks: tuple[Network, ...] = ()
    together: int = 256
    servers: Mapping[str, tuple[int, float]] = field(default_factory=dict)

    def of(self, host: str | None) -> FetchPolicy:
        """Return the policy for a server, with its own numbers, if it has any."""
        connections, rate = self.servers.get(host or "", (self.connections, self.rate))
        return replace(self, connections=connections, rate=rate)


@dataclass
class ServerBudget:
    """The budget of one server in this process, and what its answers have shown.

    Attributes:
        policy: How images are fetched.
        rate: The present number of requests a second.
        failures: The number of requests in a row without an answer.
        down: How often in a row the server was down.
        reason: Why it was down.
    """

    policy: FetchPolicy
    rate: float = field(init=False)
    failures: int = 0
    down: int = 0
    reason: str = ""
    _next: float = 0.0

    def __post_init__(self) -> None:
        self.rate = self.policy.rate
        self._slots = asyncio.Semaphore(self.policy.connections)

    @property
    def is_hopeless(self) -> bool:
        """Whether the server was down as often as a URL is tried."""
        return self.down >= self.policy.tries

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait until a request may be sent; the request belongs into the block."""
        async with self._slots:
            while (wait := self._next - time.monotonic()) > 0:  # noqa: ASYNC110 (it is later at times, and nothing tells)
                await asyncio.sleep(wait)
            self._next = time.monotonic() + 1 / self.rate
            yield

    def answered(self) -> None:
        """Record an answer, whatever it is: the server is not down, and may be asked faster."""
        self.failures = self.down = 0
        self.rate = min(self.policy.rate, self.rate + self.policy.rate * _FASTER)

    def refused(self, pause: float) -> None:
        """Record that the server has too many requests: ask half as often, and not before the pause that it asks for."""
        self.failures = self.down = 0
        self._slow_down(pause)

    def failed(self, reason: str) -> None:
        """Record that the server has not answered; after several times in a row, leave it alone for a while."""
        self.failures += 1
        self._slow_down(0)
        if self.failures >= _DOWN_AFTER:
            self.failures, self.reason = 0, reason
            self._slow_down(10 * self.policy.pause * 2**self.down)
            self.down += 1

    def _slow_down(self, pause: float) -> None:
        self.rate = max(self.rate / 2, self.policy.rate * _SLOWEST)
        self._next = max(self._next, time.monotonic() + min(pause, _LONGEST_PAUSE))

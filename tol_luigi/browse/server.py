"""Serve the web application until it is interrupted."""

from __future__ import annotations

import asyncio
import logging
import re
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from typing import TYPE_CHECKING

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets

from tol_luigi.browse.application import application
from tol_luigi.core.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tol_luigi.browse.opened import BrowsedDataset

__all__ = ["LOOPBACK", "serve"]

LOOPBACK = "127.0.0.1"

_THREADS = 8
_MAX_HEADER_BYTES = 32 * 2**10
_MAX_BODY_BYTES = 1024
"""Requests have no bodies."""

_IDLE_SECONDS = 600

_IP_ADDRESS = r"[0-9.]+|\[[0-9a-f:.]+\]"


def serve(datasets: Sequence[BrowsedDataset], host: str, port: int, ready: Callable[[str], None]) -> None:
    """Serve datasets until SIGINT or SIGTERM.

    Args:
        datasets: The datasets.
        host: The address to listen on.
        port: The port, 0 for any.
        ready: Called with the address of the page once requests are answered.

    Raises:
        SettingsError: The address or the port cannot be used.
    """
    logging.getLogger("tornado.access").setLevel(logging.CRITICAL)
    logging.getLogger("tornado.general").setLevel(logging.ERROR)
    asyncio.run(_serve(datasets, host, port, ready))


async def _serve(
    datasets: Sequence[BrowsedDataset], host: str, port: int, ready: Callable[[str], None]
) -> None:
    sockets = _listen(host, port)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    with ThreadPoolExecutor(_THREADS, "browse") as executor:
        server = HTTPServer(
            application(datasets, _host_pattern(sockets), executor),
            max_header_size=_MAX_HEADER_BYTES,
            max_body_size=_MAX_BODY_BYTES,
            idle_connection_timeout=_IDLE_SECONDS,
        )
        server.add_sockets(sockets)
        ready(_url(sockets[0], host))
        await stop.wait()
        server.stop()
        await server.close_all_connections()
        executor.shutdown(wait=False, cancel_futures=True)


def _listen(host: str, port: int) -> list[socket.socket]:
    try:
        return bind_sockets(port, host, reuse_port=False)
    except OSError as error:
        remedy = "Use an address of this machine, and a free port (0 for any)"
        what = f"cannot listen there ({error.strerror})"
        raise SettingsError(f"--host {host} --port {port}", what, remedy) from error


def _host_pattern(sockets: Sequence[socket.socket]) -> str:
    """Return a pattern of the names by which requests may call this machine."""
    addresses = [each.getsockname()[0] for each in sockets]
    names = {"localhost", *addresses}
    if not all(ip_address(address).is_loopback for address in addresses):
        names |= {socket.gethostname(), socket.getfqdn()}
    patterns = [rf"\[?{re.escape(name.lower())}\]?" for name in sorted(names)]
    if any(ip_address(address).is_unspecified for address in addresses):
        patterns.append(_IP_ADDRESS)  # all addresses of this machine; other sites have names
    return "|".join(patterns)


def _url(bound: socket.socket, host: str) -> str:
    address, port = bound.getsockname()[:2]
    name = socket.gethostname() if ip_address(address).is_unspecified else host
    return f"http://{f'[{name}]' if ':' in name else name}:{port}/"

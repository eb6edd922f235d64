"""Servers of images on addresses of loopback, which misbehave as the path of a URL says, and log what they are asked."""

from __future__ import annotations

import contextlib
import gzip
import http.server
import io
import socket
import threading
import time
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, NamedTuple

from PIL import Image

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

__all__ = ["ImageServers", "drawn", "image_servers"]


class Asked(NamedTuple):
    """A request: the server's address, the path, and when it began and ended."""

    server: str
    path: str
    began: float
    ended: float


def drawn(number: int, scale: int = 1) -> bytes:
    """Return an image that no other number has; 16 x 12 pixels, or a multiple."""
    target = io.BytesIO()
    image = Image.new("RGB", (16, 12), (number * 7 % 256, number // 36, number * 29 % 256))
    image.putpixel((number % 16, 3), (255, 255, 255))
    image.resize((16 * scale, 12 * scale), Image.Resampling.NEAREST).save(target, "PNG")
    return target.getvalue()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server
    timeout = 20

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Print nothing."""

    def do_GET(self) -> None:
        """Answer as the path says."""
        began = time.monotonic()
        address = str(self.server.server_address[0])
        with self.server.all.lock:
            self.server.all.times[address, self.path] += 1
            self.server.all.agents.add(self.headers["User-Agent"])
            times = self.server.all.times[address, self.path]
        try:
            with contextlib.suppress(ConnectionError):
                path = self.server.all.instead.get(self.path, self.path)
                self._answer(path.split("/"), times)
        finally:
            with self.server.all.lock:
                self.server.all.log.append(Asked(address, self.path, began, time.monotonic()))

    def _answer(self, parts: list[str], times: int) -> None:  # noqa: C901, PLR0912, PLR0915 (a case per kind)
        _, kind, number, *_ = (*parts, "0")
        content = drawn(int(number))
        match kind:
            case "image":
                self._send(content)
            case "large":
                self._send(drawn(int(number), 10))
            case "status":
                self._send(b"", int(number))
            case "once":  # an error at first
                self._send(content) if times > 1 else self._send(b"", int(number), {"Retry-After": "0"})
            case "busy":  # asks for a pause at first
                self._send(content) if times > 1 else self._send(b"", 429, {"Retry-After": "1"})
            case "cut":
                self._send(content[:50], length=len(content))
                self.close_connection = True
            case "cutonce" if times == 1:
                self._send(content[:50], length=len(content))
                self.close_connection = True
            case "cutonce":
                self._send(content)
            case "reset":
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                self.close_connection = True
            case "stall":
                self._send(content[:50], length=len(content))
                self.connection.settimeout(5)
                with contextlib.suppress(TimeoutError):
                    self.connection.recv(1)  # until the client gives up
                self.close_connection = True
            case "drip":
                self._send(b"", length=len(content))
                for byte in content:
                    self.wfile.write(bytes([byte]))
                    if self.server.all.stopped.wait(0.05):
                        break
                self.close_connection = True
            case "html":
                self._send(b"\n<!DOCTYPE html><p>Please log in", kind="image/jpeg")
            case "text":
                self._send(b"hello", kind="text/plain")
            case "empty":
                self._send(b"")
            case "circle":
                self._send(b"", 302, {"Location": f"/round/{number}"})
            case "round":
                self._send(b"", 301, {"Location": f"/circle/{number}"})
            case "far":
                self._send(b"", 307, {"Location": f"/far/{int(number) + 1}"})
            case "moved":
                self._send(b"", 308, {"Location": f"../image/{number}"})
            case "inward":
                self._send(b"", 302, {"Location": "http://10.0.0.1/latest/meta-data"})
            case "file":
                self._send(b"", 302, {"Location": "file:///etc/hostname"})
            case "packed":
                self._send(gzip.compress(content), headers={"Content-Encoding": "gzip"})
            case "gzip":
                self._send(gzip.compress(content), kind="application/gzip")
            case "bomb":
                self._send(gzip.compress(bytes(1 << 22)), kind="application/gzip")
            case "huge":
                self._send(content, length=1 << 40)
                self.close_connection = True
            case "endless":
                self._send(b"", headers={"Transfer-Encoding": "chunked"}, length=-1)
                for _ in range(1 << 10):
                    self.wfile.write(b"10000\r\n" + bytes(1 << 16) + b"\r\n")
                self.close_connection = True
            case "noai":
                self._send(content, headers={"X-Robots-Tag": "otherbot: noindex, noai"})
            case _:
                self._send(b"", 404)

    def _send(
        self,
        content: bytes,
        code: int = 200,
        headers: dict[str, str] | None = None,
        kind: str = "image/png",
        length: int | None = None,
    ) -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        if length != -1:
            self.send_header("Content-Length", str(len(content) if length is None else length))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    all: ImageServers

    def handle_error(self, request: object, client_address: object) -> None:
        """Print nothing: clients close connections."""


class ImageServers:
    """The running servers.

    Attributes:
        log: The requests that have ended.
        times: How often each path of each server was asked.
        agents: The User-Agents seen.
        instead: Paths that are answered as other paths, such as those of images that are gone since.
    """

    def __init__(self) -> None:
        self.lock, self.stopped = threading.Lock(), threading.Event()
        self.log: list[Asked] = []
        self.times = Counter[tuple[str, str]]()
        self.agents = set[str]()
        self.ports: dict[str, int] = {}
        self.instead: dict[str, str] = {}

    def url(self, path: str, server: str = "127.0.0.1") -> str:
        """Return the URL of a path."""
        scheme = "https" if server == "secure" else "http"
        host = "127.0.0.1" if server == "secure" else server
        return f"{scheme}://{host}:{self.ports[server]}{path}"

    def asked(self, path: str) -> int:
        """Return how often a path was asked."""
        return sum(count for (_, found), count in self.times.items() if found == path)

    def most_at_once(self) -> dict[str, int]:
        """Return the largest number of requests at the same time, by server."""
        events = defaultdict(list)
        for one in self.log:
            events[one.server] += [(one.began, 1), (one.ended, -1)]
        found = {}
        for server, marks in events.items():
            now = most = 0
            for _, change in sorted(marks):
                now += change
                most = max(most, now)
            found[server] = most
        return found


@contextlib.contextmanager
def image_servers(*addresses: str, secure: ssl.SSLContext | None = None) -> Iterator[ImageServers]:
    """Run a server on each address, and one with TLS if there is a context for it."""
    servers = ImageServers()
    running = []
    for address in (*addresses, *(["secure"] if secure else [])):
        server = _Server(("127.0.0.1" if address == "secure" else address, 0), _Handler)
        server.all = servers
        if address == "secure" and secure:
            server.socket = secure.wrap_socket(server.socket, server_side=True)
        servers.ports[address] = server.server_port
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        running.append(server)
    try:
        yield servers
    finally:
        servers.stopped.set()
        for server in running:
            server.shutdown()
            server.server_close()

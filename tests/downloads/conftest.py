"""A web server that misbehaves as it is told, and counts what it has served."""

from __future__ import annotations

import contextlib
import email.utils
import gzip
import hashlib
import http.server
import random
import re
import ssl
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from tol_luigi.downloads.catalogue import Remote
from tol_luigi.downloads.origins import HttpConfig
from tol_luigi.downloads.transfer import FetchConfig

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


def packed(content: bytes) -> bytes:
    """Pack as gzip, quickly: impatient clients wait for it."""
    return gzip.compress(content, compresslevel=0, mtime=0)


@dataclass
class Faults:
    """What the server does wrong."""

    cut_after: list[int] = field(default_factory=list)
    """Of the next bodies, longer than a byte, only so many bytes are sent."""
    cut_always: int | None = None
    """Of every body."""
    stall_after: list[int] = field(default_factory=list)
    """The same, but the connection is kept open."""
    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    """Answers to the next requests, instead of what they ask for."""
    ranges: bool = True
    validator: str | None = "etag"
    headers: dict[str, str] = field(default_factory=dict)
    length_lie: int = 0
    """Added to the length of every whole body that is told of."""
    total_lie: int = 0
    """Added to the total that an answer with a range tells of."""
    redirects: dict[str, str] = field(default_factory=dict)
    after: tuple[int, Callable[[], None]] | None = None
    """Done once, when so many bytes have been served."""
    bytes_a_second: int | None = None
    chunked: bool = False
    encoding: str = ""
    """The content coding of every answer but those of a single byte, whatever the request accepts."""
    encode: Callable[[bytes], bytes] = packed
    """Makes the bytes that are sent then."""


class Server:
    """A server on loopback.

    Args:
        tls: How it speaks HTTPS, if it does.

    Attributes:
        files: Content by path.
        served: Bytes of content by path.
        requests: Method, path and headers of every request.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.files: dict[str, bytes] = {}
        self.served: Counter[str] = Counter()
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.faults = Faults()
        self.lock = threading.Lock()
        self.ended = threading.Event()
        outer = self

        class Handler(_Handler):
            server_ = outer

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.http.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients that go are no news here
        if tls:
            self.http.socket = tls.wrap_socket(self.http.socket, server_side=True)
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.http.server_port}"
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.05})
        self.thread.start()

    def add(self, path: str, size: int, seed: int = 0) -> bytes:
        content = random.Random(f"{path}{seed}").randbytes(size)  # noqa: S311 (not for secrecy)
        self.files[path] = content
        return content

    def close(self) -> None:
        self.ended.set()
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_: Server

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        with contextlib.suppress(OSError):
            self._answer()

    def _answer(self) -> None:
        server, faults, path = self.server_, self.server_.faults, self.path.partition("?")[0]
        with server.lock:
            server.requests.append((path, dict(self.headers)))
            answer = faults.answers.pop(0) if faults.answers else None
        if answer:
            self._head(answer[0], {**answer[1], "Content-Length": "0"})
            return
        if path in faults.redirects:
            self._head(302, {"Location": faults.redirects[path], "Content-Length": "0", **faults.headers})
            return
        content = server.files.get(path)
        if content is None:
            self._head(404, {"Content-Length": "0"})
            return
        headers, content = self._encoded(dict(faults.headers), content)
        if faults.validator == "etag":
            headers["ETag"] = f'"{hashlib.md5(content).hexdigest()}"'  # noqa: S324 (a name, no secret)
        elif faults.validator == "modified":
            headers["Last-Modified"] = email.utils.formatdate(zinc(content), usegmt=True)
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", "")) if faults.ranges else None
        if wanted:
            start, stop = int(wanted[1]), min(int(wanted[2]) + 1, len(content))
            if start >= len(content):
                self._head(416, {"Content-Range": f"bytes */{len(content)}", "Content-Length": "0"})
                return
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(content) + faults.total_lie}"
            headers["Content-Length"] = str(stop - start)
            self._head(206, headers)
            self._body(path, content[start:stop])
        else:
            if faults.chunked:
                self._head(200, {**headers, "Connection": "close"})
                self.close_connection = True
            else:
                self._head(200, {**headers, "Content-Length": str(len(content) + faults.length_lie)})
            self._body(path, content)
            if faults.length_lie > 0:
                self._cut()

    def _encoded(self, headers: dict[str, str], content: bytes) -> tuple[dict[str, str], bytes]:
        faults = self.server_.faults
        if not faults.encoding or (faults.ranges and self.headers.get("Range") == "bytes=0-0"):
            return headers, content
        return {**headers, "Content-Encoding": faults.encoding}, faults.encode(content)

    def _head(self, code: int, headers: dict[str, str]) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _body(self, path: str, content: bytes) -> None:
        server, faults = self.server_, self.server_.faults
        cut = stall = None
        if len(content) > 1:
            with server.lock:
                cut = faults.cut_after.pop(0) if faults.cut_after else faults.cut_always
                stall = faults.stall_after.pop(0) if faults.stall_after and cut is None else None
        for at in range(0, len(content), 1 << 14):
            piece = content[at : at + (1 << 14)]
            limit = next((limit for limit in (cut, stall) if limit is not None), None)
            if limit is not None:
                piece = piece[: max(0, limit - at)]
            self.wfile.write(piece)
            with server.lock:
                server.served[path] += len(piece)
                due = (
                    faults.after if faults.after and sum(server.served.values()) >= faults.after[0] else None
                )
                if due:
                    faults.after = None
            if due:
                due[1]()
            if limit is not None and at + len(piece) >= limit:
                if stall is not None:
                    server.ended.wait(30)
                self._cut()
                return
            if faults.bytes_a_second:
                time.sleep(len(piece) / faults.bytes_a_second)

    def _cut(self) -> None:
        self.close_connection = True
        self.wfile.flush()
        self.connection.close()


def zinc(content: bytes) -> int:
    """Give a time that changes with the content."""
    return 1_000_000_000 + int.from_bytes(hashlib.sha256(content).digest()[:3], "big")


@pytest.fixture
def server() -> Iterator[Server]:
    """A server that behaves until it is told otherwise."""
    made = Server()
    yield made
    made.close()


@pytest.fixture
def other_server() -> Iterator[Server]:
    """Another one."""
    made = Server()
    yield made
    made.close()


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    """The certificate of whoever vouches for :func:`secure_server`."""
    return tmp_path / "authority.pem"


@pytest.fixture
def secure_server(authority: Path) -> Iterator[Server]:
    """One that speaks HTTPS."""
    made, tls = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.cert_pem.write_to_path(str(authority))
    made.issue_cert("127.0.0.1").configure_cert(tls)
    server = Server(tls)
    yield server
    server.close()


@pytest.fixture
def config() -> FetchConfig:
    """Impatient means, for tests."""
    return FetchConfig(http=HttpConfig(stall_seconds=1), retries=3, pause=0)


@pytest.fixture
def remote(tmp_path: Path, server: Server) -> Callable[..., Remote]:
    """Name a file of the server, which goes to the test's folder."""

    def named(at: str = "/a/file.bin", **values: Any) -> Remote:
        name = at.rpartition("/")[2]
        return Remote(
            **{
                "source": "metadata",
                "name": name,
                "url": server.url + at,
                "path": tmp_path / "got" / name,
                **values,
            }
        )

    return named

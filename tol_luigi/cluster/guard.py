"""The door of luigid: what a request must have before its body is read, and what each answer tells the browser."""

from __future__ import annotations

import base64
import hmac
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple, cast

from tornado.httputil import HTTPMessageDelegate, HTTPServerConnectionDelegate
from tornado.ioloop import IOLoop
from tornado.iostream import StreamClosedError
from tornado.web import OutputTransform, StaticFileHandler

from tol_luigi.cluster.connections import LARGEST_BODY, Connections, Stage
from tol_luigi.cluster.page import content_policy
from tol_luigi.cluster.run import USER

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping

    from tornado.http1connection import HTTP1Connection
    from tornado.httputil import (
        HTTPConnection,
        HTTPHeaders,
        HTTPServerRequest,
        RequestStartLine,
        ResponseStartLine,
    )
    from tornado.iostream import IOStream
    from tornado.web import Application

__all__ = ["Guard", "LogHandler", "SafeAnswers", "safe_headers"]

_API = "/api/"

_READING = frozenset(
    {
        *("dep_graph", "fetch_error", "get_running_task_resources", "get_task_progress_percentage"),
        *("get_task_status_message", "graph", "has_task_history", "inverse_dep_graph", "is_pause_enabled"),
        *("is_paused", "resource_list", "run_status", "serves", "task_list", "task_search", "worker_list"),
    }
)
"""The calls of the API that change nothing, so that a link may make them; all others want POST."""

_LAST_BYTES = 2**16
"""How much of a refused body is taken, and thrown away: a client that is cut off while it sends sees no answer."""


def safe_headers() -> Mapping[str, str]:
    """Return the headers that keep browsers from framing an answer, guessing its type, or running scripts of others."""
    return {
        "Content-Security-Policy": content_policy(),
        "X-Frame-Options": "DENY",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
    }


class LogHandler(StaticFileHandler):
    """What a task has said, as text."""

    def get_content_type(self) -> str:
        """Have browsers show it, whatever its name."""
        return "text/plain; charset=utf-8"


class SafeAnswers(OutputTransform):
    """Adds headers to every answer.

    Args:
        headers: The headers.
        request: What is answered.
    """

    def __init__(self, headers: Mapping[str, str], request: HTTPServerRequest) -> None:
        del request
        self._headers = headers

    def transform_first_chunk(
        self,
        status_code: int,
        headers: HTTPHeaders,
        chunk: bytes,
        finishing: bool,
    ) -> tuple[int, HTTPHeaders, bytes]:
        """Add the headers."""
        del finishing
        headers.update(self._headers)
        return status_code, headers, chunk


class _Refusal(NamedTuple):
    status: HTTPStatus
    text: str
    headers: tuple[tuple[str, str], ...] = ()

    def encoded(self, method: str, headers: Mapping[str, str]) -> bytes:
        """Return the whole answer."""
        body = f"{self.text}\n".encode()
        fields = {
            "Content-Type": "text/plain; charset=utf-8",
            "Content-Length": str(len(body)),
            "Connection": "close",
            **dict(self.headers),
            **headers,
        }
        lines = [
            f"HTTP/1.1 {self.status} {self.status.phrase}",
            *(f"{key}: {value}" for key, value in fields.items()),
        ]
        return "\r\n".join([*lines, "", ""]).encode() + (b"" if method == "HEAD" else body)


_UNKNOWN = _Refusal(
    HTTPStatus.UNAUTHORIZED,
    "The password is needed.",
    (("WWW-Authenticate", 'Basic realm="luigid", charset="UTF-8"'),),
)
_NO_LENGTH = _Refusal(HTTPStatus.LENGTH_REQUIRED, "A request must say how long it is.")
_TOO_LARGE = _Refusal(
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"A request is no longer than {LARGEST_BODY:,} bytes."
)
_BUSY = _Refusal(
    HTTPStatus.SERVICE_UNAVAILABLE, "There are too many requests. Ask again.", (("Retry-After", "1"),)
)
_FOREIGN = _Refusal(HTTPStatus.FORBIDDEN, "Another site has no business here.")
_NOT_POSTED = _Refusal(HTTPStatus.METHOD_NOT_ALLOWED, "This call wants POST.", (("Allow", "POST"),))


class Guard(HTTPServerConnectionDelegate):
    """Lets through who knows the password, to anything; and no other page of the same browser.

    Whatever is refused is refused by its headers: its body is not read.

    Args:
        within: What is guarded.
        password: The password, or "" where there is none.
        connections: Those that are open.
        headers: What each refusal says as well.
    """

    def __init__(
        self, within: Application, password: str, connections: Connections, headers: Mapping[str, str]
    ) -> None:
        login = base64.b64encode(f"{USER}:{password}".encode()).decode()
        self._wanted = f"Basic {login}" if password else ""
        self.within, self.connections, self.headers = within, connections, headers

    def start_request(self, server_conn: object, request_conn: HTTPConnection) -> HTTPMessageDelegate:
        """Wait for the next request of a connection."""
        return _Gate(self, server_conn, request_conn)

    def refusal(self, line: RequestStartLine, headers: HTTPHeaders) -> _Refusal | None:
        """Return why a request is refused, None if it is not."""
        given = headers.get("Authorization", "")
        if self._wanted and not hmac.compare_digest(given.encode(), self._wanted.encode()):
            return _UNKNOWN
        size = _size(headers)
        if size is None:
            return _NO_LENGTH
        if size > LARGEST_BODY:
            return _TOO_LARGE
        if not self.connections.has_room_for(size):
            return _BUSY
        return _refusal_of_call(line, headers)


def _size(headers: HTTPHeaders) -> int | None:
    """Return how many bytes a body has, None if that is not known before it is read."""
    try:
        size = int(headers.get("Content-Length", "0"))
    except ValueError:
        return None
    return None if size < 0 or "Transfer-Encoding" in headers else size


def _refusal_of_call(line: RequestStartLine, headers: HTTPHeaders) -> _Refusal | None:
    path = line.path.partition("?")[0]
    if not path.startswith(_API):
        return None
    if _is_foreign(headers):
        return _FOREIGN
    if line.method == "POST" or (line.method == "GET" and path.removeprefix(_API) in _READING):
        return None
    return _NOT_POSTED


def _is_foreign(headers: HTTPHeaders) -> bool:
    """Return whether a page of another site makes a call, in a browser that has the password; programs say neither."""
    if headers.get("Sec-Fetch-Site", "none") not in {"same-origin", "none"}:
        return True
    origin = headers.get("Origin")
    return origin is not None and origin.partition("://")[2].lower() != headers.get("Host", "").lower()


class _Gate(HTTPMessageDelegate):
    """One request: refused by its headers, or passed on."""

    def __init__(self, guard: Guard, server: object, connection: HTTPConnection) -> None:
        self._guard, self._server = guard, server
        self._connection = cast("HTTP1Connection", connection)
        self._stream = self._connection.stream
        self._inner: HTTPMessageDelegate | None = None
        guard.connections.enter(self._stream, Stage.HEADERS, size=0)

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        line = cast("RequestStartLine", start_line)
        if refusal := self._guard.refusal(line, headers):
            stream = self._connection.detach()
            self._guard.connections.enter(stream, Stage.REFUSED)
            IOLoop.current().add_callback(
                _send_off, stream, refusal.encoded(line.method, self._guard.headers)
            )
            return None
        self._guard.connections.enter(self._stream, Stage.BODY, _size(headers))
        self._inner = self._guard.within.start_request(self._server, self._connection)
        return self._inner.headers_received(start_line, headers)

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        return self._inner.data_received(chunk) if self._inner else None

    def finish(self) -> None:
        self._guard.connections.enter(self._stream, Stage.ANSWER)
        if self._inner:
            self._inner.finish()

    def on_connection_close(self) -> None:
        if self._inner:
            self._inner.on_connection_close()


async def _send_off(stream: IOStream, answer: bytes) -> None:
    """Answer, and close the connection when the client has had the time to see it."""
    try:
        await stream.write(answer)
        taken = 0
        while taken < _LAST_BYTES:
            taken += len(await stream.read_bytes(_LAST_BYTES, partial=True))
    except StreamClosedError:
        pass
    finally:
        stream.close()

"""Checks of luigid's requests before their bodies are read, and the security headers of its answers."""

from __future__ import annotations

import base64
import hmac
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple, cast

from tornado.httputil import HTTPMessageDelegate, HTTPServerConnectionDelegate
from tornado.ioloop import IOLoop
from tornado.iostream import StreamClosedError
from tornado.web import OutputTransform, StaticFileHandler

from tol_luigi.cluster.connections import MAX_BODY_BYTES, Connections, Stage
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

__all__ = ["AddHeaders", "LogHandler", "RequestFilter", "security_headers"]

_API = "/api/"

_READ_ONLY_CALLS = frozenset(
    {
        *("dep_graph", "fetch_error", "get_running_task_resources", "get_task_progress_percentage"),
        *("get_task_status_message", "graph", "has_task_history", "inverse_dep_graph", "is_pause_enabled"),
        *("is_paused", "resource_list", "run_status", "serves", "task_list", "task_search", "worker_list"),
    }
)
"""The calls of the API that change nothing, so that links may use GET; all others require POST."""

_MAX_DISCARDED_BYTES = 2**16
"""How much of a refused body is read and discarded: a client that is cut off while sending sees no answer."""


def security_headers() -> Mapping[str, str]:
    """Return headers that keep browsers from framing answers, guessing types and running foreign scripts."""
    return {
        "Content-Security-Policy": content_policy(),
        "X-Frame-Options": "DENY",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
    }


class LogHandler(StaticFileHandler):
    """Serves the logs of tasks as text."""

    def get_content_type(self) -> str:
        """Return the type of text, so that browsers show the log, whatever its name."""
        return "text/plain; charset=utf-8"


class AddHeaders(OutputTransform):
    """Adds headers to every answer.

    Args:
        headers: The headers.
        request: The request.
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

    def encode(self, method: str, headers: Mapping[str, str]) -> bytes:
        """Return the complete answer."""
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


_UNAUTHORIZED = _Refusal(
    HTTPStatus.UNAUTHORIZED,
    "A password is required.",
    (("WWW-Authenticate", 'Basic realm="luigid", charset="UTF-8"'),),
)
_NO_LENGTH = _Refusal(HTTPStatus.LENGTH_REQUIRED, "A request must have a valid Content-Length header.")
_TOO_LARGE = _Refusal(
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"The body of a request is limited to {MAX_BODY_BYTES:,} bytes."
)
_BUSY = _Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "Too many requests. Try again.", (("Retry-After", "1"),))
_CROSS_SITE = _Refusal(HTTPStatus.FORBIDDEN, "Requests from other sites are not allowed.")
_NOT_POSTED = _Refusal(HTTPStatus.METHOD_NOT_ALLOWED, "This call requires POST.", (("Allow", "POST"),))


class RequestFilter(HTTPServerConnectionDelegate):
    """Passes on requests with the password; refuses API calls of other sites' pages, even with the password.

    Requests are refused because of their headers alone: their bodies are not read.

    Args:
        application: The application that answers the other requests.
        password: The password, or "" if none is required.
        connections: The open connections.
        headers: Headers to add to each refusal.
    """

    def __init__(
        self, application: Application, password: str, connections: Connections, headers: Mapping[str, str]
    ) -> None:
        login = base64.b64encode(f"{USER}:{password}".encode()).decode()
        self._authorization = f"Basic {login}" if password else ""
        self.application, self.connections, self.headers = application, connections, headers

    def start_request(self, server_conn: object, request_conn: HTTPConnection) -> HTTPMessageDelegate:
        """Return the delegate for the next request of a connection."""
        return _FilteredRequest(self, server_conn, request_conn)

    def refusal(self, line: RequestStartLine, headers: HTTPHeaders) -> _Refusal | None:
        """Return why a request is refused, None if it is accepted."""
        received = headers.get("Authorization", "")
        if self._authorization and not hmac.compare_digest(received.encode(), self._authorization.encode()):
            return _UNAUTHORIZED
        size = _size(headers)
        if size is None:
            return _NO_LENGTH
        if size > MAX_BODY_BYTES:
            return _TOO_LARGE
        if not self.connections.has_room_for(size):
            return _BUSY
        return _refusal_of_call(line, headers)


def _size(headers: HTTPHeaders) -> int | None:
    """Return the size of a body in bytes, None if it is unknown before the body is read."""
    try:
        size = int(headers.get("Content-Length", "0"))
    except ValueError:
        return None
    return None if size < 0 or "Transfer-Encoding" in headers else size


def _refusal_of_call(line: RequestStartLine, headers: HTTPHeaders) -> _Refusal | None:
    path = line.path.partition("?")[0]
    if not path.startswith(_API):
        return None
    if _is_cross_site(headers):
        return _CROSS_SITE
    if line.method == "POST" or (line.method == "GET" and path.removeprefix(_API) in _READ_ONLY_CALLS):
        return None
    return _NOT_POSTED


def _is_cross_site(headers: HTTPHeaders) -> bool:
    """Return whether a page of another site makes a call, in a browser that has the password.

    Programs send neither of the two headers.
    """
    if headers.get("Sec-Fetch-Site", "none") not in {"same-origin", "none"}:
        return True
    origin = headers.get("Origin")
    return origin is not None and origin.partition("://")[2].lower() != headers.get("Host", "").lower()


class _FilteredRequest(HTTPMessageDelegate):
    """One request, which is refused because of its headers or passed on."""

    def __init__(self, request_filter: RequestFilter, server: object, connection: HTTPConnection) -> None:
        self._filter, self._server = request_filter, server
        self._connection = cast("HTTP1Connection", connection)
        self._stream = self._connection.stream
        self._inner: HTTPMessageDelegate | None = None
        request_filter.connections.enter(self._stream, Stage.HEADERS, size=0)

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        line = cast("RequestStartLine", start_line)
        if refusal := self._filter.refusal(line, headers):
            stream = self._connection.detach()
            self._filter.connections.enter(stream, Stage.REFUSED)
            IOLoop.current().add_callback(
                _send_refusal, stream, refusal.encode(line.method, self._filter.headers)
            )
            return None
        self._filter.connections.enter(self._stream, Stage.BODY, _size(headers))
        self._inner = self._filter.application.start_request(self._server, self._connection)
        return self._inner.headers_received(start_line, headers)

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        return self._inner.data_received(chunk) if self._inner else None

    def finish(self) -> None:
        self._filter.connections.enter(self._stream, Stage.ANSWER)
        if self._inner:
            self._inner.finish()

    def on_connection_close(self) -> None:
        if self._inner:
            self._inner.on_connection_close()


async def _send_refusal(stream: IOStream, answer: bytes) -> None:
    """Send an answer, and close the connection after the client has had time to read it."""
    try:
        await stream.write(answer)
        discarded = 0
        while discarded < _MAX_DISCARDED_BYTES:
            discarded += len(await stream.read_bytes(_MAX_DISCARDED_BYTES, partial=True))
    except StreamClosedError:
        pass
    finally:
        stream.close()

"""Read byte ranges of source files from web servers and from local folders."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import re
import ssl
import threading
import time
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol, cast
from urllib.parse import unquote, urlsplit, urlunsplit

import requests
from requests.auth import AuthBase
from urllib3.exceptions import HTTPError, NewConnectionError
from urllib3.exceptions import TimeoutError as HTTPTimeoutError
from urllib3.util import Retry

from tol_luigi.core.errors import DownloadError
from tol_luigi.downloads.checksums import response_checksum
from tol_luigi.downloads.encodings import (
    GZIP,
    BadEncodingError,
    content_encoding,
    gzip_reader,
    is_double_gzip,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = [
    "Host",
    "HttpConfig",
    "Origin",
    "RemoteChangedError",
    "RetryableError",
    "Version",
    "origin_of",
    "shown_url",
]

_CONNECT_SECONDS = 30.0
_LONGEST_PAUSE = 3600.0
_RETRYABLE_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")


class RetryableError(Exception):
    """A failure that may not happen again.

    Args:
        reason: A description of the failure.
        pause: The seconds to wait that the server asks for, or 0 if it does not ask.
    """

    def __init__(self, reason: str, pause: float = 0.0) -> None:
        super().__init__(reason, pause)
        self.reason, self.pause = reason, pause


class RemoteChangedError(Exception):
    """The file has changed since the start of the transfer, or the server does not serve ranges after all."""


@dataclass(frozen=True)
class Version:
    """The properties of a file as reported by a server.

    Attributes:
        size: The size in bytes, or None if it is not reported.
        validator: A value that changes with the content (``ETag``, else ``Last-Modified``), or "".
        ranges: Whether byte ranges are served.
        checksum: ``sha256:`` or ``md5:`` and hexadecimal digits, or "".
    """

    size: int | None
    validator: str = ""
    ranges: bool = False
    checksum: str = ""


class Host:
    """The state that all connections to one server share.

    Args:
        connections: The maximum number of concurrent connections.
    """

    def __init__(self, connections: int) -> None:
        self._slots = threading.BoundedSemaphore(connections)
        self._quiet_until = 0.0

    @contextlib.contextmanager
    def connection(self, stopped: threading.Event) -> Iterator[None]:
        """Wait for a free connection, and for the end of a pause that the server asked for."""
        with self._slots:
            while (remaining := self._quiet_until - time.monotonic()) > 0:
                if stopped.wait(remaining):
                    break
            yield

    def back_off(self, seconds: float) -> None:
        """Send no request for some seconds."""
        self._quiet_until = max(self._quiet_until, time.monotonic() + seconds)


@dataclass
class HttpConfig:
    """The configuration of requests.

    Attributes:
        connections: The maximum number of concurrent connections per server.
        stall_seconds: The seconds without a byte after which a connection counts as broken.
        token: An access token for gated files, or "".
        token_host: The only server that receives the token.
    """

    connections: int = 8
    stall_seconds: float = 60.0
    token: str = field(default="", repr=False)
    token_host: str = ""
    _hosts: dict[str, Host] = field(default_factory=dict, init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def host(self, url: str) -> Host:
        """Return the shared state of the server of an address."""
        with self._lock:
            return self._hosts.setdefault(urlsplit(url).netloc, Host(self.connections))


class Origin(Protocol):
    """A file on a server or a local disk."""

    host: Host

    def probe(self) -> Version:
        """Return the properties of the file without fetching it."""

    def open_all(self) -> contextlib.AbstractContextManager[tuple[Version, Callable[[int], bytes]]]:
        """Open the file at its start; yield its properties, and a function that reads up to N bytes."""

    def open_range(
        self, start: int, stop: int, version: Version
    ) -> contextlib.AbstractContextManager[Callable[[int], bytes]]:
        """Open a range of the file; raise :class:`RemoteChangedError` if its version differs."""


def origin_of(url: str, http: HttpConfig) -> Origin:
    """Return the origin for an address or a path.

    Raises:
        DownloadError: The scheme is not supported.
    """
    scheme = urlsplit(url).scheme.lower()
    if scheme in {"http", "https"}:
        return _Web(url, http)
    if scheme in {"", "file"}:
        return _Disk(url, http)
    raise DownloadError(
        shown_url(url), f"the scheme {scheme} is not supported", "Use http, https, file or a path"
    )


def shown_url(url: str) -> str:
    """Return an address without its secrets: user, password and query."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment=""))


class _Disk:
    def __init__(self, url: str, http: HttpConfig) -> None:
        self._path = Path(unquote(urlsplit(url).path) if url.lower().startswith("file:") else url)
        self.host = http.host("")

    def probe(self) -> Version:
        with self._open() as (version, _):
            return version

    @contextlib.contextmanager
    def open_all(self) -> Iterator[tuple[Version, Callable[[int], bytes]]]:
        with self._open() as (version, descriptor):
            yield version, lambda size: os.read(descriptor, size)

    @contextlib.contextmanager
    def open_range(self, start: int, stop: int, version: Version) -> Iterator[Callable[[int], bytes]]:
        with self._open() as (now, descriptor):
            if now != version:
                raise RemoteChangedError
            os.lseek(descriptor, start, os.SEEK_SET)
            yield lambda size: os.read(descriptor, min(size, stop - os.lseek(descriptor, 0, os.SEEK_CUR)))

    @contextlib.contextmanager
    def _open(self) -> Iterator[tuple[Version, int]]:
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            remedy = "Check the base address in [download], and your read permission"
            raise DownloadError(self._path, f"cannot be read ({error.strerror})", remedy) from error
        try:
            status = os.fstat(descriptor)
            yield Version(status.st_size, str(status.st_mtime_ns), ranges=True), descriptor
        finally:
            os.close(descriptor)


class _Token(AuthBase):
    """Send the token; ``requests`` removes it if a redirect leads to another server."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class _Web:
    def __init__(self, url: str, http: HttpConfig) -> None:
        self._url, self._http = url, http
        self.host = http.host(url)
        self._auth = _Token(http.token) if http.token and _may_send_token(url, http.token_host) else None
        self._is_encoded = False
        self._is_gzip_file: bool | None = None

    def probe(self) -> Version:
        # GET of one byte: some servers do not support HEAD, and the response shows whether ranges work
        with self._response("bytes=0-0") as response:
            return self._version(response)

    @contextlib.contextmanager
    def open_all(self) -> Iterator[tuple[Version, Callable[[int], bytes]]]:
        with self._response(None) as response:
            if response.status_code != HTTPStatus.OK:
                raise RetryableError(
                    f"the server answered {response.status_code} to a request for the complete file"
                )
            yield self._version(response), self._decoder(response) or self._reader(response)

    @contextlib.contextmanager
    def open_range(self, start: int, stop: int, version: Version) -> Iterator[Callable[[int], bytes]]:
        with self._response(f"bytes={start}-{stop - 1}") as response:
            match = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
            if (
                response.status_code != HTTPStatus.PARTIAL_CONTENT
                or match is None
                or self._encoding(response)
            ):
                raise RemoteChangedError
            now = self._version(response)
            if (now.size, now.validator) != (version.size, version.validator):
                raise RemoteChangedError
            if (int(match[1]), int(match[2])) != (start, stop - 1):
                raise RetryableError("the server sent another range than requested")
            yield self._reader(response)

    @contextlib.contextmanager
    def _response(self, range_: str | None) -> Iterator[requests.Response]:
        headers = {"Accept-Encoding": "identity", **({"Range": range_} if range_ else {})}
        with self._translated_errors(), requests.Session() as session:
            response = session.get(
                self._url,
                headers=headers,
                stream=True,
                auth=self._auth,
                timeout=(_CONNECT_SECONDS, self._http.stall_seconds),
            )
            with response:
                self._check_status(response)
                yield response

    def _reader(self, response: requests.Response) -> Callable[[int], bytes]:
        raw = response.raw
        return lambda size: bytes(raw.read(size, decode_content=False))

    def _encoding(self, response: requests.Response) -> str:
        """Return the content coding to undo, or "" if the body is the file itself.

        Some servers encode although the request asks for identity. After that no ranges are requested,
        because ranges, sizes and checksums would refer to the encoded bytes.
        """
        encoding = content_encoding(response.headers)
        if encoding in GZIP and self._is_compressed_itself():
            return ""
        self._is_encoded = self._is_encoded or bool(encoding)
        return encoding

    def _is_compressed_itself(self) -> bool:
        """Return whether gzip is the format of the file, not a coding that the server has added.

        Many servers send a stored ``.tar.gz`` with a ``Content-Encoding`` header. Therefore the start of the
        body is decompressed once: if the result is not gzip, the compressed bytes are the file.
        """
        if self._is_gzip_file is None:
            self._is_gzip_file = urlsplit(self._url).path.lower().endswith((".gz", ".tgz"))
            if self._is_gzip_file:
                with self._response(None) as response:
                    self._is_gzip_file = not is_double_gzip(self._reader(response))
        return self._is_gzip_file

    def _decoder(self, response: requests.Response) -> Callable[[int], bytes] | None:
        """Return a function that reads and decodes an encoded response, or None if it is not encoded."""
        encoding = self._encoding(response)
        if encoding and encoding not in GZIP:
            what = f"the server encodes the file although the request asks for identity (found: {encoding})"
            raise DownloadError(shown_url(self._url), what, "Fetch it from another server")
        return gzip_reader(cast("IO[bytes]", response.raw)) if encoding else None

    @contextlib.contextmanager
    def _translated_errors(self) -> Iterator[None]:
        """Convert errors of libraries to our own: their messages contain addresses, which may be secret."""
        try:
            yield
        except BadEncodingError as error:
            raise RetryableError(str(error)) from error
        except requests.exceptions.ConnectTimeout as error:
            raise RetryableError(f"no connection within {_CONNECT_SECONDS:g} s") from error
        except (requests.exceptions.Timeout, TimeoutError) as error:
            raise RetryableError(f"no bytes received for {self._http.stall_seconds:g} s") from error
        except requests.exceptions.SSLError as error:
            if not any(isinstance(link, ssl.SSLCertVerificationError) for link in _causes(error)):
                raise RetryableError("TLS failed") from error
            remedy = "If your site issues its own certificates, set REQUESTS_CA_BUNDLE to its CA file"
            raise DownloadError(shown_url(self._url), "the certificate is not trusted", remedy) from error
        except requests.exceptions.ProxyError as error:
            raise RetryableError("the connection to the proxy failed") from error
        except (requests.exceptions.InvalidURL, requests.exceptions.MissingSchema) as error:
            remedy = "Correct the base address in [download]"
            raise DownloadError(shown_url(self._url), "is not a valid address", remedy) from error
        except requests.exceptions.TooManyRedirects as error:
            remedy = "Check the base address in [download]"
            raise DownloadError(shown_url(self._url), "redirects in a loop", remedy) from error
        except (requests.exceptions.RequestException, HTTPError) as error:
            timed_out = any(
                isinstance(link, (TimeoutError, HTTPTimeoutError))
                and not isinstance(link, NewConnectionError)  # also of a refused connection
                for link in _causes(error)
            )
            stalled = f"no bytes received for {self._http.stall_seconds:g} s"
            raise RetryableError(stalled if timed_out else _reason(error)) from error

    def _check_status(self, response: requests.Response) -> None:
        code = response.status_code
        if code in {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE}:
            return
        if code in _RETRYABLE_STATUS:
            raise RetryableError(f"the server answered {code}", _retry_after(response))
        remedies = {
            401: "The file is gated: accept its terms on its page, and set an access token in the "
            "environment ([download] token_variable)",
            403: "Check that your access token grants access, that you accepted the terms, and that your "
            "network is not blocked",
            404: "Check the base address in [download]",
            407: "Add user and password to the address of the proxy",
        }
        what = f"the server answered {code} {response.reason or ''}".strip()
        raise DownloadError(shown_url(self._url), what, remedies.get(code, "See the page of the source"))

    def _version(self, response: requests.Response) -> Version:
        headers = response.headers
        validator = headers.get("ETag") or headers.get("Last-Modified") or ""
        encoded = self._encoding(response) or self._is_encoded
        responses = [*response.history, *([] if encoded else [response])]
        checksum = next(filter(None, map(response_checksum, responses)), "")
        if encoded:
            return Version(None, validator, checksum=checksum)
        if response.status_code == HTTPStatus.PARTIAL_CONTENT:
            match = _RANGE.fullmatch(headers.get("Content-Range", ""))
            size = int(match[3]) if match and match[3] != "*" else None
            return Version(size, validator, ranges=size is not None, checksum=checksum)
        if response.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:  # the file is empty
            return Version(0 if headers.get("Content-Range") == "bytes */0" else None, validator)
        length = headers.get("Content-Length", "")
        return Version(int(length) if length.isdigit() else None, validator, checksum=checksum)


def _may_send_token(url: str, token_host: str) -> bool:
    """Return whether the token may be sent to an address: only to its own server, by HTTPS or on loopback."""
    parts = urlsplit(url)
    if token_host.lower() not in {parts.netloc.rpartition("@")[2].lower(), parts.hostname}:
        return False
    return parts.scheme.lower() == "https" or _is_loopback(parts.hostname or "")


def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and its causes: libraries wrap the errors of the operating system several times."""
    link: Any = error
    while isinstance(link, BaseException):
        yield link
        inner = link.args[0] if link.args and isinstance(link.args[0], BaseException) else None
        link = link.__cause__ or link.__context__ or getattr(link, "reason", None) or inner


def _reason(error: Exception) -> str:
    """Return the error message of the operating system."""
    for link in _causes(error):
        if isinstance(link, OSError) and link.strerror:
            return f"the connection failed: {link.strerror}"
    return "the connection was closed early"


def _retry_after(response: requests.Response) -> float:
    value = response.headers.get("Retry-After")
    if value is None:
        return 0.0
    with contextlib.suppress(HTTPError):
        return min(max(0.0, Retry().parse_retry_after(value)), _LONGEST_PAUSE)
    return 0.0

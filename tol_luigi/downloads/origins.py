"""Where files come from: web servers, and folders that can be reached as such. Both give any range of bytes."""

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
from urllib3.exceptions import HTTPError
from urllib3.exceptions import TimeoutError as HTTPTimeoutError
from urllib3.util import Retry

from tol_luigi.core.errors import DownloadError
from tol_luigi.downloads.checksums import checksum_of
from tol_luigi.downloads.encodings import GZIP, BadEncodingError, encoding_of, gunzipped, is_packed_twice

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Again", "Changed", "Host", "Hosts", "Origin", "Version", "origin_of", "shown_url"]

_CONNECT_SECONDS = 30.0
_LONGEST_PAUSE = 3600.0
_WAIT_AND_SEE = frozenset({408, 425, 429, 500, 502, 503, 504})
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")


class Again(Exception):  # noqa: N818 (no error of the user's)
    """Something failed that may work at another time.

    Args:
        reason: What it was.
        pause: For how many seconds the server asks to be left alone, 0 if it does not say.
    """

    def __init__(self, reason: str, pause: float = 0.0) -> None:
        super().__init__(reason, pause)
        self.reason, self.pause = reason, pause


class Changed(Exception):  # noqa: N818 (as above)
    """The file is another one than at the start, or cannot be had in ranges after all."""


@dataclass(frozen=True)
class Version:
    """What a server says of a file.

    Attributes:
        size: Bytes, None if it does not say.
        validator: What changes with the content (``ETag``, else ``Last-Modified``), "" if it does not say.
        ranges: Whether parts of it can be had.
        checksum: ``sha256:`` or ``md5:`` and hexadecimal digits, "" if it does not say.
    """

    size: int | None
    validator: str = ""
    ranges: bool = False
    checksum: str = ""


class Host:
    """What all connections to one server share.

    Args:
        connections: How many there may be at once.
    """

    def __init__(self, connections: int) -> None:
        self._slots = threading.BoundedSemaphore(connections)
        self._quiet_until = 0.0

    @contextlib.contextmanager
    def connection(self, stopped: threading.Event) -> Iterator[None]:
        """Wait for a free one, and until the server wants to be asked."""
        with self._slots:
            while (left := self._quiet_until - time.monotonic()) > 0:
                if stopped.wait(left):
                    break
            yield

    def leave_alone(self, seconds: float) -> None:
        """Ask nothing for so long."""
        self._quiet_until = max(self._quiet_until, time.monotonic() + seconds)


@dataclass
class Hosts:
    """How servers are spoken to.

    Attributes:
        connections: At once, to each.
        stall_seconds: After so long without a byte a connection counts as broken.
        token: What shows that the user may have a gated file; "" for none.
        token_host: The only server that is shown it.
    """

    connections: int = 8
    stall_seconds: float = 60.0
    token: str = field(default="", repr=False)
    token_host: str = ""
    _hosts: dict[str, Host] = field(default_factory=dict, init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def host(self, url: str) -> Host:
        """Give what connections to the server of an address share."""
        with self._lock:
            return self._hosts.setdefault(urlsplit(url).netloc, Host(self.connections))


class Origin(Protocol):
    """A file somewhere."""

    host: Host

    def ask(self) -> Version:
        """Ask what there is to fetch, without fetching it."""

    def whole(self) -> contextlib.AbstractContextManager[tuple[Version, Callable[[int], bytes]]]:
        """Read it from the start; gives what it is, and a function that reads so many bytes."""

    def part(
        self, start: int, stop: int, version: Version
    ) -> contextlib.AbstractContextManager[Callable[[int], bytes]]:
        """Read a range of it, as long as it is the version it was."""


def origin_of(url: str, hosts: Hosts) -> Origin:
    """Tell an address from a path.

    Raises:
        DownloadError: It is neither.
    """
    scheme = urlsplit(url).scheme.lower()
    if scheme in {"http", "https"}:
        return _Web(url, hosts)
    if scheme in {"", "file"}:
        return _Disk(url, hosts)
    raise DownloadError(shown_url(url), f"{scheme} is not spoken here", "Give http, https, file or a path")


def shown_url(url: str) -> str:
    """Leave out of an address what is secret in it: a password, and what follows a question mark."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment=""))


class _Disk:
    def __init__(self, url: str, hosts: Hosts) -> None:
        self._path = Path(unquote(urlsplit(url).path) if url.lower().startswith("file:") else url)
        self.host = hosts.host("")

    def ask(self) -> Version:
        with self._open() as (version, _):
            return version

    @contextlib.contextmanager
    def whole(self) -> Iterator[tuple[Version, Callable[[int], bytes]]]:
        with self._open() as (version, descriptor):
            yield version, lambda size: os.read(descriptor, size)

    @contextlib.contextmanager
    def part(self, start: int, stop: int, version: Version) -> Iterator[Callable[[int], bytes]]:
        with self._open() as (now, descriptor):
            if now != version:
                raise Changed
            os.lseek(descriptor, start, os.SEEK_SET)
            yield lambda size: os.read(descriptor, min(size, stop - os.lseek(descriptor, 0, os.SEEK_CUR)))

    @contextlib.contextmanager
    def _open(self) -> Iterator[tuple[Version, int]]:
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            remedy = "See that the base address is right and that you may read it"
            raise DownloadError(self._path, f"cannot be read: {error.strerror}", remedy) from error
        try:
            status = os.fstat(descriptor)
            yield Version(status.st_size, str(status.st_mtime_ns), ranges=True), descriptor
        finally:
            os.close(descriptor)


class _Token(AuthBase):
    """Shows the token to its server; ``requests`` takes it off where a redirect leads elsewhere."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class _Web:
    def __init__(self, url: str, hosts: Hosts) -> None:
        self._url, self._hosts = url, hosts
        self.host = hosts.host(url)
        self._auth = _Token(hosts.token) if hosts.token and _is_for(url, hosts.token_host) else None
        self._is_encoded = False
        self._is_gzip_file: bool | None = None

    def ask(self) -> Version:
        # some servers answer HEAD differently, or not at all; and this shows whether ranges work
        with self._answer("bytes=0-0") as answer:
            return self._version(answer)

    @contextlib.contextmanager
    def whole(self) -> Iterator[tuple[Version, Callable[[int], bytes]]]:
        with self._answer(None) as answer:
            if answer.status_code != HTTPStatus.OK:
                raise Again(f"the server answered {answer.status_code} to a request for the whole file")
            yield self._version(answer), self._decoder(answer) or self._reader(answer)

    @contextlib.contextmanager
    def part(self, start: int, stop: int, version: Version) -> Iterator[Callable[[int], bytes]]:
        with self._answer(f"bytes={start}-{stop - 1}") as answer:
            given = _RANGE.fullmatch(answer.headers.get("Content-Range", ""))
            if answer.status_code != HTTPStatus.PARTIAL_CONTENT or given is None or self._encoding(answer):
                raise Changed
            now = self._version(answer)
            if (now.size, now.validator) != (version.size, version.validator):
                raise Changed
            if (int(given[1]), int(given[2])) != (start, stop - 1):
                raise Again("the server gave another range than it was asked for")
            yield self._reader(answer)

    @contextlib.contextmanager
    def _answer(self, range_: str | None) -> Iterator[requests.Response]:
        headers = {"Accept-Encoding": "identity", **({"Range": range_} if range_ else {})}
        with self._told(), requests.Session() as session:
            answer = session.get(
                self._url,
                headers=headers,
                stream=True,
                auth=self._auth,
                timeout=(_CONNECT_SECONDS, self._hosts.stall_seconds),
            )
            with answer:
                self._judge(answer)
                yield answer

    def _reader(self, answer: requests.Response) -> Callable[[int], bytes]:
        raw = answer.raw
        return lambda size: bytes(raw.read(size, decode_content=False))

    def _encoding(self, answer: requests.Response) -> str:
        """Return the content coding that has to be undone to get the file, "" if the bytes are the file's own.

        Some servers encode although the request asks for identity. From then on no part of the file is asked for:
        ranges, sizes and checksums would be those of the encoded bytes.
        """
        encoding = encoding_of(answer.headers)
        if encoding in GZIP and self._is_compressed_itself():
            return ""
        self._is_encoded = self._is_encoded or bool(encoding)
        return encoding

    def _is_compressed_itself(self) -> bool:
        """Return whether gzip is the format of the file, and not a coding that the server has added.

        Many servers send a stored ``.tar.gz`` with the header of a coding. Its start is unpacked once to see: if
        the result is not gzip, the packed bytes are the file.
        """
        if self._is_gzip_file is None:
            self._is_gzip_file = urlsplit(self._url).path.lower().endswith((".gz", ".tgz"))
            if self._is_gzip_file:
                with self._answer(None) as answer:
                    self._is_gzip_file = not is_packed_twice(self._reader(answer))
        return self._is_gzip_file

    def _decoder(self, answer: requests.Response) -> Callable[[int], bytes] | None:
        """Return a function that reads and decodes an encoded answer; None if the answer is not encoded."""
        encoding = self._encoding(answer)
        if encoding and encoding not in GZIP:
            what = f"the server sends it encoded as {encoding}, although the request asks for it as it is"
            raise DownloadError(shown_url(self._url), what, "Take it from a server that does not")
        return gunzipped(cast("IO[bytes]", answer.raw)) if encoding else None

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Tell in few words what broke: the texts of libraries hold addresses, and those may be secret."""
        try:
            yield
        except BadEncodingError as error:
            raise Again(str(error)) from error
        except (requests.exceptions.Timeout, TimeoutError) as error:
            raise Again(f"no byte came for {self._hosts.stall_seconds:g} s") from error
        except requests.exceptions.SSLError as error:
            if not any(isinstance(link, ssl.SSLCertVerificationError) for link in _chain(error)):
                raise Again("TLS failed") from error
            remedy = "If it is your site's own, name who vouches for it in REQUESTS_CA_BUNDLE"
            raise DownloadError(shown_url(self._url), "its certificate is not accepted", remedy) from error
        except requests.exceptions.ProxyError as error:
            raise Again("the proxy could not be used") from error
        except (requests.exceptions.InvalidURL, requests.exceptions.MissingSchema) as error:
            raise DownloadError(shown_url(self._url), "is no address", "Mend the base address") from error
        except requests.exceptions.TooManyRedirects as error:
            remedy = "See that the base address is right"
            raise DownloadError(shown_url(self._url), "is redirected in a circle", remedy) from error
        except (requests.exceptions.RequestException, HTTPError) as error:
            timed_out = any(isinstance(link, (TimeoutError, HTTPTimeoutError)) for link in _chain(error))
            stalled = f"no byte came for {self._hosts.stall_seconds:g} s"
            raise Again(stalled if timed_out else _reason(error)) from error

    def _judge(self, answer: requests.Response) -> None:
        code = answer.status_code
        if code in {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE}:
            return
        if code in _WAIT_AND_SEE:
            raise Again(f"the server answered {code}", _retry_after(answer))
        remedies = {
            401: "It is gated: accept its terms on its page, and put an access token into the environment ([download] token_variable)",
            403: "See that your access token may read it and that its terms are accepted, or that your network may reach it",
            404: "See that the base address is right",
            407: "Name the proxy with its user and password",
        }
        what = f"the server answered {code} {answer.reason or ''}".strip()
        raise DownloadError(shown_url(self._url), what, remedies.get(code, "See what its page says"))

    def _version(self, answer: requests.Response) -> Version:
        headers = answer.headers
        validator = headers.get("ETag") or headers.get("Last-Modified") or ""
        encoded = self._encoding(answer) or self._is_encoded
        told = [*answer.history, *([] if encoded else [answer])]
        checksum = next(filter(None, map(checksum_of, told)), "")
        if encoded:
            return Version(None, validator, checksum=checksum)
        if answer.status_code == HTTPStatus.PARTIAL_CONTENT:
            given = _RANGE.fullmatch(headers.get("Content-Range", ""))
            size = int(given[3]) if given and given[3] != "*" else None
            return Version(size, validator, ranges=size is not None, checksum=checksum)
        if answer.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:  # so it says of an empty file
            return Version(0 if headers.get("Content-Range") == "bytes */0" else None, validator)
        length = headers.get("Content-Length", "")
        return Version(int(length) if length.isdigit() else None, validator, checksum=checksum)


def _is_for(url: str, token_host: str) -> bool:
    """Tell whether a token may be sent to an address: to its own server only, and where nobody else can read it."""
    parts = urlsplit(url)
    if token_host.lower() not in {parts.netloc.rpartition("@")[2].lower(), parts.hostname}:
        return False
    return parts.scheme.lower() == "https" or _is_here(parts.hostname or "")


def _is_here(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what it came from: libraries wrap what the operating system reports several times."""
    link: Any = error
    while isinstance(link, BaseException):
        yield link
        inner = link.args[0] if link.args and isinstance(link.args[0], BaseException) else None
        link = link.__cause__ or link.__context__ or getattr(link, "reason", None) or inner


def _reason(error: Exception) -> str:
    """Return the words of the operating system."""
    for link in _chain(error):
        if isinstance(link, OSError) and link.strerror:
            return f"the connection failed: {link.strerror}"
    return "the connection broke off"


def _retry_after(answer: requests.Response) -> float:
    value = answer.headers.get("Retry-After")
    if value is None:
        return 0.0
    with contextlib.suppress(HTTPError):
        return min(max(0.0, Retry().parse_retry_after(value)), _LONGEST_PAUSE)
    return 0.0

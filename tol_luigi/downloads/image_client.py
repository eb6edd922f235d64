"""Requests for images: one request for one URL, with its redirects, ends in an outcome."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import re
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple, Self

import aiohttp
from urllib3.exceptions import InvalidHeader
from urllib3.util import Retry
from yarl import URL

from tol_luigi.downloads.addresses import BadUrlError, CheckedResolver, PrivateAddressError, server_url
from tol_luigi.downloads.fetch_outcomes import Outcome, UrlState
from tol_luigi.downloads.image_content import describe_content, ending_of, unpacked
from tol_luigi.downloads.server_budget import FetchPolicy, ServerBudget

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from types import TracebackType

__all__ = ["Answer", "ImageClient"]

_CHUNK = 1 << 16
_DNS_SECONDS = 600
_CONNECT_SECONDS = 20

_REDIRECTS = {301, 302, 303, 307, 308}
_BUSY = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}
_TEMPORARY = {408, 425, 500, 502, 504}
_FINAL = {
    **dict.fromkeys((404, 410), UrlState.GONE),
    **dict.fromkeys((401, 403, 451), UrlState.FORBIDDEN),
}
_OPT_OUT = {"noai", "noimageai"}


class Answer(NamedTuple):
    """What a request has shown.

    Attributes:
        outcome: The outcome, as far as this request shows it.
        content: The image, empty without one.
        may_pass: Whether the next request can have another outcome.
    """

    outcome: Outcome
    content: bytes = b""
    may_pass: bool = False


class _Redirected(NamedTuple):
    url: URL


class _NoAnswerError(aiohttp.ClientError):
    """A connection was closed before the answer."""


async def _once(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Send a request once; without this, aiohttp repeats one whose connection is closed, past the budget and the number of tries."""
    try:
        return await send(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
        raise _NoAnswerError from error


class ImageClient:
    """Sends requests within the budgets of the servers.

    Args:
        policy: How images are fetched.
    """

    def __init__(self, policy: FetchPolicy) -> None:
        self.policy = policy
        self._budgets: dict[str, ServerBudget] = {}
        self._together = asyncio.Semaphore(policy.together)
        self._session: aiohttp.ClientSession

    async def __aenter__(self) -> Self:
        """Open the connections."""
        policy = self.policy
        connector = aiohttp.TCPConnector(
            resolver=CheckedResolver(policy.networks),
            limit=0,  # the budgets of the servers are the limit
            ttl_dns_cache=_DNS_SECONDS,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={
                "User-Agent": policy.agent,
                "Accept": "image/*,*/*;q=0.1",
                "Accept-Encoding": "identity",
            },
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=min(_CONNECT_SECONDS, policy.timeout), sock_read=policy.timeout
            ),
            trust_env=False,
            middlewares=(_once,),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        await self._session.close()

    def budget(self, url: URL) -> ServerBudget:
        """Return the budget of the server of a URL."""
        place = f"{url.host}:{url.port}"
        if place not in self._budgets:
            self._budgets[place] = ServerBudget(self.policy.of(url.host))
        return self._budgets[place]

    @contextlib.asynccontextmanager
    async def ask(self, address: str) -> AsyncIterator[Answer]:
        """Send one request for an image, and follow its redirects; in the block, its content counts as one of those at once.

        Args:
            address: The URL.
        """
        async with contextlib.AsyncExitStack() as slot:
            yield await self._answer(address, slot)

    async def _answer(self, address: str, slot: contextlib.AsyncExitStack) -> Answer:
        began, seen = time.monotonic(), set[URL]()
        try:
            url = server_url(address, self.policy.networks)
            while True:
                if url in seen or len(seen) > self.policy.redirects:
                    what = (
                        "redirects in a circle"
                        if url in seen
                        else f"more than {self.policy.redirects} redirects"
                    )
                    return Answer(Outcome(UrlState.TOO_MANY_REDIRECTS, what))
                seen.add(url)
                found = await self._within_budget(url, began, slot)
                if not isinstance(found, _Redirected):
                    return found
                await slot.aclose()
                url = server_url(str(found.url), self.policy.networks)
        except BadUrlError as error:
            return Answer(Outcome(UrlState.BAD_URL, str(error)))
        except PrivateAddressError as error:
            return Answer(Outcome(UrlState.PRIVATE_ADDRESS, str(error)))

    async def _within_budget(
        self, url: URL, began: float, slot: contextlib.AsyncExitStack
    ) -> Answer | _Redirected:
        budget = self.budget(url)
        async with budget.turn():
            await slot.enter_async_context(self._together)
            try:
                async with asyncio.timeout(self.policy.timeout):
                    return await self._request(url, budget, began)
            except (TimeoutError, aiohttp.ClientError) as error:
                if isinstance(cause := getattr(error, "os_error", None), PrivateAddressError):
                    raise cause from error
                state, reason = _fault(error, url, self.policy)
                if isinstance(error, (aiohttp.ClientPayloadError, aiohttp.ClientSSLError)):
                    return Answer(Outcome(state, reason), may_pass=state is not UrlState.BAD_CERTIFICATE)
                budget.failed(reason)
                return Answer(Outcome(state, reason), may_pass=True)

    async def _request(self, url: URL, budget: ServerBudget, began: float) -> Answer | _Redirected:
        async with self._session.get(url, allow_redirects=False) as response:
            code = response.status
            if code in _BUSY:
                budget.refused(_retry_after(response))
            else:
                budget.answered()
            if code in _REDIRECTS and (target := response.headers.get("Location")):
                try:
                    return _Redirected(url.join(URL(target)))
                except ValueError as error:
                    raise BadUrlError(f"redirected to what is not a URL ({error})") from error
            if code != HTTPStatus.OK:
                return _error(code)
            if self.policy.obeys_opt_out and (words := _words(response) & _OPT_OUT):
                reason = f"X-Robots-Tag: {', '.join(sorted(words))}"
                return Answer(Outcome(UrlState.OPTED_OUT, reason, code))
            return await self._receive(response, began)

    async def _receive(self, response: aiohttp.ClientResponse, began: float) -> Answer:
        """Receive the content of an answer, up to the largest size."""
        code, most = response.status, self.policy.most_bytes
        declared = response.content_type if "Content-Type" in response.headers else ""
        too_large = Answer(Outcome(UrlState.TOO_LARGE, f"more than {most:,} bytes", code, type=declared))
        if (response.content_length or 0) > most:
            return too_large
        received = bytearray()
        async for chunk in response.content.iter_chunked(_CHUNK):
            received += chunk
            if len(received) > most:
                return too_large
        try:
            content = unpacked(bytes(received), most)
        except ValueError as error:
            return Answer(Outcome(UrlState.NOT_AN_IMAGE, str(error), code, len(received), type=declared))
        return Answer(*_judged(content, code, declared, time.monotonic() - began))


def _judged(content: bytes, code: int, declared: str, seconds: float) -> tuple[Outcome, bytes]:
    """Return the outcome of complete content, and the content if it is an image."""
    if not content:
        return Outcome(UrlState.EMPTY, "", code, type=declared), b""
    ending = ending_of(content)
    state, reason = UrlState.FETCHED, ""
    if not ending:
        state = UrlState.NOT_AN_IMAGE
        reason = describe_content(content) + (f", sent as {declared}" if declared else "")
    outcome = Outcome(
        state,
        reason,
        code,
        len(content),
        hashlib.sha256(content).hexdigest(),
        hashlib.md5(content, usedforsecurity=False).hexdigest(),
        declared,
        ending,
        seconds=seconds,
    )
    return outcome, content if ending else b""


def _error(code: int) -> Answer:
    """Return the answer for an HTTP status that is an error."""
    reason = f"HTTP {code}"
    if code in _BUSY:
        state = UrlState.REFUSED if code == HTTPStatus.TOO_MANY_REQUESTS else UrlState.HTTP_ERROR
        return Answer(Outcome(state, reason, code), may_pass=True)
    return Answer(Outcome(_FINAL.get(code, UrlState.HTTP_ERROR), reason, code), may_pass=code in _TEMPORARY)


def _fault(error: Exception, url: URL, policy: FetchPolicy) -> tuple[UrlState, str]:
    """Return the state of a URL whose request has failed, and the reason."""
    match error:
        case TimeoutError():
            found = UrlState.TIMED_OUT, f"no complete answer within {policy.timeout:g} s"
        case aiohttp.ClientConnectorDNSError():
            found = UrlState.NO_ADDRESS, f"the name {url.host} has no address"
        case aiohttp.ClientSSLError():
            found = UrlState.BAD_CERTIFICATE, _tls_fault(error)
        case aiohttp.ClientConnectorError():
            found = UrlState.SERVER_DOWN, os.strerror(error.errno) if error.errno else "no connection"
        case _NoAnswerError() | aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError():
            found = UrlState.WRONG_LENGTH, "the connection was closed without an answer"
        case aiohttp.ClientPayloadError():
            found = UrlState.WRONG_LENGTH, "the connection was closed within the image"
        case _:
            found = UrlState.HTTP_ERROR, f"no answer of HTTP ({type(error).__name__})"
    return found


def _tls_fault(error: Exception) -> str:
    cause = getattr(error, "certificate_error", None) or getattr(error, "os_error", None) or error
    return getattr(cause, "verify_message", "") or getattr(cause, "reason", "") or "TLS failed"


def _words(response: aiohttp.ClientResponse) -> set[str]:
    """Return the words of ``X-Robots-Tag``, also those for one robot."""
    return set(re.split(r"[\s,:;]+", ",".join(response.headers.getall("X-Robots-Tag", [])).lower()))


def _retry_after(response: aiohttp.ClientResponse) -> float:
    """Return the seconds after which a server wants to be asked again, 0 if it does not say so."""
    try:
        return max(0.0, Retry().parse_retry_after(response.headers.get("Retry-After", "0")))
    except InvalidHeader:
        return 0.0

"""Fetch many images by URL: each server within its budget, all of them at once, and make of them what is stored."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from yarl import URL

from tol_luigi.downloads.fetch_outcomes import RECEIVED, Outcome, StoredImage, UrlState
from tol_luigi.downloads.image_client import ImageClient

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from tol_luigi.downloads.server_budget import FetchPolicy
    from tol_luigi.sources.url_rows import Box

__all__ = ["Images", "Wanted", "checked", "fetch_urls"]

Images: TypeAlias = "Mapping[Box | str | None, StoredImage]"
"""What is stored of an image: by box, or under ``RECEIVED`` if it is stored as it was received."""


@dataclass
class Wanted:
    """A URL to fetch.

    Attributes:
        url: The URL.
        sha256: The SHA-256 that its content must have, "" if any is right.
        md5: The same as MD5.
        boxes: The parts of the image that are used; None for all of it.
        tries: The number of requests so far.
    """

    url: str
    sha256: str = ""
    md5: str = ""
    boxes: frozenset[Box | None] = frozenset((None,))
    tries: int = 0


def as_received(content: bytes, _boxes: frozenset[Box | None]) -> Images:
    """Return an image as it was received."""
    return {RECEIVED: StoredImage(content)}


def fetch_urls(
    wanted: Iterable[Wanted],
    policy: FetchPolicy,
    done: Callable[[str, Outcome, Images], None],
    stored: Callable[[bytes, frozenset[Box | None]], Images] = as_received,
    threads: int = 0,
) -> None:
    """Fetch images.

    Args:
        wanted: The URLs, each once.
        policy: How images are fetched.
        done: Called once for each URL, in any order, with its outcome and what is stored of its image, if it has one.
        stored: Returns what is stored of an image, of which some boxes are used.
        threads: The number of threads for ``stored``; 0 if it takes no time.
    """
    try:
        with ThreadPoolExecutor(threads or 1, "store") as pool:
            asyncio.run(_fetch(wanted, policy, _Receiver(done, stored, pool if threads else None)))
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from errors


@dataclass(frozen=True)
class _Receiver:
    done: Callable[[str, Outcome, Images], None]
    stored: Callable[[bytes, frozenset[Box | None]], Images]
    pool: ThreadPoolExecutor | None

    async def __call__(self, each: Wanted, outcome: Outcome, content: bytes) -> None:
        """Pass an outcome on, with what is stored of the image."""
        images: Images = {}
        if content and self.pool:
            loop = asyncio.get_running_loop()
            images = await loop.run_in_executor(self.pool, self.stored, content, each.boxes)
        elif content:
            images = self.stored(content, each.boxes)
        self.done(each.url, outcome, images)


async def _fetch(wanted: Iterable[Wanted], policy: FetchPolicy, receive: _Receiver) -> None:
    queues: defaultdict[tuple[str, int | None], deque[Wanted]] = defaultdict(deque)
    for each in wanted:
        queues[_server(each.url)].append(each)
    async with ImageClient(policy) as client, asyncio.TaskGroup() as group:
        for (host, _), queue in queues.items():
            for _ in range(min(policy.of(host).connections, len(queue))):
                group.create_task(_work(queue, client, receive))


def _server(url: str) -> tuple[str, int | None]:
    """Return host and port; none of a URL that cannot be read."""
    try:
        found = URL(url)
        server = found.host or "", found.port
    except ValueError:
        return "", None
    return server


async def _work(queue: deque[Wanted], client: ImageClient, receive: _Receiver) -> None:
    """Fetch the images of one server, one after the other; those without an answer again after all others."""
    policy = client.policy
    while queue:
        each = queue.popleft()
        if each.tries:
            await asyncio.sleep(policy.pause * 2 ** (each.tries - 1))
        if (unasked := _unasked(client, each)) is not None:
            await receive(each, replace(unasked, tries=each.tries), b"")
            continue
        async with client.ask(each.url) as (outcome, content, may_pass):
            each.tries += 1
            if may_pass and each.tries < policy.tries:
                queue.append(each)
            else:
                await receive(each, *checked(each, replace(outcome, tries=each.tries), content))


def _unasked(client: ImageClient, each: Wanted) -> Outcome | None:
    """Return the outcome of a URL whose server has been down too often to be asked again; None if it is asked."""
    try:
        budget = client.budget(URL(each.url))
    except ValueError:
        return None
    return Outcome(UrlState.SERVER_DOWN, budget.reason) if budget.is_hopeless else None


def checked(each: Wanted, outcome: Outcome, content: bytes) -> tuple[Outcome, bytes]:
    """Return an outcome and its image, or that the image is not the expected one."""
    if outcome.state is not UrlState.FETCHED:
        return outcome, content
    for name, expected, found in (("SHA-256", each.sha256, outcome.sha256), ("MD5", each.md5, outcome.md5)):
        if expected and expected.lower() != found:
            reason = f"its {name} is {found}, not {expected}"
            return replace(outcome, state=UrlState.WRONG_CONTENT, reason=reason), b""
    return outcome, content

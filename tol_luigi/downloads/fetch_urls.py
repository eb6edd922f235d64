"""Fetch many images by URL: each server within its budget, all of them at once."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from yarl import URL

from tol_luigi.downloads.fetch_outcomes import Outcome, UrlState
from tol_luigi.downloads.image_client import ImageClient

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tol_luigi.downloads.server_budget import FetchPolicy
    from tol_luigi.sources.url_rows import Box

__all__ = ["Wanted", "checked", "fetch_urls"]


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


def fetch_urls(
    wanted: Iterable[Wanted], policy: FetchPolicy, done: Callable[[str, Outcome, bytes], None]
) -> None:
    """Fetch images.

    Args:
        wanted: The URLs, each once.
        policy: How images are fetched.
        done: Called once for each URL, in any order, with its outcome and its image, if it has one.
    """
    asyncio.run(_fetch(wanted, policy, done))


async def _fetch(
    wanted: Iterable[Wanted], policy: FetchPolicy, done: Callable[[str, Outcome, bytes], None]
) -> None:
    queues: defaultdict[str, deque[Wanted]] = defaultdict(deque)
    for each in wanted:
        queues[_server(each.url)].append(each)
    async with ImageClient(policy) as client, asyncio.TaskGroup() as group:
        for queue in queues.values():
            for _ in range(min(policy.connections, len(queue))):
                group.create_task(_work(queue, client, done))


def _server(url: str) -> str:
    try:
        return URL(url).authority
    except ValueError:
        return ""


async def _work(
    queue: deque[Wanted],
    client: ImageClient,
    done: Callable[[str, Outcome, bytes], None],
) -> None:
    """Fetch the images of one server, one after the other; those without an answer again after all others."""
    policy = client.policy
    while queue:
        each = queue.popleft()
        if each.tries:
            await asyncio.sleep(policy.pause * 2 ** (each.tries - 1))
        outcome, content, may_pass = _unasked(client, each), b"", False
        if outcome is None:
            outcome, content, may_pass = await client.ask(each.url)
            each.tries += 1
        if may_pass and each.tries < policy.tries:
            queue.append(each)
            continue
        outcome, content = checked(each, replace(outcome, tries=each.tries), content)
        done(each.url, outcome, content)


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

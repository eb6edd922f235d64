"""The section ``[fetch]``: how servers are asked for images by URL."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tol_luigi.core.sections import Section, setting
from tol_luigi.core.setting_kinds import Choice, Flag, Formed, Pairs, Place, Whole, Words

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["FetchSection"]


class _Networks(Words):
    """Networks, separated by commas, or None."""

    allowed = "networks such as 10.0.0.0/8, separated by commas, or empty"
    hint = "such as 10.0.0.0/8"

    def parse(self, raw: str) -> tuple[str, ...] | None:
        """Return the value of a text; raise ValueError if it is not allowed."""
        words = super().parse(raw)
        return tuple(str(ipaddress.ip_network(word)) for word in words) if words else None


@dataclass(frozen=True)
class FetchSection(Section):
    """How images by URL are fetched (docs/url-sources.md)."""

    section: ClassVar[str] = "fetch"

    contact: str | None = setting(
        Formed(r"\S+@\S+|https?://\S+", "an email address or a URL"),
        None,
        "an email address or a URL by which the owner of a server can reach you; sent with each request, so required",
    )
    connections: int = setting(Whole(1, 64), 4, "the largest number of requests to a server at once; 1 to 64")
    requests_per_second: int = setting(
        Whole(1, 1000),
        10,
        "the largest number of requests to a server a second; fewer if it refuses some; 1 to 1000",
    )
    servers: tuple[tuple[str, str], ...] = setting(
        Pairs(
            r"[1-9]\d?/[1-9]\d{0,3}",
            "host=connections/requests per second, such as images.example.org=64/400",
        ),
        (),
        "servers with other numbers than these two, such as images.example.org=64/400; separated by commas",
    )
    tries: int = setting(Whole(1, 20), 4, "the largest number of requests for a URL; 1 to 20")
    pause_seconds: int = setting(
        Whole(0, 300), 1, "the delay before the second request for a URL; it doubles each time; 0 to 300"
    )
    timeout_seconds: int = setting(Whole(1, 3600), 60, "the longest time for an image; 1 to 3600")
    max_mib: int = setting(
        Whole(1, 512),
        64,
        "the size of the largest image in MiB; 1 to 512",
        determines=True,
        is_recorded=False,
    )
    max_redirects: int = setting(Whole(0, 20), 5, "the largest number of redirects in a row; 0 to 20")
    obey_opt_out: bool = setting(
        Flag(),
        True,
        "do not use images that a server sends with X-Robots-Tag: noai or noimageai; true or false",
        determines=True,
        is_recorded=False,
    )
    store: str = setting(
        Choice("original", "resized"),
        "original",
        "what the archives contain: images as received (original), or no larger than resized_size (resized)",
        determines=True,
        is_recorded=False,
    )
    resized_size: int = setting(
        Whole(16, 20_000),
        1024,
        "with store = resized, the longest side of an image in pixels; 16 to 20000",
        determines=True,
        is_recorded=False,
    )
    resized_quality: int = setting(
        Whole(1, 100), 95, "the JPEG quality of resized images; 1 to 100", determines=True, is_recorded=False
    )
    private_networks: tuple[str, ...] | None = setting(
        _Networks(), None, "networks that URLs may lead to although they are not public, such as 10.0.0.0/8"
    )
    previous: Path | None = setting(
        Place("folder"),
        None,
        "the folder of an earlier dataset, <root>/<tag>; images that it has fetched from the same URLs are copied",
    )
    shared_budgets: Path | None = setting(
        Place("folder"),
        None,
        "a folder that separate builds share: a server is then asked by one of them at a time",
    )

"""What the settings say of images by URL: which sources have them, and how servers are asked for them."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, cast

import tol_luigi
from tol_luigi.core.errors import SettingsError
from tol_luigi.tasks.previous import PreviousDataset, previous_at
from tol_luigi.tasks.settings_files import where_set

if TYPE_CHECKING:
    from tol_luigi.downloads.server_budget import FetchPolicy
    from tol_luigi.sources.url_reader import UrlReader
    from tol_luigi.tasks.settings import Settings
    from tol_luigi.tasks.settings_files import Origins
    from tol_luigi.tasks.url_sections import FetchSection

__all__ = ["earlier_dataset", "fetch_policy", "fetched_sources", "url_reader", "validate_fetch"]


def fetched_sources(settings: Settings) -> list[str]:
    """Return the names of the sources whose images are fetched by URL."""
    return [
        name
        for name in settings.used
        if settings.plugins[name].is_fetched and name not in settings.reused and not settings.is_demonstration
    ]


def url_reader(settings: Settings, source: str) -> UrlReader:
    """Return the reader of a source whose images are fetched by URL."""
    return cast("UrlReader", settings.sources[source].reader)


def validate_fetch(settings: Settings, origins: Origins) -> None:
    """Raise an error if images are to be fetched without a contact, or the earlier dataset cannot be used."""
    sources = fetched_sources(settings)
    if sources and settings.fetch.contact is None:
        where = where_set("fetch", "contact", origins, "")
        what = "empty, but the owner of a server must be able to reach who sends it thousands of requests"
        raise SettingsError(where, what, "Set it to your email address, or to a page about you")
    if settings.fetch.previous is None:
        return
    where = where_set("fetch", "previous", origins, str(settings.fetch.previous))
    earlier = previous_at(settings.fetch.previous, where)
    if earlier and (what := _unusable(earlier, settings, sources)):
        raise SettingsError(where, what, "Set it to another dataset, or remove it to fetch all images")


def _unusable(earlier: PreviousDataset, settings: Settings, sources: list[str]) -> str:
    """Return why the images of an earlier dataset cannot be kept, "" if they can."""
    if earlier.layout.directory.resolve() == settings.directory.resolve():
        return "it is this dataset itself"
    if (found := earlier.record["format"]) > (own := settings.determining["format"]):
        return f"it was built with a later version of tol_luigi: its format is {found}, not {own}"
    if not any(map(earlier.partitions, sources)):
        return f"it has no images of {', '.join(sources) or 'a source of URLs'}"
    if settings.fetch.obey_opt_out and not earlier.record.get("fetch.obey_opt_out", True):
        return "it was fetched with [fetch] obey_opt_out = false"
    return ""


def earlier_dataset(settings: Settings) -> PreviousDataset | None:
    """Return the earlier dataset whose images are kept, if the settings name one."""
    return previous_at(settings.fetch.previous, "[fetch] previous") if fetched_sources(settings) else None


def fetch_policy(section: FetchSection) -> FetchPolicy:
    """Return how images are fetched."""
    from tol_luigi.downloads.server_budget import FetchPolicy  # noqa: PLC0415 (only where something is fetched)

    return FetchPolicy(
        agent=f"tol_luigi/{tol_luigi.__version__} (+{section.contact})",
        connections=section.connections,
        rate=float(section.requests_per_second),
        tries=section.tries,
        pause=float(section.pause_seconds),
        timeout=float(section.timeout_seconds),
        most_bytes=section.max_mib << 20,
        redirects=section.max_redirects,
        obeys_opt_out=section.obey_opt_out,
        networks=tuple(map(ipaddress.ip_network, section.private_networks or ())),
        servers={host.lower(): _numbers(numbers) for host, numbers in section.servers},
    )


def _numbers(text: str) -> tuple[int, float]:
    connections, _, rate = text.partition("/")
    return int(connections), float(rate)

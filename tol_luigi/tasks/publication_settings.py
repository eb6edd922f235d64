"""The section of what people read of a dataset: title, authors, licence."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tol_luigi.core.digests import json_digest
from tol_luigi.core.sections import Section, setting
from tol_luigi.core.setting_kinds import Formed, Lines
from tol_luigi.report.publication import Publication

if TYPE_CHECKING:
    from tol_luigi.tasks.settings import Settings

__all__ = ["PublicationSection", "publication", "publication_digest"]


class _Day(Formed):
    """A date, or None if the setting is empty."""

    def parse(self, raw: str) -> str | None:
        """Return the value of a text; raise ValueError if it is not allowed."""
        return dt.date.fromisoformat(raw).isoformat() if raw else None


@dataclass(frozen=True)
class PublicationSection(Section):
    """What people read of a dataset: in its card, datasheet, citation file and Croissant metadata. Shards and catalogs stay the same."""

    section: ClassVar[str] = "publication"

    title: str | None = setting(Formed(), None, "the name of the dataset in words")
    description: str | None = setting(Formed(), None, "one paragraph: content and purpose")
    authors: tuple[str, ...] | None = setting(
        Lines(), None, "people as Family, Given, and organisations, one per line"
    )
    license: str | None = setting(
        Formed(r"[A-Za-z0-9.+-]+|https?://\S+", "an SPDX identifier such as CC-BY-4.0, or a URL"),
        None,
        "the licence of texts and tables; images keep their own",
    )
    version: str | None = setting(Formed(r"\S+", "without blanks, such as 1.0.0"), None, "the version")
    date: str | None = setting(
        _Day(r"\d{4}-\d\d-\d\d", "YYYY-MM-DD"),
        None,
        "the day of publication; no build writes the date of its own",
    )
    url: str | None = setting(Formed(r"https?://\S+", "http:// or https://"), None, "where it is published")
    doi: str | None = setting(
        Formed(r"10\.\d{4,9}/\S+", "such as 10.57967/hf/1972"), None, "its DOI, without a resolver"
    )
    contact: str | None = setting(Formed(), None, "whom users can ask")


def publication(settings: Settings) -> Publication:
    """Return what the settings say of the dataset."""
    section = settings.publication
    return Publication(
        title=section.title or "",
        description=section.description or "",
        authors=section.authors or (),
        license=section.license or "",
        version=section.version or "",
        date=section.date or "",
        url=section.url or "",
        doi=section.doi or "",
        contact=section.contact or "",
    )


def publication_digest(settings: Settings) -> str:
    """Return the SHA-256 of what the settings say of the dataset."""
    section = settings.publication
    return json_digest([getattr(section, key) for key in section.settings()])

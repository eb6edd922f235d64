"""What the settings say of a dataset to people: its title, authors and licence."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tol_luigi.core.shards import Shard

__all__ = ["Publication", "markdown_text", "shard_pattern"]

_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+!|~^$:@-])")
"""What can mean something in Markdown, also as the Hugging Face Hub reads it: links, mentions, emojis, formulas."""

_HTML = {ord("&"): "&amp;", ord("<"): "&lt;", ord(">"): "&gt;"}


@dataclass(frozen=True)
class Publication:
    """What is published with a dataset and cannot be counted.

    Attributes:
        title: Its name in words.
        description: One paragraph.
        authors: The people (``Family, Given``) and organisations.
        license: An SPDX identifier or a URL; "" if the images have licences of their own.
        version: The version, or "".
        date: The date of publication as YYYY-MM-DD, or "".
        url: Where it is published, or "".
        doi: Its DOI without a resolver, or "".
        contact: Whom to ask, or "".
    """

    title: str = ""
    description: str = ""
    authors: Sequence[str] = ()
    license: str = ""
    version: str = ""
    date: str = ""
    url: str = ""
    doi: str = ""
    contact: str = ""

    @property
    def heading(self) -> str:
        """The title, or what takes its place. The tag does not: datasets with equal bytes can have several."""
        return self.title or "Labelled images of organisms"

    @property
    def name(self) -> str:
        """The title in letters and digits, for programs."""
        return "-".join(re.findall(r"\w+", self.heading)) or "dataset"

    @property
    def citation(self) -> str:
        """How the dataset is cited, in one line."""
        named = "; ".join(self.authors)
        where = f"https://doi.org/{self.doi}" if self.doi else self.url
        version = f"version {self.version}" if self.version else ""
        parts = [named, self.date[:4], self.heading, version, where]
        return ". ".join(filter(None, parts))

    @property
    def license_url(self) -> str:
        """The licence if it is a URL, or ""."""
        return self.license if "://" in self.license else ""

    @property
    def license_id(self) -> str:
        """The licence if it is an SPDX identifier, or ""."""
        return "" if self.license_url else self.license


def markdown_text(text: str) -> str:
    """Return Markdown that shows a text as it is, in one line: no HTML, no link, no control characters."""
    line = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
    return _SPECIAL.sub(r"\\\1", line.translate(_HTML))


def shard_pattern(shards: Sequence[Shard]) -> str:
    """Return the names of consecutive shards as braces: ``shard-{000000..000099}.tar``."""
    first, last = (shards[place].name.removesuffix(".tar").rpartition("-") for place in (0, -1))
    return f"{first[0]}-{{{first[2]}..{last[2]}}}.tar"

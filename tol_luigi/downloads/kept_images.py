"""The answers of a partition that was fetched before: what is verified is not asked for again."""

from __future__ import annotations

import contextlib
import hashlib
import os
from dataclasses import replace
from typing import IO, TYPE_CHECKING, Any, NamedTuple, Self

from tol_luigi.core.errors import SourceError
from tol_luigi.downloads.fetch_outcomes import Outcome, UrlState
from tol_luigi.downloads.fetch_urls import checked
from tol_luigi.sources import archives
from tol_luigi.sources.url_reader import fetched_archive, fetched_rows

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import TracebackType

    from tol_luigi.core.reader import Member
    from tol_luigi.downloads.fetch_urls import Wanted
    from tol_luigi.downloads.fetched_parts import FetchedParts

__all__ = ["Answers", "KeptImage", "kept_images"]

_OUTCOME = ("reason", "code", "bytes", "sha256", "md5", "type")


class KeptImage(NamedTuple):
    """What became of a URL before.

    Attributes:
        outcome: The outcome; its number of requests is 0.
        archive: The archive with the image.
        offset: Where the image begins in the archive.
        size: Its size in the archive, 0 without an image.
    """

    outcome: Outcome
    archive: Path
    offset: int = 0
    size: int = 0


def kept_images(folder: Path, partition: str, wanted: Mapping[str, Wanted]) -> dict[str, KeptImage]:
    """Return what became of URLs in a partition that was fetched before, by URL.

    An image is returned only if the archive has it with the SHA-256 in the table, and if the listing expects no other
    checksum. If the table or the archive is missing or damaged, fewer are returned.

    Args:
        folder: The folder of the archives of a source.
        partition: The partition.
        wanted: The URLs, with the checksums that the listing expects now.
    """
    archive, found = fetched_archive(folder, partition), dict[str, KeptImage]()
    members = _members(archive)
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(archive.open("rb")) if members else None
        for row in fetched_rows(folder, partition):
            url = row["url"]
            if url not in wanted or url in found or row["excluded"]:
                continue
            outcome = _outcome(row)
            if outcome.sha256 and not _is_expected(wanted[url], outcome):
                continue
            if outcome.state is not UrlState.FETCHED:
                found[url] = KeptImage(outcome, archive)
            elif file and (member := members.get(row["member"])) and _is_intact(file, member, outcome):
                found[url] = KeptImage(outcome, archive, member.offset or 0, member.size)
    return found


def _members(archive: Path) -> dict[str, Member]:
    """Return the members of an archive by name; of a damaged one, those before the damage."""
    members: dict[str, Member] = {}
    with contextlib.suppress(SourceError):
        for found in archives.scan(archive):
            members.setdefault(found.member.name, found.member)
    return members


def _outcome(row: Mapping[str, Any]) -> Outcome:
    ending = f".{row['member'].rpartition('.')[2]}" if row["member"] else ""
    fields = {name: row[name] for name in _OUTCOME}
    return Outcome(UrlState(row["state"]), **fields, ending=ending)


def _is_expected(wanted: Wanted, outcome: Outcome) -> bool:
    """Return whether the content would have the same outcome with the checksums that are expected now."""
    if outcome.state not in {UrlState.FETCHED, UrlState.WRONG_CONTENT}:
        return True
    received = replace(outcome, state=UrlState.FETCHED, reason="")
    return checked(wanted, received, b"")[0] == outcome


def _is_intact(file: IO[bytes], member: Member, outcome: Outcome) -> bool:
    content = os.pread(file.fileno(), member.size, member.offset or 0)
    return hashlib.sha256(content).hexdigest() == outcome.sha256


class Answers:
    """What became of the URLs of a partition: new answers, and those that were kept.

    Args:
        parts: The new answers.
        kept: Earlier ones, of URLs without a new one.
    """

    def __init__(self, parts: FetchedParts, kept: Mapping[str, KeptImage]) -> None:
        self.parts, self.kept = parts, kept
        self._files = contextlib.ExitStack()
        self._archives: dict[Path, IO[bytes]] = {}

    def __enter__(self) -> Self:
        """Open the archives of the kept images, before they are replaced."""
        for archive in dict.fromkeys(image.archive for image in self.kept.values() if image.size):
            self._archives[archive] = self._files.enter_context(archive.open("rb"))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the archives."""
        self._files.close()

    def outcome(self, url: str) -> Outcome:
        """Return what became of a URL."""
        return self.kept[url].outcome if url in self.kept else self.parts.outcomes[url]

    def content(self, url: str) -> bytes:
        """Return the image of a URL."""
        if url not in self.kept:
            return self.parts.content(url)
        image = self.kept[url]
        return os.pread(self._archives[image.archive].fileno(), image.size, image.offset)

"""The answers of a partition that was fetched before: what is verified is not asked for again."""

from __future__ import annotations

import contextlib
import hashlib
import os
from dataclasses import replace
from typing import IO, TYPE_CHECKING, Any, NamedTuple, Self

from tol_luigi.core.errors import SourceError
from tol_luigi.downloads.fetch_outcomes import RECEIVED, Outcome, StoredImage, StoredPart, UrlState
from tol_luigi.downloads.fetch_urls import checked
from tol_luigi.sources import archives
from tol_luigi.sources.url_reader import OUTCOME_COLUMNS, box_of, fetched_archive, fetched_rows

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import TracebackType

    from tol_luigi.core.reader import Member
    from tol_luigi.downloads.fetch_urls import Wanted
    from tol_luigi.downloads.fetched_parts import FetchedParts
    from tol_luigi.sources.url_rows import Box

__all__ = ["Answers", "KeptImage", "kept_images"]


class KeptImage(NamedTuple):
    """What became of a URL before.

    Attributes:
        outcome: The outcome; its number of requests is 0.
        archive: The archive with the image.
        locations: Where it contains the image, by box; what was received is under ``RECEIVED``.
    """

    outcome: Outcome
    archive: Path
    locations: dict[Box | str | None, StoredPart]


def kept_images(
    folder: Path, partition: str, wanted: Mapping[str, Wanted], *, is_stored_alike: bool = True
) -> dict[str, KeptImage]:
    """Return what became of URLs in a partition that was fetched before, by URL.

    An image is returned only if the archive has it with the SHA-256 in the table, if the listing expects no other checksum,
    and if it is stored as it is now, for each of its boxes. If the table or the archive is missing or damaged, fewer are returned.

    Args:
        folder: The folder of the archives of a source.
        partition: The partition.
        wanted: The URLs, with the checksums that the listing expects now.
        is_stored_alike: Whether images were resized as they are now; otherwise only images as received are kept.
    """
    archive, found = fetched_archive(folder, partition), dict[str, KeptImage]()
    members = _members(archive)
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(archive.open("rb")) if members else None
        for row in fetched_rows(folder, partition):
            url = row["url"]
            if url not in wanted or row["excluded"]:
                continue
            outcome = _outcome(row)
            if outcome.sha256 and not _is_expected(wanted[url], outcome):
                continue
            kept = found.setdefault(url, KeptImage(outcome, archive, {}))
            if row["stored"] and not is_stored_alike:
                continue
            key = box_of(row) if row["stored"] else RECEIVED
            digest = row["stored_sha256"] or outcome.sha256
            if (
                file
                and key not in kept.locations
                and (member := members.get(row["member"]))
                and _is_intact(file, member, digest)
            ):
                image = StoredImage(b"", row["stored"], row["image_width"], row["image_height"])
                kept.locations[key] = StoredPart(member.offset or 0, member.size, image)
    return {url: kept for url, kept in found.items() if _has_all(kept, wanted[url])}


def _has_all(kept: KeptImage, wanted: Wanted) -> bool:
    """Return whether all that is stored of an image now is known; it always is if there is no image."""
    is_image = kept.outcome.state is UrlState.FETCHED
    return not is_image or RECEIVED in kept.locations or wanted.boxes <= kept.locations.keys()


def _members(archive: Path) -> dict[str, Member]:
    """Return the members of an archive by name; of a damaged one, those before the damage."""
    members: dict[str, Member] = {}
    with contextlib.suppress(SourceError):
        for found in archives.scan(archive):
            members.setdefault(found.member.name, found.member)
    return members


def _outcome(row: Mapping[str, Any]) -> Outcome:
    return Outcome(UrlState(row["state"]), **{name: row[name] for name in OUTCOME_COLUMNS})


def _is_expected(wanted: Wanted, outcome: Outcome) -> bool:
    """Return whether the content would have the same outcome with the checksums that are expected now."""
    if outcome.state not in {UrlState.FETCHED, UrlState.WRONG_CONTENT}:
        return True
    received = replace(outcome, state=UrlState.FETCHED, reason="")
    return checked(wanted, received, b"")[0] == outcome


def _is_intact(file: IO[bytes], member: Member, digest: str) -> bool:
    content = os.pread(file.fileno(), member.size, member.offset or 0)
    return hashlib.sha256(content).hexdigest() == digest


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
        for archive in dict.fromkeys(image.archive for image in self.kept.values() if image.locations):
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

    def image(self, url: str, box: Box | None) -> StoredImage:
        """Return the image of a URL; of an earlier one, what was received, unless less is stored of it."""
        if url not in self.kept:
            return self.parts.image(url, box)
        kept = self.kept[url]
        part = kept.locations.get(RECEIVED) or kept.locations[box]
        return part.read(self._archives[kept.archive])

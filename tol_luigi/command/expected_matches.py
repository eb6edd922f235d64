"""How many images of each source will match the table that names them, before anything is built."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tol_luigi.core.errors import ArchiveError, MatchError, TolError
from tol_luigi.core.files import read_json
from tol_luigi.core.ledger import State
from tol_luigi.core.matching import EXAMPLES, Match
from tol_luigi.report.matches import match_line, matches_figures, matches_of, missing_value_lines
from tol_luigi.sources.mismatches import find_cause
from tol_luigi.store.listings import read_listing
from tol_luigi.store.matches import known_images
from tol_luigi.tasks.matches import listing_table, names_table, require_matches

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tol_luigi.core.source import Key, Source
    from tol_luigi.tasks.settings import Settings

__all__ = ["Outlook", "outlook"]

_ASKED = 1_000
"""The most images that a published mapping is asked for, of which it has no index by natural key."""

_HELD = 1_000_000
"""The most files of a source that are held in memory, at about 200 bytes each."""


@dataclass
class Outlook:
    """What the names of images will come to.

    Attributes:
        lines: How many images match, a sentence for each source and table.
        troubles: What would stop the build, one line each.
        warnings: What would not, one line each.
    """

    lines: list[str] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


@dataclass
class _Files:
    """Files of a source that can be images.

    Attributes:
        keys: Their natural keys.
        ids: Ids of those that are named by their ids.
        unlisted: Paths of those that the labels do not name.
        is_complete: Whether these are all.
    """

    keys: list[Key] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    unlisted: list[str] = field(default_factory=list)
    is_complete: bool = True

    @property
    def count(self) -> int:
        """How many files there are."""
        return len(self.keys) + len(self.ids) + len(self.unlisted)


def outlook(given: Settings, seconds: float, *, is_checked: bool) -> Outlook:
    """Compare the images of each source with the tables that name them.

    Args:
        given: The settings.
        seconds: For how long to look at sources and tables that no listing or report tells of.
        is_checked: Whether the build has compared them; then its report counts.
    """
    found = Outlook()
    if is_checked:
        figures = read_json(given.layout.matches_report)
        found.lines = [match_line(match) for match in matches_of(figures)]
        found.warnings = missing_value_lines(figures)
    elif not given.is_demonstration:
        sources = [source for name, source in given.sources.items() if name not in given.reused]
        for source in sources:
            _look(given, source, time.monotonic() + seconds / len(sources), found)
    return found


def _look(given: Settings, source: Source, until: float, found: Outlook) -> None:
    """Look at one source, and add what is found."""
    try:
        files = _files(given, source, until)
        for match, is_certain in _matches(given, source, files, until):
            is_sample = not files.is_complete or match.files < files.count
            found.lines.append(f"{match_line(match)}{', of those looked at' if is_sample else ''}")
            try:
                require_matches([match], max(1, given.checks.min_matched_percent))
            except MatchError as error:
                (found.troubles if is_certain else found.warnings).append(str(error))
        missing = {source.name: source.labeler.likely_missing()}
        found.warnings += missing_value_lines(matches_figures([], 0, missing))
    except TolError as error:
        if not isinstance(error, ArchiveError) or given.checks.unreadable_archive == "stop":
            found.troubles.append(str(error))


def _files(given: Settings, source: Source, until: float) -> _Files:
    """List files by the listings if all exist, else by a look at the source, until the time is over or there are too many."""
    files = _Files()
    for key, image, member, state in _listed(given, source):
        if state == State.NOT_IN_MAPPING:
            files.unlisted.append(member)
        elif not state and image:
            files.ids.append(image)
        elif not state and key is not None:
            files.keys.append(key)
        if files.count >= _HELD or time.monotonic() > until:
            files.is_complete = False
            break
    return files


def _listed(given: Settings, source: Source) -> Iterator[tuple[Key | None, str, str, str]]:
    """Yield natural key, id, path and state of each file."""
    names = given.listings(source.name)
    paths = [given.layout.listing(source.name, name) for name in names]
    if all(path.exists() for path in paths):
        keys = [column.name for column in source.columns]
        for rows in itertools.chain.from_iterable(read_listing(path) for path in paths):
            for row in rows:
                key = tuple(row[name] for name in keys)
                yield key, row["id"], row["member"], row["state"]
        return
    for file in itertools.chain.from_iterable(source.reader.scan(name) for name in names):
        yield file.key, file.id, file.member.name, file.state or ""


def _matches(given: Settings, source: Source, files: _Files, until: float) -> Iterator[tuple[Match, bool]]:
    """Yield the matches of a source with what tells its images and with what names them, and whether the build would find the same."""
    keys, is_certain = files.keys, files.is_complete
    table = listing_table(given, source)
    if source.plugin.listing_tables and table:
        yield _with_labels(source, files, *map(str, table)), is_certain
        return
    if table:
        setting, published = table
        ids = files.ids[:_ASKED]
        asked = len(keys[:_ASKED]) + len(ids)
        keys = known_images(published, source.name, source.columns, keys[:_ASKED], ids)
        unlisted = ["/".join(map(str, key)) for key in files.keys[:_ASKED] if key not in keys][:EXAMPLES]
        match = Match(source.name, setting, str(published), asked, len(keys), unmatched_files=unlisted)
        is_certain = is_certain and asked == files.count
        yield match, is_certain and not keys  # otherwise all that it lists may have a file
    setting, path = names_table(given, source)
    if source.plugin.required_table and setting.endswith(source.plugin.required_table) and keys:
        named = _named(source, keys, setting, str(path), until)
        if named:
            yield named, is_certain


def _with_labels(source: Source, files: _Files, setting: str, path: str) -> Match:
    """Compare files with labels that tell which of them are images."""
    matched = {source.labeler.label(key) for key in files.keys}
    labels = list(source.labeler.labels())
    missing = [label for label in labels if label not in matched]
    return Match(
        source.name,
        setting,
        path,
        files.count,
        len(files.keys),
        len(labels) if files.is_complete else None,
        len(matched),
        files.unlisted[:EXAMPLES],
        missing[:EXAMPLES] if files.is_complete else (),
        find_cause(missing, files.unlisted) if missing and files.unlisted else None,
    )


def _named(source: Source, keys: Iterable[Key], setting: str, path: str, until: float) -> Match | None:
    """Compare images with the table that tells what they show; None if it is too long to be read in time."""
    images = Counter(source.labeler.label(key) for key in keys)
    named, others = set[str](), list[str]()
    for label in source.labeler.labels():
        if label in images:
            named.add(label)
        elif len(others) < EXAMPLES:
            others.append(label)
        if time.monotonic() > until:
            return None
    unnamed = [label for label in images if label not in named]
    matched = sum(images[label] for label in named)
    return Match(
        source.name,
        setting,
        path,
        images.total(),
        matched,
        None,
        0,
        unnamed[:EXAMPLES],
        others if unnamed else (),
    )

"""The expected number of images per source that match the table that names them, before the build."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow.parquet as pq

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
    from pathlib import Path

    from tol_luigi.core.source import Key, Source
    from tol_luigi.tasks.settings import Settings

__all__ = ["ExpectedMatches", "expect_matches"]

_MAX_QUERIES = 1_000
"""The maximum number of images looked up in a published mapping, which has no index on natural keys."""

_MAX_FILES = 1_000_000
"""The maximum number of files of a source that are held in memory, at about 200 bytes each."""


@dataclass
class ExpectedMatches:
    """The expected matches of images and tables.

    Attributes:
        lines: How many images match, one sentence per source and table.
        troubles: Errors that would stop the build, one line per error.
        warnings: Problems that would not stop it, one line per problem.
    """

    lines: list[str] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


@dataclass
class _Files:
    """The image files of a source.

    Attributes:
        keys: The natural keys of the files.
        ids: The ids of the files that are named by id.
        unlisted: The paths of the files that the labels do not list.
        is_complete: Whether every file of the source was read.
    """

    keys: list[Key] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    unlisted: list[str] = field(default_factory=list)
    is_complete: bool = True

    @property
    def count(self) -> int:
        """The number of files."""
        return len(self.keys) + len(self.ids) + len(self.unlisted)


def expect_matches(settings: Settings, seconds: float, *, is_checked: bool) -> ExpectedMatches:
    """Compare the images of each source with the tables that name them.

    Args:
        settings: The settings.
        seconds: The time limit for reading sources and tables without a listing or report.
        is_checked: Whether the build has compared them already; then its report is used.
    """
    found = ExpectedMatches()
    if is_checked:
        figures = read_json(settings.layout.matches_report)
        found.lines = [match_line(match) for match in matches_of(figures)]
        found.warnings = missing_value_lines(figures)
    elif not settings.is_demonstration:
        sources = [
            source
            for name, source in settings.sources.items()
            if name not in settings.reused
            and not source.plugin.is_fetched  # whose listing is its table of names
        ]
        for source in sources:
            _match_source(settings, source, time.monotonic() + seconds / len(sources), found)
    return found


def _match_source(settings: Settings, source: Source, deadline: float, found: ExpectedMatches) -> None:
    """Match the images of one source, and add the results to ``found``."""
    try:
        files = _files(settings, source, deadline)
        for match, is_certain in _matches(settings, source, files, deadline):
            is_sample = not files.is_complete or match.files < files.count
            suffix = ", among the files that were read" if is_sample else ""
            found.lines.append(f"{match_line(match)}{suffix}")
            try:
                require_matches([match], max(1, settings.checks.min_matched_percent))
            except MatchError as error:
                (found.troubles if is_certain else found.warnings).append(str(error))
        missing = {source.name: source.labeler.likely_missing()}
        found.warnings += missing_value_lines(matches_figures([], 0, missing))
    except TolError as error:
        if not isinstance(error, ArchiveError) or settings.checks.unreadable_archive == "stop":
            found.troubles.append(str(error))


def _files(settings: Settings, source: Source, deadline: float) -> _Files:
    """Read the files from the listings if all exist, else from the source, within the limits."""
    files = _Files()
    for key, image_id, member, state in _listed(settings, source):
        if state == State.NOT_IN_MAPPING:
            files.unlisted.append(member)
        elif not state and image_id:
            files.ids.append(image_id)
        elif not state and key is not None:
            files.keys.append(key)
        if files.count >= _MAX_FILES or time.monotonic() > deadline:
            files.is_complete = False
            break
    return files


def _listed(settings: Settings, source: Source) -> Iterator[tuple[Key | None, str, str, str]]:
    """Yield the natural key, id, path and state of each file."""
    names = settings.listings(source.name)
    paths = [settings.layout.listing(source.name, name) for name in names]
    if all(map(_is_readable, paths)):
        keys = [column.name for column in source.columns]
        for rows in itertools.chain.from_iterable(read_listing(path) for path in paths):
            for row in rows:
                key = tuple(row[name] for name in keys)
                yield key, row["id"], row["member"], row["state"]
        return
    for file in itertools.chain.from_iterable(source.reader.scan(name) for name in names):
        yield file.key, file.id, file.member.name, file.state or ""


def _is_readable(listing: Path) -> bool:
    """Return whether a listing exists and can be read; the next build makes a damaged one again."""
    try:
        pq.read_metadata(listing)
    except (OSError, ValueError):  # Arrow's errors are of these types
        return False
    return True


def _matches(
    settings: Settings, source: Source, files: _Files, deadline: float
) -> Iterator[tuple[Match, bool]]:
    """Yield the matches of a source with the tables that list and name its images.

    Each comes with whether the build is certain to find the same.
    """
    keys, is_certain = files.keys, files.is_complete
    table = listing_table(settings, source)
    if source.plugin.listing_tables and table:
        yield _with_labels(source, files, *map(str, table)), is_certain
        return
    if table:
        setting, published = table
        ids = files.ids[:_MAX_QUERIES]
        queried = len(keys[:_MAX_QUERIES]) + len(ids)
        keys = known_images(published, source.name, source.columns, keys[:_MAX_QUERIES], ids)
        unlisted = ["/".join(map(str, key)) for key in files.keys[:_MAX_QUERIES] if key not in keys][
            :EXAMPLES
        ]
        match = Match(source.name, setting, str(published), queried, len(keys), unmatched_files=unlisted)
        is_certain = is_certain and queried == files.count
        yield match, is_certain and not keys  # with some matches, every image that it lists may have a file
    setting, path = names_table(settings, source)
    required = source.plugin.required_table
    if required and setting.endswith(required) and keys and source.labeler.has_labels:
        named = _named(source, keys, setting, str(path), deadline)
        if named:
            yield named, is_certain


def _with_labels(source: Source, files: _Files, setting: str, path: str) -> Match:
    """Compare the files with labels that list the images among them."""
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


def _named(source: Source, keys: Iterable[Key], setting: str, path: str, deadline: float) -> Match | None:
    """Compare images with the table of their names; return None if the time limit is too short to read it."""
    images = Counter(source.labeler.label(key) for key in keys)
    named, others = set[str](), list[str]()
    for label in source.labeler.labels():
        if label in images:
            named.add(label)
        elif len(others) < EXAMPLES:
            others.append(label)
        if time.monotonic() > deadline:
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

"""The stage that compares the images of each source with the table that names them, before any shard."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING

from tol_luigi.core.errors import MatchError
from tol_luigi.core.matching import EXAMPLES, Match
from tol_luigi.core.source_names import setting_of
from tol_luigi.report.matches import matches_figures, matches_text, mismatch
from tol_luigi.sources.mismatches import find_cause
from tol_luigi.store.matches import count_outcomes, missing_names, unlisted_names, unnamed_keys
from tol_luigi.store.names import lookup_name
from tol_luigi.tasks.predict import PredictCatalog
from tol_luigi.tasks.reports import ReportTarget
from tol_luigi.tasks.stage import StageTask

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from tol_luigi.core.source import Source
    from tol_luigi.store.matches import OutcomeCounts
    from tol_luigi.tasks.settings import Settings

__all__ = ["CheckMatches", "listing_table", "names_table", "require_matches", "with_names"]


class CheckMatches(StageTask):
    """Count the images that match a name; stop if none match, or fewer than the settings allow."""

    def requires(self) -> PredictCatalog:
        """Require the predicted catalog, and so everything before it."""
        return self.clone(PredictCatalog)

    def files(self) -> list[Path]:
        """Return the figures as JSON and as text."""
        return self._target.files

    @property
    def _target(self) -> ReportTarget:
        return ReportTarget(self.layout.matches_report)

    def reads(self) -> dict[str, Path]:
        """Return the tables of labels, to count the cells that probably mean a missing value."""
        return self.settings.source_tables(lambda plugin: plugin.listing_tables)

    def make(self) -> None:
        """Count the matches, write the report, and check the counts."""
        layout, settings = self.layout, self.settings
        ends = count_outcomes(layout.predicted, layout.names_ledger, layout.mapping_ledger, settings.used)
        matches = [
            match
            for name, source in settings.sources.items()
            for match in (self._listed(source, ends[name]), self._named(source, ends[name]))
            if match
        ]
        kept = sum(end.kept for end in ends.values())
        missing = {name: source.labeler.likely_missing() for name, source in settings.sources.items()}
        figures = matches_figures(matches, kept, missing)
        text = matches_text(figures)
        self._target.write_text(text)  # also if the check fails
        if not kept:
            self._validate_not_empty(matches)
        require_matches(matches, settings.checks.min_matched_percent)
        self._target.write(figures, text)

    def _listed(self, source: Source, ends: OutcomeCounts) -> Match | None:
        """Compare the files with the published mapping or the labels, which list the images of the source."""
        table = listing_table(self.settings, source)
        if table is None:
            return None
        setting, path = table
        files, labels = ends.placed + ends.unlisted, ends.placed + ends.missing
        match = Match(source.name, setting, str(path), files, ends.placed, labels, ends.placed)
        listings = [self.layout.listing(source.name, name) for name in self.settings.listings(source.name)]
        ledger = self.layout.mapping_ledger
        return with_names(
            match,
            lambda: missing_names(ledger, source.name),
            lambda: unlisted_names(ledger, source, listings),
            is_cause_wanted=bool(source.plugin.listing_tables) or self._is_too_little(match),
        )

    def _named(self, source: Source, ends: OutcomeCounts) -> Match:
        """Compare the images with the table that names them."""
        setting, path = names_table(self.settings, source)
        match = Match(source.name, setting, str(path), ends.placed, ends.named)
        if not self._is_too_little(match) or source.plugin.listing_tables:
            return match
        return with_names(
            match,
            source.labeler.labels,
            lambda: (
                source.labeler.label(key)
                for key in unnamed_keys(self.settings.mapping, self.layout.names_ledger, source)
            ),
            is_cause_wanted=True,
        )

    def _is_too_little(self, match: Match) -> bool:
        return not match.matched_files or match.percent < self.settings.checks.min_matched_percent

    def _validate_not_empty(self, matches: Sequence[Match]) -> None:
        """Raise an error, because no image would be written."""
        least = min(matches, key=lambda match: match.percent)
        if not least.files:
            what = f"{least.source} has no image that can be used"
            remedy = f"{self.layout.mapping_ledger} has the reason for each; tol why shows that of one"
            raise MatchError(f"{least.table} = {least.path}", what, remedy)
        if not least.matched_files:
            raise _error(least, "Correct the names or the setting")
        what = "no image would be written, because all that have a name are excluded"
        raise MatchError(self.layout.predicted, what, "See its columns excluded and exclusion")


def listing_table(settings: Settings, source: Source) -> tuple[str, Path] | None:
    """Return the setting and path of the table that lists the images of a source; None if its files do."""
    if source.plugin.listing_tables:
        return names_table(settings, source)
    if settings.published.mapping and source.is_published:
        return "[published] mapping", settings.published.mapping
    return None


def names_table(settings: Settings, source: Source) -> tuple[str, Path]:
    """Return the setting and path of the table that names a source's images, else of the images."""
    published = settings.published.names
    if published and (path := published / lookup_name(source.name)).exists():
        return "[published] names", path
    key = source.plugin.required_table or "images"
    place = getattr(settings.section(source.name), key) or source.reader.images
    return setting_of(source.name, key), place


def with_names(
    match: Match,
    labels: Callable[[], Iterable[str]],
    files: Callable[[], Iterable[str]],
    *,
    is_cause_wanted: bool,
) -> Match:
    """Return a match with examples of the names that do not match, and the cause.

    Args:
        match: The counts.
        labels: Yields the names in the table that match no file.
        files: Yields the names of files that match no name in the table.
        is_cause_wanted: Whether to look for the cause, which takes a while.
    """
    is_both_sided = match.matched_files < match.files and match.matched_labels != match.labels
    return replace(
        match,
        unmatched_files=list(itertools.islice(files(), EXAMPLES)),
        unmatched_labels=list(itertools.islice(labels(), EXAMPLES)),
        cause=find_cause(labels(), files()) if is_cause_wanted and is_both_sided else None,
    )


def require_matches(matches: Iterable[Match], limit: int) -> None:
    """Check that the percentage of matches of each source reaches the limit.

    Raises:
        MatchError: It is below the limit for one source.
    """
    for match in matches:
        if match.percent < limit:
            remedy = f"Correct the names or the setting, or lower [checks] min_matched_percent = {limit}"
            raise _error(match, remedy)


def _error(match: Match, remedy: str) -> MatchError:
    return MatchError(f"{match.table} = {match.path}", mismatch(match), remedy)

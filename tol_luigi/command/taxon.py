"""``tol taxon``: show taxa of a reference taxonomy, and match lists of names."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import json
import sys
from typing import IO, TYPE_CHECKING, Any

from tol_luigi.command.terminal import show
from tol_luigi.core.errors import DatasetError, SettingsError
from tol_luigi.core.exit_code import ExitCode
from tol_luigi.core.files import committed
from tol_luigi.report.taxon_text import candidate_lines, match_summary, taxon_text
from tol_luigi.taxonomy.lookup_store import LOOKUP
from tol_luigi.taxonomy.matched_tables import name_table, write_matches
from tol_luigi.taxonomy.matching import Matcher, MatchStatus
from tol_luigi.taxonomy.opened import Taxonomy

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tol_luigi.taxonomy.matching import NameMatch
    from tol_luigi.taxonomy.reference_taxon import ReferenceTaxon

__all__ = ["taxon"]

_SURE = (MatchStatus.SYNONYM, MatchStatus.CANONICAL, MatchStatus.STEM)
"""The ways of matching in which a name is that of the taxon, as people write it."""


def taxon(arguments: argparse.Namespace) -> int:
    """Print taxa, or match the names of a file."""
    if arguments.file is None:
        for option in ("column", "output"):
            if getattr(arguments, option) is not None:
                raise SettingsError(f"--{option}", "is for lists of names only", "Name the list with --file")
    elif arguments.json:
        raise SettingsError("--json", "is for single names only", "The result of --file is a table")
    taxonomy = _opened(arguments.taxonomy)
    if arguments.file is not None:
        return _match_file(taxonomy, arguments)
    answers = [_Answer.of(taxonomy, name) for name in arguments.names]
    if arguments.json:
        sys.stdout.write(json.dumps([one.as_dict() for one in answers], indent=1, ensure_ascii=False) + "\n")
    else:
        show("\n".join(one.text() for one in answers))
    return ExitCode.COMPLETE if all(one.taxon is not None for one in answers) else ExitCode.NEGATIVE


def _opened(folder: Path | None) -> Taxonomy:
    """Return the taxonomy in a folder, or that of the dataset of the settings.

    Raises:
        DatasetError: There is none.
    """
    if folder is not None:
        return Taxonomy.open(folder)
    # Only here, since reading the settings needs Luigi.
    settings = importlib.import_module("tol_luigi.tasks.settings").settings()
    path: Path = settings.layout.taxonomy
    if not (path / LOOKUP).is_file():
        what = f"there is no reference taxonomy ({LOOKUP} is missing)"
        remedy = "Build one: set [names] method = reference and run tol build. Or name another one with --taxonomy FOLDER"
        raise DatasetError(path, what, remedy)
    return Taxonomy.open(path)


@dataclasses.dataclass(frozen=True)
class _Answer:
    """What was found for a name or an id: one taxon, or several that can be meant."""

    query: str
    taxon: ReferenceTaxon | None
    match: NameMatch | None
    candidates: Sequence[ReferenceTaxon]
    gone: str = ""
    """Why no taxon has an id any more."""

    @classmethod
    def of(cls, taxonomy: Taxonomy, query: str) -> _Answer:
        found = taxonomy.find(query)
        if len(found) == 1:
            one = found[0]
            return cls(query, one, taxonomy.match(query) if one.name != query else None, ())
        if found:
            return cls(query, None, None, found)
        if query.isdecimal():
            row = taxonomy.lookup.deprecated(int(query))
            gone = f"{row['name']} had this id until the last release ({row['reason']})" if row else ""
            return cls(query, None, None, (), gone)
        match = taxonomy.match(query)
        if match.status in _SURE and match.tol_id is not None:
            return cls(query, taxonomy.taxon(match.tol_id), match, ())
        ids = [one.tol_id for one in match.candidates] or [one for one in [match.tol_id] if one is not None]
        return cls(query, None, match, [taxonomy.taxon(tol_id) for tol_id in ids])

    def as_dict(self) -> dict[str, Any]:
        return {
            "query": self.query,
            "taxon": self.taxon.as_dict() if self.taxon else None,
            "match": dataclasses.asdict(self.match) if self.match else None,
            "candidates": [
                {"id": one.id, "name": one.unique_name, "rank": one.rank} for one in self.candidates
            ],
        }

    def text(self) -> str:
        if self.taxon is not None:
            return taxon_text(self.taxon.as_dict(), self.taxon.why, self._note(self.taxon))
        return candidate_lines(
            self.query, self._what(), [(one.id, _described(one)) for one in self.candidates]
        )

    def _note(self, taxon: ReferenceTaxon) -> str:
        if self.match is None or not self.match.is_complete or self.match.status is MatchStatus.EXACT:
            return "" if self.query == taxon.name or self.query.isdecimal() else self.query
        return f"{self.query} ({', '.join(filter(None, [self.match.status, self.match.reason]))})"

    def _what(self) -> str:
        if not self.candidates:
            reason = self.gone or (self.match.reason if self.match else "")
            return f"not found, {reason}" if reason not in {"", "not found"} else "not found"
        if self.match is None:
            return f"{len(self.candidates)} taxa have this name. Name one by its id"
        if self.match.status is MatchStatus.UNKNOWN:
            return (
                "not found" if self.match.reason in {"", "not found"} else f"not found, {self.match.reason}"
            )
        if self.match.status is MatchStatus.PARTIAL:
            return "not found. The nearest taxon above it is"
        return "not found. Similar names"


def _described(taxon: ReferenceTaxon) -> str:
    """Return a name with its rank and family, if the unique name does not have these."""
    if taxon.unique_name != taxon.name:
        return taxon.unique_name
    family = taxon.ranks["family"]
    place = f"{taxon.rank} in {family}" if family and family != taxon.name else taxon.rank
    return f"{taxon.name} ({place})" if place else taxon.name


def _match_file(taxonomy: Taxonomy, arguments: argparse.Namespace) -> int:
    """Match the names of a file; write a summary to standard error."""
    names = name_table(arguments.file, arguments.column)
    matcher = Matcher(taxonomy.lookup)
    with _output(arguments.output) as (file, delimiter):
        counts = write_matches(names, matcher, file, delimiter or names.table.delimiter)
    sys.stderr.write(match_summary(counts, [status.value for status in MatchStatus]) + "\n")
    return ExitCode.COMPLETE if set(counts) - {MatchStatus.UNKNOWN} else ExitCode.NEGATIVE


@contextlib.contextmanager
def _output(path: Path | None) -> Iterator[tuple[IO[str], str]]:
    """Yield the file to write to, and the delimiter that its name asks for, "" if it asks for none."""
    if path is None:
        yield sys.stdout, ""
        return
    with committed(path) as scratch, scratch.open("w", encoding="utf-8", newline="") as file:
        yield file, {".csv": ",", ".tsv": "\t"}.get(path.suffix.lower(), "")

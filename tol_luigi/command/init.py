"""``tol init``: look at a folder of images, ask, and write a settings file."""

from __future__ import annotations

import itertools
import os
import re
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tol_luigi.core.errors import SettingsError, TolError
from tol_luigi.core.setting_kinds import Text
from tol_luigi.report.text import counted
from tol_luigi.sources import SOURCES, archives
from tol_luigi.sources.labels import LabelTable
from tol_luigi.sources.path_names import PathPattern
from tol_luigi.tasks.sections import SECTIONS

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping

    from tol_luigi.core.plugin import SourcePlugin

__all__ = ["init"]

_SECONDS = 10.0
"""How long to look through the images."""

_TABLE_ENDINGS = (".csv", ".tsv", ".txt", ".tab", ".parquet", ".jsonl", ".ndjson")
_EXAMPLES = 3
_SCIENTIFIC = re.compile(r"[A-Z][a-zà-ÿ-]+(?:[_ ][a-zà-ÿ×.-]+){0,3}")  # noqa: RUF001 (the sign of hybrids)
_PATTERNS = (
    "{}_{kingdom}_{phylum}_{class}_{order}_{family}_{genus}_{species}",
    "{name}",
    "{name}/{}",
    "{name}/{}/{}",
)
"""Patterns to try, the first that fits counts: iNat21's, then scientific names at some depth."""

_FITTING = 0.5
"""Which part of the images a pattern or a table has to name."""


@dataclass
class Found:
    """What was found in a folder.

    Attributes:
        images: Paths of images below the folder, or as many as could be listed in time.
        is_complete: Whether these are all.
    """

    images: list[str]
    is_complete: bool

    @property
    def count_text(self) -> str:
        """How many images there are."""
        return f"{'' if self.is_complete else 'at least '}{counted(len(self.images), 'image')}"


def init(given: argparse.Namespace) -> int:
    """Look at the images, ask for what cannot be known, and write a settings file."""
    place = Path(os.path.normpath(Path.cwd() / given.place))
    found = _look(place)
    if not found.images:
        remedy = "Name the folder or archive of the images"
        raise SettingsError(place, "there is no image in it", remedy)
    source, values, lines = _choose(place, found)
    sys.stdout.writelines(f"{line}\n" for line in lines)
    is_asking = sys.stdin.isatty() and not given.yes
    tag = given.tag or _ask("name of the dataset", _as_tag(place.name), is_asking)
    root = _ask("folder to build datasets in", "datasets", is_asking)
    try:
        Text().parse(tag)
    except ValueError as error:
        raise SettingsError(f"--tag {tag}", "not allowed", f"Give {Text.allowed}") from error
    file = Path(given.output or f"{tag}.cfg")
    settings = {"dataset": {"root": root, "tag": tag}, source.name: values}
    try:
        with file.open("x", encoding="utf-8") as target:
            target.writelines(f"{line}\n" for line in _settings_file(settings))
    except FileExistsError as error:
        raise SettingsError(file, "exists already", "Give another name: --output FILE") from error
    sys.stdout.write(f"Written: {file}\nNext:\n  tol plan --config {file}\n  tol build --config {file}\n")
    return 0


def _look(place: Path) -> Found:
    """List images for some seconds."""
    end, images = time.monotonic() + _SECONDS, []
    for found in archives.scan(place):
        if found.state is None:
            images.append(found.member.name)
        if time.monotonic() > end:
            return Found(images, is_complete=False)
    return Found(images, is_complete=True)


def _choose(place: Path, found: Found) -> tuple[SourcePlugin[Any], dict[str, str], list[str]]:
    """Return the source that fits, its settings, and lines that say what was found.

    Raises:
        SettingsError: Nothing names the images.
    """
    lines = [f"{place}: {found.count_text}"]
    for table, matched in _tables(place, found):
        lines.append(f"{table}: names {matched:,} of them")
        return SOURCES["folder"], {"images": str(place), "labels": str(table)}, lines
    for text in _PATTERNS:
        pattern = PathPattern(text)
        names = [names for path in found.images if (names := pattern.match(path))]
        taxa = Counter(
            names.name or " ".join(names.ranks[5:])
            for names in names
            if not names.name or _SCIENTIFIC.fullmatch(names.name)
        )
        if taxa.total() >= _FITTING * len(found.images):
            examples = ", ".join(name for name, _ in taxa.most_common(_EXAMPLES))
            lines.append(f"folders of the form {text}: {counted(len(taxa), 'name')}, such as {examples}")
            if others := len(found.images) - taxa.total():
                lines.append(f"{counted(others, 'image')} in folders of another form")
            values = {"images": str(place)} | ({"pattern": text} if text != "{name}" else {})
            return SOURCES["imagefolder"], values, lines
    remedy = (
        "Put a table with the columns file and name next to the images, or name their folders after taxa "
        "(Corvus_corax/…): docs/own-dataset.md"
    )
    examples = ", ".join(map(repr, found.images[:_EXAMPLES]))
    raise SettingsError(place, f"nothing says what its images show ({examples})", remedy)


def _tables(place: Path, found: Found) -> Iterator[tuple[Path, int]]:
    """Yield the tables in a folder, or next to an archive, that name images in it, with how many."""
    images = set(found.images)
    folder = place if place.is_dir() else place.parent
    tables = sorted(
        path for path in folder.iterdir() if path.suffix.lower() in _TABLE_ENDINGS and path.is_file()
    )
    for table in tables:
        try:
            files = {label.file for label in itertools.islice(LabelTable(table), 1_000_000)}
        except TolError:
            continue  # another table
        matched = len(files & images)
        if matched >= _FITTING * min(len(images), len(files)) > 0:
            yield table, matched


def _as_tag(name: str) -> str:
    """Return a name with the characters that a tag may have."""
    tag = re.sub(r"[^A-Za-z0-9._-]+", "-", name.split(".", maxsplit=1)[0]).strip("-._")
    return tag or "mine"


def _ask(what: str, default: str, is_asking: bool) -> str:
    """Return the answer of a person, or the default."""
    if not is_asking:
        return default
    return input(f"{what} [{default}]: ").strip() or default


def _settings_file(settings: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    """Yield the lines of a settings file, with what each key means as a comment."""
    sections = {section.section: section for section in SECTIONS}
    yield "# Written by tol init. All settings: docs/settings.md, or tol config"
    for name, values in settings.items():
        yield f"\n[{name}]"
        for key, value in values.items():
            yield f"# {sections[name].settings()[key].description}"
            yield f"{key} = {value}"

"""``tol init``: look at folders of images, ask, and write a settings file."""

from __future__ import annotations

import os
import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tol_luigi.core.errors import SettingsError
from tol_luigi.core.setting_kinds import Text
from tol_luigi.core.source_names import as_label, label_of
from tol_luigi.report.text import counted, wrapped
from tol_luigi.sources import SOURCES, archives
from tol_luigi.tasks.sections import sections_with

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping

    from tol_luigi.core.plugin import Suggestion

__all__ = ["init"]

_SECONDS = 10.0
"""How long to look through the images."""

_EXAMPLES = 3


def init(given: argparse.Namespace) -> int:
    """Look at the images, ask for what cannot be known, and write a settings file."""
    places = [Path(os.path.normpath(Path.cwd() / place)) for place in given.places]
    named = _labelled([(place, *_look_at(place)) for place in places])
    is_asking = sys.stdin.isatty() and not given.yes
    whole = places[0] if len(places) == 1 else Path(os.path.commonpath(places))
    tag = given.tag or _ask("name of the dataset", _as_tag(whole.name), is_asking)
    root = _ask("folder to build datasets in", "datasets", is_asking)
    try:
        Text().parse(tag)
    except ValueError as error:
        raise SettingsError(f"--tag {tag}", "not allowed", f"Give {Text.allowed}") from error
    file = Path(given.output or f"{tag}.cfg")
    settings = {"dataset": {"root": root, "tag": tag}, **named}
    try:
        with file.open("x", encoding="utf-8") as target:
            target.writelines(f"{line}\n" for line in _settings_file(settings))
    except FileExistsError as error:
        raise SettingsError(file, "exists already", "Give another name: --output FILE") from error
    sys.stdout.write(f"Written: {file}\nNext:\n  tol plan --config {file}\n  tol build --config {file}\n")
    return 0


def _look_at(place: Path) -> tuple[str, Suggestion]:
    """Return the source that names the images of a place, and its settings; write what was found."""
    images, is_complete = _look(place)
    if not images:
        raise SettingsError(place, "there is no image in it", "Name the folder or archive of the images")
    name, suggestion = _suggestion(place, images)
    count = f"{'' if is_complete else 'at least '}{counted(len(images), 'image')}"
    sys.stdout.writelines(f"{line}\n" for line in [f"{place}: {count}", *wrapped(suggestion.reason)])
    if others := len(images) - suggestion.named:
        sys.stdout.write(f"{counted(others, 'image')} without a name\n")
    return name, suggestion


def _labelled(found: list[tuple[Path, str, Suggestion]]) -> dict[str, Mapping[str, str]]:
    """Return the settings of each place by section; if there are several places, their names are labels."""
    sections: dict[str, Mapping[str, str]] = {}
    for place, name, suggestion in found:
        section = name if len(found) == 1 else f"{name}:{as_label(place.name.split('.', maxsplit=1)[0])}"
        if section in sections:
            what = f"[{section}] is the section of {sections[section]['images']} already"
            raise SettingsError(place, what, "Rename one of them")
        sections[section] = suggestion.settings
    return sections


def _look(place: Path) -> tuple[list[str], bool]:
    """Return paths of images, and whether they are all: a look takes some seconds at most."""
    end, images = time.monotonic() + _SECONDS, []
    for found in archives.scan(place):
        if found.state is None:
            images.append(found.member.name)
        if time.monotonic() > end:
            return images, False
    return images, True


def _suggestion(place: Path, images: list[str]) -> tuple[str, Suggestion]:
    """Return the first source that would name at least half of the images, by its name, and its settings."""
    for name, plugin in SOURCES.items():
        suggestion = plugin.suggest(place, images) if plugin.suggest else None
        if suggestion and suggestion.named * 2 >= len(images):
            return name, suggestion
    remedy = (
        "Put a table with the columns file and name next to the images, or name their folders after taxa "
        "(Corvus_corax/…): docs/own-dataset.md"
    )
    examples = ", ".join(map(repr, images[:_EXAMPLES]))
    raise SettingsError(place, f"nothing says what its images show ({examples})", remedy)


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
    sections = {section.section: section for section in sections_with(filter(label_of, settings))}
    yield "# Written by tol init. All settings: docs/settings.md, or tol config"
    for name, values in settings.items():
        yield f"\n[{name}]"
        for key, value in values.items():
            yield f"# {sections[name].settings()[key].description}"
            yield f"{key} = {value}"

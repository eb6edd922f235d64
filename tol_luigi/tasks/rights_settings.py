"""The settings of rights, and the takedowns that are in force."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from tol_luigi.core.digests import json_digest
from tol_luigi.core.errors import SettingsError
from tol_luigi.core.license_names import UNKNOWN, parse_allowed
from tol_luigi.core.takedowns import merge_takedowns
from tol_luigi.sources.takedowns import read_takedowns
from tol_luigi.tasks.settings_files import where_set

if TYPE_CHECKING:
    from pathlib import Path

    from tol_luigi.core.takedowns import Takedown
    from tol_luigi.tasks.settings import Settings
    from tol_luigi.tasks.settings_files import Origins

__all__ = [
    "allowed_licenses",
    "listed_takedowns",
    "rights_digest",
    "stated_licenses",
    "stated_licenses_input",
    "takedowns_in_force",
    "validate_rights",
    "withholds",
]

_RECORD = (
    "Restore it from a copy, or correct the line; without the file, what it lists is no longer taken down"
)


def validate_rights(settings: Settings, origins: Origins) -> None:
    """Raise an error if an allowed licence is unknown, or a list of takedowns cannot be used."""
    for word in settings.rights.allow or ():
        try:
            parse_allowed(word)
        except ValueError:
            where = where_set("rights", "allow", origins, word)
            what = "it is not the name of a licence"
            remedy = (
                f"Write for example CC0, CC-BY, CC-BY-SA-4.0, public-domain, or {UNKNOWN} (docs/rights.md)"
            )
            raise SettingsError(where, what, remedy) from None
    takedowns_in_force(settings)


def allowed_licenses(settings: Settings) -> frozenset[str]:
    """Return the names of the allowed licences; empty if all are allowed."""
    return frozenset(map(parse_allowed, settings.rights.allow or ()))


def withholds(settings: Settings) -> bool:
    """Return whether images may be left out of their shards because of their rights, now or in an earlier build."""
    layout = settings.layout
    return bool(
        settings.rights.allow
        or any(path.exists() for path, _, _ in _lists(settings))
        or layout.stage_receipt("WithholdImages").exists()
    )


def listed_takedowns(settings: Settings) -> list[tuple[str, Takedown]]:
    """Return the takedowns of all lists, each with its list and line."""
    found = []
    for path, setting, remedy in _lists(settings):
        found += [(f"{path}: line {line}", one) for line, one in _read(path, setting, remedy)]
    return found


def takedowns_in_force(settings: Settings) -> list[Takedown]:
    """Return all takedowns: those of the settings, and those that this dataset or the one it reuses has recorded."""
    return merge_takedowns(one for _, one in listed_takedowns(settings))


def stated_licenses(settings: Settings) -> dict[str, str]:
    """Return the licence that the settings state for all images of a source, by source."""
    return {name: source.license for name, source in settings.sources.items() if source.license}


def stated_licenses_input(settings: Settings) -> dict[str, str]:
    """Return the digest of these licences as an input of a stage; none if there are none, as before there could be any."""
    stated = stated_licenses(settings)
    return {"[…] license": json_digest(stated)} if stated else {}


def rights_digest(settings: Settings) -> str:
    """Return a digest of the allowed licences and the takedowns in force."""
    takedowns = [[one.kind, one.value, one.date, one.reason] for one in takedowns_in_force(settings)]
    return json_digest([sorted(allowed_licenses(settings)), takedowns])


def _lists(settings: Settings) -> list[tuple[Path, str, str]]:
    """Return the existing lists of takedowns, each with its setting and the remedy for a wrong line."""
    lists = [(settings.layout.takedowns, "", _RECORD)]
    if settings.previous:
        lists.append((settings.previous.layout.takedowns, "", _RECORD))
    lists = [one for one in lists if one[0].exists()]
    if settings.rights.takedowns:
        lists.insert(0, (settings.rights.takedowns, "[rights] takedowns", "Correct the line"))
    return lists


def _read(path: Path, setting: str, remedy: str) -> list[tuple[int, Takedown]]:
    try:
        status = path.stat()
    except OSError:
        return read_takedowns(path, setting, remedy)
    return _read_once(path, setting, remedy, status.st_ino, status.st_size, status.st_mtime_ns)


@functools.lru_cache(16)
def _read_once(path: Path, setting: str, remedy: str, *_: int) -> list[tuple[int, Takedown]]:
    return read_takedowns(path, setting, remedy)

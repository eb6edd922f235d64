"""Which files the groups of a job get, given what is in its folder already."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from tol_luigi.core.errors import SettingsError
from tol_luigi.features.d2m.twins import records

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tol_luigi.features.d2m.folders import Folder
    from tol_luigi.features.d2m.jobs import Group, Job

__all__ = ["named_groups"]


def named_groups(job: Job, folder: Folder) -> list[Group]:
    """Return the groups of a job; one that has been written under another name keeps that name.

    dataset2metadata's names depend on how tars are listed: as a list, or as a text with braces.

    Raises:
        SettingsError: Another group of the folder has some of the same tars, so samples would be in it twice.
    """
    files = folder.sizes()
    if all(f"{group.name}.json" in files for group in job.groups):
        return list(job.groups)
    by_tars = {_places(record["tars"]): name for name, record in records(folder).items()}
    names = {group.name for group in job.groups}
    found = []
    for group in job.groups:
        known = by_tars.get(_places(group.tars))
        found.append(dataclasses.replace(group, name=known) if known and known not in names else group)
    own = {group.name for group in found}
    wanted = {place for group in found for place in _places(group.tars)}
    for places, name in by_tars.items():
        if name not in own and (twice := wanted.intersection(places)):
            where = f"{job.file}: output_metadata_dir"
            what = f"{folder.path(name)} has the samples of {min(twice)} already, in a group of other tars"
            raise SettingsError(where, what, f"Remove {name}.*, or name another folder")
    return found


def _places(tars: Iterable[str]) -> tuple[str, ...]:
    return tuple(tar if ":" in tar else str(Path(tar).absolute()) for tar in tars)

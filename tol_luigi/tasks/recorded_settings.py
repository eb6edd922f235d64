"""Settings compared with recorded ones: those that the dataset was started with, and those of the dataset that it reuses."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from tol_luigi.core.errors import SettingsError
from tol_luigi.core.files import read_json
from tol_luigi.core.receipts import read_receipt
from tol_luigi.core.source_names import section_of
from tol_luigi.tasks.settings_files import where_set

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tol_luigi.core.layout import Layout
    from tol_luigi.tasks.settings import Settings
    from tol_luigi.tasks.settings_files import Origins

__all__ = ["can_begin_again", "validate_reuse", "validate_unchanged"]

_SIZE = re.compile(r"\d+ (bytes|files)")
"""What is recorded of a file, and of a list of images."""


def validate_reuse(settings: Settings, origins: Origins) -> None:
    """Raise an error if reused sources of the previous dataset do not fit the settings."""
    if settings.previous is None:
        return
    before, now = settings.previous.record, settings.determining
    for name in settings.reused:
        section = section_of(name)
        keys = [*settings.previous.differences(now), "checks.unreadable_archive", f"{section}.partitions"]
        changes = [_difference(key, before.get(key), now.get(key)) for key in keys]
        lines = [change for key, change in zip(keys, changes, strict=True) if before.get(key) != now.get(key)]
        lines += [f"{key} = {now[key]} requires the images themselves" for key in settings.needs_originals]
        if lines:
            what = f"empty, and {settings.previous.layout.directory} cannot replace it: {'; '.join(lines)}"
            remedy = "Set it to the images, or go back to those settings"
            raise SettingsError(where_set(section, "images", origins, ""), what, remedy)


def validate_unchanged(settings: Settings, origins: Origins) -> None:
    """Raise an error if the dataset was started with other settings, and cannot begin again with these."""
    now = settings.determining  # always computed, because this also checks every source
    started = read_receipt(settings.layout.stage_receipt("StoreSettings"))
    if started and started.settings == settings.digest:
        return  # StoreSettings repairs the record if it is damaged
    where = f"{settings.layout.record}: {where_set('dataset', 'tag', origins, settings.dataset.tag)}"
    remedy = "Choose another tag, go back to those settings, or delete the dataset"
    try:
        before = read_json(settings.layout.record)
    except FileNotFoundError:
        if started is None:
            return
        what = "it is missing, and the dataset was started with other settings"
        raise SettingsError(where, what, remedy) from None
    except (OSError, ValueError) as error:
        what = f"it cannot be read ({' '.join(str(error).split())}), so its settings cannot be compared"
        raise SettingsError(where, what, "Restore it, choose another tag, or delete the dataset") from error
    differences = _differences(before, now)
    if differences and not can_begin_again(settings.layout, before, now):
        what = f"this dataset was started with other settings: {'; '.join(differences)}"
        raise SettingsError(where, what, remedy)


def can_begin_again(layout: Layout, before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Return whether a build may begin again with corrected inputs: it has no shards yet, and only sizes differ.

    Args:
        layout: The paths of the dataset.
        before: The recorded settings.
        now: The settings of this process.
    """
    is_alike = before.keys() == now.keys() and all(
        _without_sizes(key, before[key]) == _without_sizes(key, now[key]) for key in now
    )
    return is_alike and not layout.has_shards


def _without_sizes(key: str, value: Any) -> str:  # noqa: ANN401 (JSON is any)
    return "" if key.startswith("partitions of ") else _SIZE.sub("", json.dumps(value))


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    keys = [*before, *(key for key in now if key not in before)]
    return [
        _difference(key, before.get(key), now.get(key)) for key in keys if before.get(key) != now.get(key)
    ]


def _difference(key: str, before: Any, now: Any) -> str:  # noqa: ANN401 (JSON is any)
    if not isinstance(before, list) or not isinstance(now, list):
        return f"{key} was {before}, is {now}"
    lost = ", ".join(sorted(set(before) - set(now))) or "none"
    new = ", ".join(sorted(set(now) - set(before))) or "none"
    return f"{key}: removed {lost}, added {new}"

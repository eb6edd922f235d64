"""``tol config``: the settings in force, and where each of them comes from."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from tol_luigi.tasks.settings import settings
from tol_luigi.tasks.settings_files import find_origins, known_sections, origin_of, read_sections

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

__all__ = ["config"]


def config(given: argparse.Namespace) -> int:
    """Write the settings as a settings file, or as JSON."""
    settings()  # which checks them as a whole
    rows = [row for row in _rows() if row["origin"] or not given.changed]
    if given.json:
        sys.stdout.write(json.dumps(rows, ensure_ascii=False) + "\n")
    else:
        sys.stdout.writelines(f"{line}\n" for line in _lines(rows))
    return 0


def _rows() -> Iterator[dict[str, Any]]:
    """Yield section, key, value and origin of each setting; the origin of a default is ""."""
    origins = find_origins()
    values = read_sections(origins)
    for section in known_sections(origins):
        name = section.section
        for key, setting in section.settings().items():
            value = getattr(values[name], key)
            text = "" if value is None else setting.kind.serialize(value)
            yield {"section": name, "key": key, "value": text, "origin": origin_of(name, key, origins)}


def _lines(rows: list[dict[str, Any]]) -> Iterator[str]:
    """Yield the lines of a settings file; a comment before each setting that is not a default says where it comes from."""
    section = None
    for row in rows:
        if row["section"] != section:
            if section is not None:
                yield ""
            section = row["section"]
            yield f"[{section}]"
        if row["origin"]:
            yield f"# from {row['origin']}"
        value = row["value"].replace("%", "%%").replace("\n", "\n    ")  # as in a settings file
        yield f"{row['key']} = {value}".rstrip()

"""Format what differs between two releases, as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tol_luigi.report.summary import counts_table
from tol_luigi.report.text import aligned, counted, printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["NOT_COMPARED", "difference_text", "heading", "setting_notes"]

NOT_COMPARED = {
    "other file": "files are not compared, since a catalog has no digests of them (sha256)",
    "other pixels": "pixels are not compared (--pixels)",
}
"""What is said of a change that has not been looked for."""


def difference_text(figures: Mapping[str, Any]) -> str:
    """Return the figures of a difference as text; control characters of names are shown as escapes."""
    rows = [[when, figures[when]["path"], heading(figures[when])] for when in ("before", "now")]
    lines = [f"{when:6}  {printable(path)}: {counts}" for when, path, counts in rows]
    lines += ["", *counts_table("images", _by_source(figures), list(figures["sources"]))]
    lines += [f"{note[0].upper()}{note[1:]}." for note in setting_notes(figures)]
    if figures["moved"]:
        lines += ["", *aligned([["moved", "images"], *_cells(figures["moved"])])]
    if figures["relabelled"]:
        kinds = {
            (rank, kind): n for rank, counts in figures["relabelled"].items() for kind, n in counts.items()
        }
        lines += ["", *counts_table("highest rank", kinds, ["filled", "changed", "emptied"])]
    if figures["names"]:
        lines += ["", "Most frequent changes of names:"]
    for name in figures["names"]:
        lines += [
            f"    {name['images']:,} {name['before'] or 'no name'}",
            f"        now {name['now'] or 'no name'}",
        ]
    for change, examples in figures["examples"].items():
        if examples:
            lines += ["", f"{change.capitalize()}, for example:"]
            lines += [f"    {'  '.join(_example_parts(example))}" for example in examples]
    return "".join(f"{printable(line)}\n" for line in lines)


def heading(side: Mapping[str, Any]) -> str:
    """Return the counts of one release in words."""
    splits = ", ".join(f"{samples:,} of {split}" for split, samples in side["samples"].items())
    samples = counted(sum(side["samples"].values()), "sample")
    return f"{counted(side['images'], 'image')}, {samples} ({splits or 'of no split'})"


def setting_notes(figures: Mapping[str, Any]) -> list[str]:
    """Return what is to be said of changes that were not looked for, and of the settings of images."""
    notes = [NOT_COMPARED[change] for change, count in figures["images"].items() if count is None]
    changed = [
        f"{key} was {_setting(old)}, is {_setting(new)}"
        for key, (old, new) in figures["image_settings"].items()
    ]
    if changed:
        notes.append(f"the settings of images differ, so the pixels of each image can: {'; '.join(changed)}")
    return notes


def _setting(value: object) -> str:
    """Return a setting as it is written in a settings file; one of no value is not set."""
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_setting, value)) or "empty"
    return "not set" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _example_parts(example: Mapping[str, str]) -> list[str]:
    """Return the id of an example, its source, and what it was and is."""
    before, now = example["before"], example["now"]
    what = f"{before}, now {now}" if before and now and before != now else now or before
    return [part for part in (example["id"], example["source"], what) if part]


def _by_source(figures: Mapping[str, Any]) -> dict[tuple[str, str], int]:
    changes = [change for change, count in figures["images"].items() if count is not None]
    return {
        (change, source): counts.get(change, 0)
        for change in changes
        for source, counts in (figures["sources"] or {"": {}}).items()
    }


def _cells(counts: Mapping[str, int]) -> Sequence[list[str]]:
    return [[what, f"{count:,}"] for what, count in counts.items()]

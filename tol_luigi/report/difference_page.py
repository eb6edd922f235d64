"""Write what differs between two releases as one page, which needs no other file and no network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tol_luigi.report.difference import heading, setting_notes
from tol_luigi.report.page_template import rendered

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["difference_page"]


def difference_page(figures: Mapping[str, Any]) -> str:
    """Return the figures of a difference as HTML. The page may load nothing: no name can make it do so."""
    content = {
        "releases": [(when, figures[when]["path"], heading(figures[when])) for when in ("before", "now")],
        "notes": setting_notes(figures),
        "tables": _tables(figures),
    }
    return rendered("difference.html.j2", content)


def _tables(figures: Mapping[str, Any]) -> list[tuple[str, list[str], list[list[str | int]]]]:
    """Return caption, head and rows of each table that has rows."""
    sources = list(figures["sources"])
    changes = [
        [change, *(figures["sources"][source][change] for source in sources), count]
        for change, count in figures["images"].items()
        if count is not None
    ]
    moved = [[way, count] for way, count in figures["moved"].items()]
    labels = [[rank, *kinds.values()] for rank, kinds in figures["relabelled"].items()]
    names = [
        [name["images"], name["rank"], name["before"], name["now"], name["id"]] for name in figures["names"]
    ]
    tables = [
        ("Images", ["change", *sources, "all"], changes),
        ("Moved between splits", ["way", "images"], moved),
        ("Relabelled, by the highest rank that differs", ["rank", "filled", "changed", "emptied"], labels),
        ("Most frequent changes of names", ["images", "rank", "before", "now", "for example"], names),
    ]
    for change, examples in figures["examples"].items():
        caption = f"{change.capitalize()}, for example"
        tables.append((caption, *_example_table(examples)))
    return [table for table in tables if table[2]]


def _example_table(examples: Sequence[Mapping[str, str]]) -> tuple[list[str], list[list[str | int]]]:
    """Return head and rows of examples, without columns that say nothing."""
    columns = {
        name: [example[key] for example in examples]
        for name, key in (("image", "id"), ("source", "source"), ("before", "before"), ("now", "now"))
    }
    if columns["before"] == columns["now"]:
        del columns["before"]
    filled = {name: cells for name, cells in columns.items() if any(cells)}
    return list(filled), [list(row) for row in zip(*filled.values(), strict=True)]

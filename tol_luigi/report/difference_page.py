"""Write what differs between two releases as one page, which needs no other file and no network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tornado.template import Template

from tol_luigi.report.difference import heading, setting_notes
from tol_luigi.report.text import printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["difference_page"]

# Every {{ expression }} is escaped. The page may load nothing: no name can make it do so.
_PAGE = Template(
    """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Differences between two releases</title>
<style>
:root { color-scheme: light dark; font: 100%/1.5 system-ui, sans-serif }
body { margin: 0 auto; max-width: 70rem; padding: 1rem }
section { overflow-x: auto }
table { border-collapse: collapse; margin: 1rem 0 }
caption { font-weight: bold; text-align: left }
th, td { border-bottom: 1px solid #8888; padding: .2rem .8rem .2rem 0; text-align: left; vertical-align: top }
.n { font-variant-numeric: tabular-nums; text-align: right }
code { font-size: 1em; overflow-wrap: anywhere }
</style>
</head>
<body>
<main>
<h1>Differences between two releases</h1>
<dl>
{% for when in ("before", "now") %}
<dt>{{ when }}: <code>{{ text(figures[when]["path"]) }}</code></dt><dd>{{ heading(figures[when]) }}</dd>
{% end %}
</dl>
{% for note in notes %}
<p>Note: {{ text(note) }}.</p>
{% end %}
{% for caption, head, rows in tables %}
<section tabindex="0" aria-label="{{ caption }}">
<table>
<caption>{{ caption }}</caption>
<thead><tr>{% for name, cell in zip(head, rows[0]) %}<th scope="col"{% if isinstance(cell, int) %} class="n"{% end %}>{{ text(name) }}</th>{% end %}</tr></thead>
<tbody>
{% for row in rows %}
<tr>{% for cell in row %}{% if isinstance(cell, int) %}<td class="n">{{ f"{cell:,}" }}</td>{% else %}<td>{{ text(cell) }}</td>{% end %}{% end %}</tr>
{% end %}
</tbody>
</table>
</section>
{% end %}
</main>
</body>
</html>
""",
    whitespace="single",
)


def difference_page(figures: Mapping[str, Any]) -> str:
    """Return the figures of a difference as HTML."""
    page = _PAGE.generate(
        figures=figures,
        heading=heading,
        notes=setting_notes(figures),
        tables=_tables(figures),
        text=printable,
    )
    return page.decode()


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

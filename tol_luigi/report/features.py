"""The report on features as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tol_luigi.report.text import counted, printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["features_text"]

_OK = "ok"


def features_text(figures: Mapping[str, Any]) -> str:
    """Return the figures of the features of a dataset as text."""
    return "".join(f"{line}\n" for name, family in figures.items() for line in _family_lines(name, family))


def _family_lines(name: str, family: Mapping[str, Any]) -> Iterator[str]:
    unusable = {state: count for state, count in family["states"].items() if state != _OK}
    more = "".join(f", {count:,} {state}" for state, count in unusable.items())
    yield f"{name}: {counted(family['rows'], 'sample')}{more}"
    if references := family.get("references"):
        yield f"  references: {counted(references['images'], 'image')}, {references['unusable']:,} of them unusable"
        yield from (
            f"    {printable(one)}: {printable(reason)}" for one, reason in references["reasons"].items()
        )
    for column, content in family["columns"].items():
        yield f"  {column:24} {_content(content)}"


def _content(content: Mapping[str, Any]) -> str:
    if "values" in content:
        return ", ".join(f"{printable(value)} {count:,}" for value, count in content["values"].items())
    if "true" in content:
        return f"true for {content['true']:,} of {content['known']:,}"
    if not content["known"]:
        return "no values"
    middle = content["quantiles"]["0.5"]
    return f"{content['least']:,.6g} to {content['greatest']:,.6g}, median {middle:,.6g}"

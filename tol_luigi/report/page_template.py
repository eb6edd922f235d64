"""Render a page from its template: one file that needs no server and no network."""

from __future__ import annotations

import functools
import importlib.resources
from typing import TYPE_CHECKING, Any

import jinja2
from markupsafe import Markup

from tol_luigi.report.text import human_bytes, printable

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["page_file", "rendered"]

_FOLDER = importlib.resources.files("tol_luigi.report") / "page"


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(lambda name: str(page_file(name))),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        finalize=_visible,
    )
    environment.filters |= {"number": "{:,}".format, "size": human_bytes}
    return environment


def rendered(template: str, content: Mapping[str, Any]) -> str:
    """Return a page. Names in its content appear as text, whatever they contain."""
    return _environment().get_template(template).render({"style": page_file("report.css"), **content})


def page_file(name: str) -> Markup:
    """Return a file of the program that pages contain as it is."""
    return Markup((_FOLDER / name).read_text(encoding="utf-8"))  # noqa: S704 (no data)


def _visible(value: Any) -> Any:  # noqa: ANN401 (whatever a template shows)
    r"""Return a text with characters that a browser does not show as ``\x1b`` and the like."""
    return value if isinstance(value, Markup) or not isinstance(value, str) else printable(value)

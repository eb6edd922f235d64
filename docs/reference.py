"""Write the reference: pages, and the comments of ``luigi.cfg``.

``docs/api.md`` comes from docstrings, ``docs/command-reference.md`` from the texts of ``--help``, and
``docs/settings-reference.md`` and the comments from the descriptions of settings.

    python docs/reference.py

A test checks that all are current.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import inspect
import re
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from docstring_parser import DocstringStyle, parse
from reference_tables import commands_page, settings_page, table

from tol_luigi.core import errors
from tol_luigi.tasks import public
from tol_luigi.tasks.sections import SECTIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import luigi
    from docstring_parser.common import Docstring, DocstringMeta

ROOT = Path(__file__).resolve().parents[1]
SETTINGS = ROOT / "luigi.cfg"
WIDTH = 112

INTRODUCTION = """\
# Python interface

All public classes and functions, from their docstrings (`python docs/reference.py` writes this page). [python.md](python.md) is a guide to
reading datasets, [architecture.md](architecture.md) to plugins.
"""


class Group(NamedTuple):
    """The objects of a section of the page.

    Attributes:
        heading: Its heading.
        module: The module that the objects are imported from.
        names: The objects.
    """

    heading: str
    module: str
    names: tuple[str, ...]


GROUPS = (
    Group("Reading a dataset", "tol_luigi", ("Dataset",)),
    Group("Parts of a dataset", "tol_luigi.dataset", ("Sample", "Catalog", "ImageLicense")),
    Group("The trace of an image", "tol_luigi.report.image_trace", ("ImageTrace",)),
    Group("Building", "tol_luigi", ("settings_from",)),
    Group("Sources of other packages", "tol_luigi.core.plugin", ("SourcePlugin", "Suggestion")),
    Group("Files of a source", "tol_luigi.core.reader", ("Reader", "Found", "Member", "MemberError")),
    Group(
        "Names of a source",
        "tol_luigi.core.source",
        ("Labeler", "NaturalKey", "Column", "Entry", "License"),
    ),
    Group("Stages of other packages", "tol_luigi.tasks.partition_stages", ("PartitionStage", "Sample")),
    Group("Reports of other packages", "tol_luigi.tasks.reports", ("ReportTarget",)),
)

SPECIAL = {
    "__getitem__": "{}[…]",
    "__len__": "len({})",
    "__iter__": "iter({})",
    "__contains__": "… in {}",
}
"""How the special methods of an object are called."""

INTERNAL = {
    "PartitionStage.files",
    "PartitionStage.make",
    "PartitionStage.requires",
    "PartitionStage.table",
    "SourcePlugin.fault",
    "SourcePlugin.labelled",
    "SourcePlugin.open",
}
"""What only the program itself uses."""

ROLE = re.compile(r":\w+:`\.?([^`]+)`")
LITERAL = re.compile(r"``([^`]+)``")


class Documented(NamedTuple):
    """A docstring, taken apart.

    Attributes:
        parsed: Its text and its sections.
        examples: Its sessions, which the parser loses after a section.
    """

    parsed: Docstring
    examples: list[str]

    @property
    def summary(self) -> str:
        """Return the first sentence."""
        return markdown(self.parsed.short_description)

    def named(self, kind: str) -> list[tuple[str, str | None]]:
        """Return names and descriptions in the sections of a kind: ``param`` or ``attribute``."""
        return [(meta.arg_name, meta.description) for meta in self.parsed.params if meta.args[0] == kind]

    def body(self) -> Iterator[str]:
        """Yield the paragraphs."""
        for part in filter(None, (self.parsed.short_description, self.parsed.long_description)):
            yield from map(markdown, inspect.cleandoc(part).split("\n\n"))

    def details(self) -> Iterator[str]:
        """Yield arguments, results, errors and examples, each as a list, paragraph or session."""
        if arguments := self.named("param"):
            yield listed(arguments)
        for meta in self.parsed.many_returns:
            yield f"{'Yields' if meta.is_generator else 'Returns'}: {markdown(result_text(meta))}"
        if raised := [(error.type_name or "", error.description) for error in self.parsed.raises]:
            yield f"Raises:\n\n{listed(raised)}"
        yield from (f"```pycon\n{example}\n```" for example in self.examples)


def documented(thing: object) -> Documented:
    """Return the docstring of a class, function or property, taken apart."""
    paragraphs = (inspect.getdoc(thing) or "").split("\n\n")
    examples = [paragraph for paragraph in paragraphs if paragraph.startswith(">>>")]
    text = "\n\n".join(paragraph for paragraph in paragraphs if paragraph not in examples)
    return Documented(parse(text, DocstringStyle.GOOGLE), examples)


def markdown(text: str | None) -> str:
    """Return a paragraph of a docstring as Markdown, on one line."""
    return " ".join(LITERAL.sub(r"`\1`", ROLE.sub(r"`\1`", text or "")).split())


def annotation(kind: object) -> str:
    """Return a type as it is written in the source."""
    return kind if isinstance(kind, str) else inspect.formatannotation(kind)


def signature(function: Callable[..., Any]) -> str:
    """Return the parameters and the result of a function."""
    found = inspect.signature(function)
    shown: list[str] = []
    is_keyword = False
    for name, parameter in found.parameters.items():
        if name in {"self", "cls"}:
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and not is_keyword:
            shown.append("*")
            is_keyword = True
        text = (
            name if parameter.annotation is parameter.empty else f"{name}: {annotation(parameter.annotation)}"
        )
        shown.append(text if parameter.default is parameter.empty else f"{text} = {parameter.default!r}")
    result = "" if found.return_annotation is found.empty else f" -> {annotation(found.return_annotation)}"
    return f"({', '.join(shown)}){result}"


def listed(entries: Iterable[tuple[str, str | None]]) -> str:
    """Return names and their descriptions as a list."""
    return "\n".join(f"- `{name}`: {markdown(text)}" for name, text in entries)


def result_text(meta: DocstringMeta) -> str:
    """Return the description of a result; the parser takes text before a colon for its type."""
    kind = getattr(meta, "type_name", None)
    return f"{kind}: {meta.description}" if kind else meta.description or ""


def attributes(kind: type) -> list[tuple[str, str | None]]:
    """Return the documented attributes of a class, and its properties."""
    properties = [
        (name, documented(value).parsed.short_description)
        for name, value in vars(kind).items()
        if isinstance(value, property | functools.cached_property)
        and not name.startswith("_")
        and f"{kind.__name__}.{name}" not in INTERNAL
    ]
    return [*documented(kind).named("attribute"), *properties]


def methods(kind: type) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield the public methods of a class, with what a reader writes to call them."""
    for name, value in vars(kind).items():
        function = getattr(value, "__func__", value)
        call = f"{kind.__name__}.{name}"
        if not inspect.isfunction(function) or call in INTERNAL:
            continue
        if not name.startswith("_"):
            yield call, function
        elif name in SPECIAL and not is_generated(kind):
            yield SPECIAL[name].format(kind.__name__), function


def is_generated(kind: type) -> bool:
    """Return whether the special methods of a class are not its own."""
    return dataclasses.is_dataclass(kind) or issubclass(kind, tuple)


def described(name: str, thing: Any) -> Iterator[str]:  # noqa: ANN401 (a class or a function)
    """Yield the parts of the page about a class or a function."""
    text = documented(thing)
    yield f"### `{name}`"
    if not inspect.isclass(thing):
        yield f"```python\n{name}{signature(inspect.unwrap(thing))}\n```"
    yield from text.body()
    yield from text.details()
    if not inspect.isclass(thing):
        return
    if found := attributes(thing):
        yield f"Attributes:\n\n{listed(found)}"
    for call, method in methods(thing):
        yield f"#### `{call}`"
        yield f"```python\n{method.__name__}{signature(method)}\n```"
        yield from documented(method).body()
        yield from documented(method).details()


def tasks() -> str:
    """Return the table of the public tasks with the parameters that a command can give."""
    rows = []
    for name in public.__all__:
        task: type[luigi.Task] = getattr(public, name)
        own = [key.replace("_", "-") for key, value in task.get_params() if value.significant]
        shown = ", ".join(f"`--{key}`" for key in own if key != "dataset")
        rows.append((f"`{name}`", documented(task).summary, shown))
    return table(("task", "what it does", "parameters"), rows)


def failures() -> str:
    """Return the table of the errors."""
    kinds = [getattr(errors, name) for name in errors.__all__]
    rows = [(f"`{kind.__name__}`", f"`{kind.__base__.__name__}`", documented(kind).summary) for kind in kinds]
    return table(("error", "kind of", "meaning"), rows)


def page() -> str:
    """Return the page of the Python interface."""
    parts = [INTRODUCTION.strip()]
    for group in GROUPS:
        parts.append(f"## {group.heading}")
        parts.append(f"```python\n{_import(group)}\n```")
        module = importlib.import_module(group.module)
        for name in group.names:
            parts.extend(described(name, getattr(module, name)))
    parts += [
        "## Tasks",
        "`tol_luigi` has these tasks, for `luigi --module tol_luigi` and `luigi.build`:",
        tasks(),
    ]
    parts += ["## Errors", "They are in `tol_luigi.core.errors`.", failures()]
    return "\n\n".join(parts) + "\n"


def _import(group: Group) -> str:
    """Return the statement that imports the objects of a section, as ruff formats it."""
    line = f"from {group.module} import {', '.join(group.names)}"
    if len(line) <= WIDTH:
        return line
    names = "".join(f"    {name},\n" for name in group.names)
    return f"from {group.module} import (\n{names})"


def comment(description: str) -> str:
    """Return the description of a setting as a comment."""
    is_file = bool(re.match(r"\w+[._]\w", description))  # names of files keep their case
    sentence = description if is_file else description[0].upper() + description[1:]
    return "\n".join(f"# {line}" for line in textwrap.wrap(sentence, WIDTH - 2, break_on_hyphens=False))


def with_comments(settings: str) -> str:
    """Return a settings file with the description of each key of the program as a comment before the key."""
    known = {section.section: section.settings() for section in SECTIONS}
    keys: dict[str, Any] = {}
    lines: list[str] = []
    above: list[str] = []
    for line in settings.splitlines():
        if line.startswith("#"):
            above.append(line)
            continue
        key = line.partition("=")[0].strip()
        is_known = "=" in line and key in keys
        lines += [comment(keys[key].description)] if is_known else above
        lines.append(line)
        above = []
        if line.startswith("["):
            keys = dict(known.get(line.strip("[]"), {}))
    return "\n".join([*lines, *above]) + "\n"


PAGES = {
    "api.md": page,
    "command-reference.md": commands_page,
    "settings-reference.md": settings_page,
}
"""What makes each page."""


def main() -> None:
    """Write the pages and the settings file."""
    for name, made in PAGES.items():
        (ROOT / "docs" / name).write_text(made(), encoding="utf-8")
    SETTINGS.write_text(with_comments(SETTINGS.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()

"""The tables of all settings and of all commands, for the pages that ``docs/reference.py`` writes."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from tol_luigi.command.parser import parser
from tol_luigi.tasks.sections import SECTIONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tol_luigi.core.sections import Section, Setting

__all__ = ["commands_page", "settings_page", "table"]

_WRITTEN = "`python docs/reference.py` writes this page"

_SETTINGS = f"""# All settings

{_WRITTEN} from the descriptions of the settings. [settings.md](settings.md) explains what needs explaining. A key with * determines the
bytes of the dataset: it cannot change in a dataset that has shards."""

_COMMANDS = f"""# All options of `tol`

{_WRITTEN} from the help texts of the command. [commands.md](commands.md) is a guide with examples. Every subcommand has `--help`
and takes `--config FILE`, as `tol` does."""


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Return a table in Markdown."""
    lines = [f"| {' | '.join(line)} |" for line in (head, *rows)]
    return "\n".join([lines[0], f"|{'---|' * len(head)}", *lines[1:]])


def settings_page() -> str:
    """Return the page of all settings, a section after the other."""
    parts = [_SETTINGS, *(part for section in SECTIONS for part in _section(section))]
    return "\n\n".join(parts) + "\n"


def _section(section: type[Section]) -> Iterator[str]:
    yield f"## `[{section.section}]`"
    yield " ".join((section.__doc__ or "").split())
    rows = [
        (f"`{key}`{'*' if one.determines else ''}", _default(one), _cell(one.description))
        for key, one in section.settings().items()
    ]
    yield table(("key", "default", "meaning"), rows)


def _default(setting: Setting) -> str:
    text = "" if setting.default is None else setting.kind.serialize(setting.default)
    return f"`{_cell(text)}`" if text else ""


def commands_page() -> str:
    """Return the page of all subcommands and their options."""
    parts = [_COMMANDS]
    for name, command in _subcommands(parser()):
        parts.extend(_command(f"tol {name}", command))
    return "\n\n".join(parts) + "\n"


def _subcommands(of: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    for action in of._actions:  # noqa: SLF001 (argparse has no public list)
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            yield from action.choices.items()


def _command(name: str, command: argparse.ArgumentParser) -> Iterator[str]:
    yield f"## `{name}`"
    yield f"```\n{command.description}\n\n{command.epilog}\n```"
    shown = [
        action
        for action in command._actions  # noqa: SLF001
        if action.dest not in {"help", "config"} and not isinstance(action, argparse._SubParsersAction)  # noqa: SLF001
    ]
    if shown:
        yield table(("argument or option", "meaning"), [(_names(action), _help(action)) for action in shown])
    for part, inner in _subcommands(command):
        yield from _command(f"{name} {part}", inner)


def _names(action: argparse.Action) -> str:
    """Return an option with its value, or the name of an argument, as a user writes it."""
    metavar = action.metavar or action.dest.upper()
    value = "{" + ",".join(map(str, action.choices)) + "}" if action.choices else str(metavar)
    if not action.option_strings:
        return f"`{_cell(value)}`"
    shown = "" if action.nargs == 0 else f" {value}"
    return f"`{_cell(', '.join(action.option_strings) + shown)}`"


def _help(action: argparse.Action) -> str:
    return _cell((action.help or "").replace("%%", "%"))


def _cell(text: str) -> str:
    """Return a text as the content of a cell of a table, in one line."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")

"""``tol completion``: a script with which a shell completes commands, options, files and names of settings."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    Subcommands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 (no public name)

__all__ = ["add_completion", "completion"]

_TEXT = """\
Write a script with which a shell completes commands, options, files and the
names of settings after --set. For bash, add to ~/.bashrc:
  eval "$(tol completion bash)"
For zsh, write it to a file _tol in a folder of fpath; for fish, to
~/.config/fish/completions/tol.fish."""

_BASH = """
# A value follows the name of a setting, so no space.
_tol() {
  _shtab_tol
  [[ ${COMPREPLY-} != *= ]] || compopt -o nospace
}
complete -o bashdefault -F _tol tol
"""


def add_completion(subcommands: Subcommands) -> None:
    """Add the subcommand."""
    result = subcommands.add_parser(
        "completion",
        help="a script with which a shell completes this command",
        description=_TEXT,
        epilog="example:\n  tol completion bash",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    result.set_defaults(function="completion:completion")
    result.add_argument("shell", choices=("bash", "zsh", "fish"), help="the shell")


def completion(given: argparse.Namespace) -> int:
    """Write the script for a shell."""
    import shtab  # noqa: PLC0415 (only here; and the parser imports this module)

    from tol_luigi.command.parser import parser  # noqa: PLC0415 (as above)

    root = parser()
    completers = {"FILE": shtab.FILE, "FOLDER": shtab.FILE, "SECTION.KEY=VALUE": _settings_completer()}
    for action in _actions(root):
        _describe_shortly(action)
        if isinstance(action.metavar, str) and action.metavar in completers:
            action.complete = completers[action.metavar]  # type: ignore[attr-defined]  # what shtab reads
    sys.stdout.write(shtab.complete(root, given.shell))
    if given.shell == "bash":
        sys.stdout.write(_BASH)
    return 0


def _actions(of: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Yield the options and arguments of a parser and of its subcommands."""
    for action in of._actions:  # noqa: SLF001 (no public name)
        yield action
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            for below in action.choices.values():
                yield from _actions(below)


def _describe_shortly(action: argparse.Action) -> None:
    """Describe subcommands as their list does: shtab takes the first line of their descriptions, which ends anywhere."""
    if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 (no public name)
        for listed in action._choices_actions:  # noqa: SLF001
            action.choices[listed.dest].description = listed.help


def _settings_completer() -> dict[str, Any]:
    """Return what shtab needs to complete the names of all settings."""
    from tol_luigi.tasks.sections import SECTIONS  # noqa: PLC0415 (not every subcommand needs it)

    names = [f"{section.section}.{key}" for section in SECTIONS for key in section.settings()]
    return {
        "bash": "_tol_settings",
        "zsh": "_tol_settings",
        "fish": " ".join(f"{name}=" for name in names),
        "preamble": {
            "bash": f'_tol_settings() {{\n  compgen -S = -W "{" ".join(names)}" -- "$1"\n}}',
            "zsh": f"_tol_settings() {{\n  compadd -S = -- {' '.join(names)}\n}}",
        },
    }

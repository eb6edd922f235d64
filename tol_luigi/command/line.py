"""The command ``tol``.

The module of a subcommand is imported only when the subcommand runs. So ``tol --help`` is fast, and a
subcommand works even if another one lacks a dependency. Above all, this module does not import Luigi, which
reads the settings files on import: ``--config`` names one before that.
"""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from typing import TYPE_CHECKING

from tol_luigi.command.parser import parser
from tol_luigi.core.errors import SettingsError
from tol_luigi.core.exit_code import ExitCode

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["main"]

_CONFIG = "LUIGI_CONFIG_PATH"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: The arguments without the name of the command; the arguments of the process if None.

    Returns:
        The exit code.
    """
    parsed = parser().parse_args(arguments)
    module, _, function = parsed.function.partition(":")
    try:
        if parsed.config:
            _read_settings_from(parsed.config)
        if settings := getattr(parsed, "set", None):
            importlib.import_module("tol_luigi.tasks.settings_files").override(settings)
        return int(getattr(importlib.import_module(f"tol_luigi.command.{module}"), function)(parsed))
    except BrokenPipeError:  # for example in `tol status | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.COMPLETE
    except Exception as error:  # noqa: BLE001 (each error says whether to fix or to report it)
        error_lines = importlib.import_module("tol_luigi.tasks.error_lines")
        message = error_lines.clear_error(error)
        if not message:
            traceback.print_exc()
            message = f"{error_lines.BUG}."
        importlib.import_module("tol_luigi.command.terminal").show_error(f"tol: {message}")
        return ExitCode.UNHANDLED_EXCEPTION
    except KeyboardInterrupt:
        sys.stderr.write("tol: interrupted. Nothing finished is lost: run the same command to resume.\n")
        return ExitCode.INTERRUPTED


def _read_settings_from(path: Path) -> None:
    """Set the environment variable for Luigi, which reads it only once, on import.

    If Luigi is imported already, run the command again.
    """
    config = str(path.absolute())
    if not path.is_file():
        raise SettingsError(
            f"--config {path}", "file not found", "Pass the path of an existing settings file"
        )
    if os.environ.get(_CONFIG) != config:
        os.environ[_CONFIG] = config
        if "luigi" in sys.modules:
            sys.stdout.flush()
            os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 (this command)

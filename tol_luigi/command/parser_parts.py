"""What the subcommands share: how one is added, and options that several take."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from tol_luigi.command.argument_types import positive

if TYPE_CHECKING:
    Subcommands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 (no public name)

__all__ = ["add_config", "add_jobs", "add_json", "add_overrides", "add_run", "add_subcommand"]


def add_config(to: argparse.ArgumentParser, default: str | None) -> None:
    """Add ``--config``, which is accepted before and after the subcommand."""
    to.add_argument(
        "--config",
        metavar="FILE",
        type=Path,
        default=default,
        help="settings file to read instead of LUIGI_CONFIG_PATH",
    )


def add_subcommand(
    subcommands: Subcommands, name: str, function: str, *, brief: str, text: str, example: str
) -> argparse.ArgumentParser:
    """Add a subcommand; ``function`` is what it runs, as ``<module>:<name>``."""
    result = subcommands.add_parser(
        name,
        help=brief,
        description=text,
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    result.set_defaults(function=function)
    add_config(result, default=argparse.SUPPRESS)  # if absent, it keeps a value given before the subcommand
    return result


def add_json(to: argparse.ArgumentParser) -> None:
    """Add ``--json``."""
    to.add_argument("--json", action="store_true", help="print JSON instead of text")


def add_run(to: argparse.ArgumentParser, verb: str) -> None:
    """Add what all subcommands take that run tasks."""
    to.set_defaults(verb=verb)
    add_jobs(to, "tasks to run")
    add_overrides(to)


def add_jobs(to: argparse.ArgumentParser, what: str, default: int | None = None) -> None:
    """Add ``--jobs``, by default as many as there are cores."""
    to.add_argument(
        "-j",
        "--jobs",
        type=positive,
        metavar="N",
        default=default or len(os.sched_getaffinity(0)),
        help=f"how many {what} at a time (default: {default or 'as many as there are cores'})",
    )


def add_overrides(to: argparse.ArgumentParser) -> None:
    """Add ``--set``."""
    to.add_argument(
        "--set",
        metavar="SECTION.KEY=VALUE",
        action="append",
        default=[],
        help="a setting, in place of the one in the settings file; may be repeated",
    )

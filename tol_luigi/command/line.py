"""The command line: its verbs and what each of them takes.

A verb's work is imported when it is called for, so that ``tol --help`` is quick, and so that one verb
works whatever another one needs.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from tol_luigi import __version__
from tol_luigi.core.errors import SettingsError
from tol_luigi.core.exit_code import ExitCode
from tol_luigi.tasks.error_lines import BUG, clear_error

if TYPE_CHECKING:
    from collections.abc import Sequence

    Verbs = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 (it has no public name)

__all__ = ["main", "parser"]

_CONFIG = "LUIGI_CONFIG_PATH"
_ABOUT = """\
Plans, submits and follows the build of a dataset, and tells what became of each image.

Settings are read where luigi reads them: luigi.cfg in the current folder, then the
file that LUIGI_CONFIG_PATH, or --config, names."""

_CODES = """\
exit codes: 0 all is well, 1 the answer is no, 2 wrong usage, 40 wrong settings or another error;
those of a verb are told by its --help."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: Without the command's name; by itself those that the process was given.

    Returns:
        The exit code.
    """
    given = parser().parse_args(arguments)
    module, _, function = given.does.partition(":")
    try:
        if given.config:
            _read_settings_from(given.config)
        if settings := getattr(given, "set", None):
            importlib.import_module("tol_luigi.tasks.settings_files").override(settings)
        return int(getattr(importlib.import_module(f"tol_luigi.command.{module}"), function)(given))
    except BrokenPipeError:  # as of `tol status | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.COMPLETE
    except Exception as error:  # noqa: BLE001 (whatever it is, the user is told whether to fix or to report it)
        known = clear_error(error)
        sys.stderr.write(f"tol: {known}\n" if known else f"{traceback.format_exc()}tol: {BUG}.\n")
        return ExitCode.UNHANDLED_EXCEPTION
    except KeyboardInterrupt:
        sys.stderr.write("tol: interrupted. Nothing finished is lost: run the same command to resume.\n")
        return ExitCode.INTERRUPTED


def _read_settings_from(path: Path) -> None:
    """Begin again with the environment variable set: luigi reads it once, while it is being imported."""
    named = str(path.absolute())
    if not path.is_file():
        raise SettingsError(f"--config {path}", "there is no such file", "Name a settings file that exists")
    if os.environ.get(_CONFIG) != named:
        os.environ[_CONFIG] = named
        sys.stdout.flush()
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 (this very command)


def parser() -> argparse.ArgumentParser:
    """Describe all verbs."""
    made = argparse.ArgumentParser(
        prog="tol",
        description=_ABOUT,
        epilog=_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--version", action="version", version=f"tol_luigi {__version__}")
    _add_config(made, default=None)
    verbs = made.add_subparsers(title="verbs", metavar="VERB", required=True)
    for add in (
        _add_init,
        _add_build,
        _add_verify,
        _add_settings,
        _add_check,
        _add_plan,
        _add_submit,
        _add_status,
        _add_retry,
        _add_stop,
        _add_why,
        _add_parts,
    ):
        add(verbs)
    return made


def _add_config(to: argparse.ArgumentParser, default: str | None) -> None:
    """Take ``--config`` before the verb and after it; after it, nothing given changes nothing."""
    to.add_argument(
        "--config",
        metavar="FILE",
        type=Path,
        default=default,
        help="the settings file, in place of LUIGI_CONFIG_PATH",
    )


def _verb(
    verbs: Verbs, name: str, does: str, *, brief: str, text: str, example: str
) -> argparse.ArgumentParser:
    made = verbs.add_parser(
        name,
        help=brief,
        description=text,
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.set_defaults(does=does)
    _add_config(made, default=argparse.SUPPRESS)
    return made


def _add_json(to: argparse.ArgumentParser) -> None:
    to.add_argument("--json", action="store_true", help="the same as JSON, for programs")


def _add_run(to: argparse.ArgumentParser, verb: str) -> None:
    """Add what all verbs take that run tasks."""
    to.set_defaults(verb=verb)
    to.add_argument(
        "-j",
        "--jobs",
        type=_positive,
        metavar="N",
        default=len(os.sched_getaffinity(0)),
        help="how many tasks to run at a time (default: as many as there are cores)",
    )
    _add_overrides(to)


def _add_overrides(to: argparse.ArgumentParser) -> None:
    to.add_argument(
        "--set",
        metavar="SECTION.KEY=VALUE",
        action="append",
        default=[],
        help="a setting, in place of the one in the settings file; may be repeated",
    )


def _positive(text: str) -> int:
    """Return a number of at least one."""
    if not text.isascii() or not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text}: not a number of at least 1")
    return int(text)


def _add_init(verbs: Verbs) -> None:
    made = _verb(
        verbs,
        "init",
        "init:init",
        brief="write a settings file for a folder of images of your own",
        text="Look at a folder or archive of images. Names are taken from a table in it (CSV,\n"
        "TSV, Parquet, JSON lines; a column file, and ranks or a column name), or else\n"
        "from folders that are named after taxa. Ask for the rest on a terminal.\n"
        "exit codes: 0 written, 40 nothing names the images",
        example="tol init photos\n  tol init photos --tag pond-v1 --yes",
    )
    made.add_argument("place", metavar="FOLDER", help="a folder or archive of images")
    made.add_argument("--tag", help="the name of the dataset (default: asked for, or the folder's name)")
    made.add_argument("--output", metavar="FILE", help="the settings file (default: <tag>.cfg)")
    made.add_argument("--yes", action="store_true", help="ask nothing")


def _add_build(verbs: Verbs) -> None:
    made = _verb(
        verbs,
        "build",
        "build:build",
        brief="build the dataset",
        text="Build the dataset, or what is missing of it. Show a bar for each stage at work,\n"
        "one line for each finished stage, and the summary last. Everything that tasks\n"
        "report is in <dataset>/logs. Ctrl-C stops; the same command resumes.\n"
        "exit codes: 0 the dataset is complete, 30 a task has failed, 130 interrupted",
        example="tol build --config my.cfg -j 8 --set dataset.tag=v2",
    )
    _add_run(made, "build")


def _add_verify(verbs: Verbs) -> None:
    made = _verb(
        verbs,
        "verify",
        "build:verify",
        brief="verify a finished dataset, and repair it",
        text="Compare every file of the dataset with what it should be.\n"
        "exit codes: 0 all is well, 30 something is not",
        example="tol verify --level pixels --repair",
    )
    made.add_argument(
        "--level",
        choices=("receipt", "members", "pixels", "sources"),
        default="members",
        help="receipt: file sizes; members: every byte (default); pixels: decode every image, too; "
        "sources: compare with the source files, too",
    )
    made.add_argument("--repair", action="store_true", help="remove damaged files and build them again")
    _add_run(made, "verify")


def _add_settings(verbs: Verbs) -> None:
    made = _verb(
        verbs,
        "config",
        "config:config",
        brief="the settings in force, and where each comes from",
        text="Write all settings as a settings file. A comment before a setting that is not a\n"
        "default names the file that sets it. Checks the settings as a build does.\n"
        "exit codes: 0 they are right, 40 they are not",
        example="tol config --changed",
    )
    made.add_argument("--changed", action="store_true", help="only what is not a default")
    _add_overrides(made)
    _add_json(made)


def _add_check(verbs: Verbs) -> None:
    made = _verb(
        verbs,
        "check",
        "check:check",
        brief="read settings, tables and names of images before a build",
        text="Read all settings and every table as a build does, and compare names with\n"
        "images: how many match, which do not, and the likely cause. Writes no file.\n"
        "exit codes: 0 a build can begin, 40 something has to be corrected",
        example="tol check --config my.cfg",
    )
    _add_overrides(made)


def _add_plan(verbs: Verbs) -> None:
    made = _verb(
        verbs,
        "plan",
        "plan:plan",
        brief="what would run, and what it costs",
        text="Tell what would run, how much it reads and writes, how long the processors\n"
        "have to work for it, and whether disk and quota have room. Writes nothing.\n"
        "exit codes: 0 there is room, 1 there is not",
        example="tol plan --config my.cfg",
    )
    made.add_argument(
        "--seconds",
        type=float,
        default=20.0,
        metavar="N",
        help="how long to look through folders of images before guessing (default: 20)",
    )
    _add_json(made)


def _add_submit(verbs: Verbs) -> None:
    made = _verb(
        verbs,
        "submit",
        "cluster:submit",
        brief="submit the whole build to Slurm",
        text="Submit luigid, the workers and the foreman, as [slurm] of the settings says.",
        example="tol submit --dry-run",
    )
    made.add_argument("--dry-run", action="store_true", help="show what would be submitted")


def _add_status(verbs: Verbs) -> None:
    made = _verb(
        verbs,
        "status",
        "status:status",
        brief="how far the build is",
        text="Tell how far the build is, what is being worked on, and what has failed and why.\n"
        "Asks luigid where one is up; what the dataset's files tell, it tells without.\n"
        "exit codes: 0 the dataset is complete, 25 it is not yet, 30 a task has failed",
        example="tol status --follow",
    )
    made.add_argument("--follow", action="store_true", help="tell it again and again, until the build ends")
    made.add_argument(
        "--every", type=float, default=10.0, metavar="SECONDS", help="how often, with --follow (default: 10)"
    )
    _add_json(made)


def _add_retry(verbs: Verbs) -> None:
    _verb(
        verbs,
        "retry",
        "cluster:retry",
        brief="have failed tasks tried again, after a repair",
        text="Have every failed task of the run tried again, with all its tries.",
        example="tol retry",
    )


def _add_stop(verbs: Verbs) -> None:
    _verb(
        verbs,
        "stop",
        "cluster:stop",
        brief="stop the build; it can be gone on with",
        text="Stop the run: workers finish what they are at, and leave, and luigid after them.\n"
        "Jobs that wait in Slurm's queue are cancelled. `tol submit` goes on from there.",
        example="tol stop",
    )


def _add_why(verbs: Verbs) -> None:
    made = _verb(
        verbs,
        "why",
        "why:why",
        brief="the life of one image",
        text="Tell where an image comes from, how it has got its id and its name, which split\n"
        "it is in, and in which shard it is, or why in none.\n"
        "exit codes: 0 it is known, 1 it is not",
        example="tol why 0b6c1dc4-6f18-5f2d-8f44-3ff0ad8d3b0b\n  tol why 12784812/51655800",
    )
    made.add_argument(
        "image",
        metavar="IMAGE_ID",
        help="its id, the name of its file, or its natural key, such as 12784812/51655800",
    )
    made.add_argument(
        "--names",
        action="store_true",
        help="name it once more, and tell what each table gave; reads the tables",
    )
    _add_json(made)


def _add_parts(verbs: Verbs) -> None:
    """Add what the scripts in ``sbatch/`` run."""
    _verb(
        verbs,
        "luigid",
        "cluster:luigid",
        brief="be the scheduler of the build",
        text="Be the luigid of the build, until it is over; where it listens stands in\n<dataset>/run/address.json.",
        example="tol luigid --config my.cfg",
    )
    worker = _verb(
        verbs,
        "worker",
        "cluster:worker",
        brief="be one of the workers of the build",
        text="Run tasks that luigid hands out. SIGTERM hands the task back and leaves; SIGUSR1\n"
        "finishes it and leaves.",
        example="tol worker --idle-seconds 60",
    )
    worker.add_argument(
        "--idle-seconds",
        type=float,
        metavar="N",
        help="leave after so long without a task, not as [cluster] says",
    )
    _verb(
        verbs,
        "foreman",
        "cluster:foreman",
        brief="give the build to luigid, and wait for its end",
        text="Tell luigid what is to be done, and wait for the end. The exit code is that of\n"
        "the build: 0 the dataset is complete, 30 a task has failed.",
        example="tol foreman",
    )

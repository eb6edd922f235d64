"""``tol features --yml``, and the command ``dataset2metadata``: run a job of dataset2metadata."""

from __future__ import annotations

import argparse
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import luigi
from luigi.execution_summary import LuigiStatusCode

from tol_luigi.core.errors import SettingsError
from tol_luigi.core.exit_code import ExitCode
from tol_luigi.report.text import counted
from tol_luigi.tasks import luigi_command as luigi_command  # noqa: PLC0414 (imported for exit codes and errors of tasks)
from tol_luigi.tasks.tars import ExtractTars, prepared_job

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["features_yml", "main"]


def features_yml(given: argparse.Namespace) -> int:
    """Compute the features of the tars that a file of settings of dataset2metadata lists."""
    models = tuple(_model(text) for text in given.models)
    prepared = prepared_job(given.yml, models)
    run_id = secrets.token_hex(8) if prepared.job.reprocess else ""
    tasks = [
        ExtractTars(yml=str(given.yml), group=name, models=models, run_id=run_id) for name in prepared.groups
    ]
    waiting = [task for task in tasks if not task.complete()]
    if not waiting:
        sys.stdout.write(
            f"Nothing to do: {counted(len(tasks), 'group')} of tars complete in {prepared.job.output}\n"
        )
        return ExitCode.COMPLETE
    prepared.folder.clean()
    # A GPU has memory for the models of one task.
    devices = prepared.job.devices
    jobs = given.jobs if devices == ("cpu",) else len(devices)
    result = luigi.build(
        waiting,
        workers=min(jobs, len(waiting)),
        local_scheduler=True,
        log_level="CRITICAL",
        detailed_summary=True,
    )
    failed = [task for task in waiting if not task.complete()]
    if failed:
        sys.stderr.write(
            f"{len(failed)} of {counted(len(tasks), 'group')} of tars failed. Run the same command to resume\n"
        )
        return ExitCode.TASK_FAILED
    if result.status not in (LuigiStatusCode.SUCCESS, LuigiStatusCode.SUCCESS_WITH_RETRY):
        return ExitCode.NOT_RUN
    sys.stdout.write(prepared.summary())
    sys.stdout.write(f"{counted(len(tasks), 'group')} of tars complete in {prepared.job.output}\n")
    return ExitCode.COMPLETE


def _model(text: str) -> str:
    """Return ``<name>=<path>`` with an absolute path."""
    name, sign, path = (part.strip() for part in text.partition("="))
    if not (name and sign and path):
        raise SettingsError(f"--models {text}", "it is not of the form <name>=<path>", "Correct it")
    absolute = Path(path).expanduser().absolute()
    if not absolute.exists():
        raise SettingsError(
            f"--models {text}", "the path does not exist", "Name the file or folder of the model"
        )
    return f"{name}={absolute}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command ``dataset2metadata``, with the options that it has, and those of ``tol features --yml``."""
    from tol_luigi.command import line  # noqa: PLC0415 (the command that this one is a part of)

    parser = argparse.ArgumentParser(
        prog="dataset2metadata", description="Compute features of WebDataset tars: tol features --yml FILE."
    )
    parser.add_argument("file", nargs="?", metavar="FILE", help="the file of settings")
    parser.add_argument("--yml", "--yml_path", metavar="FILE", help="the same")
    known, others = parser.parse_known_args(arguments)
    if (known.file is None) == (known.yml is None):
        parser.error("name one file of settings")
    return line.main(["features", "--yml", known.yml or known.file, *others])

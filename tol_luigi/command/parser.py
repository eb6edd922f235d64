"""The parser of the command line: its subcommands and their options."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from tol_luigi import __version__
from tol_luigi.command.argument_types import nonempty, port
from tol_luigi.command.bench_verb import add_bench
from tol_luigi.command.completion import add_completion
from tol_luigi.command.feature_verbs import add_features, add_search, add_select
from tol_luigi.command.parser_parts import add_config, add_json, add_overrides, add_run, add_subcommand
from tol_luigi.command.release_verbs import add_diff, add_export, add_publish

if TYPE_CHECKING:
    from tol_luigi.command.parser_parts import Subcommands

__all__ = ["parser"]

_DESCRIPTION = """\
Plan, submit and follow the build of a dataset, and trace what happened to an image.

Settings are read from luigi.cfg in the current folder, then from the file in
LUIGI_CONFIG_PATH or --config, as luigi does."""

_EXIT_CODES = """\
exit codes: 0 success, 1 negative answer, 2 wrong usage, 40 wrong settings or another error;
see the --help of a subcommand for its other exit codes."""


class _Version(argparse.Action):
    """Print the version, and what decodes and resizes images on this machine."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from tol_luigi.core.jpeg_decoding import decoder_label, decoder_name  # noqa: PLC0415 (loads Pillow)
        from tol_luigi.core.resampling import kernel_label, kernel_name  # noqa: PLC0415 (as above)

        decoder, kernel = decoder_label(decoder_name()), kernel_label(kernel_name())
        print(f"tol_luigi {__version__}, JPEGs decoded by {decoder}, images resized by {kernel}")  # noqa: T201
        parser.exit()


def parser() -> argparse.ArgumentParser:
    """Build the parser of all subcommands."""
    result = argparse.ArgumentParser(
        prog="tol",
        description=_DESCRIPTION,
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    result.add_argument(
        "--version", action=_Version, nargs=0, help="show the version and what resizes images, and exit"
    )
    add_config(result, default=None)
    subcommands = result.add_subparsers(title="subcommands", metavar="COMMAND", required=True)
    for add in (
        _add_init,
        _add_build,
        _add_verify,
        add_features,
        add_select,
        add_search,
        add_diff,
        add_export,
        add_publish,
        _add_settings,
        _add_check,
        _add_plan,
        _add_submit,
        _add_status,
        _add_retry,
        _add_refetch,
        _add_stop,
        _add_why,
        _add_browse,
        _add_taxon,
        add_bench,
        _add_parts,
        add_completion,
    ):
        add(subcommands)
    return result


def _add_init(subcommands: Subcommands) -> None:
    result = add_subcommand(
        subcommands,
        "init",
        "init:init",
        brief="write a settings file for a folder of images of your own",
        text="Look at a folder or archive of images. Names are taken from a table in it (CSV,\n"
        "TSV, Parquet, JSON lines; a column file, and ranks or a column name), or else\n"
        "from folders that are named after taxa. Ask for the rest on a terminal. Several\n"
        "folders become collections of one dataset, labelled with their names.\n"
        "exit codes: 0 written, 40 nothing names the images",
        example="tol init photos\n  tol init pond lake --tag waters-v1 --yes",
    )
    result.add_argument("places", metavar="FOLDER", nargs="+", help="a folder or archive of images")
    result.add_argument("--tag", help="the name of the dataset (default: asked for, or the folder's name)")
    result.add_argument("--output", metavar="FILE", help="the settings file (default: <tag>.cfg)")
    result.add_argument("--yes", action="store_true", help="ask nothing")


def _add_build(subcommands: Subcommands) -> None:
    result = add_subcommand(
        subcommands,
        "build",
        "build:build",
        brief="build the dataset",
        text="Build the dataset, or what is missing of it. Show a bar for each stage at work,\n"
        "one line for each finished stage, and the summary last. Everything that tasks\n"
        "report is in <dataset>/logs. Ctrl-C stops; the same command resumes.\n"
        "exit codes: 0 the dataset is complete, 30 a task has failed, 130 interrupted",
        example="tol build --config my.cfg -j 8 --set dataset.tag=v2",
    )
    add_run(result, "build")


def _add_verify(subcommands: Subcommands) -> None:
    result = add_subcommand(
        subcommands,
        "verify",
        "build:verify",
        brief="verify a finished dataset, and repair it",
        text="Compare every file of the dataset with what it should be.\n"
        "exit codes: 0 all is well, 30 something is not",
        example="tol verify --level pixels --repair",
    )
    result.add_argument(
        "--level",
        choices=("receipt", "bytes", "members", "pixels", "sources"),
        default="members",
        help="receipt: file sizes; bytes: checksums; members: every sample, too (default); pixels: decode every image, too; "
        "sources: compare with the source files, too",
    )
    result.add_argument("--repair", action="store_true", help="remove damaged files and build them again")
    add_run(result, "verify")


def _add_settings(subcommands: Subcommands) -> None:
    result = add_subcommand(
        subcommands,
        "config",
        "config:config",
        brief="the settings in force, and where each comes from",
        text="Write all settings as a settings file. A comment before a setting that is not a\n"
        "default names the file that sets it. Checks the settings as a build does.\n"
        "exit codes: 0 they are right, 40 they are not",
        example="tol config --changed",
    )
    result.add_argument("--changed", action="store_true", help="only what is not a default")
    add_overrides(result)
    add_json(result)


def _add_check(subcommands: Subcommands) -> None:
    result = add_subcommand(
        subcommands,
        "check",
        "check:check",
        brief="read settings, tables and names of images before a build",
        text="Read all settings and every table as a build does, and compare names with\n"
        "images: how many match, which do not, and the likely cause. Writes no file.\n"
        "exit codes: 0 a build can begin, 40 something has to be corrected",
        example="tol check --config my.cfg",
    )
    add_overrides(result)


def _add_plan(subcommands: Subcommands) -> None:
    result = add_subcommand(
        subcommands,
        "plan",
        "plan:plan",
        brief="show what would run, and its cost",
        text="Show what would run, how much it reads and writes, how much processor time it\n"
        "takes, and whether disk and quota have enough space. Write nothing.\n"
        "exit codes: 0 the build can run, 1 there is too little space or an error\n"
        "would stop the build",
        example="tol plan --config my.cfg",
    )
    result.add_argument(
        "--seconds",
        type=float,
        default=20.0,
        metavar="N",
        help="how long to read unlisted sources before estimating the rest (default: 20)",
    )
    add_overrides(result)
    add_json(result)


def _add_submit(subcommands: Subcommands) -> None:
    result = add_subcommand(
        subcommands,
        "submit",
        "cluster:submit",
        brief="submit the build to Slurm",
        text="Submit luigid, the foreman and the workers to Slurm with the options in\n"
        "[slurm] of the settings file.",
        example="tol submit --dry-run",
    )
    result.add_argument("--dry-run", action="store_true", help="print the sbatch commands only")


def _add_status(subcommands: Subcommands) -> None:
    result = add_subcommand(
        subcommands,
        "status",
        "status:status",
        brief="show the progress of the build",
        text="Show the progress of the build, the running tasks, and the failed tasks with\n"
        "their causes. Running tasks are shown only while luigid is running; the rest is\n"
        "read from the files of the dataset.\n"
        "exit codes: 0 the dataset is complete, 25 it is incomplete, 30 a task has failed",
        example="tol status --follow",
    )
    result.add_argument("--follow", action="store_true", help="repeat until the build ends")
    result.add_argument(
        "--every", type=float, default=10.0, metavar="SECONDS", help="interval of --follow (default: 10)"
    )
    add_overrides(result)
    add_json(result)


def _add_retry(subcommands: Subcommands) -> None:
    add_subcommand(
        subcommands,
        "retry",
        "cluster:retry",
        brief="retry failed tasks",
        text="Retry every failed task of the run, with its full number of attempts.",
        example="tol retry",
    )


def _add_refetch(subcommands: Subcommands) -> None:
    result = add_subcommand(
        subcommands,
        "refetch",
        "refetch:refetch",
        brief="ask again for images by URL that were not received",
        text="Have the next build ask again for the URLs in some states, and for no other: all\n"
        "images and other answers are kept. Partitions that are not fetched completely\n"
        "are not counted: a build asks for what they lack anyway.",
        example="tol refetch\n  tol refetch --states gone,forbidden",
    )
    result.add_argument(
        "--states",
        metavar="STATES",
        type=lambda text: [word.strip() for word in text.split(",") if word.strip()],
        help="states, separated by commas (default: those that come from servers, such as timed_out)",
    )
    add_overrides(result)
    add_json(result)


def _add_stop(subcommands: Subcommands) -> None:
    add_subcommand(
        subcommands,
        "stop",
        "cluster:stop",
        brief="stop the build, to resume it later",
        text="Stop the run: workers stop after their current tasks, then luigid stops.\n"
        "Pending Slurm jobs are cancelled. `tol submit` resumes the build.",
        example="tol stop",
    )


def _add_why(subcommands: Subcommands) -> None:
    result = add_subcommand(
        subcommands,
        "why",
        "trace:trace",
        brief="trace one image",
        text="Show where an image comes from, how it got its id and its name, its split, and\n"
        "its shard or the reason why it is in none.\n"
        "exit codes: 0 the image is known, 1 it is not, or several images match",
        example="tol why 0b6c1dc4-6f18-5f2d-8f44-3ff0ad8d3b0b\n  tol why 12784812/51655800",
    )
    result.add_argument(
        "image",
        metavar="IMAGE",
        type=nonempty,
        help="id, path, file name or natural key of the image, such as 12784812/51655800",
    )
    result.add_argument(
        "--names",
        action="store_true",
        help="apply the naming rule again, and show the result of each table; reads the tables",
    )
    add_overrides(result)
    add_json(result)


def _add_browse(subcommands: Subcommands) -> None:
    result = add_subcommand(
        subcommands,
        "browse",
        "browse:browse",
        brief="look at finished datasets in a browser",
        text="Serve a page on this machine that searches datasets by name, id, taxon, state\n"
        "and SQL condition, and shows the images of their shards and what happened to\n"
        "each of them. Two datasets are shown side by side. Nothing is written into a\n"
        "dataset: an index of it, made once, is in ~/.cache/tol_luigi/browse.\n"
        "exit codes: 0 ended by Ctrl-C, 40 a folder is not a finished dataset",
        example="tol browse build/dev\n  tol browse build/v1 build/v2 --port 8000",
    )
    result.add_argument(
        "datasets",
        metavar="DATASET",
        nargs="*",
        type=Path,
        help="the folder of a dataset, <root>/<tag> (default: the dataset of the settings)",
    )
    result.add_argument("--port", type=port, default=0, metavar="N", help="the port (default: any free one)")
    result.add_argument(
        "--host",
        metavar="ADDRESS",
        type=nonempty,
        default="127.0.0.1",
        help="the address to listen on (default: 127.0.0.1, which only this machine can reach)",
    )
    result.add_argument(
        "--open",
        action=argparse.BooleanOptionalAction,
        help="open the page in a browser (default: on a terminal of a desktop)",
    )
    result.add_argument(
        "--cache", metavar="FOLDER", type=Path, help="the folder of the indexes (default: in ~/.cache)"
    )


def _add_taxon(subcommands: Subcommands) -> None:
    result = add_subcommand(
        subcommands,
        "taxon",
        "taxon:taxon",
        brief="look up taxa, and match lists of names",
        text="Show taxa of a reference taxonomy: lineage, sources, synonyms, conflicts, and\n"
        "the reasons for their places. Or match a list of names: write its table with\n"
        "the taxon, its lineage, status, score and reason for each row. The columns\n"
        "kingdom to genus, if there are any, decide between taxa of one name.\n"
        "exit codes: 0 found, 1 a name has no taxon, or several; for a list: none has one",
        example="tol taxon 'Apis mellifera'\n  tol taxon --file names.csv --output matched.csv",
    )
    queries = result.add_mutually_exclusive_group(required=True)
    queries.add_argument(
        "names",
        metavar="NAME|ID",
        nargs="*",
        type=nonempty,
        default=(),
        help="a scientific or common name, an id, or an id of a source, such as ncbi:7460",
    )
    queries.add_argument("--file", metavar="FILE", type=Path, help="a CSV or TSV file with a list of names")
    result.add_argument(
        "--column",
        metavar="COLUMN",
        help="the column with the names (default: scientificName, name, or ranks)",
    )
    result.add_argument(
        "--output", metavar="FILE", type=Path, help="the table to write (default: standard output)"
    )
    result.add_argument(
        "--taxonomy",
        metavar="FOLDER",
        type=Path,
        help="folder of the reference taxonomy (default: that of the dataset, <root>/<tag>/taxonomy)",
    )
    add_json(result)


def _add_parts(subcommands: Subcommands) -> None:
    """Add the subcommands that the scripts in ``sbatch/`` run."""
    add_subcommand(
        subcommands,
        "luigid",
        "cluster:luigid",
        brief="run the scheduler of the build",
        text="Run luigid until the build ends. Its address is written to\n<dataset>/run/address.json.",
        example="tol luigid --config my.cfg",
    )
    worker = add_subcommand(
        subcommands,
        "worker",
        "cluster:worker",
        brief="run a worker of the build",
        text="Run the tasks that luigid assigns. SIGTERM returns the task to luigid and stops\n"
        "the worker; SIGUSR1 stops it after the task.",
        example="tol worker --idle-seconds 60",
    )
    worker.add_argument(
        "--idle-seconds",
        type=float,
        metavar="N",
        help="stop after N seconds without a task, instead of [cluster] idle_seconds",
    )
    add_subcommand(
        subcommands,
        "foreman",
        "cluster:foreman",
        brief="schedule the build, and wait for its end",
        text="Schedule the build with luigid, and wait for its end.\n"
        "exit codes: 0 the dataset is complete, 25 it is incomplete, 30 a task has failed",
        example="tol foreman",
    )

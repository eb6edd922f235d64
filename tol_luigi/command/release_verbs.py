"""The subcommands on finished datasets: ``tol diff``, ``tol export`` and ``tol publish``."""

from __future__ import annotations

from argparse import ArgumentTypeError
from pathlib import Path
from typing import TYPE_CHECKING

from tol_luigi.command.argument_types import nonempty, positive
from tol_luigi.command.parser_parts import add_jobs, add_json, add_overrides, add_subcommand

if TYPE_CHECKING:
    from tol_luigi.command.parser_parts import Subcommands

__all__ = ["add_diff", "add_export", "add_publish"]

_SENT_AT_ONCE = 4
_PART_MIB, _SMALLEST_PART = 64, 5


def _part_mib(text: str) -> int:
    """Return a size of parts, which S3 limits."""
    value = positive(text)
    if value < _SMALLEST_PART:
        raise ArgumentTypeError(f"{text}: S3 allows no parts of less than {_SMALLEST_PART} MiB")
    return value


def add_diff(subcommands: Subcommands) -> None:
    """Add ``tol diff``."""
    result = add_subcommand(
        subcommands,
        "diff",
        "diff:diff",
        brief="show what differs between two releases",
        text="Compare two releases image by image, by id: images added, removed, moved between\n"
        "splits, relabelled (by the highest rank that differs), made from another file.\n"
        "exit codes: 0 compared, 1 with --exit-code: they differ",
        example="tol diff v1 v2\n  tol diff published/catalog.csv build/v2 --page diff.html",
    )
    what = "the folder of a dataset, its tag, a folder with a catalog, or a catalog (CSV, Parquet)"
    result.add_argument("before", metavar="A", type=nonempty, help=f"the first release: {what}")
    result.add_argument("now", metavar="B", type=nonempty, help="the second release, in the same ways")
    result.add_argument("--pixels", action="store_true", help="compare images, too; reads all shards")
    result.add_argument(
        "--examples",
        type=positive,
        metavar="N",
        default=10,
        help="the most examples of a change (default: 10)",
    )
    result.add_argument("--page", type=Path, metavar="FILE", help="also write the report as an HTML page")
    result.add_argument("--exit-code", action="store_true", help="exit with 1 if any image differs")
    add_json(result)


def add_export(subcommands: Subcommands) -> None:
    """Add ``tol export``."""
    result = add_subcommand(
        subcommands,
        "export",
        "export:export",
        brief="convert finished shards to another format",
        text="Convert the shards of a finished dataset, without decoding images: to Parquet as\n"
        "Hugging Face has it, to MDS of MosaicML Streaming, to Lance, or to a folder of\n"
        "images with tables. The same command resumes, and converts only what has\n"
        "changed since.\n"
        "exit codes: 0 the export is complete",
        example="tol export parquet exported/v1\n  tol export mds exported/mds --split val -j 4",
    )
    result.add_argument(
        "format",
        metavar="FORMAT",
        choices=("parquet", "mds", "lance", "folder"),
        help="parquet, mds, lance or folder",
    )
    result.add_argument("destination", metavar="DEST", type=Path, help="the folder for the export")
    result.add_argument(
        "--dataset",
        metavar="FOLDER",
        type=nonempty,
        help="the folder of the dataset, or its tag (default: the dataset of the settings)",
    )
    result.add_argument(
        "--split",
        metavar="NAME",
        action="append",
        default=[],
        help="a split or selection to export; may be repeated (default: all splits)",
    )
    add_jobs(result, "shards to convert")


def add_publish(subcommands: Subcommands) -> None:
    """Add ``tol publish``."""
    result = add_subcommand(
        subcommands,
        "publish",
        "publish:run",
        brief="send the dataset to a folder, S3 or the Hugging Face Hub",
        text="Send all files that the manifest lists to DEST, and verify them by checksum.\n"
        "Only what differs is sent, the dataset card last. After an interruption, the\n"
        "same command resumes. Needs 'tol_luigi[publish]', except for a folder.\n"
        "exit codes: 0 everything is at DEST, 40 something is not, 130 interrupted",
        example="tol publish /shared/datasets/dev\n  tol publish s3://bucket/dev --dry-run\n"
        "  tol publish hf://datasets/owner/name",
    )
    result.add_argument(
        "destination",
        metavar="DEST",
        type=nonempty,
        help="a folder, a URL that fsspec knows such as s3://bucket/folder, or hf://datasets/OWNER/NAME",
    )
    result.add_argument("--dry-run", action="store_true", help="only list what would be sent, with its size")
    result.add_argument(
        "--delete",
        action="store_true",
        help="remove files of an earlier publication that the dataset no longer has",
    )
    add_jobs(result, "files to send", _SENT_AT_ONCE)
    result.add_argument(
        "--part-mib",
        type=_part_mib,
        metavar="N",
        default=_PART_MIB,
        help="on S3, the size of the parts of a file, of which only one is sent again after a cut "
        f"(default: {_PART_MIB}, at least {_SMALLEST_PART})",
    )
    add_overrides(result)
    add_json(result)

"""The subcommand ``publish`` of the command line."""

from __future__ import annotations

from argparse import ArgumentTypeError
from typing import TYPE_CHECKING

from tol_luigi.command.argument_types import nonempty, positive
from tol_luigi.command.parser_parts import add_json, add_overrides, add_subcommand

if TYPE_CHECKING:
    from tol_luigi.command.parser_parts import Subcommands

__all__ = ["add_publish"]

_JOBS, _PART_MIB = 4, 64
_SMALLEST_PART = 5


def _part_mib(text: str) -> int:
    """Return a size of parts, which S3 limits."""
    value = positive(text)
    if value < _SMALLEST_PART:
        raise ArgumentTypeError(f"{text}: S3 allows no parts of less than {_SMALLEST_PART} MiB")
    return value


def add_publish(subcommands: Subcommands) -> None:
    """Add ``publish``."""
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
    result.add_argument(
        "-j",
        "--jobs",
        type=positive,
        metavar="N",
        default=_JOBS,
        help=f"files to send at a time (default: {_JOBS})",
    )
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

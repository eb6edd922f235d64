"""The subcommands on finished datasets: ``tol diff``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tol_luigi.command.argument_types import nonempty, positive
from tol_luigi.command.parser_parts import add_json, add_subcommand

if TYPE_CHECKING:
    from tol_luigi.command.parser_parts import Subcommands

__all__ = ["add_diff"]


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

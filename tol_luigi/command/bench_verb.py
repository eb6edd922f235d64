"""The subcommand ``tol bench``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tol_luigi.command.argument_types import positive
from tol_luigi.command.parser_parts import add_json, add_subcommand

if TYPE_CHECKING:
    from tol_luigi.command.parser_parts import Subcommands

__all__ = ["CASE_NAMES", "add_bench"]

CASE_NAMES = ("decode", "resize", "encode", "sample", "pack", "stage")
"""The names of the cases, which ``tol_luigi.bench.cases`` has; importing that takes as long as the rest of ``tol --help``."""


def add_bench(subcommands: Subcommands) -> None:
    """Add ``tol bench``."""
    result = add_subcommand(
        subcommands,
        "bench",
        "bench:bench",
        brief="measure what images cost on this machine",
        text="Measure the processor time of an image in each step, and of packing as a whole,\n"
        "next to Pillow, to OpenCV as img2dataset uses it (if cv2 is installed) and to\n"
        "the published method. The variants of a case run in turn; their ratios depend\n"
        "little on other work on the machine. Files are written in a temporary folder.",
        example="tol bench\n  tol bench --images photos --cases sample stage --json",
    )
    result.add_argument(
        "--images",
        metavar="PLACE",
        type=Path,
        help="a folder or archive, of which up to 100 images are measured (default: images are drawn)",
    )
    result.add_argument(
        "--cases",
        metavar="CASE",
        nargs="+",
        choices=CASE_NAMES,
        default=CASE_NAMES,
        help="decode, resize, encode; sample: the three together; pack: shards from files; "
        "stage: shards that are also checked and listed (default: all)",
    )
    result.add_argument(
        "--seconds",
        metavar="N",
        type=positive,
        default=180,
        help="about how long to measure; a case takes at least two rounds (default: 180)",
    )
    add_json(result)

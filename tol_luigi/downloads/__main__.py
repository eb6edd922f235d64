"""Run an order: ``python -m tol_luigi.downloads ORDER``, the command of a Slurm job."""

from __future__ import annotations

import sys
from pathlib import Path

from tol_luigi.downloads.jobs import run_order

if __name__ == "__main__":
    sys.exit(run_order(Path(sys.argv[1])))

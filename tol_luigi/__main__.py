"""``python -m tol_luigi``, which is the command ``tol``."""

from __future__ import annotations

import sys

from tol_luigi.command.line import main

if __name__ == "__main__":
    sys.exit(main())

"""``python -m tol_luigi.demonstration FOLDER``: a folder of drawn photographs, to try ``tol init`` with."""

from __future__ import annotations

import sys
from pathlib import Path

from tol_luigi.demonstration.photographs import draw_photographs

_USAGE = 2


def main(arguments: list[str]) -> int:
    """Draw the images, and return the exit code."""
    match arguments:
        case [folder] if not folder.startswith("-"):
            pass
        case _:
            sys.stderr.write("usage: python -m tol_luigi.demonstration FOLDER\n")
            return _USAGE
    try:
        count = draw_photographs(Path(folder))
    except OSError as error:
        sys.stderr.write(f"{folder}: {error.strerror}. Name a folder that does not exist yet.\n")
        return 1
    sys.stdout.write(f"{folder}: {count} images drawn\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

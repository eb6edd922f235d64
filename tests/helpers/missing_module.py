"""What the program makes where a module that it can do without is not installed."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
sys.modules[sys.argv.pop()] = None
from tol_luigi.command.line import main
from tol_luigi.core.images import ImageSpec, encode
sys.stdout.buffer.write(encode(sys.stdin.buffer.read(), ImageSpec())[0])
sys.stdout.flush()
main(["--version"])
"""


def image_and_version(content: bytes, missing: str) -> tuple[bytes, str]:
    """Return the image of the sample of a file, and the line of ``tol --version``, made without a module."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, missing], input=content, capture_output=True, check=True
    )
    image, name, line = done.stdout.rpartition(b"tol_luigi ")
    return image, (name + line).decode()

"""What a machine may lack: a test that needs it is skipped, but fails in CI, where nothing may go untested in silence."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest


def unavailable(reason: str) -> NoReturn:
    """Skip a test; where CI is set, it fails instead."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@functools.cache
def python_with(*modules: str) -> Path:
    """Return a Python that has some modules: this one, or the one that TOL_TORCH names."""
    look = f"import importlib.util as u; raise SystemExit(not all(map(u.find_spec, {modules})))"
    for python in filter(None, (sys.executable, os.environ.get("TOL_TORCH"))):
        if subprocess.run([python, "-c", look], check=False).returncode == 0:
            return Path(python)
    unavailable(f"no Python with {', '.join(modules)}: set TOL_TORCH to one (docs/testing.md)")

"""Packages with plugins, installed as their users would install them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parents[2]


def documented_files() -> dict[str, str]:
    """Return the files that the page shows, by their names."""
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    found = re.findall(r"<!-- file: (\S+) -->\n```\w+\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return dict(found)


def install(files: Mapping[str, str], folder: Path) -> Path:
    """Install a package of some files, and return the folder that it is installed into."""
    source, site = folder / "package", folder / "site"
    source.mkdir(parents=True)
    for name, content in files.items():
        (source / name).write_text(content, encoding="utf-8")
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--target", site]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, source], check=True)
    return site


def environment(site: Path) -> dict[str, str]:
    """Return the variables with which packages in a folder are found."""
    return {"PYTHONPATH": os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH")]))}


def changed(site: Path, folder: Path, module: str, change: tuple[str, str]) -> Path:
    """Return a copy of a folder of packages in which one text of a module is another."""
    copy = folder / "site"
    shutil.copytree(site, copy, ignore=shutil.ignore_patterns("__pycache__"))
    code = (copy / module).read_text(encoding="utf-8")
    assert change[0] in code
    (copy / module).write_text(code.replace(*change), encoding="utf-8")
    return copy

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
EXAMPLE = ROOT / "docs" / "herbarium"


def _page() -> str:
    return (ROOT / "docs/architecture.md").read_text(encoding="utf-8")


def documented_command(module: str) -> list[str]:
    """Return the command with which the page runs a task of a module."""
    [command] = re.findall(rf"^luigi --module {module} .*$", _page(), re.MULTILINE)
    program, *arguments = command.split()
    return [str(Path(sys.executable).with_name(program)), *arguments]


def example_files() -> dict[str, str]:
    """Return the files of the package that the page describes, by their names."""
    return {path.name: path.read_text(encoding="utf-8") for path in EXAMPLE.iterdir() if path.is_file()}


def with_plugin(site: Path, folder: Path, module: str) -> Path:
    """Return a copy of a folder of packages with the entry point that the page shows for the plugin of a module."""
    before, after = (f'herbarium = "{name}:HERBARIUM"' for name in ("herbarium", module))
    assert f"\n{after}\n" in _page()
    entry_points = "herbarium-1.0.dist-info/entry_points.txt"
    return changed(site, folder, entry_points, (before.replace('"', ""), after.replace('"', "")))


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

"""Packages that only some extractors need, imported when they are needed."""

from __future__ import annotations

import importlib
import importlib.metadata
from typing import Any

from tol_luigi.core.errors import SettingsError

__all__ = ["need", "versions"]


def need(module: str, extra: str) -> Any:  # noqa: ANN401 (a module without types)
    """Return a module, imported.

    Args:
        module: Its name.
        extra: The extra of this package that installs it.

    Raises:
        SettingsError: It is not installed, or cannot be imported.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        what = f"the package {module.partition('.')[0]} cannot be imported ({error})"
        raise SettingsError(
            "[features] extractors", what, f"Install it with pip install 'tol_luigi[{extra}]'"
        ) from error


def versions(extra: str, *packages: str) -> dict[str, str]:
    """Return the versions of packages, by name.

    Args:
        extra: The extra of this package that installs them.
        packages: Their names.

    Raises:
        SettingsError: One is not installed.
    """
    try:
        return {package: importlib.metadata.version(package) for package in packages}
    except importlib.metadata.PackageNotFoundError as error:
        what = f"the package {error.name} is not installed"
        raise SettingsError(
            "[features] extractors", what, f"Install it with pip install 'tol_luigi[{extra}]'"
        ) from error

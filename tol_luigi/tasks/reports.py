"""Reports: figures as JSON, and next to them the same as text."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import luigi

from tol_luigi.core.files import committed, read_json, write_json

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["JsonTarget", "ReportTarget"]


class JsonTarget(luigi.LocalTarget):
    """A JSON file that exists if it can be read and is about the right thing.

    Args:
        path: The file.
        **expected: The values that some of its keys must have.
    """

    def __init__(self, path: Path, **expected: Any) -> None:  # noqa: ANN401
        super().__init__(path)
        self.file, self._expected = Path(path), expected

    def exists(self) -> bool:
        """Return whether the file can be read and has the expected values; a damaged one is made again."""
        try:
            figures = read_json(self.file)
            return all(figures[key] == value for key, value in self._expected.items())
        except (OSError, ValueError, LookupError, TypeError):
            return False


class ReportTarget(JsonTarget):
    """A report in two files: figures as JSON for programs, and next to it the same as text for people."""

    def exists(self) -> bool:
        """Return whether both files exist, and the figures are the expected ones."""
        return super().exists() and self.text_file.exists()

    @property
    def text_file(self) -> Path:
        """The path of the text."""
        return self.file.with_suffix(".txt")

    @property
    def files(self) -> list[Path]:
        """The paths of both."""
        return [self.file, self.text_file]

    def write_text(self, text: str) -> None:
        """Write the text alone, if the figures are not to count as done."""
        with committed(self.text_file) as scratch:
            scratch.write_text(text, encoding="utf-8")

    def write(self, figures: Mapping[str, Any], text: str) -> None:
        """Write the text, then the figures, which make the report exist."""
        self.write_text(text)
        write_json(self.file, figures)

    def read(self) -> Any:  # noqa: ANN401 (JSON is any)
        """Return the figures."""
        return read_json(self.file)

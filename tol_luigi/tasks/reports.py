"""Reports: figures as JSON, and the same as text."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import luigi

from tol_luigi.core.files import committed, read_json, write_json

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["JsonTarget", "ReportTarget"]


class JsonTarget(luigi.LocalTarget):
    """A JSON file that exists if it is readable and contains the expected values.

    Args:
        path: The file.
        **expected: The expected values, by key.
    """

    def __init__(self, path: Path, **expected: Any) -> None:  # noqa: ANN401
        super().__init__(path)
        self.file, self._expected = Path(path), expected

    def exists(self) -> bool:
        """Return whether the file is readable and has the expected values; a damaged file is made again."""
        try:
            figures = read_json(self.file)
            return all(figures[key] == value for key, value in self._expected.items())
        except (OSError, ValueError, LookupError, TypeError):
            return False


class ReportTarget(JsonTarget):
    """A report in two files: figures as JSON, and the same as text."""

    def exists(self) -> bool:
        """Return whether both files exist, with the expected figures."""
        return super().exists() and self.text_file.exists()

    @property
    def text_file(self) -> Path:
        """Return the path of the text."""
        return self.file.with_suffix(".txt")

    @property
    def files(self) -> list[Path]:
        """Return the paths of both files."""
        return [self.file, self.text_file]

    def write_text(self, text: str) -> None:
        """Write only the text, so that the report does not count as complete."""
        with committed(self.text_file) as scratch:
            scratch.write_text(text, encoding="utf-8")

    def write(self, figures: Mapping[str, Any], text: str) -> None:
        """Write the text, then the figures, which make the report exist."""
        self.write_text(text)
        write_json(self.file, figures)

    def read(self) -> Any:  # noqa: ANN401 (JSON is any)
        """Return the figures."""
        return read_json(self.file)

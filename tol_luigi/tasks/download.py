"""The task that gets the sources. The workflow behind it is imported when it is used, and sciluigi with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import luigi

from tol_luigi.tasks.base import FolderParameter
from tol_luigi.tasks.download_settings import downloads

if TYPE_CHECKING:
    from pathlib import Path

    from tol_luigi.tasks.sciluigi_bridge import Workflow

__all__ = ["DownloadSources"]


class _DownloadsParameter(FolderParameter):
    """The folder of the downloads."""

    def told(self) -> Path:
        """Ask the settings."""
        return downloads().folder


class DownloadSources(luigi.WrapperTask):
    """Fetch everything that a full build needs, and leave it where the settings say."""

    folder: str = _DownloadsParameter(description="where it goes, as [download] folder names it")

    def requires(self) -> Workflow:
        """Have the workflow done."""
        from tol_luigi.tasks.fetching import SourcesWorkflow  # noqa: PLC0415 (sciluigi is imported only here)

        return SourcesWorkflow(folder=self.folder)

"""The task that fetches the sources. It imports its workflow, and with it sciluigi, only when it runs."""

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
    """The folder of the downloads; its value comes from the settings."""

    def from_settings(self) -> Path:
        """Return the folder that [download] specifies."""
        return downloads().folder


class DownloadSources(luigi.WrapperTask):
    """Fetch everything that a full build needs to the places in the settings."""

    folder: str = _DownloadsParameter(description="the folder to fetch to, as set by [download] folder")

    def requires(self) -> Workflow:
        """Require the workflow."""
        from tol_luigi.tasks.fetching import SourcesWorkflow  # noqa: PLC0415 (sciluigi is imported only here)

        return SourcesWorkflow(folder=self.folder)

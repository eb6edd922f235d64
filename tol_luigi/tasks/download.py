"""The task that gets the sources. The workflow behind it is imported when it is used, and sciluigi with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import luigi

from tol_luigi.core.errors import TolError
from tol_luigi.tasks.base import refuse
from tol_luigi.tasks.settings import downloads

if TYPE_CHECKING:
    from tol_luigi.tasks.sciluigi_bridge import Workflow

__all__ = ["DownloadSources"]


class _FolderParameter(luigi.Parameter):
    """The folder of the downloads, which the settings tell; wrong settings are refused here, before there is a task."""

    def has_task_value(self, task_name: str, param_name: str) -> bool:
        """There always is one."""
        del task_name, param_name
        return True

    def task_value(self, task_name: str, param_name: str) -> str:
        """Give the folder of the settings."""
        del task_name, param_name
        try:
            return str(downloads().folder)
        except TolError as error:
            refuse(error)


class DownloadSources(luigi.WrapperTask):
    """Fetch everything that a full build needs, and leave it where the settings say."""

    folder: str = _FolderParameter(description="where it goes, as [download] folder names it")

    def requires(self) -> Workflow:
        """Have the workflow done."""
        from tol_luigi.tasks.fetching import SourcesWorkflow  # noqa: PLC0415 (sciluigi is imported only here)

        return SourcesWorkflow(folder=self.folder)

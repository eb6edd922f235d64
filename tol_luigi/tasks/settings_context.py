"""Settings for a block of code, so that tests and notebooks need no process per settings file."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from luigi.configuration import LuigiConfigParser
from luigi.task_register import Register

from tol_luigi.core.errors import SettingsError
from tol_luigi.tasks import luigi_defaults
from tol_luigi.tasks.settings import settings
from tol_luigi.tasks.stage import clear_completion_cache

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tol_luigi.tasks.settings import Settings

__all__ = ["settings_from"]


@contextlib.contextmanager
def settings_from(path: str | Path) -> Iterator[Settings]:
    """Read the settings from one file only, for all tasks that are created inside the block.

    Luigi's own settings come from the file as well. Tasks created outside the block must not be used inside
    it, and vice versa. The settings apply to the entire process, so only one thread at a time may use a
    block.

    Args:
        path: The settings file.

    Yields:
        The validated settings.

    Raises:
        SettingsError: A setting is wrong.
    """
    file = Path(path).absolute()
    if not file.is_file():
        raise SettingsError(file, "there is no such file", "Name a settings file that exists")
    # Luigi has no public way to replace all of its settings and to restore them.
    before = LuigiConfigParser._instance, LuigiConfigParser._config_paths  # noqa: SLF001
    LuigiConfigParser._instance, LuigiConfigParser._config_paths = None, [str(file)]  # noqa: SLF001
    try:
        _clear_caches()
        luigi_defaults.apply()
        yield settings()
    finally:
        LuigiConfigParser._instance, LuigiConfigParser._config_paths = before  # noqa: SLF001
        _clear_caches()


def _clear_caches() -> None:
    """Clear the settings, the tasks, and which of them were complete."""
    settings.cache_clear()
    Register.clear_instance_cache()
    clear_completion_cache()

"""Settings for a stretch of a program: tests and notebooks need no process of their own for each settings file."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from luigi.configuration import LuigiConfigParser
from luigi.task_register import Register

from tol_luigi.core.errors import SettingsError
from tol_luigi.tasks import luigi_defaults
from tol_luigi.tasks.base import forget_what_is_complete
from tol_luigi.tasks.settings import settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tol_luigi.tasks.settings import Settings

__all__ = ["settings_from"]


@contextlib.contextmanager
def settings_from(path: str | Path) -> Iterator[Settings]:
    """Read the settings from one file, and from nowhere else, for all tasks that are made inside the block.

    Luigi's own settings are those of the file as well. Tasks that were made outside the block are not for use inside
    it, and the reverse. Settings are those of the whole process, so this is for one thread at a time.

    Args:
        path: The settings file.

    Yields:
        The settings, checked.

    Raises:
        SettingsError: Something is wrong with them.
    """
    file = Path(path).absolute()
    if not file.is_file():
        raise SettingsError(file, "there is no such file", "Name a settings file that exists")
    # Luigi offers no other way to replace its settings as a whole, and to put them back.
    before = LuigiConfigParser._instance, LuigiConfigParser._config_paths  # noqa: SLF001
    LuigiConfigParser._instance, LuigiConfigParser._config_paths = None, [str(file)]  # noqa: SLF001
    try:
        _forget()
        luigi_defaults.apply()
        yield settings()
    finally:
        LuigiConfigParser._instance, LuigiConfigParser._config_paths = before  # noqa: SLF001
        _forget()


def _forget() -> None:
    """Forget settings, tasks, and which of them were complete."""
    settings.cache_clear()
    Register.clear_instance_cache()
    forget_what_is_complete()

"""The orders of downloads: settings for what transfers files, which takes a while to import."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tol_luigi.downloads.estimate import estimate
from tol_luigi.downloads.jobs import Order

if TYPE_CHECKING:
    from tol_luigi.downloads.catalogue import Remote
    from tol_luigi.downloads.estimate import FileEstimate
    from tol_luigi.tasks.download_settings import Downloads

__all__ = ["forecast", "order"]

_ASKING_RETRIES = 2


def order(downloads: Downloads, remotes: list[Remote]) -> Order:
    """Return the order to fetch some files, with the settings that apply."""
    settings = downloads.settings
    return Order(
        remotes=remotes,
        lock=downloads.lock,
        config={
            "files": settings.files,
            "connections": settings.connections,
            "retries": settings.retries,
            "pause": settings.pause_seconds,
        },
        http={
            "connections": settings.host_connections,
            "stall_seconds": settings.stall_seconds,
            "token_host": settings.token_host,
        },
        token_variable=settings.token_variable,
    )


def forecast(downloads: Downloads, remotes: list[Remote], *, is_patient: bool = False) -> list[FileEstimate]:
    """Query the servers for the sizes of files.

    Args:
        downloads: The settings.
        remotes: The files.
        is_patient: Retry as often as a transfer does, instead of a few times.
    """
    config = order(downloads, remotes).to_config()
    if not is_patient:
        config.retries = min(config.retries, _ASKING_RETRIES)
    return estimate(remotes, downloads.lock, config)

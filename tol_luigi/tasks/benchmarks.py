"""The stage that hashes the images of benchmarks."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tol_luigi.core.errors import SettingsError
from tol_luigi.sources.benchmarks import hashed_images, places
from tol_luigi.store.benchmarks import write_benchmarks
from tol_luigi.tasks.scan import StoreSettings
from tol_luigi.tasks.stage import StageTask

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["HashBenchmarks"]


class HashBenchmarks(StageTask):
    """Hash all images of the benchmarks to exclude; part of a build if the settings name any."""

    def requires(self) -> StoreSettings:
        """Require the stored settings, which name the images."""
        return self.clone(StoreSettings)

    def files(self) -> list[Path]:
        """Return the table of hashes."""
        return [self.layout.benchmarks]

    def reads(self) -> dict[str, Path]:
        """Return the folder of the benchmarks' images."""
        return self.settings.places(("leak_guard", "images"))

    def parts_read(self, name: str) -> list[str]:
        """Return all folders and archives."""
        return places(self.reads()[name])

    def make(self) -> None:
        """Hash the images one by one."""
        images = self.settings.leak_guard.images
        if not images:
            remedy = "Set it to the folder of the benchmarks' images"
            raise SettingsError("[leak_guard] images", "empty, so there is nothing to hash", remedy)
        spec = replace(self.settings.image_spec, hashed=True, truncated="keep")
        with self.progress("benchmark images") as progress:
            write_benchmarks(self.layout.benchmarks, hashed_images(images, spec), progress)

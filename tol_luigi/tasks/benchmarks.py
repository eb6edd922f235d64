"""The stage that looks at the pictures of benchmarks."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tol_luigi.core.errors import SettingsError
from tol_luigi.sources.benchmarks import hashed_pictures, places
from tol_luigi.store.benchmarks import write_benchmarks
from tol_luigi.tasks.base import StageTask
from tol_luigi.tasks.scan import StoreSettings

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["HashBenchmarks"]


class HashBenchmarks(StageTask):
    """Hash every picture of the benchmarks that are to be kept out; part of a build where there are any."""

    def requires(self) -> StoreSettings:
        """Have the settings stored, so that the pictures are those of this dataset."""
        return self.clone(StoreSettings)

    def files(self) -> list[Path]:
        """The hashes."""
        return [self.layout.benchmarks]

    def reads(self) -> dict[str, Path]:
        """The pictures of benchmarks."""
        return self.settings.places(("leak_guard", "images"))

    def parts_read(self, name: str) -> list[str]:
        """All folders and archives."""
        return places(self.reads()[name])

    def make(self) -> None:
        """Read the pictures one by one."""
        images = self.settings.leak_guard.images
        if not images:
            remedy = "Name the folder of the benchmarks' pictures"
            raise SettingsError("[leak_guard] images", "empty, so there is nothing to hash", remedy)
        spec = replace(self.settings.image_spec, hashed=True, truncated="keep")
        with self.progress("pictures") as tell:
            write_benchmarks(self.layout.benchmarks, hashed_pictures(images, spec), tell)

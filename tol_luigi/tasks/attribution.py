"""The stage that writes the attributions of all samples."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tol_luigi.core.files import remove
from tol_luigi.core.shards import shard_number
from tol_luigi.store.attribution import attribution_files, write_attribution
from tol_luigi.tasks.catalog import WriteCatalog
from tol_luigi.tasks.shards import written_shards
from tol_luigi.tasks.stage import StageTask

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["WriteAttribution"]


class WriteAttribution(StageTask):
    """Write licence and owner of each sample, in a file for each split, and in one for each shard.

    Those of a selection are written with its catalog.
    """

    def requires(self) -> WriteCatalog:
        """Require the catalog and the licences."""
        return self.clone(WriteCatalog)

    def files(self) -> list[Path]:
        """Return the files of the splits and of their shards."""
        return [
            path
            for split, shards in self._shards().items()
            for path in attribution_files(self.layout.attribution, split, shards)
        ]

    def _shards(self) -> dict[str, list[int]]:
        """Return the numbers of the shards of each split."""
        return {
            split: [shard_number(shard.name) for shard in shards]
            for split, shards in written_shards(self).items()
        }

    def make(self) -> None:
        """Write the files, and remove those of shards that no longer exist."""
        layout, done = self.layout, 0
        with self.progress("samples") as progress:
            for split, shards in self._shards().items():
                rows = 0
                for rows in write_attribution(
                    layout.attribution, split, shards, layout.catalog, layout.licenses
                ):
                    progress(done + rows)
                done += rows
        known, selections = set(self.files()), layout.selections(finished=False)
        for path in layout.attribution.glob("**/*.csv"):
            part = path.relative_to(layout.attribution).parts[0]
            if path not in known and part.removesuffix(".csv") not in selections:
                remove(path)

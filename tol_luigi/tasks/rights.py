"""The stage that decides which images are left out of their shards because of their rights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tol_luigi.core.files import remove
from tol_luigi.store.withheld import Rights, write_takedowns, write_withheld
from tol_luigi.tasks.messages import write_line
from tol_luigi.tasks.predict import PredictCatalog
from tol_luigi.tasks.rights_settings import (
    allowed_licenses,
    listed_takedowns,
    rights_digest,
    stated_licenses_input,
    takedowns_in_force,
)
from tol_luigi.tasks.stage import StageTask

if TYPE_CHECKING:
    from pathlib import Path

    from tol_luigi.core.receipts import FileRecord

__all__ = ["WithholdImages"]


class WithholdImages(StageTask):
    """Find the images that are taken down, or have a licence that is not allowed; record the takedowns for later builds.

    Part of a build if the settings allow some licences only, or if anything has ever been taken down.
    """

    def requires(self) -> PredictCatalog:
        """Require the predicted catalog."""
        return self.clone(PredictCatalog)

    def inputs(self) -> dict[str, str]:
        """Return the digests of the input stages, and of the allowed licences and takedowns."""
        return {
            **super().inputs(),
            "[rights]": rights_digest(self.settings),
            **stated_licenses_input(self.settings),
        }

    def reads(self) -> dict[str, Path]:
        """Return the tables of licences. The list of takedowns may change under the same dataset."""
        return self.settings.source_tables(lambda plugin: plugin.license_tables)

    def files(self) -> list[Path]:
        """Return the table of images, and the record of takedowns, if there are any."""
        record = self.layout.takedowns
        return [self.layout.withheld, *([record] if record.exists() else [])]

    def output_records(self) -> dict[Path, FileRecord]:
        """Return the records of the files without that of the takedowns, which is never removed to be made again."""
        records = super().output_records()
        return {path: record for path, record in records.items() if path != self.layout.takedowns}

    def more(self) -> dict[str, Any]:
        """Return the number of images by takedown, and for each part of the dataset the digest of its images."""
        matches = [self._rights.matches[number] for number in range(len(self._rights.takedowns))]
        return {"matches": matches, "units": self._rights.units}

    def make(self) -> None:
        """Record the takedowns first, so that nothing that comes later can lose them; then look at every image."""
        settings, layout = self.settings, self.layout
        takedowns = takedowns_in_force(settings)
        if takedowns:
            write_takedowns(layout.takedowns, takedowns)
        else:
            remove(layout.takedowns)
        self._rights = Rights(allowed_licenses(settings), takedowns)
        with self.progress("images") as progress:
            for count in write_withheld(layout.withheld, layout.predicted, settings.sources, self._rights):
                progress(count)
        self._warn()

    def _warn(self) -> None:
        """Write a line for each takedown of the settings that is about no image."""
        about = {one.key: self._rights.matches[number] for number, one in enumerate(self._rights.takedowns)}
        for where, one in listed_takedowns(self.settings):
            if not about[one.key] and not where.startswith(str(self.layout.takedowns)):
                write_line(f"{where}: no image has the {one.kind} {one.value!r}", self.label)

    def digest_of(self, *unit: str) -> str:
        """Return the digest of the images to leave out of the shards of a split, source and partition; "" if none."""
        receipt = self.receipt()
        units = receipt.more["units"] if receipt else {}
        return str(units[" ".join(unit)][1]) if " ".join(unit) in units else ""

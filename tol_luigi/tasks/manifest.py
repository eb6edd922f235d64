"""The stage that lists every file of a finished dataset."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from tol_luigi.core.files import committed, write_json
from tol_luigi.core.receipts import record_file
from tol_luigi.tasks.attribution import WriteAttribution
from tol_luigi.tasks.base import DatasetTask, in_order
from tol_luigi.tasks.build_report import BuildReport
from tol_luigi.tasks.card import WriteCard
from tol_luigi.tasks.catalog import CheckTaxa, WriteCatalog
from tol_luigi.tasks.feature_stages import feature_stages
from tol_luigi.tasks.fetch_report import ReportFetched
from tol_luigi.tasks.leaks import ReportLeaks
from tol_luigi.tasks.partition_stages import partition_stages
from tol_luigi.tasks.rights_report import ReportRights
from tol_luigi.tasks.rights_settings import withholds
from tol_luigi.tasks.selection import CatalogSelection
from tol_luigi.tasks.stage import StageTask
from tol_luigi.tasks.url_settings import earlier_dataset

if TYPE_CHECKING:
    from pathlib import Path

    from tol_luigi.core.receipts import Receipt

__all__ = ["WriteManifest"]


class WriteManifest(StageTask):
    """List every file of the dataset with its size, its SHA-256, its task, and the inputs of that task."""

    def requires(self) -> list[DatasetTask]:
        """Require the catalog, attributions, its card, the check of its taxa, the reports, and further stages."""
        leaks = [self.clone(ReportLeaks)] if self.settings.excludes_benchmarks else []
        rights = [self.clone(ReportRights)] if withholds(self.settings) else []
        fetched = [self.clone(ReportFetched)] if earlier_dataset(self.settings) else []
        page = [self.clone(BuildReport)] if self.settings.report.page else []
        selection = [self.clone(CatalogSelection)] if self.settings.select.name is not None else []
        return [
            self.clone(WriteCatalog),
            self.clone(WriteAttribution),
            self.clone(WriteCard),
            self.clone(CheckTaxa),
            *leaks,
            *rights,
            *fetched,
            *page,
            *partition_stages(self),
            *feature_stages(self),
            *selection,
        ]

    def files(self) -> list[Path]:
        """Return the manifest, and the checksums in the format of ``sha256sum -c``."""
        return [self.layout.manifest, self.layout.checksums]

    def more(self) -> dict[str, Any]:
        """Return the digest of all receipts."""
        return {"receipts": self._receipts_digest()}

    def is_intact(self, receipt: Receipt) -> bool:
        """Return whether all receipts are those in the manifest."""
        return super().is_intact(receipt) and receipt.more["receipts"] == self._receipts_digest()

    def stages(self) -> list[StageTask]:
        """List all stages before this one."""
        return [task for task in in_order(self) if isinstance(task, StageTask) and task is not self]

    def _receipts_digest(self) -> str:
        digest = hashlib.sha256()
        for stage in self.stages():
            receipt = stage.receipt()
            digest.update(f"{stage.label} {receipt.checksum if receipt else ''}\n".encode())
        return digest.hexdigest()

    def make(self) -> None:
        """Combine the records of all receipts."""
        directory, files, inputs = self.layout.directory, dict[str, dict[str, Any]](), dict[str, Any]()
        for stage in self.stages():
            receipt = stage.receipt()
            if receipt is None or not stage.is_listed:  # None: removed since this stage began
                continue
            inputs[receipt.task] = receipt.inputs
            own = stage.receipt_path.relative_to(directory).as_posix()
            for name, record in {**receipt.files, own: record_file(stage.receipt_path)}.items():
                files[name] = {"bytes": record.bytes, "sha256": record.sha256, "task": receipt.task}
        write_json(self.layout.manifest, {"files": dict(sorted(files.items())), "inputs": inputs})
        manifest = self.layout.manifest
        sums = {name: str(file["sha256"]) for name, file in files.items()}
        sums[manifest.relative_to(directory).as_posix()] = record_file(manifest).sha256
        with committed(self.layout.checksums) as scratch:
            scratch.write_text(
                "".join(map(_line, *zip(*sorted(sums.items()), strict=True))), encoding="utf-8"
            )


def _line(name: str, sha256: str) -> str:
    """Return a line in the format of ``sha256sum``, which escapes backslashes and line feeds in names."""
    escaped = name.replace("\\", "\\\\").replace("\n", "\\n")
    return f"{'' if escaped == name else chr(92)}{sha256}  {escaped}\n"

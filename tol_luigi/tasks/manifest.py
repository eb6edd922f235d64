"""The stage that lists every file of a finished dataset."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from tol_luigi.core.files import committed, write_json
from tol_luigi.core.receipts import record_file
from tol_luigi.tasks.base import DatasetTask, StageTask, in_order
from tol_luigi.tasks.catalog import CheckTaxa, WriteCatalog
from tol_luigi.tasks.leaks import ReportLeaks
from tol_luigi.tasks.partition_stages import partition_stages

if TYPE_CHECKING:
    from pathlib import Path

    from tol_luigi.core.receipts import Receipt

__all__ = ["WriteManifest"]


class WriteManifest(StageTask):
    """List every file of the dataset with its size, its SHA-256, and the task that made it and from what."""

    def requires(self) -> list[DatasetTask]:
        """Require the catalog, its taxa checked, the report on excluded benchmarks, and what other packages make of partitions."""
        report = [self.clone(ReportLeaks)] if self.settings.keeps_out else []
        return [
            self.clone(WriteCatalog),
            self.clone(CheckTaxa),
            *report,
            *partition_stages(self),
        ]

    def files(self) -> list[Path]:
        """The manifest, and the checksums as ``sha256sum -c`` takes them."""
        return [self.layout.manifest, self.layout.checksums]

    def more(self) -> dict[str, Any]:
        """Tell the receipts from others."""
        return {"receipts": self._receipts_digest()}

    def is_intact(self, receipt: Receipt) -> bool:
        """Return whether all receipts are those that the manifest lists."""
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
        """Put all receipts together."""
        directory, files, inputs = self.layout.directory, dict[str, dict[str, Any]](), dict[str, Any]()
        for stage in self.stages():
            receipt = stage.receipt()
            if receipt is None:  # which was there when this stage began
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
    """Write a line as ``sha256sum`` does, which escapes names with a backslash or the end of a line."""
    escaped = name.replace("\\", "\\\\").replace("\n", "\\n")
    return f"{'' if escaped == name else chr(92)}{sha256}  {escaped}\n"

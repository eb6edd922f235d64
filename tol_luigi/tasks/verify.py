"""The verification of a finished dataset, which needs only the dataset."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import secrets
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import luigi

from tol_luigi.core.errors import ShardError, SourceError
from tol_luigi.core.files import read_json, read_object, remove, write_json
from tol_luigi.core.receipts import FileRecord, Receipt, record_file
from tol_luigi.core.shard_checks import Level, check_numbering, check_records
from tol_luigi.core.splits import SPLITS
from tol_luigi.report.selection import other_selections_notes
from tol_luigi.report.text import counted
from tol_luigi.report.verification import Verification, verification_figures, verification_text
from tol_luigi.store.ledger import ids_by_shard, read_ledger
from tol_luigi.store.worklists import read_expected, work_list
from tol_luigi.tasks.bad_shards import list_bad_shards
from tol_luigi.tasks.base import DatasetTask
from tol_luigi.tasks.build import BuildCatalog
from tol_luigi.tasks.image_sizes import check_sizes, shards_in
from tol_luigi.tasks.label_columns import sample_form
from tol_luigi.tasks.manifest import WriteManifest
from tol_luigi.tasks.partitions import PartitionTask, all_partitions
from tol_luigi.tasks.reports import JsonTarget, ReportTarget
from tol_luigi.tasks.selection_settings import other_selections
from tol_luigi.tasks.shards import CheckShards, WriteShards
from tol_luigi.tasks.stage import StageTask, clear_completion_cache

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tol_luigi.core.shards import Shard
    from tol_luigi.store.worklists import Expected, WorkList

__all__ = ["VerifyDataset", "VerifyShards"]

T = TypeVar("T")

_STARTED = time.monotonic()

_REPAIRED = "-repaired"
"""The suffix of the mark of a verification after a repair."""

_REPAIR = "Run VerifyDataset --repair to rebuild what can be rebuilt"

_RESTORE = (
    "Restore the original file; or, to keep the new one, touch its folder or archive "
    "and build with [checks] changed_sources = rebuild"
)

_OF_SOURCE = "source"
"""The key of findings about the files of a source (the value is its name); others are about the dataset."""


class _BegunParameter(luigi.Parameter):
    """The mark that identifies one verification; by default, every command has its own."""

    def has_task_value(self, task_name: str, param_name: str) -> bool:
        """Return True: there always is a mark."""
        del task_name, param_name
        return True

    def task_value(self, task_name: str, param_name: str) -> str:
        """Return the mark on the command line or in the settings, else a new one."""
        if super().has_task_value(task_name, param_name):
            return str(super().task_value(task_name, param_name))
        return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}-{secrets.token_hex(3)}"


class VerifyShards(PartitionTask):
    """Verify the shards of one partition of a split; remove the verdict on them if something is wrong."""

    level: str = luigi.ChoiceParameter(
        choices=tuple(level.value for level in Level),
        default=Level.MEMBERS.value,
        description="receipt: do all shards exist? bytes: is every byte unchanged? members: are all samples right, too? "
        "pixels: can every image be decoded, too? sources: are the source files still the same?",
    )
    begun: str = _BegunParameter(description="the mark of this verification")

    def output(self) -> JsonTarget:
        """Return the findings, which replace the findings of a previous verification."""
        # After a repair, another path is used, because the repairing task still needs its first findings.
        when = f"{self.level}{_REPAIRED}" if self.begun.endswith(_REPAIRED) else self.level
        folder = self.layout.shards / "verification" / when / self.split / self.source
        return JsonTarget(folder / f"{self.partition}.json", begun=self.begun)

    def run(self) -> None:
        """Verify the shards, write the findings, and remove the verdict if something is wrong."""
        shards: list[list[Shard]] = [[]]
        try:
            shards, findings = self._verified()
        except ShardError as error:  # receipt, ledger or catalog is damaged
            findings = [{"shard": error.where, "what": error.what}]
        if any(_OF_SOURCE not in finding for finding in findings):
            remove(self.layout.verdict(*self.work_unit))
        else:
            findings += _without_receipt(self.clone(CheckShards))
        found = {
            "begun": self.begun,
            "names": [shard.name for shard in shards[0]],
            "samples": sum(shard.samples for shard in shards[0]),
            "bytes": sum(shard.size for shard in itertools.chain.from_iterable(shards)),
            "findings": findings,
        }
        write_json(self.output().file, found)

    def _verified(self) -> tuple[list[list[Shard]], list[dict[str, str]]]:
        layout, level = self.layout, Level(self.level)
        receipt, ledger = layout.receipt(*self.work_unit), layout.ledger(*self.work_unit)
        written = _readable(receipt, self._receipt)
        fields = written.more
        sizes = "", *self.settings.images.further_sizes
        shards = _readable(receipt, lambda _: [shards_in(fields, size) for size in sizes])
        record = written.files[ledger.relative_to(layout.directory).as_posix()]
        if damage := _damage(ledger, record, is_read=level.reads):
            raise ShardError(ledger, damage, _REPAIR)
        ids = _readable(ledger, ids_by_shard)
        expected = None
        findings = []
        for layout_of_size, each in zip(self.settings.layouts, shards, strict=True):
            folder = layout_of_size.shard(self.split, 0).parent
            findings += check_records(folder, receipt, each, fields["samples"], ids)
        if level.compares_samples:
            expected = self._expected()
            findings += _compare_ids(ledger, expected) if expected else []
        samples = expected.samples if expected else None
        findings += check_sizes(self, shards, ids, level=level, samples=samples)
        if level is Level.SOURCES and self.split != "train_small" and self.source not in self.settings.reused:
            findings += self._files_changed()
        return shards, findings

    def _receipt(self, path: Path) -> Receipt:
        """Read the receipt of the shards.

        Raises:
            ValueError: It is damaged, or of another task.
        """
        path.read_bytes()
        receipt = self.clone(WriteShards).receipt()
        if receipt is None:
            raise ValueError("it is damaged")
        return receipt

    def _files_changed(self) -> list[dict[str, str]]:
        """Compare the source files of the samples with the names and SHA-256 in the ledger."""
        layout, source = self.layout, self.settings.sources[self.source]
        ledger = read_ledger(layout.ledger(*self.work_unit), ["id", "name", "sha256"]).to_pylist()
        known = {row["id"]: (row["name"], row["sha256"]) for row in ledger if row["sha256"]}
        listing = self.settings.listing_of(self.source, self.partition)
        findings = []
        try:
            work, place = self._work(listing).only(set(known)), source.reader.place(listing)
            for index, content in source.reader.read(self.partition, work.members):
                image, name = work.samples[index].id, work.members[index].name
                found = hashlib.sha256(content).hexdigest() if isinstance(content, bytes) else ""
                if known[image] != (name, found):
                    what = f"it is not what {image} was made of: {known[image][0]}, SHA-256 {known[image][1]}"
                    if isinstance(content, OSError):
                        what = (
                            f"it cannot be read ({content.strerror}), so {image} cannot be compared with it"
                        )
                    findings.append({"shard": f"{place}: {name}", "what": what, _OF_SOURCE: self.source})
        except SourceError as error:
            findings.append({"shard": error.where, "what": error.what, _OF_SOURCE: self.source})
        except ShardError:  # ``VerifyDataset`` reports a damaged listing or predicted catalog
            return []
        return findings

    def _work(self, listing: str) -> WorkList:
        """Return the work list, with the source files of the samples."""
        predicted, path = self.layout.predicted, self.layout.listing(self.source, listing)
        texts = sample_form(self.settings)
        return _readable(path, lambda path: work_list(predicted, path, *self.work_unit, texts=texts))

    def _expected(self) -> Expected | None:
        """Return the partition's part of the predicted catalog; None if damaged (see ``VerifyDataset``)."""
        with contextlib.suppress(ShardError):
            texts = sample_form(self.settings)
            return _readable(
                self.layout.predicted, lambda path: read_expected(path, *self.work_unit, texts=texts)
            )
        return None


def _without_receipt(stage: StageTask) -> list[dict[str, str]]:
    """Return a finding if a stage has no valid receipt."""
    if stage.receipt() is not None:
        return []
    what = "its receipt is damaged" if stage.receipt_path.exists() else "its receipt is missing"
    return [{"shard": str(stage.receipt_path), "what": what}]


def _damage(path: Path, record: FileRecord, *, is_read: bool) -> str:
    """Return how a file differs from its record, "" if it does not; compare only sizes if it is not read."""
    if not path.exists():
        return "it is missing"
    if not record.has_size(path):
        return f"it has {path.stat().st_size} bytes, not {record.bytes}"
    return "its checksum is not that of its receipt" if is_read and record_file(path) != record else ""


def _readable(path: Path, read: Callable[[Path], T]) -> T:
    """Read a record.

    Raises:
        ShardError: It is missing or damaged.
    """
    remedy = "Delete it, and run BuildCatalog"
    try:
        return read(path)
    except FileNotFoundError as error:
        raise ShardError(path, "it is missing", remedy) from error
    except (OSError, ValueError, LookupError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise ShardError(path, f"it cannot be read ({reason})", remedy) from error


def _compare_ids(ledger: Path, expected: Expected) -> list[dict[str, str]]:
    """Compare the images in a ledger with the images in the predicted catalog."""
    listed = set(_readable(ledger, lambda path: read_ledger(path, ["id"]))["id"].to_pylist())
    if listed == expected.ids:
        return []
    missing, more = len(expected.ids - listed), len(listed - expected.ids)
    what = f"images of the predicted catalog that it lacks: {missing}, images that are not in the predicted catalog: {more}"
    return [{"shard": str(ledger), "what": what}]


class VerifyDataset(DatasetTask):
    """Verify a finished dataset: every shard exists, and agrees with receipt, ledger and predicted catalog.

    Every command verifies again, because findings belong to the verification whose mark they contain. The
    mark is a parameter that is passed to every task, so that all workers have the same tasks. Previous
    findings need not be removed first, for which a Luigi task would have no safe moment. The mark is stored
    in the files, not in their names, so that a later verification replaces a previous one. If two
    verifications run at the same time, one of them may stop with an error; with the same mark, they share the
    work.

    This task repairs nothing by default. The verdict on wrong shards is removed, so that the next
    BuildCatalog checks them. With ``repair``, wrong files are removed, BuildCatalog makes them again, and
    everything is verified again.
    """

    level: str = luigi.ChoiceParameter(
        choices=tuple(level.value for level in Level),
        default=Level.MEMBERS.value,
        description="receipt: do all shards exist? bytes: is every byte unchanged? members: are all samples right, too? "
        "pixels: can every image be decoded, too? sources: are the source files still the same?",
    )
    begun: str = _BegunParameter(
        description="the mark of this verification; with an earlier mark, it resumes; workers share a mark"
    )
    repair: bool = luigi.BoolParameter(
        default=False,
        significant=False,
        description="remove wrong files, build them again, and verify again",
    )

    def requires(self) -> list[VerifyShards]:
        """Require the verification of all partitions of all splits."""
        if not self._has_dataset():
            return []
        return [self.clone(VerifyShards, **share) for share in all_partitions(self.settings)]

    def _has_dataset(self) -> bool:
        """Return whether there is a dataset, which may be damaged."""
        return self.layout.record.exists() or self.layout.manifest.exists()

    def output(self) -> ReportTarget:
        """Return the report, which exists if it belongs to this verification and has no findings."""
        path = self.layout.shards / "verification-report.json"
        return ReportTarget(path, begun=self.begun, findings=[])

    def run(self) -> Iterator[DatasetTask]:
        """Collect the findings, repair them if ``repair`` is set, report them, and fail if any remain."""
        layout = self.layout
        if not self._has_dataset():
            raise ShardError(layout.directory, "there is no dataset", "Build it first: BuildCatalog")
        result = self.verification()
        if self.repair and (own := [finding for finding in result.findings if _OF_SOURCE not in finding]):
            self._remove(own)
            yield self.clone(BuildCatalog)
            again = VerifyDataset(level=self.level, begun=f"{self.begun}{_REPAIRED}")
            yield again
            result = replace(again.verification(), begun=self.begun)
        list_bad_shards(layout, [finding for finding in result.findings if self._is_of_shard(finding)])
        report = self.output()
        report.write(verification_figures(result), verification_text(result))
        sys.stdout.write(verification_text(result, closing=True))
        sys.stdout.flush()
        if result.findings:
            first, count = result.findings[0], len(result.findings)
            remedy = f"See {report.text_file}. {_RESTORE if _OF_SOURCE in first else _REPAIR}"
            raise ShardError(first["shard"], f"{first['what']} ({counted(count, 'finding')})", remedy)

    def _is_of_shard(self, finding: dict[str, str]) -> bool:
        """Return whether a finding is about a shard of the dataset, not another file or a tar of a source."""
        path = Path(finding["shard"])
        folders = {layout.shard(split, 0).parent for layout in self.settings.layouts for split in SPLITS}
        return path.parent in folders and path.suffix == ".tar"

    def verification(self) -> Verification:
        """Return the combined results for the shards and all other files."""
        found: list[dict[str, Any]] = []
        findings: list[dict[str, str]] = []
        named: dict[str, list[str]] = {split: [] for split in SPLITS}
        for task in self.requires():
            found.append(read_json(task.output().file))
            findings += found[-1]["findings"]
            named[task.split] += found[-1]["names"]
        findings += self._files_damaged()
        # The shards of all sizes have the same names.
        for layout, (split, names) in itertools.product(self.settings.layouts, named.items()):
            folder = layout.shard(split, 0).parent
            findings += check_numbering(folder, names, [path.name for path in folder.glob("*.tar")])
        return Verification(
            dataset=self.layout.directory,
            level=self.level,
            begun=self.begun,
            shards=sum(map(len, named.values())) * len(self.settings.layouts),
            samples=sum(one["samples"] for one in found),
            size=sum(one["bytes"] for one in found),
            seconds=time.monotonic() - _STARTED,
            findings=list({tuple(finding.items()): finding for finding in findings}.values()),
            notes=other_selections_notes(other_selections(self.settings)),
        )

    def _stages(self) -> list[StageTask]:
        """Return the stages, each after those that it requires."""
        manifest = self.clone(WriteManifest)
        return [*manifest.stages(), manifest]

    def _files_damaged(self) -> list[dict[str, str]]:
        """Compare the files of every stage with its receipt, except those that have tasks of their own."""
        findings = []
        for stage in self._stages():
            if isinstance(stage, (WriteShards, CheckShards)):
                continue
            findings += _without_receipt(stage)
            receipt = stage.receipt()
            for name, record in (receipt.files if receipt else {}).items():
                path = self.layout.directory / name
                if path == self.layout.bad_shards and path.exists():
                    continue  # a verification also writes it
                if damage := _damage(path, record, is_read=Level(self.level).reads):
                    findings.append({"shard": str(path), "what": damage})
        return findings

    def _remove(self, findings: Sequence[dict[str, str]]) -> None:
        """Remove the wrong files once, because this task runs again after they have been made."""
        mark = self.layout.shards / "verification" / "repair.json"
        if read_object(mark).get("begun") == self.begun:
            return
        wrong = [Path(finding["shard"]) for finding in findings]
        self._invalidate_users({path for path in wrong if path.is_file()})
        for path in wrong:
            remove(path)
        clear_completion_cache()
        write_json(mark, {"begun": self.begun, "removed": sorted({finding["shard"] for finding in findings})})

    def _invalidate_users(self, wrong: set[Path]) -> None:
        """Force everything to be made again that may have been made from wrong files."""
        for stage in self._stages():
            before = [task.output_records() for task in stage.input_tasks() if isinstance(task, StageTask)]
            read = wrong & set[Path]().union(*before)
            # Stages are made from ledgers, not from shards, except the samples of train_small.
            if any(path.suffix != ".tar" or isinstance(stage, WriteShards) for path in read):
                stage.invalidate()

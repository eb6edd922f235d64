"""The verification of a finished dataset, which needs nothing but the dataset."""

from __future__ import annotations

import contextlib
import hashlib
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
from tol_luigi.core.shard_checks import Level, check_numbering, check_records, check_shards
from tol_luigi.core.shards import Shard
from tol_luigi.core.splits import SPLITS
from tol_luigi.report.verification import Verification, verification_figures, verification_text
from tol_luigi.store.ledger import ids_by_shard, read_ledger
from tol_luigi.store.worklists import read_expected, work_list
from tol_luigi.tasks.bad_shards import list_bad_shards
from tol_luigi.tasks.base import DatasetTask, StageTask, forget_what_is_complete
from tol_luigi.tasks.build import BuildCatalog
from tol_luigi.tasks.manifest import WriteManifest
from tol_luigi.tasks.partitions import PartitionTask, all_partitions
from tol_luigi.tasks.reports import JsonTarget, ReportTarget
from tol_luigi.tasks.shards import CheckShards, WriteShards

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tol_luigi.store.worklists import Expected, WorkList

__all__ = ["VerifyDataset", "VerifyShards"]

T = TypeVar("T")

_STARTED = time.monotonic()

_REPAIRED = "-repaired"
"""What the mark of a verification after a repair ends with."""

_REPAIR = "VerifyDataset --repair makes again what can be made"

_RESTORE = "Put it back as it was; or, if it is to stay, touch its folder or archive and build with [checks] changed_sources = rebuild"

_OF_SOURCE = "source"
"""The key that tells findings about the files of a source, whose name it has, from those about the dataset's own."""


class _BegunParameter(luigi.Parameter):
    """Tells one verification from all others: where it is not given, every command has its own."""

    def has_task_value(self, task_name: str, param_name: str) -> bool:
        """There always is one."""
        del task_name, param_name
        return True

    def task_value(self, task_name: str, param_name: str) -> str:
        """Give what the command line or the settings say, or else something new."""
        if super().has_task_value(task_name, param_name):
            return str(super().task_value(task_name, param_name))
        return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}-{secrets.token_hex(3)}"


class VerifyShards(PartitionTask):
    """Verify the shards of one partition of a split, and withdraw the verdict on them where something is wrong."""

    level: str = luigi.ChoiceParameter(
        choices=tuple(level.value for level in Level),
        default=Level.MEMBERS.value,
        description="receipt: are all shards there? members: is every byte as it should be? "
        "pixels: can every picture be decoded, too? sources: are the files that samples were made of still the same?",
    )
    begun: str = _BegunParameter(description="tells this verification from others")

    def output(self) -> JsonTarget:
        """The findings, which take the place of those of an earlier verification."""
        # What was found first is asked for again once everything has been verified after a repair.
        when = f"{self.level}{_REPAIRED}" if self.begun.endswith(_REPAIRED) else self.level
        folder = self.layout.shards / "verification" / when / self.split / self.source
        return JsonTarget(folder / f"{self.partition}.json", begun=self.begun)

    def run(self) -> None:
        """Verify; where something is wrong, let CheckShards look again; then say what."""
        shards: list[Shard] = []
        try:
            shards, findings = self._verified()
        except ShardError as error:  # receipt, ledger or catalog: nothing to compare the shards with
            findings = [{"shard": error.where, "what": error.what}]
        if any(_OF_SOURCE not in finding for finding in findings):
            remove(self.layout.verdict(*self.work_unit))
        else:
            findings += _without_receipt(self.clone(CheckShards))
        found = {
            "begun": self.begun,
            "names": [shard.name for shard in shards],
            "samples": sum(shard.samples for shard in shards),
            "bytes": sum(shard.size for shard in shards),
            "findings": findings,
        }
        write_json(self.output().file, found)

    def _verified(self) -> tuple[list[Shard], list[dict[str, str]]]:
        layout, level = self.layout, Level(self.level)
        receipt, ledger = layout.receipt(*self.work_unit), layout.ledger(*self.work_unit)
        folder = layout.shard(self.split, 0).parent
        written = _readable(receipt, self._receipt)
        said = written.more
        shards = _readable(receipt, lambda _: [Shard(**shard) for shard in said["shards"]])
        whole = written.files[ledger.relative_to(layout.directory).as_posix()]
        if damage := _damage(ledger, whole, is_read=level is not Level.RECEIPT):
            raise ShardError(ledger, damage, _REPAIR)
        ids = _readable(ledger, ids_by_shard)
        expected = None
        findings = check_records(folder, receipt, shards, said["samples"], ids)
        if level is not Level.RECEIPT:
            expected = self._expected()
            findings += _strangers(ledger, expected) if expected else []
        size = self.settings.images.width, self.settings.images.height
        samples = expected.samples if expected else None
        with self.progress("shards", len(shards)) as tell:
            findings += check_shards(folder, shards, ids, size, tell, level=level, samples=samples)
        if level is Level.SOURCES and self.split != "train_small" and self.source not in self.settings.taken:
            findings += self._files_changed()
        return shards, findings

    def _receipt(self, path: Path) -> Receipt:
        """Read the receipt of the shards.

        Raises:
            ValueError: It is damaged, or that of something else.
        """
        path.read_bytes()
        receipt = self.clone(WriteShards).receipt()
        if receipt is None:
            raise ValueError("it is damaged")
        return receipt

    def _files_changed(self) -> list[dict[str, str]]:
        """Compare the files that samples were made of with what the ledger tells of them, by name and SHA-256."""
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
        except ShardError:  # listing or predicted catalog is damaged, which ``VerifyDataset`` reports
            return []
        return findings

    def _work(self, listing: str) -> WorkList:
        """Read where the files of the samples are."""
        predicted, path = self.layout.predicted, self.layout.listing(self.source, listing)
        return _readable(path, lambda path: work_list(predicted, path, *self.work_unit))

    def _expected(self) -> Expected | None:
        """Read what the predicted catalog says of the partition; None if it is damaged, which ``VerifyDataset`` reports."""
        with contextlib.suppress(ShardError):
            return _readable(self.layout.predicted, lambda path: read_expected(path, *self.work_unit))
        return None


def _without_receipt(stage: StageTask) -> list[dict[str, str]]:
    """Return a finding if a stage has no receipt that counts."""
    if stage.receipt() is not None:
        return []
    what = "its receipt is damaged" if stage.receipt_path.exists() else "its receipt is missing"
    return [{"shard": str(stage.receipt_path), "what": what}]


def _damage(path: Path, record: FileRecord, *, is_read: bool) -> str:
    """Return what is wrong with a file, "" if it is as its receipt says; only its size counts if it is not read."""
    if not path.exists():
        return "it is missing"
    if not record.has_size(path):
        return f"it has {path.stat().st_size} bytes, not {record.bytes}"
    return "its checksum is not that of its receipt" if is_read and record_file(path) != record else ""


def _readable(path: Path, read: Callable[[Path], T]) -> T:
    """Read a record.

    Raises:
        ShardError: It is missing, or damaged.
    """
    remedy = "Delete it, and run BuildCatalog"
    try:
        return read(path)
    except FileNotFoundError as error:
        raise ShardError(path, "it is missing", remedy) from error
    except (OSError, ValueError, LookupError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise ShardError(path, f"it cannot be read ({reason})", remedy) from error


def _strangers(ledger: Path, expected: Expected) -> list[dict[str, str]]:
    """Compare the images that a ledger tells of with those of the predicted catalog."""
    told = set(_readable(ledger, lambda path: read_ledger(path, ["id"]))["id"].to_pylist())
    if told == expected.ids:
        return []
    lacking, more = len(expected.ids - told), len(told - expected.ids)
    what = f"it lacks {lacking} images of the predicted catalog, and has {more} that are not there"
    return [{"shard": str(ledger), "what": what}]


class VerifyDataset(DatasetTask):
    """Verify a finished dataset: every shard is there, and is what receipt, ledger and predicted catalog say.

    Every command verifies anew, since findings count only for the verification whose mark they bear. The mark is
    a parameter, handed on to every task, so that all workers speak of the same tasks; and no old findings have to
    be removed first, which a luigi task could do at no safe moment. It stands in the files and not in their names,
    so that a later verification takes the place of an earlier one. Of two that run at once, one may stop with an
    error; give both the same mark, and they share the work.

    Nothing is made here. What is wrong with shards loses its verdict, so that the next BuildCatalog checks it. With
    ``repair``, files that are wrong are removed, BuildCatalog makes them again, and all is verified once more.
    """

    level: str = luigi.ChoiceParameter(
        choices=tuple(level.value for level in Level),
        default=Level.MEMBERS.value,
        description="receipt: are all shards there? members: is every byte as it should be? "
        "pixels: can every picture be decoded, too? sources: are the files that samples were made of still the same?",
    )
    begun: str = _BegunParameter(
        description="tells this verification from others; an earlier one's goes on with that, several workers' shares it"
    )
    repair: bool = luigi.BoolParameter(
        default=False,
        significant=False,
        description="remove files that are wrong, build them again, and verify once more",
    )

    def requires(self) -> list[VerifyShards]:
        """Have every partition of every split verified."""
        if not self._is_there():
            return []
        return [self.clone(VerifyShards, **share) for share in all_partitions(self.settings)]

    def _is_there(self) -> bool:
        """Return whether there is a dataset, be it damaged."""
        return self.layout.record.exists() or self.layout.manifest.exists()

    def output(self) -> ReportTarget:
        """The report, which exists if it is that of this verification and nothing is wrong."""
        path = self.layout.shards / "verification-report.json"
        return ReportTarget(path, begun=self.begun, findings=[])

    def run(self) -> Iterator[DatasetTask]:
        """Put the findings together, report them, and fail if there are any, unless they can be repaired."""
        layout = self.layout
        if not self._is_there():
            raise ShardError(layout.directory, "there is no dataset", "Build it first: BuildCatalog")
        made = self.verification()
        if self.repair and (own := [finding for finding in made.findings if _OF_SOURCE not in finding]):
            self._remove(own)
            yield self.clone(BuildCatalog)
            again = VerifyDataset(level=self.level, begun=f"{self.begun}{_REPAIRED}")
            yield again
            made = replace(again.verification(), begun=self.begun)
        list_bad_shards(layout, [finding for finding in made.findings if self._is_of_shard(finding)])
        report = self.output()
        report.write(verification_figures(made), verification_text(made))
        sys.stdout.write(verification_text(made, closing=True))
        sys.stdout.flush()
        if made.findings:
            first, count = made.findings[0], len(made.findings)
            remedy = f"See {report.text_file}. {_RESTORE if _OF_SOURCE in first else _REPAIR}"
            raise ShardError(first["shard"], f"{first['what']} ({count} findings)", remedy)

    def _is_of_shard(self, finding: dict[str, str]) -> bool:
        """Return whether a finding is about a shard of the dataset, not about another file, or a tar of a source."""
        path = Path(finding["shard"])
        folders = {self.layout.shard(split, 0).parent for split in SPLITS}
        return path.parent in folders and path.suffix == ".tar"

    def verification(self) -> Verification:
        """Put together what was found, in the shards and in all other files."""
        found: list[dict[str, Any]] = []
        findings: list[dict[str, str]] = []
        named: dict[str, list[str]] = {split: [] for split in SPLITS}
        for task in self.requires():
            found.append(read_json(task.output().file))
            findings += found[-1]["findings"]
            named[task.split] += found[-1]["names"]
        findings += self._files_damaged()
        for split, names in named.items():
            folder = self.layout.shard(split, 0).parent
            findings += check_numbering(folder, names, [path.name for path in folder.glob("*.tar")])
        return Verification(
            dataset=self.layout.directory,
            level=self.level,
            begun=self.begun,
            shards=sum(map(len, named.values())),
            samples=sum(one["samples"] for one in found),
            size=sum(one["bytes"] for one in found),
            seconds=time.monotonic() - _STARTED,
            findings=list({tuple(finding.items()): finding for finding in findings}.values()),
        )

    def _stages(self) -> list[StageTask]:
        """List the stages, each after those that it requires."""
        manifest = self.clone(WriteManifest)
        return [*manifest.stages(), manifest]

    def _files_damaged(self) -> list[dict[str, str]]:
        """Compare the files of every stage with its receipt, but for those that have tasks of their own."""
        findings = []
        for stage in self._stages():
            if isinstance(stage, (WriteShards, CheckShards)):
                continue
            findings += _without_receipt(stage)
            receipt = stage.receipt()
            for name, record in (receipt.files if receipt else {}).items():
                path = self.layout.directory / name
                if path == self.layout.bad_shards and path.exists():
                    continue  # a verification writes it as well
                if damage := _damage(path, record, is_read=Level(self.level) is not Level.RECEIPT):
                    findings.append({"shard": str(path), "what": damage})
        return findings

    def _remove(self, findings: Sequence[dict[str, str]]) -> None:
        """Remove the files that are wrong, once: this task runs again when they have been made."""
        mark = self.layout.shards / "verification" / "repair.json"
        if read_object(mark).get("begun") == self.begun:
            return
        wrong = [Path(finding["shard"]) for finding in findings]
        self._doubt({path for path in wrong if path.is_file()})
        for path in wrong:
            remove(path)
        forget_what_is_complete()
        write_json(mark, {"begun": self.begun, "removed": sorted({finding["shard"] for finding in findings})})

    def _doubt(self, wrong: set[Path]) -> None:
        """Have made again what may have been made from files that are wrong, whenever they came to be so."""
        for stage in self._stages():
            before = [task.answers_for() for task in stage.rests_on() if isinstance(task, StageTask)]
            read = wrong & set[Path]().union(*before)
            # Of shards it is the ledgers that stages are made from, but for the samples of train_small.
            if any(path.suffix != ".tar" or isinstance(stage, WriteShards) for path in read):
                stage.doubt()

"""The verification of a finished dataset, which needs nothing but the dataset."""

from __future__ import annotations

import secrets
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import luigi

from tol_luigi.core.errors import ShardError
from tol_luigi.core.files import committed, read_json, remove, write_json
from tol_luigi.core.shard_checks import Level, check_numbering, check_records, check_shards
from tol_luigi.core.shards import Shard
from tol_luigi.core.splits import SPLITS
from tol_luigi.report.verification import Verification, verification_figures, verification_text
from tol_luigi.store.ledger import ids_by_shard, read_ledger
from tol_luigi.store.worklists import foretold
from tol_luigi.tasks.base import DatasetTask
from tol_luigi.tasks.shards import ShareTask, all_shares, list_bad_shards

if TYPE_CHECKING:
    from collections.abc import Callable

    from tol_luigi.store.worklists import Foretold

__all__ = ["VerifyDataset", "VerifyShards"]

T = TypeVar("T")

_STARTED = time.monotonic()

_REPAIR = "With [checks] repair = true, BuildCatalog makes damaged shards again"


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


class _FoundTarget(luigi.LocalTarget):
    """What a verification has found: there when it is that of this verification.

    Args:
        path: The file.
        begun: The verification.
        good: Whether it counts only where nothing was found.
    """

    def __init__(self, path: Path, begun: str, *, good: bool = False) -> None:
        super().__init__(path)
        self.begun, self.good = begun, good

    def exists(self) -> bool:
        """Look for the mark of the verification."""
        path = Path(self.path)
        if not path.exists():
            return False
        found = read_json(path)
        return bool(found["begun"] == self.begun) and not (self.good and found["findings"])


class VerifyShards(ShareTask):
    """Verify the shards of one partition of a split, and withdraw the verdict on them where something is wrong."""

    level: str = luigi.ChoiceParameter(
        choices=tuple(level.value for level in Level),
        default=Level.MEMBERS.value,
        description="receipt: are all shards there? members: is every byte as it should be? "
        "pixels: can every picture be decoded, too?",
    )
    begun: str = _BegunParameter(description="tells this verification from others")

    def output(self) -> _FoundTarget:
        """The findings, which take the place of those of an earlier verification."""
        folder = self.layout.shards / "verification" / self.level / self.split / self.source
        return _FoundTarget(folder / f"{self.partition}.json", self.begun)

    def run(self) -> None:
        """Verify; where something is wrong, let CheckShards look again; then say what."""
        shards: list[Shard] = []
        try:
            shards, findings = self._verified()
        except ShardError as error:  # receipt, ledger or catalog: nothing to compare the shards with
            findings = [{"shard": error.where, "what": error.what}]
        if findings:
            remove(self.layout.verdict(*self.about))
        found = {
            "begun": self.begun,
            "names": [shard.name for shard in shards],
            "samples": sum(shard.samples for shard in shards),
            "bytes": sum(shard.size for shard in shards),
            "findings": findings,
        }
        write_json(Path(self.output().path), found)

    def _verified(self) -> tuple[list[Shard], list[dict[str, str]]]:
        layout, level = self.layout, Level(self.level)
        receipt, ledger = layout.receipt(*self.about), layout.ledger(*self.about)
        folder = layout.shard(self.split, 0).parent
        said = _readable(receipt, read_json)
        shards = _readable(receipt, lambda _: [Shard(**shard) for shard in said["shards"]])
        ids = _readable(ledger, ids_by_shard)
        expected = None
        findings = check_records(folder, receipt, shards, said["samples"], ids)
        if level is not Level.RECEIPT:
            expected = _readable(layout.predicted, lambda path: foretold(path, *self.about))
            findings += _strangers(ledger, expected)
        size = self.settings.images.width, self.settings.images.height
        samples = expected.samples if expected else None
        with self.progress("shards", len(shards)) as tell:
            findings += check_shards(folder, shards, ids, size, tell, level=level, samples=samples)
        return shards, findings


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


def _strangers(ledger: Path, expected: Foretold) -> list[dict[str, str]]:
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

    Nothing is made here and nothing mended. What is wrong loses its verdict, so that the next BuildCatalog
    checks it, and makes it again if the settings say so.
    """

    level: str = luigi.ChoiceParameter(
        choices=tuple(level.value for level in Level),
        default=Level.MEMBERS.value,
        description="receipt: are all shards there? members: is every byte as it should be? "
        "pixels: can every picture be decoded, too?",
    )
    begun: str = _BegunParameter(
        description="tells this verification from others; an earlier one's goes on with that, several workers' shares it"
    )

    def requires(self) -> list[VerifyShards]:
        """Have every partition of every split verified."""
        if not self.layout.record.exists():
            return []
        return [self.clone(VerifyShards, **share) for share in all_shares(self.settings)]

    def output(self) -> _FoundTarget:
        """The report as JSON, which comes into place after the text beside it; there where nothing is wrong."""
        return _FoundTarget(self.layout.shards / "verification-report.json", self.begun, good=True)

    def run(self) -> None:
        """Put the findings together, report them, and fail if there are any."""
        layout = self.layout
        if not layout.record.exists():
            raise ShardError(layout.directory, "there is no dataset", "Build it first: BuildCatalog")
        made = self._verification()
        list_bad_shards(layout, [finding for finding in made.findings if finding["shard"].endswith(".tar")])
        report = Path(self.output().path)
        with committed(report.with_suffix(".txt")) as scratch:
            scratch.write_text(verification_text(made), encoding="utf-8")
        write_json(report, verification_figures(made))
        sys.stdout.write(verification_text(made, closing=True))
        sys.stdout.flush()
        if made.findings:
            first, count = made.findings[0], len(made.findings)
            remedy = f"See {report.with_suffix('.txt')}. {_REPAIR}"
            raise ShardError(first["shard"], f"{first['what']} ({count} findings)", remedy)

    def _verification(self) -> Verification:
        found: list[dict[str, Any]] = []
        findings: list[dict[str, str]] = []
        named: dict[str, list[str]] = {split: [] for split in SPLITS}
        for task in self.requires():
            found.append(read_json(Path(task.output().path)))
            findings += found[-1]["findings"]
            named[task.split] += found[-1]["names"]
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
            findings=findings,
        )

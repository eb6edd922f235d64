"""The stages that plan, write and check the shards."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import luigi

from tol_luigi import __version__
from tol_luigi.core.benchmarks import Benchmarks
from tol_luigi.core.errors import SettingsError, ShardError, SourceError
from tol_luigi.core.files import committed, read_json, remove, sha256_file, write_json
from tol_luigi.core.packing import copy_samples, pack, recopy, repack
from tol_luigi.core.plan import Share, number
from tol_luigi.core.shard_checks import check_shards, first_damaged
from tol_luigi.core.shards import OtherBytesError, Shard
from tol_luigi.core.splits import SPLITS
from tol_luigi.sources import SOURCES
from tol_luigi.store.benchmarks import read_benchmarks
from tol_luigi.store.catalogs import count_samples
from tol_luigi.store.ledger import GUARDED_LEDGER, LEDGER, ids_by_shard, write_ledger
from tol_luigi.store.older import taken_contents
from tol_luigi.store.worklists import copy_list, lost_shards, work_list
from tol_luigi.tasks.base import BoundTask, DatasetTask
from tol_luigi.tasks.benchmarks import HashBenchmarks
from tol_luigi.tasks.predict import PredictCatalog
from tol_luigi.tasks.scan import ScanPartition
from tol_luigi.tasks.taxa import CheckTaxa

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tol_luigi.core.packing import Content
    from tol_luigi.store.worklists import CopyList, WorkList
    from tol_luigi.tasks.layout import Layout
    from tol_luigi.tasks.settings import Settings

    _Written = tuple[list[Shard], Iterator[dict[str, Any]]]

__all__ = [
    "CheckShards",
    "PlanShards",
    "ShareTask",
    "WriteShards",
    "all_shares",
    "collect_bad_shards",
    "list_bad_shards",
]


def all_shares(settings: Settings) -> list[dict[str, str]]:
    """List split, source and partition of everything that writes shards, in the order of the shard numbers."""
    return [
        {"split": split, "source": source, "partition": partition}
        for split in SPLITS
        for source in settings.used
        for partition in settings.partitions(source)
    ]


class PlanShards(DatasetTask):
    """Settle which shard numbers each (split, source, partition) writes."""

    def requires(self) -> list[DatasetTask]:
        """Have the work list, and its taxa found good."""
        return [self.clone(PredictCatalog), self.clone(CheckTaxa, catalog="predicted")]

    def output(self) -> luigi.LocalTarget:
        """The plan, as JSON."""
        return luigi.LocalTarget(self.layout.plan)

    def run(self) -> None:
        """Count the samples, and number the shards."""
        counts = count_samples(self.layout.predicted)
        shares = [
            (share["split"], share["source"], share["partition"]) for share in all_shares(self.settings)
        ]
        plan = number([(*share, counts.get(share, 0)) for share in shares], self.settings.shards.max_samples)
        write_json(self.layout.plan, [asdict(share) for share in plan])


class ShardsTarget(luigi.LocalTarget):
    """The shards of one (split, source, partition): there when the receipt is, and every shard has the size it says.

    Args:
        receipt: The receipt, written last.
        folder: Where the shards lie.
        ledger: What became of each image.
    """

    def __init__(self, receipt: Path, folder: Path, ledger: Path) -> None:
        super().__init__(receipt)
        self.folder, self.ledger = folder, ledger

    def exists(self) -> bool:
        """Look at the sizes of all files."""
        try:
            return self.ledger.exists() and not self.lost()
        except FileNotFoundError:  # there is no receipt
            return False

    def has_records(self) -> bool:
        """Tell whether receipt and ledger are there."""
        return Path(self.path).exists() and self.ledger.exists()

    def shards(self) -> list[Shard]:
        """List what the receipt says."""
        return [Shard(**shard) for shard in read_json(Path(self.path))["shards"]]

    def lost(self) -> list[Shard]:
        """List the shards that are missing, or have not the size that the receipt says."""
        return [shard for shard in self.shards() if not _has_size(self.folder / shard.name, shard.size)]


def _has_size(path: Path, size: int) -> bool:
    try:
        return path.stat().st_size == size
    except FileNotFoundError:
        return False


class ShareTask(DatasetTask):
    """A stage that works on one (split, source, partition)."""

    split: str = luigi.ChoiceParameter(choices=SPLITS, description="train, val or train_small")
    source: str = luigi.ChoiceParameter(choices=tuple(SOURCES), description="the source's name")
    partition: str = luigi.Parameter(description="the partition's name")

    @property
    def about(self) -> tuple[str, str, str]:
        """Split, source and partition, as paths are asked for."""
        return self.split, self.source, self.partition


class WriteShards(ShareTask):
    """Write the shards of one partition of a split; those of train_small are copied out of those of train.

    Where receipt and ledger are there, only shards that are not are written.
    """

    def requires(self) -> list[DatasetTask]:
        """Have the plan, the work list, the benchmarks to keep out, and where the files lie; for train_small the samples, found good."""
        stages: list[DatasetTask] = [self.clone(PlanShards), self.clone(PredictCatalog)]
        if self.split == "train_small":
            return [*stages, self.clone(CheckShards, split="train")]
        listing = self.settings.listing_of(self.source, self.partition)
        if self.settings.leak_guard.images:
            stages.append(self.clone(HashBenchmarks))
        return [*stages, self.clone(ScanPartition, partition=listing)]

    def output(self) -> ShardsTarget:
        """The receipt, which comes into place after the shards and their ledger."""
        layout = self.layout
        folder = layout.shard(self.split, 0).parent
        return ShardsTarget(layout.receipt(*self.about), folder, layout.ledger(*self.about))

    def run(self) -> None:
        """Withdraw the verdict on older shards, then write shards, ledger and receipt, in this order."""
        if self.complete():  # another process has been quicker
            return
        layout = self.layout
        remove(layout.verdict(*self.about))
        share = self._share()
        if self._restored(share):
            return
        paths = [layout.shard(self.split, shard) for shard in share.numbers]
        with self.progress("images", share.samples) as tell:
            if self.split == "train_small":
                shards, ledger = self._copied(paths, share)
                tell(share.samples)
            else:
                shards, ledger = self._packed(paths, share, tell)
        schema = GUARDED_LEDGER if self.settings.leak_guard.images else LEDGER
        write_ledger(layout.ledger(*self.about), ledger, schema)
        write_json(layout.receipt(*self.about), self._receipt(share, shards))

    def _share(self) -> Share:
        about = {"split": self.split, "source": self.source, "partition": self.partition}
        for share in read_json(self.layout.plan):
            if about.items() <= share.items():
                return Share(**share)
        valid = ", ".join(self.settings.partitions(self.source))
        what = "there is no such partition"
        raise SettingsError(f"--partition {self.partition}", what, f"Valid for {self.source} are {valid}")

    def _restored(self, share: Share) -> bool:
        """Write lost shards once more, if receipt and ledger tell what they were, and nothing else.

        Returns:
            Whether they are there. If not, everything has to be written.
        """
        output = self.output()
        if not output.has_records():
            return False
        try:
            self._restore(output, share)
        except OtherBytesError:  # the inputs have changed, or what is copied
            if self.split == "train_small":
                self._refuse_damaged_train()
            # From here on shards are replaced of which the receipt would not be true.
            remove(Path(output.path))
            return False
        return True

    def _restore(self, output: ShardsTarget, share: Share) -> None:
        layout, given = self.layout, self.settings
        planned = [layout.shard(self.split, number).name for number in share.numbers]
        if planned != [shard.name for shard in output.shards()]:
            raise OtherBytesError(output.path)
        lost = lost_shards(output.ledger, output.lost(), output.folder)
        if self.split == "train_small":
            recopy(self._copy_list().copies, lost)
            return
        work = self._work_list().only({image for shard in lost for image in shard.ids})
        with self.progress("images", len(work.samples)) as tell:
            repack(work.samples, self._contents(work), lost, spec=given.image_spec, progress=tell)

    def _refuse_damaged_train(self) -> None:
        """Stop if it is train that is damaged: what is copied out of it would be, too, with a receipt that says so."""
        train = self.clone(WriteShards, split="train").output()
        if damaged := first_damaged(train.folder, train.shards()):
            remove(self.layout.verdict("train", self.source, self.partition))
            what = "it is copied from, and its checksum is not that of the receipt"
            raise ShardError(damaged, what, "Run the same command again: it is checked first then")

    def _work_list(self) -> WorkList:
        listing = self.layout.listing(self.source, self.settings.listing_of(self.source, self.partition))
        return work_list(self.layout.predicted, listing, *self.about)

    def _copy_list(self) -> CopyList:
        layout = self.layout
        train = layout.ledger("train", self.source, self.partition)
        return copy_list(
            layout.predicted, train, lambda shard: layout.shard("train", shard), self.source, self.partition
        )

    def _contents(self, work: WorkList) -> Iterator[tuple[int, Content]]:
        """Give the picture of each image that an older dataset has, and the file of each other one."""
        given, source = self.settings, self.settings.sources[self.source]
        older = given.older
        # Where benchmarks are to be known by their look, every picture has to be looked at.
        if older is None or older.differences(given.determining) or given.leak_guard.images:
            return source.read(self.partition, work.members)
        return taken_contents(
            work,
            source.columns,
            listing=self.layout.listing(self.source, given.listing_of(self.source, self.partition)),
            older_listing=older.listing(self.source, self.partition),
            older=older.files(self.source, self.partition),
            decode=lambda places, damaged: self._lacking(work, places, damaged),
            try_again=self.source not in given.taken,
        )

    def _lacking(
        self, work: WorkList, places: list[int], damaged: list[Path]
    ) -> Iterator[tuple[int, bytes | OSError]]:
        """Read what the older dataset does not have whole, if there is anything to read it from."""
        for path in damaged:
            what = "it is not what its receipt says, so nothing is copied from it"
            sys.stderr.write(f"tol_luigi: {self.label}: {path}: {what}\n")
        source = self.settings.sources[self.source]
        if self.source not in self.settings.taken:
            return source.read(self.partition, [work.members[place] for place in places])
        because = f", as {damaged[0]} is not what its receipt says" if damaged else ""
        where = f"{source.images}: {self.source}/{self.partition}"
        what = f"{len(places)} of {len(work.members)} images have no picture there{because}"
        raise SourceError(where, what, f"Set [{self.source}] images, or repair that dataset (BuildCatalog)")

    def _packed(self, paths: list[Path], share: Share, tell: Callable[[int], None]) -> _Written:
        source, given = self.settings.sources[self.source], self.settings
        work = self._work_list()
        shards, outcomes = pack(
            work.samples,
            self._contents(work),
            paths,
            where=f"{source.images}: {self.source}/{self.partition}",
            spec=given.image_spec,
            seed=given.dataset.seed,
            shuffled=given.shards.order == "shuffled",
            max_bad_percent=given.checks.max_bad_percent,
            progress=tell,
            benchmarks=self._benchmarks(),
        )
        return shards, work.ledger(outcomes, share.numbers)

    def _benchmarks(self) -> Benchmarks | None:
        guard = self.settings.leak_guard
        if not guard.images:
            return None
        return Benchmarks(read_benchmarks(self.layout.benchmarks), guard.distance)

    def _copied(self, paths: list[Path], share: Share) -> _Written:
        work = self._copy_list()
        shards, outcomes = copy_samples(work.copies, paths)
        return shards, work.ledger(outcomes, share.numbers)

    def _receipt(self, share: Share, shards: list[Shard]) -> dict[str, Any]:
        return {
            "split": self.split,
            "source": self.source,
            "partition": self.partition,
            "settings": self.settings.digest,
            "version": __version__,
            "planned": share.samples,
            "samples": sum(shard.samples for shard in shards),
            "shards": [asdict(shard) for shard in shards],
        }


class _VerdictTarget(luigi.LocalTarget):
    """A verdict: there when it is good, and about the receipt that is there."""

    def __init__(self, path: Path, receipt: Path) -> None:
        super().__init__(path)
        self.receipt = receipt

    def exists(self) -> bool:
        """Compare the verdict with the receipt."""
        try:
            verdict = read_json(Path(self.path))
            return not verdict["findings"] and bool(verdict["receipt"] == sha256_file(self.receipt))
        except FileNotFoundError:
            return False


class CheckShards(ShareTask, BoundTask):
    """Read every shard of one partition of a split once, and compare it with receipt and ledger."""

    def requires(self) -> list[DatasetTask]:
        """Have the shards; for train_small also those of train found good, out of which damaged ones are copied."""
        before = [self.clone(CheckShards, split="train")] if self.split == "train_small" else []
        return [self.clone(WriteShards), *before]

    def rests_on(self) -> list[luigi.Task]:
        """Rest on the shards alone: that those of train are checked once more changes nothing here."""
        return [self.clone(WriteShards)]

    def output(self) -> _VerdictTarget:
        """The verdict."""
        return _VerdictTarget(self.layout.verdict(*self.about), self.layout.receipt(*self.about))

    def run(self) -> None:
        """Check; as the settings say, write damaged shards once more; then judge."""
        findings = self._check()
        if findings and self.settings.checks.repair:
            findings = self._repaired({Path(finding["shard"]) for finding in findings})
        verdict = {"receipt": sha256_file(self.layout.receipt(*self.about)), "findings": findings}
        write_json(self.layout.verdict(*self.about), verdict)
        if findings:
            collect_bad_shards(self.layout, all_shares(self.settings))
            first = findings[0]
            remedy = f"See {self.layout.bad_shards}; delete those files, and run the same command again"
            raise ShardError(first["shard"], f"{first['what']} ({len(findings)} findings)", remedy)

    def _repaired(self, damaged: set[Path]) -> list[dict[str, str]]:
        """Delete damaged shards, so that they are written again, and check those; all, where all were written."""
        receipt = self.layout.receipt(*self.about)
        before = sha256_file(receipt)
        remove(self.layout.verdict(*self.about))
        for path in damaged:
            remove(path)
        self.clone(WriteShards).run()
        return self._check({path.name for path in damaged} if sha256_file(receipt) == before else None)

    def _check(self, names: set[str] | None = None) -> list[dict[str, str]]:
        """Check the shards of these names, or all."""
        layout = self.layout
        written = self.clone(WriteShards).output().shards()
        shards = [shard for shard in written if names is None or shard.name in names]
        size = self.settings.images.width, self.settings.images.height
        ids = ids_by_shard(layout.ledger(*self.about))
        with self.progress("shards", len(shards)) as tell:
            return check_shards(layout.shard(self.split, 0).parent, shards, ids, size, tell)


def collect_bad_shards(layout: Layout, shares: list[dict[str, str]]) -> None:
    """List every shard that a verdict finds fault with, a path a line; an empty file where all is well."""
    verdicts = [path for share in shares if (path := layout.verdict(**share)).exists()]
    list_bad_shards(layout, [finding for path in verdicts for finding in read_json(path)["findings"]])


def list_bad_shards(layout: Layout, findings: list[dict[str, str]]) -> None:
    """Write the list of the shards that findings are about."""
    bad = dict.fromkeys(finding["shard"] for finding in findings)
    with committed(layout.bad_shards) as scratch:
        scratch.write_text("".join(f"{shard}\n" for shard in bad), encoding="utf-8")

"""Where everything of a dataset lies: all its paths, in one place."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 (a dataclass field)
from typing import TYPE_CHECKING, Any, Self

from tol_luigi.core.shards import shard_name

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Layout", "record_of"]


def record_of(directory: Path) -> Path:
    """Return the path of the settings of a dataset, which is the same for images of all sizes."""
    return directory / "dataset.json"


@dataclass(frozen=True)
class Layout:
    """The paths of a dataset.

    Attributes:
        directory: Its folder, ``<root>/<tag>``.
        size: The folder of its shards, named after the size of the pictures, such as ``224x224``.
    """

    directory: Path
    size: str

    @classmethod
    def of(cls, directory: Path, width: int, height: int) -> Self:
        """Return the paths of a dataset with images of a size in pixels."""
        return cls(directory, f"{width}x{height}")

    @classmethod
    def of_record(cls, directory: Path, record: Mapping[str, Any]) -> Self:
        """Return the paths of a dataset whose ``dataset.json`` has been read.

        Raises:
            KeyError: It lacks the size of the images.
        """
        return cls.of(directory, record["images.width"], record["images.height"])

    @property
    def record(self) -> Path:
        """The settings it was built with."""
        return record_of(self.directory)

    @property
    def manifest(self) -> Path:
        """Every file of the dataset, with the task that made it and from what."""
        return self.directory / "manifest.json"

    @property
    def checksums(self) -> Path:
        """The checksum of every file, as ``sha256sum -c`` takes them."""
        return self.directory / "SHA256SUMS"

    def stage_receipt(self, family: str, *values: str) -> Path:
        """Return the path of the receipt of a task that has no folder of records for it."""
        *folders, name = (family, *values)
        return self.directory.joinpath("receipts", *folders, f"{name}.json")

    @property
    def logs(self) -> Path:
        """The folder of the logs of ``tol build``; no part of the dataset."""
        return self.directory / "logs"

    @property
    def task_states(self) -> Path:
        """The folder of notes on tasks that run or have failed; no part of the dataset."""
        return self.logs / "tasks"

    def sightings(self, family: str, *values: str) -> Path:
        """Return the path of what a task's sources looked like when it read them; no part of the dataset."""
        *folders, name = (family, *values)
        return self.directory.joinpath("sightings", *folders, f"{name}.json")

    @property
    def inputs(self) -> Path:
        """The places of the files and folders that the dataset was built from; no part of the dataset."""
        return self.directory / "sightings" / "inputs.json"

    @property
    def mapping(self) -> Path:
        """The database of ids, splits and places."""
        return self.directory / "mapping.sqlite"

    @property
    def metadata(self) -> Path:
        """The folder of the name lookups."""
        return self.directory / "metadata"

    @property
    def names(self) -> Path:
        """The name lookups as one database."""
        return self.metadata / "names.sqlite"

    @property
    def common_names(self) -> Path:
        """Scientific name to common name."""
        return self.metadata / "scientific_to_common.json"

    @property
    def name_problems(self) -> Path:
        """Contradictions and circles in the tables of names, a line each."""
        return self.metadata / "problems.txt"

    @property
    def predicted_csv(self) -> Path:
        """The catalog as it will be if no image is broken."""
        return self.directory / "predicted-catalog.csv"

    @property
    def predicted(self) -> Path:
        """The same, with what the stages after it need: the work list of the shards."""
        return self.directory / "predicted-catalog.parquet"

    @property
    def exclusions(self) -> Path:
        """What each exclusion list matched."""
        return self.directory / "exclusions.json"

    @property
    def benchmarks(self) -> Path:
        """The hashes of the pictures of benchmarks."""
        return self.directory / "benchmark-hashes.parquet"

    @property
    def plan(self) -> Path:
        """The shard numbers of each (split, source, partition)."""
        return self.directory / "plan.json"

    @property
    def mapping_ledger(self) -> Path:
        """The images that the mapping leaves out."""
        return self.directory / "ledger" / "mapping.parquet"

    @property
    def names_ledger(self) -> Path:
        """The images without a name."""
        return self.directory / "ledger" / "names.parquet"

    def listing(self, source: str, name: str) -> Path:
        """Give the path of what the scan of one listing found."""
        return self.directory / "listings" / source / f"{name}.parquet"

    def index(self, source: str) -> Path:
        """Give the path of the index of a source's one ``.tar.gz``."""
        return self.directory / "listings" / source / "archive.gzindex"

    def digests(self, source: str, partition: str) -> Path:
        """Give the path of the hashes of a partition's files, where duplicates are dropped."""
        return self.directory / "hashes" / source / f"{partition}.parquet"

    def taxa_report(self, which: str) -> Path:
        """Give the path of the figures on the taxa of a catalog; the text lies beside it."""
        return self.directory / f"taxa-report-{which}.json"

    @property
    def matches_report(self) -> Path:
        """How many images of each source match the table that names them; the text is next to it."""
        return self.directory / "matches-report.json"

    @property
    def relabel_report(self) -> Path:
        """The figures on what has changed from an older dataset; the text lies beside it."""
        return self.directory / "relabel-report.json"

    @property
    def shards(self) -> Path:
        """The folder of the shards, the final catalog and what is recorded about them."""
        return self.directory / self.size

    def shard(self, split: str, number: int) -> Path:
        """Give the path of a shard."""
        return self.shards / split / shard_name(number)

    def receipts(self, split: str) -> list[Path]:
        """Return the paths of the receipts of a split that exist, in order."""
        return sorted((self.shards / "records" / split).glob("*/*.receipt.json"))

    def receipt(self, split: str, source: str, partition: str) -> Path:
        """Give the path of what was written, shard by shard."""
        return self._about(split, source, partition, "receipt.json")

    def ledger(self, split: str, source: str, partition: str) -> Path:
        """Give the path of what became of each image."""
        return self._about(split, source, partition, "ledger.parquet")

    def verdict(self, split: str, source: str, partition: str) -> Path:
        """Give the path of what the check of the shards found."""
        return self._about(split, source, partition, "verdict.json")

    def _about(self, split: str, source: str, partition: str, what: str) -> Path:
        # In one step, as a look at a whole dataset asks for thousands of them, and each step makes a path.
        return self.directory.joinpath(self.size, "records", split, source, f"{partition}.{what}")

    def table(self, stage: str, split: str, source: str, partition: str) -> Path:
        """Return the path of the table that a stage makes of a partition."""
        return self.shards.joinpath("tables", stage, split, source, f"{partition}.parquet")

    @property
    def bad_shards(self) -> Path:
        """The shards that failed their check, a path a line."""
        return self.shards / "bad-shards.txt"

    @property
    def catalog_csv(self) -> Path:
        """The catalog of what is in the shards."""
        return self.shards / "catalog.csv"

    @property
    def catalog(self) -> Path:
        """The same, with what is known of each picture."""
        return self.shards / "catalog.parquet"

    @property
    def leak_report(self) -> Path:
        """How many images of each benchmark were kept out, and how they were known; the text lies beside it."""
        return self.shards / "leak-report.json"

    @property
    def licenses(self) -> Path:
        """Licence and owner of the images of EOL."""
        return self.shards / "licenses.csv"

    @property
    def duplicates(self) -> Path:
        """The images that share their bytes with others."""
        return self.shards / "duplicates.parquet"

    @property
    def duplicates_report(self) -> Path:
        """The figures on them; the text lies beside it."""
        return self.shards / "duplicates-report.json"

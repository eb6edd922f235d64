"""All paths of a dataset."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path  # noqa: TC003 (a dataclass field)
from typing import TYPE_CHECKING, Any, Self

from tol_luigi.core.shards import shard_name

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["SELECTION_NAME", "Layout", "record_of"]

SELECTION_NAME = r"[a-z][a-z0-9_-]*"
"""The form of the name of a selection, which is the name of folders."""


def record_of(directory: Path) -> Path:
    """Return the path of the settings of a dataset, which does not depend on the image size."""
    return directory / "dataset.json"


@dataclass(frozen=True)
class Layout:
    """The paths of a dataset.

    Attributes:
        directory: Its folder, ``<root>/<tag>``.
        size: The folder of its shards, named after the image size, such as ``224x224``.
    """

    directory: Path
    size: str

    @classmethod
    def of(cls, directory: Path, width: int, height: int) -> Self:
        """Return the paths of a dataset with images of this size in pixels."""
        return cls(directory, f"{width}x{height}")

    @classmethod
    def of_record(cls, directory: Path, record: Mapping[str, Any]) -> Self:
        """Return the paths of a dataset from the content of its ``dataset.json``.

        Raises:
            KeyError: The content lacks the image size.
        """
        return cls.of(directory, record["images.width"], record["images.height"])

    def of_size(self, size: str) -> Self:
        """Return the paths of another image size; a further size has shards and their indexes only."""
        return replace(self, size=size)

    @property
    def record(self) -> Path:
        """The settings of the build."""
        return record_of(self.directory)

    @property
    def manifest(self) -> Path:
        """The list of all files of the dataset, each with the task that wrote it and its inputs."""
        return self.directory / "manifest.json"

    @property
    def checksums(self) -> Path:
        """The checksums of all files, for ``sha256sum -c``."""
        return self.directory / "SHA256SUMS"

    def stage_receipt(self, family: str, *values: str) -> Path:
        """Return the path of the receipt of a task that has no folder of records."""
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

    @property
    def task_times(self) -> Path:
        """The log of how long each task took, one per line; no part of the dataset."""
        return self.logs / "times.jsonl"

    @property
    def times_page(self) -> Path:
        """The times by stage as a page; the table is next to it. No part of the dataset."""
        return self.logs / "times.html"

    @property
    def excluded_page(self) -> Path:
        """The images that are in no shard, as a page. No part of the dataset."""
        return self.logs / "excluded.html"

    def sightings(self, family: str, *values: str) -> Path:
        """Return the path of the recorded state of a task's source files; it is not part of the dataset."""
        *folders, name = (family, *values)
        return self.directory.joinpath("sightings", *folders, f"{name}.json")

    @property
    def inputs(self) -> Path:
        """The paths of the input files and folders; not part of the dataset."""
        return self.directory / "sightings" / "inputs.json"

    @property
    def weights(self) -> Path:
        """The digests of the weights of models, by path, size and modification time; not part of the dataset."""
        return self.directory / "sightings" / "weights.json"

    @property
    def mapping(self) -> Path:
        """The database of ids, splits and locations."""
        return self.directory / "mapping.sqlite"

    @property
    def splits_report(self) -> Path:
        """What became of given splits and of groups, if there are any; the text report is next to it."""
        return self.directory / "splits-report.json"

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
        """The map from scientific names to common names."""
        return self.metadata / "scientific_to_common.json"

    @property
    def name_problems(self) -> Path:
        """Contradictions and cycles in the tables of names, one per line."""
        return self.metadata / "problems.txt"

    @property
    def taxonomy(self) -> Path:
        """The folder of the reference taxonomy."""
        return self.directory / "taxonomy"

    def taxonomy_records(self, stage: str, name: str) -> Path:
        """Return the folder of the tables of a source of the taxonomy, after a stage."""
        return self.taxonomy / "sources" / stage / name

    def taxonomy_table(self, name: str) -> Path:
        """Return the path of a table of the reference taxonomy, such as ``taxa``."""
        return self.taxonomy / f"{name}.parquet"

    @property
    def taxonomy_report(self) -> Path:
        """The figures on the reference taxonomy; the text report is next to it."""
        return self.taxonomy / "report.json"

    @property
    def taxonomy_comparison(self) -> Path:
        """What differs from the previous release; the text report is next to it."""
        return self.taxonomy / "comparison.json"

    @property
    def predicted_csv(self) -> Path:
        """The catalog that results if no image is broken."""
        return self.directory / "predicted-catalog.csv"

    @property
    def predicted(self) -> Path:
        """The same as Parquet, with additional columns for later stages: the work list of the shards."""
        return self.directory / "predicted-catalog.parquet"

    @property
    def exclusions(self) -> Path:
        """The matches of each exclusion list."""
        return self.directory / "exclusions.json"

    @property
    def benchmarks(self) -> Path:
        """The hashes of the benchmark images."""
        return self.directory / "benchmark-hashes.parquet"

    @property
    def takedowns(self) -> Path:
        """The record of all takedowns, which every later build respects."""
        return self.directory / "takedowns.csv"

    @property
    def withheld(self) -> Path:
        """The images that are left out of their shards because of their rights."""
        return self.directory / "withheld.parquet"

    @property
    def plan(self) -> Path:
        """The shard numbers of each (split, source, partition)."""
        return self.directory / "plan.json"

    @property
    def mapping_ledger(self) -> Path:
        """The images that the mapping excludes."""
        return self.directory / "ledger" / "mapping.parquet"

    @property
    def names_ledger(self) -> Path:
        """The images without a name."""
        return self.directory / "ledger" / "names.parquet"

    def listing(self, source: str, name: str) -> Path:
        """Return the path of a listing, the result of one scan."""
        return self.directory / "listings" / source / f"{name}.parquet"

    def index(self, source: str) -> Path:
        """Return the path of the index of a source in a single ``.tar.gz``."""
        return self.directory / "listings" / source / "archive.gzindex"

    def urls(self, source: str) -> Path:
        """Return the path of the URLs of a source, with the partition of each."""
        return self.fetched(source) / "urls.parquet"

    def fetched(self, source: str) -> Path:
        """Return the folder of what is fetched for a source of URLs: an archive for each partition, and its URLs."""
        return self.directory / "fetched" / source

    @property
    def fetch_report(self) -> Path:
        """The numbers of URLs that are new, changed or gone since an earlier dataset; the text report is next to it."""
        return self.directory / "fetched" / "report.json"

    def url_changes(self, source: str) -> Path:
        """Return the path of the URLs that are new, changed or gone since an earlier dataset."""
        return self.fetched(source) / "changes.parquet"

    def digests(self, source: str, partition: str) -> Path:
        """Return the path of the hashes of a partition's files, which exists if duplicates are dropped."""
        return self.directory / "hashes" / source / f"{partition}.parquet"

    def taxa_report(self, which: str) -> Path:
        """Return the path of the figures on the taxa of a catalog; the text report is next to it."""
        return self.directory / f"taxa-report-{which}.json"

    @property
    def matches_report(self) -> Path:
        """The numbers of images that match their table of names, by source; the text report is next to it."""
        return self.directory / "matches-report.json"

    @property
    def relabel_report(self) -> Path:
        """The figures on changes from the previous dataset; the text report is next to it."""
        return self.directory / "relabel-report.json"

    @property
    def shards(self) -> Path:
        """The folder of the shards, the final catalog and their records."""
        return self.directory / self.size

    def shard(self, split: str, number: int) -> Path:
        """Return the path of a shard."""
        return self.shards / split / shard_name(number)

    def records(self, split: str) -> Path:
        """Return the folder of the records of a split: receipts, ledgers and verdicts."""
        return self.shards / "records" / split

    def receipts(self, split: str) -> list[Path]:
        """Return the paths of the existing receipts of a split, in order."""
        return sorted(self.records(split).glob("*/*.receipt.json"))

    @property
    def has_shards(self) -> bool:
        """Whether the shards of any work unit are written."""
        return any((self.shards / "records").glob("*/*/*.receipt.json"))

    def receipt(self, split: str, source: str, partition: str) -> Path:
        """Return the path of the receipt of a work unit, which lists its shards."""
        return self._record(split, source, partition, "receipt.json")

    def ledger(self, split: str, source: str, partition: str) -> Path:
        """Return the path of the ledger of a work unit, with the state of each image."""
        return self._record(split, source, partition, "ledger.parquet")

    def verdict(self, split: str, source: str, partition: str) -> Path:
        """Return the path of the findings of a shard check."""
        return self._record(split, source, partition, "verdict.json")

    def _record(self, split: str, source: str, partition: str, what: str) -> Path:
        # In one step, because a status query needs thousands of paths and each step creates an object.
        return self.directory.joinpath(self.size, "records", split, source, f"{partition}.{what}")

    def table(self, stage: str, split: str, source: str, partition: str) -> Path:
        """Return the path of the table that a stage writes for a partition."""
        return self.shards.joinpath("tables", stage, split, source, f"{partition}.parquet")

    @property
    def card(self) -> Path:
        """The dataset card, with which ``datasets.load_dataset`` reads the folder of the shards."""
        return self.shards / "README.md"

    @property
    def root_card(self) -> Path:
        """The same card for the folder of the dataset, as it is published."""
        return self.directory / "README.md"

    @property
    def datasheet(self) -> Path:
        """Questions and answers about the dataset."""
        return self.directory / "DATASHEET.md"

    @property
    def citation(self) -> Path:
        """How to cite the dataset, in the Citation File Format."""
        return self.directory / "CITATION.cff"

    @property
    def croissant(self) -> Path:
        """Files, columns and record sets as Croissant metadata."""
        return self.directory / "croissant.json"

    @property
    def shard_table(self) -> Path:
        """The shards of all splits with samples, size and checksum."""
        return self.shards / "shards.csv"

    @property
    def features(self) -> Path:
        """The folder of the features: a folder for each family, in it one for each split."""
        return self.shards / "features"

    @property
    def features_report(self) -> Path:
        """The figures on the features; the text report is next to it."""
        return self.features / "report.json"

    @property
    def features_views(self) -> Path:
        """The SQL script for DuckDB that joins catalog and features in one view."""
        return self.features / "views.sql"

    def vector_index(self, extractor: str, vector: str) -> Path:
        """Return the folder of the index of a vector, by the folder of its extractor and its name."""
        return self.features / "index" / extractor / vector

    @property
    def near_duplicates(self) -> Path:
        """The clusters of images that look alike."""
        return self.features / "near-duplicates.parquet"

    @property
    def near_duplicates_report(self) -> Path:
        """The figures on near-duplicates; the text report is next to it."""
        return self.features / "near-duplicates-report.json"

    def selection(self, name: str) -> Path:
        """Return the folder of the tables of a selection; its shards are those of a split with its name."""
        return self.shards / "selections" / name

    def selections(self, *, finished: bool = True) -> list[str]:
        """Return the names of the selections, in order; a folder of another form is none of ours.

        Args:
            finished: Whether to list only those with a catalog.
        """
        folders = sorted(path for path in (self.shards / "selections").glob("*") if path.is_dir())
        return [
            path.name
            for path in folders
            if re.fullmatch(SELECTION_NAME, path.name)
            and (not finished or (path / "catalog.parquet").exists())
        ]

    @property
    def bad_shards(self) -> Path:
        """The shards that failed their check, one path per line."""
        return self.shards / "bad-shards.txt"

    @property
    def catalog_csv(self) -> Path:
        """The catalog of the shards."""
        return self.shards / "catalog.csv"

    @property
    def catalog(self) -> Path:
        """The same as Parquet, with the metadata of each image."""
        return self.shards / "catalog.parquet"

    @property
    def report(self) -> Path:
        """The page on which people look at the build; its figures are next to it as tables."""
        return self.shards / "report" / "report.html"

    @property
    def taxa_stats(self) -> Path:
        """The numbers of distinct lineages, overall and by source."""
        return self.shards / "taxa_stats.csv"

    @property
    def leak_report(self) -> Path:
        """The numbers of excluded benchmark images by matching method; the text report is next to it."""
        return self.shards / "leak-report.json"

    @property
    def licenses(self) -> Path:
        """Licences and owners of all images."""
        return self.shards / "licenses.csv"

    @property
    def attribution(self) -> Path:
        """The folder of the attributions: a file for each split, and in a folder of the split one for each shard."""
        return self.shards / "attribution"

    @property
    def rights_report(self) -> Path:
        """The figures on images that are left out because of their rights; the text report is next to it."""
        return self.shards / "rights-report.json"

    @property
    def changes(self) -> Path:
        """The takedowns, each with the number of its images and their shards."""
        return self.shards / "changes.csv"

    @property
    def duplicates(self) -> Path:
        """The images that are exact duplicates of others."""
        return self.shards / "duplicates.parquet"

    @property
    def duplicates_report(self) -> Path:
        """The figures on duplicates; the text report is next to it."""
        return self.shards / "duplicates-report.json"

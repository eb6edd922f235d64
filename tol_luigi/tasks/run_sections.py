"""The sections of ``luigi.cfg`` that change no byte of a dataset: where a build runs, and how sources are fetched."""

from __future__ import annotations

import dataclasses
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from tol_luigi.core.layout import SELECTION_NAME
from tol_luigi.core.samples import TEXTS
from tol_luigi.core.sections import Section, setting
from tol_luigi.core.setting_kinds import (
    AnyText,
    Choice,
    Expression,
    Expressions,
    Flag,
    Formed,
    Lines,
    Names,
    Numbers,
    Pairs,
    Place,
    Text,
    Whole,
)
from tol_luigi.downloads import catalogue
from tol_luigi.features.expressions import RULE_FORM
from tol_luigi.features.profiles import PROFILES
from tol_luigi.slurm import DURATION, MEMORY, Request

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "DOWNLOAD_SECTION",
    "MODEL_FORM",
    "REFERENCES_FORM",
    "VECTOR_FORM",
    "ClusterSection",
    "DownloadSection",
    "FeaturesSection",
    "FilterSection",
    "ReportSection",
    "SelectSection",
    "SlurmSection",
]

_LARGEST = 1_000_000_000

MODEL_FORM = "<name> = <path>, such as bioclip = models/bioclip"
"""The form of a line of ``[features] models``."""

VECTOR_FORM = "<extractor>/<vector>, such as clip:bioclip/bioclip_img"
"""The form of ``[features] index``, ``[features] leak_vector`` and ``[select] vector``."""

REFERENCES_FORM = "<name> = <path>, such as rare = benchmarks/rare_species"
"""The form of a line of ``[features] references``."""


@dataclass(frozen=True)
class FeaturesSection(Section):
    """Features of the samples: values, scores and vectors that extractors compute from finished shards."""

    section: ClassVar[str] = "features"

    profile: str = setting(
        Choice("none", *PROFILES),
        "none",
        "a set of extractors (docs/features.md); none is for extractors only",
    )
    extractors: tuple[str, ...] | None = setting(
        Lines(), None, "further extractors, one per line; those with a model are <kind>:<model>"
    )
    files: tuple[str, ...] | None = setting(
        Lines(), None, "Python files that register extractors of your own, one per line"
    )
    models: tuple[str, ...] | None = setting(
        Lines(), None, f"the models that you have, one per line: {MODEL_FORM}"
    )
    agreement: str | None = setting(
        Formed(r"clip:.+", "clip: and the name of a model"),
        None,
        "the extractor whose vectors are compared with the texts of all taxa, and with other images of the taxon",
    )
    taxon_texts: tuple[str, ...] = setting(
        Names(TEXTS),
        ("sci.txt", "taxon.txt", "com.txt", "sci_com.txt", "taxon_com.txt"),
        "the texts of a taxon that agreement averages",
    )
    text: str = setting(Choice(*TEXTS), "sci_com.txt", "the text of a sample that extractors read")
    device: str = setting(
        Formed(
            r"cpu|cuda:[0-9]+(?: *, *cuda:[0-9]+)*",
            "cpu, or cuda: and the number of a GPU, or several of these",
        ),
        "cpu",
        "where models run: cpu, or GPUs such as cuda:0 or cuda:0, cuda:1",
    )
    batch: int = setting(Whole(1, 100_000), 32, "the largest number of samples that a model gets at once")
    threads: int = setting(
        Whole(1, 1024), 1, "the threads of a task, for decoding images and for models on the processor"
    )
    max_error_percent: int = setting(
        Whole(0, 100), 1, "the largest percentage of unusable samples of a shard; one is always allowed"
    )
    index: str | None = setting(
        Formed(r"[^/\s]+/[^/\s]+", VECTOR_FORM),
        None,
        f"the vector to index for tol search (docs/select.md): {VECTOR_FORM}",
    )
    references: tuple[str, ...] | None = setting(
        Lines(),
        None,
        "benchmarks whose images the samples are compared with, one per line: a folder of images or tars, or a tar; "
        f"{REFERENCES_FORM}",
    )
    leak_vector: str | None = setting(
        Formed(r"[^/\s]+/[^/\s]+", VECTOR_FORM),
        None,
        f"the vector by which samples and references are compared, {VECTOR_FORM}; empty is the first one of copy:<model>, "
        "or else of the first extractor with vectors",
    )
    near_duplicate_bits: int = setting(
        Whole(-1, 16),
        4,
        "the largest number of differing bits, of 64, for near-duplicates, if hash is among the extractors; "
        "-1 looks for none",
    )

    @property
    def devices(self) -> tuple[str, ...]:
        """Where models run, such as the names of all GPUs."""
        return tuple(one.strip() for one in (self.device or "cpu").split(","))


@dataclass(frozen=True)
class FilterSection(Section):
    """Rules that drop samples from the selection; the shards of the dataset are not changed."""

    section: ClassVar[str] = "filter"

    rules: tuple[str, ...] | None = setting(
        Expressions(), None, f"samples for which a rule is true are dropped; one rule per line: {RULE_FORM}"
    )


@dataclass(frozen=True)
class SelectSection(Section):
    """A selection of samples, copied to shards of their own."""

    section: ClassVar[str] = "select"

    name: str | None = setting(
        Formed(SELECTION_NAME, "lower-case letters, digits, - and _"),
        None,
        "the name of the selection, which is that of the folder of its shards; empty makes none",
    )
    split: str = setting(Choice("train", "val"), "train", "the split that the samples come from")
    most_per_species: int = setting(Whole(0, _LARGEST), 0, "the most samples of each species; 0 is no limit")
    least_per_species: int = setting(
        Whole(0, _LARGEST), 0, "the fewest samples of a species, else none of it is selected"
    )
    method: str = setting(
        Choice("order_by", "nearest", "diverse"),
        "order_by",
        "how the samples of a species are selected: by order_by; those whose vectors are nearest to the mean; "
        "or the nearest one and then those farthest from each other",
    )
    vector: str | None = setting(
        Formed(r"[^/\s]+/[^/\s]+", VECTOR_FORM),
        None,
        f"the vector that nearest and diverse compare: {VECTOR_FORM}",
    )
    order_by: str | None = setting(
        Expression(),
        None,
        "a number as SQL expression; the samples of a species with the highest ones are selected; empty draws them",
    )
    seed: int = setting(
        Whole(0, _LARGEST), 17, "the seed for drawing among samples with equal numbers, or without a vector"
    )


@dataclass(frozen=True)
class ReportSection(Section):
    """The page on which people look at a build."""

    section: ClassVar[str] = "report"

    page: bool = setting(Flag(), True, "write it at the end of each build (docs/report.md)")
    thumbnails: int = setting(
        Whole(0, 5000), 1200, "the largest number of images that it shows; 0 reads no shard"
    )


@dataclass(frozen=True)
class ClusterSection(Section):
    """A build on several nodes: luigid, the workers it hands tasks to, and the foreman."""

    section: ClassVar[str] = "cluster"

    bind: str = setting(
        Text(),
        "127.0.0.1",
        "the address that luigid listens on; for workers on other nodes, an address of its own node or 0.0.0.0",
    )
    port: int = setting(Whole(0, 65_535), 0, "the port that luigid listens on; 0 chooses a free one")
    password: bool = setting(
        Flag(),
        True,
        "require a password for luigid's API and page; without password_file, luigid generates one",
    )
    password_file: Path | None = setting(
        Place("file"), None, "a file of mode 600 that contains your own password"
    )
    metrics: bool = setting(Flag(), False, "serve Prometheus metrics at /metrics")
    retries: int = setting(Whole(1, 1000), 3, "how often a task may fail before it is given up")
    retry_seconds: int = setting(Whole(0, 86_400), 60, "the delay before a failed task is tried again")
    losses: int = setting(
        Whole(1, 1000), 5, "how many workers may be lost while they run a task before the task is given up"
    )
    bad_node_failures: int = setting(
        Whole(1, 1000),
        3,
        "the number of failures in a row after which a node gets no more tasks, if other nodes succeed",
    )
    lost_seconds: int = setting(
        Whole(1, 86_400), 90, "a worker that is silent for this long is lost, and its task runs elsewhere"
    )
    ping_seconds: int = setting(Whole(1, 3600), 10, "how often a worker pings luigid")
    poll_seconds: int = setting(Whole(1, 3600), 5, "how often, at most, an idle worker asks for a task")
    idle_seconds: int = setting(Whole(0, _LARGEST), 600, "a worker that gets no task for this long exits")
    patience_seconds: int = setting(
        Whole(1, _LARGEST), 900, "how long workers and foreman wait for luigid before they give up"
    )
    settle_seconds: int = setting(
        Whole(0, 3600),
        30,
        "how long to wait until a file from another node appears on a slow file system",
    )
    save_seconds: int = setting(Whole(1, 3600), 5, "how often, at most, luigid saves its state")
    finish: bool = setting(Flag(), True, "luigid and workers exit when the foreman has ended")


@dataclass(frozen=True)
class SlurmSection(Section):
    """How a build on several nodes is submitted to Slurm."""

    section: ClassVar[str] = "slurm"

    account: str | None = setting(Formed(), None, "the account to charge; empty is your default")
    partition: str | None = setting(
        Formed(), None, "the partition for the jobs; empty is the cluster's default"
    )
    time: str | None = setting(
        Formed(DURATION, "as sbatch takes it, such as 12:00:00 or 2-00:00:00"),
        None,
        "the time limit of a job; empty is the partition's default; other jobs continue the rest",
    )
    memory: str | None = setting(
        Formed(MEMORY, "a number with K, M, G or T"),
        "4G",
        "the memory of a worker; empty is the cluster's default",
    )
    most_memory: str | None = setting(
        Formed(MEMORY, "a number with K, M, G or T"),
        "32G",
        "the limit up to which new workers get twice the memory if it was too little",
    )
    cpus: int = setting(Whole(1, 1024), 1, "the processors of an array element, with one worker on each")
    array: int = setting(Whole(1, 100_000), 64, "the largest number of array elements")
    limit: int = setting(
        Whole(0, 100_000), 0, "the largest number of array elements that run at once; 0 is no limit"
    )
    warning_seconds: int = setting(
        Whole(1, 65_535), 900, "how long before its time limit a worker stops asking for tasks"
    )
    requeue: bool = setting(Flag(), True, "requeue a job that is preempted or whose node is lost")
    options: str | None = setting(
        Formed(), None, "more sbatch options for all jobs, such as --constraint=ib --qos=long"
    )
    before: str | None = setting(
        Formed(), None, "Bash commands to run first in every job, such as module load python/3.11"
    )

    def request(self) -> Request:
        """Return what these settings ask of Slurm for any job."""
        more = tuple(shlex.split(self.options or ""))
        return Request(self.account, self.partition, self.time, requeue=self.requeue, more=more)


@dataclass(frozen=True)
class DownloadSection(Section):
    """How sources are fetched; :data:`DOWNLOAD_SECTION` has in addition where each comes from."""

    section: ClassVar[str] = "download"

    folder: Path | None = setting(
        Place("new"),
        None,
        "the folder for files that no other setting places; a build finds them there",
    )
    sources: tuple[str, ...] = setting(Names(catalogue.GROUPS), catalogue.GROUPS, "what to fetch")
    checksums: tuple[tuple[str, str], ...] = setting(
        Pairs(
            "md5:[0-9a-fA-F]{32}|sha256:[0-9a-fA-F]{64}",
            "name=md5:... or name=sha256:..., with commas between them",
        ),
        tuple(
            (f"{source}/{archive.name}", archive.checksum)
            for source, downloads in catalogue.SOURCE_DOWNLOADS.items()
            for archive in downloads.archives
            if archive.checksum
        ),
        "the expected checksums of files, by their names in sources.lock",
    )
    extract: bool = setting(Flag(), False, "also unpack image archives")
    counts: tuple[tuple[str, str], ...] = setting(
        Pairs(
            "[0-9]{1,9}",
            "source=number, with commas between them",
            names=tuple(catalogue.SOURCE_DOWNLOADS),
        ),
        tuple(
            (source, str(downloads.count))
            for source, downloads in catalogue.SOURCE_DOWNLOADS.items()
            if downloads.count is not None
        ),
        "the expected number of files in the unpacked archives of a source",
    )
    files: int = setting(Whole(1, 32), 2, "the number of files fetched at once, per source")
    connections: int = setting(Whole(1, 32), 4, "the number of connections per file")
    host_connections: int = setting(
        Whole(1, 64), 8, "the largest number of connections to one server, per source"
    )
    retries: int = setting(
        Whole(0, 1000), 8, "the largest number of retries in a row without a received byte"
    )
    pause_seconds: int = setting(
        Whole(0, 300), 1, "the delay before a retry; it doubles each time, up to 5 minutes"
    )
    stall_seconds: int = setting(Whole(1, 3600), 60, "a connection is closed after this long without a byte")
    token_variable: str = setting(Text(), "HF_TOKEN", "the environment variable with the access token")
    token_host: str = setting(AnyText(), "huggingface.co", "the only server that receives the token")
    where: str = setting(
        Choice("here", "slurm"),
        "here",
        "fetch in this process, or in one Slurm job per source, with the keys of [slurm]",
    )
    slurm_time: tuple[tuple[str, str], ...] = setting(
        Pairs(
            DURATION,
            "source=time as Slurm writes it, with commas between them",
            names=catalogue.GROUPS,
        ),
        (
            (catalogue.METADATA, "0:20:00"),
            *((source, downloads.slurm_time) for source, downloads in catalogue.SOURCE_DOWNLOADS.items()),
        ),
        "the time limit of each job",
    )
    slurm_cores: tuple[tuple[str, str], ...] = setting(
        Pairs(
            "[1-9][0-9]{0,2}",
            "source=number, with commas between them",
            names=catalogue.GROUPS,
        ),
        (
            (catalogue.METADATA, "1"),
            *(
                (source, str(downloads.slurm_cores))
                for source, downloads in catalogue.SOURCE_DOWNLOADS.items()
            ),
        ),
        "the cores of each job",
    )

    def base(self, key: str) -> str:
        """Return the address or folder that files of a base come from."""
        return str(getattr(self, key))

    def sets(self, source: str) -> tuple[int, ...]:
        """Return the numbers of the archives to fetch of a source that has several."""
        return tuple(getattr(self, catalogue.sets_key(source)))


_ORIGINS: list[tuple[str, Any, Any]] = [
    *(
        (
            catalogue.sets_key(source),
            tuple,
            setting(
                Numbers(),
                tuple(range(1, len(downloads.archives) + 1)),
                f"the numbers of the archives of {source} to fetch",
            ),
        )
        for source, downloads in catalogue.SOURCE_DOWNLOADS.items()
        if catalogue.sets_key(source)
    ),
    *(
        (key, str, setting(AnyText(), base.address, f"the address or folder of {base.description}"))
        for key, base in catalogue.BASES.items()
    ),
]

DOWNLOAD_SECTION: type[DownloadSection] = dataclasses.make_dataclass(
    "DownloadSection",
    _ORIGINS,
    bases=(DownloadSection,),
    frozen=True,
    namespace={"__doc__": "Where sources come from, and how they are fetched."},
)
"""The section ``[download]``, with the keys that the sources bring."""

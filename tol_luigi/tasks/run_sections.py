"""The sections of ``luigi.cfg`` that change no byte of a dataset: where a build runs, and how sources are fetched."""

from __future__ import annotations

import dataclasses
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from tol_luigi.core.sections import Section, setting
from tol_luigi.core.setting_kinds import (
    AnyText,
    Choice,
    Flag,
    Formed,
    Names,
    Numbers,
    Pairs,
    Place,
    Text,
    Whole,
)
from tol_luigi.downloads import catalogue
from tol_luigi.slurm import DURATION, MEMORY, Request

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["DOWNLOAD_SECTION", "ClusterSection", "DownloadSection", "SlurmSection"]

_LARGEST = 1_000_000_000


@dataclass(frozen=True)
class ClusterSection(Section):
    """A build on several nodes: luigid, the workers it hands tasks to, and the foreman."""

    section: ClassVar[str] = "cluster"

    bind: str = setting(
        Text(), "127.0.0.1", "the address that luigid listens on; that of its node, for other nodes"
    )
    port: int = setting(Whole(0, 65_535), 0, "its port; 0 is any that is free")
    password: bool = setting(
        Flag(),
        True,
        "have luigid ask for a password, on its page as well; without a file of yours it makes one",
    )
    password_file: Path | None = setting(
        Place("file"), None, "your own password, in a file of mode 600, in place of the one that luigid makes"
    )
    metrics: bool = setting(Flag(), False, "give figures for Prometheus, at /metrics")
    retries: int = setting(Whole(1, 1000), 3, "how often a task may fail before it is given up")
    retry_seconds: int = setting(
        Whole(0, 86_400), 60, "how long a failed task waits before it is tried again"
    )
    losses: int = setting(Whole(1, 1000), 5, "how many workers may be lost at a task before it is given up")
    bad_node_failures: int = setting(
        Whole(1, 1000),
        3,
        "so many tasks that fail on a node in a row, where others do well, and it gets no more",
    )
    lost_seconds: int = setting(
        Whole(1, 86_400), 120, "a worker not heard of for so long is lost, and its task free"
    )
    ping_seconds: int = setting(
        Whole(1, 3600), 10, "how often a worker says that it is there; luigid may be busy"
    )
    poll_seconds: int = setting(Whole(1, 3600), 5, "how often, at most, a worker without a task asks for one")
    idle_seconds: int = setting(Whole(0, _LARGEST), 600, "a worker that gets no task for so long leaves")
    patience_seconds: int = setting(
        Whole(1, _LARGEST), 900, "how long luigid may be away before others give up"
    )
    settle_seconds: int = setting(
        Whole(0, 3600),
        30,
        "how long a file of another node may be late, where the file system is slow to show it",
    )
    save_seconds: int = setting(Whole(1, 3600), 5, "how often, at most, luigid saves what it knows")
    finish: bool = setting(Flag(), True, "luigid and workers leave when the foreman has ended")


@dataclass(frozen=True)
class SlurmSection(Section):
    """How a build on several nodes is submitted to Slurm."""

    section: ClassVar[str] = "slurm"

    account: str | None = setting(Formed(), None, "whom the time is charged to; empty is your own default")
    partition: str | None = setting(Formed(), None, "where the jobs run; empty is the cluster's default")
    time: str | None = setting(
        Formed(DURATION, "as sbatch takes it, such as 12:00:00 or 2-00:00:00"),
        None,
        "how long a job may run; empty is the partition's default; what is left to do then, others go on with",
    )
    memory: str | None = setting(
        Formed(MEMORY, "a number with K, M, G or T"),
        "4G",
        "the memory of a worker; empty is the cluster's default",
    )
    most_memory: str | None = setting(
        Formed(MEMORY, "a number with K, M, G or T"),
        "32G",
        "where that was too little, new workers get twice as much, up to this",
    )
    cpus: int = setting(Whole(1, 1024), 1, "the processors of an element of the array, with a worker on each")
    array: int = setting(Whole(1, 100_000), 64, "the most elements of the array")
    limit: int = setting(Whole(0, 100_000), 0, "the most elements that run at once; 0 is no limit")
    warning_seconds: int = setting(
        Whole(1, 65_535), 900, "so long before its time is up a worker takes no more tasks"
    )
    requeue: bool = setting(Flag(), True, "a job whose node is lost, or taken away, starts again")
    options: str | None = setting(
        Formed(), None, "more options of sbatch, for all jobs, such as --constraint=ib --qos=long"
    )
    before: str | None = setting(
        Formed(), None, "bash to run first in every job, such as module load python/3.11"
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
        "where DownloadSources leaves what no other setting places, and where a build then finds it",
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
        "what files have to have, by their names in sources.lock",
    )
    extract: bool = setting(Flag(), False, "unpack the archives of images, too")
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
        "how many files the unpacked archives of a source have to hold",
    )
    files: int = setting(Whole(1, 32), 2, "how many files at once, of each source")
    connections: int = setting(Whole(1, 32), 4, "over how many connections a file comes")
    host_connections: int = setting(Whole(1, 64), 8, "how many connections to one server, for each source")
    retries: int = setting(Whole(0, 1000), 8, "how often to try again in a row, with no byte in between")
    pause_seconds: int = setting(
        Whole(0, 300), 1, "before trying again; twice as long each time, up to 5 minutes"
    )
    stall_seconds: int = setting(
        Whole(1, 3600), 60, "a connection is broken off after so long without a byte"
    )
    token_variable: str = setting(Text(), "HF_TOKEN", "the environment variable that holds an access token")
    token_host: str = setting(AnyText(), "huggingface.co", "the only server that is shown the token")
    where: str = setting(
        Choice("here", "slurm"), "here", "fetch in this process, or in a Slurm job a source, as [slurm] says"
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
        "time limit of each job",
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
        "cores of each job",
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
                f"which archives of {source}, by number",
            ),
        )
        for source, downloads in catalogue.SOURCE_DOWNLOADS.items()
        if catalogue.sets_key(source)
    ),
    *(
        (key, str, setting(AnyText(), base.address, f"address or folder of {base.description}"))
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

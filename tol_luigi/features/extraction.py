"""Extract features from one shard: what is stale is computed, in parts, so that a killed process resumes within it."""

from __future__ import annotations

import functools
import warnings
from collections import deque
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from tol_luigi.core.errors import FeatureError
from tol_luigi.features.extractor import needed_extractors
from tol_luigi.features.family_files import PART_ROWS, FamilyFiles, TarIdentity
from tol_luigi.features.running import part_columns, parts
from tol_luigi.features.samples import Status
from tol_luigi.features.tars import TarSamples

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tol_luigi.features.extractor import Extractor

__all__ = ["Extraction", "ExtractionSpec", "families"]


@dataclass(frozen=True)
class ExtractionSpec:
    """How extractors are run.

    Attributes:
        batch: The number of samples in a batch, unless an extractor has its own.
        threads: The number of threads that prepare samples.
        max_error_percent: The largest percentage of unusable samples of a shard; one is always allowed.
        text: The extension of the text of a sample.
        rerun: Whether to compute everything again.
    """

    batch: int = 32
    threads: int = 1
    max_error_percent: float = 1.0
    text: str = "txt"
    rerun: bool = False


def families(
    folder: Path, name: str, extractors: Sequence[Extractor], prints: Mapping[str, str]
) -> list[FamilyFiles[Extractor]]:
    """Return the files of each extractor for one shard.

    Args:
        folder: The folder of all families.
        name: The name of the shard without its extension.
        extractors: The extractors.
        prints: Their fingerprints.
    """
    return [FamilyFiles(folder, name, extractor, prints[extractor.name]) for extractor in extractors]


class Extraction:
    """The extraction of features from one shard.

    Args:
        url: The tar; see :func:`~tol_luigi.features.tars.open_tar`.
        files: The families; each after those that it depends on.
        spec: How to run them.
        sha256: The SHA-256 that the tar must have, "" if it is not known.
    """

    def __init__(
        self, url: str, files: Sequence[FamilyFiles[Extractor]], spec: ExtractionSpec, sha256: str = ""
    ) -> None:
        self.url, self.files, self.spec, self.sha256 = url, files, spec, sha256

    @functools.cached_property
    def _current_sha256(self) -> str:
        """The SHA-256 of the tar, which is read for it if it is not known."""
        if self.sha256:
            return self.sha256
        samples = TarSamples(self.url)
        deque(samples, maxlen=0)
        return samples.sha256

    def stale(self) -> list[FamilyFiles[Extractor]]:
        """Return the families that have to be computed.

        A tar whose SHA-256 is not known counts as unchanged if size and time of modification are; else its
        SHA-256 is computed.
        """
        if self.spec.rerun:
            return list(self.files)
        return [one for one in self.files if not self._is_fresh(one)]

    def _is_fresh(self, one: FamilyFiles[Extractor]) -> bool:
        receipt = one.checked_receipt()
        if receipt is None:
            return False
        if not self.sha256:
            state = _size_and_time(self.url)
            if state[1] and state == (receipt.notes.get("tar_bytes"), receipt.notes.get("tar_modified")):
                return True
        return receipt.inputs["tar"] == self._current_sha256

    def run(self, progress: Callable[[int], None] = lambda _: None) -> list[FamilyFiles[Extractor]]:
        """Compute the stale families, and return them.

        Args:
            progress: Called with the number of samples so far.

        Raises:
            ShardError: The tar cannot be read.
            FeatureError: An extractor fails for whole batches, or too many samples are unusable.
        """
        while stale := self.stale():
            try:
                self._compute(stale, progress)
            except FeatureError:
                # Another process may have finished some of them meanwhile, and have removed their parts.
                if len(self.stale()) == len(stale):
                    raise
            else:
                return stale
        return []

    def _compute(self, stale: list[FamilyFiles[Extractor]], progress: Callable[[int], None]) -> None:
        for one in stale:
            if self.spec.rerun:
                one.remove_parts()
        needed = _needed(self.files, {one.extractor.name for one in stale})
        before = _size_and_time(self.url)
        samples = TarSamples(self.url, self.spec.text)
        done = min(one.count_parts() for one in stale)
        for one in needed:
            one.extractor.load_once()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's, about odd images
            rows = self._write_parts(samples, needed, stale, done, progress)
        if not rows:
            raise FeatureError(self.url, "it has no samples", "Remove it from the list, or write it again")
        self._validate(samples, before)
        # A tar whose SHA-256 is known need not be recognised by its time, which differs from copy to copy.
        identity = TarIdentity(samples.sha256, samples.size, 0 if self.sha256 else before[1])
        for one in stale:
            self._validate_errors(one)
            one.finish(identity, rows)

    def _write_parts(
        self,
        samples: TarSamples,
        needed: Sequence[FamilyFiles[Extractor]],
        stale: Sequence[FamilyFiles[Extractor]],
        done: int,
        progress: Callable[[int], None],
    ) -> int:
        """Write the parts from a number on; return the number of samples."""
        stream = iter(samples)
        reached = sum(1 for _ in islice(stream, done * PART_ROWS))
        progress(reached)

        def advance(count: int) -> None:
            nonlocal reached
            reached += count
            progress(reached)

        extractors = [one.extractor for one in needed]
        found = parts(stream, extractors, PART_ROWS, self.spec.batch, self.spec.threads, progress=advance)
        complete = [(one, one.count_parts()) for one in stale]
        for number, (rows, values) in enumerate(found, start=done):
            for one, count in complete:
                if number >= count:
                    one.write_part(number, part_columns(rows, values[one.extractor.name], number * PART_ROWS))
        return reached

    def _validate(self, samples: TarSamples, before: tuple[int, int]) -> None:
        """Raise an error if the tar is not the expected one, or has changed meanwhile."""
        if self.sha256 and samples.sha256 != self.sha256:
            what = "it differs from its receipt"
            raise FeatureError(self.url, what, "Run tol verify --repair, and then the same command again")
        if before != _size_and_time(self.url):
            raise FeatureError(self.url, "it has changed while it was read", "Run the same command again")

    def _validate_errors(self, one: FamilyFiles[Extractor]) -> None:
        """Raise an error if too many samples are unusable; the parts with errors of the extractor are removed."""
        errors: list[tuple[str, str, str]] = []
        first, rows = -1, 0
        for number, part in enumerate(one.read_parts(["key", "status", "error"])):
            rows += len(part)
            found = [
                (row["key"], row["status"], row["error"])
                for row in part.to_pylist()
                if row["status"] != Status.OK
            ]
            if first < 0 and any(status == Status.EXTRACTOR_ERROR for _, status, _ in found):
                first = number
            errors += found
        allowed = max(1, int(rows * self.spec.max_error_percent / 100))
        if len(errors) <= allowed and not (rows and len(errors) == rows):
            return
        if first >= 0:
            one.remove_parts(first)
        key, status, reason = errors[0]
        what = (
            f"{len(errors)} of {rows} samples cannot be used by {one.extractor.name}; "
            f"the first is {key} ({status}: {reason})"
        )
        raise FeatureError(self.url, what, "Correct the cause, or raise [features] max_error_percent")


def _size_and_time(url: str) -> tuple[int, int]:
    """Return size and time of modification of a local file, (0, 0) for anything else."""
    try:
        status = Path(url).stat()
    except OSError:
        return 0, 0
    return status.st_size, status.st_mtime_ns


def _needed(files: Sequence[FamilyFiles[Extractor]], names: set[str]) -> list[FamilyFiles[Extractor]]:
    """Return the families with these names and those that they depend on, in order."""
    needed = {one.name for one in needed_extractors([one.extractor for one in files], names)}
    return [one for one in files if one.extractor.name in needed]

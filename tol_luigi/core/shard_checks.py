"""Checks of single shards and of all shards of a split."""

from __future__ import annotations

import enum
import io
from collections import Counter
from typing import TYPE_CHECKING

from PIL import Image

from tol_luigi.core.errors import ShardError
from tol_luigi.core.files import sha256_file
from tol_luigi.core.sample_texts import SampleForm
from tol_luigi.core.samples import image_of
from tol_luigi.core.shards import Shard, ShardReader, shard_name, shard_number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from tol_luigi.core.packing import Sample

    Finding = dict[str, str]
    """The path of a file, as ``shard``, and the problem, as ``what``."""

__all__ = ["Level", "check_numbering", "check_records", "check_shards", "first_damaged"]

_SHOWN = 20
"""The most samples of one shard that are reported individually."""

_CHECKSUM = "its checksum differs from the receipt"

_PUBLISHED = SampleForm()


class Level(enum.StrEnum):
    """How thoroughly shards are checked; each level includes the previous ones."""

    RECEIPT = "receipt"
    """Existence and size of the shards. Nothing is read."""
    BYTES = "bytes"
    """Every byte is read, for the checksum only."""
    MEMBERS = "members"
    """Samples, members and texts are compared, too, and the headers of the images."""
    PIXELS = "pixels"
    """Every image is decoded."""
    SOURCES = "sources"
    """The source file of every sample is read again and compared with the ledger."""

    @property
    def reads(self) -> bool:
        """Whether files are read."""
        return self is not Level.RECEIPT

    @property
    def compares_samples(self) -> bool:
        """Whether the samples are compared with ledger and predicted catalog."""
        return self not in {Level.RECEIPT, Level.BYTES}

    @property
    def decodes(self) -> bool:
        """Whether images are decoded."""
        return self in {Level.PIXELS, Level.SOURCES}


def check_shards(
    folder: Path,
    shards: Sequence[Shard],
    ids: Mapping[int, Sequence[str]],
    size: tuple[int, int],
    progress: Callable[[int], None],
    *,
    level: Level = Level.MEMBERS,
    samples: Mapping[str, Sample] | None = None,
    form: SampleForm = _PUBLISHED,
) -> list[Finding]:
    """Compare shards with receipt and ledger, reading each shard at most once.

    Args:
        folder: The folder of the shards.
        shards: The shards in the receipt.
        ids: The ids in the ledger by shard number, in the order of the samples.
        size: Width and height of the images, in pixels.
        progress: Called with the number of shards checked so far.
        level: How thoroughly to check.
        samples: The expected samples of the split, by id; None to skip this check and that of the texts.
        form: What members a sample has.

    Returns:
        Findings, each with the path of the shard and the problem, in the order of the shards.

    Raises:
        DiskError: A shard cannot be read at the moment.
    """
    check = _Check(size, level, samples, form)
    findings = []
    for count, shard in enumerate(shards, start=1):
        path = folder / shard.name
        expected = ids.get(shard_number(shard.name), [])
        findings += [{"shard": str(path), "what": what} for what in check.findings(path, shard, expected)]
        progress(count)
    return findings


class _Check:
    """A check of shards at a given level."""

    def __init__(
        self,
        size: tuple[int, int],
        level: Level,
        samples: Mapping[str, Sample] | None,
        form: SampleForm,
    ) -> None:
        self.size, self.level, self.samples = size, level, samples
        self.members, self.image = form.members, form.image

    def findings(self, path: Path, shard: Shard, ids: Sequence[str]) -> Iterator[str]:
        """Yield the problems of a shard: its size, then single samples, then all samples together."""
        try:
            size = path.stat().st_size
        except FileNotFoundError:
            yield "it is missing"
            return
        if size != shard.size:
            yield f"it has {size} bytes, not {shard.size}"
        if self.level.compares_samples:
            yield from self._content(path, shard, ids)
        elif self.level.reads and sha256_file(path) != shard.sha256:
            yield _CHECKSUM

    def _content(self, path: Path, shard: Shard, ids: Sequence[str]) -> Iterator[str]:
        reader = ShardReader(path)
        keys: dict[str, int] = {}
        order, wrong = [], 0
        try:
            for key, members in reader:
                order.append(key)
                keys[key] = keys.get(key, 0) + 1
                if what := self._sample(key, members):
                    wrong += 1
                    if wrong <= _SHOWN:
                        yield what
        except ShardError as error:
            yield error.what
            return
        if wrong > _SHOWN:
            yield f"more samples with such problems: {wrong - _SHOWN}"
        yield from (f"sample {key} appears {count} times" for key, count in keys.items() if count > 1)
        if order != list(ids):
            yield "its samples, or their order, differ from the ledger"
        if reader.sha256 != shard.sha256:
            yield _CHECKSUM

    def _sample(self, key: str, members: Mapping[str, bytes]) -> str:
        """Return the first problem of a sample, or ""."""
        if tuple(members) != self.members:
            return f"the members of sample {key}, or their order, are wrong"
        if not self._is_image(image_of(members)):
            kind = f"{self.image.name} of {self.size[0]} x {self.size[1]} pixels"
            if self.level.decodes:
                return f"the image of sample {key} is not a complete RGB {kind}"
            return f"the image of sample {key} is not a {kind}"
        return "" if self.samples is None else self._naming(key, members, self.samples)

    @staticmethod
    def _naming(key: str, members: Mapping[str, bytes], samples: Mapping[str, Sample]) -> str:
        if key not in samples:
            return f"sample {key} is not in the predicted catalog for this split and partition"
        for extension, content in samples[key].text_members.items():
            if members[extension] != content:
                return f"{extension} of sample {key} differs from the predicted catalog"
        return ""

    def _is_image(self, content: bytes) -> bool:
        """Return whether an image is valid, by its header (the checksum covers the rest) or by decoding it."""
        try:
            with Image.open(io.BytesIO(content), formats=[self.image.pillow]) as image:
                if image.size != self.size:
                    return False
                if self.level.decodes:
                    image.load()
                    return image.mode == "RGB"
                return True
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001 (with a damaged file, a decoder can raise anything)
            return False


def first_damaged(folder: Path, shards: Iterable[Shard]) -> Path | None:
    """Return the first shard whose checksum differs from the receipt, if any."""
    paths = ((folder / shard.name, shard) for shard in shards)
    return next((path for path, shard in paths if sha256_file(path) != shard.sha256), None)


def check_records(
    folder: Path,
    receipt: Path,
    shards: Sequence[Shard],
    samples: int,
    ids: Mapping[int, Sequence[str]],
) -> list[Finding]:
    """Compare receipt and ledger of a partition with each other.

    Args:
        folder: The folder of the shards.
        receipt: The path of the receipt.
        shards: The shards in the receipt.
        samples: The number of samples in the receipt.
        ids: The ids in the ledger, by shard number.
    """
    recorded = Counter({shard.name: shard.samples for shard in shards})
    ledger = Counter({shard_name(number): len(found) for number, found in ids.items()})
    findings = [
        {
            "shard": str(folder / name),
            "what": f"samples of it in the receipt: {recorded[name]}, in the ledger: {ledger[name]}",
        }
        for name in {**recorded, **ledger}
        if recorded[name] != ledger[name]
    ]
    if samples != sum(recorded.values()):
        what = f"samples in it: {samples}, in its shards: {sum(recorded.values())}"
        findings.append({"shard": str(receipt), "what": what})
    return findings


def check_numbering(folder: Path, named: Sequence[str], present: Iterable[str]) -> list[Finding]:
    """Check that the shards of a split are numbered consecutively from 0, and that there are no others.

    Args:
        folder: The folder of the split.
        named: The names of the shards in the receipts.
        present: The names of the existing tar files.
    """
    counts = Counter(named)
    last = max(map(shard_number, counts), default=-1)
    holes = [name for name in map(shard_name, range(last)) if name not in counts]
    wrong = {
        **{name: "it is in two receipts" for name, count in counts.items() if count > 1},
        **{name: "it is in no receipt" for name in present if name not in counts},
        **dict.fromkeys(holes, "its number is missing: it is in no receipt"),
    }
    return [{"shard": str(folder / name), "what": wrong[name]} for name in sorted(wrong)]

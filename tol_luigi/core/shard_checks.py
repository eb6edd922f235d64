"""What can be wrong with a shard, and with the shards of a split together."""

from __future__ import annotations

import enum
import io
from collections import Counter
from typing import TYPE_CHECKING

from PIL import Image

from tol_luigi.core.errors import ShardError
from tol_luigi.core.files import sha256_file
from tol_luigi.core.samples import IMAGE, MEMBERS, texts
from tol_luigi.core.shards import Shard, ShardReader, shard_name, shard_number
from tol_luigi.core.taxon import Taxon

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from tol_luigi.core.packing import Sample

    Finding = dict[str, str]
    """The path of a file, as ``shard``, and ``what`` is wrong with it."""

__all__ = ["Level", "check_numbering", "check_records", "check_shards", "first_damaged"]

_SHOWN = 20
"""So many samples of one shard are told of one by one: if all its names are wrong, the first few say so."""


class Level(enum.StrEnum):
    """How closely shards are looked at; each level includes those before it."""

    RECEIPT = "receipt"
    """Whether they are there with their size. Nothing is read."""
    MEMBERS = "members"
    """Every byte is read: samples, members, texts, checksum, and the headers of the pictures."""
    PIXELS = "pixels"
    """Every picture is decoded."""
    SOURCES = "sources"
    """Every file that a sample was made of is read again in its source, and compared with the ledger."""

    @property
    def decodes(self) -> bool:
        """Whether pictures are decoded."""
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
) -> list[Finding]:
    """Compare shards with what receipt and ledger say of them, reading each once at most.

    Args:
        folder: Where they lie.
        shards: What the receipt says.
        ids: What the ledger says: by shard number, the ids of its samples in order.
        size: Width and height of the pictures, in pixels.
        progress: Told the number of shards checked so far.
        level: How closely to look.
        samples: What their split should hold, by id; None to leave that and the texts alone.

    Returns:
        Findings, each with the path of the shard and what is wrong, in the order of the shards.

    Raises:
        DiskError: The system does not let a shard be read.
    """
    check = _Check(size, level, samples)
    findings = []
    for count, shard in enumerate(shards, start=1):
        path = folder / shard.name
        expected = ids.get(shard_number(shard.name), [])
        findings += [{"shard": str(path), "what": what} for what in check.findings(path, shard, expected)]
        progress(count)
    return findings


class _Check:
    """Looks at shards as closely as it is told to."""

    def __init__(self, size: tuple[int, int], level: Level, samples: Mapping[str, Sample] | None) -> None:
        self.size, self.level, self.samples = size, level, samples

    def findings(self, path: Path, shard: Shard, ids: Sequence[str]) -> Iterator[str]:
        """Tell what is wrong with a shard: its size, its samples one by one, then as a whole."""
        try:
            size = path.stat().st_size
        except FileNotFoundError:
            yield "it is missing"
            return
        if size != shard.size:
            yield f"it has {size} bytes, not {shard.size}"
        if self.level is not Level.RECEIPT:
            yield from self._content(path, shard, ids)

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
            yield f"as much is wrong with {wrong - _SHOWN} samples more"
        yield from (f"sample {key} is there {count} times" for key, count in keys.items() if count > 1)
        if order != list(ids):
            yield "its samples are not those of the ledger, in their order"
        if reader.sha256 != shard.sha256:
            yield "its checksum is not that of the receipt"

    def _sample(self, key: str, members: Mapping[str, bytes]) -> str:
        """Tell the first thing that is wrong with a sample, or ""."""
        if tuple(members) != MEMBERS:
            return f"sample {key} has not the members of a sample, in their order"
        if not self._is_picture(members[IMAGE]):
            width, height = self.size
            if self.level.decodes:
                return f"the picture of sample {key} is not an RGB JPEG of {width} x {height} pixels, whole"
            return f"the picture of sample {key} is not a JPEG of {width} x {height} pixels"
        return "" if self.samples is None else self._naming(key, members, self.samples)

    @staticmethod
    def _naming(key: str, members: Mapping[str, bytes], samples: Mapping[str, Sample]) -> str:
        if key not in samples:
            return f"sample {key} is not one that the predicted catalog has for this split and partition"
        named = samples[key]
        for extension, text in texts(Taxon.from_rendered(named.ranks), named.common).items():
            if members[extension] != text.encode():
                return f"{extension} of sample {key} is not what the predicted catalog makes it"
        return ""

    def _is_picture(self, jpeg: bytes) -> bool:
        """Look at the header of a JPEG, as the checksum of the shard answers for the rest; or decode it."""
        try:
            with Image.open(io.BytesIO(jpeg), formats=["JPEG"]) as image:
                if image.size != self.size:
                    return False
                if self.level.decodes:
                    image.load()
                    return image.mode == "RGB"
                return True
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001 (a damaged file can raise anything out of a decoder)
            return False


def first_damaged(folder: Path, shards: Iterable[Shard]) -> Path | None:
    """Find the first shard whose checksum is not that of the receipt."""
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
        folder: Where the shards lie.
        receipt: The receipt.
        shards: What it says of each shard.
        samples: How many samples it says there are.
        ids: What the ledger says: by shard number, the ids of its samples.
    """
    told = {shard.name: shard.samples for shard in shards}
    known = {shard_name(number): len(found) for number, found in ids.items()}
    findings = [
        {
            "shard": str(folder / name),
            "what": f"the receipt has {told.get(name, 0)} samples of it, the ledger {known.get(name, 0)}",
        }
        for name in {**told, **known}
        if told.get(name, 0) != known.get(name, 0)
    ]
    if samples != sum(told.values()):
        what = f"it has {samples} samples, and {sum(told.values())} in its shards"
        findings.append({"shard": str(receipt), "what": what})
    return findings


def check_numbering(folder: Path, named: Sequence[str], present: Iterable[str]) -> list[Finding]:
    """See that the shards of a split are numbered from 0 without a hole, and that there are no others.

    Args:
        folder: The folder of the split.
        named: The names of shards that receipts have.
        present: The names of tar files that are there.
    """
    counts = Counter(named)
    last = max(map(shard_number, counts), default=-1)
    holes = [name for name in map(shard_name, range(last)) if name not in counts]
    wrong = {
        **{name: "two receipts name it" for name, count in counts.items() if count > 1},
        **{name: "no receipt names it" for name in present if name not in counts},
        **dict.fromkeys(holes, "the numbers have a hole here: no receipt names it"),
    }
    return [{"shard": str(folder / name), "what": wrong[name]} for name in sorted(wrong)]

"""The images of a benchmark as references: their hashes and vectors, by the extractors of the samples."""

from __future__ import annotations

import hashlib
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

import pyarrow.compute as pc

from tol_luigi.core.errors import SourceError
from tol_luigi.core.images import BrokenImageError, encode
from tol_luigi.core.reader import MemberError
from tol_luigi.features.family_files import PART_ROWS, TarIdentity
from tol_luigi.features.running import part_columns, parts
from tol_luigi.features.samples import FeatureSample, Status
from tol_luigi.sources.benchmarks import image_contents

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from tol_luigi.core.images import ImageSpec
    from tol_luigi.features.extraction import ExtractionSpec
    from tol_luigi.features.extractor import Extractor
    from tol_luigi.features.family_files import FamilyFiles

__all__ = ["ReferenceImages", "UnusableReference", "extract_references", "unusable_references"]


class UnusableReference(NamedTuple):
    """An image of a benchmark without a result.

    Attributes:
        name: Its name.
        reason: What is wrong with it.
    """

    name: str
    reason: str


class ReferenceImages:
    """The images of a benchmark, as they would be in a shard.

    Args:
        place: A folder with images and archives of images, such as the tars of WebDataset, or such an archive.
        spec: How images are decoded and resized for shards.
        setting: The setting that names the place, for messages.
    """

    def __init__(self, place: Path, spec: ImageSpec, setting: str) -> None:
        self.place, self.spec, self.setting = place, spec, setting

    def _contents(self) -> Iterator[tuple[str, bytes | MemberError]]:
        remedy = f"Fetch it again, or remove the line from {self.setting}"
        for name, content in image_contents(self.place, remedy):
            # Names of files need not be UTF-8, but columns are.
            yield name.encode("utf-8", "surrogateescape").decode("utf-8", "replace"), content

    def digest(self) -> str:
        """Return the SHA-256 of the names and bytes of all images, which are read for it.

        Raises:
            SourceError: There is no image, or one cannot be read at the moment.
            ArchiveError: An archive is damaged.
        """
        digest, count = hashlib.sha256(), 0
        for name, content in self._contents():
            known = str(content).encode() if isinstance(content, MemberError) else content
            digest.update(f"{name}\0{hashlib.sha256(known).hexdigest()}\n".encode())
            count += 1
        if not count:
            what = "contains no images"
            raise SourceError(self.place, what, f"Put images there, or remove the line from {self.setting}")
        return digest.hexdigest()

    def __iter__(self) -> Iterator[FeatureSample]:
        """Yield a sample for each image; its key is the name of the image, below its folder or in its archive."""
        for row, (name, content) in enumerate(self._contents()):
            sample = FeatureSample(name, {}, row)
            if isinstance(content, MemberError):
                sample.fault = str(content)
            else:
                try:
                    sample.add(self.spec.image_format.extension, encode(content, self.spec)[0])
                except BrokenImageError as error:
                    sample.fault = error.reason
            yield sample


def extract_references(
    images: ReferenceImages,
    files: Sequence[FamilyFiles[Extractor]],
    digest: str,
    spec: ExtractionSpec,
    progress: Callable[[int], None] = lambda _: None,
) -> None:
    """Run extractors over the images of a benchmark, and write their results; complete ones are kept.

    Args:
        images: The images.
        files: The files of each extractor; each after those that it depends on.
        digest: The digest of the images.
        spec: How to run the extractors.
        progress: Called with the number of images so far.
    """
    stale = [one for one in files if one.checked_receipt() is None]
    if not stale:
        return
    done = min(one.count_parts() for one in stale)
    stream = iter(images)
    rows = sum(1 for _ in islice(stream, done * PART_ROWS))
    for one in files:
        one.extractor.load_once()
    complete = {one.extractor.name: one.count_parts() for one in stale}
    found = parts(stream, [one.extractor for one in files], PART_ROWS, spec.batch, spec.threads)
    for number, (ids, values) in enumerate(found, start=done):
        for one in stale:
            if number >= complete[one.extractor.name]:
                columns = part_columns(ids, values[one.extractor.name], number * PART_ROWS)
                one.write_part(number, columns)
        rows += len(ids)
        progress(rows)
    for one in stale:
        one.finish(TarIdentity(digest, 0), rows)


def unusable_references(files: Sequence[FamilyFiles[Extractor]]) -> list[UnusableReference]:
    """Return the images without a result of some extractor, in their order.

    Args:
        files: The files of the extractors whose results are compared.
    """
    found: dict[int, UnusableReference] = {}
    for one in files:
        rows = one.read_table(["key", "row", "status", "error"])
        for row in rows.filter(pc.not_equal(rows["status"], Status.OK)).to_pylist():
            found.setdefault(row["row"], UnusableReference(row["key"], f"{row['status']}: {row['error']}"))
    return [found[row] for row in sorted(found)]

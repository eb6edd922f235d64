"""Images in folders that are named after what they show, such as ``Corvus_corax/1.jpg``."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from tol_luigi.core.ledger import State
from tol_luigi.core.plugin import SourcePlugin, Suggestion
from tol_luigi.core.sections import SourceSection, setting
from tol_luigi.core.setting_kinds import Place, Text, Whole
from tol_luigi.core.source import Column, Entry, Labeler, NameRecord, NaturalKey
from tol_luigi.sources.collection import CollectionReader
from tol_luigi.sources.path_names import GROUP, SPLIT, FolderPattern, PathPattern

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from tol_luigi.core.higher_ranks import HigherRankTable
    from tol_luigi.core.reader import Found
    from tol_luigi.core.split_groups import ImageHint
    from tol_luigi.core.taxon import Taxon
    from tol_luigi.core.vernacular import CommonNames

__all__ = ["IMAGEFOLDER", "ImageFolderLabeler", "ImageFolderReader", "ImageFolderSection"]

_DEFAULT = "{name}"
_INAT21 = "{}_{kingdom}_{phylum}_{class}_{order}_{family}_{genus}_{species}"
_PATTERNS = (_INAT21, "{split}/{name}", _DEFAULT, "{name}/{}", "{name}/{}/{}")
"""Patterns to suggest; the first that fits counts."""

_SCIENTIFIC = re.compile(r"[A-Z][a-zà-ÿ-]+(?: [a-zà-ÿ×.-]+){0,3}")  # noqa: RUF001 (the sign of hybrids)
_EXAMPLES = 3


@dataclass(frozen=True)
class ImageFolderSection(SourceSection):
    """Images in folders named after taxa. No table is needed."""

    section: ClassVar[str] = "imagefolder"

    images: Path | None = setting(
        Place("either"), None, "a folder or archive of folders of images", determines=True
    )
    pattern: str = setting(FolderPattern(), _DEFAULT, "how the folders are named", determines=True)
    name: str = setting(Text(), "own", "how the catalog calls the collection", determines=True)
    partitions: int = setting(
        Whole(1, 10_000),
        4,
        "the number of partitions, which is how many workers can be busy",
        determines=True,
    )


class ImageFolderReader(CollectionReader):
    """Reads a collection of images, of which the folders tell the names.

    Args:
        images: A folder or an archive.
        pattern: How the folders are named.
        name: How the catalogs call the collection.
        partitions: The number of partitions.
        index: Where the scan of a ``.tar.gz`` leaves its index.
    """

    def __init__(
        self, images: Path, pattern: PathPattern, name: str, partitions: int, index: Path | None = None
    ) -> None:
        super().__init__(images, name, partitions, index)
        self.pattern = pattern

    def classifier(self) -> Callable[[Found], Found]:
        """Return a function that keeps the files whose folders have the form of the pattern."""
        return self._classify

    def unlisted(self) -> Iterator[Found]:
        """Yield nothing: every file is listed."""
        return iter(())

    def _classify(self, found: Found) -> Found:
        file = found.member.name
        found = replace(found, partition=self.partition_of(file))
        if found.state:
            return found
        if self.pattern.match(file) is None:
            reason = f"its folder is not of the form {self.pattern.text}"
            return replace(found, state=State.BAD_NAME, reason=reason)
        return replace(found, key=(self.collection, file))


class ImageFolderLabeler(Labeler):
    """Names images after their folders.

    Args:
        pattern: How the folders are named.
    """

    def __init__(self, pattern: PathPattern) -> None:
        self.pattern = pattern
        self.has_groups = GROUP in pattern.fields
        self.has_split_hints = self.has_groups or SPLIT in pattern.fields

    def split_hints(self, images: Iterable[tuple[int | str, ...]]) -> Iterator[ImageHint]:
        """Yield the split and the group that the folders of each image give."""
        return (self.pattern.hint(str(file)) for _, file, _ in images)

    def entries(
        self, images: Iterable[tuple[int | str, ...]], lookup: HigherRankTable, common_names: CommonNames
    ) -> Iterator[Entry]:
        """Yield an entry for each image whose folders name a rank, with the higher ranks filled in."""
        known: dict[tuple[str, tuple[str, ...]], Taxon] = {}
        for _, file, image in images:
            names = self.pattern.match(str(file))
            if names is None:
                continue
            taxon = known.get(names)
            if taxon is None:
                taxon = known[names] = lookup.fill(lookup.taxon_of(names.name, names.ranks))
            if not taxon.is_empty:
                yield Entry(str(image), taxon, common_names.of(taxon), common_names.rules(taxon))

    def records(self, images: Iterable[tuple[int | str, ...]]) -> Iterator[NameRecord]:
        """Yield a record for each image whose folders fit the pattern."""
        for _, file, image in images:
            if names := self.pattern.match(str(file)):
                yield NameRecord(str(image), names.ranks, names.name)


def _suggest(images: Path, files: Sequence[str]) -> Suggestion | None:
    """Return the first pattern by which the folders of most images are names of taxa."""
    for text in _PATTERNS:
        pattern = PathPattern(text)
        found = [names for file in files if (names := pattern.match(file))]
        taxa = Counter(
            names.name or " ".join(names.ranks[5:])
            for names in found
            if not names.name or _SCIENTIFIC.fullmatch(names.name)
        )
        if taxa.total() > len(files) / 2:
            examples = ", ".join(name for name, _ in taxa.most_common(_EXAMPLES))
            reason = f"folders of the form {text}, {len(taxa):,} different: {examples}"
            settings = {"images": str(images)} | ({} if text == _DEFAULT else {"pattern": text})
            return Suggestion(settings, reason, taxa.total())
    return None


IMAGEFOLDER = SourcePlugin(
    name="imagefolder",
    section=ImageFolderSection,
    key=NaturalKey(
        columns=(
            Column("collection", "imagefolder_name", str, repeats=True),
            Column("file", "imagefolder_file", str),
        ),
        spelling="{}/{}",
    ),
    reader=lambda given, images, index: ImageFolderReader(
        images, PathPattern(given.pattern), given.name, given.partitions, index
    ),
    labeler=lambda given: ImageFolderLabeler(PathPattern(given.pattern)),
    collection_key="name",
    named_by="the names of folders",
    is_upgraded=True,
    suggest=_suggest,
)

"""The images of benchmarks, read in place: a folder with a sub-folder or an archive for each list."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import TYPE_CHECKING

from tol_luigi.core.benchmarks import BenchmarkImage
from tol_luigi.core.errors import ArchiveError, SourceError, UnreadableError
from tol_luigi.core.images import BrokenImageError, encode
from tol_luigi.core.ledger import State
from tol_luigi.core.limits import ALLOW
from tol_luigi.core.reader import FileContent, MemberError
from tol_luigi.core.sightings import folders_of
from tol_luigi.sources import archives
from tol_luigi.sources.member_filter import is_junk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tol_luigi.core.images import ImageSpec
    from tol_luigi.core.reader import Found

__all__ = ["fingerprint", "hashed_images", "image_contents", "places"]

_REMEDY = "Put the images of a benchmark there, or remove it from [leak_guard] images"
_FETCH_AGAIN = "Fetch it again, or remove it from [leak_guard] images"


def fingerprint(images: Path) -> list[str]:
    """Return the number of images and archives of each list, and their bytes, without opening them.

    Args:
        images: The folder of all lists.
    """
    files, size = Counter[str](), Counter[str]()
    for benchmark, found in _listed(images):
        if found.state is None or _is_archive(found):
            files[benchmark] += 1
            size[benchmark] += found.member.size
    return [f"{name}: {files[name]} files, {size[name]} bytes" for name in sorted(files)]


def places(images: Path) -> list[str]:
    """Return the folders and archives that change if images are added, removed or replaced.

    Args:
        images: A folder, or an archive, which is "".
    """
    if archives.kind(images) != "folder":
        return [""]
    found = [one for _, one in _listed(images)]
    packed = [one.member.name for one in found if _is_archive(one)]
    return [*folders_of(one.member.name for one in found), *packed]


def hashed_images(images: Path, spec: ImageSpec) -> Iterator[BenchmarkImage]:
    """Read and hash every image; if one cannot be read or opened, yield it with the reason.

    Args:
        images: The folder of all lists. Each entry is one list: a folder of images, a folder of archives of
            images, or an archive. Images directly in the folder are on a list named after the folder.
        spec: How images are decoded; it must include the perceptual hash.

    Raises:
        SourceError: There is no list, a list has no image that can be opened, or a file cannot be read at the
            moment.
        ArchiveError: An archive is damaged.
    """
    listed = list(_listed(images))
    opened = dict.fromkeys((benchmark for benchmark, _ in listed), 0)
    for benchmark, name, content in _contents(images, listed):
        if isinstance(content, OSError):
            raise UnreadableError(images / name, f"cannot be read: {content.strerror}", ALLOW) from content
        image = _hashed(benchmark, name, content, spec)
        opened[benchmark] += image.phash is not None
        yield image
    if not opened:
        raise SourceError(images, "contains no images", _REMEDY)
    for benchmark, count in opened.items():
        if not count:
            what = f"the list {benchmark} has no image that can be opened"
            raise SourceError(images, what, _REMEDY)


def image_contents(place: Path, remedy: str) -> Iterator[tuple[str, bytes | MemberError]]:
    """Yield name and bytes of each image of a folder with images and archives of images, or of an archive.

    Args:
        place: The folder or archive.
        remedy: What to do if an archive is damaged.

    Raises:
        SourceError: A file cannot be read at the moment.
        ArchiveError: An archive is damaged.
    """
    is_folder = archives.kind(place) == "folder"
    listed = list(_listed(place)) if is_folder else []
    found = (pair[1:] for pair in _contents(place, listed, remedy)) if is_folder else _unpacked(place, remedy)
    for name, content in found:
        if isinstance(content, OSError):
            raise UnreadableError(place / name, f"cannot be read: {content.strerror}", ALLOW) from content
        yield name, content


def _listed(images: Path) -> Iterator[tuple[str, Found]]:
    """Yield each file with the list that it belongs to."""
    for found in archives.scan(images):
        if found.state is State.UNREADABLE:  # an unread image cannot be excluded
            raise UnreadableError(images / found.member.name, found.reason, ALLOW)
        first, rest, _ = found.member.name.partition("/")
        if is_junk(first):
            continue
        if rest:
            yield first, found
        elif _is_archive(found):
            yield archives.strip_ending(first), found
        elif found.state is not State.NO_IMAGE:
            yield images.name, found


def _is_archive(found: Found) -> bool:
    parts = found.member.name.split("/")
    return bool(archives.strip_ending(parts[-1])) and not any(map(is_junk, parts))


def _contents(
    images: Path, listed: list[tuple[str, Found]], remedy: str = _FETCH_AGAIN
) -> Iterator[tuple[str, str, FileContent]]:
    """Yield list, name and bytes of each image: first those in folders, then those in archives."""
    loose = [(benchmark, found.member) for benchmark, found in listed if found.state is None]
    contents = archives.read(images, [member for _, member in loose])
    for (benchmark, member), (_, content) in zip(loose, contents, strict=True):
        yield benchmark, member.name, content
    for benchmark, found in listed:
        if _is_archive(found):
            for name, content in _unpacked(images / found.member.name, remedy):
                yield benchmark, f"{found.member.name}/{name}", content
        elif found.state not in {None, State.NO_IMAGE}:
            yield benchmark, found.member.name, MemberError(found.reason)


def _unpacked(archive: Path, remedy: str) -> Iterator[tuple[str, FileContent]]:
    try:
        listed = list(archives.scan(archive))
        members = [found.member for found in listed if found.state is None]
        for position, content in archives.read(archive, members):
            yield members[position].name, content
    except ArchiveError as error:
        raise ArchiveError(error.where, error.what, remedy) from error
    for found in listed:
        if found.state not in {None, State.NO_IMAGE}:
            yield found.member.name, MemberError(found.reason)


def _hashed(benchmark: str, name: str, content: bytes | MemberError, spec: ImageSpec) -> BenchmarkImage:
    if isinstance(content, MemberError):
        return BenchmarkImage(benchmark, name, "", None, str(content))
    sha256 = hashlib.sha256(content).hexdigest()
    try:
        _, image = encode(content, spec)
    except BrokenImageError as error:
        return BenchmarkImage(benchmark, name, sha256, None, error.reason)
    return BenchmarkImage(benchmark, name, sha256, image.phash)

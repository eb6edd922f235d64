"""Compare a dataset with what is published, send what differs, and verify the result."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tol_luigi.core.errors import DiskError, PublicationError, SettingsError, TolError
from tol_luigi.publication.folder import FolderDestination
from tol_luigi.publication.listed import in_groups, listed_files, parse_manifest, validate_sizes
from tol_luigi.report.text import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tol_luigi.core.layout import Layout
    from tol_luigi.publication.destination import Destination
    from tol_luigi.publication.listed import PublishedFile

__all__ = ["PublicationPlan", "open_destination", "plan_publication", "publish"]

_MOST_LINES = 2
"""The lines of an error of the Hugging Face Hub that say what is wrong; advice follows."""

_OTHER_PLACE = "Correct that, or choose another place, and run the same command again"
_INSTALL = "Install it: pip install 'tol_luigi[publish]'"


@dataclass(frozen=True)
class PublicationPlan:
    """What has to be done for a destination to have the dataset.

    Attributes:
        files: All files of the dataset.
        missing: Those that the destination lacks, or has with another content.
        unlisted: The names of files of an earlier publication that the dataset no longer has.
        shards: Those of them that readers would take for shards of the dataset.
    """

    files: list[PublishedFile]
    missing: list[PublishedFile]
    unlisted: list[str] = field(default_factory=list)
    shards: list[str] = field(default_factory=list)

    @property
    def bytes(self) -> int:
        """The size of what is missing."""
        return sum(file.size for file in self.missing)


def open_destination(name: str, directory: Path, *, jobs: int, part_size: int) -> Destination:
    """Return a destination.

    Args:
        name: A folder, a URL of a store that fsspec knows, or ``hf://datasets/…``.
        directory: The folder of the dataset, which is no destination of its own.
        jobs: How many files are sent at a time.
        part_size: The size of a part in bytes, for S3.

    Raises:
        SettingsError: It is not a destination, or the package for it is not installed.
    """
    scheme = urlsplit(name).scheme if "://" in name else ""
    try:
        if scheme == "hf":
            from tol_luigi.publication.hub import HubDestination  # noqa: PLC0415 (its packages may be missing)

            return HubDestination(name, jobs)
        if scheme in {"", "file"}:
            folder = Path(name.removeprefix("file://")).resolve()
            if folder.is_relative_to(directory.resolve()):
                raise SettingsError(name, "it is in the dataset itself", "Choose a folder outside of it")
            return FolderDestination(str(folder), jobs)
        return _store(name, scheme, jobs, part_size)
    except ImportError as error:
        raise SettingsError(name, f"a package is not installed ({error.name or error})", _INSTALL) from error


def _store(name: str, scheme: str, jobs: int, part_size: int) -> Destination:
    import fsspec  # noqa: PLC0415 (as above)

    from tol_luigi.publication.objects import StoreDestination  # noqa: PLC0415 (as above)
    from tol_luigi.publication.s3 import S3Destination  # noqa: PLC0415 (as above)

    try:
        files, root = fsspec.url_to_fs(name, use_listings_cache=False)
    except ValueError as error:
        raise SettingsError(
            name, " ".join(str(error).split()), "Use a folder, s3://… or hf://datasets/…"
        ) from error
    if scheme in {"s3", "s3a"}:
        return S3Destination(name, jobs, files, root, part_size)
    return StoreDestination(name, jobs, files, root)


def plan_publication(
    layout: Layout, destination: Destination, progress: Callable[[int], object]
) -> PublicationPlan:
    """Compare a dataset with a destination.

    Raises:
        DatasetError: The dataset is not complete.
        DamagedError: A file differs from the manifest.
        PublicationError: The destination cannot be read.
    """
    files = listed_files(layout)
    validate_sizes(files)
    with _errors_of(destination):
        there = destination.names()
        same = destination.same_files([file for file in files if file.name in there], progress)
        names = {file.name for file in files}
        folders = {name.rpartition("/")[0] for name in names if name.endswith(".tar")}
        shards = {
            name for name in there - names if name.endswith(".tar") and name.rpartition("/")[0] in folders
        }
        earlier = (
            parse_manifest(destination.read("manifest.json")) if "manifest.json" in there else set()
        ) & there
        return PublicationPlan(
            files,
            [file for file in files if file.name not in same],
            sorted((earlier | shards) - names),
            sorted(shards),
        )


def publish(
    plan: PublicationPlan,
    destination: Destination,
    progress: Callable[[int], object],
    *,
    delete: bool = False,
) -> None:
    """Send what is missing, the cards last, and verify by checksum what has been sent.

    Args:
        plan: What is missing.
        destination: Where it is sent.
        progress: Called with the number of bytes that have been sent.
        delete: Whether files of an earlier publication are removed, before the files that name others are sent.

    Raises:
        PublicationError: Shards of an earlier publication would be read as those of the dataset; or the destination
            refuses a file, or has another content in the end.
        DamagedError: A file differs from the manifest.
    """
    if plan.shards and not delete:
        what = f"{plan.shards[0]} is a shard of an earlier publication ({counted(len(plan.shards), 'such shard')})"
        remedy = "Readers would take it for one of this dataset: run the same command with --delete, or choose another place"
        raise PublicationError(destination.name, what, remedy)
    data, *naming = in_groups(plan.missing)
    with _errors_of(destination):
        destination.send(data, progress)
        if delete and plan.unlisted:
            destination.remove(plan.unlisted)
        for group in naming:
            destination.send(group, progress)
        same = destination.same_files(plan.missing, lambda _: None)
    if wrong := [file.name for file in plan.missing if file.name not in same]:
        what = f"{wrong[0]} is not what was sent, by its checksum ({counted(len(wrong), 'such file')})"
        raise PublicationError(destination.name, what, "Run the same command again")


@contextlib.contextmanager
def _errors_of(destination: Destination) -> Iterator[None]:
    """Raise the errors of libraries as one line about the destination."""
    try:
        yield
    except DiskError as error:  # whose remedy is that of a build
        raise PublicationError(error.where, error.what, _OTHER_PLACE) from error
    except TolError:
        raise
    except Exception as error:
        raise PublicationError(destination.name, _described(error), _remedy(error)) from error


def _described(error: Exception) -> str:
    lines = [" ".join(line.split()) for line in str(error).splitlines() if line.strip()]
    text = " ".join(lines[:_MOST_LINES]) or type(error).__name__
    if isinstance(error, OSError) and error.strerror and error.errno:
        text = f"{os.strerror(error.errno)}: {error.filename}" if error.filename else error.strerror
    return f"it cannot be used ({text.rstrip('.')})"


def _remedy(error: Exception) -> str:
    status = getattr(getattr(error, "response", None), "status_code", None)
    if isinstance(error, PermissionError) or status in {401, 403} or "Credential" in type(error).__name__:
        return "Check credentials and rights, and run the same command again"
    if isinstance(error, FileNotFoundError) or status == 404:  # noqa: PLR2004 (HTTP)
        return "Create the bucket or repository first, or correct its name, and run the same command again"
    return "Nothing that has arrived is sent again: run the same command to resume"

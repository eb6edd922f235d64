"""Publish to a dataset repository of the Hugging Face Hub, through ``huggingface_hub``.

Large files are sent first, and named by a commit when all have arrived. The Hub keeps them without a commit as well, so
after a cut only the file that was cut is sent again.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from tol_luigi.core.batches import batched
from tol_luigi.core.errors import SettingsError
from tol_luigi.publication.destination import Destination
from tol_luigi.publication.listed import PublishedFile
from tol_luigi.report.text import counted

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from tol_luigi.publication.destination import Progress

__all__ = ["HubDestination"]

_DATASET: Any = "dataset"
_PER_COMMIT = 100
_PER_QUERY = 500


class HubDestination(Destination):
    """A dataset repository, or a folder in it.

    Args:
        name: ``hf://datasets/<owner>/<name>``, and optionally ``@<revision>`` and ``/<folder>``.
        jobs: How many files are sent at a time.

    Raises:
        SettingsError: The name is not one of a dataset repository.
    """

    def __init__(self, name: str, jobs: int) -> None:
        super().__init__(name, jobs)
        from huggingface_hub import HfApi  # noqa: PLC0415 (only for this destination)
        from huggingface_hub.errors import HfUriError  # noqa: PLC0415 (as above)
        from huggingface_hub.utils import disable_progress_bars, parse_hf_uri  # noqa: PLC0415 (as above)

        disable_progress_bars()  # there is one for all files
        try:
            parsed = parse_hf_uri(name)
            is_dataset = parsed.type == _DATASET
        except HfUriError:
            is_dataset = False
        if not is_dataset:
            remedy = "Write hf://datasets/<owner>/<name>"
            raise SettingsError(name, "it is not a dataset repository of the Hugging Face Hub", remedy)
        self.repository, self.revision = parsed.id, parsed.revision or "main"
        self.folder = f"{parsed.path_in_repo}/" if parsed.path_in_repo else ""
        self.api = HfApi()

    def is_same(self, file: PublishedFile) -> bool:
        """Return whether the repository has a file with this content."""
        return bool(self.same_files([file], lambda _: None))

    def same_files(self, files: Sequence[PublishedFile], progress: Progress) -> set[str]:
        """Return the names of the files with the SHA-256 that the Hub keeps, or of small ones, the id that git gives them."""
        same = set()
        for some in batched(files, _PER_QUERY):
            found = self.api.get_paths_info(
                self.repository,
                [self.folder + file.name for file in some],
                revision=self.revision,
                repo_type=_DATASET,
            )
            kept = {info.path: info for info in found}
            for file in some:
                info: Any = kept.get(self.folder + file.name)
                if info is not None and info.size == file.size and _is_content(info, file):
                    same.add(file.name)
                progress(file.size)
        return same

    def send_file(self, file: PublishedFile, progress: Progress) -> None:
        """Send one file, and commit it."""
        self.send([file], progress)

    def send(self, files: Sequence[PublishedFile], progress: Progress) -> None:
        """Send files, and commit them."""
        from huggingface_hub import CommitOperationAdd  # noqa: PLC0415 (as above)

        for some in batched(files, _PER_COMMIT):
            self._each(PublishedFile.validate, some)
            added = []
            for file in some:
                one = CommitOperationAdd(path_in_repo=self.folder + file.name, path_or_fileobj=str(file.path))
                one.upload_info.sha256 = bytes.fromhex(file.sha256)  # it need not be computed again
                added.append(one)
            self.api.preupload_lfs_files(
                self.repository,
                additions=list({one.upload_info.sha256: one for one in added}.values()),
                repo_type=_DATASET,
                revision=self.revision,
                free_memory=False,
                num_threads=self.jobs,
            )
            self._commit(added, f"Publish {counted(len(added), 'file')}")
            progress(sum(file.size for file in some))

    def _commit(self, operations: list[Any], message: str) -> None:
        if operations:
            self.api.create_commit(
                self.repository,
                operations,
                commit_message=message,
                repo_type=_DATASET,
                revision=self.revision,
            )

    def names(self) -> set[str]:
        """Return all files in the folder of the repository."""
        found = self.api.list_repo_files(self.repository, repo_type=_DATASET, revision=self.revision)
        return {path.removeprefix(self.folder) for path in found if path.startswith(self.folder)}

    def read(self, name: str) -> bytes | None:
        """Return the content of a file; None if it is missing."""
        from huggingface_hub import HfFileSystem  # noqa: PLC0415 (as above)

        files = HfFileSystem(skip_instance_cache=True)
        try:
            content: bytes = files.cat_file(
                f"datasets/{self.repository}/{self.folder}{name}", revision=self.revision
            )
        except FileNotFoundError:
            return None
        return content

    def remove(self, names: Collection[str]) -> None:
        """Remove files, in one commit."""
        from huggingface_hub import CommitOperationDelete  # noqa: PLC0415 (as above)

        gone = [CommitOperationDelete(path_in_repo=self.folder + name) for name in sorted(names)]
        self._commit(gone, f"Remove {counted(len(gone), 'file')}")


def _is_content(info: Any, file: PublishedFile) -> bool:  # noqa: ANN401 (as above)
    if info.lfs is not None:
        return bool(info.lfs.sha256 == file.sha256)
    return bool(info.blob_id == _git_id(file.path, file.size))


def _git_id(path: Path, size: int) -> str:
    """Return the id of a file in git: the SHA-1 of its length and content."""
    digest = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
    with path.open("rb") as content:
        while block := content.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()

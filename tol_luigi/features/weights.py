"""The SHA-256 of files of weights, which may have gigabytes: each file is read once, until it changes."""

from __future__ import annotations

import contextlib
import re
import time
from typing import TYPE_CHECKING, Any

from tol_luigi.core.errors import DiskError
from tol_luigi.core.files import read_object, sha256_file, write_json

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["remembered", "sha256_weights"]

_SETTLED_NS = 2_000_000_000
"""The least age of a file whose digest is stored: a file that is still being written may keep its modification time."""

_SHA256 = re.compile(r"[0-9a-f]{64}")

_known: dict[str, tuple[int, int, str]] = {}
"""Size, modification time in ns, and SHA-256 of files by path."""


def sha256_weights(path: Path) -> str:
    """Return the SHA-256 of a file; it is read again only if its size or modification time has changed.

    Raises:
        OSError: It cannot be read.
    """
    status = path.stat()
    state = status.st_size, status.st_mtime_ns
    known = _known.get(str(path))
    if known is None or known[:2] != state:
        known = _known[str(path)] = (*state, sha256_file(path))
    return known[2]


@contextlib.contextmanager
def remembered(file: Path) -> Iterator[None]:
    """Use the digests that previous processes have stored in a file, and store those that are computed meanwhile.

    The file is written if its folder exists and can be written to. Without it, or if it is damaged, all is read again.

    Args:
        file: The file, which is no part of the dataset.
    """
    before = {path: tuple(entry) for path, entry in read_object(file).items() if _is_entry(entry)}
    _known.update({path: entry for path, entry in before.items() if path not in _known})
    yield
    settled = time.time_ns() - _SETTLED_NS
    after = before | {path: entry for path, entry in _known.items() if entry[1] < settled}
    if after != before and file.parent.is_dir():
        with contextlib.suppress(DiskError, OSError):
            write_json(file, dict(sorted(after.items())))


def _is_entry(entry: Any) -> bool:  # noqa: ANN401 (JSON is any)
    """Return whether a value of the file has size, modification time and SHA-256."""
    match entry:
        case [int(), int(), str(sha256)]:
            return _SHA256.fullmatch(sha256) is not None
        case _:
            return False

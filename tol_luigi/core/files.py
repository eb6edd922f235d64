"""Files that are whole or absent."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import socket
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["ATTEMPT", "committed", "read_json", "scratch_beside", "sha256_file", "write_json"]

ATTEMPT = ".attempt-"
"""What marks a scratch name. Whatever bears it belongs to a process at work, or is a dead one's leftover."""

_CHUNK = 1 << 20


def scratch_beside(path: Path) -> Path:
    """Name a scratch file or folder in the folder of ``path``, so that a rename is enough to commit it.

    The name is hidden, tells host and process, and is never used twice: two processes that
    make the same file do not meet.
    """
    mark = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
    return path.with_name(f".{path.name}{ATTEMPT}{mark}")


def flush_to_disk(path: Path) -> None:
    """Flush a file, or a folder's entries, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def committed(path: Path, *, first_wins: bool = False) -> Iterator[Path]:
    """Give a scratch path to write; on a clean exit flush it and rename it to ``path``.

    After an exception nothing is left under either name. A process killed in between leaves
    the scratch file only. The folder of ``path`` is made where it is missing.

    Args:
        path: The file to make.
        first_wins: Leave a file alone that has come to be there meanwhile, instead of replacing it.

    Yields:
        The scratch path: a file to create, in the folder of ``path``.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = scratch_beside(path)
    try:
        yield scratch
        flush_to_disk(scratch)
        if first_wins:
            _rename_unless_there(scratch, path)
        else:
            os.replace(scratch, path)
        flush_to_disk(path.parent)
    finally:
        scratch.unlink(missing_ok=True)


def _rename_unless_there(scratch: Path, path: Path) -> None:
    """Give a file its name unless another has it."""
    try:
        path.hardlink_to(scratch)
    except FileExistsError:
        pass
    except OSError:  # a file system without hard links: the moment between look and rename is short
        if not path.exists():
            os.replace(scratch, path)


def sha256_file(path: Path) -> str:
    """Hash a file's content, as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_json(path: Path, content: Any) -> None:  # noqa: ANN401 (JSON is any)
    """Write a value as JSON that people can read, whole or not at all; equal values give equal bytes."""
    with committed(path) as scratch:
        scratch.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:  # noqa: ANN401 (JSON is any)
    """Read a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))

"""Reading an exact number of bytes."""

from __future__ import annotations

from typing import IO

__all__ = ["read_exactly"]


def read_exactly(file: IO[bytes], size: int) -> bytes:
    """Read a number of bytes from a file.

    Raises:
        EOFError: It has fewer bytes.
    """
    content = file.read(size)
    if len(content) < size:
        raise EOFError("it ends within a file")
    return content

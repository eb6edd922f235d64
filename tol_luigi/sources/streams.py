"""Reading a certain number of bytes, or failing."""

from __future__ import annotations

from typing import IO

__all__ = ["exactly"]


def exactly(file: IO[bytes], size: int) -> bytes:
    """Read so many bytes of a file.

    Raises:
        EOFError: It ends before that.
    """
    content = file.read(size)
    if len(content) < size:
        raise EOFError("it ends within a file")
    return content

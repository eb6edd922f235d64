"""The text of a table as valid UTF-8, without NUL bytes, so that any parser can read it; every change is recorded."""

from __future__ import annotations

import codecs
import contextlib
import io
import re
from typing import IO, TYPE_CHECKING, Any

from tol_luigi.core.errors import TableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tol_luigi.taxonomy.importers.files import Files

__all__ = ["SHOWN", "TextStream", "open_text"]

SHOWN = 200
"""The number of characters of a row that a repair shows."""

_BLOCK = 1 << 22
_MAX_LINE = 1 << 24
_FIRST_LINE = re.compile(rb"([^\r\n]*)(?:\r\n|\r|\n)?")
_SINGLE = frozenset({"utf-8", "utf8", "", "ascii", "us-ascii"})
_MARKS = ((codecs.BOM_UTF32_LE, "UTF-32"), (codecs.BOM_UTF32_BE, "UTF-32"),
          (codecs.BOM_UTF16_LE, "UTF-16"), (codecs.BOM_UTF16_BE, "UTF-16"))  # fmt: skip
"""UTF-32 is first, because one of its marks starts with a mark of UTF-16."""


def open_text(files: Files, name: str, encoding: str = "utf-8") -> TextStream:
    """Open the text of a file; closing it closes the file.

    Raises:
        TableError: It is empty, or in another encoding.
    """
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(files.open(name))
        stream = TextStream(file, files.where(name), encoding)
        stream.on_close = stack.pop_all().close
        return stream
    raise AssertionError  # no error is suppressed


class TextStream(io.RawIOBase):
    """The text of a file.

    Lines that are not UTF-8 are read as Windows-1252, as most of them are. A byte order mark is removed.

    Args:
        file: The bytes.
        where: The place of the file, for messages.
        encoding: The encoding that the source states.

    Attributes:
        on_close: Closes the file.
        repairs: The line, the text as it was and the repaired text of each line that was changed.
    """

    def __init__(self, file: IO[bytes], where: str, encoding: str = "utf-8") -> None:
        super().__init__()
        self.on_close: Callable[[], None] = lambda: None
        self._where = where
        self._file = file
        if encoding.lower().replace("_", "-") not in _SINGLE:
            self._file = self._recoded(file, encoding)
        self._encoding = encoding
        self._line = 1
        self.repairs: list[tuple[int, str, str]] = []
        self._ready = memoryview(self._block())
        if not self._ready:
            raise TableError(where, "is empty", "Fetch the file again")

    def first_line(self) -> str:
        """Return the first line, which is not consumed."""
        return self._first()[1].decode()

    def skip_line(self) -> None:
        """Consume the first line."""
        self._ready = self._ready[self._first().end() :]

    def _first(self) -> re.Match[bytes]:
        match = _FIRST_LINE.match(self._ready)
        assert match  # noqa: S101 (it matches anything)
        return match

    def readable(self) -> bool:
        """Return True: parsers ask for it."""
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 (any writable buffer)
        """Read the next bytes."""
        if not self._ready:
            self._ready = memoryview(self._block())
        size = min(len(buffer), len(self._ready))
        buffer[:size] = self._ready[:size]
        self._ready = self._ready[size:]
        return size

    def close(self) -> None:
        """Close the text and the file."""
        if not self.closed:
            self.on_close()
        super().close()

    def _recoded(self, file: IO[bytes], encoding: str) -> Any:  # noqa: ANN401 (a StreamRecoder)
        try:
            return codecs.EncodedFile(file, "utf-8", encoding)
        except LookupError as error:
            what = f"is said to have the encoding {encoding!r}, which does not exist"
            raise TableError(self._where, what, "Correct the file that states its encoding") from error

    def _block(self) -> bytes:
        """Return the next lines, repaired."""
        try:
            block = self._file.read(_BLOCK)
            if block and not block.endswith(b"\n"):
                block += self._file.readline(_MAX_LINE)
        except UnicodeError as error:
            what = f"is not {self._encoding} after line {self._line}"
            raise TableError(self._where, what, "Save it as UTF-8") from error
        if len(block) > _BLOCK + _MAX_LINE - 1:
            what = f"has a line of more than {_MAX_LINE:,} bytes after line {self._line}"
            raise TableError(self._where, what, "Fetch the file again")
        if self._line == 1:
            self._validate_start(block)
            block = block.removeprefix(codecs.BOM_UTF8)
        if b"\0" in block or not _is_utf8(block):
            block = b"\n".join(self._repaired(block.split(b"\n")))
        self._line += block.count(b"\n")
        return block

    def _validate_start(self, block: bytes) -> None:
        other = next((name for mark, name in _MARKS if block.startswith(mark)), "")
        if not other and block.count(b"\0") > len(block) // 4:
            other = "UTF-16, or not a text"
        if other:
            raise TableError(self._where, f"line 1 is {other}, not UTF-8", "Save it as UTF-8")

    def _repaired(self, lines: list[bytes]) -> Iterator[bytes]:
        for number, line in enumerate(lines, self._line):
            text = _text(line.replace(b"\0", b""))
            if (repaired := text.encode()) != line:
                before = line.decode("utf-8", "backslashreplace").replace("\0", "\\x00")
                after = text.strip("\r\n")[:SHOWN] or "a blank line"
                self.repairs.append((number, before.strip("\r\n")[:SHOWN], after))
            yield repaired


def _is_utf8(block: bytes) -> bool:
    try:
        block.decode()
    except UnicodeDecodeError:
        return False
    return True


def _text(line: bytes) -> str:
    for encoding in ("utf-8", "cp1252"):
        try:
            return line.decode(encoding)
        except UnicodeDecodeError:
            continue
    return line.decode("latin-1")

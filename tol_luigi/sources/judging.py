"""Judging files by their names and sizes, before any of them is opened."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tol_luigi.core.ledger import State
from tol_luigi.core.source import MAX_FILE_BYTES, Found, Member

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["IMAGE_ENDINGS", "Folders", "is_inside", "is_litter", "judged", "no_images", "shown"]

IMAGE_ENDINGS = frozenset({
    ".apng", ".avif", ".avifs", ".blp", ".bmp", ".bw", ".cur", ".dcx", ".dds", ".dib", ".fit", ".fits", ".flc", ".fli",
    ".ftc", ".ftu", ".gbr", ".gif", ".heic", ".heif", ".icb", ".icns", ".ico", ".im", ".j2c", ".j2k", ".jfif", ".jp2",
    ".jpc", ".jpe", ".jpeg", ".jpf", ".jpg", ".jpx", ".jxl", ".mpo", ".msp", ".pbm", ".pcd", ".pcx", ".pfm", ".pgm",
    ".png", ".pnm", ".ppm", ".psd", ".pxr", ".qoi", ".ras", ".rgb", ".rgba", ".sgi", ".tga", ".tif", ".tiff", ".vda",
    ".vst", ".webp", ".xbm", ".xpm",
})  # fmt: skip
"""Endings, in lower case, of the files that can be pictures: of all formats that are read, whatever a file of such a name
holds; and of HEIC and JPEG XL, which are not read, so that each such file has its row with that reason."""

_PART_ENDINGS = frozenset({".part", ".partial", ".crdownload", ".download", ".tmp"})
_LITTER = frozenset({"__MACOSX", "Thumbs.db", "desktop.ini"})


def judged(name: str, size: int, offset: int | None = None, danger: str = "") -> Found:
    """Judge one file by its name and size.

    Args:
        name: Its path within the archive or folder.
        size: Bytes.
        offset: Where it lies; see :class:`tol_luigi.core.source.Member`.
        danger: Why it must not be touched, if that is known already.

    Returns:
        A row without a state for what can be a picture, else with state and reason.
    """
    parts = [part for part in name.split("/") if part not in {"", "."}]
    danger_of_name = _danger_of_name(name, parts)
    tidy = name if danger_of_name else "/".join(parts)
    danger = danger or danger_of_name
    state, reason = (State.UNSAFE, danger) if danger else _fault(tidy, parts, size)
    return Found(Member(shown(tidy), size, offset), state=state, reason=reason)


def is_litter(part: str) -> bool:
    """Tell whether a part of a name is that of a hidden file or folder, or of what desktops leave behind."""
    return part.startswith(".") or part in _LITTER


def is_inside(name: str) -> bool:
    """Return whether a name is that of a place within its archive, at whatever depth."""
    return not name.startswith("/") and ".." not in name.split("/")


def shown(name: str) -> str:
    """Spell a name so that it can be stored: bytes that are no UTF-8 become escapes."""
    return name.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")


def _danger_of_name(name: str, parts: list[str]) -> str:
    if not is_inside(name):
        return "absolute name" if name.startswith("/") else "name leads out of the archive"
    if "\\" in name or "\0" in name:
        return "name holds a backslash or a NUL"
    return "" if parts else "no name"


def _fault(name: str, parts: list[str], size: int) -> tuple[State | None, str]:
    """Say why a file is no image to use, as far as can be told without its content."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return State.BAD_NAME, "name is not valid UTF-8"
    for part in parts:
        if is_litter(part):
            what = "macOS resource fork" if part.startswith("._") else "hidden, or litter of a desktop"
            return State.NO_IMAGE, f"{what}: {part!r}"
    stem, ending = os.path.splitext(parts[-1])  # noqa: PTH122 (a path object for each of ten million names)
    if ending.lower() in _PART_ENDINGS and stem.lower().endswith(tuple(IMAGE_ENDINGS)):
        return State.BAD_NAME, f"unfinished download, ending {ending}"
    if ending.lower() not in IMAGE_ENDINGS:
        return State.NO_IMAGE, f"no image by its ending {ending!r}"
    if size > MAX_FILE_BYTES:
        return State.TOO_LARGE, f"{size} bytes, more than {MAX_FILE_BYTES}"
    return None, ""


class Folders:
    """Tells which folders of an archive hold nothing at all."""

    def __init__(self) -> None:
        self._named: dict[str, None] = {}
        self._filled: set[str] = set()

    def add(self, name: str, *, folder: bool) -> None:
        """Note a folder or a file, and with it the folders that it lies in."""
        parts = [part for part in name.split("/") if part not in {"", "."}]
        if folder and parts:
            self._named["/".join(parts)] = None
        while parts := parts[:-1]:
            above = "/".join(parts)
            if above in self._filled:
                break
            self._filled.add(above)

    def __contains__(self, name: str) -> bool:
        """Return whether there is a folder of this name; the one of all others is ""."""
        return not name or name in self._named or name in self._filled

    def empty(self) -> Iterator[Found]:
        """Give a row for each folder in which nothing lies."""
        return (no_images(name) for name in self._named if name not in self._filled)


def no_images(folder: str) -> Found:
    """Make a row of a folder in which nothing lies."""
    return Found(Member(f"{shown(folder)}/", 0), state=State.NO_IMAGE, reason="a folder without images")

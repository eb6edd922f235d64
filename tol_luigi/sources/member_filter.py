"""The filter of files by name and size, before any of them is opened."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tol_luigi.core.ledger import State
from tol_luigi.core.reader import MAX_FILE_BYTES, Found, Member

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["IMAGE_ENDINGS", "Folders", "classify_member", "empty_folder", "is_inside", "is_junk", "storable"]

IMAGE_ENDINGS = frozenset({
    ".apng", ".avif", ".avifs", ".blp", ".bmp", ".bw", ".cur", ".dcx", ".dds", ".dib", ".fit", ".fits", ".flc", ".fli",
    ".ftc", ".ftu", ".gbr", ".gif", ".heic", ".heif", ".icb", ".icns", ".ico", ".im", ".j2c", ".j2k", ".jfif", ".jp2",
    ".jpc", ".jpe", ".jpeg", ".jpf", ".jpg", ".jpx", ".jxl", ".mpo", ".msp", ".pbm", ".pcd", ".pcx", ".pfm", ".pgm",
    ".png", ".pnm", ".ppm", ".psd", ".pxr", ".qoi", ".ras", ".rgb", ".rgba", ".sgi", ".tga", ".tif", ".tiff", ".vda",
    ".vst", ".webp", ".xbm", ".xpm",
})  # fmt: skip
"""Endings, in lower case, of files that may be images: of all formats that are read, whatever the content of
the file; and of HEIC and JPEG XL, which are not read, so that each such file has a row with that reason."""

_PART_ENDINGS = frozenset({".part", ".partial", ".crdownload", ".download", ".tmp"})
_JUNK = frozenset({"__MACOSX", "Thumbs.db", "desktop.ini"})


def classify_member(name: str, size: int, offset: int | None = None, danger: str = "") -> Found:
    """Return the row of a file, classified by its name and size.

    Args:
        name: Its path within the archive or folder.
        size: Its size in bytes.
        offset: Its offset; see :class:`tol_luigi.core.reader.Member`.
        danger: Why it must not be read, if that is known already.

    Returns:
        A row without a state for a possible image, else with state and reason.
    """
    parts = [part for part in name.split("/") if part not in {"", "."}]
    name_danger = _name_danger(name, parts)
    tidy = name if name_danger else "/".join(parts)
    danger = danger or name_danger
    state, reason = (State.UNSAFE, danger) if danger else _fault(tidy, parts, size)
    return Found(Member(storable(tidy), size, offset), state=state, reason=reason)


def is_junk(part: str) -> bool:
    """Return whether a part of a path is hidden, or a file or folder that desktop programs leave behind."""
    return part.startswith(".") or part in _JUNK


def is_inside(name: str) -> bool:
    """Return whether a path leads to a place within its archive, at any depth."""
    return not name.startswith("/") and ".." not in name.split("/")


def storable(name: str) -> str:
    """Return a name that can be stored: bytes that are not UTF-8 become escapes."""
    return name.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")


def _name_danger(name: str, parts: list[str]) -> str:
    if not is_inside(name):
        return "absolute name" if name.startswith("/") else "name leads out of the archive"
    if "\\" in name or "\0" in name:
        return "name contains a backslash or a NUL"
    return "" if parts else "no name"


def _fault(name: str, parts: list[str], size: int) -> tuple[State | None, str]:
    """Return why a file is not a usable image, as far as its name and size show."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return State.BAD_NAME, "name is not valid UTF-8"
    for part in parts:
        if is_junk(part):
            what = (
                "macOS resource fork" if part.startswith("._") else "hidden, or a file of the desktop system"
            )
            return State.NO_IMAGE, f"{what}: {part!r}"
    stem, ending = os.path.splitext(parts[-1])  # noqa: PTH122 (no path object for each of ten million names)
    if ending.lower() in _PART_ENDINGS and stem.lower().endswith(tuple(IMAGE_ENDINGS)):
        return State.BAD_NAME, f"unfinished download, ending {ending}"
    if ending.lower() not in IMAGE_ENDINGS:
        return State.NO_IMAGE, f"no image by its ending {ending!r}"
    if size > MAX_FILE_BYTES:
        return State.TOO_LARGE, f"{size} bytes, more than {MAX_FILE_BYTES}"
    return None, ""


class Folders:
    """Finds the empty folders of an archive."""

    def __init__(self) -> None:
        self._named: dict[str, None] = {}
        self._filled: set[str] = set()

    def add(self, name: str, *, folder: bool) -> None:
        """Add a folder or a file, and with it the folders that contain it."""
        parts = [part for part in name.split("/") if part not in {"", "."}]
        if folder and parts:
            self._named["/".join(parts)] = None
        while parts := parts[:-1]:
            above = "/".join(parts)
            if above in self._filled:
                break
            self._filled.add(above)

    def __contains__(self, name: str) -> bool:
        """Return whether a folder of this name exists; "" is the archive itself."""
        return not name or name in self._named or name in self._filled

    def empty(self) -> Iterator[Found]:
        """Yield a row for each empty folder."""
        return (empty_folder(name) for name in self._named if name not in self._filled)


def empty_folder(folder: str) -> Found:
    """Return the row of an empty folder."""
    return Found(Member(f"{storable(folder)}/", 0), state=State.NO_IMAGE, reason="a folder without images")

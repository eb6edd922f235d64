"""Links within an archive: each is a file with the bytes of another member, found by name."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from tol_luigi.core.ledger import State
from tol_luigi.sources.member_filter import classify_member, is_inside, storable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tol_luigi.core.reader import Found
    from tol_luigi.sources.member_filter import Folders

__all__ = ["MAX_PATH", "Links"]

_MAX_STEPS = 40
"""The maximum number of symbolic links that Linux follows in one path."""

MAX_PATH = 4096
"""The maximum length of a path on Linux: a longer one is meant to exhaust the memory."""

_QUOTED = 100


class _Link(NamedTuple):
    name: str
    target: str
    is_hard: bool
    offset: int


class _BrokenLinkError(Exception):
    """A link leads to no member; the text is the reason."""


class Links:
    """The links of an archive, which is read once to collect them and again to find their targets.

    Memory grows with the number of links, not with the number of files.
    """

    def __init__(self) -> None:
        self._links: list[_Link] = []
        self._by_name: dict[str, _Link] = {}
        self._paths: list[tuple[list[str], str]] = []
        self._targets: dict[str, list[Found]] = {}

    def add(self, name: str, target: str, offset: int, *, is_hard: bool) -> None:
        """Add a link.

        Args:
            name: Its own name.
            target: Its target: the name of a member for a hard link, a path from its own folder for a
                symbolic link.
            offset: Its offset in the archive; see :class:`tol_luigi.core.reader.Member`.
            is_hard: Whether it is a hard link.
        """
        link = _Link(name, target, is_hard, offset)
        self._links.append(link)
        if is_inside(name):
            self._by_name["/".join(_parts(name))] = link

    def resolve(self) -> bool:
        """Follow all links by name; return whether there are targets to pass to :meth:`add_target`."""
        self._paths = [self._path(link) for link in self._links]
        self._targets = {storable(name): [] for names, _ in self._paths for name in names}
        return bool(self._targets)

    def add_target(self, found: Found) -> None:
        """Add a member that is neither a link nor a folder, if a link leads to it."""
        if (targets := self._targets.get(found.member.name)) is not None:
            targets.append(found)

    def rows(self, folders: Folders) -> Iterator[Found]:
        """Yield a row for each link: first those with a fault, then the others in the order of offsets."""
        rows = [
            self._row(link, names, fault, folders)
            for link, (names, fault) in zip(self._links, self._paths, strict=True)
        ]
        yield from sorted(rows, key=lambda row: (row.state is None, (row.member.offset or 0)))

    def _row(self, link: _Link, names: list[str], fault: str, folders: Folders) -> Found:
        target = next(filter(None, (self._nearest(name, link.offset) for name in names)), None)
        if target and target.state is not State.UNSAFE:
            row = classify_member(link.name, target.member.size, target.member.offset)
            stored_as = target.member.stored_as or target.member.name
            return replace(row, member=replace(row.member, stored_as=stored_as))
        if target:
            fault = target.reason
        elif not fault:
            is_folder = names[-1] in folders
            fault = "a folder, and is not followed" if is_folder else "which is not in the archive"
        kind = "hard link" if link.is_hard else "symbolic link"
        return classify_member(link.name, 0, link.offset, f"{kind} to {link.target[:_QUOTED]!r}, {fault}")

    def _nearest(self, name: str, offset: int) -> Found | None:
        """Return the member of a name that a link refers to: the last before it, else the first after it."""
        targets = self._targets[storable(name)]
        before = [target for target in targets if (target.member.offset or 0) < offset]
        return before[-1] if before else next(iter(targets), None)

    def _path(self, link: _Link) -> tuple[list[str], str]:
        """Return the names on the path of a link, in order, and why they end in no member, "" if they do.

        Names on the path are possible targets, too, because a file can have the same name as a link: if GNU
        tar must store a file twice that has two names on the disk, it stores the second as a hard link to
        itself.
        """
        names: list[str] = []
        try:
            for name in self._trace(link):
                if name in names:
                    return names, "in a circle"
                if len(names) == _MAX_STEPS:
                    return names, f"through more than {_MAX_STEPS} others"
                names.append(name)
        except _BrokenLinkError as error:
            return names, str(error)
        return names, ""

    def _trace(self, link: _Link) -> Iterator[str]:
        folder = _parts(link.name)[:-1]
        following: _Link | None = link
        while following:
            if following.is_hard:
                # A hard link has the content of its target; if that is a symbolic link, it continues here.
                if not is_inside(following.target):
                    raise _BrokenLinkError("outside the archive")
                name = "/".join(_parts(following.target))
            else:
                name = self._followed(folder, following.target)
                folder = name.split("/")[:-1]
            yield name
            following = self._by_name.get(name)

    def _followed(self, folder: list[str], target: str) -> str:
        """Return the name that a path from a folder leads to, through all symbolic links in it."""
        done, pending = list(folder), deque(_relative(target))
        seen: set[tuple[str, ...]] = set()
        while pending:
            part = pending.popleft()
            if part == "..":
                if not done:
                    raise _BrokenLinkError("outside the archive")
                done.pop()
                continue
            done.append(part)
            link = self._by_name.get("/".join(done))
            if link and not link.is_hard:
                place = (*done, "", *pending)
                if place in seen:
                    raise _BrokenLinkError("in a circle")
                if len(seen) == _MAX_STEPS:
                    raise _BrokenLinkError(f"through more than {_MAX_STEPS} others")
                seen.add(place)
                done.pop()
                pending.extendleft(reversed(_relative(link.target)))
        return "/".join(done)


def _relative(target: str) -> list[str]:
    """Return the parts of a path.

    Raises:
        _BrokenLinkError: It does not start within the archive, or is too long.
    """
    if target.startswith("/"):
        raise _BrokenLinkError("outside the archive")
    if len(target) > MAX_PATH:
        raise _BrokenLinkError("which is too long for a path")
    return _parts(target)


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in {"", "."}]

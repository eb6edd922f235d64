"""Links within an archive: each is a file whose bytes are those of another member, found by its name."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from tol_luigi.core.ledger import State
from tol_luigi.sources.judging import is_inside, judged, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tol_luigi.core.source import Found
    from tol_luigi.sources.judging import Folders

__all__ = ["MAX_PATH", "Links"]

_MAX_STEPS = 40
"""Linux follows no more symbolic links than this in one path."""

MAX_PATH = 4096
"""Linux allows no longer path, so a longer one was made to exhaust whoever follows it."""

_QUOTED = 100


class _Link(NamedTuple):
    name: str
    target: str
    is_hard: bool
    offset: int


class _LostError(Exception):
    """A link leads to no member; the text says why."""


class Links:
    """The links of an archive, which is read once to collect them and once more to find what they lead to.

    Memory grows with the number of links, not with that of the files.
    """

    def __init__(self) -> None:
        self._links: list[_Link] = []
        self._by_name: dict[str, _Link] = {}
        self._ways: list[tuple[list[str], str]] = []
        self._targets: dict[str, list[Found]] = {}

    def add(self, name: str, target: str, offset: int, *, is_hard: bool) -> None:
        """Note a link.

        Args:
            name: Its own name.
            target: What it leads to: of a hard link the name of a member, of a symbolic one a path from its own folder.
            offset: Where it is in the archive; see :class:`tol_luigi.core.source.Member`.
            is_hard: Which of the two it is.
        """
        link = _Link(name, target, is_hard, offset)
        self._links.append(link)
        if is_inside(name):
            self._by_name["/".join(_parts(name))] = link

    def resolve(self) -> bool:
        """Follow all links by their names; return whether there are members to look for, and to :meth:`offer`."""
        self._ways = [self._way(link) for link in self._links]
        self._targets = {shown(name): [] for names, _ in self._ways for name in names}
        return bool(self._targets)

    def offer(self, found: Found) -> None:
        """Note a member that is neither a link nor a folder, if a link leads to it."""
        if (targets := self._targets.get(found.member.name)) is not None:
            targets.append(found)

    def rows(self, folders: Folders) -> Iterator[Found]:
        """Yield a row for each link: first those with a fault, then the others in the order of their bytes."""
        rows = [
            self._row(link, names, fault, folders)
            for link, (names, fault) in zip(self._links, self._ways, strict=True)
        ]
        yield from sorted(rows, key=lambda row: (row.state is None, (row.member.offset or 0)))

    def _row(self, link: _Link, names: list[str], fault: str, folders: Folders) -> Found:
        target = next(filter(None, (self._nearest(name, link.offset) for name in names)), None)
        if target and target.state is not State.UNSAFE:
            row = judged(link.name, target.member.size, target.member.offset)
            stored_as = target.member.stored_as or target.member.name
            return replace(row, member=replace(row.member, stored_as=stored_as))
        if target:
            fault = target.reason
        elif not fault:
            is_folder = names[-1] in folders
            fault = "a folder, and is not followed" if is_folder else "which is not in the archive"
        kind = "hard link" if link.is_hard else "symbolic link"
        return judged(link.name, 0, link.offset, f"{kind} to {link.target[:_QUOTED]!r}, {fault}")

    def _nearest(self, name: str, offset: int) -> Found | None:
        """Return the member of a name that a link means: the last one before the link, else the first one after it."""
        targets = self._targets[shown(name)]
        before = [target for target in targets if (target.member.offset or 0) < offset]
        return before[-1] if before else next(iter(targets), None)

    def _way(self, link: _Link) -> tuple[list[str], str]:
        """Return the names that a link leads to, one after the other, and why they do not end in a member, if they do not.

        Names on the way count as well, as a file can have the name of a link: GNU tar stores a file that it is
        told to store twice, and that has two names on the disk, as a hard link to itself.
        """
        names: list[str] = []
        try:
            for name in self._trace(link):
                if name in names:
                    return names, "in a circle"
                if len(names) == _MAX_STEPS:
                    return names, f"through more than {_MAX_STEPS} others"
                names.append(name)
        except _LostError as error:
            return names, str(error)
        return names, ""

    def _trace(self, link: _Link) -> Iterator[str]:
        folder = _parts(link.name)[:-1]
        following: _Link | None = link
        while following:
            if following.is_hard:
                # it has the content of its target: if that is a symbolic link, it leads on from here
                if not is_inside(following.target):
                    raise _LostError("outside the archive")
                name = "/".join(_parts(following.target))
            else:
                name = self._followed(folder, following.target)
                folder = name.split("/")[:-1]
            yield name
            following = self._by_name.get(name)

    def _followed(self, folder: list[str], target: str) -> str:
        """Return the name of what a path leads to from a folder, through all symbolic links on its way."""
        done, pending = list(folder), deque(_relative(target))
        seen: set[tuple[str, ...]] = set()
        while pending:
            part = pending.popleft()
            if part == "..":
                if not done:
                    raise _LostError("outside the archive")
                done.pop()
                continue
            done.append(part)
            link = self._by_name.get("/".join(done))
            if link and not link.is_hard:
                place = (*done, "", *pending)
                if place in seen:
                    raise _LostError("in a circle")
                if len(seen) == _MAX_STEPS:
                    raise _LostError(f"through more than {_MAX_STEPS} others")
                seen.add(place)
                done.pop()
                pending.extendleft(reversed(_relative(link.target)))
        return "/".join(done)


def _relative(target: str) -> list[str]:
    """Return the parts of a path.

    Raises:
        _LostError: It does not start within the archive, or is none.
    """
    if target.startswith("/"):
        raise _LostError("outside the archive")
    if len(target) > MAX_PATH:
        raise _LostError("which is too long for a path")
    return _parts(target)


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in {"", "."}]

"""The life of one image, for people and for programs."""

from __future__ import annotations

import textwrap
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["Life", "life_figures", "life_text", "unknown_text"]

_WIDTH = 80
_LABEL = 12


@dataclass(frozen=True)
class Life:
    """All that is known of one image; what is not known, or not yet, is empty or None.

    Attributes:
        id: Its id, "" of a file that has got none.
        source: The name of its source.
        state: What became of it, as in the ledger; ``waiting`` while it is on its way.
        reason: Why it is left out, or what it waits for.
        place: The folder or archive that its source is read from.
        partition: The partition that it belongs to.
        member: The file, within the folder or archive.
        bytes: Length of that file.
        offset: Where it lies within an archive, in bytes.
        key: Its natural key, by column.
        id_from: How it has got its id.
        split: ``train`` or ``val``.
        is_train_small: Whether the small training set repeats it.
        split_from: How it has got into its split.
        ranks: What it shows, by rank.
        common: Its common name.
        name_key: What its name was looked up by.
        names_from: Where the name comes from, a line each.
        class_index: Of its lineage.
        exclusion: The exclusion list that it is on, and why.
        shards: Where it is: split, path of the shard, position, offset and length (bytes) there.
        picture: Of the original: width and height (pixels), mode, format, SHA-256 and MD5.
        flags: What was odd about the original.
    """

    id: str
    source: str
    state: str
    reason: str = ""
    place: str = ""
    partition: str = ""
    member: str = ""
    bytes: int | None = None
    offset: int | None = None
    key: Mapping[str, int | str] = field(default_factory=dict)
    id_from: str = ""
    split: str = ""
    is_train_small: bool = False
    split_from: str = ""
    ranks: Mapping[str, str] = field(default_factory=dict)
    common: str = ""
    name_key: str = ""
    names_from: Sequence[str] = ()
    class_index: str = ""
    exclusion: str = ""
    shards: Sequence[Mapping[str, Any]] = ()
    picture: Mapping[str, Any] = field(default_factory=dict)
    flags: Sequence[str] = ()

    def __str__(self) -> str:
        """Write it as ``tol why`` does."""
        return life_text(self).rstrip("\n")


def life_figures(life: Life) -> dict[str, Any]:
    """Give everything, for programs."""
    return asdict(life)


def life_text(life: Life) -> str:
    """Write it for people, 80 columns wide but for paths that are longer."""
    state = f"{life.state}: {life.reason}" if life.reason else life.state
    lines = [life.id or life.member, *_row("state", state)]
    for label, text in _rows(life):
        if text:
            lines += _row(label, text)
    return "\n".join(lines) + "\n"


def _rows(life: Life) -> Iterator[tuple[str, str]]:
    partition = f"partition {life.partition}" if life.partition else ""
    yield "source", ", ".join(filter(None, [life.source, life.place, partition]))
    size = "" if life.bytes is None else f", {life.bytes:,} bytes"
    yield "file", life.member + size + ("" if life.offset is None else f" at byte {life.offset:,}")
    yield "key", ", ".join(f"{name} {part}" for name, part in life.key.items())
    yield "id", life.id_from
    small = ", repeated in train_small" if life.is_train_small else ""
    yield "split", f"{life.split}{small}; {life.split_from}" if life.split else ""
    yield "name", " ".join(life.ranks.values())
    yield "common name", life.common
    for text in life.names_from:
        yield "name from", text
    yield "exclusion", life.exclusion
    for shard in life.shards:
        there = "" if shard["is_there"] else " (the shard is not there)"
        yield (
            "shard",
            f"{shard['path']}{there}, sample {shard['position']:,} from 0, at byte {shard['offset']:,}",
        )
    if life.picture.get("width"):
        yield "original", "{width} x {height} pixels, {format}, {mode}".format(**life.picture)
    if life.picture.get("sha256"):
        yield "sha256", life.picture["sha256"]
    yield "flags", ", ".join(life.flags)


def _row(label: str, text: str) -> list[str]:
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=f"  {label:<{_LABEL}}",
        subsequent_indent=" " * (_LABEL + 2),
        break_long_words=False,
        break_on_hyphens=False,
    )


def unknown_text(text: str, looked_through: Sequence[str]) -> str:
    """Say that nothing is known of an image, and what was looked through."""
    places = [*looked_through, *(["nothing: the build has not come so far"] if not looked_through else [])]
    return "\n".join([f"{text}: not known. Looked through:", *(f"  {place}" for place in places)]) + "\n"

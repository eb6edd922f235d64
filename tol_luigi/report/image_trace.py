"""Format the trace of one image through a build, as text and as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from tol_luigi.report.text import printable, wrapped

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

__all__ = ["ImageTrace", "candidates_text", "image_trace_figures", "image_trace_text", "unknown_text"]

_LABEL = 12


@dataclass(frozen=True)
class ImageTrace:
    """All recorded facts about one image. Unknown values are empty or None.

    Attributes:
        id: The image id, or "" if the file has no id.
        source: The name of its source.
        state: Its state in the ledger, or ``waiting`` if it has not been processed yet.
        reason: The reason of the state, or the stage that the image waits for.
        place: The folder or archive of its source.
        partition: Its partition.
        member: The path of the file in the folder or archive.
        bytes: The size of the file.
        offset: The offset of the file in an archive, in bytes.
        key: Its natural key, by column.
        id_from: The origin of its id.
        split: ``train`` or ``val``.
        is_train_small: Whether train_small contains it as well.
        split_from: The origin of its split.
        ranks: Its taxon, by rank.
        common: Its common name.
        name_key: The key with which its name was looked up.
        names_from: The origins of its name, one per line.
        class_index: The class index of its lineage.
        exclusion: The exclusion list that contains it, and the reason.
        shards: Its samples: split, path of the shard, and position, offset and length (bytes) in the shard.
        original: The original image: width and height (pixels), mode, format, SHA-256 and MD5.
        flags: Unusual properties of the original image.
        features: The columns of its features, by extractor.
        selections: The selections from its split: name, state (``selected``, ``filtered``, ``too_few`` or ``surplus``),
            the rule that has dropped it or "", its score, and its shard there (as in ``shards``) or None.
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
    original: Mapping[str, Any] = field(default_factory=dict)
    flags: Sequence[str] = ()
    features: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    selections: Sequence[Mapping[str, Any]] = ()

    def __str__(self) -> str:
        """Return the text that ``tol why`` writes."""
        return image_trace_text(self).rstrip("\n")


def image_trace_figures(trace: ImageTrace) -> dict[str, Any]:
    """Return the trace as JSON."""
    return asdict(trace)


def image_trace_text(trace: ImageTrace) -> str:
    """Return the trace as text, as wide as the terminal except for longer paths."""
    state = f"{trace.state}: {trace.reason}" if trace.reason else trace.state
    lines = [printable(trace.id or trace.member), *_row("state", state)]
    for label, text in _entries(trace):
        if text:
            lines += _row(label, text)
    return "\n".join(lines) + "\n"


def _entries(trace: ImageTrace) -> Iterator[tuple[str, str]]:
    partition = f"partition {trace.partition}" if trace.partition else ""
    yield "source", ", ".join(filter(None, [trace.source, trace.place, partition]))
    size = "" if trace.bytes is None else f", {trace.bytes:,} bytes"
    yield "file", trace.member + size + ("" if trace.offset is None else f" at byte {trace.offset:,}")
    yield "key", ", ".join(f"{name} {part}" for name, part in trace.key.items())
    yield "id", trace.id_from
    small = ", repeated in train_small" if trace.is_train_small else ""
    yield "split", f"{trace.split}{small}; {trace.split_from}" if trace.split else ""
    yield "name", " ".join(trace.ranks.values())
    yield "common name", trace.common
    for text in trace.names_from:
        yield "name from", text
    yield "exclusion", trace.exclusion
    for shard in trace.shards:
        yield "shard", _place(shard)
    for selection in trace.selections:
        yield "selection", f"{selection['name']}: {_selection(selection)}"
    if trace.original.get("width"):
        yield "original", "{width} x {height} pixels, {format}, {mode}".format(**trace.original)
    if trace.original.get("sha256"):
        yield "sha256", trace.original["sha256"]
    yield "flags", ", ".join(trace.flags)
    for name, columns in trace.features.items():
        known = {column: value for column, value in columns.items() if value is not None}
        status = known.pop("status")
        values = [f"{column} {_short(value)}" for column, value in known.items()]
        if status != "ok" or not values:  # an extractor that computes only vectors has no columns
            values.insert(0, status)
        yield "features", f"{name}: {', '.join(values)}"


def _place(shard: Mapping[str, Any]) -> str:
    missing = "" if shard["is_there"] else " (the shard is missing)"
    return f"{shard['path']}{missing}, position {shard['position']:,}, byte {shard['offset']:,}"


_NOT_SELECTED = {
    "too_few": "not selected, as its species has fewer samples than [select] least_per_species",
    "surplus": "not selected, as its species has more samples than [select] most_per_species",
}


def _selection(selection: Mapping[str, Any]) -> str:
    score = "" if selection["score"] is None else f" (score {_short(selection['score'])})"
    if selection["state"] == "selected":
        place = _place(selection["shard"]) if selection["shard"] else "its shard is not written yet"
        return f"selected{score}, {place}"
    if selection["state"] == "filtered":
        return f"dropped by the rule {selection['rule']}"
    return _NOT_SELECTED[selection["state"]] + score


def _short(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else printable(str(value))


def _row(label: str, text: str) -> list[str]:
    return wrapped(printable(text), " " * (_LABEL + 2), f"  {label:<{_LABEL}}")


def candidates_text(text: str, traces: Sequence[ImageTrace], most: int) -> str:
    """Return a message that several images match, with the first of them, one per line."""
    count = f"{most} or more" if len(traces) >= most else str(len(traces))
    lines = [f"{trace.id or '-':<36}  {trace.source}: {trace.member or '-'}" for trace in traces[:most]]
    return _lines([f"{text}: {count} images match. Name one by its id or its path:", *lines])


def unknown_text(text: str, looked_through: Sequence[str]) -> str:
    """Return a message that an image is unknown, with the places that were searched."""
    places = [*looked_through, *(["nothing: the build has not started"] if not looked_through else [])]
    return _lines([f"{text}: not found. Searched:", *(f"  {place}" for place in places)])


def _lines(lines: Iterable[str]) -> str:
    return "".join(f"{printable(line)}\n" for line in lines)

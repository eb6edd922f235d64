"""Write the page with images that are in no shard. It is no part of the dataset: the images are those of the sources."""

from __future__ import annotations

import base64
from collections import Counter
from typing import TYPE_CHECKING, Any

from tol_luigi.core.ledger import WITHHELD, State
from tol_luigi.report.page_template import rendered
from tol_luigi.report.sprites import sprite_place, sprite_sheets
from tol_luigi.report.state_texts import STATE_TEXTS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["excluded_page", "shown_examples"]

_MOST = 24
"""The most images of each state."""

_UNSHOWN = {State.BAD_ARCHIVE, State.NO_IMAGE, State.UNSAFE, State.MISSING, *WITHHELD}
"""States of what is no image, does not exist, must not be opened, or must not be shown."""


def shown_examples(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the rows of the images to show: of each state the first of each source, then the second, and so on.

    Args:
        rows: Examples of images that are in no shard: state, source, partition, name and reason.
    """
    turns, places = Counter[tuple[str, str]](), []
    for number, row in enumerate(rows):
        if row["state"] not in _UNSHOWN:
            turns[row["state"], row["source"]] += 1
            places.append((row["state"], turns[row["state"], row["source"]], number))
    kept, chosen = Counter[str](), []
    for state, _, number in sorted(places):
        kept[state] += 1
        if kept[state] <= _MOST:
            chosen.append(number)
    return [rows[number] for number in sorted(chosen)]


def excluded_page(
    rows: Sequence[Mapping[str, Any]], contents: Sequence[bytes | str], counts: Mapping[str, int]
) -> str:
    """Return the page as HTML.

    Args:
        rows: The result of :func:`shown_examples`.
        contents: A small JPEG of each of them, or why there is none.
        counts: The number of images by state.
    """
    images = [content for content in contents if isinstance(content, bytes)]
    groups: dict[str, list[dict[str, Any]]] = {}
    place = 0
    for row, content in zip(rows, contents, strict=True):
        one = {**row, "place": None, "unshown": content}
        if isinstance(content, bytes):
            one |= {"place": sprite_place(place)._asdict(), "unshown": ""}
            place += 1
        groups.setdefault(row["state"], []).append(one)
    page = {
        "sheets": [base64.b64encode(sheet).decode() for sheet in sprite_sheets(images)],
        "states": [
            {"name": state, "text": STATE_TEXTS[State(state)], "count": counts[state], "images": shown}
            for state, shown in groups.items()
        ],
    }
    return rendered("excluded.html.j2", page)

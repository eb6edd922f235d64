"""Files identified columns at a time, held against the rule in its plainest form: one file after the other."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tol_luigi.core.keys import image_id
from tol_luigi.core.ledger import State
from tol_luigi.core.reader import Found, Member
from tol_luigi.sources.eol import EOL
from tol_luigi.store.identities import ScannedSource, identified, image_schema
from tol_luigi.store.listings import collect_listing, write_listing

if TYPE_CHECKING:
    from collections.abc import Sequence

KEYS = st.tuples(st.integers(1, 4), st.integers(1, 2))
IDS = [f"0000000{n}-0000-4000-8000-000000000000" for n in range(5)]
FILES = st.one_of(KEYS, st.sampled_from(IDS), st.none())
"""A file named by its key, by an id, or one that is no image."""

LISTINGS = st.lists(st.lists(FILES, max_size=8), min_size=1, max_size=3)
KNOWN = st.dictionaries(st.sampled_from(IDS), KEYS, max_size=5)


class Result:
    """What was found: images, places, rejected files and missing images, as rows."""

    def __init__(
        self, folder: Path, listings: Sequence[Sequence[Any]], known: dict[str, Any] | None, held: int
    ) -> None:
        paths = []
        for number, files in enumerate(listings):
            found = [_found(f"p{number}", place, file) for place, file in enumerate(files)]
            paths.append(folder / f"{number}.parquet")
            write_listing(paths[-1], collect_listing(found, EOL.columns, lambda _: None))
        names = tuple(f"p{number}" for number in range(len(listings)))
        listed = ScannedSource(EOL, names, tuple(paths))
        rows = [(*key, image) for image, key in sorted((known or {}).items())]
        table = pa.table(list(zip(*rows, strict=True)) or [[], [], []], schema=image_schema(EOL.columns))
        given = None if known is None else table
        with identified(listed, given, folder / "mapping.sqlite", held) as result:
            self.images = [row for piece in result.images() for row in piece.to_pylist()]
            self.places = [row for piece in result.places() for row in piece.to_pylist()]
            self.rejected = [row for rows in result.rejected() for row in rows]
            self.missing = [row for rows in result.missing() for row in rows]
            assert result.count == len(self.images)
        assert len(list(folder.iterdir())) == len(paths)  # the scratch files are gone


def _found(partition: str, place: int, file: Any) -> Found:
    member = Member(f"{place}.jpg", 1)
    if file is None:
        return Found(member, partition, state=State.NO_IMAGE, reason="none")
    return Found(member, partition, id=file) if isinstance(file, str) else Found(member, partition, key=file)


def one_after_the_other(
    listings: Sequence[Sequence[Any]], known: dict[str, Any] | None
) -> tuple[dict[str, tuple[int, int]], list[tuple[str, str, str]]]:
    """Give the place of each image, and partition, name and state of what is left out."""
    by_key: dict[Any, str] = {}
    for image, key in sorted((known or {}).items()):
        by_key.setdefault(key, image)
    places: dict[str, tuple[int, int]] = {}
    left_out = []
    for number, files in enumerate(listings):
        for place, file in enumerate(files):
            if file is None:
                image, state = None, State.NO_IMAGE
            elif known is None:
                image = None if isinstance(file, str) else image_id("eol", f"{file[0]}/{file[1]}")
                state = State.NOT_IN_MAPPING
            else:
                image = file if file in known else by_key.get(file)
                state = State.NOT_IN_MAPPING
            if image in places:
                state = State.DUPLICATE_NAME
            elif image is not None:
                places[image] = (number, place)
                continue
            left_out.append((f"p{number}", f"{place}.jpg", str(state)))
    return places, left_out


@given(LISTINGS, st.none() | KNOWN, st.sampled_from([1, 3, 100]))
def test_files_are_identified_as_one_after_the_other(
    listings: list[list[Any]], known: Any, held: int
) -> None:
    with tempfile.TemporaryDirectory() as name:
        found = Result(Path(name), listings, known, held)
    places = {row["evobio10m_id"]: (row["partition"], row["position"]) for row in found.places}
    expected, expected_left_out = one_after_the_other(listings, known)

    assert places == expected
    assert list(places) == sorted(places)
    if known is None:
        keys = [((row["content_id"], row["page_id"]), row["evobio10m_id"]) for row in found.images]
        assert keys == [(listings[p][place], image) for image, (p, place) in places.items()]
    left_out = [(row["partition"], row["name"], row["state"]) for row in found.rejected]
    assert left_out == expected_left_out
    repeated = [row["id"] for row in found.rejected if row["state"] == State.DUPLICATE_NAME]
    assert set(repeated) <= set(places)
    assert [row["id"] for row in found.missing] == sorted(set(known or {}) - set(expected))


@pytest.mark.parametrize("known", [None, {}, {IDS[0]: (1, 1)}], ids=["made", "none known", "one known"])
def test_a_source_without_images(tmp_path: Path, known: Any) -> None:
    found = Result(tmp_path, [[]], known, held=10)

    assert len(found.places) == 0
    assert len(found.images) == len(known or {})
    assert found.rejected == []

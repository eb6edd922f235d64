"""Withheld images: whatever they are, and in whatever steps, the other shards stay as they are."""

from __future__ import annotations

import io
import shutil
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tol_luigi.core.images import ImageSpec
from tol_luigi.core.keys import image_id
from tol_luigi.core.ledger import State
from tol_luigi.core.packing import Outcome, ReusedImage, Sample, Withheld, pack
from tol_luigi.core.reader import Member
from tol_luigi.core.shards import Shard, shard_name
from tol_luigi.store.ledger import ids_by_shard, write_ledger
from tol_luigi.store.rewriting import without_samples
from tol_luigi.store.worklists import WorkList

if TYPE_CHECKING:
    from pathlib import Path

RANKS = ("Animalia", "Arthropoda", "Insecta", "Hymenoptera", "Apidae", "Apis", "mellifera")
IDS = [image_id("eol", f"{number}/1") for number in range(12)]
BROKEN = IDS[5]
NUMBERS = range(3, 6)
WORK = WorkList(
    "eol", "a", [Sample(one, RANKS, "bee") for one in IDS], [Member(f"{one}.jpg", 9) for one in IDS], []
)
CHOSEN = st.sets(st.sampled_from(IDS)).map(
    lambda ids: {one: Withheld(State.TAKEN_DOWN, f"asked for {one}") for one in sorted(ids)}
)


def jpeg() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "JPEG")
    return file.getvalue()


JPEG = jpeg()


def written(folder: Path, withheld: dict[str, Withheld]) -> list[Shard]:
    """Write the shards and the ledger from the images."""
    contents = [
        ReusedImage(Outcome(State.UNREADABLE, "broken", "x"), b"")
        if one == BROKEN
        else ReusedImage(Outcome(State.WRITTEN, sha256=one, md5=one), JPEG)
        for one in IDS
    ]
    shards, outcomes, _ = pack(
        WORK.samples,
        enumerate(contents),
        [folder / shard_name(number) for number in NUMBERS],
        where="train/eol/a",
        spec=ImageSpec(width=8, height=8),
        seed=17,
        shuffled=True,
        max_bad_percent=50,
        progress=lambda _: None,
        withheld=withheld,
    )
    write_ledger(folder / "ledger.parquet", WORK.ledger(outcomes, NUMBERS))
    return shards


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Shard]]:
    folder = tmp_path_factory.mktemp("untouched")
    return folder, written(folder, {})


@settings(max_examples=15)
@given(first=CHOSEN, second=CHOSEN)
def test_in_steps_or_at_once(
    untouched: tuple[Path, list[Shard]],
    tmp_path_factory: Any,
    first: dict[str, Withheld],
    second: dict[str, Withheld],
) -> None:
    folder, shards = untouched
    both = {**first, **second}
    steps, once = tmp_path_factory.mktemp("steps"), tmp_path_factory.mktemp("once")
    shutil.copytree(folder, steps, dirs_exist_ok=True)
    for withheld in (first, both, both):
        found = without_samples(steps / "ledger.parquet", shards, steps, withheld)
        assert found is not None
        shards = found[0]
        write_ledger(steps / "ledger.parquet", found[1])

    assert written(once, both) == shards
    assert content(steps) == content(once)

    before = ids_by_shard(folder / "ledger.parquet")
    after = ids_by_shard(once / "ledger.parquet")
    rows = pq.read_table(once / "ledger.parquet").to_pylist()
    assert sorted(row["id"] for row in rows) == sorted(IDS)
    for number, ids in before.items():
        assert after.get(number, []) == [one for one in ids if one not in both]
        if both.keys().isdisjoint(ids):
            assert content(once)[shard_name(number)] == content(folder)[shard_name(number)]
    places = {row["id"]: (row["state"], row["reason"], row["shard"], row["position"]) for row in rows}
    for number, ids in before.items():
        assert all(places[one] == (*both[one], number, None) for one in ids if one in both)
    assert places[BROKEN][0] == "unreadable"


def test_an_image_that_is_allowed_again_needs_the_images(tmp_path: Path) -> None:
    withheld = {IDS[0]: Withheld(State.LICENSE_NOT_ALLOWED, "its licence is unknown")}
    shards = written(tmp_path, withheld)

    assert without_samples(tmp_path / "ledger.parquet", shards, tmp_path, {}) is None


def test_nothing_is_copied_from_a_damaged_shard(untouched: tuple[Path, list[Shard]], tmp_path: Path) -> None:
    folder, shards = untouched
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    (number, (first, *_)) = next(iter(ids_by_shard(folder / "ledger.parquet").items()))
    path = tmp_path / shard_name(number)
    path.write_bytes(path.read_bytes().replace(b"Apidae", b"apidae", 1))

    assert (
        without_samples(
            tmp_path / "ledger.parquet", shards, tmp_path, {first: Withheld(State.TAKEN_DOWN, "")}
        )
        is None
    )

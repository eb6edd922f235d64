from __future__ import annotations

import hashlib
import itertools
import random
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tol_luigi.core.benchmarks import BenchmarkImage, Benchmarks, Match
from tol_luigi.core.copying import SampleRef, copy_samples, recopy
from tol_luigi.core.errors import ShardError, TooManyBadError
from tol_luigi.core.images import ImageSpec
from tol_luigi.core.keys import image_id
from tol_luigi.core.ledger import State
from tol_luigi.core.packing import Outcome, ReusedImage, Sample, ShardToRebuild, pack, repack, shipping_order
from tol_luigi.core.samples import MEMBERS
from tol_luigi.core.shards import DifferentBytesError, Shard, ShardReader, shard_name

if TYPE_CHECKING:
    from pathlib import Path

Draw = Callable[..., bytes]
Content = bytes | OSError
Packed = tuple[list[Shard], list[Outcome]]
RANKS = ("Animalia", "Arthropoda", "Insecta", "Hymenoptera", "Apidae", "Apis", "mellifera")
SMALL = ImageSpec(width=8, height=8)


@pytest.fixture(scope="session")
def contents(draw: Draw) -> dict[str, Content]:
    """Ten small pictures, by image id."""
    return {image_id("eol", f"{n}/1"): draw((20 + n, 20)) for n in range(10)}


def paths(folder: Path, count: int) -> list[Path]:
    return [folder / shard_name(number) for number in range(count)]


def packed(
    contents: dict[str, Content],
    shards: Sequence[Path],
    *,
    shuffled: bool = True,
    max_bad_percent: int = 5,
    benchmarks: Benchmarks | None = None,
    spec: ImageSpec = SMALL,
    threads: int = 1,
) -> Packed:
    shards_and_outcomes = pack(
        [Sample(image, RANKS, "honey bee") for image in contents],
        enumerate(contents.values()),
        shards,
        where="train/eol/a",
        spec=spec,
        seed=17,
        shuffled=shuffled,
        max_bad_percent=max_bad_percent,
        progress=lambda _: None,
        benchmarks=benchmarks,
        threads=threads,
    )
    return shards_and_outcomes[:2]


def keys(shards: Sequence[Path]) -> list[list[str]]:
    return [[key for key, _ in ShardReader(path)] for path in shards]


def broken(contents: dict[str, Content], *positions: int) -> dict[str, Content]:
    ids = list(contents)
    return {**contents, **{ids[position]: b"no picture" for position in positions}}


def test_every_sample_is_written_once_and_found_where_it_is_said_to_be(
    tmp_path: Path, contents: dict[str, Content]
) -> None:
    shards = paths(tmp_path, 3)
    entries, outcomes = packed(contents, shards)

    assert [entry.samples for entry in entries] == [4, 3, 3]
    for image, outcome in zip(contents, outcomes, strict=True):
        with shards[outcome.shard].open("rb") as file:
            file.seek(outcome.offset)
            assert file.read(outcome.length).startswith(image.encode())
        assert outcome.state is State.WRITTEN
        assert keys(shards)[outcome.shard][outcome.position] == image


def test_a_sample_has_all_members(tmp_path: Path, contents: dict[str, Content]) -> None:
    [shard] = paths(tmp_path, 1)
    packed(contents, [shard])

    for _, members in ShardReader(shard):
        assert tuple(members) == MEMBERS
        assert members["sci_com.txt"] == b"a photo of Apis mellifera with common name honey bee."


def test_what_is_told_of_a_sample(tmp_path: Path, contents: dict[str, Content]) -> None:
    _, outcomes = packed(contents, paths(tmp_path, 1))
    first = next(iter(contents.values()))

    assert isinstance(first, bytes)
    assert outcomes[0].sha256 == hashlib.sha256(first).hexdigest()
    assert outcomes[0].md5 == hashlib.md5(first).hexdigest()  # noqa: S324 (as published)
    assert outcomes[0].image_metadata is not None
    assert (outcomes[0].image_metadata.width, outcomes[0].image_metadata.height) == (20, 20)


def test_the_order_of_files_does_not_count(tmp_path: Path, contents: dict[str, Content]) -> None:
    shuffled = list(contents.items())
    random.Random(1).shuffle(shuffled)  # noqa: S311 (no secret)
    one, _ = packed(contents, paths(tmp_path / "one", 3))
    other, _ = packed(dict(shuffled), paths(tmp_path / "other", 3))

    assert [asdict(entry) for entry in one] == [asdict(entry) for entry in other]


def test_the_number_of_threads_does_not_count(tmp_path: Path, draw: Draw) -> None:
    """Truncated images and icons need Pillow's global switches, which all threads share."""
    drawn = [draw((200 + n, 150), form="ICO" if n % 7 == 0 else "JPEG") for n in range(40)]
    cut = [content[:-900] if n % 5 == 1 else content for n, content in enumerate(drawn)]
    mixed: dict[str, Content] = {image_id("eol", f"{n}/1"): content for n, content in enumerate(cut)}
    mixed = {**broken(mixed, 3, 30), list(mixed)[9]: OSError(5, "Input/output error")}
    spec = replace(SMALL, max_memory_mib=1)
    one, outcomes = packed(mixed, paths(tmp_path / "one", 3), max_bad_percent=50, spec=spec)
    assert len({(found.state, found.image_metadata and found.image_metadata.flags) for found in outcomes}) > 4
    for threads in (2, 5):
        shards = paths(tmp_path / str(threads), 3)
        others, found = packed(mixed, shards, max_bad_percent=50, spec=spec, threads=threads)
        assert (others, found) == (one, outcomes)


def test_samples_can_stay_in_the_order_of_their_source(tmp_path: Path, contents: dict[str, Content]) -> None:
    shards = paths(tmp_path, 3)
    packed(contents, shards, shuffled=False)

    assert list(itertools.chain(*keys(shards))) == list(contents)


def test_broken_ones_are_left_out_and_shards_stay_balanced(
    tmp_path: Path, contents: dict[str, Content]
) -> None:
    shards = paths(tmp_path, 4)
    mixed = {**broken(contents, 2), list(contents)[7]: OSError(5, "Input/output error")}
    entries, outcomes = packed(mixed, shards, max_bad_percent=20)
    whole = [image for n, image in enumerate(contents) if n not in {2, 7}]

    assert [entry.samples for entry in entries] == [2, 2, 2, 2]
    assert sorted(itertools.chain(*keys(shards))) == sorted(whole)
    assert (outcomes[2].state, outcomes[2].reason) == (State.UNREADABLE, "not an image in any known format")
    assert (outcomes[7].state, outcomes[7].reason, outcomes[7].sha256) == (
        State.UNREADABLE, "could not be read (Input/output error)", ""
    )  # fmt: skip
    assert [outcome.is_unread for outcome in outcomes] == [n == 7 for n in range(10)]
    assert (outcomes[2].shard, outcomes[2].position, outcomes[2].offset) == (-1, -1, -1)


@pytest.mark.parametrize(
    ("bad", "percent", "stops"),
    [
        pytest.param(1, 0, False, id="a single one never stops it"),
        pytest.param(2, 0, True, id="two are more than none"),
        pytest.param(2, 19, True, id="two of ten are more than 19 percent"),
        pytest.param(2, 20, False, id="two of ten are 20 percent"),
        pytest.param(10, 99, True, id="all are more than 99 percent"),
        pytest.param(10, 100, False, id="all may be broken"),
    ],
)
def test_too_many_broken_ones(
    tmp_path: Path, contents: dict[str, Content], bad: int, percent: int, stops: bool
) -> None:
    mixed = broken(contents, *range(bad))
    if not stops:
        entries, _ = packed(mixed, paths(tmp_path, 2), max_bad_percent=percent)
        assert sum(entry.samples for entry in entries) == 10 - bad
        return
    text = rf"^train/eol/a: {bad} of 10 images are broken, the first one: not an image.*raise \[checks\] max_bad_percent"
    with pytest.raises(TooManyBadError, match=text):
        packed(mixed, paths(tmp_path, 2), max_bad_percent=percent)
    assert list(tmp_path.iterdir()) == []


def test_a_picture_too_large_to_be_opened_counts_as_broken(
    tmp_path: Path, contents: dict[str, Content]
) -> None:
    spec = replace(SMALL, max_pixels=20 * 27)  # the pictures are 20 to 29 pixels wide, and 20 high
    with pytest.raises(
        TooManyBadError, match=r"^train/eol/a: 2 of 10 images are broken, the first one: more pixels than"
    ):
        packed(contents, paths(tmp_path, 1), max_bad_percent=19, spec=spec)
    _, outcomes = packed(contents, paths(tmp_path, 1), max_bad_percent=20, spec=spec)

    assert [outcome.state for outcome in outcomes] == [State.WRITTEN] * 8 + [State.TOO_LARGE] * 2


def test_a_picture_dropped_by_the_settings_is_not_broken(tmp_path: Path, draw: Draw) -> None:
    cut = {str(n): draw((300, 300 + n), "RGB", "JPEG")[:-500] for n in range(5)}
    _, outcomes, _ = pack(
        [Sample(image, RANKS, "") for image in cut],
        enumerate(cut.values()),
        paths(tmp_path, 1),
        where="train/eol/a",
        spec=ImageSpec(truncated="drop"),
        seed=17,
        shuffled=True,
        max_bad_percent=0,
        progress=lambda _: None,
    )

    assert {outcome.state for outcome in outcomes} == {State.TRUNCATED}


def test_pictures_of_a_benchmark_are_left_out_and_are_not_broken(
    tmp_path: Path, contents: dict[str, Content]
) -> None:
    listed = [
        BenchmarkImage("rare", f"{n}.png", hashlib.sha256(content).hexdigest(), None)
        for n, content in enumerate(contents.values())
        if isinstance(content, bytes) and n < 4
    ]
    shards = paths(tmp_path, 3)
    entries, outcomes = packed(contents, shards, max_bad_percent=0, benchmarks=Benchmarks(listed, 31))

    assert [entry.samples for entry in entries] == [2, 2, 2]
    assert sorted(itertools.chain(*keys(shards))) == sorted(list(contents)[4:])
    assert [outcome.state for outcome in outcomes] == [State.EXCLUDED_IMAGE] * 4 + [State.WRITTEN] * 6
    assert outcomes[1].match == Match("rare", "1.png")
    assert outcomes[1].reason == "on the list rare: exact duplicate of 1.png"


def test_only_shards_are_left_behind(tmp_path: Path, contents: dict[str, Content]) -> None:
    packed(contents, paths(tmp_path, 2))

    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["shard-000000.tar", "shard-000001.tar"]


def test_no_samples_make_no_shards() -> None:
    assert packed({}, []) == ([], [])


def test_shards_that_are_left_over_are_empty(tmp_path: Path, contents: dict[str, Content]) -> None:
    few = dict(list(contents.items())[:2])
    entries, _ = packed(few, paths(tmp_path, 4))

    assert [entry.samples for entry in entries] == [1, 1, 0, 0]
    assert [len(names) for names in keys(paths(tmp_path, 4))] == [1, 1, 0, 0]


def test_copies_are_the_same_byte_for_byte(tmp_path: Path, contents: dict[str, Content]) -> None:
    shards = paths(tmp_path / "train", 3)
    _, outcomes = packed(contents, shards)
    chosen = [
        (SampleRef(image, shards[found.shard], found.offset, found.length), found)
        for image, found in zip(contents, outcomes, strict=True)
    ][::2]
    copied = paths(tmp_path / "small", 2)
    entries, places = copy_samples([copy for copy, _ in chosen], copied)

    assert [entry.samples for entry in entries] == [3, 2]
    for (copy, found), place in zip(chosen, places, strict=True):
        there = shards[found.shard].read_bytes()[found.offset :][: found.length]
        assert copied[place.shard].read_bytes()[place.offset :][: place.length] == there
        assert keys(copied)[place.shard][place.position] == copy.id


def test_a_copy_that_is_elsewhere_stops_it(tmp_path: Path, contents: dict[str, Content]) -> None:
    [shard] = paths(tmp_path / "train", 1)
    packed(contents, [shard])
    with pytest.raises(ShardError, match="sample nobody is not at byte 0"):
        copy_samples([SampleRef("nobody", shard, 0, 512)], paths(tmp_path / "small", 1))

    assert list((tmp_path / "small").iterdir()) == []


@given(
    st.lists(st.uuids().map(str), unique=True).flatmap(
        lambda ids: st.tuples(st.just(ids), st.permutations(ids))
    )
)
def test_shipping_order_is_a_function_of_the_ids(orders: tuple[list[str], list[str]]) -> None:
    one, other = orders

    shipped = [one[index] for index in shipping_order(one, seed=17, shuffled=True)]
    assert sorted(shipped) == sorted(one)
    assert shipped == [other[index] for index in shipping_order(other, seed=17, shuffled=True)]
    assert shipping_order(one, seed=17, shuffled=False) == list(range(len(one)))


def test_a_picture_made_before_is_taken_as_it_is(tmp_path: Path, contents: dict[str, Content]) -> None:
    [first, again] = paths(tmp_path, 2)
    _, outcomes = packed(contents, [first])
    pictures = {key: members["jpg"] for key, members in ShardReader(first)}
    facts = [replace(outcome, shard=-1, position=-1, offset=-1, length=-1) for outcome in outcomes]
    made = {key: ReusedImage(fact, pictures[key]) for key, fact in zip(contents, facts, strict=True)}
    _, taken = packed(made, [again])  # type: ignore[arg-type]  # what pack takes, too

    assert again.read_bytes() == first.read_bytes()
    assert taken == outcomes


def test_what_comes_last_for_a_sample_counts(tmp_path: Path, contents: dict[str, Content]) -> None:
    [first, again] = paths(tmp_path, 2)
    packed(contents, [first])
    rotten = [(index, ReusedImage(Outcome(State.WRITTEN), b"rot")) for index in range(3)]
    pack(
        [Sample(image, RANKS, "honey bee") for image in contents],
        [*rotten, *enumerate(contents.values())],
        [again],
        where="train/eol/a",
        spec=ImageSpec(width=8, height=8),
        seed=17,
        shuffled=True,
        max_bad_percent=5,
        progress=lambda _: None,
    )

    assert again.read_bytes() == first.read_bytes()


def lost_of(shards: Sequence[Path], entries: Sequence[Shard]) -> list[ShardToRebuild]:
    """Delete shards, to be made again."""
    lost = [
        ShardToRebuild(path, entry.sha256, ids)
        for path, entry, ids in zip(shards, entries, keys(shards), strict=True)
    ]
    for path in shards:
        path.unlink()
    return lost


def repacked(contents: dict[str, Content], lost: Sequence[ShardToRebuild], threads: int = 1) -> list[int]:
    """Make shards again; returns how far it was told to be."""
    told: list[int] = []
    repack(
        [Sample(image, RANKS, "honey bee") for image in contents],
        enumerate(contents.values()),
        lost,
        spec=SMALL,
        progress=told.append,
        threads=threads,
    )
    return told


def test_lost_shards_are_made_again_of_the_files_of_their_samples_alone(
    tmp_path: Path, contents: dict[str, Content]
) -> None:
    shards = paths(tmp_path, 3)
    entries, _ = packed(contents, shards)
    before = [path.read_bytes() for path in shards]
    lost = lost_of(shards[::2], entries[::2])
    needed = {image: contents[image] for image in contents if any(image in shard.ids for shard in lost)}

    assert repacked(needed, lost, threads=2) == [*range(1, 8)]
    assert [path.read_bytes() for path in shards] == before


@pytest.mark.parametrize("content", [b"no picture", OSError(5, "Input/output error")])
def test_a_lost_shard_is_not_made_of_a_file_that_gives_no_picture_any_more(
    tmp_path: Path, contents: dict[str, Content], content: Content
) -> None:
    shards = paths(tmp_path, 2)
    entries, _ = packed(contents, shards)
    lost = lost_of(shards[:1], entries[:1])
    needed = {image: contents[image] for image in lost[0].ids}

    with pytest.raises(DifferentBytesError, match=lost[0].ids[2]):
        repacked({**needed, lost[0].ids[2]: content}, lost)
    assert not shards[0].exists()


def test_a_lost_shard_is_not_made_of_other_pictures(
    tmp_path: Path, contents: dict[str, Content], draw: Draw
) -> None:
    shards = paths(tmp_path, 2)
    entries, _ = packed(contents, shards)
    lost = lost_of(shards[:1], entries[:1])

    with pytest.raises(DifferentBytesError, match=shards[0].name):
        repacked({**contents, lost[0].ids[0]: draw((99, 20))}, lost)
    assert not shards[0].exists()


def test_nothing_is_read_if_a_sample_of_a_lost_shard_is_lacking(
    tmp_path: Path, contents: dict[str, Content]
) -> None:
    shards = paths(tmp_path, 2)
    entries, _ = packed(contents, shards)
    lost = lost_of(shards, entries)
    few = dict(list(contents.items())[1:])
    asked: list[int] = []

    with pytest.raises(DifferentBytesError):
        repack(
            [Sample(image, RANKS, "honey bee") for image in few],
            ((asked.append(n) or n, content) for n, content in enumerate(few.values())),  # type: ignore[func-returns-value]
            lost,
            spec=SMALL,
            progress=lambda _: None,
        )
    assert asked == []


def test_lost_copies_are_made_again(tmp_path: Path, contents: dict[str, Content]) -> None:
    shards = paths(tmp_path / "train", 2)
    _, outcomes = packed(contents, shards)
    copies = [
        SampleRef(image, shards[found.shard], found.offset, found.length)
        for image, found in zip(contents, outcomes, strict=True)
    ]
    copied = paths(tmp_path / "small", 3)
    entries, _ = copy_samples(copies, copied)
    before = [path.read_bytes() for path in copied]
    lost = lost_of(copied[1:], entries[1:])
    recopy(copies, lost)

    assert [path.read_bytes() for path in copied] == before
    with pytest.raises(DifferentBytesError):
        recopy(copies[:5], lost)
    copied[2].unlink()
    with pytest.raises(DifferentBytesError, match=copied[2].name):
        recopy(copies, [replace(lost[1], sha256="0" * 64)])
    assert not copied[2].exists()

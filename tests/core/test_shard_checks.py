from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tol_luigi.core.samples import IMAGE, MEMBERS, texts
from tol_luigi.core.shard_checks import check_shards
from tol_luigi.core.shards import Shard, sample_record, shard_name, write_shard
from tol_luigi.core.taxon import Taxon

Draw = Callable[..., bytes]
Record = Callable[..., bytes]
IDS = ["a", "b", "c"]


@pytest.fixture(scope="session")
def record(draw: Draw) -> Record:
    """Lay out a sample, with other members in place of its own: None takes one away."""

    def laid_out(key: str, **other: bytes | None) -> bytes:
        members = {name: text.encode() for name, text in texts(Taxon.of("Animalia"), "").items()}
        members[IMAGE] = draw((224, 224), "RGB", "JPEG")
        changed = {name.replace("__", "."): content for name, content in other.items()}
        wanted = {**members, **changed}
        return sample_record(key, {name: content for name, content in wanted.items() if content is not None})

    return laid_out


def found(folder: Path, shard: Shard, ids: list[str] = IDS) -> list[str]:
    findings = check_shards(folder, [shard], {0: ids}, (224, 224), lambda _: None)
    assert all(finding["shard"] == str(folder / shard.name) for finding in findings)
    return [finding["what"] for finding in findings]


def shard_of(folder: Path, *records: bytes, number: int = 0) -> Shard:
    return write_shard(folder / shard_name(number), records)[0]


def test_nothing_is_wrong_with_a_good_shard(tmp_path: Path, record: Record) -> None:
    assert found(tmp_path, shard_of(tmp_path, *map(record, IDS))) == []


def test_an_empty_shard_is_good(tmp_path: Path) -> None:
    assert check_shards(tmp_path, [shard_of(tmp_path)], {}, (224, 224), lambda _: None) == []


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        pytest.param({"com__txt": None}, "has not the members of a sample", id="a member is lacking"),
        pytest.param({"more__txt": b""}, "has not the members of a sample", id="a member too many"),
        pytest.param(
            {"jpg": b""}, "the picture of sample b is not a JPEG of 224 x 224", id="an empty picture"
        ),
        pytest.param({"jpg": None}, "has not the members of a sample", id="no picture"),
    ],
)
def test_a_sample_that_is_wrong(
    tmp_path: Path, record: Record, changes: dict[str, bytes | None], what: str
) -> None:
    [finding] = found(tmp_path, shard_of(tmp_path, record("a"), record("b", **changes), record("c")))

    assert "sample b" in finding
    assert what in finding


@pytest.mark.parametrize(
    ("size", "form"),
    [
        pytest.param((224, 223), "JPEG", id="another size"),
        pytest.param((224, 224), "PNG", id="another format"),
    ],
)
def test_a_picture_that_is_wrong(
    tmp_path: Path, record: Record, draw: Draw, size: tuple[int, int], form: str
) -> None:
    wrong = draw(size, "RGB", form)

    assert found(tmp_path, shard_of(tmp_path, record("a"), record("b", jpg=wrong), record("c"))) == [
        "the picture of sample b is not a JPEG of 224 x 224 pixels"
    ]


@pytest.mark.parametrize(
    "ids",
    [
        pytest.param(["a", "b"], id="one too many"),
        pytest.param(["a", "b", "c", "d"], id="one is lacking"),
        pytest.param(["a", "c", "b"], id="another order"),
        pytest.param([], id="the ledger knows none"),
    ],
)
def test_samples_that_are_not_those_of_the_ledger(tmp_path: Path, record: Record, ids: list[str]) -> None:
    shard = shard_of(tmp_path, *map(record, IDS))

    assert found(tmp_path, shard, ids) == ["its samples are not those of the ledger, in their order"]


def test_another_checksum(tmp_path: Path, record: Record) -> None:
    shard = dataclasses.replace(shard_of(tmp_path, *map(record, IDS)), sha256="0" * 64)

    assert found(tmp_path, shard) == ["its checksum is not that of the receipt"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_cut_is_found_wherever_it_is(tmp_path: Path, record: Record, share: float) -> None:
    shard = shard_of(tmp_path, *map(record, IDS))
    path = tmp_path / shard.name
    path.write_bytes(path.read_bytes()[: int(shard.size * share)])

    assert found(tmp_path, shard)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
@given(share=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit_is_found_wherever_it_is(
    tmp_path: Path, record: Record, share: float, bit: int
) -> None:
    shard = shard_of(tmp_path, *map(record, IDS))
    path = tmp_path / shard.name
    content = bytearray(path.read_bytes())
    content[int(shard.size * share)] ^= 1 << bit
    path.write_bytes(content)

    assert found(tmp_path, shard)


def test_shards_are_checked_one_by_one(tmp_path: Path, record: Record) -> None:
    good, gone = shard_of(tmp_path, record("a")), shard_of(tmp_path, record("b"), number=1)
    (tmp_path / gone.name).unlink()
    told: list[int] = []
    findings = check_shards(tmp_path, [gone, good], {0: ["a"], 1: ["b"]}, (224, 224), told.append)

    assert [Path(finding["shard"]).name for finding in findings] == ["shard-000001.tar"]
    assert told == [1, 2]
    assert len(MEMBERS) == 11

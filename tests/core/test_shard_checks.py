from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tol_luigi.core.packing import Sample
from tol_luigi.core.sample_texts import SampleForm
from tol_luigi.core.samples import IMAGE, MEMBERS, texts
from tol_luigi.core.shard_checks import Level, check_numbering, check_records, check_shards, first_damaged
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


def found(folder: Path, shard: Shard, ids: list[str] = IDS, **options: Any) -> list[str]:
    findings = check_shards(folder, [shard], {0: ids}, (224, 224), lambda _: None, **options)
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
        pytest.param({"com__txt": None}, "the members of sample", id="a member is lacking"),
        pytest.param({"more__txt": b""}, "the members of sample", id="a member too many"),
        pytest.param({"jpg": b""}, "the image of sample b is not a JPEG of 224 x 224", id="an empty picture"),
        pytest.param({"jpg": None}, "the members of sample", id="no picture"),
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
        "the image of sample b is not a JPEG of 224 x 224 pixels"
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

    assert found(tmp_path, shard, ids) == ["its samples, or their order, differ from the ledger"]


def test_another_checksum(tmp_path: Path, record: Record) -> None:
    shard = dataclasses.replace(shard_of(tmp_path, *map(record, IDS)), sha256="0" * 64)

    assert found(tmp_path, shard) == ["its checksum differs from the receipt"]


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


NAMED = {image: Sample(image, ("Animalia", *[""] * 6), "") for image in IDS}


def test_nothing_is_wrong_with_samples_that_are_named_as_foretold(tmp_path: Path, record: Record) -> None:
    shard = shard_of(tmp_path, *map(record, IDS))

    assert found(tmp_path, shard, samples=NAMED, level=Level.PIXELS) == []


@pytest.mark.parametrize("name", [name for name in MEMBERS if name != IMAGE])
def test_every_text_is_compared(tmp_path: Path, record: Record, name: str) -> None:
    changed = record("b", **{name.replace(".", "__"): b"a photo of Plantae."})
    shard = shard_of(tmp_path, record("a"), changed, record("c"))

    assert found(tmp_path, shard, samples=NAMED) == [f"{name} of sample b differs from the predicted catalog"]
    assert found(tmp_path, shard) == []


def test_further_texts_are_compared(tmp_path: Path, record: Record) -> None:
    shard = shard_of(tmp_path, *(record(image, note__txt=f"of {image}".encode()) for image in IDS))
    named = {
        image: dataclasses.replace(sample, further=(("note.txt", f"of {image}" if image != "b" else "of a"),))
        for image, sample in NAMED.items()
    }
    form = SampleForm(("note.txt",))

    assert found(tmp_path, shard, samples=named, form=form) == [
        "note.txt of sample b differs from the predicted catalog"
    ]
    assert found(tmp_path, shard)[0] == "the members of sample a, or their order, are wrong"


def test_a_sample_of_another_split_is_found(tmp_path: Path, record: Record) -> None:
    shard = shard_of(tmp_path, *map(record, IDS))
    others = {image: sample for image, sample in NAMED.items() if image != "c"}

    assert found(tmp_path, shard, samples=others) == [
        "sample c is not in the predicted catalog for this split and partition"
    ]


@pytest.mark.parametrize(
    ("order", "what"),
    [
        pytest.param("abcab", ["sample a appears 2 times", "sample b appears 2 times"], id="apart"),
        pytest.param("abbc", ["sample b has two members com.txt"], id="side by side"),
    ],
)
def test_a_sample_that_is_there_twice(tmp_path: Path, record: Record, order: str, what: list[str]) -> None:
    findings = found(tmp_path, shard_of(tmp_path, *map(record, order)))

    assert findings[: len(what)] == what


def test_of_many_wrong_samples_the_first_are_told(tmp_path: Path, record: Record) -> None:
    ids = [f"{number:03d}" for number in range(30)]
    findings = found(tmp_path, shard_of(tmp_path, *map(record, ids)), ids, samples={})

    assert [finding.split()[1] for finding in findings[:-1]] == ids[:20]
    assert findings[-1] == "more samples with such problems: 10"


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(lambda draw: draw((224, 224), "RGB", "JPEG")[:-600], id="breaks off"),
        pytest.param(lambda draw: draw((224, 224), "L", "JPEG"), id="grey"),
        pytest.param(lambda draw: draw((224, 224), "CMYK", "JPEG"), id="for print"),
    ],
)
def test_a_picture_is_decoded_where_that_is_asked_for(
    tmp_path: Path, record: Record, draw: Draw, wrong: Callable[[Draw], bytes]
) -> None:
    shard = shard_of(tmp_path, record("a"), record("b", jpg=wrong(draw)), record("c"))

    assert found(tmp_path, shard) == []
    assert found(tmp_path, shard, level=Level.PIXELS) == [
        "the image of sample b is not a complete RGB JPEG of 224 x 224 pixels"
    ]


def test_for_the_receipt_alone_nothing_is_read(tmp_path: Path, record: Record) -> None:
    shard = shard_of(tmp_path, record("a"))
    path = tmp_path / shard.name
    path.write_bytes(bytes(shard.size))
    assert found(tmp_path, shard, level=Level.RECEIPT) == []
    path.write_bytes(bytes(shard.size - 1))
    assert found(tmp_path, shard, level=Level.RECEIPT) == [f"it has {shard.size - 1} bytes, not {shard.size}"]
    path.unlink()
    assert found(tmp_path, shard, level=Level.RECEIPT) == ["it is missing"]


def test_the_bytes_are_those_of_the_receipt_whatever_they_say(tmp_path: Path, record: Record) -> None:
    shard = shard_of(tmp_path, record("a"), record("b"), record("a"))
    path = tmp_path / shard.name
    assert found(tmp_path, shard, level=Level.BYTES) == []
    content = bytearray(path.read_bytes())
    content[700] ^= 1
    path.write_bytes(content)
    assert found(tmp_path, shard, level=Level.BYTES) == ["its checksum differs from the receipt"]


def test_the_first_damaged_shard(tmp_path: Path, record: Record) -> None:
    shards = [shard_of(tmp_path, record(image), number=number) for number, image in enumerate(IDS)]
    assert first_damaged(tmp_path, shards) is None
    for shard in shards[1:]:
        (tmp_path / shard.name).write_bytes(b"")
    assert first_damaged(tmp_path, shards) == tmp_path / shards[1].name


@pytest.mark.parametrize(
    ("samples", "ids", "what"),
    [
        pytest.param(3, {0: ["a", "b"], 1: ["c"]}, {}, id="they agree"),
        pytest.param(
            3,
            {0: ["a", "b"]},
            {"shard-000001.tar": "samples of it in the receipt: 1, in the ledger: 0"},
            id="the ledger lacks a shard",
        ),
        pytest.param(
            3,
            {0: ["a", "b"], 1: ["c"], 2: ["d"]},
            {"shard-000002.tar": "samples of it in the receipt: 0, in the ledger: 1"},
            id="the receipt lacks a shard",
        ),
        pytest.param(
            4,
            {0: ["a", "b"], 1: ["c"]},
            {"receipt": "samples in it: 4, in its shards: 3"},
            id="the receipt contradicts itself",
        ),
    ],
)
def test_receipt_and_ledger(samples: int, ids: dict[int, list[str]], what: dict[str, str]) -> None:
    shards = [Shard(shard_name(0), 10, "", 2), Shard(shard_name(1), 10, "", 1)]
    findings = check_records(Path(), Path("receipt"), shards, samples, ids)

    assert {finding["shard"]: finding["what"] for finding in findings} == what


@pytest.mark.parametrize(
    ("named", "present", "what"),
    [
        pytest.param([0, 1, 2], [0, 1, 2], {}, id="all is well"),
        pytest.param([], [], {}, id="a split without shards"),
        pytest.param(
            [0, 3],
            [0, 3],
            {
                1: "its number is missing: it is in no receipt",
                2: "its number is missing: it is in no receipt",
            },
            id="a hole",
        ),
        pytest.param([0], [0, 1], {1: "it is in no receipt"}, id="a foreign one"),
        pytest.param([0, 1, 1], [0, 1], {1: "it is in two receipts"}, id="named twice"),
        pytest.param([0, 1], [0], {}, id="a missing one is found elsewhere"),
    ],
)
def test_numbering(named: list[int], present: list[int], what: dict[int, str]) -> None:
    findings = check_numbering(Path(), [*map(shard_name, named)], [*map(shard_name, present)])

    assert findings == [{"shard": shard_name(number), "what": text} for number, text in what.items()]

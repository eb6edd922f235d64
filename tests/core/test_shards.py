from __future__ import annotations

import hashlib
import io
import itertools
import re
import tarfile
from typing import TYPE_CHECKING, Any

import pytest
import webdataset
from hypothesis import given, settings
from hypothesis import strategies as st
from webdataset.tariterators import base_plus_ext, group_by_keys, tar_file_expander

from tol_luigi.core.errors import ShardError
from tol_luigi.core.samples import MEMBERS
from tol_luigi.core.shards import (
    ShardReader,
    balanced,
    copy_record,
    member_header,
    record_member,
    sample_record,
    shard_name,
    shard_number,
    shards_for,
    split_member_name,
    write_shard,
)

if TYPE_CHECKING:
    from pathlib import Path

CONTENTS = st.dictionaries(st.sampled_from(MEMBERS), st.binary(max_size=1500), min_size=1)
SAMPLES = st.dictionaries(st.uuids().map(str), CONTENTS, max_size=5)
FIXED = {
    "00000000-0000-5000-8000-000000000001": {
        "jpg": b"\xff\xd8\xff",
        "sci.txt": b"a photo of Apis mellifera.",
    },
    "00000000-0000-5000-8000-000000000000": {"jpg": bytes(600), "taxonTag.txt": "Gärtner".encode()},
}


def written(folder: Path, samples: dict[str, dict[str, bytes]]) -> Path:
    path = folder / shard_name(0)
    write_shard(path, (sample_record(key, members) for key, members in samples.items()))
    return path


@given(st.text("aB.é/\n-", max_size=12))
def test_names_of_members_are_split_as_webdataset_does(name: str) -> None:
    key, extension = base_plus_ext(name)
    assert split_member_name(name) == ((name, "") if key is None else (key, extension))


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shards")


@pytest.fixture
def shard(tmp_path: Path) -> Path:
    return written(tmp_path, FIXED)


@settings(deadline=None)
@given(SAMPLES)
def test_what_is_written_is_read_back(place: Path, samples: dict[str, dict[str, bytes]]) -> None:
    path = place / shard_name(0)
    entry, offsets = write_shard(path, [sample_record(key, members) for key, members in samples.items()])
    reader = ShardReader(path)

    assert list(reader) == list(samples.items())
    assert reader.sha256 == entry.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (entry.name, entry.size, entry.samples) == (path.name, path.stat().st_size, len(samples))
    assert len(offsets) == len(samples)


@settings(deadline=None)
@given(SAMPLES)
def test_a_record_is_copied_byte_for_byte(place: Path, samples: dict[str, dict[str, bytes]]) -> None:
    path = place / shard_name(1)
    records = {key: sample_record(key, members) for key, members in samples.items()}
    _, offsets = write_shard(path, records.values())

    with path.open("rb") as file:
        for (key, record), offset in zip(records.items(), offsets, strict=True):
            assert copy_record(file, offset, len(record), key) == record


@settings(deadline=None)
@given(SAMPLES)
def test_the_library_of_the_format_writes_the_same(samples: dict[str, dict[str, bytes]]) -> None:
    theirs = io.BytesIO()
    with webdataset.TarWriter(theirs, encoder=False) as writer:
        for key, members in samples.items():
            writer.write({"__key__": key, **dict(sorted(members.items()))})
    theirs.seek(0)
    with tarfile.open(fileobj=theirs) as tar:
        expected = [(member.name, tar.extractfile(member).read()) for member in tar]  # type: ignore[union-attr]
    ours = io.BytesIO(b"".join(sample_record(key, members) for key, members in samples.items()) + bytes(1024))
    with tarfile.open(fileobj=ours) as tar:
        assert [(member.name, tar.extractfile(member).read()) for member in tar] == expected  # type: ignore[union-attr]


def test_the_library_of_the_format_reads_a_shard(shard: Path) -> None:
    with shard.open("rb") as file:
        samples: list[dict[str, Any]] = list(
            group_by_keys(tar_file_expander([{"stream": file, "url": "shard"}]))
        )

    assert [sample["__key__"] for sample in samples] == list(FIXED)
    assert samples[0]["sci.txt"] == b"a photo of Apis mellifera."
    assert samples[1]["taxontag.txt"].decode() == "Gärtner"


def test_headers_are_fixed(shard: Path) -> None:
    with tarfile.open(shard) as tar:
        headers = tar.getmembers()

    assert [header.name for header in headers] == [
        f"{key}.{name}" for key in FIXED for name in sorted(FIXED[key])
    ]
    for header in headers:
        assert (header.mtime, header.uid, header.gid, header.uname, header.gname) == (0, 0, 0, "", "")
        assert (header.mode, header.type) == (0o644, tarfile.REGTYPE)


def test_the_bytes_of_a_shard_never_change(shard: Path) -> None:
    assert shard.stat().st_size % tarfile.RECORDSIZE == 0
    assert (
        hashlib.sha256(shard.read_bytes()).hexdigest()
        == "6876b1b214551261f6c3fbee8a0216bd17a5dd43e1aaa8a63d4ca3478d77e485"
    )


def test_a_shard_without_samples_is_a_tar_all_the_same(tmp_path: Path) -> None:
    entry, offsets = write_shard(tmp_path / shard_name(3), [])

    assert (entry.samples, offsets, entry.size) == (0, [], tarfile.RECORDSIZE)
    assert list(ShardReader(tmp_path / entry.name)) == []


def test_a_shard_is_whole_or_absent(tmp_path: Path) -> None:
    def records() -> Any:
        yield sample_record("a", {"jpg": b"x"})
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_shard(tmp_path / shard_name(0), records())

    assert list(tmp_path.iterdir()) == []


@given(st.integers(0, 10**6), st.integers(1, 300))
def test_balanced(samples: int, shards: int) -> None:
    cuts = balanced(samples, shards)
    lengths = [len(cut) for cut in cuts]

    assert len(cuts) == shards
    assert cuts[0].start == 0
    assert cuts[-1].stop == samples
    assert all(one.stop == other.start for one, other in itertools.pairwise(cuts))
    assert max(lengths) - min(lengths) <= 1
    assert lengths == sorted(lengths, reverse=True)


@given(st.integers(0, 5_000), st.integers(1, 6_000))
def test_no_shard_is_larger_than_allowed(samples: int, most: int) -> None:
    lengths = [len(cut) for cut in balanced(samples, shards_for(samples, most))]

    assert all(0 < length <= most for length in lengths)
    assert sum(lengths) == samples


@pytest.mark.parametrize(("number", "name"), [(0, "shard-000000.tar"), (1234567, "shard-1234567.tar")])
def test_names_tell_the_number(number: int, name: str) -> None:
    assert shard_name(number) == name
    assert shard_number(name) == number


@pytest.mark.parametrize(
    ("change", "length"),
    [
        pytest.param(512, 0, id="another sample lies there"),
        pytest.param(0, 10**6, id="the shard ends before the sample does"),
        pytest.param(10**6, 0, id="the shard ends before the sample begins"),
    ],
)
def test_a_sample_that_is_elsewhere_is_not_copied(shard: Path, change: int, length: int) -> None:
    key = next(iter(FIXED))
    record = sample_record(key, FIXED[key])
    offset = len(record) if change == 512 else change
    with (
        shard.open("rb") as file,
        pytest.raises(ShardError, match=rf"shard-000000\.tar: sample {key} is not at byte {offset}\. Delete"),
    ):
        copy_record(file, offset, max(length, len(record)), key)


@pytest.mark.parametrize(
    "kept",
    [
        pytest.param(0, id="nothing at all"),
        pytest.param(100, id="within the first header"),
        pytest.param(512, id="after the first header"),
        pytest.param(1024, id="between two members of a sample"),
        pytest.param(1100, id="within a later header"),
        pytest.param(2048, id="between two samples"),
        pytest.param(2700, id="within a picture"),
        pytest.param(5120, id="before the end mark"),
    ],
)
def test_a_shard_cut_off_is_found(shard: Path, kept: int) -> None:
    shard.write_bytes(shard.read_bytes()[:kept])

    with pytest.raises(
        ShardError, match=r"shard-000000\.tar: is not a complete tar file \(.+\)\. Delete it and run"
    ):
        list(ShardReader(shard))


def test_a_damaged_header_is_found(shard: Path) -> None:
    content = bytearray(shard.read_bytes())
    content[1030] ^= 1
    shard.write_bytes(content)

    with pytest.raises(ShardError, match="is not a complete tar file"):
        list(ShardReader(shard))


def test_a_shard_that_is_gone_is_found(tmp_path: Path) -> None:
    with pytest.raises(ShardError, match="No such file"):
        list(ShardReader(tmp_path / shard_name(0)))


def test_a_doubled_member_is_found(tmp_path: Path) -> None:
    path = tmp_path / shard_name(0)
    write_shard(path, [sample_record("a", {"jpg": b"x"}), sample_record("a", {"jpg": b"y"})])

    with pytest.raises(ShardError, match="sample a has two members jpg"):
        list(ShardReader(path))


def test_members_of_any_size_and_any_header_are_read(tmp_path: Path) -> None:
    path = tmp_path / shard_name(0)
    sizes = [(1 << 20) - 1536, 3 << 20, 0, 512, (1 << 20) - 512, 700]
    samples = [(str(size), {"jpg": hashlib.shake_128(b"").digest(size), "txt": b"x"}) for size in sizes]
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for key, members in samples:
            for extension, content in members.items():
                header = tarfile.TarInfo(f"{key}.{extension}")
                header.size, header.uname, header.mtime = len(content), "somebody", 1
                tar.addfile(header, io.BytesIO(content))
    reader = ShardReader(path)

    assert list(reader) == samples
    assert reader.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE])
def test_what_is_no_plain_file_is_found(tmp_path: Path, kind: bytes) -> None:
    path = tmp_path / shard_name(0)
    header = tarfile.TarInfo("a.jpg")
    header.type, header.linkname = kind, "b.jpg"
    path.write_bytes(header.tobuf() + bytes(1024))

    with pytest.raises(ShardError, match=r"member a\.jpg is not a regular file"):
        list(ShardReader(path))


@settings(deadline=None)
@given(st.text(min_size=1, max_size=120), st.integers(min_value=0, max_value=2 * 8**11))
def test_a_header_is_what_tarfile_writes(name: str, size: int) -> None:
    header = tarfile.TarInfo(name)
    header.size = size
    try:
        expected = header.tobuf(tarfile.USTAR_FORMAT)
    except ValueError as error:
        with pytest.raises(type(error), match=re.escape(str(error))):
            member_header(name, size)
    else:
        assert member_header(name, size) == expected


@settings(deadline=None)
@given(members=CONTENTS)
def test_a_member_is_taken_out_of_a_record(members: dict[str, bytes]) -> None:
    record = sample_record("a", members)

    assert {name: record_member(record, f"a.{name}") for name in members} == members


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(b"", id="there is nothing"),
        pytest.param(sample_record("b", {"jpg": b"x"}), id="it is another sample's"),
        pytest.param(sample_record("a", {"com.txt": b"x"}), id="there is another one only"),
        pytest.param(sample_record("a", {"jpg": bytes(2000)})[:1024], id="it breaks off"),
        pytest.param(bytes(1024), id="there are zeros"),
        pytest.param(b"\xff" * 1024, id="there is rubbish"),
    ],
)
def test_a_member_is_not_taken_where(record: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (whose message nobody reads)
        record_member(record, "a.jpg")

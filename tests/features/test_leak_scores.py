"""Samples that show what an image of a benchmark shows are found, with the name of that image."""

from __future__ import annotations

import tarfile
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from leaked import COMPARED, copied, leak_scores, references, write_references
from toys import needs

from tol_luigi.core.errors import FeatureError, SourceError
from tol_luigi.features import family_files
from tol_luigi.features import references as engine
from tol_luigi.features.extractor import unit_rows
from tol_luigi.features.family_files import FamilyFiles, TarIdentity
from tol_luigi.features.leak_scores import Compared
from tol_luigi.features.nearest import nearest_hashes, nearest_vectors
from tol_luigi.features.references import unusable_references

if TYPE_CHECKING:
    from pathlib import Path


def test_the_nearest_vector_is_found_in_blocks() -> None:
    references = np.eye(5, dtype=np.float16)[[0, 1, 2, 2, 3]]
    best, rows = nearest_vectors(np.eye(5, dtype=np.float32)[[2, 4, 3]], references, rows_at_once=2)
    assert best.tolist() == [1, 0, 1]
    assert rows.tolist() == [2, 0, 4]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 30), st.integers(1, 40), st.integers(1, 50))
def test_the_nearest_of_all_is_found_whatever_the_blocks(
    seed: int, count: int, known: int, block: int
) -> None:
    chance = np.random.default_rng(seed)
    vectors = chance.normal(size=(count, 6)).astype(np.float32)
    # Some are equal, so that the first of them must be found.
    found = chance.normal(size=(known, 6)).astype(np.float16)[chance.integers(0, known, known)]
    best, rows = nearest_vectors(vectors, found, block)
    units = unit_rows(np.asarray(found, np.float32)).astype(np.float64)
    cosines = (unit_rows(vectors).astype(np.float64) @ units.T).astype(np.float32)
    np.testing.assert_allclose(best, cosines.max(axis=1), atol=1e-6)
    for vector, row in zip(vectors, rows, strict=True):
        equal = np.flatnonzero((found == found[row]).all(axis=1))
        assert row == equal[0]
        assert (
            unit_rows(vector[None])[0] @ units[row] >= cosines[np.all(vectors == vector, axis=1)].max() - 1e-6
        )

    hashes, others = (
        chance.integers(0, 2**64, (rows, 4), np.uint64, endpoint=False) for rows in (count, known)
    )
    bits = np.bitwise_count(hashes[:, None] ^ others[None]).sum(axis=2)
    least, places = nearest_hashes(hashes, others, block)
    assert least.tolist() == bits.min(axis=1).tolist()
    assert places.tolist() == bits.argmin(axis=1).tolist()


def test_vectors_that_are_unknown_are_nearest_to_none() -> None:
    vectors = np.array([[np.nan, 1], [1, 0]], np.float32)
    best, rows = nearest_vectors(vectors, np.array([[np.nan, np.nan], [0, 1]], np.float16))
    assert best.tolist() == [-np.inf, 0]
    assert rows[1] == 1


def test_of_equal_references_the_first_is_named_and_a_damaged_one_costs_its_row(tmp_path: Path) -> None:
    hostile = "a\n'\"; é.jpg"
    place = write_references(
        tmp_path / "benchmark",
        {
            "broken.jpg": b"no image",
            f"sub/{hostile}": copied(2),
            "sub/z.jpg": copied(2),
            "other.jpg": copied(90),
        },
    )
    rows = leak_scores(tmp_path, place, range(4))
    assert rows["s2"]["leak_rare_ref"] == rows["s2"]["leak_rare_phash_ref"] == f"sub/{hostile}"
    assert rows["s2"]["leak_rare_max"] > 0.99
    assert rows["s2"]["leak_rare_phash_min"] <= 4
    files = references(tmp_path, place)
    [unusable] = unusable_references(list(files.values()))
    assert unusable.name == "broken.jpg"
    assert unusable.reason.startswith("decode_error: ")


def test_images_in_tars_are_references_by_the_name_of_their_tar(tmp_path: Path) -> None:
    place = write_references(tmp_path / "images", {"x/1.jpg": copied(1), "x/1.txt": b"text"})
    with tarfile.open(tmp_path / "images" / "b-000.tar", "w") as tar:
        tar.add(place / "x" / "1.jpg", "key.jpg")
    (place / "x" / "1.jpg").unlink()
    assert leak_scores(tmp_path, place, [1])["s1"]["leak_rare_ref"] == "b-000.tar/key.jpg"
    assert leak_scores(tmp_path, place / "b-000.tar", [1])["s1"]["leak_rare_ref"] == "key.jpg"


def test_pdq_is_compared_and_may_be_all_that_is(tmp_path: Path) -> None:
    needs("pdqhash")
    place = write_references(tmp_path / "benchmark", {"a.jpg": copied(9), "b.jpg": copied(3)})
    rows = leak_scores(tmp_path, place, range(4), Compared(("pdq",)))
    assert rows["s3"]["leak_rare_pdq_ref"] == "b.jpg"
    assert rows["s3"]["leak_rare_pdq_min"] < 48 < rows["s2"]["leak_rare_pdq_min"]


def test_a_killed_extraction_of_references_is_resumed_to_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = write_references(tmp_path / "benchmark", {f"{one:02}.jpg": copied(one) for one in range(20)})
    for module in (engine, family_files):
        monkeypatch.setattr(module, "PART_ROWS", 8)

    def contents(folder: Path) -> dict[str, bytes]:
        return {
            one.name: path.read_bytes() for one in references(folder, place).values() for path in one.files
        }

    expected = contents(tmp_path / "whole")
    write, left = FamilyFiles.write_part, 3

    def stop(self: Any, number: int, columns: Any) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise KeyboardInterrupt
        write(self, number, columns)

    with monkeypatch.context() as patch:
        patch.setattr(FamilyFiles, "write_part", stop)
        with pytest.raises(KeyboardInterrupt):
            references(tmp_path / "killed", place)
    assert contents(tmp_path / "killed") == expected


def test_no_images_and_damaged_archives_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match=r"contains no images.*\[features\] references"):
        references(tmp_path, tmp_path / "empty")
    broken = write_references(tmp_path / "broken", {"a.tar": b"\0" * 100 + b"x" * 1000})
    with pytest.raises(SourceError, match=r"a\.tar.*\[features\] references"):
        references(tmp_path, broken)


def test_of_two_processes_the_slower_one_keeps_what_the_faster_has_written(tmp_path: Path) -> None:
    place = write_references(tmp_path / "benchmark", {"a.jpg": copied(1)})
    made = references(tmp_path, place)[COMPARED.hashes[0]]
    receipt, content = made.receipt(), made.table.read_bytes()
    assert receipt is not None
    assert made.finish(TarIdentity(receipt.inputs["tar"], 0), 1) == receipt
    assert made.table.read_bytes() == content
    with pytest.raises(FeatureError, match="another process works on the same files"):
        made.finish(TarIdentity("another", 0), 1)

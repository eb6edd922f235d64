"""The index of vectors: the same bytes each time, and the nearest samples are found."""

from __future__ import annotations

import io
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from drawn_samples import SHARD, image_id, write_catalog
from PIL import Image
from toys import needs

from tol_luigi.core.errors import DatasetError, SettingsError
from tol_luigi.features.extractor import Extractor, Options, Vector
from tol_luigi.features.queries import image_vector, parse_vector_name, text_vector
from tol_luigi.features.vector_index import ShardVectors, VectorIndex, build_index, ids_file, part_file

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tol_luigi.features.extractor import Columns

COUNT, DIMENSIONS, PART = 300, 16, 100
UNUSABLE = {3: np.nan, 7: 0.0}


class Mean(Extractor):
    """The mean of each channel of an image."""

    vectors = (Vector("channels", 3),)

    def prepare(self, sample: Any) -> np.ndarray:
        """Return the pixels."""
        return np.asarray(sample.image, np.float32)

    def run(self, batch: list[Any], before: Mapping[str, Columns]) -> Columns:
        """Return the means."""
        assert not before
        return {"channels": np.stack([pixels.mean(axis=(0, 1)) for pixels in batch])}


def png() -> bytes:
    """Return an image file."""
    written = io.BytesIO()
    Image.new("RGB", (4, 4), (1, 2, 3)).save(written, "PNG")
    return written.getvalue()


def vectors() -> np.ndarray:
    """Return vectors, those of each species near each other; one is not a number, one is zero."""
    rng = np.random.default_rng(3)
    kinds = rng.standard_normal((5, DIMENSIONS))
    drawn = kinds[np.arange(COUNT) % 5] + 0.2 * rng.standard_normal((COUNT, DIMENSIONS))
    made = (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float16)
    for row, value in UNUSABLE.items():
        made[row] = value
    return made


def write_shards(folder: Path) -> list[ShardVectors]:
    """Write catalog, tables and vectors; sample 11 has failed."""
    write_catalog(folder / "catalog.parquet", COUNT, split=["train"] * COUNT)
    found = []
    for number in range(COUNT // SHARD):
        own = range(number * SHARD, (number + 1) * SHARD)
        table, array = folder / f"{number}.parquet", folder / f"{number}.npy"
        status = ["decode_error" if one == 11 else "ok" for one in own]
        pq.write_table(_table(own, status), table)
        np.save(array, vectors()[own.start : own.stop])
        found.append(ShardVectors("train", number, table, array))
    return found


def _table(own: range, status: list[str]) -> Any:
    return pa.table({"key": list(map(image_id, own)), "status": status})


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> VectorIndex:
    """An index of three parts."""
    needs("usearch")
    folder = tmp_path_factory.mktemp("index")
    build_index(
        write_shards(folder), folder / "catalog.parquet", folder / "index", DIMENSIONS, part_rows=PART
    )
    return VectorIndex(folder / "index")


def test_it_has_all_usable_vectors_and_finds_the_nearest(index: VectorIndex) -> None:
    assert len(index) == COUNT - 3
    known = vectors().astype(np.float32)
    known[[*UNUSABLE, 11]] = 0
    found = 0
    for row in range(20, 60):
        hits = index.search(known[row], 5)
        scores = known @ known[row]
        found += len({hit.id for hit in hits} & {image_id(int(one)) for one in np.argsort(-scores)[:5]})
        assert hits[0].score == pytest.approx(1, abs=0.01)
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
        assert hits[0].row["shard"] == int(hits[0].id[:8], 16) // SHARD
    assert found >= 0.95 * 200


def test_the_same_vectors_give_the_same_bytes(index: VectorIndex, tmp_path: Path) -> None:
    files = build_index(
        write_shards(tmp_path),
        tmp_path / "catalog.parquet",
        tmp_path / "index",
        DIMENSIONS,
        part_rows=PART,
        threads=3,
    )
    assert [path.name for path in files] == [*(f"part-{part:03}.usearch" for part in range(3)), "ids.parquet"]
    assert [path.read_bytes() for path in files] == [
        (index.folder / path.name).read_bytes() for path in files
    ]


@pytest.mark.parametrize(
    ("made_from", "damaged", "kept"), [("these", [], {0, 1}), ("these", [1], {0}), ("others", [], set())]
)
def test_a_build_that_was_ended_keeps_its_finished_parts(
    index: VectorIndex, made_from: str, damaged: list[int], kept: set[int], tmp_path: Path
) -> None:
    shards, folder = write_shards(tmp_path), tmp_path / "index"

    def build(made_from: str, last: int) -> list[Path]:
        def progress(done: int) -> None:
            if done > last:
                raise KeyboardInterrupt

        return build_index(
            shards,
            tmp_path / "catalog.parquet",
            folder,
            DIMENSIONS,
            made_from=made_from,
            part_rows=PART,
            progress=progress,
        )

    with pytest.raises(KeyboardInterrupt):
        build("these", 2 * PART)
    parts = [folder / f"part-{number:03}.usearch" for number in range(3)]
    assert [path.exists() for path in parts] == [True, True, False]
    for number in damaged:
        parts[number].write_bytes(b"x" + parts[number].read_bytes()[1:])
    before = {number: parts[number].stat().st_ino for number in (0, 1)}
    files = build(made_from, COUNT)
    assert {number for number, inode in before.items() if parts[number].stat().st_ino == inode} == kept
    assert [path.name for path in sorted(folder.iterdir())] == sorted(path.name for path in files)
    assert [path.read_bytes() for path in files] == [
        (index.folder / path.name).read_bytes() for path in files
    ]


def test_samples_are_found_by_id_and_by_taxon(index: VectorIndex) -> None:
    vector = index.vector_of(image_id(25).upper())
    assert vector is not None
    hits = index.search(vector, 10, but=image_id(25))
    assert len(hits) == 10
    assert image_id(25) not in {hit.id for hit in hits}
    for name, count in (("apis cerana", 59), ("APIS", 119), ("the Rosa", 59), ("nothing", 0), ("cerana", 0)):
        found, images = index.vector_of_taxon(name)
        assert images == count
        assert (found is None) == (count == 0)
    mean, _ = index.vector_of_taxon("Apis cerana")
    assert mean is not None
    assert {hit.row["species"] for hit in index.search(mean, 20)} == {"cerana"}
    assert index.vector_of(image_id(3)) is None


def test_a_damaged_index_is_one_line(index: VectorIndex, tmp_path: Path) -> None:
    shutil.copytree(index.folder, tmp_path / "index")
    ids, part = ids_file(tmp_path / "index"), part_file(tmp_path / "index", 0)
    ids.write_bytes(ids.read_bytes()[:-9])
    with pytest.raises(DatasetError, match=r"ids\.parquet: it cannot be read"):
        VectorIndex(tmp_path / "index").vector_of(image_id(1))
    part.write_bytes(part.read_bytes()[:500])
    with pytest.raises(DatasetError, match=r"part-000\.usearch: it cannot be read"):
        VectorIndex(tmp_path / "index")


def test_an_index_that_is_missing_or_would_be_empty_is_one_line(index: VectorIndex, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="there is no index"):
        VectorIndex(tmp_path)
    write_catalog(tmp_path / "catalog.parquet", 1)
    with pytest.raises(DatasetError, match="no sample has a usable vector"):
        build_index([], tmp_path / "catalog.parquet", tmp_path / "index", len(index))


def test_the_vector_of_an_image_is_computed_as_in_a_shard() -> None:
    extractor = Mean("mean", Options())
    assert image_vector([extractor], extractor, "channels", png(), "a.png").tolist() == [1, 2, 3]
    assert parse_vector_name("[features] index", "mean/channels", [extractor]) == (extractor, "channels", 3)
    with pytest.raises(DatasetError, match=r"a\.png: it cannot be used"):
        image_vector([extractor], extractor, "channels", b"no image", "a.png")
    with pytest.raises(SettingsError, match="Valid are mean/channels"):
        parse_vector_name("[features] index", "mean/others", [extractor])
    with pytest.raises(DatasetError, match="mean has no model of texts"):
        text_vector(extractor, "a bee")


def test_the_text_side_of_an_extractor_or_of_its_model_is_used() -> None:
    class Model:
        def embed_texts(self, texts: list[str]) -> np.ndarray:
            return np.array([[len(text), 0.0] for text in texts])

    extractor = Mean("mean", Options())
    extractor.model = Model()  # type: ignore[attr-defined]  # as extractors with a model have it
    assert text_vector(extractor, "bee").tolist() == [3, 0]

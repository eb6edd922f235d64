"""Features of shards in the layouts of other tools, read as these tools read them."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID, uuid5

import fsspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as pads
import pyarrow.parquet as pq
import pytest
from d2m_jobs import FakeClip, FakeFaces, FakeHead, fake_models
from shards import sample, write_tar

from tol_luigi.core.errors import DatasetError, SettingsError
from tol_luigi.core.taxon import RANK_LABELS
from tol_luigi.features.exports.shards import Catalog, ShardFeatures
from tol_luigi.features.exports.twins import export_d2m, export_datacomp, write_subset
from tol_luigi.features.exports.vectors import export_clip_retrieval, export_emb_explorer
from tol_luigi.features.extraction import Extraction, ExtractionSpec, families
from tol_luigi.features.extractor import Options, fingerprints
from tol_luigi.features.models import Model

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from tol_luigi.features.extractor import Extractor

RANKS = ("Animalia", "Chordata", "Aves", "Passeriformes", "Corvidae", "Pica", "pica")

IDS = [str(uuid5(UUID(int=0), str(number))) for number in range(9)]


class Made:
    """Features of three shards, the last without texts, and a catalog."""

    def __init__(self, folder: Path, extractors: list[Extractor]) -> None:
        self.folder, self.extractors = folder, extractors
        prints, self.shards = fingerprints(extractors), []
        for number in range(3):
            samples = []
            for place in range(3 * number, 3 * number + 3):
                text = {"txt": b"a photo"} if number < 2 else {}
                members = {"png": b"no image" if place == 4 else sample(place)["png"], **text}
                samples.append((IDS[place], members))
            tar = write_tar(folder / f"shard-{number}.tar", samples)
            files = families(folder / "features", f"train/{tar.stem}", extractors, prints)
            Extraction(str(tar), files, ExtractionSpec(max_error_percent=50)).run()
            self.shards.append(ShardFeatures(f"train/{tar.stem}", tar, files))
        columns: dict[str, Any] = {"split": ["train"] * 9, "treeoflife_id": IDS[::-1]}
        columns |= {
            rank: pa.array([name] * 9).dictionary_encode()
            for rank, name in zip(RANK_LABELS, RANKS, strict=True)
        }
        columns |= {"common": ["magpie"] * 9, "width": [300] * 9, "height": [200] * 9}
        pq.write_table(pa.table(columns), folder / "catalog.parquet")
        self.catalog = Catalog(folder / "catalog.parquet", "sci_com.txt")


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Made:
    fake_models(monkeypatch, tmp_path / "models")
    names = ("oai-clip-vit-l14", "nsfw-image-oai-clip-vit-l-14", "faces-scrfd10g")
    options = Options(models={name: Model(name, tmp_path / "models" / f"{name}.bin") for name in names})
    kinds = ("clip", "nsfw-clip-head", "scrfd")
    classes = (FakeClip, FakeHead, FakeFaces)
    extractors = [
        fake(f"{kind}:{name}", options) for fake, kind, name in zip(classes, kinds, names, strict=True)
    ]
    return Made(tmp_path, list(extractors))


KEPT = [UUID(IDS[number]).hex for number in (0, 1, 2, 3, 5)]


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_baselines_of_datacomp_read_the_twins(made: Made, tmp_path: Path) -> None:
    """The same accesses as in ``baselines.py``."""
    out = tmp_path / "datacomp"
    export_datacomp(out, made.shards, made.extractors, made.catalog)
    system, root = fsspec.core.url_to_fs(str(out))
    found = []
    for path in sorted(str(path) for path in system.ls(root) if ".parquet" in path):
        columns = [
            "uid",
            "text",
            "original_width",
            "original_height",
            "clip_l14_similarity_score",
            "face_bboxes",
        ]
        frame = pd.read_parquet(path, columns=columns, filesystem=system)
        assert (frame["text"] == "a photo of Pica pica with common name magpie.").all()
        assert (frame["original_width"] == 300).all()
        assert (frame["original_height"] == 200).all()
        features = np.load(system.open(path.replace(".parquet", ".npz")))
        assert features["l14_img"].dtype == np.float16
        images, texts = (features[name].astype(np.float32) for name in ("l14_img", "l14_txt"))
        assert np.allclose((images * texts).sum(axis=1), frame["clip_l14_similarity_score"], atol=2e-3)
        found += [(int(uid[:16], 16), int(uid[16:32], 16)) for uid in frame["uid"]]
    assert found == [(int(uid[:16], 16), int(uid[16:], 16)) for uid in KEPT]


def test_resharder_of_datacomp_reads_subset_and_blur_map(made: Made, tmp_path: Path) -> None:
    out = tmp_path / "datacomp"
    export_datacomp(out, made.shards, made.extractors, made.catalog)
    subset = np.load(out / "subset.npy", mmap_mode="r")
    assert subset.dtype == np.dtype("u8,u8")
    assert subset.tolist() == sorted((int(uid[:16], 16), int(uid[16:], 16)) for uid in KEPT)
    wanted = np.array([(int(KEPT[0][:16], 16), int(KEPT[0][16:], 16))], subset.dtype)
    assert subset[np.searchsorted(subset, wanted[0])] == wanted[0]
    boxes = {}
    for entry in json.loads((out / "blur_map.json").read_text()).values():
        table = pq.read_table(entry["parquet"], columns=["uid", "face_bboxes"])
        boxes |= dict(zip(table["uid"].to_pylist(), table["face_bboxes"].to_pylist(), strict=True))
        assert all(Path(shard).is_file() for shard in entry["shards"])
    assert list(boxes) == KEPT
    assert {str(value) for value in boxes.values()} == {"[]", "[[0.25, 0.25, 0.75, 0.75]]"}


def test_21_vectors_are_stored_in_half_precision_and_uncompressed(made: Made, tmp_path: Path) -> None:
    export_datacomp(tmp_path / "out", made.shards, made.extractors, made.catalog)
    with zipfile.ZipFile(tmp_path / "out" / "train-shard-0.npz") as archive:
        assert {member.compress_type for member in archive.infolist()} == {zipfile.ZIP_STORED}
    with np.load(tmp_path / "out" / "train-shard-0.npz") as arrays:
        assert {array.dtype for array in arrays.values()} == {np.dtype(np.float16)}


def test_a_model_of_the_user_can_have_the_name_that_datacomp_reads(made: Made, tmp_path: Path) -> None:
    clip = made.extractors[0]
    clip.name = "clip:bioclip"
    export_datacomp(tmp_path / "own", made.shards, made.extractors, made.catalog)
    with np.load(tmp_path / "own" / "train-shard-0.npz") as arrays:
        assert "oai_clip_vit_l14_img" in arrays
    export_datacomp(tmp_path / "l14", made.shards, made.extractors, made.catalog, "bioclip")
    with np.load(tmp_path / "l14" / "train-shard-0.npz") as arrays:
        assert list(arrays) == ["l14_img", "l14_txt"]


def test_scripts_for_dataset2metadata_read_its_names(made: Made, tmp_path: Path) -> None:
    export_d2m(tmp_path / "out", made.shards, made.extractors, made.catalog)
    name = hashlib.md5(str([str(made.shards[1].tar)]).encode(), usedforsecurity=False).hexdigest()
    table = pq.read_table(tmp_path / "out" / f"{name}.parquet")
    assert table["uid"].to_pylist() == KEPT[3:]
    assert {"oai-clip-vit-l14-score", "nsfw-image-score", "face-boxes", "caption"} <= set(table.column_names)
    with np.load(tmp_path / "out" / f"{name}.npz") as arrays:
        assert {key: (array.shape, str(array.dtype)) for key, array in arrays.items()} == {
            "oai-clip-vit-l14-image": ((2, 768), "float32"),
            "oai-clip-vit-l14-text": ((2, 768), "float32"),
        }
    assert json.loads((tmp_path / "out" / f"{name}.json").read_text())["number of samples"] == 2


def test_clip_retrieval_and_autofaiss_read_vectors_and_metadata_by_number(made: Made, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export_clip_retrieval(out, made.shards, made.extractors, made.catalog)
    paths = {kind: sorted((out / kind).iterdir()) for kind in ("img_emb", "text_emb", "metadata")}
    assert [path.name for path in paths["img_emb"]] == ["img_emb_0000.npy", "img_emb_0001.npy"]
    assert [path.name for path in paths["metadata"]] == ["metadata_0000.parquet", "metadata_0001.parquet"]
    found = []
    for image, text, metadata in zip(*paths.values(), strict=True):
        vectors, table = np.load(image, mmap_mode="r"), pq.read_table(metadata)
        assert vectors.dtype == np.float16
        assert vectors.shape == np.load(text).shape == (len(table), 768)
        assert len(vectors)
        assert np.allclose(np.linalg.norm(vectors.astype(np.float32), axis=1), 1, atol=1e-2)
        assert {"image_path", "caption"} <= set(table.column_names)
        found += table["uid"].to_pylist()
    assert found == KEPT


def test_emb_explorer_reads_a_folder_of_ids_vectors_and_ranks(made: Made, tmp_path: Path) -> None:
    export_emb_explorer(tmp_path / "out", made.shards, made.extractors, made.catalog)
    table = pads.dataset(tmp_path / "out", format="parquet").to_table()
    assert table.schema.field("emb").type == pa.list_(pa.float32())
    assert [UUID(text).hex for text in table["uuid"].to_pylist()] == [
        *KEPT,
        *(UUID(uid).hex for uid in IDS[6:]),
    ]
    assert {len(vector) for vector in table["emb"].to_pylist()} == {768}
    assert table.select(RANK_LABELS).to_pylist()[0] == dict(zip(RANK_LABELS, RANKS, strict=True))


EXPORTS = [export_datacomp, export_d2m, export_clip_retrieval, export_emb_explorer]


@pytest.mark.parametrize("export", EXPORTS, ids=lambda export: export.__name__)
def test_a_second_export_is_identical_and_leaves_nothing_of_the_first(
    made: Made, tmp_path: Path, export: Callable[..., Any]
) -> None:
    export(tmp_path / "out", made.shards, made.extractors, made.catalog)
    before = contents(tmp_path / "out")
    export(tmp_path / "out", made.shards, made.extractors, made.catalog)
    assert contents(tmp_path / "out") == before
    export(tmp_path / "out", made.shards[:1], made.extractors, made.catalog)
    export(tmp_path / "new", made.shards[:1], made.extractors, made.catalog)
    assert contents(tmp_path / "out").keys() == contents(tmp_path / "new").keys() != before.keys()


def test_an_export_overwrites_nothing_else(made: Made, tmp_path: Path) -> None:
    for folder, said in (("features", "it is not empty"), ("d2m", "it has an export for d2m")):
        if folder == "d2m":
            export_d2m(tmp_path / folder, made.shards, made.extractors, made.catalog)
        before = contents(tmp_path / folder)
        with pytest.raises(SettingsError, match=said):
            export_datacomp(tmp_path / folder, made.shards, made.extractors, made.catalog)
        assert contents(tmp_path / folder) == before


def test_vectors_of_no_extractor_and_samples_outside_the_catalog_are_errors(
    made: Made, tmp_path: Path
) -> None:
    with pytest.raises(
        SettingsError, match=r"no extractors with vectors fit\. Use one of clip:oai-clip-vit-l14"
    ):
        export_emb_explorer(tmp_path / "a", made.shards, made.extractors, made.catalog, "b32")
    with pytest.raises(SettingsError, match="Add an extractor with vectors"):
        export_emb_explorer(tmp_path / "b", made.shards, made.extractors[1:], made.catalog)
    with pytest.raises(DatasetError, match=f"it has no sample {'0' * 32}"):
        made.catalog.rows([KEPT[0], "0" * 32])


@pytest.mark.parametrize("export", EXPORTS, ids=lambda export: export.__name__)
def test_an_export_without_any_usable_sample_is_an_error_and_removes_nothing(
    made: Made, tmp_path: Path, export: Callable[..., list[str]]
) -> None:
    export(tmp_path / "out", made.shards, made.extractors, made.catalog, "oai-clip-vit-l14")
    before = contents(tmp_path / "out")
    without_text = made.shards[:0] if export is export_emb_explorer else made.shards[2:]
    with pytest.raises(DatasetError, match=r"no sample has a result of clip:oai-clip-vit-l14"):
        export(tmp_path / "out", without_text, made.extractors, made.catalog, "oai-clip-vit-l14")
    assert contents(tmp_path / "out") == before


def test_a_subset_has_each_uid_once(tmp_path: Path) -> None:
    write_subset(tmp_path / "a.npy", ["f" * 32, "0" * 31 + "1", "f" * 32])
    assert np.load(tmp_path / "a.npy").tolist() == [(0, 1), (2**64 - 1, 2**64 - 1)]
    write_subset(tmp_path / "b.npy", [])
    assert np.load(tmp_path / "b.npy").dtype == np.dtype("u8,u8")

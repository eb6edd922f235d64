"""Classifiers on vectors, faces, copies, texts and captions, by small models."""

from __future__ import annotations

import hashlib
import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image, ImageDraw
from shards import png, write_samples
from toys import needs, options, run, sample

from tol_luigi.core.errors import SettingsError
from tol_luigi.features import arrays
from tol_luigi.features.copy_detection import read_references
from tol_luigi.features.descriptions import Description
from tol_luigi.features.extraction import Extraction, ExtractionSpec, families
from tol_luigi.features.extractor import fingerprints
from tol_luigi.features.nsfw_head import read_head
from tol_luigi.features.registry import resolve
from tol_luigi.features.scrfd import decoded_faces, kept_boxes, padded_square

if TYPE_CHECKING:
    from pathlib import Path


def write_head(file: Path, width: int = 4) -> dict[str, Any]:
    """Write a head for vectors of some length, and return its arrays."""
    chance = np.random.default_rng(0)
    made: dict[str, Any] = {
        "norm.weight": chance.normal(size=width),
        "norm.bias": chance.normal(size=width),
        "norm.running_mean": chance.normal(size=width),
        "norm.running_var": chance.uniform(0.5, 2, width),
        "norm.num_batches_tracked": np.array(3),
    }
    # Twelve layers: their order is that of numbers, not of letters.
    widths = [width, *[3] * 11, 1]
    for number, (inputs, outputs) in enumerate(itertools.pairwise(widths)):
        made[f"layers.{number}.weight"] = chance.normal(size=(outputs, inputs))
        made[f"layers.{number}.bias"] = chance.normal(size=outputs)
    np.savez(file, **made)
    return made


def test_a_head_computes_what_its_layers_say(tmp_path: Path) -> None:
    made = write_head(tmp_path / "head.npz")
    head = read_head(tmp_path / "head.npz", "nsfw-clip-head:head")
    vectors = np.random.default_rng(1).normal(size=(5, 4)).astype(np.float32)
    normed = (vectors - made["norm.running_mean"]) / np.sqrt(made["norm.running_var"])
    values = normed * made["norm.weight"] + made["norm.bias"]
    for number in range(12):
        values = values @ made[f"layers.{number}.weight"].T + made[f"layers.{number}.bias"]
        values = np.maximum(values, 0) if number < 11 else values
    expected = 1 / (1 + np.exp(-values[:, 0]))
    np.testing.assert_allclose(head.scores(vectors), expected, atol=1e-6)
    np.testing.assert_allclose(head.scores(vectors[:1]), expected[:1], atol=1e-6)


def test_a_head_is_that_of_dataset2metadata(toys: Path, results: dict[str, Any]) -> None:
    assert results["heads"]["difference"] < 1e-6
    assert results["heads"]["whole"].startswith("FOLDER/whole.pt: it is damaged, or holds more than tensors")
    with np.load(toys / "head_values.npz") as content:
        found = read_head(toys / "head.npz", "x").scores(content["vectors"])[:1]
        assert found == pytest.approx(content["expected"][:1], abs=1e-6)


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        pytest.param("norm.running_mean", "it is no batch normalisation with layers", id="no normalisation"),
        pytest.param("layers.3.bias", "it is no batch normalisation with layers", id="no bias"),
        pytest.param("layers.11.weight", "do not fit together and end in one number", id="no last layer"),
    ],
)
def test_a_file_with_other_layers_is_rejected(missing: str, message: str, tmp_path: Path) -> None:
    made = write_head(tmp_path / "head.npz")
    del made[missing]
    np.savez(tmp_path / "head.npz", **made)
    with pytest.raises(SettingsError, match=message):
        read_head(tmp_path / "head.npz", "x")


def test_a_published_file_that_differs_is_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_head(tmp_path / "head.npz")
    monkeypatch.setitem(arrays.KNOWN_FILES, "head.npz", "0" * 64)
    with pytest.raises(SettingsError, match=r"head.npz: its SHA-256 is .* Download it again"):
        read_head(tmp_path / "head.npz", "x")
    digest = hashlib.sha256((tmp_path / "head.npz").read_bytes()).hexdigest()
    monkeypatch.setitem(arrays.KNOWN_FILES, "head.npz", digest)
    read_head(tmp_path / "head.npz", "x")


def test_a_head_depends_on_its_clip_model(toys: Path, tmp_path: Path) -> None:
    write_head(tmp_path / "head.npz")
    (tmp_path / "model.yml").write_text("clip: toy-b.1\nweights: head.npz\n", encoding="utf-8")
    known = options(head=tmp_path, **{"toy-b.1": toys / "onnx"})
    clip, head = resolve(["nsfw-clip-head:head"], known)
    assert (clip.name, head.depends) == ("clip:toy-b.1", ("clip:toy-b.1",))
    head.load()
    vectors = np.ones((1, 4), np.float32)
    found = head.run([None], {"clip:toy-b.1": {"toy_b_1_img": vectors}})
    assert len(found["nsfw_image_score"]) == 1
    with pytest.raises(
        SettingsError, match=r"clip: clip:toy-b.1 has vectors of 24, but the weights are for 4"
    ):
        head.run([None], {"clip:toy-b.1": {"toy_b_1_img": np.ones((1, 24), np.float32)}})


def test_a_shard_has_scores_and_vectors_for_what_its_samples_have(toys: Path, tmp_path: Path) -> None:
    needs("onnxruntime", "tokenizers")
    write_head(tmp_path / "head.npz", 24)
    (tmp_path / "head.yml").write_text("clip: toy\n", encoding="utf-8")
    one = {"png": png(1, 40), "txt": b"Rubra magna"}
    changed = {"s1": {"png": one["png"]}, "s2": {"txt": one["txt"]}}
    tar = write_samples(tmp_path / "a.tar", 3, s0=one, **changed)
    extractors = resolve(["nsfw-clip-head:head"], options(head=tmp_path / "head.npz", toy=toys / "onnx"))
    files = families(tmp_path / "out", "a", extractors, fingerprints(extractors))
    Extraction(str(tar), files, ExtractionSpec(batch=4)).run()
    clip, head = (pq.read_table(each.table).to_pylist() for each in files)
    assert [row["status"] for row in clip] == ["ok", "ok", "missing_image"]
    assert [row["status"] for row in head] == ["ok", "ok", "dependency_error"]
    assert [row["toy_score"] is None for row in clip] == [False, True, True]
    assert head[0]["nsfw_image_score"] == pytest.approx(head[1]["nsfw_image_score"], abs=1e-6)
    images, texts = (np.load(files[0].vector(name)).astype(np.float32) for name in ("toy_img", "toy_txt"))
    assert np.isfinite(images).all(axis=1).tolist() == [True, True, False]
    assert np.isfinite(texts).all(axis=1).tolist() == [True, False, False]
    # The score was computed before the vectors were rounded.
    assert clip[0]["toy_score"] == pytest.approx(images[0] @ texts[0], abs=1e-3)


def test_boxes_that_overlap_a_better_one_are_removed() -> None:
    boxes = np.array([[0, 0, 2, 2], [0, 0, 2, 1.8], [1, 1, 3, 3], [5, 5, 5, 5]], float)
    assert kept_boxes(boxes, np.array([0.5, 0.9, 0.4, 0.3])) == [1, 2, 3]
    assert kept_boxes(np.zeros((0, 4)), np.zeros(0)) == []


def test_distances_are_from_the_corner_of_each_cell_in_strides() -> None:
    outputs = []
    for stride in (8, 16, 32):
        count = (64 // stride) ** 2 * 2
        outputs += [np.zeros((1, count, 1), np.float32), np.ones((1, count, 4), np.float32)]
    outputs[0][0, 2 * (8 * 3 + 5) + 1] = 0.7
    boxes, scores = decoded_faces(outputs, 64)
    place = int(scores.argmax())
    np.testing.assert_allclose(boxes[place] * 64, [5 * 8 - 8, 3 * 8 - 8, 5 * 8 + 8, 3 * 8 + 8])
    with pytest.raises(ValueError, match="no scores and distances for 32 anchors"):
        decoded_faces(outputs[:2], 64)


def test_a_square_has_white_margins() -> None:
    found = padded_square(Image.new("RGB", (40, 20)), 32)
    assert found.place == (0, 0.25, 1, 0.5)
    assert (found.pixels[0] == 255).all()
    assert (found.pixels[15] == 0).all()


def test_faces_are_in_parts_of_the_image(toys: Path) -> None:
    needs("onnxruntime")
    (toys / "faces.yml").write_text("size: 64\n", encoding="utf-8")
    (faces,) = resolve(["scrfd:faces"], options(faces=toys / "faces.onnx"))
    faces.load()
    image = Image.new("RGB", (64, 32), "white")
    ImageDraw.Draw(image).rectangle((32, 8, 47, 23), fill="black")
    found = run(faces, [sample(image), sample(Image.new("RGB", (9, 9), "white"))])
    assert found["n_faces"][0] == len(found["face_bboxes"][0]) == len(found["face_scores"][0]) > 0
    assert (found["n_faces"][1], found["face_bboxes"][1]) == (0, [])
    assert found["face_scores"][0] == sorted(found["face_scores"][0], reverse=True)
    assert found["face_scores"][0][0] == pytest.approx(0.99)
    for box in found["face_bboxes"][0]:
        assert all(0 <= edge <= 1 for edge in box)
        assert 0.3 < (box[0] + box[2]) / 2 < 0.8
    assert set(faces.identity()) == {"files", "stated", "packages"}


def test_another_size_of_faces_is_one_line(toys: Path, tmp_path: Path) -> None:
    needs("onnxruntime")
    (tmp_path / "model.yml").write_text("size: 96\nweights: faces.onnx\n", encoding="utf-8")
    (tmp_path / "faces.onnx").write_bytes((toys / "faces.onnx").read_bytes())
    (faces,) = resolve(["scrfd:faces"], options(faces=tmp_path))
    with pytest.raises(
        SettingsError, match=r"model.yml: size: it makes inputs of 3 x 96 x 96, .* expects 3 x 64 x 64"
    ):
        faces.load()


def write_copies(folder: Path, toys: Path, **stated: Any) -> None:
    colours = [0.5, 0.5, 0.5]
    transform = {
        "size": 16,
        "resize": "stretch",
        "interpolation": "bilinear",
        "mean": colours,
        "std": colours,
    }
    content = {"weights": "copies.onnx", "dimensions": 12, "transform": transform, **stated}
    (folder / "model.yml").write_text(yaml.safe_dump(content), encoding="utf-8")
    (folder / "copies.onnx").write_bytes((toys / "copies" / "copies.onnx").read_bytes())


def test_another_size_of_copies_is_one_line(toys: Path, tmp_path: Path) -> None:
    needs("onnxruntime")
    write_copies(tmp_path, toys)
    stated = yaml.safe_load((tmp_path / "model.yml").read_text(encoding="utf-8"))
    stated["transform"]["size"] = 24
    (tmp_path / "model.yml").write_text(yaml.safe_dump(stated), encoding="utf-8")
    (copies,) = resolve(["copy:isc"], options(isc=tmp_path))
    with pytest.raises(
        SettingsError, match=r"model.yml: transform: it makes inputs of 3 x 24 x 24, .* expects 3 x 16 x 16"
    ):
        copies.load()


def test_copies_of_references_are_found_with_their_id(toys: Path, tmp_path: Path) -> None:
    needs("onnxruntime")
    images = [Image.new("RGB", (20, 10), colour) for colour in ("red", "lime", "blue")]
    images[0].paste("white", (0, 0, 10, 10))
    samples = [sample(image, row=row) for row, image in enumerate(images)]
    write_copies(tmp_path, toys)
    (copies,) = resolve(["copy:isc-v1"], options(**{"isc-v1": tmp_path}))
    copies.load()
    vectors = run(copies, samples)["isc_v1_img"]
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-6)
    before = copies.identity()
    assert copies.columns == ()

    np.save(tmp_path / "refs.npy", vectors[1:].astype(np.float16))
    (tmp_path / "ids.txt").write_text("green\nblue\n", encoding="utf-8")
    write_copies(tmp_path, toys, references="refs.npy", ids="ids.txt")
    (copies,) = resolve(["copy:isc-v1"], options(**{"isc-v1": tmp_path}))
    copies.load()
    found = run(copies, samples)
    assert found["isc_v1_ref"][1:] == ["green", "blue"]
    assert found["isc_v1_max"][1] == pytest.approx(1, abs=1e-3)
    assert found["isc_v1_max"][0] < 0.9
    assert copies.identity() != before


def test_torchscript_and_onnx_agree(results: dict[str, Any]) -> None:
    assert results["other_networks"]["difference"] < 1e-6


def test_references_are_numbered_without_ids_and_must_fit(tmp_path: Path) -> None:
    np.savez(tmp_path / "refs.npz", vectors=np.eye(3), ids=["x", "y"])
    stated = {"references": "refs.npz"}
    description = Description(tmp_path / "model.yml", stated, "copy:isc")
    with pytest.raises(SettingsError, match="ids: there are 2 ids for 3 vectors"):
        read_references(description, 3)
    with pytest.raises(SettingsError, match=r"references: its arrays .* are no vectors of 4"):
        read_references(description, 4)
    np.savez(tmp_path / "refs.npz", vectors=np.eye(3))
    assert read_references(description, 3)[1] == ["0", "1", "2"]


def test_the_highest_head_counts_and_mentions_of_people_do_not(results: dict[str, Any]) -> None:
    found = results["detoxify"]
    assert found["together"] == pytest.approx(found["alone"], abs=1e-5)
    # The bias of "male" would make nearly 1, that of "threat" 0.73.
    assert all(0.6 < score < 0.85 for score in found["together"])
    assert found["unknown"].startswith(
        "FOLDER/detoxify/model.yml: labels: config.json has no label insult. Its"
    )


def test_images_are_captioned(results: dict[str, Any]) -> None:
    assert len(results["captions"]) == 2
    assert all(isinstance(caption, str) for caption in results["captions"])

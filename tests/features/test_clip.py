"""A small CLIP model that knows twelve drawn taxa: vectors, scores, search, agreement, and what may be missing."""

from __future__ import annotations

import shutil
from importlib import metadata
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import yaml
from PIL import Image
from toy_taxa import TAXA, caption
from toys import needs, options, run, sample, text_bank

from tol_luigi.core.errors import SettingsError
from tol_luigi.features.agreement import agreement
from tol_luigi.features.descriptions import Description
from tol_luigi.features.extractor import fingerprints
from tol_luigi.features.registry import resolve
from tol_luigi.features.samples import FeatureSample, SampleError, Status
from tol_luigi.features.tokens import TextTokenizer

if TYPE_CHECKING:
    from pathlib import Path

    from tol_luigi.features.clip import Clip


STRETCHED = {"resize": "stretch", "interpolation": "bicubic", "mean": [0.5, 0.5, 0.5], "std": [1, 1, 1]}


@pytest.fixture(scope="module")
def clip(toys: Path) -> Clip:
    needs("onnxruntime", "tokenizers")
    (made,) = resolve(["clip:toy-clip"], options(**{"toy-clip": toys / "onnx"}))
    made.load()
    return made  # type: ignore[return-value]  # the class that is registered as clip


@pytest.fixture(scope="module")
def embedded(clip: Clip, toys: Path) -> tuple[list[int], Any]:
    """The number of the taxon of each image, and what the extractor returns for all."""
    files = sorted((toys / "images").iterdir())
    numbers = [int(file.name[:2]) for file in files]
    samples = [
        FeatureSample(file.stem, {"png": file.read_bytes(), "txt": caption(TAXA[number]).encode()}, row)
        for row, (file, number) in enumerate(zip(files, numbers, strict=True))
    ]
    return numbers, run(clip, samples)


def test_the_backends_agree(results: dict[str, Any]) -> None:
    parity = dict(results["parity"])
    assert parity.pop("again").endswith("onnx: it exists already. Name a new folder.")
    assert max(parity.values()) < 1e-4, parity
    assert len(parity) == 7


def test_no_result_depends_on_the_sizes_of_batches_or_on_threads(results: dict[str, Any]) -> None:
    assert results["batches"] == []


def test_a_checkpoint_that_is_described_completely_agrees_and_half_precision_nearly(
    results: dict[str, Any],
) -> None:
    assert results["formats"]["pt"] < 1e-6
    assert results["formats"]["torchscript"] < 1e-5
    assert 0 < results["formats"]["bfloat16"] < 0.01
    assert results["formats"]["logit_scale"] > 10


def test_siglip_has_other_towers_and_no_crop(results: dict[str, Any]) -> None:
    assert results["siglip"]["images"] < 1e-6
    assert results["siglip"]["texts"] == [14, 16]
    assert results["siglip"]["resize"] == "stretch"


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (
            "activation",
            "FOLDER/broken/activation/model.yml: activation: it is not stated, nor in open_clip_config",
        ),
        (
            "network",
            "model.yml: model.vision_cfg.timm_model_name: networks of open_clip with 'convnext' are not",
        ),
        (
            "one weight of hf",
            "FOLDER/broken/lost-hf: weights are missing, unknown or of another shape (text_model.",
        ),
        (
            "one weight of open_clip",
            "open_clip_model.safetensors: weights are missing, unknown or of another shape (",
        ),
        ("damaged hf", "FOLDER/broken/lost-hf: the model cannot be loaded ("),
        ("damaged open_clip", "open_clip_model.safetensors: its weights cannot be read ("),
        ("size", "size/model.yml: transform: it makes inputs of 64, but the model expects 32. Correct it."),
        ("length", "length/model.yml: context_length: it makes inputs of 7, but the model expects 8"),
        ("family", "model_type: models of the type 'bert' are not supported. Supported are clip and siglip."),
    ],
)
def test_what_is_missing_is_one_line(broken: str, message: str, results: dict[str, Any]) -> None:
    found = results["broken"][broken]
    assert message in found
    assert "\n" not in found


def test_vectors_have_length_1_and_the_score_is_their_cosine(clip: Clip, embedded: Any) -> None:
    _, found = embedded
    assert [column.name for column in clip.columns] == ["toy_clip_score"]
    assert [tuple(vector) for vector in clip.vectors] == [("toy_clip_img", 24), ("toy_clip_txt", 24)]
    images, texts = found["toy_clip_img"], found["toy_clip_txt"]
    assert images.dtype == texts.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm([images, texts], axis=2), 1, rtol=1e-5)
    np.testing.assert_allclose(found["toy_clip_score"], (images * texts).sum(axis=1), rtol=1e-5)


def test_a_sample_does_not_depend_on_its_batch_and_needs_no_text(
    clip: Clip, toys: Path, embedded: Any
) -> None:
    _, all_found = embedded
    file = min((toys / "images").iterdir())
    found = run(clip, [FeatureSample("a", {"png": file.read_bytes()}, 0)])
    assert found["toy_clip_score"] == [None]
    assert np.isnan(found["toy_clip_txt"]).all()
    np.testing.assert_allclose(found["toy_clip_img"][0], all_found["toy_clip_img"][0], atol=1e-5)
    mixed = run(
        clip, [sample(Image.new("RGB", (50, 40)), text, row) for row, text in enumerate(["a", None, "a"])]
    )
    assert mixed["toy_clip_score"][1] is None
    assert mixed["toy_clip_score"][0] == mixed["toy_clip_score"][2] is not None


def test_a_sample_without_an_image_cannot_be_used(clip: Clip) -> None:
    with pytest.raises(SampleError) as caught:
        clip.prepare(sample(text="Rubra"))
    assert caught.value.status is Status.MISSING_IMAGE


def test_equal_texts_are_embedded_once(clip: Clip, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    original = clip.model.text_features
    monkeypatch.setattr(clip.model, "text_features", lambda texts: asked.extend(texts) or original(texts))
    vectors = clip.model.embed_texts(["b", "a", "b", "b"])
    assert asked == ["b", "a"]
    np.testing.assert_array_equal(vectors[0], vectors[3])


def test_a_text_finds_images_of_its_taxon(clip: Clip, embedded: Any) -> None:
    numbers, found = embedded
    queries = clip.model.embed_texts([caption(taxon) for taxon in TAXA])
    nearest = (queries @ found["toy_clip_img"].T).argmax(axis=1)
    hits = [numbers[row] == taxon for taxon, row in enumerate(nearest)]
    assert np.mean(hits) >= 10 / 12


def area_under_curve(good: Any, bad: Any) -> float:
    """Return how often a good one is above a bad one."""
    return float((np.asarray(good)[:, None] > np.asarray(bad)[None, :]).mean())


def test_swapped_labels_agree_less(clip: Clip, embedded: Any) -> None:
    numbers, found = embedded
    bank = text_bank(TAXA, clip.model.embed_texts([caption(taxon) for taxon in TAXA]))
    chance = np.random.default_rng(5)
    swapped = [(number + chance.integers(1, 12)) % 12 for number in numbers]
    scale = clip.model.logit_scale
    right = agreement(found["toy_clip_img"], [TAXA[number] for number in numbers], bank, scale)
    wrong = agreement(found["toy_clip_img"], [TAXA[number] for number in swapped], bank, scale)
    assert area_under_curve(right["agree_margin"], wrong["agree_margin"]) > 0.9
    assert area_under_curve(right["agree_p_species"], wrong["agree_p_species"]) > 0.9
    # Three kingdoms are easier than twelve species.
    assert np.mean(right["agree_p_kingdom"]) >= np.mean(right["agree_p_species"])


def test_the_identity_changes_with_all_that_counts(clip: Clip, toys: Path, tmp_path: Path) -> None:
    path = shutil.copytree(toys / "onnx", tmp_path / "model")
    known = options(**{"toy-clip": path})
    assert fingerprints(resolve([clip.name], known)) == fingerprints([clip])
    (path / "README.md").write_text("A note.", encoding="utf-8")
    assert fingerprints(resolve([clip.name], known)) == fingerprints([clip])
    stated = yaml.safe_load((path / "model.yml").read_text(encoding="utf-8"))
    stated["transform"]["interpolation"] = "bilinear"
    (path / "model.yml").write_text(yaml.safe_dump(stated), encoding="utf-8")
    assert fingerprints(resolve([clip.name], known)) != fingerprints([clip])


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        pytest.param({"dimensions": None}, "dimensions: it is not stated", id="no dimensions"),
        pytest.param(
            {"dimensions": 25}, "dimensions: 25, but vectors of the model have", id="other dimensions"
        ),
        pytest.param(
            {"pad_token": "none"}, "pad_token: 'none' is not a token of tokenizer.json", id="padding"
        ),
        pytest.param(
            {"context_length": 9}, "context_length: it makes inputs of 9, but the model", id="length"
        ),
        pytest.param(
            {"transform": {**STRETCHED, "size": 64}},
            "transform: it makes inputs of 3 x 64 x 64, but the model expects 3 x 32 x 32",
            id="size",
        ),
        pytest.param(
            {"text_file": "t.onnx"}, "text_file: there is no file t.onnx in the folder", id="no file"
        ),
        pytest.param(
            {"activatoin": "gelu"}, "activatoin: there is no such key. Valid are activation", id="key"
        ),
        pytest.param({"backend": "tf"}, "backend: 'tf' is not one of onnx, hf, open_clip", id="backend"),
    ],
)
def test_a_wrong_description_is_one_line(
    changed: dict[str, Any], message: str, toys: Path, tmp_path: Path
) -> None:
    needs("onnxruntime", "tokenizers")
    path = shutil.copytree(toys / "onnx", tmp_path / "model")
    stated = {**yaml.safe_load((path / "model.yml").read_text(encoding="utf-8")), **changed}
    (path / "model.yml").write_text(yaml.safe_dump(stated), encoding="utf-8")

    def attempt() -> None:
        (made,) = resolve(["clip:toy"], options(toy=path))
        made.load()
        run(made, [sample(Image.new("RGB", (40, 40)), "Rubra")])

    with pytest.raises(SettingsError) as caught:
        attempt()
    assert str(caught.value).startswith(f"{path}/model.yml: {message}")
    assert "\n" not in str(caught.value)


def test_a_folder_without_a_model_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(
        SettingsError, match=r"it has neither image.onnx and text.onnx, nor config.json and model"
    ):
        resolve(["clip:toy"], options(toy=tmp_path))


def test_the_tokenizer_of_clip_has_its_numbers() -> None:
    needs("instant_clip_tokenizer")
    description = Description(None, {"tokenizer": "clip-bpe"}, "clip:x")  # type: ignore[arg-type]
    tokens = TextTokenizer(description, 8)(["a photo of a cat", "", "cat " * 20])
    # The numbers of the words in OpenAI's vocabulary, between those of the start and the end of a text.
    assert tokens[0].tolist() == [49406, 320, 1125, 539, 320, 2368, 49407, 0]
    assert tokens[1].tolist() == [49406, 49407, 0, 0, 0, 0, 0, 0]
    assert tokens[2].tolist() == [49406, *[2368] * 6, 49407]


def test_a_missing_package_is_one_line_with_its_extra(toys: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", version)
    for source, extra in (("hf", "clip"), ("open_clip", "clip")):
        (made,) = resolve(["clip:toy"], options(toy=toys / source))
        with pytest.raises(SettingsError) as caught:
            made.load()
        assert f"pip install 'tol_luigi[{extra}" in str(caught.value)
        assert "\n" not in str(caught.value)

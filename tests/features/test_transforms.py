"""Images as models expect them, and what descriptions of models state."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image
from toys import options, sample

from tol_luigi.core.errors import SettingsError
from tol_luigi.features.clip_configs import with_hugging_face, with_open_clip
from tol_luigi.features.descriptions import Description, described, sql_name
from tol_luigi.features.transforms import Transform, resize_and_crop

FILE = Path("somewhere/model.yml")

STATED: dict[str, Any] = {
    "size": 224,
    "resize": "shortest",
    "interpolation": "bicubic",
    "crop": 224,
    "mean": [0.48145466, 0.4578275, 0.40821073],
    "std": [0.26862954, 0.26130258, 0.27577711],
}


def transform(**changed: Any) -> Transform:
    values = {key: value for key, value in {**STATED, **changed}.items() if value is not None}
    return Transform.of(Description(FILE, {"transform": values}, "clip:toy"))


def gradient(width: int, height: int) -> Image.Image:
    rows, columns = np.mgrid[:height, :width]
    pixels = np.stack([rows % 256, columns % 256, (rows + columns) % 256], axis=-1)
    return Image.fromarray(pixels.astype(np.uint8))


def test_the_transform_is_that_of_openai() -> None:
    """The longer side is rounded down; odd margins are halved to the even number, as Python's round does."""
    image = gradient(301, 200)
    resized = image.resize((337, 224), Image.Resampling.BICUBIC)  # 301 * 224 / 200 = 337.12
    expected = np.asarray(resized.crop((56, 0, 280, 224)))  # (337 - 224) / 2 = 56.5, rounded to 56
    made = transform()
    np.testing.assert_array_equal(made.pixels(sample(image)), expected)
    values = made.normalised([expected])
    assert (values.shape, values.dtype) == ((1, 3, 224, 224), np.float32)
    red = (expected[5, 7, 0] / 255 - 0.48145466) / 0.26862954
    assert values[0, 0, 5, 7] == pytest.approx(red, abs=1e-6)


def test_a_stretched_image_is_not_cropped() -> None:
    found = resize_and_crop(gradient(40, 20), 16, "stretch", "bilinear", 0)
    np.testing.assert_array_equal(
        found, np.asarray(gradient(40, 20).resize((16, 16), Image.Resampling.BILINEAR))
    )


def test_images_are_resized_once_for_models_that_differ_in_colours_only() -> None:
    one = sample(gradient(30, 30))
    first = transform().pixels(one)
    assert transform(mean=[0, 0, 0], std=[1, 1, 1]).pixels(one) is first
    assert transform(interpolation="bilinear").pixels(one) is not first


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        pytest.param({"size": None}, "transform.size: it is not stated. Add it", id="missing"),
        pytest.param({"resize": "longest"}, "'longest' is not one of shortest, stretch", id="unknown"),
        pytest.param({"crop": None}, "transform.crop: it is not stated", id="shortest without crop"),
        pytest.param({"crop": 300}, "300 is more than transform.size, 224", id="crop too large"),
        pytest.param({"mean": [1, 2]}, "transform.mean: [1, 2] is not a list of 3", id="two colours"),
        pytest.param({"std": [0, 1, 1]}, "transform.std: (0.0, 1.0, 1.0) is not above 0", id="no deviation"),
        pytest.param({"sise": 3}, "transform.sise: there is no such key", id="misspelt"),
        pytest.param({"size": True}, "True is not a whole number above 0", id="a truth"),
    ],
)
def test_a_wrong_transform_is_one_line_with_file_and_key(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        transform(**changed)
    text = str(caught.value)
    assert message in text
    assert text.startswith(f"{FILE}: transform")
    assert "\n" not in text


def completed(tmp_path: Path, complete: Any, **files: str) -> Description:
    for name, content in files.items():
        (tmp_path / f"{name}.json").write_text(content, encoding="utf-8")
    found: Description = complete(Description(tmp_path / "model.yml", {}, "clip:toy"))
    return found


def test_the_files_of_openai_on_hugging_face_are_understood(tmp_path: Path) -> None:
    """With the keys that its repository has."""
    content = completed(
        tmp_path,
        with_hugging_face,
        config='{"model_type": "clip", "projection_dim": 512, "text_config": {"max_position_embeddings": 77}}',
        preprocessor_config='{"crop_size": 224, "do_center_crop": true, "do_normalize": true, "do_resize": true,'
        f' "image_mean": {STATED["mean"]}, "image_std": {STATED["std"]}, "resample": 3, "size": 224}}',
    )
    assert Transform.of(content) == transform()
    assert (content.whole("dimensions"), content.whole("context_length")) == (512, 77)


def test_what_open_clip_does_not_state_is_what_its_code_has(tmp_path: Path) -> None:
    model = '"embed_dim": 512, "vision_cfg": {"image_size": 224}, "text_cfg": {"context_length": 77}'
    images = f'"mean": {STATED["mean"]}, "std": {STATED["std"]}'
    file = f'{{"model_cfg": {{{model}}}, "preprocess_cfg": {{{images}}}}}'
    content = completed(tmp_path, with_open_clip, open_clip_config=file)
    assert Transform.of(content) == transform()
    assert content.text("tokenizer") == "clip-bpe"
    with pytest.raises(SettingsError, match=r"activation: it is not stated, nor in open_clip_config.json"):
        content.text("activation")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("a: [", "it cannot be read", id="no YAML"),
        pytest.param("word", "it has no keys", id="no keys"),
        pytest.param("!!python/object:os.system {}", "it cannot be read", id="a program"),
    ],
)
def test_a_description_that_cannot_be_read_is_one_line(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "model.yml").write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        described("clip:toy", options(toy=tmp_path))
    assert str(caught.value).startswith(f"{tmp_path}/model.yml: {message}")
    assert "\n" not in str(caught.value)


def test_a_model_that_is_missing_is_named_with_its_setting(tmp_path: Path) -> None:
    with pytest.raises(
        SettingsError, match=r"^\[features\] models: there is no model 'toy'.*Add a line toy ="
    ):
        described("clip:toy", options())
    with pytest.raises(SettingsError, match=r"^\[features\] models: toy = .*/none: it does not exist"):
        described("clip:toy", options(toy=tmp_path / "none"))


def test_the_description_of_a_single_file_has_its_name(tmp_path: Path) -> None:
    (tmp_path / "faces.onnx").touch()
    (tmp_path / "faces.yml").write_text(yaml.safe_dump({"size": 64}), encoding="utf-8")
    _, description = described("scrfd:faces", options(faces=tmp_path / "faces.onnx"))
    assert description.whole("size") == 64


def test_columns_begin_with_the_name_of_the_model_as_sql_takes_it() -> None:
    assert sql_name("vit-b.32 ü") == "vit_b_32__"

"""A file of settings of dataset2metadata with one CLIP model, run with a small CLIP model as ONNX in place of OpenAI's."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import json
import os
import random
import shutil
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from d2m_jobs import run
from PIL import Image, ImageOps
from shards import write_tar
from tokenizers import Tokenizer
from toy_taxa import END, LENGTH, MEAN, SIDE, STD, TAXA, caption, drawn
from toys import needs

from tol_luigi.features.clip_onnx import OnnxClip
from tol_luigi.features.onnx_models import fixed_inputs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from d2m_jobs import Ran
    from shards import Members

B32, L14 = "oai-clip-vit-b32", "oai-clip-vit-l14"

BASIC = """
models: # what to compute
  - oai-clip-vit-b32
postprocess_columns:
  - oai-clip-vit-b32-score
postprocess_features:
  - oai-clip-vit-b32-image
  - oai-clip-vit-b32-text
additional_fields:
  - uid
  - url
  - caption
  - original_width
  - original_height
  - sha256
nworkers: 2
batch_size: 5
device: cpu
input_tars: "{0..1}.tar"
output_metadata_dir: out
custom_pypath: null
"""

EACH = len(TAXA)
"""How many samples a tar has: an image of each taxon."""


class Sample(NamedTuple):
    """A sample as img2dataset writes it: its key, its image as JPEG, and its fields; the caption is its text."""

    key: str
    jpeg: bytes
    fields: dict[str, Any]

    @property
    def members(self) -> Members:
        """The files of the sample."""
        text = self.fields["caption"].encode()
        return {"jpg": self.jpeg, "json": json.dumps(self.fields).encode(), "txt": text}


def samples() -> list[Sample]:
    """Return the samples of two tars; the captions of the second one are those of other taxa."""
    chance = random.Random(3)  # noqa: S311 (drawings)
    made = []
    for number in range(2 * EACH):
        taxon = number % EACH
        image = drawn(TAXA[taxon], chance).resize((2 * SIDE, 2 * SIDE))
        # The transform cuts the edges off again.
        image = ImageOps.expand(image, (SIDE // 2, 0), image.getpixel((0, 0)))  # type: ignore[arg-type]
        image.save(written := io.BytesIO(), "JPEG", quality=95)
        fields = {
            "uid": hashlib.md5(f"{number}".encode(), usedforsecurity=False).hexdigest(),
            "url": f"https://example.org/{number}.jpg",
            "caption": caption(TAXA[taxon if number < EACH else (taxon + 5) % EACH]),
            "original_width": image.width,
            "original_height": image.height,
            "sha256": hashlib.sha256(written.getvalue()).hexdigest(),
        }
        made.append(Sample(f"{number:09}", written.getvalue(), fields))
    return made


SAMPLES = samples()


def basic(folder: Path, toys: Path, **keys: Any) -> Callable[..., Ran]:
    """Write the tars, the model and the file of settings; return what runs it, in that folder."""
    for number in range(2):
        part = SAMPLES[EACH * number : EACH * (number + 1)]
        write_tar(folder / f"{number}.tar", [(one.key, one.members) for one in part])
    (folder / "basic.yml").write_text(BASIC, encoding="utf-8")
    if keys:
        content = yaml.safe_load(BASIC) | keys
        (folder / "basic.yml").write_text(yaml.safe_dump(content), encoding="utf-8")
    models = keys.get("models", [B32])
    for name in models:
        shutil.copytree(toys / "onnx", folder / name)
    options = [part for name in models for part in ("--models", f"{name}={folder / name}")]

    def started(*arguments: str) -> Ran:
        with contextlib.chdir(folder):
            return run(folder / "basic.yml", *options, *arguments)

    return started


@pytest.fixture(scope="session")
def finished(toys: Path, once: Callable[[str, Callable[[Path], None]], Path]) -> Path:
    """The folder of the job after its first run; tests only read it."""
    needs("onnxruntime")

    def fill(folder: Path) -> None:
        done = basic(folder, toys)()
        assert (done.code, done.err) == (0, ""), done

    return once("basic-job", fill)


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The extractors whose models are loaded from now on."""
    found: list[str] = []
    load = OnnxClip.load

    def noted(self: OnnxClip) -> None:
        found.append(self.description.extractor)
        load(self)

    monkeypatch.setattr(OnnxClip, "load", noted)
    return found


def states(folder: Path) -> dict[str, int]:
    """Return when each file was written, in ns."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in files}


def result(folder: Path) -> tuple[pa.Table, dict[str, Any]]:
    """Return the table of the only group in a folder, and the arrays with the same stem."""
    [path] = folder.glob("*.parquet")
    with np.load(path.with_suffix(".npz")) as arrays:
        return pq.read_table(path), dict(arrays)


def computed(model: Path) -> tuple[Any, Any]:
    """Return the vectors of all images and captions as ONNX Runtime computes them, without code of ours."""
    import onnxruntime  # noqa: PLC0415 (of an extra)

    pixels = []
    for one in SAMPLES:
        image = Image.open(io.BytesIO(one.jpeg)).resize((3 * SIDE // 2, SIDE), Image.Resampling.BICUBIC)
        cut = np.asarray(image.crop((SIDE // 4, 0, SIDE // 4 + SIDE, SIDE)), np.float32)
        pixels.append(((cut / 255 - MEAN) / STD).transpose(2, 0, 1))
    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    tokenizer.enable_padding(length=LENGTH, pad_id=tokenizer.token_to_id(END), pad_token=END)
    texts = [encoded.ids for encoded in tokenizer.encode_batch([one.fields["caption"] for one in SAMPLES])]
    found = []
    for file, inputs in (("image.onnx", np.array(pixels, np.float32)), ("text.onnx", np.array(texts))):
        session = onnxruntime.InferenceSession(model / file, providers=["CPUExecutionProvider"])
        [vectors, *_] = session.run(None, {session.get_inputs()[0].name: inputs})
        found.append(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
    return found[0], found[1]


def test_the_files_have_the_names_columns_and_order_of_dataset2metadata(finished: Path) -> None:
    name = hashlib.md5(b"{0..1}.tar", usedforsecurity=False).hexdigest()
    files = sorted(path.name for path in (finished / "out").iterdir() if path.is_file())
    assert files == [f"{name}.json", f"{name}.npz", f"{name}.parquet"]
    table, arrays = result(finished / "out")
    text, whole = pa.string(), pa.int64()
    assert {field.name: field.type for field in table.schema} == {
        "oai-clip-vit-b32-score": pa.float64(),
        "uid": text,
        "url": text,
        "caption": text,
        "original_width": whole,
        "original_height": whole,
        "sha256": text,
    }
    assert table.column_names == ["oai-clip-vit-b32-score", *SAMPLES[0].fields]
    assert table.drop_columns(["oai-clip-vit-b32-score"]).to_pylist() == [one.fields for one in SAMPLES]
    assert {key: (array.shape, array.dtype) for key, array in arrays.items()} == dict.fromkeys(
        ["oai-clip-vit-b32-image", "oai-clip-vit-b32-text"], ((2 * EACH, 24), np.dtype(np.float32))
    )


def test_vectors_and_scores_are_those_of_the_network(finished: Path) -> None:
    table, arrays = result(finished / "out")
    images, texts = computed(finished / B32)
    # Vectors are rounded to half precision, scores are not.
    np.testing.assert_allclose(arrays["oai-clip-vit-b32-image"], images, atol=5e-4)
    np.testing.assert_allclose(arrays["oai-clip-vit-b32-text"], texts, atol=5e-4)
    scores = np.array(table["oai-clip-vit-b32-score"])
    np.testing.assert_allclose(scores, (images * texts).sum(axis=1), atol=1e-5)
    right, wrong = scores[:EACH], scores[EACH:]
    assert (right[:, None] > wrong[None, :]).mean() > 0.8


def test_datacomp_takes_the_best_half_by_score_and_their_vectors_by_row(toys: Path, tmp_path: Path) -> None:
    """The accesses of ``baselines.py``: tables with their twins in a flat listing, and uids as pairs of numbers."""
    needs("onnxruntime")
    assert basic(tmp_path, toys, use_datacomp_keys=True, tars_per_wds=1)().code == 0
    paths = sorted(str(path) for path in (tmp_path / "out").iterdir() if ".parquet" in str(path))
    assert len(paths) == 2
    frames, features = [], []
    for path in paths:
        frames.append(pd.read_parquet(path, columns=["uid", "text", "clip_b32_similarity_score"]))
        features.append(np.load(path.replace(".parquet", ".npz"))["b32_img"])
        assert len(frames[-1]) == len(features[-1])
    frame, vectors = pd.concat(frames), np.concatenate(features)
    scores = frame["clip_b32_similarity_score"].to_numpy()
    mask = scores >= np.sort(scores)[-EACH]
    pairs = [(int(uid[:16], 16), int(uid[16:32], 16)) for uid in frame["uid"][mask]]
    chosen = np.sort(np.array(pairs, np.dtype("u8,u8")))
    images, texts = computed(tmp_path / B32)
    best = np.argsort((images * texts).sum(axis=1))[-EACH:].tolist()
    rows = {one.fields["uid"]: row for row, one in enumerate(SAMPLES)}
    assert [f"{first:016x}{second:016x}" for first, second in chosen.tolist()] == sorted(
        SAMPLES[row].fields["uid"] for row in best
    )
    order = [rows[uid] for uid in frame["uid"]]
    assert frame["text"].tolist() == [SAMPLES[row].fields["caption"] for row in order]
    np.testing.assert_allclose(vectors[mask], images[order][mask], atol=5e-4)


def test_the_same_job_again_loads_no_model_and_writes_no_file(
    finished: Path, loads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = states(finished)
    monkeypatch.chdir(finished)
    done = run(finished / "basic.yml", "--models", f"{B32}={finished / B32}")
    assert (done.code, done.out) == (0, "Nothing to do: 1 group of tars complete in out\n")
    assert loads == []
    assert states(finished) == before


def test_with_other_weights_of_one_model_the_other_is_left_alone(
    toys: Path, tmp_path: Path, loads: list[str]
) -> None:
    needs("onnxruntime", "onnx")
    import onnx  # noqa: PLC0415 (of an extra)

    outputs = [f"{name}-{kind}" for name in (B32, L14) for kind in ("image", "text")]
    keys = {"models": [B32, L14], "postprocess_features": outputs}
    started = basic(tmp_path, toys, postprocess_columns=[f"{B32}-score", f"{L14}-score"], **keys)
    assert started().code == 0
    assert loads == [f"clip:{B32}", f"clip:{L14}"]
    loads.clear()
    (table, arrays), kept = result(tmp_path / "out"), states(tmp_path / "out" / ".families" / f"clip-{B32}")

    file = tmp_path / L14 / "image.onnx"
    network = onnx.load(file)
    weights = max(network.graph.initializer, key=lambda one: len(one.raw_data))
    values = onnx.numpy_helper.to_array(weights)
    noise = np.random.default_rng(0).normal(size=values.shape, scale=0.3)
    weights.CopyFrom(onnx.numpy_helper.from_array((values + noise).astype(values.dtype), weights.name))
    onnx.save(network, file)
    assert started().code == 0
    assert set(loads) == {f"clip:{L14}"}
    assert states(tmp_path / "out" / ".families" / f"clip-{B32}") == kept != {}
    table_after, arrays_after = result(tmp_path / "out")
    same = {name: np.array_equal(arrays[name], arrays_after[name]) for name in arrays}
    # The text tower is the same file as before.
    assert same == dict.fromkeys(outputs, True) | {f"{L14}-image": False}
    assert table_after[f"{B32}-score"] == table[f"{B32}-score"]
    assert table_after[f"{L14}-score"] != table[f"{L14}-score"]


def test_a_damaged_tar_fails_its_group_only_and_is_named(toys: Path, tmp_path: Path) -> None:
    needs("onnxruntime")
    started = basic(tmp_path, toys, tars_per_wds=1)
    good = (tmp_path / "1.tar").read_bytes()
    os.truncate(tmp_path / "1.tar", len(good) // 2)
    done = started()
    assert done.code == 30
    [line, summary] = done.err.splitlines()
    assert "1.tar: it is not a complete tar file (" in line
    assert summary.startswith("1 of 2 groups of tars failed")
    table, _ = result(tmp_path / "out")
    assert table["uid"].to_pylist() == [one.fields["uid"] for one in SAMPLES[:EACH]]
    kept = {name: at for name, at in states(tmp_path / "out").items() if not name.startswith(".")}
    (tmp_path / "1.tar").write_bytes(good)
    assert started().code == 0
    assert len(list((tmp_path / "out").glob("*.parquet"))) == 2
    assert kept.items() <= states(tmp_path / "out").items()


def test_damaged_samples_fail_with_their_names_or_cost_their_rows(toys: Path, tmp_path: Path) -> None:
    needs("onnxruntime")
    started = basic(tmp_path, toys, input_tars=["0.tar"])
    members = [(one.key, one.members) for one in SAMPLES[:EACH]]
    members[3][1]["jpg"] = members[3][1]["jpg"][:-100]
    del members[7][1]["txt"]
    members[8][1]["jpg"] = b"no image"
    write_tar(tmp_path / "0.tar", members)
    done = started()
    assert done.code == 30
    assert f"0.tar: 2 of 12 samples cannot be used by clip:{B32}; the first is 000000003 (" in done.err
    with (tmp_path / "basic.yml").open("a", encoding="utf-8") as file:
        file.write("warn_and_continue: true\n")
    done = started()
    assert (done.code, "9 samples of 1 tar" in done.out, "3 dropped" in done.out) == (0, True, True)
    table, arrays = result(tmp_path / "out")
    rows = [row for row in range(EACH) if row not in (3, 7, 8)]
    assert table["uid"].to_pylist() == [SAMPLES[row].fields["uid"] for row in rows]
    images, _ = computed(tmp_path / B32)
    np.testing.assert_allclose(arrays[f"{B32}-image"], images[rows], atol=5e-4)
    [path] = (tmp_path / "out").glob("*.errors.csv")
    with path.open(encoding="utf-8", newline="") as file:
        listed = [(line["tar"], line["key"], line["row"], line["status"]) for line in csv.DictReader(file)]
    assert listed == [
        ("0.tar", "000000003", "3", "truncated"),
        ("0.tar", "000000007", "7", "missing_text"),
        ("0.tar", "000000008", "8", "decode_error"),
    ]


def larger(model: Path) -> None:
    """State a transform for a model of larger images."""
    stated = yaml.safe_load((model / "model.yml").read_text(encoding="utf-8"))
    stated["transform"] |= {"size": 64, "crop": 64}
    (model / "model.yml").write_text(yaml.safe_dump(stated), encoding="utf-8")


def open_sizes(model: Path) -> None:
    """Let the file of the image tower leave the sizes open, as exporters do, and state larger images."""
    larger(model)
    file = model / "image.onnx"
    file.write_bytes(fixed_inputs(file, ("batch", "channels", "height", "width"), "clip"))


def text_for_image(model: Path) -> None:
    """Put the text tower in place of the image tower."""
    shutil.copyfile(model / "text.onnx", model / "image.onnx")


def damaged(model: Path) -> None:
    """Cut the file of the text tower in half."""
    os.truncate(model / "text.onnx", (model / "text.onnx").stat().st_size // 2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(
            larger,
            "model.yml: transform: it makes inputs of 3 x 64 x 64, but the model expects 3 x 32 x 32. Correct it.",
            id="a fixed size",
        ),
        pytest.param(
            open_sizes,
            "model.yml: transform: it makes inputs of 3 x 64 x 64, but image.onnx cannot compute them (",
            id="a size that the file does not state",
        ),
        pytest.param(
            text_for_image,
            "model.yml: transform: it makes inputs of 3 x 32 x 32, but the model expects 8. Correct it.",
            id="a text tower",
        ),
        pytest.param(damaged, f"text.onnx: ONNX Runtime cannot load the model of clip:{B32} (", id="damage"),
    ],
)
def test_a_model_that_does_not_fit_is_one_line_with_its_file(
    change: Callable[[Path], None],
    message: str,
    toys: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    needs("onnxruntime", "onnx")
    started = basic(tmp_path, toys, input_tars=["0.tar"], batch_size=1)
    change(tmp_path / B32)
    done = started()
    assert done.code == 30
    [line, summary] = done.err.splitlines()
    assert f": {tmp_path / B32}/{message}" in line
    assert summary.startswith("1 of 1 group of tars failed")
    # ONNX Runtime writes messages of its own past Python.
    assert capfd.readouterr() == ("", "")
    assert not list((tmp_path / "out").glob("*.*"))

"""Files of settings of dataset2metadata as they are: their keys, their names of models and outputs, their files of results."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fsspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from d2m_jobs import Fake, fake_models, job, run
from optional import python_with
from shards import Mean, sample, write_samples, write_tar
from toys import OPERATORS, needs

from tol_luigi.command.features_yml import main
from tol_luigi.core.errors import SettingsError, ShardError
from tol_luigi.features.d2m.fields import TypedValues
from tol_luigi.features.d2m.jobs import read_job
from tol_luigi.features.tars import TarSamples
from tol_luigi.tasks.tars import ExtractTars, prepared_job

if TYPE_CHECKING:
    from collections.abc import Callable

OUTPUTS = {"postprocess_columns": ["mean"], "additional_fields": ["uid"]}

DATACOMP = """
models: [oai-clip-vit-b32, oai-clip-vit-l14, nsfw-detoxify, nsfw-image-oai-clip-vit-l-14, faces-scrfd10g, dedup-isc-ft-v107]
postprocess_columns: [oai-clip-vit-b32-score, oai-clip-vit-l14-score, nsfw-detoxify-score, nsfw-image-score, face-boxes,
  dedup-isc-ft-v107-score]
postprocess_features: [oai-clip-vit-b32-image, oai-clip-vit-b32-text, oai-clip-vit-l14-image, oai-clip-vit-l14-text,
  dedup-isc-ft-v107-image]
additional_fields: [uid, caption, original_width, original_height]
nworkers: 2
batch_size: 3
device: cpu
input_tars: "{0..1}.tar"
output_metadata_dir: out
use_datacomp_keys: true
custom_pypath: null
reprocess: false
logging: true
warn_and_continue: true
"""


def captioned(number: int) -> dict[str, bytes]:
    fields = {
        "uid": f"{number:032x}",
        "caption": f"a bird {number}",
        "original_width": 300,
        "original_height": 200,
    }
    return sample(number) | {"json": json.dumps(fields).encode()}


@pytest.fixture
def datacomp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a job with all that dataset2metadata has, after it has run."""
    monkeypatch.chdir(tmp_path)
    models = fake_models(monkeypatch, tmp_path / "models")
    for number in range(2):
        keys = range(4 * number, 4 * number + 4)
        write_tar(tmp_path / f"{number}.tar", [(f"s{key}", captioned(key)) for key in keys])
    (tmp_path / "datacomp.yml").write_text(DATACOMP)
    done = run(tmp_path / "datacomp.yml", *models)
    assert done.code == 0, done.err
    return tmp_path / "out"


def test_a_job_with_everything_has_the_names_and_types_of_datacomp(datacomp: Path) -> None:
    name = hashlib.md5(b"{0..1}.tar", usedforsecurity=False).hexdigest()
    assert sorted(path.name for path in datacomp.iterdir() if path.is_file()) == [
        f"{name}.json",
        f"{name}.npz",
        f"{name}.parquet",
    ]
    table = pq.read_table(datacomp / f"{name}.parquet")
    double, boxes = pa.float64(), pa.list_(pa.list_(pa.float64()))
    assert {field.name: field.type for field in table.schema} == {
        "clip_b32_similarity_score": double,
        "clip_l14_similarity_score": double,
        "nsfw-detoxify-score": double,
        "nsfw-image-score": double,
        "face_bboxes": boxes,
        "dedup": double,
        "uid": pa.string(),
        "text": pa.string(),
        "original_width": pa.int64(),
        "original_height": pa.int64(),
    }
    with np.load(datacomp / f"{name}.npz") as arrays:
        shapes = {key: array.shape for key, array in arrays.items()}
    assert shapes == {
        "b32_img": (8, 512),
        "b32_txt": (8, 512),
        "l14_img": (8, 768),
        "l14_txt": (8, 768),
        "dedup-isc-ft-v107-image": (8, 256),
    }
    record = json.loads((datacomp / f"{name}.json").read_text())
    assert record["number of samples"] == 8
    assert record["sample time (s)"] > 0
    assert "loader time (s)" in record


def test_datacomp_reads_it_as_its_baselines_do(datacomp: Path) -> None:
    """The same accesses as in ``baselines.py``: a flat listing, columns by name, slices of uids, twins by row."""
    system, root = fsspec.core.url_to_fs(str(datacomp))
    paths = [str(path) for path in system.ls(root) if ".parquet" in path]
    assert len(paths) == 1
    frame = pd.read_parquet(
        paths[0],
        columns=["uid", "text", "original_width", "original_height", "clip_l14_similarity_score"],
        filesystem=system,
    )
    words, characters = frame["text"].str.split().str.len() > 2, frame["text"].str.len() > 5
    shortest = frame[["original_width", "original_height"]].min(axis=1)
    aspect = frame[["original_width", "original_height"]].max(axis=1) / shortest
    mask = words & characters & (shortest >= 200) & (aspect <= 3)
    keys = [(int(uid[:16], 16), int(uid[16:32], 16)) for uid in frame["uid"][mask]]
    assert np.array(keys, np.dtype("u8,u8")).tolist() == [(0, number) for number in range(8)]
    with system.open(paths[0].replace(".parquet", ".npz"), "rb") as file:
        features = np.load(file)["l14_img"]
    assert features.shape == (len(frame), 768)
    with np.load(paths[0].replace(".parquet", ".npz")) as arrays:
        scores = (arrays["l14_img"] * arrays["l14_txt"]).sum(axis=1)
    assert np.allclose(scores, frame["clip_l14_similarity_score"], atol=2e-3)


def test_names_stay_those_of_dataset2metadata_without_datacomp_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = fake_models(monkeypatch, tmp_path / "models")
    file = job(
        tmp_path / "basic.yml",
        models=["oai-clip-vit-b32"],
        input_tars=[str(write_samples(tmp_path / "a.tar", 3))],
        postprocess_columns=["oai-clip-vit-b32-score"],
        postprocess_features=["oai-clip-vit-b32-image", "oai-clip-vit-b32-text"],
    )
    assert run(file, *models).code == 0
    name = hashlib.md5(str([str(tmp_path / "a.tar")]).encode(), usedforsecurity=False).hexdigest()
    assert pq.read_table(tmp_path / "out" / f"{name}.parquet").column_names == ["oai-clip-vit-b32-score"]
    with np.load(tmp_path / "out" / f"{name}.npz") as arrays:
        assert list(arrays) == ["oai-clip-vit-b32-image", "oai-clip-vit-b32-text"]


def test_a_sample_without_text_is_in_neither_file_if_its_text_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = fake_models(monkeypatch, tmp_path / "models")
    textless = {key: value for key, value in sample(1).items() if key != "txt"}
    tar = write_samples(tmp_path / "a.tar", 3, s1=textless)
    for features, rows in ((["oai-clip-vit-b32-text"], 2), (["oai-clip-vit-b32-image"], 3)):
        file = job(
            tmp_path / "a.yml",
            models=["oai-clip-vit-b32"],
            input_tars=str(tar),
            postprocess_features=features,
            additional_fields=["uid"],
        )
        assert run(file, *models).code == 0
        [path] = (tmp_path / "out").glob("*.parquet")
        assert pq.read_metadata(path).num_rows == rows
        assert len(list((tmp_path / "out").glob("*.errors.csv"))) == 3 - rows


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        pytest.param({"batchsize": 3}, "keys are wrong: 1 unknown (batchsize)", id="an unknown key"),
        pytest.param(
            {"models": None, "device": None}, "keys are wrong: 2 missing (models, device)", id="missing keys"
        ),
        pytest.param({"models": "mean"}, "models: 'mean' is not a list of names", id="no list"),
        pytest.param({"models": ["mean", "mean"]}, "models: mean appears twice", id="a name twice"),
        pytest.param({"nworkers": -1}, "nworkers: -1 is not a whole number from 0", id="a negative number"),
        pytest.param(
            {"batch_size": "8"}, "batch_size: '8' is not a whole number from 1", id="a text for a number"
        ),
        pytest.param(
            {"device": "gpu"}, "device: 'gpu' is neither the number of a GPU nor cpu", id="a device"
        ),
        pytest.param(
            {"device": [0, "cpu"]}, "device: [0, 'cpu'] is no list of GPUs", id="a GPU and the processor"
        ),
        pytest.param(
            {"reprocess": "yes"}, "reprocess: 'yes' is neither true nor false", id="a text for a truth value"
        ),
        pytest.param({"input_tars": []}, "input_tars: it names no tar", id="no tars"),
        pytest.param({"input_tars": ["a.tar", "a.tar"]}, "input_tars: a.tar appears twice", id="a tar twice"),
        pytest.param({"input_tars": "{0..1.tar"}, "input_tars: its braces cannot be expanded", id="braces"),
        pytest.param(
            {"tars_per_wds": 0}, "tars_per_wds: 0 is not a whole number from 1", id="groups of none"
        ),
        pytest.param({"postprocess_columns": None}, "it names nothing to write", id="nothing to write"),
    ],
)
def test_a_wrong_key_is_one_line(tmp_path: Path, keys: dict[str, Any], said: str) -> None:
    file = job(tmp_path / "a.yml", **{"input_tars": "a.tar", "postprocess_columns": ["mean"]} | keys)
    with pytest.raises(SettingsError) as raised:
        read_job(file)
    assert said in str(raised.value)


@pytest.mark.parametrize("content", ["a: [", "- a", "", "\xff"])
def test_a_malformed_file_is_one_line(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.yml").write_bytes(content.encode("latin-1"))
    done = run(tmp_path / "a.yml")
    assert (done.code, done.err.count("\n")) == (40, 1)
    assert f"tol: {tmp_path}/a.yml: it " in done.err


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        pytest.param({"models": ["nothing"]}, "there is no extractor nothing", id="a model"),
        pytest.param(
            {"postprocess_columns": ["men"]}, "there is no men. Valid are boxes, dedup-", id="a column"
        ),
        pytest.param(
            {"postprocess_features": ["mean"]}, "there is no mean. Valid are channels", id="a feature"
        ),
        pytest.param({"additional_fields": ["mean"]}, "two of them are called mean", id="a name twice"),
        pytest.param({"custom_pypath": "none.py"}, "there is no such Python file", id="a file"),
        pytest.param({"output_metadata_dir": "none://a/b"}, "it cannot be opened", id="a URL"),
    ],
)
def test_an_unknown_name_is_one_line(tmp_path: Path, keys: dict[str, Any], said: str) -> None:
    done = run(job(tmp_path / "a.yml", **{"input_tars": "a.tar", "postprocess_columns": ["mean"]} | keys))
    assert (done.code, done.err.count("\n")) == (40, 1)
    assert said in done.err


@pytest.mark.parametrize("option", ["mean", "mean=", "=a", "mean=/none"])
def test_a_wrong_option_for_a_model_is_one_line(tmp_path: Path, option: str) -> None:
    done = run(job(tmp_path / "a.yml", input_tars="a.tar", **OUTPUTS), "--models", option)
    assert (done.code, done.err.count("\n")) == (40, 1)
    assert f"--models {option}: " in done.err


def test_groups_have_the_names_of_dataset2metadata(tmp_path: Path) -> None:
    def names(**keys: Any) -> list[str]:
        return [group.name for group in read_job(job(tmp_path / "a.yml", **OUTPUTS, **keys)).groups]

    def md5(group: Any) -> str:
        return hashlib.md5(str(group).encode(), usedforsecurity=False).hexdigest()

    listed = ["0.tar", "1.tar", "2.tar"]
    assert names(input_tars=listed) == [md5(listed)]
    assert names(input_tars="{0..2}.tar") == [md5("{0..2}.tar")]
    assert names(input_tars=listed, tars_per_wds=2) == [md5(listed[:2]), md5(listed[2:])]
    assert names(input_tars="{0..2}.tar", tars_per_wds=2) == [md5(listed[:2]), md5(listed[2:])]


def test_samples_are_not_written_twice_in_other_groups(tmp_path: Path) -> None:
    tars = [str(write_samples(tmp_path / f"{number}.tar", 2)) for number in range(2)]
    assert run(job(tmp_path / "a.yml", input_tars=tars, **OUTPUTS)).code == 0
    done = run(job(tmp_path / "a.yml", input_tars=tars, tars_per_wds=1, **OUTPUTS))
    assert done.code == 40
    assert f"has the samples of {tars[0]} already, in a group of other tars" in done.err


def test_reprocess_computes_again(tmp_path: Path) -> None:
    file = job(
        tmp_path / "a.yml", input_tars=str(write_samples(tmp_path / "a.tar", 4)), reprocess=True, **OUTPUTS
    )
    assert run(file).code == 0
    calls = Mean.calls
    assert run(file).code == 0
    assert Mean.calls == calls + 2


def test_tars_come_from_commands_and_results_go_to_stores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store in memory stands for s3://; what fsspec knows is read and written alike."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    tar = write_samples(tmp_path / "0.tar", 3)
    store = fsspec.filesystem("memory")
    store.pipe_file("/in/1.tar", write_samples(tmp_path / "1.tar", 2).read_bytes())
    file = job(
        tmp_path / "a.yml",
        input_tars=[f"pipe:cat {tar}", "memory://in/1.tar"],
        output_metadata_dir="memory://results/metadata",
        postprocess_features=["channels"],
        **OUTPUTS,
    )
    assert run(file).code == 0
    names = sorted(Path(path).suffix for path in store.ls("/results/metadata", detail=False))
    assert names == [".json", ".npz", ".parquet"]
    [path] = store.glob("/results/metadata/*.parquet")
    with store.open(path, "rb") as opened:
        assert pq.read_table(opened)["uid"].to_pylist() == [f"{number:032x}" for number in (0, 1, 2, 0, 1)]
    calls = Mean.calls
    assert "Nothing to do" in run(file).out
    store.pipe_file(path, store.cat_file(path)[:-10])  # a truncated upload
    assert run(file).code == 0
    assert Mean.calls == calls
    assert pq.read_metadata(store.open(path, "rb")).num_rows == 5


def test_a_command_that_fails_is_one_line_with_the_tar(tmp_path: Path) -> None:
    done = run(job(tmp_path / "a.yml", input_tars="pipe:cat /none/a.tar", **OUTPUTS))
    assert done.code == 30
    assert "pipe:cat /none/a.tar: " in done.err


@pytest.mark.parametrize(
    ("parts", "kind", "values"),
    [
        pytest.param([[1], [2.5]], pa.float64(), [1.0, 2.5], id="whole numbers and others"),
        pytest.param([[None], [None]], pa.string(), [None, None], id="nulls"),
        pytest.param([[None], [1]], pa.int64(), [None, 1], id="a null and a number"),
        pytest.param([[1], ["a"]], pa.string(), ["1", "a"], id="a number and a text"),
        pytest.param([[True], [2]], pa.string(), ["true", "2"], id="a truth value and a number"),
        pytest.param([[1, "a"]], pa.string(), ["1", "a"], id="both in one tar"),
        pytest.param([[2**70]], pa.string(), [str(2**70)], id="a number that is too large"),
        pytest.param([[[]], [[1.5]]], pa.list_(pa.float64()), [[], [1.5]], id="lists"),
        pytest.param([[[]]], pa.list_(pa.string()), [[]], id="an empty list"),
        pytest.param([[{"a": None}]], pa.struct([("a", pa.string())]), [{"a": None}], id="an object"),
    ],
)
def test_fields_have_one_type_for_all_tars(
    parts: list[list[Any]], kind: pa.DataType, values: list[Any]
) -> None:
    column = TypedValues("anything")
    for part in parts:
        column.see(part)
    assert column.type == kind
    assert [value for part in parts for value in column.array(part).to_pylist()] == values


def test_a_usual_field_has_its_type_without_values() -> None:
    for name, values, kind in (
        ("original_width", [None], pa.int64()),
        ("original_width", ["a"], pa.string()),
    ):
        column = TypedValues(name)
        column.see(values)
        assert column.type == kind
        assert column.array(values).to_pylist() == values


def test_extractors_of_ours_can_be_in_the_file_of_custom_code(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(
        "import pyarrow as pa\n"
        "from tol_luigi.features.extractor import Extractor\n"
        "from tol_luigi.features.registry import register\n"
        "@register('letters')\n"
        "class Letters(Extractor):\n"
        "    columns = (pa.field('letters', pa.int64()),)\n"
        "    def prepare(self, sample):\n        return len(sample.text)\n"
        "    def run(self, batch, before):\n        return {'letters': batch}\n"
    )
    file = job(
        tmp_path / "a.yml",
        models=["letters"],
        custom_pypath=str(tmp_path / "own.py"),
        input_tars=str(write_samples(tmp_path / "a.tar", 3)),
        postprocess_columns=["letters"],
    )
    assert run(file).code == 0
    [path] = (tmp_path / "out").glob("*.parquet")
    assert pq.read_table(path)["letters"].to_pylist() == [8, 8, 8]


CUSTOM = """
import torch

class Brightness(torch.nn.Module):
    name = "brightness"
    raw_inputs = ["image", "text"]
    preprocessors = ["to-tensor", "identity"]
    dependencies = []
    to_device = True
    def __init__(self, device):
        super().__init__()
        self.device = device
    def forward(self, images, texts):
        assert self.device == "cpu" and all(isinstance(text, str) for text in texts)
        means = images.mean(dim=(1, 2, 3), keepdim=False)
        return means.squeeze(), images.mean(dim=(2, 3))

class Darkness(torch.nn.Module):
    name = "darkness"
    raw_inputs = []
    preprocessors = []
    dependencies = ["brightness", "mean"]
    def __init__(self, device):
        super().__init__()
    def forward(self, brightness, means):
        return [[round(1 - value, 3)] for value in brightness[0].reshape(-1).tolist()]

def tensor(image):
    return torch.tensor(list(image.tobytes()), dtype=torch.float32).reshape(*image.size, 3).permute(2, 0, 1) / 255

class Clip(Brightness):
    def forward(self, images, texts):
        return images.mean(dim=(2, 3)), images.mean(dim=(2, 3)) * 2

model_lookup = {"brightness": Brightness, "darkness": Darkness, "oai-clip-vit-b32": Clip}
preprocessor_lookup = {"to-tensor": tensor}
postprocess_parquet_lookup = {
    "brightness-score": lambda cache: cache["brightness"][0],
    "darkness-list": lambda cache: cache["darkness"],
}
postprocess_feature_lookup = {"brightness-channels": lambda cache: cache["brightness"][1]}
"""


def test_14_and_20_models_of_a_file_for_dataset2metadata_run_also_in_a_batch_of_one(tmp_path: Path) -> None:
    python = python_with("torch", "pyarrow", "luigi", "webdataset")
    (tmp_path / "custom.py").write_text(CUSTOM)
    file = job(
        tmp_path / "a.yml",
        models=["mean", "darkness"],
        custom_pypath=str(tmp_path / "custom.py"),
        input_tars=str(write_samples(tmp_path / "a.tar", 5)),
        postprocess_columns=["darkness-list", "mean", "brightness-score", "oai-clip-vit-b32-score"],
        postprocess_features=["brightness-channels", "oai-clip-vit-b32-text"],
    )
    program = "import sys, d2m_jobs, shards; from pathlib import Path; print(d2m_jobs.run(Path(sys.argv[1])))"
    folders = [str(Path(__file__).parent), str(Path(__file__).parents[2])]
    done = subprocess.run(
        [python, "-c", f"import sys; sys.path[:0] = {folders}; {program}", file],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Ran(code=0" in done.stdout, done.stdout + done.stderr
    [path] = (tmp_path / "out").glob("*.parquet")
    rows = pq.read_table(path)
    assert rows.column_names == ["darkness-list", "mean", "brightness-score", "oai-clip-vit-b32-score"]
    means = np.array(rows["mean"].to_pylist()) / 255
    assert np.allclose(rows["brightness-score"].to_pylist(), means, atol=1e-4)
    assert np.allclose(rows["darkness-list"].to_pylist(), 1 - means[:, None], atol=1e-3)
    with np.load(path.with_suffix(".npz")) as arrays:
        assert arrays["brightness-channels"].shape == (5, 3)
        assert np.allclose(arrays["oai-clip-vit-b32-text"], 2 * arrays["brightness-channels"])
        scores = 2 * (arrays["brightness-channels"] ** 2).sum(axis=1)
    assert np.allclose(rows["oai-clip-vit-b32-score"].to_pylist(), scores)


@pytest.mark.parametrize("form", [["--yml", "{}"], ["--yml_path={}"], ["{}"]])
def test_the_command_of_dataset2metadata_runs_a_job(
    tmp_path: Path, form: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    file = job(tmp_path / "a.yml", input_tars=str(write_samples(tmp_path / "a.tar", 2)), **OUTPUTS)
    assert main([part.format(file) for part in form]) == 0
    assert "1 group of tars complete" in capsys.readouterr().out


def test_the_command_of_dataset2metadata_needs_one_file(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([])
    assert "name one file of settings" in capsys.readouterr().err


def test_models_are_run_once_for_all_tars_of_a_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    models = fake_models(monkeypatch, tmp_path / "models")
    loaded: list[str] = []
    monkeypatch.setattr(Fake, "load", lambda self: loaded.append(self.name))
    tars = [str(write_samples(tmp_path / f"{number}.tar", 2)) for number in range(3)]
    file = job(
        tmp_path / "a.yml", models=["faces-scrfd10g"], input_tars=tars, postprocess_columns=["face-boxes"]
    )
    assert run(file, *models).code == 0
    assert loaded == ["scrfd:faces-scrfd10g"]


def test_the_settings_name_models_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings_file: Callable[..., Path]
) -> None:
    models = fake_models(monkeypatch, tmp_path / "models")
    lines = "\n ".join(option for option in models if "=" in option)
    config = settings_file({"features": {"models": f"\n {lines}"}})
    file = job(
        tmp_path / "a.yml",
        models=["oai-clip-vit-b32"],
        input_tars=str(write_samples(tmp_path / "a.tar", 2)),
        postprocess_columns=["oai-clip-vit-b32-score"],
    )
    program = (
        "import sys, pytest, d2m_jobs; from pathlib import Path\n"
        "d2m_jobs.fake_models(pytest.MonkeyPatch(), Path('other'))\n"
        "print(d2m_jobs.run(Path(sys.argv[1])))"
    )
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); {program}",
            file,
        ],
        cwd=tmp_path,
        env={
            "LUIGI_CONFIG_PATH": str(config),
            "PATH": "/usr/bin",
            "PYTHONPATH": str(Path(__file__).parents[2]),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Ran(code=0" in done.stdout, done.stdout + done.stderr


def test_the_example_of_the_page_runs_as_it_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).parents[2] / "docs" / "features-dataset2metadata.md").read_text(encoding="utf-8")
    [example, *_] = re.findall(r"^```yaml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    monkeypatch.chdir(tmp_path)
    for number, count in enumerate((5, 4)):
        samples = [(f"s{key}", captioned(key)) for key in range(count)]
        if number:
            samples[1][1]["png"] = b"no image"
        write_tar(tmp_path / f"birds-{number}.tar", samples)
    (tmp_path / "birds.yml").write_text(example)
    said = "".join(run(tmp_path / "birds.yml").out for _ in range(2))
    [shown] = re.findall(r"^\$ tol features --yml birds.yml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    shown = shown.replace("$ tol features --yml birds.yml\n", "")
    times = r"in \d+\.\d s \(\d+/s\)"
    assert re.sub(times, "", said) == re.sub(times, "", shown)


def test_groups_of_tars_take_turns_on_several_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The extractor only notes its device: it needs no GPU."""
    monkeypatch.setattr(
        Mean, "load", lambda self: (tmp_path / "devices").open("a").write(self.options.device + " ")
    )
    tars = [str(write_samples(tmp_path / f"{number}.tar", 2)) for number in range(4)]
    keys: dict[str, Any] = {"input_tars": tars, "tars_per_wds": 1, "postprocess_columns": ["mean"]}
    done = run(job(tmp_path / "a.yml", device=[0, 2], **keys))
    assert done.code == 0, done.err
    devices = (tmp_path / "devices").read_text().split()
    assert sorted(devices) == ["cuda:0", "cuda:0", "cuda:2", "cuda:2"]
    assert "mean: 8 samples" in done.out  # the summary of all groups
    on_cpu = run(job(tmp_path / "a.yml", device="cpu", **keys))
    assert "Nothing to do" in on_cpu.out
    tasks = [
        ExtractTars(yml=str(tmp_path / "a.yml"), group=name)
        for name in prepared_job(tmp_path / "a.yml", ()).groups
    ]
    assert [task.process_resources() for task in tasks] == [{}] * 4


def test_the_whole_job_can_be_read_back(tmp_path: Path) -> None:
    """Check that every key of dataset2metadata is accepted at once."""
    keys = yaml.safe_load(DATACOMP) | {"tars_per_wds": 1, "device": 0}
    read = read_job(job(tmp_path / "a.yml", **keys))
    assert (read.threads, read.batch, read.devices, len(read.groups)) == (2, 3, ("cuda:0",), 2)
    assert read.datacomp_keys
    assert read.skips
    assert not read.reprocess


REAL = """
import json, shutil, sys
from pathlib import Path
import d2m_jobs, yaml
import numpy as np
toys, folder = Path(sys.argv[1]), Path(sys.argv[2])
models = folder / "models"
for name in ("nsfw", "copies", "faces"):
    (models / name).mkdir(parents=True)
(models / "nsfw" / "model.yml").write_text("clip: oai-clip-vit-l14\\nweights: head.npz\\n")
norm = {f"norm.{name}": np.ones(24) for name in ("weight", "bias", "running_mean", "running_var")}
np.savez(models / "nsfw" / "head.npz", **norm, **{"layers.0.weight": np.ones((1, 24)) / 9, "layers.0.bias": np.zeros(1)})
stated = yaml.safe_load((toys / "copies" / "model.yml").read_text()) | {"references": "references.npy"}
(models / "copies" / "model.yml").write_text(json.dumps(stated | {"weights": "copies.onnx"}))
(models / "copies" / "copies.onnx").write_bytes((toys / "copies" / "copies.onnx").read_bytes())
np.save(models / "copies" / "references.npy", np.eye(12, dtype=np.float32))
(models / "faces" / "model.yml").write_text("size: 64\\nweights: faces.onnx\\n")
(models / "faces" / "faces.onnx").write_bytes((toys / "faces.onnx").read_bytes())
shutil.copytree(toys / "detoxify", models / "texts", ignore=shutil.ignore_patterns("model.yml"))
places = {
    "oai-clip-vit-b32": toys / "hf",
    "oai-clip-vit-l14": toys / "open_clip",
    "nsfw-detoxify": models / "texts",
    "nsfw-image-oai-clip-vit-l-14": models / "nsfw",
    "dedup-isc-ft-v107": models / "copies",
    "faces-scrfd10g": models / "faces",
}
options = [part for name, place in places.items() for part in ("--models", f"{name}={place}")]
print(d2m_jobs.run(Path("datacomp.yml"), *options))
"""


def test_a_job_for_datacomp_runs_with_small_weights_in_the_formats_of_the_large_ones(
    toys: Path, tmp_path: Path
) -> None:
    python = python_with("torch", "transformers", "onnxruntime")
    for number in range(2):
        keys = range(4 * number, 4 * number + 4)
        write_tar(tmp_path / f"{number}.tar", [(f"s{key}", captioned(key)) for key in keys])
    (tmp_path / "datacomp.yml").write_text(DATACOMP)
    folders = os.pathsep.join(map(str, (Path(__file__).parent, Path(__file__).parents[2], OPERATORS)))
    done = subprocess.run(
        [python, "-c", REAL, toys, tmp_path],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": folders},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Ran(code=0" in done.stdout, done.stdout + done.stderr
    [path] = (tmp_path / "out").glob("*.parquet")
    table = pq.read_table(path)
    assert table.num_rows == 8
    with np.load(path.with_suffix(".npz")) as arrays:
        for size in ("b32", "l14"):
            scores = (arrays[f"{size}_img"] * arrays[f"{size}_txt"]).sum(axis=1)
            assert np.allclose(scores, table[f"clip_{size}_similarity_score"].to_pylist(), atol=2e-3)
        assert arrays["dedup-isc-ft-v107-image"].shape == (8, 12)
        assert np.allclose(
            arrays["dedup-isc-ft-v107-image"].max(axis=1), table["dedup"].to_pylist(), atol=1e-3
        )
        # The same weights in two formats.
        assert np.allclose(arrays["b32_img"], arrays["l14_img"], atol=1e-3)
    assert table.drop_columns(["face_bboxes"]).drop_null().num_rows == 8


def test_an_error_of_a_store_is_one_line_with_the_url(monkeypatch: pytest.MonkeyPatch) -> None:
    """Errors of botocore are no OSError. Nothing listens on port 9, and no server is asked for credentials."""
    needs("s3fs")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "none")
    with pytest.raises(ShardError, match=r"^s3://bucket/a\.tar: it cannot be read \(Could not connect"):
        list(TarSamples("s3://bucket/a.tar"))

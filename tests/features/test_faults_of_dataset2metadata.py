"""What goes wrong in dataset2metadata goes right here; the numbers are those of a list of its faults."""

from __future__ import annotations

import configparser
import csv
import io
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shards
from d2m_jobs import Fake, fake_models, job, run
from leaked import copied, leak_scores, write_references
from PIL import Image
from shards import Mean, png, sample, write_samples, write_tar

from tol_luigi.features.d2m import folders
from tol_luigi.features.extractor import Extractor
from tol_luigi.features.registry import register

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tol_luigi.features.extractor import Columns
    from tol_luigi.features.samples import FeatureSample

ROOT = Path(__file__).resolve().parents[2]

COLUMNS = {
    "postprocess_columns": ["mean"],
    "postprocess_features": ["channels"],
    "additional_fields": ["uid"],
}


def only(folder: Path, ending: str) -> Path:
    """Return the one file with an ending."""
    [path] = folder.glob(f"*{ending}")
    return path


def table(folder: Path) -> pa.Table:
    return pq.read_table(only(folder, ".parquet"))


def dropped(folder: Path) -> list[dict[str, str]]:
    with only(folder, ".errors.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def outputs(folder: Path) -> dict[str, bytes]:
    """Return all results but the record, which has times."""
    return {
        path.name: path.read_bytes()
        for path in folder.glob("*.*")
        if path.suffix in (".parquet", ".npz", ".csv")
    }


def uids(*numbers: int) -> list[str]:
    return [f"{number:032x}" for number in numbers]


def test_01_several_tars_are_read_to_their_ends_with_the_webdataset_of_today(tmp_path: Path) -> None:
    tars = [str(write_samples(tmp_path / f"{number}.tar", 3)) for number in range(3)]
    assert run(job(tmp_path / "a.yml", input_tars=tars, **COLUMNS)).code == 0
    assert table(tmp_path / "out")["uid"].to_pylist() == uids(0, 1, 2) * 3


def test_02_a_failure_is_an_exit_code_and_a_line_that_names_shard_and_sample(tmp_path: Path) -> None:
    broken = dict.fromkeys(("s1", "s2", "s4"), sample(1) | {"png": b"no image"})
    good, bad = write_samples(tmp_path / "good.tar", 5), write_samples(tmp_path / "bad.tar", 5, **broken)
    file = job(tmp_path / "a.yml", input_tars=[str(good), str(bad)], tars_per_wds=1, **COLUMNS)
    done = run(file)
    assert done.code == 30
    [line] = [line for line in done.err.splitlines() if "bad.tar" in line]
    assert "3 of 5 samples cannot be used by mean; the first is s1 (decode_error" in line
    assert "1 of 2 groups of tars failed" in done.err
    assert len(list((tmp_path / "out").glob("*.npz"))) == 1  # the other group


def test_02_an_extractor_that_fails_is_named_with_the_tar(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> Any:
        raise ValueError("no such operator")

    monkeypatch.setattr(Mean, "run", fail)
    tar = write_samples(tmp_path / "a.tar", 5)
    done = run(job(tmp_path / "a.yml", input_tars=str(tar), **COLUMNS))
    assert done.code == 30
    said = f"{tar}: extractor mean: it fails for every sample of a batch (ValueError: no such operator)"
    assert said in done.err


@pytest.mark.parametrize("count", [1, 5])
def test_03_a_batch_of_one_is_like_any_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    models = fake_models(monkeypatch, tmp_path / "models")
    tar = write_samples(tmp_path / "a.tar", count)
    file = job(
        tmp_path / "a.yml",
        models=["oai-clip-vit-l14", "nsfw-image-oai-clip-vit-l-14"],
        batch_size=4,
        input_tars=str(tar),
        postprocess_columns=["nsfw-image-score", "oai-clip-vit-l14-score"],
    )
    assert run(file, *models).code == 0
    assert ("nsfw-clip-head:nsfw-image-oai-clip-vit-l-14", 1) in Fake.runs
    assert table(tmp_path / "out").num_rows == count


def test_04_a_write_that_fails_fails_the_group_and_is_made_up_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tar = write_samples(tmp_path / "a.tar", 5)
    file = job(tmp_path / "a.yml", input_tars=str(tar), **COLUMNS)

    def refuse(*_: Any) -> Any:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(folders._Local, "write", refuse)
        done = run(file)
    assert done.code == 30
    assert "No space left on device" in done.err
    assert outputs(tmp_path / "out") == {}
    calls = Mean.calls
    assert run(file).code == 0
    assert Mean.calls == calls  # only the files were missing


@pytest.mark.parametrize("ending", [".npz", ".parquet", ".json"])
def test_05_a_truncated_result_is_made_again(tmp_path: Path, ending: str) -> None:
    tar = write_samples(tmp_path / "a.tar", 5)
    file = job(tmp_path / "a.yml", input_tars=str(tar), **COLUMNS)
    assert run(file).code == 0
    before = outputs(tmp_path / "out")
    path = only(tmp_path / "out", ending)
    os.truncate(path, path.stat().st_size - 10)
    assert run(file).code == 0
    assert outputs(tmp_path / "out") == before


KILLED = """
import sys
from pathlib import Path
import d2m_jobs, shards
shards.kill_after(int(sys.argv[2]))
done = d2m_jobs.run(Path(sys.argv[1]))
print(done.code, shards.Mean.calls, done.err)
"""


def test_05_a_killed_job_leaves_no_result_and_resumes_within_the_shard(tmp_path: Path) -> None:
    tar = write_samples(tmp_path / "a.tar", 30)
    folder = Path(shards.__file__).parent
    results = {}
    for name, kills in (("whole", (0,)), ("killed", (5, 0))):
        file = job(
            tmp_path / f"{name}.yml", input_tars=str(tar), output_metadata_dir=str(tmp_path / name), **COLUMNS
        )
        for parts in kills:
            command = [sys.executable, "-c", KILLED, str(file), str(parts)]
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
            if parts:
                assert done.returncode == -9, done.stderr
                assert outputs(tmp_path / name) == {}
        code, calls, *_ = done.stdout.split()
        assert code == "0", done.stdout
        results[name] = int(calls), outputs(tmp_path / name)
    assert results["killed"][0] < results["whole"][0] == 15
    assert results["killed"][1] == results["whole"][1]


@pytest.mark.parametrize(
    ("members", "extractor", "status"),
    [
        pytest.param({"txt": None}, "words", "missing_text", id="no text"),
        pytest.param({"json": b"{}"}, "json-fields", "missing_fields", id="a json without the key"),
        pytest.param({"json": None}, "json-fields", "missing_fields", id="no json"),
        pytest.param({"png": b"\\x89PNG"}, "mean", "decode_error", id="an undecodable image"),
        pytest.param({"png": None}, "mean", "missing_image", id="no image"),
    ],
)
def test_06_one_bad_sample_costs_one_row_of_both_files_and_is_listed(
    tmp_path: Path, members: dict[str, Any], extractor: str, status: str
) -> None:
    wrong = {key: value for key, value in (sample(2) | members).items() if value is not None}
    tar = write_samples(tmp_path / "a.tar", 5, s2=wrong)
    file = job(tmp_path / "a.yml", models=["mean", "words"], input_tars=str(tar), **COLUMNS)
    done = run(file)
    assert (done.code, "1 dropped" in done.out) == (0, True)
    assert table(tmp_path / "out")["uid"].to_pylist() == uids(0, 1, 3, 4)
    with np.load(only(tmp_path / "out", ".npz")) as arrays:
        assert arrays["channels"].shape == (4, 3)
    [line] = dropped(tmp_path / "out")
    assert (line["tar"], line["key"], line["row"]) == (str(tar), "s2", "2")
    assert (line["extractor"], line["status"]) == (extractor, status)


def test_06_warn_and_continue_allows_any_number_of_bad_samples(tmp_path: Path) -> None:
    broken = dict.fromkeys(("s1", "s2", "s4"), sample(1) | {"png": b"no image"})
    tar = write_samples(tmp_path / "a.tar", 5, **broken)
    file = job(tmp_path / "a.yml", input_tars=str(tar), warn_and_continue=True, **COLUMNS)
    assert run(file).code == 0
    assert table(tmp_path / "out")["uid"].to_pylist() == uids(0, 3)
    assert [line["key"] for line in dropped(tmp_path / "out")] == ["s1", "s2", "s4"]


def test_07_a_model_that_another_needs_is_added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    models = fake_models(monkeypatch, tmp_path / "models")
    file = job(
        tmp_path / "a.yml",
        models=["nsfw-image-oai-clip-vit-l-14"],
        input_tars=str(write_samples(tmp_path / "a.tar", 3)),
        postprocess_columns=["nsfw-image-score"],
    )
    assert run(file, *models).code == 0
    assert {name for name, _ in Fake.runs} == {
        "clip:oai-clip-vit-l14",
        "nsfw-clip-head:nsfw-image-oai-clip-vit-l-14",
    }
    assert table(tmp_path / "out").column_names == ["nsfw-image-score"]


def test_07_missing_weights_are_one_line_before_anything_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = fake_models(monkeypatch, tmp_path / "models", ("faces-scrfd10g",))
    wanted = ["faces-scrfd10g", "nsfw-image-oai-clip-vit-l-14", "nsfw-detoxify"]
    file = job(tmp_path / "a.yml", models=wanted, input_tars="a.tar", postprocess_columns=["face-boxes"])
    done = run(file, *models)
    assert done.code == 40
    [line] = done.err.splitlines()
    assert "no weights are known of nsfw-image-oai-clip-vit-l-14, nsfw-detoxify, oai-clip-vit-l14." in line
    assert "oai-clip-vit-l14: openai/clip-vit-large-patch14 on Hugging Face" in line
    assert Fake.runs == []


@pytest.mark.parametrize("value", [None, "None"])
def test_08_no_custom_code_may_be_written_as_the_scripts_for_slurm_write_it(
    tmp_path: Path, value: str | None
) -> None:
    tar = write_samples(tmp_path / "a.tar", 3)
    file = job(tmp_path / "a.yml", input_tars=str(tar), **COLUMNS)
    file.write_text(f"{file.read_text()}custom_pypath: {value or 'null'}\n")
    assert run(file).code == 0


def test_09_what_is_complete_is_not_made_again_with_or_without_features(tmp_path: Path) -> None:
    tar = write_samples(tmp_path / "a.tar", 5)
    for features in (["channels"], None):
        file = job(tmp_path / "a.yml", input_tars=str(tar), **COLUMNS | {"postprocess_features": features})
        assert run(file).code == 0
        calls, before = Mean.calls, only(tmp_path / "out", ".parquet").stat()
        done = run(file)
        assert (done.code, Mean.calls) == (0, calls)
        assert "Nothing to do" in done.out
        assert only(tmp_path / "out", ".parquet").stat().st_mtime_ns == before.st_mtime_ns
    assert not list((tmp_path / "out").glob("*.npz"))  # no longer asked for


def test_09_a_changed_model_is_computed_again_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = fake_models(monkeypatch, tmp_path / "models")
    file = job(
        tmp_path / "a.yml",
        models=["oai-clip-vit-b32", "oai-clip-vit-l14"],
        input_tars=str(write_samples(tmp_path / "a.tar", 3)),
        postprocess_columns=["oai-clip-vit-b32-score", "oai-clip-vit-l14-score"],
    )
    assert run(file, *models).code == 0
    before = table(tmp_path / "out").to_pydict()
    Fake.runs.clear()
    (tmp_path / "models" / "oai-clip-vit-b32.bin").write_text("other weights")
    assert run(file, *models).code == 0
    assert {name for name, _ in Fake.runs} == {"clip:oai-clip-vit-b32"}
    after = table(tmp_path / "out").to_pydict()
    assert after["oai-clip-vit-l14-score"] == before["oai-clip-vit-l14-score"]
    assert after["oai-clip-vit-b32-score"] != before["oai-clip-vit-b32-score"]


def test_09_further_columns_are_computed_and_the_rest_is_kept(tmp_path: Path) -> None:
    tar = write_samples(tmp_path / "a.tar", 5)
    assert run(job(tmp_path / "a.yml", input_tars=str(tar), **COLUMNS)).code == 0
    calls = Mean.calls
    more = COLUMNS | {"postprocess_columns": ["words", "mean"]}
    assert run(job(tmp_path / "a.yml", models=["mean", "words"], input_tars=str(tar), **more)).code == 0
    assert Mean.calls == calls
    assert table(tmp_path / "out").column_names == ["words", "mean", "uid"]


def test_09_a_list_of_tars_and_a_text_with_braces_are_the_same_work(tmp_path: Path) -> None:
    tars = [str(write_samples(tmp_path / f"{number}.tar", 3)) for number in range(2)]
    assert run(job(tmp_path / "a.yml", input_tars=tars, **COLUMNS)).code == 0
    before = sorted(path.name for path in (tmp_path / "out").glob("*.*"))
    calls = Mean.calls
    done = run(job(tmp_path / "b.yml", input_tars=str(tmp_path / "{0..1}.tar"), **COLUMNS))
    assert (done.code, Mean.calls) == (0, calls)
    assert "Nothing to do" in done.out
    assert sorted(path.name for path in (tmp_path / "out").glob("*.*")) == before


def test_09_a_changed_tar_is_read_again(tmp_path: Path) -> None:
    tar = write_samples(tmp_path / "a.tar", 3)
    file = job(tmp_path / "a.yml", input_tars=str(tar), **COLUMNS)
    assert run(file).code == 0
    write_samples(tar, 4)
    assert run(file).code == 0
    assert table(tmp_path / "out")["uid"].to_pylist() == uids(0, 1, 2, 3)


def test_09_a_tar_that_is_gone_costs_nothing_when_all_is_done(tmp_path: Path) -> None:
    tar = write_samples(tmp_path / "a.tar", 3)
    file = job(tmp_path / "a.yml", input_tars=str(tar), **COLUMNS)
    assert run(file).code == 0
    tar.unlink()
    assert "Nothing to do" in run(file).out


def test_10_the_number_of_workers_changes_neither_order_nor_a_byte(tmp_path: Path) -> None:
    tars = [str(write_samples(tmp_path / f"{number}.tar", 5)) for number in range(2)]
    found = {}
    for workers in (0, 1, 4):
        out = tmp_path / f"out{workers}"
        file = job(
            tmp_path / "a.yml", input_tars=tars, nworkers=workers, output_metadata_dir=str(out), **COLUMNS
        )
        assert run(file).code == 0
        found[workers] = outputs(out)
        assert table(out)["uid"].to_pylist() == uids(*range(5), *range(5))
    assert found[0] == found[1] == found[4] != {}


def test_11_a_group_without_faces_has_the_same_types(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    models = fake_models(monkeypatch, tmp_path / "models")
    dark, light = io.BytesIO(), io.BytesIO()
    Image.new("RGB", (8, 8), "black").save(dark, "PNG")
    Image.new("RGB", (8, 8), "white").save(light, "PNG")
    tars = [
        str(write_tar(tmp_path / f"{name}.tar", [("s0", sample(0) | {"png": image.getvalue()})]))
        for name, image in (("dark", dark), ("light", light))
    ]
    file = job(
        tmp_path / "a.yml",
        models=["faces-scrfd10g"],
        input_tars=tars,
        tars_per_wds=1,
        postprocess_columns=["face-boxes"],
    )
    assert run(file, *models).code == 0
    tables = [pq.read_table(path) for path in (tmp_path / "out").glob("*.parquet")]
    assert {str(one.schema.field("face-boxes").type) for one in tables} == {
        "list<element: list<element: double>>"
    }
    assert sorted(one["face-boxes"].to_pylist() for one in tables) == [[[]], [[[0.25, 0.25, 0.75, 0.75]]]]


def test_12_caption_becomes_text_as_datacomp_reads_it(tmp_path: Path) -> None:
    captioned = sample(0) | {"json": json.dumps({"uid": "0" * 32, "caption": "a bird"}).encode()}
    tar = write_tar(tmp_path / "a.tar", [("s0", captioned)])
    file = job(
        tmp_path / "a.yml", input_tars=str(tar), additional_fields=["uid", "caption"], use_datacomp_keys=True
    )
    assert run(file).code == 0
    assert table(tmp_path / "out").to_pylist() == [{"uid": "0" * 32, "text": "a bird"}]


def test_13_scores_are_computed_in_single_precision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    models = fake_models(monkeypatch, tmp_path / "models")
    file = job(
        tmp_path / "a.yml",
        models=["oai-clip-vit-b32"],
        input_tars=str(write_samples(tmp_path / "a.tar", 5)),
        postprocess_columns=["oai-clip-vit-b32-score"],
        postprocess_features=["oai-clip-vit-b32-image", "oai-clip-vit-b32-text"],
    )
    assert run(file, *models).code == 0
    scores = table(tmp_path / "out")["oai-clip-vit-b32-score"]
    assert scores.type == pa.float64()
    with np.load(only(tmp_path / "out", ".npz")) as arrays:
        assert {array.dtype for array in arrays.values()} == {np.dtype(np.float32)}
        half = (arrays["oai-clip-vit-b32-image"] * arrays["oai-clip-vit-b32-text"]).sum(axis=1)
    found = np.array(scores.to_pylist())
    assert np.array_equal(found, found.astype(np.float32))
    assert not np.array_equal(found, found.astype(np.float16))
    assert np.allclose(found, half, atol=2e-3)


@register("sharing")
class Sharing(Extractor):
    """Changes what it shares with another extractor, or tries to."""

    columns = (pa.field("shared", pa.float64()),)

    def prepare(self, sample: FeatureSample) -> Any:
        """Return an array that is made once."""
        return sample.shared("pixels", lambda one: np.asarray(one.image))

    def run(self, batch: list[Any], before: Mapping[str, Columns]) -> Columns:
        """Return the means."""
        assert not before
        for pixels in batch:
            with pytest.raises(ValueError, match="read-only"):
                pixels[:] = 0
        return {"shared": [float(pixels.mean()) for pixels in batch]}


def test_14_two_models_share_what_is_prepared_and_cannot_change_it(tmp_path: Path) -> None:
    file = job(
        tmp_path / "a.yml",
        models=["sharing", "mean"],
        input_tars=str(write_samples(tmp_path / "a.tar", 4)),
        postprocess_columns=["shared", "mean"],
    )
    assert run(file).code == 0
    rows = table(tmp_path / "out")
    assert rows["shared"].to_pylist() == rows["mean"].to_pylist()


def test_15_the_image_of_the_benchmark_that_leaked_is_named(tmp_path: Path) -> None:
    benchmark = write_references(tmp_path / "rare", {"bird/leaked.jpg": copied(3), "other.jpg": copied(50)})
    rows = leak_scores(tmp_path, benchmark, range(6))
    leaked = rows.pop("s3")
    assert leaked["leak_rare_max"] > 0.99
    assert leaked["leak_rare_phash_min"] <= 4
    assert leaked["leak_rare_ref"] == leaked["leak_rare_phash_ref"] == "bird/leaked.jpg"
    assert all(row["leak_rare_max"] < 0.604169 and row["leak_rare_phash_min"] > 10 for row in rows.values())


def test_16_a_truncated_image_is_no_half_grey_one(tmp_path: Path) -> None:
    written = io.BytesIO()
    Image.open(io.BytesIO(png(0, 64))).save(written, "JPEG")
    cut = {"jpg": written.getvalue()[:1000], "json": sample(0)["json"]}
    tar = write_samples(tmp_path / "a.tar", 3, s0=cut)
    assert run(job(tmp_path / "a.yml", input_tars=str(tar), **COLUMNS)).code == 0
    assert [(line["key"], line["status"]) for line in dropped(tmp_path / "out")] == [("s0", "truncated")]


def test_16_images_of_other_kinds_are_upright_and_in_rgb(tmp_path: Path) -> None:
    red, exif = Image.new("RGB", (8, 8), "red"), Image.Exif()
    exif[0x0112] = 6
    clear = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    kinds: list[tuple[str, Image.Image, dict[str, Any]]] = [
        ("tif", red, {"format": "TIFF"}),
        ("gif", red, {"format": "GIF", "save_all": True, "append_images": [Image.new("RGB", (8, 8))]}),
        ("bmp", red, {"format": "BMP"}),
        ("jpg", red.convert("CMYK"), {"format": "JPEG"}),
        ("jpg", red, {"format": "JPEG", "exif": exif}),
        ("png", clear, {"format": "PNG"}),
        *(("png", Image.new("I;16", (8, 8), grey << 8), {"format": "PNG"}) for grey in (0, 100, 255)),
        ("png", Image.new("I;16", (8, 8), 100 << 8), {"format": "PNG", "transparency": 100 << 8}),
        ("tif", Image.new("F", (8, 8), 100), {"format": "TIFF"}),
    ]
    samples = []
    for number, (extension, image, options) in enumerate(kinds):
        image.save(written := io.BytesIO(), **options)
        samples.append((f"s{number}", {extension: written.getvalue(), "json": sample(number)["json"]}))
    tar = write_tar(tmp_path / "a.tar", samples)
    assert run(job(tmp_path / "a.yml", input_tars=str(tar), **COLUMNS)).code == 0
    with np.load(only(tmp_path / "out", ".npz")) as arrays:
        greys = [[grey] * 3 for grey in (255, 0, 100, 255, 255, 100)]
        assert np.allclose(arrays["channels"], [[255, 0, 0]] * 5 + greys, atol=5)


@pytest.mark.parametrize("device", ["cpu", -1])
def test_17_the_processor_will_do(tmp_path: Path, device: str | int) -> None:
    file = job(
        tmp_path / "a.yml", device=device, input_tars=str(write_samples(tmp_path / "a.tar", 2)), **COLUMNS
    )
    assert run(file).code == 0


def test_18_nothing_is_required_that_only_git_or_a_gpu_has() -> None:
    parser = configparser.RawConfigParser()
    parser.read(ROOT / "setup.cfg")
    required = parser["options"]["install_requires"].lower()
    assert not {"git+", "wandb", "torch", "tensorflow"}.intersection(required.split())
    assert all(name not in required for name in ("git+", "wandb", "torch", "tensorflow"))


def test_19_nothing_is_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    models = fake_models(monkeypatch, tmp_path / "models")
    tar = write_samples(tmp_path / "a.tar", 2)
    assert (
        run(
            job(tmp_path / "a.yml", models=["mean", "faces-scrfd10g"], input_tars=str(tar), **COLUMNS),
            *models,
        ).code
        == 0
    )


@register("number")
class Number(Extractor):
    """A field of the json, as the input of a model."""

    columns = (pa.field("number_squared", pa.int64()),)
    batch_size = 3

    def prepare(self, sample: FeatureSample) -> int:
        """Return the field."""
        return int(sample.fields["number"])

    def run(self, batch: list[int], before: Mapping[str, Columns]) -> Columns:
        """Return its square."""
        assert not before
        assert len(batch) <= 3
        return {"number_squared": [number**2 for number in batch]}


def test_20_fields_of_the_json_feed_models_which_have_their_own_batches_and_are_recorded(
    tmp_path: Path,
) -> None:
    file = job(
        tmp_path / "a.yml",
        models=["number"],
        batch_size=100,
        input_tars=str(write_samples(tmp_path / "a.tar", 5)),
        postprocess_columns=["number_squared"],
        additional_fields=["number"],
    )
    assert run(file).code == 0
    assert table(tmp_path / "out").to_pydict() == {
        "number_squared": [0, 1, 4, 9, 16],
        "number": [0, 1, 2, 3, 4],
    }
    family = only(tmp_path / "out" / ".families" / "number", ".json")
    assert len(json.loads(family.read_text())["inputs"]["fingerprint"]) == 64

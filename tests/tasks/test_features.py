"""Features as stages of a build: made after the shards, kept while nothing changes, and part of the manifest."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow.dataset as pads
import pyarrow.parquet as pq
import pytest
from PIL import Image

if TYPE_CHECKING:
    from pathlib import Path


Build = Callable[..., Any]

OWN = """
import pyarrow as pa
from tol_luigi.features.extractor import Extractor
from tol_luigi.features.registry import register

@register("redness")
class Redness(Extractor):
    columns = (pa.field("redness", pa.float64()), pa.field("words", pa.int64()))
    reads_text = True

    def prepare(self, sample):
        return sample.image.resize((1, 1)).getpixel((0, 0)), len(sample.text.split())

    def run(self, batch, before):
        return {"redness": [pixel[0] / 255 for pixel, _ in batch], "words": [words for _, words in batch]}
"""


def with_features(sections: dict[str, Any], folder: Path, **features: str) -> dict[str, Any]:
    """Return settings with an extractor of the user's own."""
    (folder / "own.py").write_text(OWN, encoding="utf-8")
    return sections | {"features": {"files": "own.py", "extractors": "redness", **features}}


@pytest.fixture
def attempt(
    bioscan_settings: dict[str, Any], tmp_path: Path, settings_file: Callable[..., Path], build: Build
) -> Build:
    """Run a task with an extractor of the user's own, and other settings of features; the dataset is ``out/sample``."""

    def run(task: str = "BuildCatalog", **features: str) -> Any:
        return build(settings_file(with_features(bioscan_settings, tmp_path, **features)), task=task)

    return run


@pytest.fixture
def built(copy_of_build: Callable[..., Path], attempt: Build) -> Path:
    """A dataset with features, in the test's folder."""
    return copy_of_build("feature-build", attempt)


def test_a_build_has_features_of_every_sample_and_lists_them_in_the_manifest(
    built: Path, attempt: Build, digests: Callable[..., dict[str, str]]
) -> None:
    folder = built
    shards = folder / "224x224"
    catalog = pq.read_table(shards / "catalog.parquet").to_pandas()
    expected = set(catalog[catalog["split"] != "train_small"]["treeoflife_id"])
    rows = pads.dataset(sorted(map(str, shards.glob("features/redness/*/*.parquet")))).to_table().to_pylist()
    assert {row["key"] for row in rows} == expected
    assert len(rows) == len(expected)
    assert {row["uid"] for row in rows} == {uid.replace("-", "") for uid in expected}
    assert all(row["status"] == "ok" and row["words"] > 3 for row in rows)

    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["files"]
    features = {name for name in digests(folder) if "/features/" in name}
    assert features <= set(manifest)
    checked = subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=folder, check=False)
    assert checked.returncode == 0

    before = digests(folder)
    assert attempt().returncode == 0
    assert digests(folder) == before


def test_other_extractors_leave_the_dataset_and_the_features_there_are_as_they_were(
    built: Path, attempt: Build, digests: Callable[..., dict[str, str]]
) -> None:
    folder = built
    before = digests(folder / "224x224", "**/*.tar") | digests(folder / "224x224", "features/redness/**/*")
    finished = attempt("ExtractFeatures", extractors="redness\n hash")
    assert finished.returncode == 0, finished.stderr
    assert before.items() <= digests(folder / "224x224").items()
    assert list(folder.glob("224x224/features/hash/train/*.parquet"))


def test_a_view_joins_catalog_and_features(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = built
    monkeypatch.chdir(folder / "224x224")
    with duckdb.connect() as database:
        database.execute((folder / "224x224" / "features" / "views.sql").read_text(encoding="utf-8"))
        rows = database.execute(
            "SELECT treeoflife_id, redness, redness_status FROM features WHERE split <> 'train_small' AND sha256 <> ''"
        ).fetchall()
    assert len(rows) == 18
    assert all(0 <= redness <= 1 and status == "ok" for _, redness, status in rows)


def test_a_damaged_file_of_features_is_found_and_made_again(built: Path, attempt: Build) -> None:
    folder = built
    (table,) = folder.glob("224x224/features/redness/val/*.parquet")
    content = table.read_bytes()
    table.write_bytes(content[:-1] + b"x")
    finished = attempt("VerifyDataset")
    assert finished.returncode == 30
    assert table.name in finished.stdout + finished.stderr
    table.unlink()
    assert attempt().returncode == 0
    assert table.read_bytes() == content


def write_reference(shard: Path, path: Path, number: int) -> str:
    """Write a smaller copy of an image of a shard; return the key of its sample."""
    with tarfile.open(shard) as tar:
        member = [one for one in tar if one.name.endswith(".jpg")][number]
        with Image.open(tar.extractfile(member)) as image:  # type: ignore[arg-type]  # a file
            path.parent.mkdir(exist_ok=True)
            image.resize((201, 190)).save(path, quality=70)
    return member.name.removesuffix(".jpg")


def test_samples_that_leaked_from_a_benchmark_are_named_and_other_references_change_nothing_else(
    built: Path,
    attempt: Build,
    tmp_path: Path,
    digests: Callable[..., dict[str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = built / "224x224"
    shard = min(folder.glob("train/*.tar"))
    leaked = write_reference(shard, tmp_path / "rare" / "leaked.jpg", 2)
    (tmp_path / "rare" / "broken.jpg").write_bytes(b"no image")
    before = digests(folder, "features/redness/**/*")

    def run() -> str:
        finished = attempt("ExtractFeatures", extractors="redness\n hash", references="rare = rare")
        assert finished.returncode == 0, finished.stderr
        monkeypatch.chdir(folder)
        with duckdb.connect() as database:
            database.execute((folder / "features" / "views.sql").read_text(encoding="utf-8"))
            query = "SELECT treeoflife_id, leak_rare_phash_ref FROM features WHERE split = 'train' AND leak_rare_phash_min <= 4"
            rows = database.execute(query).fetchall()
        return " ".join(f"{key} {name}" for key, name in sorted(rows))

    assert run() == f"{leaked} leaked.jpg"
    assert before.items() <= digests(folder).items()
    report = (folder / "features" / "report.txt").read_text(encoding="utf-8")
    assert "references: 2 images, 1 of them unusable\n    broken.jpg: decode_error" in report
    first = digests(folder)
    run()
    assert digests(folder) == first
    second = write_reference(shard, tmp_path / "rare" / "more.jpg", 0)
    assert run() == " ".join(sorted([f"{leaked} leaked.jpg", f"{second} more.jpg"]))
    changed = {name for name, digest in digests(folder).items() if digest != first.get(name)}
    kept = ("leak-rare/", "features/references/", "features/report.")
    assert [name for name in changed if not any(one in name for one in kept)] == []


@pytest.mark.parametrize(
    ("features", "said"),
    [
        ({"extractors": "hash", "references": 'ra"re = .'}, "is not of the form <name> = <path>"),
        ({"extractors": "hash", "references": "rare = none"}, "it does not exist"),
        ({"references": "rare = ."}, "no extractor has hashes or vectors to compare"),
        ({"extractors": "redness\n nothing"}, "there is no extractor nothing"),
        ({"files": "none.py"}, "it does not exist"),
        ({"models": "clip"}, "is not of the form <name> = <path>"),
        ({"models": "clip = none"}, "it does not exist"),
        ({"profile": "heavy"}, "heavy"),
    ],
)
def test_wrong_settings_are_one_line(attempt: Build, features: dict[str, str], said: str) -> None:
    finished = attempt(**features)
    assert finished.returncode == 40
    (message,) = finished.messages
    assert said in message
    assert "[features]" in message


def test_a_file_of_extractors_that_fails_is_one_line(
    bioscan_settings: dict[str, Any], tmp_path: Path, settings_file: Callable[..., Path], build: Build
) -> None:
    settings = settings_file(with_features(bioscan_settings, tmp_path))
    (tmp_path / "own.py").write_text("import nothing_of_this_name\n", encoding="utf-8")
    finished = build(settings)
    assert finished.returncode == 40
    assert "own.py" in finished.messages[0]
    assert "nothing_of_this_name" in finished.messages[0]


def test_a_command_exports_what_is_computed(
    built: Path, bioscan_settings: dict[str, Any], tmp_path: Path, settings_file: Callable[..., Path]
) -> None:
    settings = settings_file(with_features(bioscan_settings, tmp_path))
    command = [sys.executable, "-m", "tol_luigi", "features", "--config", settings, "--export", "datacomp"]

    def export(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
        )

    done = export("--output", "datacomp")
    assert done.returncode == 0, done.stderr
    rows = pads.dataset(sorted(map(str, (tmp_path / "datacomp").glob("*.parquet")))).to_table()
    catalog = pq.read_table(built / "224x224" / "catalog.parquet")
    expected = [row for row in catalog.to_pylist() if row["split"] != "train_small"]
    assert sorted(rows["uid"].to_pylist()) == sorted(
        row["treeoflife_id"].replace("-", "") for row in expected
    )
    assert rows["redness"].null_count == 0
    assert all(text.startswith("a photo of ") for text in rows["text"].to_pylist())
    for arguments, said in (
        (
            ["--output", "other", "--set", "features.extractors=hash"],
            "not all features are computed. Run tol features",
        ),
        ([], "--output: it is missing"),
    ):
        done = export(*arguments)
        assert done.returncode == 40
        assert said in done.stderr


def test_models_and_extractors_are_listed_with_what_they_lack(tmp_path: Path) -> None:
    (tmp_path / "own").write_text("weights", encoding="utf-8")
    settings = tmp_path / "settings.cfg"
    settings.write_text("[features]\nmodels = mine = own\n", encoding="utf-8")
    listed = subprocess.run(
        [sys.executable, "-m", "tol_luigi", "features", "models", "--config", settings],
        capture_output=True,
        text=True,
        check=True,
    )
    states = dict(line.split(maxsplit=1) for line in listed.stdout.splitlines() if line)
    assert states["hash"] == "ready"
    assert states["clip:<model>"] == "needs a model"
    digest = hashlib.sha256(b"weights").hexdigest()
    assert states["mine"] == f"{tmp_path / 'own'}, SHA-256 {digest[:12]}"
    assert "missing; for clip:oai-clip-vit-b32" in states["oai-clip-vit-b32"]


def test_a_task_on_a_gpu_takes_one(
    bioscan_settings: dict[str, Any], tmp_path: Path, settings_file: Any
) -> None:
    program = """
from tol_luigi.tasks.features import ExtractShards, feature_shares
from tol_luigi.tasks.settings import settings
tasks = [ExtractShards(**share) for share in feature_shares(settings())]
taken = [task.process_resources() for task in tasks]
print(taken[0] if all(one == taken[0] for one in taken) else taken[:3])
assert all(task.device in settings().features.devices for task in tasks)
"""
    several = [{"gpu_0": 1}, {"gpu_2": 1}, {"gpu_0": 1}]
    for device, taken in (("cpu", "{}"), ("cuda:1", "{'gpu': 1}"), ("cuda:0, cuda:2", str(several))):
        settings = settings_file(with_features(bioscan_settings, tmp_path, device=device))
        done = subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "LUIGI_CONFIG_PATH": str(settings)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout.strip() == taken, done.stderr

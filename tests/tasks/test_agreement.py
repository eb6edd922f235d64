"""Agreement of images and taxa as stages of a build, with the small model of the tests."""

from __future__ import annotations

import csv
import os
import random
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.dataset as pads
import pytest
from toy_taxa import TAXA, drawn
from toys import OPERATORS, torch_python, write_toys

if TYPE_CHECKING:
    from collections.abc import Callable

RANKS = ("kingdom", "phylum", "class", "order", "family", "genus", "species")
EACH = 6


@pytest.fixture(scope="session")
def toys(once: Callable[..., Path]) -> Path:
    return once("toys", write_toys)


def draw(folder: Path) -> set[str]:
    """Draw images of all taxa, and a table of their labels, of which some are wrong; return the wrong ones' files."""
    chance, wrong = random.Random(5), set()  # noqa: S311 (drawings)
    images = folder / "images"
    images.mkdir()
    with (folder / "labels.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["file", *RANKS])
        for number, taxon in enumerate(TAXA):
            for one in range(EACH):
                name = f"{number:02}-{one}.png"
                drawn(taxon, chance).save(images / name)
                label = taxon
                if one == 0:  # the label of a taxon of another shape and another colour
                    label = TAXA[(number + 6) % len(TAXA)]
                    wrong.add(name)
                table.writerow([name, *label])
    return wrong


def auc(good: list[float], bad: list[float]) -> float:
    """Return the probability that a good value is above a bad one."""
    pairs = [(one > other) + (one == other) / 2 for one in good for other in bad]
    return sum(pairs) / len(pairs)


def rows(folder: Path, family: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (
        pads.dataset(sorted(map(str, folder.glob(f"*/features/{family}/*/*.parquet")))).to_table().to_pylist()
    )
    return found


def sections_of(folder: Path, model: Path) -> dict[str, Any]:
    """Return the settings of a dataset of drawn images, and a model to compare them with their taxa."""
    return {
        "dataset": {"root": "out", "tag": "toys", "val_percent": 0},
        "folder": {"images": folder / "images", "labels": folder / "labels.csv"},
        "images": {"width": 32, "height": 32},
        "features": {
            "models": f"toy = {model}",
            "agreement": "clip:toy",
            "taxon_texts": "taxonomic_name.txt",
            "text": "taxonomic_name.txt",
        },
    }


def test_a_model_that_states_no_logit_scale_is_one_line(
    toys: Path, tmp_path: Path, settings_file: Any, build: Any
) -> None:
    draw(tmp_path)
    shutil.copytree(toys / "onnx", tmp_path / "model")
    stated = tmp_path / "model" / "model.yml"
    lines = stated.read_text(encoding="utf-8").splitlines(keepends=True)
    stated.write_text("".join(line for line in lines if "logit_scale" not in line), encoding="utf-8")
    finished = build(settings_file(sections_of(tmp_path, tmp_path / "model")), task="EmbedTaxa")
    assert finished.returncode == 30
    assert f"{stated}: logit_scale: nothing states it" in finished.messages[0]


def test_wrong_labels_are_found_and_a_second_run_does_nothing(
    toys: Path, tmp_path: Path, settings_file: Any, build: Any, digests: Any
) -> None:
    wrong = draw(tmp_path)
    sections = sections_of(tmp_path, toys / "onnx")
    finished = build(settings_file(sections))
    assert finished.returncode == 0, finished.stderr

    folder = tmp_path / "out" / "toys"
    catalog = pads.dataset(folder / "32x32" / "catalog.parquet").to_table().to_pylist()
    files = {row["treeoflife_id"]: row["folder_file"] for row in catalog}
    scores: dict[bool, list[float]] = {True: [], False: []}
    for row in rows(folder, "agree-toy"):
        assert row["status"] == "ok"
        scores[files[row["key"]] in wrong].append(row["agree_cos"])
    assert len(scores[True]) == len(TAXA)
    assert auc(scores[False], scores[True]) > 0.9
    distances = rows(folder, "proto-toy")
    assert len(distances) == EACH * len(TAXA)
    near = [row["proto_cos"] for row in distances if files[row["key"]] not in wrong]
    far = [row["proto_cos"] for row in distances if files[row["key"]] in wrong]
    assert np.mean(near) > np.mean(far)

    before = digests(folder)
    assert build(settings_file(sections)).returncode == 0
    assert digests(folder) == before


def test_a_model_is_written_as_onnx_by_its_command(toys: Path, tmp_path: Path) -> None:
    folders = [str(OPERATORS), str(Path(__file__).parents[2])]
    command = [
        torch_python(),
        "-m",
        "tol_luigi",
        "features",
        "--to-onnx",
        "toy",
        "--models",
        f"toy={toys / 'hf'}",
    ]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(folders)}
    done = subprocess.run(
        [*command, "--output", tmp_path / "onnx"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (tmp_path / "onnx").iterdir()} >= {"image.onnx", "text.onnx", "model.yml"}
    assert "the vectors differ by" in done.stdout

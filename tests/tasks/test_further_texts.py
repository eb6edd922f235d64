"""Further texts of samples, from the settings to the readers."""

from __future__ import annotations

import gc
import os
from typing import TYPE_CHECKING, Any

import datasets
import pyarrow.parquet as pq
import pytest
from PIL import Image

import tol_luigi
from tol_luigi.dataset.exports.run import export
from tol_luigi.features.samples import FeatureSample

if TYPE_CHECKING:
    from pathlib import Path

    from forked import Forks

TEMPLATES = """
    note.txt = A photo of {common}, {scientific}[, found in {country}].
    txt = {family}: {site}"""


@pytest.fixture
def settings(settings_file: Any, tmp_path: Path) -> Path:
    (tmp_path / "photos").mkdir()
    for number in range(6):
        Image.new("RGB", (8, 8), (number * 10, 90, 7)).save(tmp_path / "photos" / f"{number}.png")
    write_labels(tmp_path, "pond", "Peru")
    path: Path = settings_file(
        {
            "dataset": {"root": "out", "tag": "birds"},
            "folder": {"images": "photos", "labels": "labels.csv", "partitions": 1},
            "texts": {"templates": TEMPLATES},
            "checks": {"changed_sources": "rebuild"},
        }
    )
    return path


def write_labels(folder: Path, site: str, country: str) -> None:
    rows = [f"{n}.png,Corvidae,Corvus,corax,raven,{country if n else ''},{site}\n" for n in range(6)]
    head = "file,family,genus,species,common,Country,site\n"
    (folder / "labels.csv").write_text("".join([head, *rows]), encoding="utf-8")


def test_every_sample_has_its_further_texts(
    *, forks: Forks, settings: Path, tmp_path: Path, samples: Any
) -> None:
    ended = forks.build(settings, "BuildCatalog")
    directory = tmp_path / "out" / "birds"
    assert ended.code == 0, ended.output
    written = samples(directory, "train")
    notes = sorted(members["note.txt"].decode() for members in written.values())
    assert notes == [
        "A photo of raven, Corvus corax, found in Peru.",
        *["A photo of raven, Corvus corax, found in Peru."] * 4,
        "A photo of raven, Corvus corax.",
    ]
    assert {members["txt"] for members in written.values()} == {b"Corvidae: pond"}
    assert all(list(members) == sorted(members) for members in written.values())

    dataset = tol_luigi.Dataset.open(directory)
    assert {dataset[image].texts["txt"] for image in dataset} == {"Corvidae: pond"}
    verified = forks.build(settings, "VerifyDataset")
    assert verified.code == 0, verified.output

    write_labels(tmp_path, "lake", "Peru")
    os.utime(tmp_path / "labels.csv", (2e9, 2e9))
    assert forks.build(settings, "BuildCatalog").code == 0
    assert {members["txt"] for members in samples(directory, "train").values()} == {b"Corvidae: lake"}


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # of webdataset and datasets
def test_one_json_member_has_all_texts_for_every_reader(
    *, forks: Forks, settings: Path, tmp_path: Path, samples: Any
) -> None:
    plain = settings.with_name("plain.cfg")
    plain.write_text(settings.read_text().replace("= birds", "= plain"))
    settings.write_text(settings.read_text().replace("[texts]", "[texts]\nform = json"))
    folders = [tmp_path / "out" / tag for tag in ("plain", "birds")]
    for file in (plain, settings):
        ended = forks.build(file, "BuildCatalog")
        assert ended.code == 0, ended.output
    files, dataset = (tol_luigi.Dataset.open(folder) for folder in folders)
    written = samples(folders[1], "train")

    assert {tuple(members) for members in written.values()} == {("jpg", "json", "txt")}
    assert {image: dataset[image].texts for image in dataset} == {
        image: files[image].texts for image in files
    }
    assert forks.build(settings, "VerifyDataset").code == 0

    def expected(image: str, name: str) -> str:
        return files[image].texts[f"{name}.txt"]

    pipeline = list(dataset.webdataset("train"))
    assert len(pipeline) == 6
    for sample in pipeline:
        assert sample["json"]["taxonTag"] == expected(sample["__key__"], "taxonTag")
        assert sample["txt"] == "Corvidae: pond"
    loaded = datasets.load_dataset(
        str(folders[1] / "224x224"), split="train", cache_dir=str(tmp_path / "cache")
    )
    for row in loaded:
        assert row["json"]["sci_com"] == expected(row["__key__"], "sci_com")
    for key, members in written.items():
        assert FeatureSample(key, dict(members), 0, "sci_com.txt").text == expected(key, "sci_com")
        assert FeatureSample(key, dict(members), 0, "taxontag.txt").text == expected(key, "taxonTag")
    rows = []
    for number, one in enumerate((files, dataset)):
        export(one, "parquet", tmp_path / f"{number}")
        rows.append(pq.read_table(tmp_path / f"{number}" / "data"))
    assert rows[0].equals(rows[1])
    gc.collect()


@pytest.mark.parametrize(
    ("templates", "code", "what"),
    [
        pytest.param(
            "note.txt = found in {country}",
            30,
            "[texts] templates: note.txt: {country} is empty for 1 image, such as '0.png' of folder. Fill it in, or",
            id="an empty field",
        ),
        pytest.param(
            "note.txt = found in {town}",
            30,
            "lacks the column town, which [texts] templates names. Name one of its columns: file, family, ",
            id="a column that is not there",
        ),
        pytest.param(
            "sci.txt = a",
            40,
            "[texts] templates = sci.txt = a: 'sci.txt' is taken by another member",
            id="a name that is taken",
        ),
    ],
)
def test_what_is_wrong_is_one_line(
    forks: Forks, settings: Path, templates: str, code: int, what: str
) -> None:
    settings.write_text(settings.read_text().replace(TEMPLATES, templates))
    ended = forks.build(settings, "PredictCatalog")

    assert ended.code == code, ended.output
    assert "Traceback" not in ended.output
    assert [what in line for line in ended.messages] == [True]


def test_columns_need_a_table(forks: Forks, settings: Path) -> None:
    text = settings.read_text().replace("[folder]", "[imagefolder]").replace("labels = labels.csv\n", "")
    settings.write_text(text)
    ended = forks.build(settings, "PredictCatalog")

    assert ended.code == 40
    assert "no used source has a table with a column country. Use kingdom, phylum, " in ended.messages[0]

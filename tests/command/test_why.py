"""``tol why``: the life of one image, whatever has become of it."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

Tol = Callable[..., subprocess.CompletedProcess[str]]
Sections = dict[str, dict[str, Any]]
Ask = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def asked(tol: Tol) -> Ask:
    """Ask for an image of a dataset; gives what is known of each that was meant."""

    def ask(dataset: Path, image: str, *options: str) -> list[dict[str, Any]]:
        done = tol(
            "why", image, "--json", *options, "--config", dataset.parents[1] / "settings.cfg", cwd=dataset
        )
        assert done.stderr == ""
        told: dict[str, Any] = json.loads(done.stdout)
        assert done.returncode == (0 if told["images"] else 1)
        images: list[dict[str, Any]] = told["images"]
        return images

    return ask


def rows(dataset: Path) -> list[dict[str, str]]:
    with (dataset / "224x224" / "catalog.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("source", ["eol_content_id", "bioscan_filename", "inat21_filename"])
def test_of_a_written_image_it_tells_what_the_catalog_does(
    source: str, asked: Ask, sample_build: Path
) -> None:
    row = next(row for row in rows(sample_build) if row[source] and row["split"] == "train" and row["genus"])
    (life,) = asked(sample_build, row["treeoflife_id"].upper())
    assert (life["state"], life["split"]) == ("written", "train")
    assert life["ranks"] == {
        rank: row[rank]
        for rank in ("kingdom", "phylum", "class", "order", "family", "genus", "species")
        if row[rank]
    }
    assert life["common"] in {row["common"], ""}
    shard = life["shards"][0]
    with tarfile.open(shard["path"]) as tar:
        names = tar.getnames()
    assert names[11 * shard["position"]].partition(".")[0] == row["treeoflife_id"]


def test_an_image_of_the_small_set_is_in_two_shards(asked: Ask, sample_build: Path) -> None:
    row = next(row for row in rows(sample_build) if row["split"] == "train_small")
    (life,) = asked(sample_build, row["treeoflife_id"])
    assert life["is_train_small"]
    assert [shard["split"] for shard in life["shards"]] == ["train", "train_small"]
    assert all(Path(shard["path"]).is_file() for shard in life["shards"])


@pytest.mark.parametrize("folder", ["sample_build", "own_build"])
@pytest.mark.parametrize(
    ("columns", "spelling"),
    [
        pytest.param(("eol_content_id", "eol_page_id"), "{}/{}", id="key of eol"),
        pytest.param(("eol_content_id", "eol_page_id"), "{}_{}_eol-full-size-copy.jpg", id="file of eol"),
        pytest.param(("bioscan_filename",), "{}", id="file of bioscan"),
        pytest.param(("bioscan_part", "bioscan_filename"), "part{}/{}", id="path of bioscan"),
        pytest.param(("inat21_filename",), "{}", id="file of inat21"),
    ],
)
def test_an_image_is_found_by_its_key_and_by_its_file(
    folder: str, columns: tuple[str, ...], spelling: str, asked: Ask, request: pytest.FixtureRequest
) -> None:
    dataset: Path = request.getfixturevalue(folder)
    row = next(row for row in rows(dataset) if all(row[column] for column in columns))
    (life,) = asked(dataset, spelling.format(*(row[column] for column in columns)))
    assert life["id"] == row["treeoflife_id"]
    assert ("uuid5" in life["id_from"]) == (folder == "own_build")


@pytest.mark.parametrize(
    ("image", "state", "reason"),
    [
        pytest.param(
            "180d231d-d556-4f86-9ec6-a751b4b8803d",
            "excluded_species",
            "Ailuropoda melanoleuca is on the list unseen",
            id="excluded species",
        ),
        pytest.param(
            "03cd6b46-1b5a-41c4-919c-ddcb7764d901", "excluded_image", "on the list", id="excluded image"
        ),
        pytest.param("90000135/99000000", "no_taxon", "no rank is known", id="without a taxon"),
    ],
)
def test_of_an_image_left_out_it_tells_why(
    image: str, state: str, reason: str, asked: Ask, sample_build: Path
) -> None:
    (life,) = asked(sample_build, image)
    assert life["state"] == state
    assert reason in life["reason"]
    assert life["shards"] == []
    assert life["member"]


def test_of_a_broken_picture_it_tells_what_is_wrong(
    asked: Ask, ledger: Callable[[Path], list[dict[str, Any]]], sample_build: Path
) -> None:
    broken = next(row for row in ledger(sample_build) if row["state"] == "unreadable")
    (life,) = asked(sample_build, broken["id"])
    assert (life["state"], life["reason"], life["member"]) == ("unreadable", broken["reason"], broken["name"])
    assert life["original"]["sha256"] == broken["sha256"]


def test_the_names_are_traced_to_their_tables(asked: Ask, sample_build: Path, light_sample: Path) -> None:
    tables = os.path.normpath(light_sample / "metadata")
    (scraped,) = asked(sample_build, "90000076/34199", "--names")
    assert scraped["names_from"][1:] == [
        f"{tables}/eol/scraped_page_ids.csv: tsuga",
        f"{tables}/eol/vernacularnames.csv: hemlocks",
    ]
    (page,) = asked(sample_build, "90000064/90000180", "--names")
    assert page["names_from"][1].startswith(f"{tables}/eol/dh21/taxon.tab: Plantae Tracheophyta ")
    assert page["names_from"][2] == f"{tables}/inat/dwca/VernacularNames-english.csv: Almond"


def test_ranks_that_other_tables_fill_in_are_traced_to_them(asked: Ask, sample_build: Path) -> None:
    images = [row["treeoflife_id"] for row in rows(sample_build) if row["bioscan_filename"]]
    steps = (asked(sample_build, image, "--names")[0]["names_from"] for image in images)
    filled = next(
        told for told in steps if told[2].partition(": ")[0].endswith(("chains.csv", "resolved.jsonl"))
    )
    assert "BIOSCAN_Insect_Dataset_metadata" in filled[1]


def test_an_unknown_image_ends_with_1_and_says_what_was_looked_through(tol: Tol, sample_build: Path) -> None:
    settings = sample_build.parents[1] / "settings.cfg"
    done = tol("why", "00000000-0000-5000-8000-000000000000", "--config", settings, cwd=sample_build)
    assert (done.returncode, done.stderr) == (1, "")
    assert "not found. Searched:" in done.stdout
    for source in ("eol", "bioscan", "inat21"):
        assert f"{sample_build}/mapping.sqlite: {source}\n" in done.stdout
    assert f"{sample_build}/ledger/mapping.parquet\n" in done.stdout


def test_a_file_name_is_enough_where_it_is_unique_and_else_images_are_listed(
    asked: Ask, tol: Tol, build: Any, settings_file: Callable[..., Path], tmp_path: Path
) -> None:
    names = [
        "Parus_major/one.jpg",
        "Parus_major/A_B.jpg",
        "Quercus_robur/AxB.jpg",
        "Parus_major/two.jpg",
        "Quercus_robur/two.jpg",
    ]
    names += [f"Parus_major/{number}/many.jpg" for number in range(22)]
    for seed, name in enumerate(names):
        (tmp_path / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (seed, 0, 0)).save(tmp_path / "photos" / name)
    settings = settings_file(
        {
            "dataset": {"root": "out", "tag": "photos"},
            "imagefolder": {"images": "photos", "pattern": "{name}", "partitions": 1},
        }
    )
    assert build(settings, task="MakeSplits").returncode == 0
    dataset = tmp_path / "out" / "photos"
    for text, member in (
        ("one.jpg", names[0]),
        ("A_B.jpg", names[1]),
        ("Parus_major/two.jpg", names[3]),
        (str(tmp_path / "photos" / names[4]), names[4]),
        ("7/many.jpg", "Parus_major/7/many.jpg"),
    ):
        (life,) = asked(dataset, text)
        assert life["member"] == member

    several = tol("why", "two.jpg", "--config", settings, cwd=tmp_path)
    assert (several.returncode, several.stderr) == (1, "")
    first, *lines = several.stdout.splitlines()
    assert first == "two.jpg: 2 images match. Name one by its id or its path:"
    assert sorted(line.split(maxsplit=1)[1] for line in lines) == [
        f"imagefolder: {name}" for name in names[3:5]
    ]
    (life,) = asked(dataset, lines[0].split()[0])
    assert life["member"] == lines[0].rpartition(" ")[2]

    many = tol("why", "many.jpg", "--config", settings, cwd=tmp_path)
    assert (many.returncode, len(many.stdout.splitlines())) == (1, 21)
    assert many.stdout.startswith("many.jpg: 20 or more images match.")
    for text in ("wo.jpg", "two.JPG", "%.jpg"):
        assert asked(dataset, text) == []
    assert tol("why", "", "--config", settings, cwd=tmp_path).returncode == 2


def test_before_the_mapping_nothing_is_known(tol: Tol, tmp_path: Path) -> None:
    done = tol("why", "12784812/51655800", cwd=tmp_path)
    assert done.returncode == 1
    assert "nothing: the build has not started" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_an_image_on_its_way_is_told_what_it_waits_for(
    asked: Ask, build: Any, settings_file: Callable[..., Path], bioscan_settings: Sections, tmp_path: Path
) -> None:
    settings = settings_file(bioscan_settings)
    assert build(settings).returncode == 0
    dataset = tmp_path / "out" / "sample"
    image = next(row for row in rows(dataset) if row["split"] == "train")["treeoflife_id"]
    shutil.rmtree(dataset / "224x224")
    (life,) = asked(dataset, image)
    assert (life["state"], life["shards"]) == ("waiting", [])
    assert life["reason"].startswith("WriteShards train bioscan part")
    (dataset / "predicted-catalog.parquet").unlink()
    (life,) = asked(dataset, image)
    assert (life["state"], life["reason"]) == ("waiting", "PredictCatalog has not run yet")


def test_a_file_that_is_no_image_is_known_by_its_name(
    tol: Tol, build: Any, settings_file: Callable[..., Path], bioscan_settings: Sections, tmp_path: Path
) -> None:
    images = tmp_path / "bioscan"
    shutil.copytree(bioscan_settings["bioscan"]["images"], images)
    (images / "part1").chmod(0o755)
    (images / "part1" / "README.txt").write_text("no image", encoding="utf-8")
    bioscan_settings["bioscan"]["images"] = images
    settings = settings_file(bioscan_settings)
    assert build(settings).returncode == 0
    done = tol("why", "README.txt", "--config", settings, cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.startswith("part1/README.txt\n  state       no_image: no image by its ending '.txt'\n")


def test_people_can_read_it(tol: Tol, sample_build: Path) -> None:
    settings = sample_build.parents[1] / "settings.cfg"
    image = rows(sample_build)[0]["treeoflife_id"]
    done = tol("why", image, "--config", settings, cwd=sample_build)
    first, second, *rest = done.stdout.splitlines()
    assert first == image
    assert second == "  state       written"
    assert max(len(line) for line in rest if "/" not in line) <= 80
    assert any("/224x224/train/shard-000000.tar" in line for line in rest)

"""``tol plan``: right about what it says, and without a trace."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tol_luigi.command.plan import quota_left

Tol = Callable[..., subprocess.CompletedProcess[str]]
Seen = Callable[[Path], dict[str, tuple[int, int]]]
Sections = dict[str, dict[str, Any]]


def rows(text: str) -> dict[str, list[str]]:
    """Read the tables of the answer, by the first word of each row."""
    return {line.split()[0]: line.split()[1:] for line in text.splitlines() if line.strip()}


def test_before_there_is_anything_it_counts_the_sources_and_writes_nothing(
    tol: Tol, seen: Seen, settings_file: Callable[..., Path], sample_settings: Sections, tmp_path: Path
) -> None:
    settings = settings_file(sample_settings)
    before = seen(tmp_path)
    done = tol("plan", "--config", settings, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    told = rows(done.stdout)
    assert told["eol"][0] == "151"
    assert told["eol"][-2:] == ["all", "files"]
    assert told["WriteShards"] == ["30", "0", "30"]
    assert "There is enough disk space." in done.stdout
    assert max(len(line) for line in done.stdout.splitlines() if str(tmp_path) not in line) <= 80
    assert seen(tmp_path) == before


def test_the_demonstration_is_foretold_before_it_is_drawn(tol: Tol, seen: Seen, tmp_path: Path) -> None:
    before = seen(tmp_path)
    done = tol("plan", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert rows(done.stdout)["DrawDemonstration"] == ["1", "0", "1"]
    assert "its images are generated" in done.stdout
    assert seen(tmp_path) == before


def test_of_a_finished_dataset_there_is_nothing_to_do_and_nothing_is_touched(
    tol: Tol, seen: Seen, sample_build: Path
) -> None:
    before = seen(sample_build)
    done = tol("plan", "--config", sample_build.parents[1] / "settings.cfg", cwd=sample_build)
    assert done.returncode == 0
    assert done.stdout.endswith("The dataset is complete. There is nothing to do.\n")
    assert seen(sample_build) == before


def test_what_it_foretells_is_near_what_is_written(
    tol: Tol, build: Any, settings_file: Callable[..., Path], sample_settings: Sections, tmp_path: Path
) -> None:
    settings = settings_file(sample_settings)
    foretold = json.loads(tol("plan", "--config", settings, "--json", cwd=tmp_path).stdout)["cost"]
    assert build(settings).returncode == 0
    dataset = tmp_path / "out" / "sample"
    shards = [path.stat().st_size for path in dataset.glob("224x224/*/*.tar")]
    receipts = [json.loads(path.read_bytes()) for path in dataset.rglob("*.receipt.json")]
    samples = sum(receipt.get("samples", 0) for receipt in receipts)
    files = sum(path.is_file() for path in dataset.rglob("*"))
    assert foretold["samples"] == pytest.approx(samples, rel=0.1)
    assert foretold["shard_bytes"] == pytest.approx(sum(shards), rel=0.15)
    assert foretold["files"] == pytest.approx(files, rel=0.15)


def test_only_what_is_left_to_do_is_reckoned(
    tol: Tol, build: Any, settings_file: Callable[..., Path], bioscan_settings: Sections, tmp_path: Path
) -> None:
    settings = settings_file(bioscan_settings)
    assert build(settings).returncode == 0
    lost = next(tmp_path.rglob("records/train/bioscan/part1.receipt.json"))
    samples = json.loads(lost.read_bytes())["samples"]
    lost.unlink()
    told = json.loads(tol("plan", "--config", settings, "--json", cwd=tmp_path).stdout)
    assert told["cost"]["samples"] == samples
    stages = {stage["name"]: stage["tasks"] - stage["complete"] for stage in told["stages"]}
    assert {name for name, count in stages.items() if count} == {
        "WriteShards",
        "CheckShards",
        "FindDuplicates",
        "WriteAttribution",
        "WriteCard",
        "WriteCatalog",
        "CheckTaxa",
        "WriteManifest",
    }
    plan = tmp_path / "out" / "sample" / "plan.json"
    cut = next(tmp_path.rglob("records/train/bioscan/part2.receipt.json"))
    listing = next(tmp_path.rglob("listings/bioscan/*.parquet"))
    for damaged in ((cut, listing), (plan,)):
        for path in damaged:
            os.truncate(path, path.stat().st_size // 2)
        for command, code in (("plan", 0), ("status", 25)):
            done = tol(command, "--config", settings, cwd=tmp_path)
            assert (done.returncode, done.stderr) == (code, "")


def test_where_sources_are_to_be_fetched_it_tells_of_that_first(
    tol: Tol, settings_file: Callable[..., Path], download_sections: Any, tmp_path: Path
) -> None:
    settings = settings_file(download_sections)
    before = sorted(tmp_path.rglob("*"))
    told = tol("plan", "--config", settings, cwd=tmp_path)
    assert told.returncode == 0, told.stderr
    assert told.stdout.startswith("To download first, with DownloadSources:\n")
    lines = {line.split()[0]: line.split()[1:3] for line in told.stdout.splitlines()[3:]}
    assert lines["eol"] == ["3", "0"]
    assert sorted(tmp_path.rglob("*")) == before
    rows = json.loads(tol("plan", "--config", settings, "--json", cwd=tmp_path).stdout)["downloads"]
    train = next(row for row in rows if row["source"] == "inat21")
    assert train["bytes"] == (tmp_path / "site" / "inat" / "train.tar.gz").stat().st_size


def class_folders(tmp_path: Path, shared: Path, count: int, each: int) -> Path:
    picture = next((shared / "sample" / "inat21").rglob("*.jpg")).read_bytes()
    for number in range(count):
        folder = tmp_path / "images" / f"{number:05d}_Animalia_Chordata_Aves_O_F_G_s{number}"
        folder.mkdir(parents=True)
        for index in range(each):
            (folder / f"{index}.jpg").write_bytes(picture)
    return tmp_path / "images"


def test_every_photograph_is_counted_with_its_bytes(
    tol: Tol, settings_file: Callable[..., Path], shared: Path, tmp_path: Path
) -> None:
    photos = tmp_path / "photos"
    for number, path in enumerate(sorted((shared / "sample" / "inat21").rglob("*.jpg"))[:20]):
        folder = photos / ("Parus_major" if number % 2 else "Quercus_robur")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}.jpg").write_bytes(path.read_bytes())
    size = sum(path.stat().st_size for path in photos.rglob("*.jpg"))
    (photos / "gone.jpg").symlink_to("nowhere")
    (photos / "circle").symlink_to(".")
    (photos / "unreachable").symlink_to("x" * 300)
    (photos / "gone.tar").symlink_to("nowhere")
    (photos / "again").symlink_to(photos / "Parus_major")
    settings = settings_file({"dataset": {"root": "out"}, "imagefolder": {"images": photos}})
    told = json.loads(tol("plan", "--config", settings, "--json", cwd=tmp_path).stdout)["stocks"][0]
    linked = sum(path.stat().st_size for path in (photos / "Parus_major").iterdir())
    assert (told["is_counted"], told["error"]) == (True, 0)
    assert (told["images"], told["bytes"]) == (30, size + linked)
    done = tol("plan", "--config", settings, "--seconds", 0, cwd=tmp_path)
    assert done.stderr == ""
    assert "estimated, " in done.stdout


def test_servers_that_do_not_answer_are_one_line_and_no_success(
    tol: Tol, settings_file: Callable[..., Path], tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
    bases = ("huggingface", "eol_open_data", "zenodo", "inat_competition", "inaturalist")
    settings = settings_file(
        {
            "dataset": {"root": "out"},
            "download": {"folder": "sources", "pause_seconds": 0, **dict.fromkeys(bases, address)},
        }
    )
    planned = tol("plan", "--config", settings, cwd=tmp_path)
    assert (planned.returncode, planned.stdout) == (1, "")
    [line] = planned.stderr.splitlines()
    assert "the connection failed: Connection refused" in line
    assert "(and 75 more files)" in line
    assert "[download]" in line
    built = tol("build", "--config", settings, cwd=tmp_path)
    assert built.returncode == 40
    assert [text in built.stderr for text in ("[download] folder", "DownloadSources")] == [True, True]
    assert len(built.stderr.splitlines()) == 1


def test_where_there_is_no_time_to_count_the_rest_is_guessed(
    tol: Tol, settings_file: Callable[..., Path], shared: Path, tmp_path: Path
) -> None:
    images = class_folders(tmp_path, shared, count=30, each=4)
    settings = settings_file({"dataset": {"root": "out"}, "inat21": {"images": images, "partitions": 3}})
    counted = json.loads(tol("plan", "--config", settings, "--json", cwd=tmp_path).stdout)["stocks"][0]
    guessed = json.loads(tol("plan", "--config", settings, "--json", "--seconds", 0, cwd=tmp_path).stdout)[
        "stocks"
    ][0]
    assert (counted["images"], counted["is_counted"]) == (120, True)
    assert (guessed["images"], guessed["is_counted"]) == (120, False)
    assert "~120" in tol("plan", "--config", settings, "--seconds", 0, cwd=tmp_path).stdout


def test_too_little_room_is_told_and_ends_with_1(
    tol: Tol, settings_file: Callable[..., Path], shared: Path, tmp_path: Path
) -> None:
    images = class_folders(tmp_path, shared, count=1, each=2)
    archive = tmp_path / "train.tar"
    with tarfile.open(archive, "w") as tar:
        tar.add(images, "train")
    with archive.open("r+b") as file:
        file.truncate(1 << 40)  # a hole, which takes no room itself
    settings = settings_file(
        {"dataset": {"root": "out"}, "inat21": {"images": archive}, "images": {"width": 9000, "height": 9000}}
    )
    done = tol("plan", "--config", settings, "--seconds", 0, cwd=tmp_path)
    assert done.returncode == 1
    assert "not enough disk space (needed: " in done.stdout


@pytest.mark.parametrize(
    ("line", "left"),
    [
        pytest.param("/home  2048  0  10240  0  12  0  0  0", (8192 * 1024, None), id="a limit on bytes"),
        pytest.param("/home  2048* 1024 0  0  12  100  200  0", (0, 188), id="over the soft limit"),
        pytest.param("/home  2048  0  0  0  12  0  0  0", (None, None), id="no limits"),
        pytest.param("/scratch  2048  0  10240  0  12  0  0  0", (None, None), id="of another disk"),
        pytest.param("/my home  0  0  10  0  0  0  5  0", (None, None), id="a name with a blank"),
    ],
)
def test_quota_is_read(line: str, left: tuple[int | None, int | None]) -> None:
    told = (
        "Disk quotas for user ana (uid 1000):\n"
        "     Filesystem  blocks   quota   limit   grace   files   quota   limit   grace\n"
        f"     {line}\n"
    )
    assert quota_left(told, "/home") == left

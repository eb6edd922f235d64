"""Pictures of benchmarks are kept out of a dataset, whatever they are called and however they were saved."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from PIL import Image

from tol_luigi.core.files import read_json
from tol_luigi.sources.benchmarks import fingerprint

Sections = dict[str, dict[str, Any]]
Digests = Callable[..., dict[str, str]]
Read = Callable[[Path, str], dict[str, dict[str, bytes]]]
Ledger = Callable[[Path], list[dict[str, Any]]]

SPLITS = ("train", "val", "train_small")
HALF, SQUARE, QUALITY = "rare/deep/half.png", "rare/square.jpg", "rare/quality.jpg"


def altered(content: bytes, form: str, size: tuple[int, int] | None = None, **options: int) -> bytes:
    image = Image.open(io.BytesIO(content)).convert("RGB")
    file = io.BytesIO()
    image.resize(size or (image.width // 2, image.height // 2)).save(file, form, **options)
    return file.getvalue()


@pytest.fixture(scope="module")
def pictures(light_sample: Path) -> dict[str, bytes]:
    """Copies of photographs of each source, one of them byte for byte, by their paths in a benchmark's folder."""
    photographs = sorted((light_sample / "inat21").rglob("*.jpg"))
    insects = sorted((light_sample / "bioscan").rglob("*.jpg"))
    with tarfile.open(light_sample / "eol-original" / "image_set_01.tar.gz") as tar:
        member = tar.extractfile("90000009_90000200_eol-full-size-copy.jpg")
        assert member is not None
        eol = member.read()
    return {
        "rare/exact.jpg": photographs[40].read_bytes(),
        HALF: altered(photographs[60].read_bytes(), "PNG"),
        SQUARE: altered(insects[3].read_bytes(), "JPEG", (256, 256)),
        QUALITY: altered(eol, "JPEG", Image.open(io.BytesIO(eol)).size, quality=50),
    }


def as_folder(folder: Path, pictures: dict[str, bytes]) -> Path:
    for name, content in pictures.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def as_shards(folder: Path, pictures: dict[str, bytes]) -> Path:
    """Make a list of two WebDataset shards, with a text beside each picture."""
    (folder / "rare").mkdir(parents=True)
    for number in range(2):
        with tarfile.open(folder / "rare" / f"test-{number:06}.tar", "w") as tar:
            for name, content in list(pictures.items())[number::2]:
                add(tar, Path(name).name, content)
                add(tar, f"{Path(name).stem}.txt", b"a photo")
    return folder


def as_archives(folder: Path, pictures: dict[str, bytes]) -> Path:
    """Make lists of a packed tar, a zip and loose pictures."""
    folder.mkdir()
    one, two, *loose = pictures.items()
    with tarfile.open(folder / "packed.tar.gz", "w:gz") as tar:
        add(tar, *one)
    with zipfile.ZipFile(folder / "zipped.zip", "w") as zipped:
        zipped.writestr(*two)
    for name, content in loose:
        (folder / Path(name).name).write_bytes(content)
    return folder


def add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


@pytest.fixture
def guarded(sample_settings: Sections, once: Any, pictures: dict[str, bytes]) -> Sections:
    """The sample in small shards, with a benchmark to keep out."""
    place: Path = once("benchmarks", lambda folder: as_folder(folder / "lists", pictures))
    return {**sample_settings, "shards": {"max_samples": 10}, "leak_guard": {"images": place / "lists"}}


@pytest.fixture
def guarded_build(guarded: Sections, build_once: Any) -> Path:
    made: Path = build_once("guarded-build", guarded)
    return made


@pytest.fixture
def matched(guarded_build: Path, ledger: Ledger) -> list[dict[str, Any]]:
    return [row for row in ledger(guarded_build) if row.get("benchmark")]


def verify(settings: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            *(Path(sys.executable).with_name("luigi"), "--module", "tol_luigi", "VerifyDataset"),
            *("--level", "members", "--local-scheduler"),
        ],
        cwd=settings.parent,
        env={**os.environ, "LUIGI_CONFIG_PATH": str(settings)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_copies_end_as_excluded_with_list_file_and_how(
    matched: list[dict[str, Any]], pictures: dict[str, bytes]
) -> None:
    assert {row["state"] for row in matched} == {"excluded_image"}
    assert {row["benchmark"] for row in matched} == {"rare"}
    assert {row["benchmark_file"] for row in matched} == set(pictures)
    for row in matched:
        if row["differing_bits"] is None:
            assert row["reason"] == f"on the list rare: exact duplicate of {row['benchmark_file']}"
        else:
            bits = row["differing_bits"]
            assert 0 <= bits <= 31
            assert row["reason"] == (
                f"on the list rare: near-duplicate of {row['benchmark_file']}, {bits} of 256 bits differ"
            )
    [exact] = [row for row in matched if row["differing_bits"] is None]
    assert (exact["source"], exact["benchmark_file"]) == ("inat21", "rare/exact.jpg")
    assert {"eol", "inat21", "bioscan"} == {row["source"] for row in matched}


def test_nothing_else_is_left_out(
    guarded_build: Path, sample_build: Path, matched: list[dict[str, Any]], samples: Read
) -> None:
    out = {row["id"] for row in matched}
    assert len(out) == len(matched) > 4  # the sample holds a few photographs twice, in two sources
    for split in SPLITS:
        before, after = samples(sample_build, split), samples(guarded_build, split)
        assert set(before) - set(after) == out & set(before)
        assert all(after[image] == before[image] for image in after)


def test_the_report_adds_up(guarded_build: Path, matched: list[dict[str, Any]]) -> None:
    report = read_json(guarded_build / "224x224" / "leak-report.json")
    rare = report["lists"]["rare"]
    assert rare["listed"] == {"image_files": 4, "too_plain": 0, "unreadable": []}
    counts = Counter((row["source"], row["differing_bits"] is None) for row in matched)
    for source, figures in rare["matched"].items():
        assert figures == {
            "id": 0,
            "species": 0,
            "exact_hash": counts[source, True],
            "perceptual_hash": counts[source, False],
        }
    for name, named in read_json(guarded_build / "exclusions.json").items():
        told = report["lists"][name]
        assert told["listed"]["images"] == named["images_listed"]
        for how, count in (("id", "image"), ("species", "species")):
            total = sum(figures[how] for figures in told["matched"].values())
            assert total == named[f"images_excluded_by_{count}"]
    text = (guarded_build / "224x224" / "leak-report.txt").read_text(encoding="utf-8")
    assert "rare: 4 image files" in text


def test_a_copy_of_train_small_is_left_out_of_both(
    bioscan_settings: Sections, settings_file: Any, build: Any, ledger: Ledger, tmp_path: Path
) -> None:
    settings = settings_file(bioscan_settings)
    assert build(settings, "--dataset-tag", "plain").returncode == 0
    catalog = pq.read_table(tmp_path / "out" / "plain" / "224x224" / "catalog.parquet").to_pylist()
    chosen = next(row for row in catalog if row["split"] == "train_small")
    place = Path(bioscan_settings["bioscan"]["images"], f"part{chosen['bioscan_part']}")
    content = (place / chosen["bioscan_filename"]).read_bytes()
    lists = as_folder(tmp_path / "lists", {"one/a.jpg": content})

    settings = settings_file({**bioscan_settings, "leak_guard": {"images": lists}})
    finished = build(settings)
    assert finished.returncode == 0, finished.stderr
    assert verify(settings).returncode == 0
    directory = settings.parent / "out" / "sample"
    rows = {row["id"]: row for row in ledger(directory)}
    assert rows[chosen["treeoflife_id"]]["benchmark_file"] == "one/a.jpg"
    small = [
        row
        for path in directory.glob("224x224/records/train_small/*/*.ledger.parquet")
        for row in pq.read_table(path).to_pylist()
    ]
    [told] = [row for row in small if row["id"] == chosen["treeoflife_id"]]
    assert (told["state"], told["benchmark"]) == ("excluded_image", "one")


def test_every_file_is_the_same_with_more_workers_and_a_benchmark_elsewhere(
    *,
    guarded: Sections,
    guarded_build: Path,
    settings_file: Any,
    build: Any,
    digests: Digests,
    pictures: dict[str, bytes],
    tmp_path: Path,
) -> None:
    reversed_order = dict(reversed(pictures.items()))
    guarded["leak_guard"]["images"] = as_folder(tmp_path / "elsewhere" / "lists", reversed_order)
    settings = settings_file(guarded)
    finished = build(settings, "--workers", "3", env={"PYTHONHASHSEED": "7"})
    assert finished.returncode == 0, finished.stderr
    directory = settings.parent / "out" / "sample"
    assert digests(directory) == digests(guarded_build)
    assert "leak-report.txt" in finished.stdout

    again = build(settings)
    assert (again.returncode, again.ran) == (0, [])
    done = verify(settings)
    assert done.returncode == 0, done.stderr

    shard = sorted(directory.glob("224x224/train/*.tar"))[3]
    content = bytearray(shard.read_bytes())
    content[2000] ^= 1
    shard.write_bytes(content)
    assert verify(settings).returncode == 30
    assert build(settings).returncode == 0
    assert digests(directory, "224x224/*/*.tar") == digests(guarded_build, "224x224/*/*.tar")
    assert digests(directory, "224x224/leak-report.*") == digests(guarded_build, "224x224/leak-report.*")


@pytest.mark.parametrize("make", [as_shards, as_archives])
def test_a_benchmark_in_archives_keeps_the_same_images_out(
    *,
    make: Callable[[Path, dict[str, bytes]], Path],
    guarded: Sections,
    guarded_build: Path,
    settings_file: Any,
    build: Any,
    digests: Digests,
    pictures: dict[str, bytes],
    tmp_path: Path,
) -> None:
    guarded["leak_guard"]["images"] = make(tmp_path / "lists", pictures)
    settings = settings_file(guarded)
    finished = build(settings)
    assert finished.returncode == 0, finished.stderr
    directory = settings.parent / "out" / "sample"
    assert digests(directory, "224x224/*/*.tar") == digests(guarded_build, "224x224/*/*.tar")
    assert digests(directory, "224x224/catalog.csv") == digests(guarded_build, "224x224/catalog.csv")
    lists = read_json(directory / "224x224" / "leak-report.json")["lists"]
    assert set(lists) - {"seen", "unseen"} == (
        {"rare"} if make is as_shards else {"packed", "zipped", "lists"}
    )


def test_with_bytes_only_no_altered_copy_is_kept_out(
    guarded: Sections, settings_file: Any, build: Any, ledger: Ledger
) -> None:
    guarded["leak_guard"]["distance"] = -1
    settings = settings_file(guarded)
    assert build(settings).returncode == 0
    rows = [row for row in ledger(settings.parent / "out" / "sample") if row.get("benchmark")]
    assert [row["benchmark_file"] for row in rows] == ["rare/exact.jpg"]


def test_without_a_benchmark_nothing_tells_of_one(sample_build: Path, digests: Digests) -> None:
    names = digests(sample_build)
    assert [name for name in names if "benchmark" in name] == []
    report = (sample_build / "224x224" / "leak-report.txt").read_text(encoding="utf-8")
    assert (
        "seen: 4,000 images, 400 species\n"
        "  eol: 1 by id, 0 by species, 0 exact duplicates, 0 near-duplicates (perceptual hash)\n" in report
    )
    assert report.endswith("No images were compared, because [leak_guard] images is empty.\n")
    assert [key for key in read_json(sample_build / "dataset.json") if "leak" in key] == []
    [ledger, *_] = sample_build.glob("224x224/records/train/*/*.ledger.parquet")
    assert "benchmark" not in pq.read_schema(ledger).names


def test_another_benchmark_is_another_dataset(
    bioscan_settings: Sections, settings_file: Any, build: Any, pictures: dict[str, bytes], tmp_path: Path
) -> None:
    folder = as_folder(tmp_path / "lists", pictures)
    settings = settings_file({**bioscan_settings, "leak_guard": {"images": folder}})
    assert build(settings).returncode == 0
    before = fingerprint(folder)
    (folder / "rare" / "more.jpg").write_bytes(pictures["rare/exact.jpg"])
    again = build(settings)
    assert again.returncode == 40
    [message] = again.messages
    assert f"leak_guard.images: removed {before[0]}, added {fingerprint(folder)[0]}" in message


def test_what_is_no_picture_is_passed_over_and_what_is_broken_is_told_of(
    bioscan_settings: Sections, settings_file: Any, build: Any, pictures: dict[str, bytes], tmp_path: Path
) -> None:
    folder = as_folder(tmp_path / "lists", pictures)
    (folder / "README.md").write_text("about", encoding="utf-8")
    (folder / "rare" / "labels.csv").write_text("about", encoding="utf-8")
    (folder / "rare" / "broken.jpg").write_bytes(b"no picture")
    (folder / "__MACOSX").mkdir()
    (folder / ".DS_Store").write_bytes(b"litter")
    settings = settings_file({**bioscan_settings, "leak_guard": {"images": folder}})
    finished = build(settings)
    assert finished.returncode == 0, finished.stderr
    report = settings.parent / "out" / "sample" / "224x224" / "leak-report"
    assert read_json(report.with_suffix(".json"))["lists"]["rare"]["listed"] == {
        "image_files": 5,
        "too_plain": 0,
        "unreadable": ["rare/broken.jpg (not an image in any known format)"],
    }
    assert "1 cannot be opened: rare/broken.jpg" in report.with_suffix(".txt").read_text(encoding="utf-8")


def spoil_nothing_there(folder: Path) -> None:
    shutil.rmtree(folder / "rare")


def spoil_an_empty_list(folder: Path) -> None:
    (folder / "other").mkdir()


def spoil_a_list_of_texts(folder: Path) -> None:
    (folder / "other").mkdir()
    (folder / "other" / "a.txt").write_text("text", encoding="utf-8")


def spoil_a_list_of_broken_pictures(folder: Path) -> None:
    (folder / "other").mkdir()
    (folder / "other" / "a.jpg").write_bytes(b"no picture")


def spoil_an_archive(folder: Path) -> None:
    (folder / "other.tar").write_bytes(b"no tar" * 1000)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (spoil_nothing_there, "the list lists has no image that can be opened"),
        (spoil_an_empty_list, "the list other has no image that can be opened"),
        (spoil_a_list_of_texts, "the list other has no image that can be opened"),
        (spoil_a_list_of_broken_pictures, "the list other has no image that can be opened"),
        (spoil_an_archive, "other.tar: is text, not an archive"),
    ],
)
def test_a_list_that_could_keep_nothing_out_stops_the_build(
    *,
    spoil: Callable[[Path], None],
    said: str,
    bioscan_settings: Sections,
    settings_file: Any,
    build: Any,
    pictures: dict[str, bytes],
    tmp_path: Path,
) -> None:
    folder = as_folder(tmp_path / "lists", pictures)
    spoil(folder)
    settings = settings_file({**bioscan_settings, "leak_guard": {"images": folder}})
    finished = build(settings)
    assert finished.returncode == 30
    [message] = [line for line in finished.messages if line.startswith("HashBenchmarks")]
    assert said in message
    assert "[leak_guard] images" in message
    assert not (settings.parent / "out" / "sample" / "benchmark-hashes.parquet").exists()

"""Samples in WebP, from the settings to the readers."""

from __future__ import annotations

import gc
import io
import json
from typing import TYPE_CHECKING

import datasets
import pyarrow.parquet as pq
import pytest
import webdataset as wds
from PIL import Image

import tol_luigi
from tol_luigi.browse.opened import BrowsedDataset
from tol_luigi.dataset.exports.run import export

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from forked import Forks

pytestmark = pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # of webdataset and datasets

SIZE = (40, 30)


@pytest.fixture
def settings(settings_file: Callable[..., Path], tmp_path: Path) -> Path:
    (tmp_path / "photos").mkdir()
    lines = ["file,family,genus,species"]
    for number in range(8):
        small = Image.frombytes("RGB", (2, 2), bytes(range(20 * number, 20 * number + 12)))
        small.resize((60, 60), Image.Resampling.BICUBIC).save(tmp_path / "photos" / f"{number}.png")
        lines.append(f"{number}.png,Corvidae,Corvus,corax")
    (tmp_path / "labels.csv").write_text("\n".join(lines), encoding="utf-8")
    return settings_file(
        {
            "dataset": {"root": "out", "tag": "birds", "val_percent": 30, "train_small_percent": 30},
            "folder": {"images": "photos", "labels": "labels.csv", "partitions": 1},
            "images": {"format": "webp", "width": SIZE[0], "height": SIZE[1], "webp_quality": "lossless"},
            "shards": {"max_samples": 5},
            "texts": {"templates": "txt = a {family}"},
        }
    )


def opened(content: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(content))
    image.load()
    return image


def test_a_dataset_in_webp_is_read_by_all_and_repaired(
    *, forks: Forks, settings: Path, tmp_path: Path, digests: Callable[..., dict[str, str]]
) -> None:
    built = forks.build(settings, "BuildCatalog")
    assert built.code == 0, built.output
    folder = tmp_path / "out" / "birds"
    dataset = tol_luigi.Dataset.open(folder)
    images = {sample.id: sample.image_file for sample in dataset.samples()}
    assert len(images) == 8
    for image, content in images.items():
        assert {"webp", "txt"} < dataset[image].members.keys() - {"jpg"}
        assert (opened(content).format, opened(content).size) == ("WEBP", SIZE)
    assert [trace.id for trace in dataset.explain(f"{min(images)}.webp")] == [min(images)]
    shards = folder / f"{SIZE[0]}x{SIZE[1]}"
    expect_readers(dataset, shards, images, tmp_path)
    expect_exports(dataset, images, tmp_path)
    browsed = BrowsedDataset(folder, tmp_path / "indexes")
    shown = [browsed.pictures.image_file(browsed.index.record(place)) for place in range(browsed.index.rows)]
    assert set(shown) == set(images.values())
    assert browsed.image_format.media_type == "image/webp"
    described = json.loads((folder / "croissant.json").read_text(encoding="utf-8"))
    sets = [one for one in described["distribution"] if one["@type"] == "cr:FileSet"]
    assert {(one["encodingFormat"], one["includes"]) for one in sets} == {("image/webp", "*.webp")}

    before = digests(folder)
    lost, damaged, *_ = sorted(shards.glob("train*/*.tar"))
    lost.unlink()
    content = damaged.read_bytes()
    place = content.index(b"WEBPVP8L") + 30
    damaged.write_bytes(content[:place] + bytes(8) + content[place + 8 :])
    repaired = forks.build(settings, "VerifyDataset", "--level", "pixels", "--repair")
    assert repaired.code == 0, repaired.output
    kept = {name: digest for name, digest in digests(folder).items() if "verification" not in name}
    assert kept == before


def expect_readers(
    dataset: tol_luigi.Dataset, folder: Path, images: Mapping[str, bytes], cache: Path
) -> None:
    """Have webdataset, a pipeline with the names of open_clip, ``datasets`` and our own read the pixels of all images."""
    pixels = {image: opened(content).tobytes() for image, content in images.items()}
    assert {sample.id: sample.image.tobytes() for sample in dataset.samples()} == pixels
    shards = [str(path) for split in ("train", "val") for path in dataset.shards(split)]
    renamed = wds.WebDataset(shards, shardshuffle=False).decode("pilrgb").rename(image="jpg;png;jpeg;webp")
    found = {key: image.tobytes() for key, image in renamed.to_tuple("__key__", "image")}
    found |= {sample["__key__"]: sample["webp"].tobytes() for sample in dataset.webdataset("train")}
    assert found == pixels
    loaded = datasets.load_dataset(str(folder), cache_dir=str(cache / "cache"))
    assert {row["__key__"]: row["webp"].tobytes() for split in loaded for row in loaded[split]} == pixels
    gc.collect()


def expect_exports(dataset: tol_luigi.Dataset, images: Mapping[str, bytes], place: Path) -> None:
    """Have the files of exports be named after their format, and contain the bytes of the shards."""
    export(dataset, "folder", place / "folder", splits=["train", "val"])
    assert {path.stem: path.read_bytes() for path in (place / "folder").rglob("*.webp")} == images
    export(dataset, "parquet", place / "parquet", splits=["train", "val"])
    rows = pq.read_table(place / "parquet" / "data")["image"].to_pylist()
    assert {row["path"]: row["bytes"] for row in rows} == {f"{one}.webp": images[one] for one in images}

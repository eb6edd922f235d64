"""The sample built with the published mapping, against what the published process makes of it."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import tarfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import PIL
import pyarrow.parquet as pq
import pytest
from PIL import Image

from tol_luigi.core.jpeg_decoding import decoder_name
from tol_luigi.core.resampling import kernel_name

Read = Callable[[Path, str], dict[str, dict[str, bytes]]]
Digests = Callable[..., dict[str, str]]
Build = Callable[..., Any]

SPLITS = ("train", "val", "train_small")

CATALOG = [
    "split", "treeoflife_id", "eol_content_id", "eol_page_id", "bioscan_part", "bioscan_filename",
    "inat21_filename", "inat21_cls_name", "inat21_cls_num",
    "kingdom", "phylum", "class", "order", "family", "genus", "species", "common",
]  # fmt: skip

LICENSES = [
    "treeoflife_id", "eol_content_id", "eol_page_id", "md5", "medium_source_url", "eol_full_size_copy_url",
    "license_name", "copyright_owner", "license_link", "title",
]  # fmt: skip


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def header_of(path: Path) -> list[str]:
    with path.open(encoding="utf-8", newline="") as file:
        return next(csv.reader(file))


@pytest.fixture(scope="module")
def golden(shared: Path) -> dict[str, dict[str, Any]]:
    lines = (shared / "golden" / "samples.jsonl").read_text(encoding="utf-8").splitlines()
    return {sample["treeoflife_id"]: sample for sample in map(json.loads, lines)}


@pytest.fixture(scope="module")
def unseen_species(shared: Path) -> set[str]:
    """The ids of the golden images whose species the published process meant to keep out."""
    listed = json.loads((shared / "sample/metadata/rarespecies/unseen_in_training.json").read_bytes())
    species = {tuple(key.replace(" ", "-").split("-")[-2:]) for key in listed}
    rows = rows_of(shared / "golden" / "predicted-catalog.csv")
    return {row["treeoflife_id"] for row in rows if (row["genus"], row["species"]) in species}


@pytest.fixture(scope="module")
def built(original_build: Path, samples: Read) -> dict[str, dict[str, dict[str, bytes]]]:
    return {split: samples(original_build, split) for split in SPLITS}


def test_the_species_exclusion_costs_one_image_of_the_published_dataset(
    golden: dict[str, Any], unseen_species: set[str]
) -> None:
    lost = {image for image in unseen_species if golden[image]["original"]}
    assert lost == {"180d231d-d556-4f86-9ec6-a751b4b8803d"}
    assert golden["180d231d-d556-4f86-9ec6-a751b4b8803d"]["text"]["sci.txt"].endswith(
        "Ailuropoda melanoleuca."
    )


@pytest.mark.parametrize("split", SPLITS)
def test_a_split_holds_the_published_images_but_for_the_excluded_species(
    split: str, built: Any, golden: dict[str, Any], unseen_species: set[str]
) -> None:
    published = {image for image, sample in golden.items() if split in sample["original"]}
    assert set(built[split]) == published - unseen_species


@pytest.mark.parametrize("split", SPLITS)
def test_every_text_is_the_published_one(split: str, built: Any, golden: dict[str, Any]) -> None:
    for image, members in built[split].items():
        texts = {name: content.decode() for name, content in members.items() if name != "jpg"}
        assert texts == golden[image]["text"]


@pytest.mark.parametrize("split", SPLITS)
def test_every_picture_of_three_colours_has_the_published_pixels(
    split: str, built: Any, golden: dict[str, Any]
) -> None:
    for image, members in built[split].items():
        if golden[image]["stored_mode"] == "RGB":
            pixels = Image.open(io.BytesIO(members["jpg"])).convert("RGB").tobytes()
            assert hashlib.sha256(pixels).hexdigest() == golden[image]["rgb_sha256"], image


@pytest.mark.skipif(PIL.__version__ != "13.0.0", reason="another Pillow may pack the same pixels otherwise")
@pytest.mark.parametrize("split", SPLITS)
def test_every_picture_of_three_colours_has_the_published_bytes(
    split: str, built: Any, golden: dict[str, Any]
) -> None:
    for image, members in built[split].items():
        if golden[image]["stored_mode"] == "RGB":
            assert hashlib.sha256(members["jpg"]).hexdigest() == golden[image]["jpeg_sha256"], image


def test_grey_and_cmyk_pictures_are_made_rgb(built: Any, golden: dict[str, Any]) -> None:
    odd = {image: sample["stored_mode"] for image, sample in golden.items() if image in built["train"]}
    assert Counter(odd.values()) == {"RGB": 241, "L": 1, "CMYK": 1}
    for split in SPLITS:
        for image, members in built[split].items():
            picture = Image.open(io.BytesIO(members["jpg"]))
            assert (picture.format, picture.mode, picture.size) == ("JPEG", "RGB", (224, 224)), image


def test_train_small_repeats_samples_of_train_byte_for_byte(built: Any) -> None:
    assert built["train_small"]
    for image, members in built["train_small"].items():
        assert members == built["train"][image]


def test_the_log_names_what_has_decoded_and_resized_images(original_build: Path) -> None:
    lines = (original_build / "logs/times.jsonl").read_text(encoding="utf-8").splitlines()
    code = {
        (one["family"], one.get("decoder"), one.get("kernel"))
        for one in map(json.loads, lines)
        if one["unit"] == "images"
    }

    assert ("WriteShards", decoder_name(), kernel_name()) in code
    assert {tuple(names) for family, *names in code if family != "WriteShards"} == {(None, None)}


def test_the_predicted_catalog_is_the_published_one(original_build: Path, shared: Path) -> None:
    ours, published = original_build / "predicted-catalog.csv", shared / "golden" / "predicted-catalog.csv"
    assert header_of(ours) == header_of(published) == [*CATALOG, "class_index"]

    def comparable(path: Path) -> Counter[tuple[str, ...]]:
        return Counter(tuple(row[column] for column in CATALOG) for row in rows_of(path))

    assert comparable(ours) == comparable(published)


@pytest.mark.parametrize("name", ["bioscan_name_lookup", "inat21_name_lookup", "scientific_to_common"])
def test_a_name_file_is_the_published_one(name: str, original_build: Path, shared: Path) -> None:
    ours = json.loads((original_build / "metadata" / f"{name}.json").read_bytes())
    assert ours == json.loads((shared / "golden" / "naming" / f"{name}.json").read_bytes())


def test_the_eol_name_file_differs_from_the_published_one_in_how_classes_are_numbered_only(
    original_build: Path, shared: Path
) -> None:
    ours = json.loads((original_build / "metadata" / "eol_name_lookup.json").read_bytes())
    published = json.loads((shared / "golden" / "naming" / "eol_name_lookup.json").read_bytes())
    assert {key: entry[:2] for key, entry in ours.items()} == {
        key: entry[:2] for key, entry in published.items()
    }
    # The published numbers follow the order in which a run met the pages; which share one does not.
    for rank in range(7):
        pairs = {(ours[key][2][rank], published[key][2][rank]) for key in published}
        assert len({mine for mine, _ in pairs}) == len({number for _, number in pairs}) == len(pairs)


def test_archives_with_published_ids_as_names_give_the_same_dataset(
    *,
    original_build: Path,
    settings_file: Any,
    original_settings: Any,
    shared: Path,
    build: Build,
    digests: Digests,
) -> None:
    original_settings["eol"]["images"] = shared / "sample" / "eol-hf"
    settings = settings_file(original_settings)
    assert build(settings).returncode == 0
    before, after = digests(original_build), digests(settings.parent / "out" / "sample")
    assert before.keys() == after.keys()
    # These tell how the files are called and in which order they lie in their archives, which does differ: the
    # listings, the places in the mapping, the ledgers of EOL, the predicted catalog's Parquet file, the page of the report,
    # which names rejected files, and all receipts, which tell what was made from these. What is shipped does not.
    differing = {name for name in before if before[name] != after[name]}
    differing -= {
        name
        for name in differing
        if name.startswith("receipts/") or name.endswith(("receipt.json", "verdict.json"))
    }
    assert differing <= {
        *digests(original_build, "listings/eol/*"),
        *digests(original_build, "224x224/records/*/eol/*.ledger.parquet"),
        "ledger/names.parquet",
        "mapping.sqlite",
        "predicted-catalog.parquet",
        "224x224/report/report.html",
        "manifest.json",
        "SHA256SUMS",
    }
    assert places(original_build) == places(settings.parent / "out" / "sample")
    assert ends(original_build) == ends(settings.parent / "out" / "sample")


def places(directory: Path) -> list[dict[str, Any]]:
    """Give the predicted catalog without the images' places in the archives."""
    return list(pq.read_table(directory / "predicted-catalog.parquet").drop_columns(["position"]).to_pylist())


def ends(directory: Path) -> list[list[dict[str, Any]]]:
    """Give the EOL ledgers without the names of the files, each in the order of the ids."""
    return [
        pq.read_table(path).drop_columns(["name"]).sort_by("id").to_pylist()
        for path in sorted(directory.glob("224x224/records/*/eol/*.ledger.parquet"))
    ]


def test_published_name_files_give_the_same_shards_and_catalog(
    *,
    original_build: Path,
    settings_file: Any,
    original_settings: Any,
    shared: Path,
    build: Build,
    digests: Digests,
) -> None:
    original_settings["published"]["names"] = shared / "golden" / "naming"
    settings = settings_file(original_settings)
    assert build(settings).returncode == 0
    made = settings.parent / "out" / "sample"
    for pattern in ("224x224/*/*.tar", "224x224/catalog.csv", "224x224/licenses.csv"):
        assert digests(made, pattern) == digests(original_build, pattern)
    catalogs = [pq.read_table(dataset / "224x224" / "catalog.parquet") for dataset in (made, original_build)]
    # The lookups do not say which rules have touched a name.
    assert set(catalogs[0]["name_rules"].to_pylist()) == {""}
    assert catalogs[0].drop_columns(["name_rules"]).equals(catalogs[1].drop_columns(["name_rules"]))


def test_the_catalog_has_one_row_for_each_sample_in_the_shards(original_build: Path, built: Any) -> None:
    catalog = original_build / "224x224" / "catalog.csv"
    assert header_of(catalog) == CATALOG
    rows = rows_of(catalog)
    assert Counter((row["split"], row["treeoflife_id"]) for row in rows) == {
        (split, image): 1 for split in SPLITS for image in built[split]
    }
    for row in rows:
        members = built[row["split"]][row["treeoflife_id"]]
        ranks = [row[rank] for rank in CATALOG[9:16]]
        assert " ".join(ranks).split() == members["taxonomic_name.txt"].decode().split()
        assert row["common"] == members["common_name.txt"].decode()


def test_the_catalogs_columns_and_rows_are_the_same_in_both_forms(original_build: Path) -> None:
    rows = rows_of(original_build / "224x224" / "catalog.csv")
    columnar = pq.read_table(original_build / "224x224" / "catalog.parquet", columns=CATALOG).to_pylist()
    assert rows == [
        {name: "" if value is None else str(value) for name, value in row.items()} for row in columnar
    ]


def test_licenses_are_those_of_the_manifests(original_build: Path, shared: Path, built: Any) -> None:
    licenses = original_build / "224x224" / "licenses.csv"
    assert header_of(licenses) == LICENSES
    rows = rows_of(licenses)
    eol = {
        row["treeoflife_id"] for row in rows_of(original_build / "224x224/catalog.csv") if row["eol_page_id"]
    }
    assert Counter(row["treeoflife_id"] for row in rows) == dict.fromkeys([*built["train"], *built["val"]], 1)
    assert {row["license_name"] for row in rows if row["treeoflife_id"] not in eol} == {""}
    assert eol <= {*built["train"], *built["val"]}

    told: dict[tuple[str, str], list[str]] = {}
    for path in sorted((shared / "sample/metadata/eol/media_manifest").glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            told |= {(cells[0], cells[1]): cells[2:] for cells in csv.reader(file)}
    for row in rows:
        if row["treeoflife_id"] not in eol:
            continue
        medium, full, name, owner = told[row["eol_content_id"], row["eol_page_id"]]
        assert (row["medium_source_url"], row["eol_full_size_copy_url"]) == (medium, full)
        assert (row["license_name"], row["copyright_owner"]) == (name, owner or "not provided")
        assert row["title"] == "not provided"
    links = {row["license_name"]: row["license_link"] for row in rows}
    assert links["cc-by-sa-2.5"] == "https://creativecommons.org/licenses/by-sa/2.5/"
    assert links["No known copyright restrictions"] == ""


def test_licenses_tell_the_md5_of_the_original_files(original_build: Path, shared: Path) -> None:
    sums = {}
    for path in (shared / "sample" / "eol-original").glob("*.tar.gz"):
        with tarfile.open(path) as tar:
            for member in tar:
                content = tar.extractfile(member)
                assert content is not None
                sums[member.name] = hashlib.md5(content.read(), usedforsecurity=False).hexdigest()
    for row in rows_of(original_build / "224x224" / "licenses.csv"):
        if not row["eol_content_id"]:
            continue
        name = f"{row['eol_content_id']}_{row['eol_page_id']}_eol-full-size-copy.jpg"
        assert row["md5"] == sums[name]

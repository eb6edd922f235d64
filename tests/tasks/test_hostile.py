"""Sources with items meant to break a builder: each costs itself, and is told of."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

Sections = dict[str, dict[str, Any]]
Rows = list[dict[str, Any]]
Ledger = Callable[[Path], Rows]

CORVUS = "Animalia_Chordata_Aves_Passeriformes_Corvidae_Corvus"
ROSE = "Plantae_Tracheophyta_Magnoliopsida_Rosales_Rosaceae"
COPY = "_1045608_eol-full-size-copy.jpg"

UNREADABLE = ["image_set_05", "image_set_06", "image_set_07"]

ITEMS = {  # each with its source, its name, and the states that it ends in
    "a member that is no image": ("eol", "README.txt", ["no_image"]),
    "a name without ids": ("eol", "IMG_1234.jpg", ["bad_name"]),
    "a name with one id": ("eol", "90500000_eol-full-size-copy.jpg", ["bad_name"]),
    "the ending .jpeg": ("eol", f"90500000{COPY.replace('.jpg', '.jpeg')}", ["bad_name"]),
    "the ending .JPG": ("eol", f"90500001{COPY.replace('.jpg', '.JPG')}", ["bad_name"]),
    "an unfinished download": ("eol", f"90500002{COPY}.part", ["bad_name"]),
    "a name with a directory in front": ("eol", f"media_cargo/90500003{COPY}", ["written"]),
    "a resource fork": ("eol", f"._90500004{COPY}", ["no_image"]),
    "the same name twice": ("eol", f"90500005{COPY}", ["duplicate_name", "written"]),
    "a content id beyond 64 bits": ("eol", f"10000000000000000000{COPY}", ["bad_name"]),
    "content id 0": ("eol", f"0{COPY}", ["bad_name"]),
    "a grey JPEG of 280 million pixels": ("eol", f"90500006{COPY}", ["written"]),
    "a palette PNG of four billion pixels": ("eol", f"90500007{COPY}", ["too_large"]),
    "grey with transparency": ("eol", f"90500008{COPY}", ["written"]),
    "8 bits of grey in 16": ("eol", f"90500009{COPY}", ["unsupported_depth"]),
    "a text chunk that unpacks to gigabytes": ("eol", f"90500010{COPY}", ["written"]),
    "a GIF of width 0": ("eol", f"90500011{COPY}", ["unreadable"]),
    "a GIF that claims a huge frame": ("eol", f"90500012{COPY}", ["too_large"]),
    "ids that another archive already holds": (
        "eol",
        "90000000_7986_eol-full-size-copy.jpg",
        ["duplicate_name", "written"],
    ),
    "a symbolic link to a file of the system": ("eol", f"90500013{COPY}", ["unsafe"]),
    "a path out of the archive": ("eol", f"../90500014{COPY}", ["unsafe"]),
    "the leftover of a download": ("eol", ".image_set_08.tar.gz.part", ["no_image"]),
    "a file that is no archive": ("eol", "notes.md", ["no_image"]),
    "zero bytes": ("inat21", f"10998_{CORVUS}_corax/zero.jpg", ["unreadable"]),
    "a corrupt header": ("inat21", f"10998_{CORVUS}_corax/broken.jpg", ["unreadable"]),
    "hidden litter": ("inat21", f"10998_{CORVUS}_corax/.DS_Store", ["no_image"]),
    "litter of a desktop": ("inat21", f"10998_{CORVUS}_corax/Thumbs.db", ["no_image"]),
    "a hybrid with nine parts": ("inat21", f"10997_{ROSE}_Fragaria_x_ananassa/a.jpg", ["written"]),
    "an empty order": ("inat21", f"10996_{CORVUS.replace('Passeriformes', '')}_cornix/a.jpg", ["written"]),
    "a directory without an index": ("inat21", "not_a_class/a.jpg", ["bad_name"]),
    "litter of an editor": ("inat21", ".ipynb_checkpoints/a.jpg", ["no_image"]),
    "a class number used twice": ("inat21", f"10998_{CORVUS}_corone/a.jpg", ["bad_name"]),
    "a file among the classes": ("inat21", "stray.jpg", ["bad_name"]),
    "a class without images": ("inat21", f"10995_{CORVUS}_albus/", ["no_image"]),
    "an image without a metadata row": ("bioscan", "part4/BIOUG98000-A01.jpg", ["no_taxon"]),
    "zero bytes and no metadata row": ("bioscan", "part4/BIOUG98000-A02.jpg", ["no_taxon"]),
    "the ending .png": ("bioscan", "part4/BIOUG98000-A03.png", ["bad_name"]),
    "a part with a leading zero": ("bioscan", "part04/BIOUG98000-A04.jpg", ["bad_name"]),
    "a part without a number": ("bioscan", "partX/BIOUG98000-A05.jpg", ["bad_name"]),
}

UUIDS = {
    "an unknown id": ("6382b3cc-8814-42b7-bbfc-aeed026001c0.jpg", ["not_in_mapping"]),
    "no id": ("not-a-uuid.jpg", ["bad_name"]),
    "an id in upper case": ("AEE61055-8292-4237-98A4-229DDCF75F16.jpg", ["not_in_mapping"]),
    "an id that another archive holds": (
        "ccb85d5c-fe01-47bd-ae99-8b98d09e69d4.jpg",
        ["duplicate_name", "written"],
    ),
    "a directory in front of an id": ("EOL/2b64c6d9-afd8-434e-90db-f35f7de171a8.jpg", ["not_in_mapping"]),
}


def linked(folder: Path, *places: Path, leave_out: Iterable[str] = ()) -> Path:
    """Merge folders by links to what lies in them."""
    folder.mkdir(parents=True)
    for place in places:
        for entry in place.iterdir():
            if entry.name.partition(".")[0] not in leave_out:
                (folder / entry.name).symlink_to(entry)
    return folder


@pytest.fixture
def hostile_settings(sample_settings: Sections, shared: Path, light_sample: Path, once: Any) -> Sections:
    """The sample and the hostile items, with ids and splits of our own making, and the default limits."""

    def fill(folder: Path) -> None:
        sample, hostile = light_sample, shared / "sample" / "hostile"
        linked(folder / "eol", sample / "eol-original", hostile / "eol-original", leave_out=UNREADABLE)
        linked(folder / "inat21" / "train", sample / "inat21" / "train", hostile / "inat21" / "train")
        (folder / "inat21" / "train" / f"10995_{CORVUS}_albus").mkdir()
        linked(folder / "bioscan", sample / "bioscan", hostile / "bioscan")

    sources: Path = once("hostile-sources", fill)
    for source in ("eol", "inat21", "bioscan"):
        sample_settings[source]["images"] = sources / source
    del sample_settings["published"]
    return sample_settings


@pytest.fixture
def hostile_ledger(hostile_settings: Sections, build_once: Any, ledger: Ledger) -> Rows:
    hostile_settings["checks"] = {"max_bad_percent": 50}
    return ledger(build_once("hostile-build", hostile_settings))


def ends(rows: Rows, source: str, name: str) -> list[str]:
    """Give the states that the files of a name end in, and see that each that is left out has a reason."""
    found = [row for row in rows if (row["source"], row["name"]) == (source, name)]
    assert all(bool(row["reason"]) == (row["state"] != "written") for row in found)
    return sorted(row["state"] for row in found)


@pytest.mark.parametrize("item", ITEMS)
def test_the_ledger_tells_what_became_of(item: str, hostile_ledger: Rows) -> None:
    source, name, states = ITEMS[item]
    assert ends(hostile_ledger, source, name) == states


def test_the_ledger_flags_what_pixels_have_lost_and_nothing_else(hostile_ledger: Rows) -> None:
    flags = {row["name"]: row["flags"] for row in hostile_ledger if row.get("flags")}

    assert flags[ITEMS["grey with transparency"][1]] == ["grey", "not_jpeg", "transparent"]
    assert flags[ITEMS["a text chunk that unpacks to gigabytes"][1]] == ["grey", "not_jpeg", "upscaled"]


def test_no_hostile_item_goes_untested(shared: Path) -> None:
    with (shared / "sample" / "hostile.csv").open(encoding="utf-8", newline="") as file:
        places = [row["where"] for row in csv.DictReader(file)]
    names = {place.partition(":")[2] or place.partition("/")[2].removeprefix("train/") for place in places}
    tested = {name.rstrip("/") for _, name, _ in ITEMS.values()}
    archives = {f"{name}.tar.gz" for name in ["image_set_04", *UNREADABLE]}
    # The directory member is no file; what lies in it is tested.
    assert names - archives - {"media_cargo"} <= tested


def test_what_is_not_hostile_is_written_all_the_same(
    hostile_ledger: Rows, own_build: Path, ledger: Ledger
) -> None:
    alone = {row["id"]: (row["state"], row["sha256"]) for row in ledger(own_build) if row["id"]}
    beside = {
        row["id"]: (row["state"], row["sha256"]) for row in hostile_ledger if row["state"] != "duplicate_name"
    }
    assert {image: beside[image] for image in alone} == alone


@pytest.fixture
def uuid_ledger(sample_settings: Sections, shared: Path, once: Any, build_once: Any, ledger: Ledger) -> Rows:
    """One archive of the public copy and the hostile one, with the mapping that knows the first."""

    def fill(folder: Path) -> None:
        (folder / "image_set_01.tar.gz").symlink_to(shared / "sample/eol-hf/image_set_01.tar.gz")
        (folder / "image_set_04.tar.gz").symlink_to(shared / "sample/hostile/eol-hf/image_set_04.tar.gz")

    sample_settings["eol"]["images"] = once("hostile-uuids", fill)
    for section in ("inat21", "bioscan", "rare_species"):
        del sample_settings[section]
    sample_settings["checks"] = {"max_bad_percent": 50}
    return ledger(build_once("hostile-uuids-build", sample_settings))


@pytest.mark.parametrize("item", UUIDS)
def test_the_ledger_of_a_published_mapping_tells_what_became_of(item: str, uuid_ledger: Rows) -> None:
    name, states = UUIDS[item]
    assert ends(uuid_ledger, "eol", name) == states


def test_images_that_a_published_mapping_lists_and_no_archive_holds_are_missing(uuid_ledger: Rows) -> None:
    assert sum(row["state"] == "missing" for row in uuid_ledger) == 151 - 51


def test_more_bad_names_than_the_limit_stop_the_build_with_one_line(
    hostile_settings: Sections, settings_file: Any, build: Any
) -> None:
    settings = settings_file(hostile_settings)
    finished = build(settings)
    assert finished.returncode == 30
    (message,) = finished.messages
    assert "image_set_04" in message
    assert "max_bad_percent = 5" in message
    assert not (settings.parent / "out" / "sample" / "224x224").exists()


@pytest.fixture
def with_archives(bioscan_settings: Sections, sample_settings: Sections, shared: Path, tmp_path: Path) -> Any:
    """Two small sources, one of which has archives that are not whole."""

    def sections(*names: str, **checks: str) -> Sections:
        eol = tmp_path / "eol"
        eol.mkdir()
        (eol / "image_set_01.tar.gz").symlink_to(shared / "sample/eol-original/image_set_01.tar.gz")
        for name in names:
            (eol / f"{name}.tar.gz").symlink_to(shared / f"sample/hostile/eol-original/{name}.tar.gz")
        tables = {name: sample_settings[name] for name in ("eol", "resolved")}
        return {**bioscan_settings, **tables, "eol": {**tables["eol"], "images": eol}, "checks": checks}

    return sections


@pytest.mark.parametrize("name", UNREADABLE)
def test_an_archive_that_is_not_whole_stops_the_build_with_one_line(
    name: str, with_archives: Any, settings_file: Any, build: Any
) -> None:
    settings = settings_file(with_archives(name))
    finished = build(settings)
    assert finished.returncode == 30
    (message,) = finished.messages
    assert f"{name}.tar.gz" in message
    assert "unreadable_archive = skip" in message
    assert not (settings.parent / "out" / "sample" / "224x224").exists()


def test_archives_that_are_not_whole_are_skipped_where_the_settings_say_so(
    with_archives: Any, settings_file: Any, build: Any, ledger: Ledger
) -> None:
    settings = settings_file(with_archives(*UNREADABLE, unreadable_archive="skip"))
    finished = build(settings)
    assert finished.returncode == 0, finished.stderr
    rows = [row for row in ledger(settings.parent / "out" / "sample") if row["partition"] in UNREADABLE]
    assert [(row["partition"], row["state"]) for row in rows] == [
        (name, "bad_archive") for name in UNREADABLE
    ]
    assert all(row["reason"] for row in rows)
    assert all(f"{row['partition']}.tar.gz" in row["name"] for row in rows)


OWL = "Animalia,Chordata,Aves,Strigiformes,Strigidae,Athene"


@pytest.fixture
def folder_settings(shared: Path, tmp_path: Path) -> Sections:
    """A collection of one's own: three labelled photographs, one without a label, one label without a file."""
    photographs = sorted((shared / "sample" / "inat21" / "train").glob("*Athene*/*.jpg"))[:4]
    assert len(photographs) == 4
    images = tmp_path / "mine"
    (images / "deep" / "er").mkdir(parents=True)
    for photograph, name in zip(photographs, ["a.jpg", "deep/b.jpg", "deep/er/c.jpg", "d.jpg"], strict=True):
        (images / name).symlink_to(photograph)
    lines = [
        "file,kingdom,phylum,class,order,family,genus,species,common,license,owner",
        f"a.jpg,{OWL},cunicularia,a bird of mine,cc-by-4.0,Somebody",
        f"deep/b.jpg,{OWL},cunicularia,,,",
        f"deep/er/c.jpg,{OWL},,,,",
        f"gone.jpg,{OWL},cunicularia,,,",
    ]
    labels = tmp_path / "labels.csv"
    labels.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return {
        "dataset": {"root": "out", "tag": "sample", "train_small_percent": 100},
        "folder": {"images": images, "labels": labels, "name": "mine", "partitions": 2},
    }


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    "others",
    [
        pytest.param([], id="alone"),
        pytest.param(["bioscan", "itis"], id="with another source"),
        pytest.param(["bioscan", "itis", "published"], id="with a published source"),
    ],
)
def test_a_folder_of_ones_own_is_built(
    *,
    others: list[str],
    folder_settings: Sections,
    sample_settings: Sections,
    settings_file: Any,
    build: Any,
    ledger: Ledger,
) -> None:
    settings = settings_file({**folder_settings, **{name: sample_settings[name] for name in others}})
    finished = build(settings)
    assert finished.returncode == 0, finished.stderr
    directory = settings.parent / "out" / "sample"
    catalog = table(directory / "224x224" / "catalog.csv")
    mine = {row["folder_file"]: row for row in catalog if row["split"] == "train" and row["folder_name"]}
    assert {file: (row["folder_name"], row["common"]) for file, row in mine.items()} == {
        "a.jpg": ("mine", "a bird of mine"),
        "deep/b.jpg": ("mine", "Athene cunicularia"),
        "deep/er/c.jpg": ("mine", "Athene"),
    }
    assert bool(others) == any(row["bioscan_filename"] for row in catalog)
    rows = [row for row in ledger(directory) if row["source"] == "folder" and row["state"] != "written"]
    assert {row["name"]: row["state"] for row in rows} == {
        "d.jpg": "not_in_mapping",
        "gone.jpg": "missing",
    }
    (licensed,) = (
        row for row in table(directory / "224x224/licenses.csv") if row["license_name"] == "cc-by-4.0"
    )
    assert (licensed["treeoflife_id"], licensed["copyright_owner"]) == (
        mine["a.jpg"]["treeoflife_id"],
        "Somebody",
    )

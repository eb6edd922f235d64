"""Several collections in one dataset: sections with a label, as in ``[folder:pond]``."""

from __future__ import annotations

import csv
import itertools
import sqlite3
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from tol_luigi import settings_from
from tol_luigi.core.errors import SettingsError, TolError
from tol_luigi.core.keys import image_id
from tol_luigi.core.limits import causes
from tol_luigi.dataset import Dataset
from tol_luigi.tasks.partitions import SourceParameter

if TYPE_CHECKING:
    from pathlib import Path

Sections = dict[str, dict[str, Any]]

COUNT = 12
GENERA = {"pond": ("Rana", "Bufo"), "lake": ("Bufo", "Salmo"), "own": ("Salmo", "Rana")}
"""The genera of the images 0, 2, 4 … and 1, 3, 5 … of each collection; all have the same file names."""

SOURCES = {
    "folder": "own",
    "folder-lake": "lake",
    "folder-pond": "pond",
    "imagefolder-reed": "reed",
    "imagefolder-wet-meadow": "wet-meadow",
}
"""The name of the collection of each source, in the order of the catalogs."""


def draw(folder: Path) -> None:
    """Draw collections whose files have the same names: three with a table, two with folders named after taxa."""
    for shade, (name, genera) in enumerate(GENERA.items()):
        (folder / name).mkdir()
        rows = ["file,genus,license,owner"]
        for number in range(COUNT):
            image = Image.new("RGB", (8, 8), (number * 20, shade * 80, 0))
            image.save(folder / name / f"{number}.png")
            rows.append(f"{number}.png,{genera[number % 2]},cc-by-4.0,{name}")
        (folder / f"{name}.csv").write_text("\n".join(rows), encoding="utf-8")
    for shade, name in enumerate(("reed", "meadow")):
        (folder / name / "Apis_mellifera").mkdir(parents=True)
        for number in range(COUNT):
            image = Image.new("RGB", (8, 8), (number * 20, shade * 80, 99))
            image.save(folder / name / "Apis_mellifera" / f"{number}.png")


def table(name: str, **more: Any) -> dict[str, Any]:
    return {"images": name, "labels": f"{name}.csv", "partitions": 1, **more}


SECTIONS: Sections = {
    "dataset": {"root": "out", "tag": "all", "val_percent": 20},
    "folder:pond": table("pond"),
    "folder:lake": table("lake", partitions=2),
    "folder": table("own"),
    "imagefolder:reed": {"images": "reed", "partitions": 1},
    "imagefolder:wet-meadow": {"images": "meadow", "partitions": 1},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all collections, which tests only read."""
    made = tmp_path_factory.mktemp("collections")
    draw(made)
    return made


def write(folder: Path, name: str, sections: Sections) -> Path:
    lines = [
        line
        for section, values in sections.items()
        for line in (f"[{section}]", *(f"{key} = {value}" for key, value in values.items()))
    ]
    path = folder / name
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def built(folder: Path, build: Any) -> Path:
    """The dataset of all collections."""
    done = build(write(folder, "all.cfg", SECTIONS))
    assert done.returncode == 0, done.stderr
    return folder / "out" / "all"


@pytest.fixture(scope="module")
def rows(built: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = Dataset.open(built).catalog.to_pandas().astype(object).to_dict("records")
    return [row for row in found if row["split"] != "train_small"]


def test_every_image_is_under_its_own_label_and_collection(rows: list[dict[str, Any]]) -> None:
    expected = [
        ("folder" if name == "own" else f"folder-{name}", name, f"{number}.png", genera[number % 2])
        for name, genera in GENERA.items()
        for number in range(COUNT)
    ]
    mine = [row for row in rows if row["source"].startswith("folder")]
    columns = ("source", "folder_name", "folder_file", "genus")
    assert sorted(tuple(row[name] for name in columns) for row in mine) == sorted(expected)

    others = [row for row in rows if row["source"].startswith("imagefolder")]
    assert Counter((row["source"], row["imagefolder_name"]) for row in others) == {
        ("imagefolder-reed", "reed"): COUNT,
        ("imagefolder-wet-meadow", "wet-meadow"): COUNT,
    }
    assert {row["genus"] for row in others} == {"Apis"}


def test_ids_differ_and_are_those_of_a_collection_of_that_name(rows: list[dict[str, Any]]) -> None:
    assert len({row["treeoflife_id"] for row in rows}) == len(SOURCES) * COUNT
    for row in rows:
        if row["source"].startswith("folder"):  # as of [folder] with this name
            assert row["treeoflife_id"] == image_id("folder", f"{row['folder_name']}/{row['folder_file']}")


def test_every_collection_has_its_own_table_partitions_and_splits(
    built: Path, rows: list[dict[str, Any]]
) -> None:
    with sqlite3.connect(built / "mapping.sqlite") as mapping:
        for source, name in SOURCES.items():
            found = mapping.execute(f'SELECT DISTINCT collection, count(*) FROM "{source}"').fetchall()  # noqa: S608
            assert found == [(name, COUNT)]
        partitions = mapping.execute("SELECT source, count(*) FROM partition GROUP BY source").fetchall()
    assert dict(partitions) == {source: 2 if source == "folder-lake" else 1 for source in SOURCES}
    val = Counter(row["source"] for row in rows if row["split"] == "val")
    assert set(val) == set(SOURCES)
    assert len(set(val.values())) == 1
    records = built / "224x224" / "records" / "train"
    assert sorted(path.name for path in records.iterdir()) == list(SOURCES)


def test_licences_are_those_of_the_own_table(built: Path, rows: list[dict[str, Any]]) -> None:
    with (built / "224x224" / "licenses.csv").open(encoding="utf-8", newline="") as file:
        owners = {row["treeoflife_id"]: row["copyright_owner"] for row in csv.DictReader(file)}
    mine = {row["treeoflife_id"]: row["folder_name"] for row in rows if row["source"].startswith("folder")}
    assert {image: owner for image, owner in owners.items() if owner != "not provided"} == mine


def test_no_file_name_contains_a_colon(built: Path) -> None:
    assert [path for path in built.rglob("*") if ":" in path.name] == []


def test_an_image_is_found_by_its_collection_or_in_all_of_them(built: Path) -> None:
    dataset = Dataset.open(built)
    (trace,) = dataset.explain("pond/3.png")
    assert (trace.source, trace.key) == ("folder-pond", {"collection": "pond", "file": "3.png"})
    assert trace.place == str(built.parents[1] / "pond")
    assert {trace.source for trace in dataset.explain("3.png")} == set(SOURCES)


def test_another_order_of_sections_and_more_workers_give_the_same_bytes(
    folder: Path, built: Path, build: Any, digests: Any
) -> None:
    again = {**dict(reversed(SECTIONS.items())), "dataset": {**SECTIONS["dataset"], "root": "again"}}
    done = build(write(folder, "again.cfg", again), "--workers", "2")
    assert done.returncode == 0, done.stderr
    assert digests(folder / "again" / "all") == digests(built)


def test_a_name_without_a_label_chooses_every_collection_of_its_kind(folder: Path) -> None:
    def used(sources: str) -> tuple[str, ...]:
        sections = {**SECTIONS, "dataset": {"root": "none", "sources": sources}}
        with settings_from(write(folder, "chosen.cfg", sections)) as settings:
            return settings.used

    assert used("") == tuple(SOURCES)
    assert used("folder") == ("folder", "folder-lake", "folder-pond")
    assert used("folder:pond, imagefolder:reed") == ("folder-pond", "imagefolder-reed")


def changed(section: str, **values: Any) -> Sections:
    return {**SECTIONS, section: {**SECTIONS.get(section, {}), **values}}


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        pytest.param(
            changed("eol:x", images="pond"),
            "[eol:x]: [eol] cannot have a label. Use [eol]; labels are for folder, imagefolder, table.",
            id="a source of which there is one",
        ),
        pytest.param(
            changed("fodler:sea", images="pond"),
            "[fodler:sea]: there is no such section. Did you mean folder:sea?",
            id="no source",
        ),
        pytest.param(
            changed("folder:My Pond", images="pond"),
            "[folder:My Pond]: the label 'My Pond' is not allowed. Use lower-case letters, digits, '_' and '-'",
            id="a blank in a label",
        ),
        pytest.param(changed("folder:", images="pond"), "[folder:]: the label '' is not", id="no label"),
        pytest.param(changed(f"folder:{'a' * 41}"), "at most 40 characters", id="a long label"),
        pytest.param(
            changed("folder:pond", label="pond.csv"),
            "[folder:pond] label: there is no such key. Did you mean labels?",
            id="no key",
        ),
        pytest.param(
            changed("folder:pond", images=""),
            "[folder:pond] images = : empty. Set it to the images, or remove [folder:pond].",
            id="no images",
        ),
        pytest.param(
            changed("folder:pond", labels=""),
            "[folder:pond] labels = : empty, so the images of folder-pond have no names. Set [folder:pond] labels.",
            id="no labels",
        ),
        pytest.param(
            changed("folder:pond", name="lake"),
            "[folder:pond] name = lake: [folder:lake] has the same name. Give each collection its own.",
            id="the name of another one",
        ),
        pytest.param(
            changed("folder", name="pond"),
            "[folder:pond] name = pond: [folder] has the same name. Give each collection its own.",
            id="a label that is the name of another one",
        ),
        pytest.param(
            changed("dataset", sources="eol,folder:sea"),
            "[dataset] sources = eol,folder:sea: there is no section [folder:sea]. Add it, or use one of "
            "folder:lake, folder:pond, imagefolder:reed, imagefolder:wet-meadow.",
            id="a source without a section",
        ),
        pytest.param(
            changed("dataset", sources="eol:x"), "[dataset] sources = eol:x: not allowed", id="no such source"
        ),
    ],
)
def test_wrong_sections_are_one_line(sections: Sections, message: str, folder: Path) -> None:
    path = write(folder, "wrong.cfg", sections)
    with pytest.raises(SettingsError) as caught, settings_from(path):
        pass
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)


def test_a_table_that_cannot_be_used_is_named_by_its_own_section(folder: Path) -> None:
    (folder / "wrong.csv").write_text("image,genus\n1.png,Rana\n", encoding="utf-8")
    sections = {**changed("folder:pond", labels="wrong.csv"), "dataset": {"root": "none"}}
    with settings_from(write(folder, "wrong.cfg", sections)) as settings:
        labels = settings.sources["folder-pond"].labeler.labels()
        with pytest.raises(TolError) as caught:
            list(labels)
        line = str(settings.name_setting(caught.value))
    assert line.startswith(f"[folder:pond] labels = {folder / 'wrong.csv'}: line 1 ")


REUSE = {**SECTIONS["dataset"], "tag": "new", "reuse": "out/all"}


@pytest.mark.parametrize("given", [True, False], ids=["without images", "not chosen"])
def test_a_collection_can_come_from_an_existing_dataset(given: bool, folder: Path, built: Path) -> None:
    sections = {**SECTIONS, "dataset": REUSE, "imagefolder:reed": {"partitions": 1}}
    if not given:
        del sections["imagefolder:reed"]
        sections["dataset"] = {**REUSE, "sources": "folder,imagefolder:wet-meadow"}
    with settings_from(write(folder, "reuse.cfg", sections)) as settings:
        assert settings.previous is not None
        assert settings.previous.layout.directory == built
        assert settings.reused == (("imagefolder-reed",) if given else ())
        assert ("imagefolder-reed" in settings.used) is given


def test_a_collection_that_only_the_existing_dataset_has_is_not_dropped_unasked(
    folder: Path, built: Path
) -> None:
    assert built.exists()
    sections = {**SECTIONS, "dataset": REUSE}
    del sections["folder:pond"]
    with pytest.raises(SettingsError) as caught, settings_from(write(folder, "reuse.cfg", sections)):
        pass
    assert "[folder:pond] images = : empty, but the listing of folder-pond depends on its labels" in str(
        caught.value
    )


def test_tasks_accept_the_name_of_a_source_and_of_its_section() -> None:
    parameter = SourceParameter()
    assert [parameter.normalize(name) for name in ("folder", "folder-pond", "folder:pond")] == [
        "folder",
        "folder-pond",
        "folder-pond",
    ]


def test_a_dataset_continues_with_the_same_sections_only(folder: Path, built: Path) -> None:
    with settings_from(folder / "all.cfg") as settings:
        assert settings.directory == built
    fewer = {name: values for name, values in SECTIONS.items() if name != "folder:pond"}
    path = write(folder, "fewer.cfg", fewer)
    with pytest.raises(SettingsError, match="removed folder-pond, added none") as caught, settings_from(path):
        pass
    assert caught.value not in itertools.islice(causes(caught.value), 1, 9)  # else its causes have no end

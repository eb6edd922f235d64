"""Whatever is wrong with a file or folder that a setting names: the build ends with one line that names the setting."""

from __future__ import annotations

import gzip
import random
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tol_luigi.core.errors import TableError
from tol_luigi.core.setting_kinds import Place
from tol_luigi.tasks.sections import SECTIONS
from tol_luigi.tasks.setting_names import with_setting

if TYPE_CHECKING:
    from collections.abc import Callable

    from forked import Forks

Sections = dict[str, dict[str, Any]]

GARBAGE = random.Random(11).randbytes(5000)  # noqa: S311 (not for secrecy)
TEXT = b"one line\nand another, with a comma\n"

PLACES = [
    (section.section, key, setting.kind.kind)
    for section in SECTIONS
    for key, setting in section.settings().items()
    if isinstance(setting.kind, Place)
]


@pytest.fixture
def names_the_setting(
    forks: Forks, sample_settings: Sections, settings_file: Any, tmp_path: Path
) -> Callable[..., str]:
    """Build with a place in a setting, and see that the build ends with one line that names it; gives the line."""

    def check(section: str, key: str, place: Path, **others: Any) -> str:
        sources = {"eol", "inat21", "bioscan"}
        used = section if section in sources | {"folder"} and key in _OF_SOURCES else "bioscan"
        sections = {name: values for name, values in sample_settings.items() if name not in sources}
        sections[used] = dict(sample_settings.get(used, {}))
        del sections["published"], sections["rare_species"], sections["itis"], sections["resolved"]
        if used == "folder":
            (tmp_path / "labels.csv").write_text(
                "file,kingdom,phylum,class,order,family,genus,species\na/b.jpg,,,,,,,\n"
            )
            sections["folder"] = {
                "images": sample_settings["bioscan"]["images"],
                "labels": tmp_path / "labels.csv",
            }
        if section == "bioscan5m":
            sections[section] = {"images": sample_settings["bioscan"]["images"]}
        if section == "table":
            sections["fetch"] = {"contact": "me@example.org"}
        for name, value in {key: place, **others}.items():
            sections.setdefault(section, {})[name] = value
        ended = forks.build(settings_file(sections), "BuildCatalog")
        assert ended.code in {30, 40}, ended.output
        assert "Traceback" not in ended.output
        assert ended.messages
        for message in ended.messages:
            assert f"[{section}] {key}" in message
            assert str(place) in message
        return ended.messages[0]

    return check


_OF_SOURCES = {"images", "taxon_tab", "scraped_page_ids", "media_manifests", "metadata", "labels"}


@pytest.mark.parametrize(
    ("section", "key"), [(section, key) for section, key, kind in PLACES if kind != "new"]
)
def test_a_place_that_does_not_exist(section: str, key: str, names_the_setting: Any, tmp_path: Path) -> None:
    assert "is missing" in names_the_setting(section, key, tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("section", "key", "kind"),
    [(section, key, kind) for section, key, kind in PLACES if kind in {"file", "folder"}],
)
def test_a_folder_for_a_file_or_a_file_for_a_folder(
    section: str, key: str, kind: str, names_the_setting: Any, tmp_path: Path
) -> None:
    place = tmp_path / "place"
    place.mkdir() if kind == "file" else place.touch()
    names_the_setting(section, key, place)


TABLES = [
    (section, key)
    for section, key, kind in PLACES
    if kind == "file" and (section, key) != ("cluster", "password_file")
]


@pytest.mark.parametrize(
    ("section", "key", "content"),
    [
        pytest.param(section, key, content, id=f"{section} {key}: {name}")
        for section, key in TABLES
        for name, content in {"random bytes": GARBAGE, "another text": TEXT, "nothing": b""}.items()
        if (section, key, content) != ("resolved", "jsonl", b"")  # lines, of which there may be none
    ],
)
def test_a_file_that_is_something_else(
    *,
    section: str,
    key: str,
    content: bytes,
    names_the_setting: Any,
    sample_settings: Sections,
    tmp_path: Path,
) -> None:
    place = tmp_path / "table.bin"
    place.write_bytes(content)
    others = {}
    if section == "inat21":  # which come as a pair
        other = {"taxa": "vernacular_names", "vernacular_names": "taxa"}[key]
        others[other] = sample_settings["inat21"][other]
    names_the_setting(section, key, place, **others)


@pytest.mark.parametrize("ending", [".tar", ".tar.gz", ".zip", ".txt"])
@pytest.mark.parametrize("section", ["eol", "inat21", "bioscan", "folder"])
def test_images_that_are_no_archive(
    section: str, ending: str, names_the_setting: Any, tmp_path: Path
) -> None:
    place = tmp_path / f"images{ending}"
    place.write_bytes(gzip.compress(GARBAGE) if ending == ".tar.gz" else GARBAGE)
    names_the_setting(section, "images", place)


@pytest.mark.parametrize("section", ["eol", "inat21", "bioscan", "folder", "leak_guard", "dataset"])
def test_a_folder_with_nothing_in_it(section: str, names_the_setting: Any, tmp_path: Path) -> None:
    place = tmp_path / "empty"
    place.mkdir()
    names_the_setting(section, "reuse" if section == "dataset" else "images", place)


def test_an_archive_in_a_folder_is_named_with_the_setting(names_the_setting: Any, tmp_path: Path) -> None:
    place = tmp_path / "eol"
    place.mkdir()
    (place / "image_set_01.tar.gz").write_bytes(GARBAGE)
    assert str(place / "image_set_01.tar.gz") in names_the_setting("eol", "images", place)


def test_benchmarks_that_are_no_images(names_the_setting: Any, tmp_path: Path) -> None:
    place = tmp_path / "benchmarks"
    (place / "rare").mkdir(parents=True)
    (place / "rare" / "a.jpg").write_bytes(GARBAGE)
    names_the_setting("leak_guard", "images", place)
    (place / "rare" / "a.jpg").unlink()
    (place / "rare.tar").write_bytes(GARBAGE)
    names_the_setting("leak_guard", "images", place)


WRONG_JSON = {
    "nothing": b"",
    "a list": b"[]",
    "an empty object": b"{}",
    "another object": b'{"images.width": 224, "images.height": 224, "a": 1}',
    "random bytes": GARBAGE,
}


@pytest.mark.parametrize("content", WRONG_JSON.values(), ids=WRONG_JSON.keys())
def test_a_folder_of_another_kind_of_dataset(content: bytes, names_the_setting: Any, tmp_path: Path) -> None:
    place = tmp_path / "other"
    place.mkdir()
    (place / "dataset.json").write_bytes(content)
    names_the_setting("dataset", "reuse", place)


@pytest.mark.parametrize("content", [content for content in WRONG_JSON.values() if content != b"{}"])
def test_a_published_lookup_that_is_none(content: bytes, names_the_setting: Any, tmp_path: Path) -> None:
    place = tmp_path / "names"
    place.mkdir()
    (place / "bioscan_name_lookup.json").write_bytes(content)
    names_the_setting("published", "names", place)


@pytest.mark.parametrize("content", [GARBAGE, TEXT], ids=["random bytes", "another text"])
def test_a_manifest_of_media_that_is_something_else(
    content: bytes, names_the_setting: Any, tmp_path: Path
) -> None:
    place = tmp_path / "manifests"
    place.mkdir()
    (place / "media_manifest_1.csv").write_bytes(content)
    names_the_setting("eol", "media_manifests", place)


def test_a_mapping_that_is_cut_off(names_the_setting: Any, sample_settings: Sections, tmp_path: Path) -> None:
    place = tmp_path / "mapping.sqlite"
    shutil.copyfile(sample_settings["published"]["mapping"], place)
    with place.open("r+b") as file:
        file.truncate(place.stat().st_size // 2)
    names_the_setting("published", "mapping", place)


@pytest.mark.parametrize("key", ["root", "folder"])
def test_a_file_where_a_folder_is_to_be_made(key: str, names_the_setting: Any, tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.touch()
    names_the_setting("dataset" if key == "root" else "download", key, place)


HERE = {
    "[eol] images": Path("/data/eol"),
    "[folder] images": Path("/data"),
    "[itis] chains": Path("/data/a.csv"),
    "[resolved] jsonl": Path("/data/a.csv"),
    "[bioscan] images": Path("/data/b:c/part: 1"),
}


@pytest.mark.parametrize(
    ("where", "named"),
    [
        pytest.param("/data/eol", "[eol] images = /data/eol", id="the place itself"),
        pytest.param("/data/eol: eol/set", "[eol] images = /data/eol: eol/set", id="a part of it"),
        pytest.param("/data/eol/a.tar", "[eol] images: /data/eol/a.tar", id="a file in it"),
        pytest.param("/data/b.csv", "[folder] images: /data/b.csv", id="the inner one of two folders"),
        pytest.param(
            "/data/a.csv", "[itis] chains, [resolved] jsonl = /data/a.csv", id="a file of two settings"
        ),
        pytest.param("/data/b:c/part: 1", "[bioscan] images = /data/b:c/part: 1", id="a place with colons"),
        pytest.param(
            "/data/b:c/part: 1: x", "[bioscan] images = /data/b:c/part: 1: x", id="a part of it, with colons"
        ),
        pytest.param(
            "/data/b:c/part: 1/a: b.tar",
            "[bioscan] images: /data/b:c/part: 1/a: b.tar",
            id="a file with colons",
        ),
        pytest.param(
            "/data/eol:2", "[folder] images: /data/eol:2", id="a place that begins alike, up to a colon"
        ),
        pytest.param("/database", "/database", id="a place that begins alike"),
        pytest.param("/data/out/dev/plan.json", "/data/out/dev/plan.json", id="a file of the dataset"),
        pytest.param("/data/out/dev: x", "/data/out/dev: x", id="the dataset"),
        pytest.param("/data/my.cfg: [eol] images = x", "/data/my.cfg: [eol] images = x", id="named already"),
    ],
)
def test_the_setting_is_that_of_the_nearest_place(where: str, named: str) -> None:
    told = with_setting(TableError(where, "is empty", "Fetch it"), HERE, Path("/data/out/dev"))

    assert (type(told), str(told)) == (TableError, f"{named}: is empty. Fetch it.")

"""Wrong settings end a build with one clear line, before anything is written."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Sections = dict[str, dict[str, Any]]
Change = Callable[[Sections, Path], None]

# Luigi's own code for what went wrong before the first task.
REFUSED = 40


def changed(section: str, key: str, value: str) -> Change:
    def change(sections: Sections, _: Path) -> None:
        sections.setdefault(section, {})[key] = value

    return change


def without(section: str, key: str) -> Change:
    def change(sections: Sections, _: Path) -> None:
        del sections[section][key]

    return change


def with_empty_folder(section: str, key: str) -> Change:
    def change(sections: Sections, folder: Path) -> None:
        (folder / "empty").mkdir()
        sections[section][key] = folder / "empty"

    return change


WRONG = {
    "an unknown section": (changed("biosscan", "images", "x"), ["[biosscan]", "Did you mean bioscan"]),
    "an unknown key": (changed("bioscan", "imagse", "x"), ["[bioscan] imagse", "Did you mean images"]),
    "a percentage above 100": (
        changed("dataset", "val_percent", "101"),
        ["[dataset] val_percent = 101", "from 0 to 100"],
    ),
    "a percentage below 0": (
        changed("dataset", "train_small_percent", "-1"),
        ["[dataset] train_small_percent = -1", "from 0 to 100"],
    ),
    "a word for a number": (
        changed("dataset", "seed", "lucky"),
        ["[dataset] seed = lucky", "an integer"],
    ),
    "nothing for a number": (changed("images", "width", ""), ["[images] width", "an integer"]),
    "a file that is missing": (
        changed("itis", "chains", "nowhere/chains.csv"),
        ["[itis] chains = nowhere/chains.csv", "nowhere/chains.csv is missing", "an existing file"],
    ),
    "a folder for a file": (with_empty_folder("itis", "chains"), ["[itis] chains", "an existing file"]),
    "a folder of images that is missing": (
        changed("bioscan", "images", "nowhere"),
        ["[bioscan] images = nowhere", "an existing file or folder"],
    ),
    "an empty folder of images of bioscan": (with_empty_folder("bioscan", "images"), ["empty", "part1"]),
    "an empty folder of images of inat21": (with_empty_folder("inat21", "images"), ["empty", "class folder"]),
    "an empty folder of images of eol": (
        with_empty_folder("eol", "images"),
        ["empty", "image_set_01.tar.gz"],
    ),
    "images of eol without the hierarchy": (without("eol", "taxon_tab"), ["[eol] taxon_tab"]),
    "images of bioscan without the table": (without("bioscan", "metadata"), ["[bioscan] metadata"]),
    "a word that is no choice": (
        changed("images", "resize", "nearest"),
        ["[images] resize = nearest", "exact or scaled"],
    ),
    "a word that is neither true nor false": (
        changed("checks", "repair", "maybe"),
        ["[checks] repair = maybe", "true or false"],
    ),
    "a limit below 0": (changed("checks", "max_kingdoms", "-1"), ["[checks] max_kingdoms = -1", "from 0"]),
    "a source that does not exist": (
        changed("dataset", "sources", "eol,inat2021"),
        ["[dataset] sources = eol,inat2021", "inat21"],
    ),
    "a tag that leads elsewhere": (changed("dataset", "tag", "../other"), ["[dataset] tag = ../other"]),
    "a reference to nothing": (changed("dataset", "tag", "%(nothing)s"), ["tag"]),
}


def assert_refused(finished: Any, folder: Path, texts: list[str], code: int = REFUSED) -> None:
    assert finished.returncode == code, finished.stderr
    (message,) = finished.messages
    for text in texts:
        assert text in message
    assert message.endswith((".", "?"))
    assert not (folder / "out").exists()
    assert "Traceback" not in finished.stderr


@pytest.mark.parametrize("case", WRONG)
def test_the_build_is_refused_for(
    case: str, sample_settings: Sections, settings_file: Any, build: Any, tmp_path: Path
) -> None:
    change, texts = WRONG[case]
    change(sample_settings, tmp_path)
    settings = settings_file(sample_settings)
    assert_refused(build(settings), tmp_path, [*texts])


def test_the_build_is_refused_for_a_settings_file_that_is_not_there(build: Any, tmp_path: Path) -> None:
    missing = tmp_path / "missing.cfg"
    assert_refused(build(missing), tmp_path, ["LUIGI_CONFIG_PATH", str(missing), "there is no such file"])


# Luigi reads its settings before it loads any module, so these are refused in its words, not in ours.
@pytest.mark.parametrize(
    ("content", "told"),
    [
        pytest.param(b"[dataset\nroot = out\n", "settings.cfg", id="a section without an end"),
        pytest.param(b"root = out\n", "settings.cfg", id="a key before the first section"),
        pytest.param(b"[dataset]\nroot = out\nroot = other\n", "settings.cfg", id="a key twice"),
        pytest.param(b"[dataset]\nroot = \xff\xfe\n", "UnicodeDecodeError", id="bytes that are no text"),
    ],
)
def test_luigi_itself_refuses_a_settings_file_with(
    content: bytes, told: str, build: Any, tmp_path: Path
) -> None:
    settings = tmp_path / "settings.cfg"
    settings.write_bytes(content)
    finished = build(settings)
    assert finished.returncode not in {0, None}
    assert told in finished.stderr
    assert list(tmp_path.iterdir()) == [settings]


def test_a_wrong_argument_is_refused_by_its_own_name(
    bioscan_settings: Sections, settings_file: Any, build: Any, tmp_path: Path
) -> None:
    finished = build(settings_file(bioscan_settings), "--dataset-val-percent", "200")
    assert_refused(finished, tmp_path, ["--dataset-val-percent 200", "from 0 to 100"])


@pytest.fixture
def built(bioscan_settings: Sections, settings_file: Any, once: Any, build: Any, tmp_path: Path) -> Path:
    """A small dataset in the test's folder, its settings file beside it."""

    def fill(folder: Path) -> None:
        settings = settings_file(bioscan_settings)
        finished = build(settings)
        assert finished.returncode == 0, finished.stderr
        (folder / "sample").mkdir()
        shutil.move(tmp_path / "out", folder / "sample")

    shutil.copytree(once("small-build", fill) / "sample" / "out", tmp_path / "out")
    return settings_file(bioscan_settings)


def test_other_settings_under_the_same_tag_are_refused_one_by_one(
    built: Path, bioscan_settings: Sections, settings_file: Any, build: Any
) -> None:
    bioscan_settings["dataset"] |= {"seed": 18, "val_percent": 20}
    bioscan_settings["images"] = {"jpeg_quality": 90}
    del bioscan_settings["itis"]
    settings = settings_file(bioscan_settings)
    before = (built.parent / "out" / "sample" / "dataset.json").read_bytes()
    finished = build(settings)
    assert finished.returncode == REFUSED
    (message,) = finished.messages
    for difference in (
        "dataset.seed was 17, is 18",
        "dataset.val_percent was 10, is 20",
        "images.jpeg_quality was 100, is 90",
        "itis.chains was",
    ):
        assert difference in message
    assert message.count("; ") == 3
    assert (built.parent / "out" / "sample" / "dataset.json").read_bytes() == before


def test_a_table_of_another_length_under_the_same_tag_is_refused(
    built: Path, bioscan_settings: Sections, settings_file: Any, build: Any
) -> None:
    table = Path(shutil.copy(bioscan_settings["itis"]["chains"], built.parent / "chains.csv"))
    table.chmod(0o644)
    length = table.stat().st_size
    with table.open("a", encoding="utf-8") as file:
        file.write("\n")
    bioscan_settings["itis"]["chains"] = table
    finished = build(settings_file(bioscan_settings))
    assert finished.returncode == REFUSED
    (message,) = finished.messages
    assert f"other settings: itis.chains was {length} bytes, is {length + 1} bytes. " in message


def test_a_partition_added_under_the_same_tag_is_refused_by_its_name(
    built: Path, bioscan_settings: Sections, settings_file: Any, build: Any, tmp_path: Path
) -> None:
    parts = tmp_path / "bioscan"
    shutil.copytree(bioscan_settings["bioscan"]["images"], parts)
    bioscan_settings["bioscan"]["images"] = parts
    same = build(settings_file(bioscan_settings))
    assert (same.returncode, same.ran) == (0, [])
    parts.chmod(0o755)
    shutil.copytree(parts / "part1", parts / "part7")
    finished = build(built)
    assert finished.returncode == REFUSED
    (message,) = finished.messages
    assert "bioscan" in message
    assert "part7" in message
    assert "part1" not in message.partition("partitions of")[2]


def test_checks_and_places_are_no_other_settings(
    built: Path, bioscan_settings: Sections, settings_file: Any, build: Any
) -> None:
    assert built.exists()
    bioscan_settings["checks"] = {"max_bad_percent": 7, "max_kingdoms": 3, "repair": "false"}
    table = Path(bioscan_settings["bioscan"]["metadata"])
    bioscan_settings["bioscan"]["metadata"] = os.path.relpath(table, built.parent)
    finished = build(settings_file(bioscan_settings))
    assert (finished.returncode, finished.ran) == (0, [])


def test_relative_paths_count_from_the_folder_of_the_settings_file(
    bioscan_settings: Sections, settings_file: Any, build: Any, tmp_path: Path
) -> None:
    shutil.copytree(bioscan_settings["bioscan"]["images"], tmp_path / "project" / "data" / "bioscan")
    shutil.copy(bioscan_settings["bioscan"]["metadata"], tmp_path / "project" / "rows.jsonld")
    bioscan_settings["bioscan"] |= {"images": "data/bioscan", "metadata": "../project/rows.jsonld"}
    settings = settings_file(bioscan_settings, "project/settings.cfg")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    finished = build(settings, cwd=elsewhere)
    assert finished.returncode == 0, finished.stderr
    assert (tmp_path / "project" / "out" / "sample" / "224x224" / "catalog.csv").exists()
    assert list(elsewhere.iterdir()) == []


def test_the_tag_can_be_given_as_an_argument(
    bioscan_settings: Sections, settings_file: Any, build: Any, tmp_path: Path
) -> None:
    finished = build(settings_file(bioscan_settings), "--dataset-tag", "v2")
    assert finished.returncode == 0, finished.stderr
    assert (tmp_path / "out" / "v2" / "224x224" / "catalog.csv").exists()
    assert not (tmp_path / "out" / "sample").exists()


@pytest.mark.parametrize(
    ("limit", "value", "text"),
    [
        pytest.param(
            "max_kingdoms", 2, "kingdoms: 3 (kingdoms, usually three)", id="there are three kingdoms, two may"
        ),
        pytest.param(
            "max_genus_without_higher", 4, ": 5 (missing ranks", id="five ranks are missing, four may"
        ),
        pytest.param(
            "max_species_of_many_words", 1, ": 2 (rows", id="two species have several words, one may"
        ),
    ],
)
def test_taxa_beyond_a_limit_stop_the_build_before_any_shard(
    *,
    limit: str,
    value: int,
    text: str,
    sample_settings: Sections,
    settings_file: Any,
    build: Any,
    tmp_path: Path,
) -> None:
    sample_settings["checks"] = {limit: value}
    finished = build(settings_file(sample_settings))
    assert finished.returncode == 30
    (message,) = finished.messages
    assert text in message
    assert limit.removeprefix("max_") in message
    assert list(tmp_path.glob("out/sample/224x224/*/*.tar")) == []
    report = (tmp_path / "out" / "sample" / "taxa-report-predicted.txt").read_text(encoding="utf-8")
    assert limit.removeprefix("max_") in report


def test_an_exclusion_list_that_matches_nothing_stops_the_build_unless_allowed(
    bioscan_settings: Sections, settings_file: Any, build: Any, tmp_path: Path
) -> None:
    (tmp_path / "list.json").write_text('{"Felis catus": ["x/1_2_eol-full-size-copy.jpg"]}', encoding="utf-8")
    bioscan_settings["rare_species"] = {"unseen": "list.json"}
    finished = build(settings_file(bioscan_settings))
    assert finished.returncode == 30
    (message,) = finished.messages
    assert "list.json" in message
    assert "allow_no_match" in message
    assert list(tmp_path.glob("out/sample/224x224/*/*.tar")) == []
    bioscan_settings["rare_species"]["allow_no_match"] = "true"
    allowed = build(settings_file(bioscan_settings))
    assert allowed.returncode == 0, allowed.stderr


@pytest.mark.parametrize("arguments", [[], ["--workers", "2"]], ids=["one worker", "two workers"])
def test_a_build_that_fails_never_exits_with_0(
    arguments: list[str], bioscan_settings: Sections, settings_file: Any, build: Any, tmp_path: Path
) -> None:
    (tmp_path / "rows.jsonld").write_text("[{", encoding="utf-8")
    bioscan_settings["bioscan"]["metadata"] = "rows.jsonld"
    finished = build(settings_file(bioscan_settings), *arguments)
    assert finished.returncode == 40
    (message,) = finished.messages
    assert "rows.jsonld" in message

"""``tol taxon``: taxa of a reference taxonomy, and lists of names."""

from __future__ import annotations

import csv
import io
import json
import subprocess
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from small_taxonomy import SMALL, reference

from tol_luigi.taxonomy.lookup_store import LOOKUP, write_lookup

if TYPE_CHECKING:
    from pathlib import Path

Tol = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small taxonomy; only its database, which is all that the command reads."""
    path = tmp_path_factory.mktemp("taxonomy")
    write_lookup(path / LOOKUP, reference(SMALL))
    return path


@pytest.fixture
def asked(tol: Tol, folder: Path, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    def ask(*arguments: object) -> subprocess.CompletedProcess[str]:
        return tol("taxon", "--taxonomy", folder, *arguments, cwd=tmp_path)

    return ask


def table(text: str, delimiter: str = ",") -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text), delimiter=delimiter))


def test_a_taxon_is_shown(asked: Tol) -> None:
    done = asked("Apis mellifera")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "Apis mellifera Linnaeus, 1758"
    assert "  sources     cc:1, bb:70, dd:5" in lines
    assert "  synonyms    1 name: Apis mellifica" in lines
    assert "  why         cc:1 Apis mellifera is new: no taxon had this name before" in lines
    assert max(map(len, lines)) <= 80


def test_several_taxa_are_shown_one_after_the_other(asked: Tol) -> None:
    done = asked("9", "cc:1", "western honey bee", "Apis mellifica Latr.")
    assert done.returncode == 0
    titles = [line for line in done.stdout.splitlines() if line and not line.startswith(" ")]
    assert titles == ["Apis mellifera Linnaeus, 1758"] * 4
    assert "  found as    Apis mellifica Latr. (canonical, synonym of Apis mellifera)\n" in done.stdout


def test_json_has_all_of_it(asked: Tol) -> None:
    done = asked("--json", "Apis mellifera", "Ficus variegata")
    bee, homonym = json.loads(done.stdout)
    assert bee["taxon"]["id"] == 9
    assert [above["name"] for above in bee["taxon"]["lineage"]][-1] == "Apis"
    assert homonym["taxon"] is None
    assert [one["id"] for one in homonym["candidates"]] == [18, 33]
    assert done.returncode == 1


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        pytest.param(
            "Apis melifera",
            ["Apis melifera: not found. Similar names:", "9  Apis mellifera (species in Apidae)"],
            id="misspelt",
        ),
        pytest.param(
            "Quercus nova",
            ["Quercus nova: not found. The nearest taxon above it is:", "24  Quercus (genus in Fagaceae)"],
            id="unknown species",
        ),
        pytest.param(
            "Ficus variegata",
            [
                "Ficus variegata: 2 taxa have this name. Name one by its id:",
                "18  Ficus variegata (species in Animalia)",
                "33  Ficus variegata (species in Plantae)",
            ],
            id="homonym",
        ),
        pytest.param("Xenus yenus", ["Xenus yenus: not found"], id="unknown"),
        pytest.param("12345", ["12345: not found"], id="unknown id"),
    ],
)
def test_a_name_without_a_taxon_ends_with_1(name: str, answer: list[str], asked: Tol) -> None:
    done = asked(name)
    assert (done.returncode, done.stderr) == (1, "")
    assert [line.strip() for line in done.stdout.splitlines()] == answer


def test_a_list_keeps_its_columns_and_gets_those_of_the_taxa(asked: Tol, tmp_path: Path) -> None:
    (tmp_path / "names.csv").write_text(
        'id,name,kingdom,note\n1,Ficus variegata,Plantae,"a, b"\n2,Apis melifera,,\n3,Nonsense,,\n4,,Animalia,\n',
        encoding="utf-8",
    )
    done = asked("--file", "names.csv")
    assert done.stderr == "4 names: 2 exact, 1 fuzzy, 1 unknown\n"
    assert done.returncode == 0
    rows = table(done.stdout)
    assert [row["id"] for row in rows] == ["1", "2", "3", "4"]
    assert rows[0]["note"] == "a, b"
    assert [row["match_status"] for row in rows] == ["exact", "fuzzy", "unknown", "exact"]
    assert [row["taxon_family"] for row in rows] == ["Moraceae", "Apidae", "", ""]
    assert rows[1]["matched_name"] == "Apis mellifera"
    assert rows[3]["taxon_name"] == "Animalia"


def test_names_in_the_columns_of_the_ranks(asked: Tol, tmp_path: Path) -> None:
    (tmp_path / "taxa.tsv").write_text(
        "Kingdom\tGenus\tSpecies\nAnimalia\tFicus\tvariegata\nPlantae\tQuercus\tQuercus alba\nPlantae\tQuercus\t\n",
        encoding="utf-8",
    )
    done = asked("--file", "taxa.tsv", "--output", "matched.csv")
    assert (done.returncode, done.stdout) == (0, "")
    rows = table((tmp_path / "matched.csv").read_text(encoding="utf-8"))
    assert [row["taxon_name"] for row in rows] == ["Ficus variegata", "Quercus alba", "Quercus"]
    assert rows[0]["taxon_phylum"] == "Mollusca"


def test_the_same_list_gives_the_same_bytes(asked: Tol, tmp_path: Path) -> None:
    (tmp_path / "n.csv").write_text("label\nApis cerana\nFicus\n", encoding="utf-8")
    outputs = [asked("--file", "n.csv", "--column", "label").stdout for _ in range(2)]
    assert outputs[0] == outputs[1]
    assert len(table(outputs[0])) == 2


def test_a_list_without_a_single_taxon_ends_with_1(asked: Tol, tmp_path: Path) -> None:
    (tmp_path / "n.csv").write_text("name\nXenus\n", encoding="utf-8")
    assert asked("--file", "n.csv").returncode == 1


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        pytest.param(
            "a,b\n1,2\n", [], "none of its columns is one of names (a, b). Name the column", id="column"
        ),
        pytest.param(
            "name\nx\n", ["--column", "nome"], "has no column nome. Use one of name.", id="given column"
        ),
        pytest.param(
            "name,taxon_id\nx,1\n", [], "has the column taxon_id, which is added", id="added column"
        ),
        pytest.param("name,b\nx\n", [], "line 2 has too few cells (1; the header has 2)", id="short row"),
        pytest.param("name\n\xe9", [], "line 2 is not UTF-8", id="encoding"),
        pytest.param(None, [], "there is no such file", id="missing"),
    ],
)
def test_a_wrong_list_is_one_line_and_no_output(
    content: str | None, options: list[str], message: str, asked: Tol, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / "n.csv").write_bytes(content.encode("latin-1"))
    done = asked("--file", "n.csv", "--output", "out.csv", *options)
    assert done.returncode == 40
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "out.csv").exists()


def test_without_a_taxonomy_it_says_how_to_build_one(
    tol: Tol, settings_file: Callable[..., Path], tmp_path: Path
) -> None:
    settings = settings_file({"dataset": {"root": str(tmp_path / "out"), "tag": "pond"}})
    done = tol("taxon", "Apis", "--config", settings, cwd=tmp_path)
    assert done.returncode == 40
    assert f"{tmp_path}/out/pond/taxonomy: there is no reference taxonomy" in done.stderr
    assert "set [names] method = reference" in done.stderr


def test_the_taxonomy_of_the_dataset_is_the_default(
    tol: Tol, folder: Path, settings_file: Callable[..., Path], tmp_path: Path
) -> None:
    place = tmp_path / "out" / "pond" / "taxonomy"
    place.mkdir(parents=True)
    (place / LOOKUP).symlink_to(folder / LOOKUP)
    settings = settings_file({"dataset": {"root": str(tmp_path / "out"), "tag": "pond"}})
    done = tol("taxon", "Apis", "--json", "--config", settings, cwd=tmp_path)
    answers: list[dict[str, Any]] = json.loads(done.stdout)
    assert answers[0]["taxon"]["name"] == "Apis"


@pytest.mark.parametrize(
    "arguments", [[], ["Apis", "--file", "n.csv"]], ids=["nothing to look up", "names and a list"]
)
def test_wrong_usage_ends_with_2(arguments: list[str], asked: Tol) -> None:
    done = asked(*arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: tol taxon")


@pytest.mark.parametrize("arguments", [["Apis", "--column", "a"], ["--file", "n.csv", "--json"]])
def test_options_that_do_not_fit_are_refused(arguments: list[str], asked: Tol) -> None:
    done = asked(*arguments)
    assert done.returncode == 40
    assert "only" in done.stderr

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tol_luigi.core.errors import MappingError
from tol_luigi.core.name_rules import NameRule
from tol_luigi.core.source import Entry
from tol_luigi.core.taxon import Taxon
from tol_luigi.sources import SOURCES
from tol_luigi.store.databases import opened
from tol_luigi.store.models import Marker, Name
from tol_luigi.store.names import lookup_name, published_entries, write_names

if TYPE_CHECKING:
    from pathlib import Path

APIS = Taxon.of("Animalia", "Arthropoda", "Insecta", "Hymenoptera", "Apidae", "Apis", "mellifera")
BOMBUS = Taxon.of("Animalia", "Arthropoda", "Insecta", "Hymenoptera", "Apidae", "Bombus", "terrestris")
ROSE = Taxon.of("Plantae", family="Rosaceae")


@pytest.fixture
def names(tmp_path: Path) -> Path:
    path = tmp_path / "names.sqlite"
    lookups = [
        (SOURCES["bioscan"], [Entry("x", APIS, "")]),
        (SOURCES["eol"], [Entry("2", ROSE, 'the "rose", a family'), Entry("1", BOMBUS, "Hummel für €")]),
        (SOURCES["inat21"], []),
    ]
    write_names(path, lookups, digest="d", progress=lambda _: None)
    return path


def lookup(names: Path, source: str) -> Any:
    return json.loads(names.with_name(lookup_name(source)).read_text(encoding="utf-8"))


def test_the_lookups_are_as_published(names: Path) -> None:
    assert lookup(names, "bioscan") == {"x": [list(APIS.rendered), "", [0, 0, 0, 0, 0, 0, 0]]}
    assert lookup(names, "eol") == {
        "2": [["Plantae", "", "", "", "Rosaceae", "", ""], 'the "rose", a family', [1, 1, 1, 1, 1, 1, 1]],
        "1": [list(BOMBUS.rendered), "Hummel für €", [0, 0, 0, 0, 0, 2, 2]],
    }
    assert lookup(names, "inat21") == {}


def test_the_same_rows_stand_in_the_database(names: Path) -> None:
    with opened(names, [Name, Marker]):
        rows = list(Name.select(Name.source, Name.key, Name.genus, Name.common, Name.class_index).tuples())
        marker = Marker.get(Marker.stage == "names").digest

    assert rows == [
        ("bioscan", "x", "Apis", "", "[0, 0, 0, 0, 0, 0, 0]"),
        ("eol", "1", "Bombus", "Hummel für €", "[0, 0, 0, 0, 0, 2, 2]"),
        ("eol", "2", "", 'the "rose", a family', "[1, 1, 1, 1, 1, 1, 1]"),
    ]
    assert marker == "d"


def test_the_database_has_names_as_samples_do_and_the_lookups_as_published(tmp_path: Path) -> None:
    bison = Taxon.of(species="Bison bison bonasus")
    rules = frozenset({NameRule.GENUS_SPELLING, NameRule.COMMON_CLEANED})
    lookups = [(SOURCES["eol"], [Entry("1", bison, "", rules)]), (SOURCES["folder"], [Entry("2", bison, "")])]
    write_names(tmp_path / "names.sqlite", lookups, digest="d", progress=lambda _: None)

    with opened(tmp_path / "names.sqlite", [Name]):
        rows = list(Name.select(Name.key, Name.genus, Name.species, Name.rules).order_by(Name.key).tuples())
    assert rows == [
        ("1", "Bison", "bonasus", "common_cleaned,genus_spelling"),
        ("2", "Bison", "bison bonasus", ""),
    ]
    assert lookup(tmp_path / "names.sqlite", "eol")["1"][0][5:] == ["Bison", "bison bonasus"]
    assert lookup(tmp_path / "names.sqlite", "folder")["2"][0][5:] == ["Bison", "bison bonasus"]


def test_what_is_written_can_be_given_as_published(names: Path) -> None:
    entries = list(published_entries(names.with_name("eol_name_lookup.json")))

    assert entries == [Entry("2", ROSE, 'the "rose", a family'), Entry("1", BOMBUS, "Hummel für €")]


def test_lookups_without_class_indexes_load_as_well(tmp_path: Path) -> None:
    path = tmp_path / "eol_name_lookup.json"
    path.write_text(json.dumps({"1": [list(APIS.rendered), "honey bee"]}))

    assert list(published_entries(path)) == [Entry("1", APIS, "honey bee")]


@pytest.mark.parametrize("name", ["eol", "inat21", "bioscan"])
def test_the_golden_lookups_load(shared: Path, name: str) -> None:
    path = shared / "golden" / "naming" / lookup_name(name)
    content = json.loads(path.read_text(encoding="utf-8"))
    entries = list(published_entries(path))

    assert {entry.key: [list(entry.taxon.rendered), entry.common] for entry in entries} == {
        key: value[:2] for key, value in content.items()
    }
    assert len(entries) > 10


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="an empty file"),
        pytest.param('{"1": [["a", "b"', id="a file cut off"),
        pytest.param('{"1": [["a", "b"], ""]}', id="two ranks"),
        pytest.param('{"1": []}', id="an empty entry"),
        pytest.param('{"1": 5}', id="a number where an entry belongs"),
        pytest.param('{"1": {"common": "bee"}}', id="an object where an entry belongs"),
        pytest.param('{"1": [[1, 2, 3, 4, 5, 6, 7], ""]}', id="numbers where ranks belong"),
        pytest.param('{"1": [["", "", "", "", "", "", ""], null]}', id="null where a common name belongs"),
        pytest.param('[["1"]]', id="a list where the object belongs"),
    ],
)
def test_what_is_no_lookup_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "eol_name_lookup.json"
    path.write_text(text)

    with pytest.raises(
        MappingError,
        match=r"eol_name_lookup\.json: cannot be read as a name lookup \(.*\)\. Set \[published\]",
    ):
        list(published_entries(path))


def test_a_lookup_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match="No such file"):
        list(published_entries(tmp_path / "eol_name_lookup.json"))

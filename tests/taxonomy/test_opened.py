"""Reference taxonomies as programs open them."""

from __future__ import annotations

import doctest
import pickle
import sqlite3
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from small_taxonomy import SMALL, Node, reference

from tol_luigi import taxonomy as package
from tol_luigi.core.errors import DatasetError, UnknownTaxonError
from tol_luigi.taxonomy import opened, products
from tol_luigi.taxonomy.lookup_store import LOOKUP, write_lookup
from tol_luigi.taxonomy.opened import Taxonomy
from tol_luigi.taxonomy.release import write_release

if TYPE_CHECKING:
    from pathlib import Path

CONFLICT = {
    **{field.name: "" for field in products.CONFLICTS if field.type == pa.string()},
    "source": "bb",
    "parent": "Vermes",
    "alice": "Apis",
    "alice_target": "Apis",
    "alice_parent": "Apidae",
    "bob": "Ficus",
    "bob_target": "Ficus",
    "bob_parent": "Ficidae",
    "depth": 2,
    "visible": True,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release of the small taxonomy."""
    path = tmp_path_factory.mktemp("dataset") / "taxonomy"
    tables = reference(
        SMALL,
        about={"title": "small"},
        conflicts=pa.Table.from_pylist([CONFLICT], products.CONFLICTS),
        forwards=pa.table({"id": [900], "replacement": [9]}, schema=products.FORWARDS),
        deprecated=pa.Table.from_pylist(
            [
                {
                    **{field.name: "" for field in products.DEPRECATED},
                    "id": 901,
                    "size": 1,
                    "name": "Apis nigra",
                    "reason": "name-retired",
                }
            ],
            products.DEPRECATED,
        ),
    )
    write_release(path, tables)
    if not (path / LOOKUP).exists():
        write_lookup(path / LOOKUP, tables)
    return path


@pytest.fixture
def taxonomy(folder: Path) -> Taxonomy:
    return package.open(folder)


@pytest.mark.parametrize("place", [".", "..", LOOKUP], ids=["folder", "dataset", "file"])
def test_it_opens_from_its_folder_its_file_or_its_dataset(place: str, folder: Path) -> None:
    assert len(Taxonomy.open(folder / place)) == 34


@pytest.mark.parametrize(
    "key", [9, "9", "Apis mellifera", "Apis mellifica", "apis mellifera L.", "cc:1", "bb:70", "dd:5", 900]
)
def test_a_taxon_has_many_keys(key: str | int, taxonomy: Taxonomy) -> None:
    assert taxonomy[key].id == 9
    assert key in taxonomy or str(key).endswith("L.")


def test_a_taxon_says_what_is_known_of_it(taxonomy: Taxonomy) -> None:
    bee = taxonomy["Apis mellifera"]
    assert (bee.name, bee.authorship, bee.rank) == ("Apis mellifera", "Linnaeus, 1758", "species")
    assert bee.sources == ("cc:1", "bb:70", "dd:5")
    assert list(bee.ranks.values()) == [
        "Animalia",
        "Arthropoda",
        "Insecta",
        "Hymenoptera",
        "Apidae",
        "Apis",
        "Apis mellifera",
    ]
    assert [taxon.name for taxon in bee.lineage][:3] == ["life", "Animalia", "Arthropoda"]
    assert bee.parent == bee.lineage[-1]
    assert [taxon.name for taxon in bee.children] == ["Apis mellifera scutellata"]
    assert [name["name"] for name in bee.synonyms] == ["Apis mellifica"]
    assert [name["name"] for name in bee.vernaculars] == ["western honey bee", "European honey bee"]
    assert bee.why[0] == "cc:1 Apis mellifera is new: no taxon had this name before"
    assert bee.why[1].startswith("bb:70 Apis mellifera is aligned: confirmed (Apis mellifera), score +3")


def test_ranks_of_taxa_without_a_species(taxonomy: Taxonomy) -> None:
    assert dict(taxonomy["Apis"].ranks) | {"species": "", "genus": "Apis"} == dict(taxonomy["Apis"].ranks)
    assert taxonomy["Apis mellifera scutellata"].ranks["species"] == "Apis mellifera"
    assert taxonomy["life"].parent is None
    assert set(taxonomy["life"].ranks.values()) == {""}


def test_a_conflict_is_shown_with_the_taxa_that_it_mentions(taxonomy: Taxonomy) -> None:
    assert [row["parent"] for row in taxonomy["Apidae"].conflicts] == ["Vermes"]
    assert taxonomy["Quercus"].conflicts == []


@pytest.mark.parametrize(
    ("key", "message"),
    [
        pytest.param("Xenus", "no taxon has this name or id", id="unknown name"),
        pytest.param(12345, "no taxon has this name or id", id="unknown id"),
        pytest.param("Ficus variegata", r"2 taxa have this name: .*\(18\), .*\(33\)", id="homonym"),
        pytest.param(901, r"no taxon has this id any more \(Apis nigra: name-retired\)", id="retired id"),
        pytest.param("Apis melifera", "no taxon has this name or id", id="misspelt"),
    ],
)
def test_a_key_of_no_single_taxon_is_an_error(key: str | int, message: str, taxonomy: Taxonomy) -> None:
    with pytest.raises(UnknownTaxonError, match=message) as caught:
        taxonomy[key]
    assert isinstance(caught.value, KeyError)


def test_a_vernacular_name_is_found(taxonomy: Taxonomy) -> None:
    assert [taxon.name for taxon in taxonomy.find("Western Honey Bee")] == ["Apis mellifera"]


def test_taxonomies_and_taxa_can_be_pickled(taxonomy: Taxonomy) -> None:
    again = pickle.loads(pickle.dumps(taxonomy))  # noqa: S301 (our own)
    assert again["Apis"] == taxonomy["Apis"]
    assert pickle.loads(pickle.dumps(taxonomy["Apis"])).children == taxonomy["Apis"].children  # noqa: S301


def test_threads_share_a_taxonomy(taxonomy: Taxonomy) -> None:
    names = ["Quercus alba", "Apis melifera", "Ficus variegata", "Quercus nova"] * 50
    expected = [match.status for match in taxonomy.match_all(names)]
    found: list[list[str]] = []
    fresh = Taxonomy.open(taxonomy.path)
    threads = [
        threading.Thread(target=lambda: found.append([match.status for match in fresh.match_all(names)]))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 4


def test_tables_are_read_with_arrow(taxonomy: Taxonomy) -> None:
    assert taxonomy.to_arrow("taxa").schema == products.TAXA
    assert taxonomy.to_arrow("names", ["name"]).column_names == ["name"]
    with pytest.raises(DatasetError, match=r"unknown column \(nome\). Use columns of the table: tol_id"):
        taxonomy.to_arrow("names", ["nome"])
    with pytest.raises(DatasetError, match=r"is unknown\. Use one of taxa, names"):
        taxonomy.to_arrow("nodes")


def test_a_copy_of_the_database_alone_answers_all_but_the_tables(folder: Path, tmp_path: Path) -> None:
    (tmp_path / LOOKUP).write_bytes((folder / LOOKUP).read_bytes())
    (tmp_path / LOOKUP).chmod(0o400)
    alone = Taxonomy.open(tmp_path)
    assert alone["Apis"].rank == "genus"
    with pytest.raises(DatasetError, match=r"taxa.parquet: cannot be read"):
        alone.to_arrow("taxa")
    assert [path.name for path in tmp_path.iterdir()] == [LOOKUP]


def test_what_is_no_taxonomy_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="is not a reference taxonomy"):
        Taxonomy.open(tmp_path)
    (tmp_path / "text.sqlite").write_text("no database, but a text that is long enough", encoding="utf-8")
    with pytest.raises(DatasetError, match="cannot be read as the database of a reference taxonomy"):
        Taxonomy.open(tmp_path / "text.sqlite")
    write_lookup(tmp_path / LOOKUP, reference(Node("life")))
    with sqlite3.connect(tmp_path / LOOKUP) as database:
        database.execute("UPDATE about SET value = '99' WHERE key = 'format'")
    database.close()
    with pytest.raises(DatasetError, match="has format 99, and this version of tol_luigi reads 1"):
        Taxonomy.open(tmp_path)


def test_a_damaged_database_is_one_line(folder: Path, tmp_path: Path) -> None:
    content = bytearray((folder / LOOKUP).read_bytes())
    half = len(content) // 2
    content[half:] = b"\xff" * (len(content) - half)
    (tmp_path / LOOKUP).write_bytes(content)
    with pytest.raises(DatasetError) as caught:
        [Taxonomy.open(tmp_path)[tol_id].as_dict() for tol_id in range(1, 35)]
    assert "\n" not in str(caught.value)


def test_the_import_is_cheap_and_needs_no_luigi() -> None:
    program = """
import sys
sys.modules["luigi"] = sys.modules["sciluigi"] = None
import tol_luigi.taxonomy
assert not {"pyarrow", "peewee", "rapidfuzz", "nameparser"} & sys.modules.keys()
assert "open" in dir(tol_luigi.taxonomy)
print(tol_luigi.taxonomy.Taxonomy.__name__)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("Taxonomy\n", "")


def test_the_examples_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    runner = doctest.DocTestRunner(optionflags=doctest.REPORT_NDIFF)
    said: list[str] = []
    extra = {"taxonomy": Taxonomy.open(folder), "Taxonomy": Taxonomy}
    for test in doctest.DocTestFinder().find(opened, extraglobs=extra):
        runner.run(test, out=said.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(said)
    assert runner.tries > 8

"""The files of a release, and reading them again."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from drawn_sources import KINGDOMS, Row, source, united

from tol_luigi.core.errors import DamagedError, DatasetError
from tol_luigi.taxonomy.finish import finished, records_of
from tol_luigi.taxonomy.flags import Flag
from tol_luigi.taxonomy.forest import Forest
from tol_luigi.taxonomy.name_table import NameTable
from tol_luigi.taxonomy.newick import read_newick
from tol_luigi.taxonomy.newick_file import newick_texts
from tol_luigi.taxonomy.products import CONFLICTS, ReferenceTables
from tol_luigi.taxonomy.release import PREVIOUS_COLUMNS, RELEASE_FILES, read_reference, write_release

if TYPE_CHECKING:
    from pathlib import Path

EARLIER = source("a", Row("1", "", "Animalia", "kingdom"), Row("9", "1", "Retus", "genus"))
LATER = source(
    "a",
    Row("1", "", "Animalia", "kingdom"),
    Row("2", "1", "Aus", "genus", ("Ausus", 'O"us')),
    Row("3", "2", "Aus d'orbignyi", "species", english=("orb",), flags=int(Flag.EXTINCT)),
    Row("4", "2", "Aus bus var. cus", "variety"),
    Row("5", "1", "Bus (Cus)", ""),
    Row("6", "1", "odd\tname_1", "genus"),
)


@pytest.fixture(scope="module")
def tables() -> ReferenceTables:
    first = finished(united(EARLIER), kingdoms=KINGDOMS)
    second = finished(united(LATER), kingdoms=KINGDOMS, previous=first, about={"title": "small"})
    clash = {field.name: field.name for field in CONFLICTS} | {"source": "a", "depth": 2, "visible": True}
    return dataclasses.replace(second, conflicts=pa.Table.from_pylist([clash], CONFLICTS))


def test_a_release_is_a_forest_with_all_its_names(tables: ReferenceTables) -> None:
    names = NameTable()
    forest, same = Forest.of_tables(tables, names), Forest.of(records_of(tables), names)

    assert forest.uid.to_pylist() == sorted(map(str, tables.taxa["tol_id"].to_pylist()), key=int)
    assert forest.uid.equals(same.uid)
    assert forest.sources.equals(same.sources)
    assert forest.tree.parent.tolist() == same.tree.parent.tolist()
    for column in ("name", "authorship", "rank", "code", "flags"):
        assert getattr(forest, column).tolist() == getattr(same, column).tolist(), column
    for column in ("row", "name", "authorship", "kind"):
        assert getattr(forest.synonyms, column).tolist() == getattr(same.synonyms, column).tolist(), column
    texts = names.texts(forest.name).to_pylist()
    synonyms = zip(forest.synonyms.row.tolist(), names.texts(forest.synonyms.name).to_pylist(), strict=True)
    assert {("Aus", "Ausus"), ("Aus", 'O"us')} <= {(texts[row], name) for row, name in synonyms}
    above = forest.tree.parent[texts.index("Aus d'orbignyi")]
    assert texts[above] == "Aus"
    assert forest.flags[texts.index("Aus d'orbignyi")] & Flag.EXTINCT


def test_a_previous_release_keeps_its_ids_if_only_some_columns_are_read(
    tables: ReferenceTables, tmp_path: Path
) -> None:
    write_release(tmp_path, tables)
    previous = read_reference(tmp_path, PREVIOUS_COLUMNS)
    assert set(PREVIOUS_COLUMNS["taxa"]) == set(previous.taxa.column_names)

    ours, theirs = (
        finished(united(EARLIER), kingdoms=KINGDOMS, previous=each) for each in (previous, tables)
    )

    for field in dataclasses.fields(ReferenceTables):
        assert getattr(ours, field.name) == getattr(theirs, field.name), field.name


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def test_what_is_written_is_read(tables: ReferenceTables, tmp_path: Path) -> None:
    write_release(tmp_path, tables)
    again = read_reference(tmp_path)
    for field in dataclasses.fields(ReferenceTables):
        if field.name == "about":
            assert again.about == tables.about
        else:
            assert getattr(again, field.name).equals(getattr(tables, field.name)), field.name
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(RELEASE_FILES)


def test_the_same_tables_give_the_same_bytes_however_they_are_chunked(
    tables: ReferenceTables, tmp_path: Path
) -> None:
    write_release(tmp_path / "one", tables)
    chunked = {
        field.name: pa.concat_tables(
            [getattr(tables, field.name).slice(0, 2), getattr(tables, field.name).slice(2)]
        )
        for field in dataclasses.fields(ReferenceTables)
        if field.name != "about"
    }
    write_release(tmp_path / "two", ReferenceTables(**chunked, about=tables.about))
    assert digests(tmp_path / "one") == digests(tmp_path / "two")


def test_the_open_tree_could_read_the_taxa(tables: ReferenceTables, tmp_path: Path) -> None:
    write_release(tmp_path, tables)
    lines = (tmp_path / "taxonomy.tsv").read_text("utf-8").splitlines()
    assert lines[0] == "uid\t|\tparent_uid\t|\tname\t|\trank\t|\tsourceinfo\t|\tuniqname\t|\tflags\t|\t"
    assert lines[1] == "1\t|\t\t|\tlife\t|\tno rank\t|\t\t|\t\t|\t\t|\t"
    assert lines[2].startswith("2\t|\t1\t|\tAnimalia\t|\tkingdom\t|\ta:1\t|\t")
    by_name = {line.split("\t|\t")[2]: line.split("\t|\t") for line in lines[1:]}
    assert by_name["Aus bus var. cus"][3] == "varietas"
    assert by_name["Bus (Cus)"][3] == "no rank - terminal"
    assert "extinct" in by_name["Aus d'orbignyi"][6]
    assert "odd name_1" in by_name
    assert all(len(line.split("\t|\t")) == 8 for line in lines)

    synonyms = (tmp_path / "synonyms.tsv").read_text("utf-8").splitlines()
    assert synonyms[0] == "name\t|\tuid\t|\ttype\t|\tuniqname\t|\tsourceinfo\t|\t"
    aus = by_name["Aus"][0]
    assert set(synonyms[1:]) == {
        f"Ausus\t|\t{aus}\t|\tsynonym\t|\tAusus (synonym for Aus)\t|\ta\t|\t",
        f'O"us\t|\t{aus}\t|\tsynonym\t|\tO"us (synonym for Aus)\t|\ta\t|\t',
    }


def test_ids_and_conflicts_are_listed(tables: ReferenceTables, tmp_path: Path) -> None:
    write_release(tmp_path, tables)
    assert (tmp_path / "forwards.tsv").read_text("utf-8") == "id\treplacement\n"
    header, row = (tmp_path / "deprecated.tsv").read_text("utf-8").splitlines()
    assert header == "id\tsize\tname\tsourceinfo\treason\twitness\treplacement\tstatus"
    assert row.split("\t")[1:5] == ["1", "Retus", "a:9", "name-retired"]
    header, row = (tmp_path / "conflicts.tsv").read_text("utf-8").splitlines()
    assert header.split("\t")[0] == "parent"
    assert row.split("\t")[-3:] == ["2", "true", "a"]


def test_newick_labels_are_names_with_ids(tables: ReferenceTables) -> None:
    text = "".join(newick_texts(tables.taxa).to_pylist())
    again = read_newick(text)
    names, ids = tables.taxa["name"].to_pylist(), tables.taxa["tol_id"].to_pylist()
    wanted = {
        f"{name} tol{tol_id}".replace("\t", " ").replace("_", " ")
        for name, tol_id in zip(names, ids, strict=True)
    }
    assert {name.replace("_", " ") for name in again.taxa["name"].to_pylist()} == wanted
    labels = dict(zip(again.taxa["uid"].to_pylist(), again.taxa["name"].to_pylist(), strict=True))
    parents = {
        int(name.rpartition("tol")[2]): int(labels[parent].rpartition("tol")[2]) if parent else None
        for name, parent in zip(again.taxa["name"].to_pylist(), again.taxa["parent"].to_pylist(), strict=True)
    }
    assert parents == dict(zip(ids, tables.taxa["parent"].to_pylist(), strict=True))
    assert "'Aus d''orbignyi_tol" in text


def test_newick_leaves_tombstones_out() -> None:
    first = finished(united(LATER), kingdoms=KINGDOMS)
    flags = first.taxa["flags"].to_numpy().copy()
    flags[first.taxa["name"].to_pylist().index("Bus (Cus)")] = int(Flag.INCONSISTENT)
    place = first.taxa.schema.get_field_index("flags")
    taxa = first.taxa.set_column(place, first.taxa.schema.field(place), pa.array(flags))
    assert "Cus)" not in "".join(newick_texts(taxa).to_pylist())
    assert newick_texts(taxa.slice(0, 0)).to_pylist() == []


def damaged(folder: Path, name: str) -> str:
    with pytest.raises(DatasetError) as caught:
        read_reference(folder)
    text = str(caught.value)
    assert name in text
    assert "\n" not in text
    return text


def test_a_folder_that_is_no_release_is_one_clear_error(tables: ReferenceTables, tmp_path: Path) -> None:
    assert "no such folder" in damaged(tmp_path / "missing", "missing")
    assert "no complete reference taxonomy" in damaged(tmp_path, str(tmp_path))
    write_release(tmp_path, tables)

    (tmp_path / "taxa.parquet").rename(tmp_path / "kept")
    assert "missing" in damaged(tmp_path, "taxa.parquet")
    (tmp_path / "taxa.parquet").write_bytes(b"no table")
    assert "cannot be read" in damaged(tmp_path, "taxa.parquet")
    pq.write_table(pa.table({"other": [1]}), tmp_path / "taxa.parquet")
    assert "cannot be read" in damaged(tmp_path, "taxa.parquet")
    pq.write_table(pq.read_table(tmp_path / "kept").slice(1), tmp_path / "taxa.parquet")
    assert "about.json says" in damaged(tmp_path, "taxa.parquet")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": 99, "rows": {}, "about": {}}'])
def test_a_damaged_description_is_one_clear_error(
    tables: ReferenceTables, tmp_path: Path, content: str
) -> None:
    write_release(tmp_path, tables)
    (tmp_path / "about.json").write_text(content, encoding="utf-8")
    damaged(tmp_path, "about.json")


def test_a_release_that_is_replaced_is_incomplete_until_its_last_file(
    tables: ReferenceTables, tmp_path: Path
) -> None:
    write_release(tmp_path, tables)
    (tmp_path / "names.parquet").unlink()
    (tmp_path / "names.parquet").mkdir()
    with pytest.raises(DamagedError, match="is a folder"):
        write_release(tmp_path, tables)
    damaged(tmp_path, "about.json is missing")


def test_the_description_says_what_was_given(tables: ReferenceTables, tmp_path: Path) -> None:
    write_release(tmp_path, tables)
    about = json.loads((tmp_path / "about.json").read_text("utf-8"))
    assert about["about"]["title"] == "small"
    assert about["rows"]["taxa"] == len(tables.taxa)

"""Labels as people write them: delimiters, encodings, missing values, Unicode normal forms."""

from __future__ import annotations

import csv
import json
import unicodedata
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tol_luigi.core.errors import TableError
from tol_luigi.core.higher_ranks import HigherRankTable
from tol_luigi.core.ledger import State
from tol_luigi.core.taxon import Taxon
from tol_luigi.core.vernacular import CommonNames
from tol_luigi.sources.delimited import DELIMITERS
from tol_luigi.sources.folder import FolderLabeler, FolderReader
from tol_luigi.sources.labels import LabelTable, Matcher

if TYPE_CHECKING:
    from pathlib import Path

HEADER = [
    "file",
    "kingdom",
    "phylum",
    "class",
    "order",
    "family",
    "genus",
    "species",
    "common",
    "license",
    "owner",
]
RAVEN = [
    "Animalia",
    "Chordata",
    "Aves",
    "Passeriformes",
    "Corvidae",
    "Corvus",
    "corax",
    "raven",
    "cc0",
    "José",
]
NFC, NFD = (unicodedata.normalize(form, "Ñandú.jpg") for form in ("NFC", "NFD"))


def write(folder: Path, *rows: list[str], encoding: str = "utf-8", **dialect: Any) -> Path:
    path = folder / "labels.csv"
    with path.open("w", encoding=encoding, newline="") as file:
        csv.writer(file, **dialect).writerows([HEADER, *rows])
    return path


def message(table: LabelTable) -> str:
    with pytest.raises(TableError) as caught:
        list(table)
    assert "\n" not in str(caught.value)
    assert caught.value.where == f"[folder] labels = {table.table.path}"
    return str(caught.value)


@pytest.mark.parametrize("word", DELIMITERS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252", "latin-1"])
def test_a_delimiter_and_an_encoding_are_read_if_the_settings_name_them(
    tmp_path: Path, word: str, encoding: str
) -> None:
    path = write(tmp_path, ["a.jpg", *RAVEN], encoding=encoding, delimiter=DELIMITERS[word])
    [label] = LabelTable(path, word, encoding.removesuffix("-sig"))
    assert (label.file, label.ranks, label.owner) == ("a.jpg", tuple(RAVEN[:7]), "José")


@pytest.mark.parametrize("word", DELIMITERS)
def test_a_delimiter_is_recognised_by_the_header(tmp_path: Path, word: str) -> None:
    path = write(tmp_path, ["a,b;c.jpg", *RAVEN], delimiter=DELIMITERS[word])
    [label] = LabelTable(path)
    assert (label.file, label.ranks, label.owner) == ("a,b;c.jpg", tuple(RAVEN[:7]), "José")


def records(*rows: list[str]) -> list[dict[str, Any]]:
    return [dict(zip(HEADER, row, strict=True)) for row in rows]


def as_parquet(folder: Path, rows: list[dict[str, Any]]) -> Path:
    pq.write_table(pa.Table.from_pylist(rows), folder / "labels.parquet")
    return folder / "labels.parquet"


def as_json_lines(folder: Path, rows: list[dict[str, Any]]) -> Path:
    (folder / "labels.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return folder / "labels.jsonl"


@pytest.mark.parametrize("as_file", [as_parquet, as_json_lines])
def test_records_mean_the_same_as_rows(tmp_path: Path, as_file: Any) -> None:
    rows = [["a.jpg", *RAVEN], ["b/c.jpg", *RAVEN[:-1], ""]]
    text = LabelTable(write(tmp_path, *rows))
    given = records(*rows)
    given[1]["owner"] = None

    assert [label[1:] for label in LabelTable(as_file(tmp_path, given))] == [label[1:] for label in text]


@pytest.mark.parametrize("as_file", [as_parquet, as_json_lines])
def test_numbers_and_missing_values_of_records(tmp_path: Path, as_file: Any) -> None:
    [label] = LabelTable(as_file(tmp_path, [{"file": 17, "Genus": "Corvus", "species": None, "owner": 3.5}]))
    assert (label.file, label.ranks[5:], label.owner) == ("17", ("Corvus", ""), "3.5")


@pytest.mark.parametrize("as_file", [as_parquet, as_json_lines])
@pytest.mark.parametrize(
    ("record", "what"),
    [
        ({"file": None, "genus": "x"}, "row 1 lacks file"),
        (
            {"file": "a.jpg", "genus": ["x"]},
            "row 1 has a list in its column genus, which is neither text nor a number",
        ),
        ({"file": "a.jpg", "owner": "x"}, "lacks a column that names what the images show"),
    ],
)
def test_records_that_are_no_labels_are_refused(tmp_path: Path, as_file: Any, record: Any, what: str) -> None:
    assert what in message(LabelTable(as_file(tmp_path, [record])))


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b'{"file": "a.jpg", "genus": "x"}\n{"file": \n', "line 2 is not JSON"),
        (b'{"file": "a.jpg", "genus": "x"}\n[1]\n', "line 2 is not a JSON object"),
        (b"PAR1 and nothing more", "is not a complete Parquet file"),
    ],
)
def test_damaged_records_are_refused(tmp_path: Path, content: bytes, what: str) -> None:
    (tmp_path / "labels").write_bytes(content)
    assert what in message(LabelTable(tmp_path / "labels"))


NAMES = [
    ("Corvus corax", "corvus", "corax", "corvidae"),
    ("Corvus_corax", "corvus", "corax", "corvidae"),
    ("Corvidae", "", "", "corvidae"),
    ("Pica", "pica", "", ""),
    ("Corvus corax principalis", "corvus", "corax principalis", ""),
]


@pytest.mark.parametrize(("name", "genus", "species", "family"), NAMES)
def test_the_ranks_of_a_scientific_name_are_looked_up(
    tmp_path: Path, name: str, genus: str, species: str, family: str
) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(f"file,scientific_name\na.jpg,{name}\n", encoding="utf-8")
    lookup = HigherRankTable()
    lookup.add_chain(Taxon.of(*RAVEN[:7]))
    [entry] = FolderLabeler(LabelTable(path)).entries([("own", "a.jpg", "id")], lookup, CommonNames())

    assert (entry.taxon.genus, entry.taxon.species, entry.taxon.family) == (genus, species, family)
    assert entry.taxon.kingdom == ("animalia" if family else "")


def test_ranks_come_before_a_name(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("file,name,genus\na.jpg,Corvus corax,Pica\n", encoding="utf-8")
    lookup = HigherRankTable()
    lookup.add_chain(Taxon.of(*RAVEN[:7]))
    [entry] = FolderLabeler(LabelTable(path)).entries([("own", "a.jpg", "id")], lookup, CommonNames())
    assert entry.taxon == Taxon.of(genus="Pica")


@pytest.mark.parametrize("word", sorted(DELIMITERS.keys() - {"comma"}))
def test_another_delimiter_is_refused_with_the_setting(tmp_path: Path, word: str) -> None:
    told = message(LabelTable(write(tmp_path, ["a.jpg", *RAVEN], delimiter=DELIMITERS[word]), "comma"))
    assert f"line 1 has its cells separated by the delimiter {word}, not comma" in told
    assert f"set [folder] delimiter = {word}." in told


@pytest.mark.parametrize(
    ("encoding", "what", "setting"),
    [
        ("latin-1", "line 3 is not UTF-8 (byte 0xE9, perhaps of Windows-1252 or Latin-1)", "cp1252"),
        ("utf-16", "line 1 is UTF-16, not UTF-8", "utf-16"),
        ("utf-16-le", "line 1 is UTF-16-LE, not UTF-8", "utf-16-le"),
        ("utf-32", "line 1 is UTF-32, not UTF-8", "utf-32"),
    ],
)
def test_another_encoding_is_refused_with_the_setting(
    tmp_path: Path, encoding: str, what: str, setting: str
) -> None:
    path = write(tmp_path, ["a.jpg", *RAVEN[:-1], "x"], ["b.jpg", *RAVEN], encoding=encoding)
    told = message(LabelTable(path))
    assert what in told
    assert f"set [folder] encoding = {setting}." in told


def test_byte_order_marks_are_read(tmp_path: Path) -> None:
    path = write(tmp_path, ["a.jpg", *RAVEN], encoding="utf-16-le")
    path.write_bytes(b"\xff\xfe" + path.read_bytes())
    for encoding in ("utf-16", "utf-16-le"):
        assert [label.file for label in LabelTable(path, encoding=encoding)] == ["a.jpg"]


def test_a_table_that_is_not_in_the_encoding_of_the_settings(tmp_path: Path) -> None:
    path = write(tmp_path, ["a.jpg", *RAVEN])
    assert "set [folder] encoding = utf-8." in message(LabelTable(path, encoding="utf-16"))


@pytest.mark.parametrize("column", [1, 7, 8, 9, 10])
@pytest.mark.parametrize(
    ("sign", "what"), [("\n", "a line break"), ("\r\n", "a line break"), ("\0", "a NUL")]
)
def test_line_breaks_and_nuls_are_refused_with_the_line(
    tmp_path: Path, column: int, sign: str, what: str
) -> None:
    row = ["b.jpg", *RAVEN]
    row[column] = f"x{sign}y"
    told = message(LabelTable(write(tmp_path, ["a.jpg", *RAVEN], row)))
    assert f"the row that begins on line 3 has {what}" in told
    assert f"cell {HEADER[column]}" in told


SPELLINGS = ["NA", "N/A", "None", "nan", "NULL", "null", "-", "?"]


def test_likely_missing_values_are_counted_and_are_names_unless_the_settings_list_them(
    tmp_path: Path,
) -> None:
    rows = [[f"{name}.jpg", *RAVEN[:4], name, name, "alba", "", "", name] for name in "xyz"]
    for row, name in zip(rows, ["NA", "na", "-"], strict=True):
        row[5] = row[6] = row[10] = name
    path = write(tmp_path, *rows)

    assert [label.ranks[5] for label in LabelTable(path)] == ["NA", "na", "-"]
    assert LabelTable(path).likely_missing() == {
        (spelling, column): 1 for spelling in ("NA", "na", "-") for column in ("family", "genus", "owner")
    }
    table = LabelTable(path, missing_values=["na", "?"])
    assert [(label.ranks[4], label.ranks[5], label.owner) for label in table] == [
        ("", "", ""), ("", "", ""), ("-", "-", "-"),
    ]  # fmt: skip
    assert set(table.likely_missing()) == {("-", column) for column in ("family", "genus", "owner")}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_each_usual_spelling_is_known(tmp_path: Path, spelling: str) -> None:
    path = write(tmp_path, ["a.jpg", *RAVEN[:5], spelling, *RAVEN[6:]])
    assert LabelTable(path).likely_missing() == {(spelling, "genus"): 1}


@pytest.mark.parametrize(
    ("labels", "files", "found", "missing"),
    [
        pytest.param([NFC], [NFD], {NFD: NFC}, [], id="composed and decomposed"),
        pytest.param([NFD], [NFC], {NFC: NFD}, [], id="decomposed and composed"),
        pytest.param([NFC], [NFD, NFC], {NFC: NFC}, [], id="one label, both files"),
        pytest.param([NFC, NFD], [NFD], {NFD: NFD}, [NFC], id="two labels, one file"),
        pytest.param([NFC, NFD], [NFD, NFC], {NFC: NFC, NFD: NFD}, [], id="two of each"),
        pytest.param(["\u212b.jpg"], ["\u00c5.jpg", "A\u030a.jpg"], {}, ["\u212b.jpg"], id="two files could be meant"),
        pytest.param(["a.jpg"], ["b.jpg"], {}, ["a.jpg"], id="others"),
    ],
)  # fmt: skip
def test_normal_forms_match_where_one_file_and_one_label_can_be_meant(
    labels: list[str], files: list[str], found: dict[str, str], missing: list[str]
) -> None:
    matcher = Matcher(labels, lambda: files)
    assert {file: label for file in files if (label := matcher.find(file))} == found
    assert Matcher(labels, lambda: files).missing() == missing


@pytest.mark.parametrize("form", ["folder", "tar", "tar.gz", "zip"])
def test_a_file_in_another_normal_form_has_the_key_of_its_label_and_a_note(
    pack: Any, tmp_path: Path, form: str
) -> None:
    labels = write(tmp_path, [f"sub/{NFC}", *RAVEN], ["b.jpg", *RAVEN])
    same = FolderReader(pack(form, {f"sub/{NFC}": b"x", "b.jpg": b"y"}), LabelTable(labels), "mine", 9)
    other = FolderReader(pack(form, {f"sub/{NFD}": b"x", "b.jpg": b"y"}), LabelTable(labels), "mine", 9)

    rows, expected = list(other.scan("all")), list(same.scan("all"))
    by_key = {row.key: row for row in rows}
    assert {(row.key, row.partition) for row in rows} == {(row.key, row.partition) for row in expected}
    assert (
        by_key["mine", f"sub/{NFC}"].reason == f"labelled in another Unicode normal form, as {f'sub/{NFC}'!r}"
    )
    assert by_key["mine", "b.jpg"].reason == ""
    assert not any(row.state for row in rows)
    assert list(other.unlisted()) == []
    assert sorted(content for _, content in other.read("", [row.member for row in rows])) == [b"x", b"y"]


def test_a_label_with_two_files_that_could_be_meant_is_missing(pack: Any, tmp_path: Path) -> None:
    files = {"\u00c5.jpg": b"x", "A\u030a.jpg": b"y"}
    source = FolderReader(
        pack("folder", files), LabelTable(write(tmp_path, ["\u212b.jpg", *RAVEN])), "mine", 1
    )
    assert {row.state for row in source.scan("all")} == {State.NOT_IN_MAPPING}
    assert [row.member.name for row in source.unlisted()] == ["\u212b.jpg"]

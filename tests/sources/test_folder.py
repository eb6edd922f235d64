from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tol_luigi.core.errors import SourceError, TableError
from tol_luigi.core.ledger import State
from tol_luigi.sources.folder import FOLDER, FolderReader
from tol_luigi.sources.labels import LabelTable

Pack = Callable[..., Path]

FORMS = ("folder", "tar", "tar.gz", "zip")
RANKS = ("Animalia", "Chordata", "Aves", "Passeriformes", "Corvidae", "Corvus", "corax")
HEADER = "file,kingdom,phylum,class,order,family,genus,species"
TAXON = ",".join(RANKS)


def table(place: Path, *lines: str, header: str = HEADER) -> Path:
    path = place / "labels.csv"
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return path


def label(*files: str) -> list[str]:
    return ['"' + file.replace('"', '""') + f'",{TAXON}' for file in files]


def test_columns() -> None:
    assert FOLDER.name == "folder"
    assert [(column.name, column.catalog, column.type) for column in FOLDER.columns] == [
        ("collection", "folder_name", str),
        ("file", "folder_file", str),
    ]


@pytest.mark.parametrize("form", FORMS)
def test_every_file_ends_somewhere(pack: Pack, tmp_path: Path, form: str) -> None:
    files = dict.fromkeys(["a.jpg", "b/c.TIFF", "b/new.png", "notes.txt", "labels.csv", ".hidden.jpg"], b"x")
    labels = table(tmp_path, *label("a.jpg", "b/c.TIFF", "gone.jpg", "notes.txt"))
    source = FolderReader(pack(form, files), LabelTable(labels), "mine", 4)

    rows = {row.member.name: row for listing in source.listings() for row in source.scan(listing)}
    assert {name: (row.state, row.key) for name, row in rows.items()} == {
        "a.jpg": (None, ("mine", "a.jpg")),
        "b/c.TIFF": (None, ("mine", "b/c.TIFF")),
        "b/new.png": (State.NOT_IN_MAPPING, None),
        "notes.txt": (State.NO_IMAGE, None),
        "labels.csv": (State.NO_IMAGE, None),
        ".hidden.jpg": (State.NO_IMAGE, None),
    }
    assert rows["b/new.png"].reason == "not in labels.csv"
    assert {row.partition for row in rows.values()} <= set(source.partitions())
    [stray] = source.unlisted()
    assert (stray.member.name, stray.state, stray.key) == ("gone.jpg", State.MISSING, ("mine", "gone.jpg"))
    assert stray.reason == "labels.csv lists it, but it is missing"
    partition = rows["a.jpg"].partition
    assert list(source.read(partition, [rows["a.jpg"].member])) == [(0, b"x")]


NAMES = st.text(
    st.characters(exclude_characters="/\\\0\r", exclude_categories=["Cs"]), min_size=1, max_size=9
)
FILES = (
    st.lists(NAMES.map(lambda text: f"x{text}"), min_size=1, max_size=3)
    .map("/".join)
    .map(lambda x: x + ".gif")
)


@settings(deadline=None, max_examples=25)
@given(st.dictionaries(FILES, st.binary(max_size=99), min_size=1, max_size=6), st.integers(1, 9))
def test_all_forms_give_the_same_keys_bytes_and_partitions(
    pack: Pack, files: dict[str, bytes], count: int
) -> None:
    labels = table(pack("folder", {}), *label(*files))
    partitions = []
    for form in FORMS:
        source = FolderReader(pack(form, files), LabelTable(labels), "mine", count)
        rows = list(source.scan("all"))
        read = source.read("", [row.member for row in rows])
        assert {rows[at].key: content for at, content in read} == {
            ("mine", name): files[name] for name in files
        }
        assert list(source.unlisted()) == []
        partitions.append({row.key: row.partition for row in rows})
    assert all(given_ == partitions[0] for given_ in partitions)


def test_partitions_depend_on_the_name_alone(tmp_path: Path, pack: Pack) -> None:
    files = {f"{number}.jpg": b"" for number in range(100)}
    source = FolderReader(pack("folder", files), LabelTable(table(tmp_path, *label(*files))), "mine", 3)

    dealt = [row.partition for row in source.scan("all")]
    assert source.partitions() == ("000", "001", "002")
    assert {partition: dealt.count(partition) for partition in source.partitions()} == {
        "000": 39,
        "001": 29,
        "002": 32,
    }


def test_labels_are_read(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        f" Raven ,{TAXON},./a//b.jpg,me",
        "",
        ",,,,,,,,c.jpg,",
        header="\ufeffCommon,KINGDOM,Phylum,cls,Order,Family,Genus, species ,File,owner",
    )

    assert [(label.file, label.ranks, label.common) for label in LabelTable(path)] == [
        ("a/b.jpg", RANKS, "Raven"),
        ("c.jpg", ("",) * 7, ""),
    ]


def test_labels_without_common_names(tmp_path: Path) -> None:
    path = table(tmp_path, *label("a.jpg"))
    assert list(LabelTable(path)) == [(2, "a.jpg", RANKS, "", "", "", "")]


def rejected(path: Path) -> TableError:
    with pytest.raises(TableError) as raised:
        list(LabelTable(path))
    assert raised.value.where == f"[folder] labels = {path}"
    assert "\n" not in str(raised.value)
    return raised.value


def test_a_table_without_files(tmp_path: Path) -> None:
    header = HEADER.removeprefix("file,")

    assert "line 1 lacks the column file" in str(rejected(table(tmp_path, header=header)))


@pytest.mark.parametrize("column", ["kingdom", "class", "species"])
def test_ranks_without_a_column_are_unknown(tmp_path: Path, column: str) -> None:
    names = HEADER.split(",")
    place = names.index(column)
    row = ["a.jpg", *RANKS]
    kept = [",".join(cell for at, cell in enumerate(cells) if at != place) for cells in (names, row)]

    [found] = LabelTable(table(tmp_path, kept[1], header=kept[0]))
    assert found.ranks == (*RANKS[: place - 1], "", *RANKS[place:])


def test_a_table_without_names(tmp_path: Path) -> None:
    error = rejected(table(tmp_path, "a.jpg,x", header="file,owner"))

    assert "line 1 lacks a column that names what the images show. Add at least one of kingdom, " in str(
        error
    )


def test_a_file_labelled_twice(tmp_path: Path) -> None:
    path = table(tmp_path, *label("a.jpg", "b.jpg", "./a.jpg"))

    assert "lines 2 and 4 both label 'a.jpg'" in str(rejected(path))


@pytest.mark.parametrize("file", ["", "/a.jpg", "../a.jpg", "a/../../b.jpg"])
def test_a_path_that_leads_elsewhere(tmp_path: Path, file: str) -> None:
    assert f"line 2 names the file {file!r}" in str(rejected(table(tmp_path, *label(file))))


def test_a_short_line(tmp_path: Path) -> None:
    assert "line 2 has too few cells (3; the header has 8)" in str(
        rejected(table(tmp_path, "a.jpg,Animalia,Chordata"))
    )


def test_a_table_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    assert "cannot be opened (No such file" in str(rejected(path))
    path.write_bytes(b"")
    assert "line 1 lacks the column file" in str(rejected(path))
    path.write_bytes(HEADER.encode() + b"\ncaf\xe9.jpg,,,,,,,\n")
    assert "line 2 is not UTF-8" in str(rejected(path))
    path.write_bytes(HEADER.encode() + b"\n" + b"x" * 200_000 + b",,,,,,,\n")
    assert "line 2 has a cell of more than 131,072 characters" in str(rejected(path))


def test_a_wrong_place(tmp_path: Path) -> None:
    labels = table(tmp_path)
    with pytest.raises(SourceError, match="cannot be read: No such file"):
        FolderReader(tmp_path / "images", LabelTable(labels), "mine", 3).partitions()
    (tmp_path / "images").mkdir()
    with pytest.raises(SourceError, match="is empty"):
        FolderReader(tmp_path / "images", LabelTable(labels), "mine", 3).listings()


HEADER_OF_SPLITS = "file,species,Split,individual"


def hints(path: Path, split: str | None = "split", group: str | None = "individual") -> list[tuple[str, ...]]:
    labels = LabelTable(path, split_column=split, group_column=group)
    return [(label.file, hint.split, hint.group) for label, hint in labels.hinted()]


def test_splits_and_groups_are_read_from_columns(tmp_path: Path) -> None:
    path = table(
        tmp_path, "a.jpg,x,train,A", "b.jpg,x, TEST ,", "c.jpg,x,,A", "d.jpg,x,dev,B", header=HEADER_OF_SPLITS
    )

    assert hints(path) == [
        ("a.jpg", "train", "A"),
        ("b.jpg", "val", ""),
        ("c.jpg", "", "A"),
        ("d.jpg", "val", "B"),
    ]
    assert hints(path, "SPLIT", None) == [(file, split, "") for file, split, _ in hints(path)]
    assert hints(path, None, "species")[0] == ("a.jpg", "", "x")


@pytest.mark.parametrize(
    ("lines", "what"),
    [
        pytest.param(
            ["a.jpg,x,holdout,A"],
            "line 2 has 'holdout' in its column split, which is not a split. Use train, ",
            id="a word that is no split",
        ),
        pytest.param(
            ["a.jpg,x,NA,A"],
            "line 2 has 'NA' in its column split, which is not a split. If it marks a missing value, set [folder] missing_values = na.",
            id="a missing value",
        ),
        pytest.param(
            ["a.jpg,x,train,A", "b.jpg,x,,A", "c.jpg,x,val,A"],
            "lines 2 and 4 are of one group (individual 'A'), but line 2 is in train and line 4 in val. Use the same",
            id="two splits of one group",
        ),
    ],
)
def test_wrong_splits_are_one_clear_line(tmp_path: Path, lines: list[str], what: str) -> None:
    path = table(tmp_path, *lines, header=HEADER_OF_SPLITS)
    with pytest.raises(TableError) as raised:
        hints(path)

    assert str(raised.value).startswith(f"[folder] labels = {path}: {what}")


def test_wrong_splits_stop_the_scan(tmp_path: Path, pack: Pack) -> None:
    path = table(tmp_path, "a.jpg,x,holdout,A", header=HEADER_OF_SPLITS)
    reader = FolderReader(pack("tar", {"a.jpg": b"x"}), LabelTable(path, split_column="split"), "mine", 4)
    with pytest.raises(TableError, match="which is not a split"):
        list(reader.scan("all"))


def test_a_group_that_may_be_a_missing_value_is_reported(tmp_path: Path) -> None:
    path = table(tmp_path, "a.jpg,x,,NA", "b.jpg,x,,NA", "c.jpg,x,,7", header=HEADER_OF_SPLITS)

    assert LabelTable(path, group_column="individual").likely_missing() == {("NA", "individual"): 2}
    assert LabelTable(path).likely_missing() == {}


def test_a_column_that_is_not_there_is_one_clear_line(tmp_path: Path) -> None:
    path = table(tmp_path, "a.jpg,x,train,A", header=HEADER_OF_SPLITS)
    with pytest.raises(TableError) as raised:
        hints(path, "split", "site")

    assert str(raised.value) == (
        f"[folder] labels = {path}: lacks the column site, which [folder] group_column names. "
        "Name one of its columns: file, species, split, individual."
    )


def test_json_lines_may_leave_a_split_out(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    path.write_text('{"file": "a.jpg", "species": "x"}\n{"file": "b.jpg", "species": "x", "split": "val"}\n')

    assert hints(path, group=None) == [("a.jpg", "", ""), ("b.jpg", "val", "")]

"""Bad files give one clear line, or a record of every row that was changed or left out; never a traceback, nothing in silence."""

from __future__ import annotations

import gzip
import io
import re
import tarfile
import zipfile
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tol_luigi.core.errors import ArchiveError, SourceError, TableError, TolError
from tol_luigi.taxonomy.importers import AUTO, IMPORTERS, import_taxonomy
from tol_luigi.taxonomy.records import Repair

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tol_luigi.taxonomy.records import Records

DH = "taxonID\tacceptedNameUsageID\tparentNameUsageID\tscientificName\ttaxonRank\n"
OTT = "uid\tparent_uid\tname\trank\n"
OPEN_DATA = "taxon_id\tancestry\trank_level\trank\tname\tactive\n"
META = (
    '<archive><core rowType="http://rs.tdwg.org/dwc/terms/Taxon"><files><location>t.txt</location></files><id index="0"/>'
    '<field index="1" term="http://rs.tdwg.org/dwc/terms/scientificName"/></core></archive>'
)


def recorded(records: Records) -> list[tuple[str, str, int | None, str, str]]:
    return [tuple(row.values()) for row in records.repairs.to_pylist()]


def names(records: Records) -> dict[str, str]:
    return dict(zip(records.taxa["uid"].to_pylist(), records.taxa["name"].to_pylist(), strict=True))


@pytest.fixture
def hierarchy(tmp_path: Path) -> Callable[[bytes], Records]:
    def read(rows: bytes) -> Records:
        path = tmp_path / "taxon.tab"
        path.write_bytes(DH.encode() + rows)
        return import_taxonomy("dynamic-hierarchy", path, "eol")

    return read


def test_short_and_long_rows_are_left_out_with_their_lines(hierarchy: Callable[[bytes], Records]) -> None:
    records = hierarchy(
        b"1\t\t\tAus\tgenus\n\n2\t\t1\n3\t\t1\tAus cus\tspecies\textra\n\t\t\t\t\r\n4\t\t1\tAus dus\tspecies\r\n"
    )
    assert names(records) == {"1": "Aus", "4": "Aus dus"}
    assert recorded(records) == [
        ("row_length", "", 4, "2\t\t1", ""),
        ("row_length", "", 5, "3\t\t1\tAus cus\tspecies\textra", ""),
    ]
    assert records.about["rows"] == "4"


def test_bytes_of_other_encodings_and_nul_bytes_are_repaired_with_their_lines(
    hierarchy: Callable[[bytes], Records],
) -> None:
    records = hierarchy(
        b"1\t\t\tM\xfcllerius\tgenus\n2\t\t\tA\0us\tgenus\n3\t\t\t\xc3\x89us\tgenus\n4\t\t\t\x81us\tgenus\n"
    )
    assert names(records) == {"1": "Müllerius", "2": "Aus", "3": "Éus", "4": "\x81us"}
    assert [row[:3] for row in recorded(records)] == [("encoding", "", line) for line in (2, 3, 5)]
    assert recorded(records)[0][3:] == ("1\t\t\tM\\xfcllerius\tgenus", "1\t\t\tMüllerius\tgenus")


def test_stray_quotes_do_not_swallow_rows(hierarchy: Callable[[bytes], Records]) -> None:
    records = hierarchy(
        b'1\t\t\t"Aus\tgenus\n2\t\t\t"Bus"\tgenus\n3\t\t\tCus "sensu" lato\tgenus\n4\t\t\tDus\tgenus\n'
    )
    assert names(records) == {"1": "Aus", "2": "Bus", "3": 'Cus "sensu" lato', "4": "Dus"}
    assert recorded(records) == [("quotes", "1", 2, '"Aus', "Aus"), ("quotes", "2", 3, '"Bus"', "Bus")]


def test_the_first_of_several_rows_with_an_id_counts(hierarchy: Callable[[bytes], Records]) -> None:
    records = hierarchy(b"1\t\t\tAus\tgenus\n1\t\t\tBus\tgenus\n\t\t\tCus\tgenus\n")
    assert names(records) == {"1": "Aus"}
    assert recorded(records) == [("no_id", "", 4, "Cus", ""), ("repeated_id", "1", 3, "Bus", "")]


def test_unknown_ranks_are_no_ranks_and_recorded(hierarchy: Callable[[bytes], Records]) -> None:
    records = hierarchy(
        b"1\t\t\tAus\tsupergenus\n2\t\t\tBus\tclade\n3\t\t\tCus\tNo Rank\n4\t\t\tDus\tDivision\n"
    )
    assert records.taxa["rank"].to_pylist() == ["", "", "", "phylum"]
    assert recorded(records) == [("unknown_rank", "1", 2, "supergenus", "no rank")]


def test_cycles_missing_parents_and_further_roots_are_passed_on(
    hierarchy: Callable[[bytes], Records],
) -> None:
    records = hierarchy(
        b"1\t\t2\tAus\t\n2\t\t1\tBus\t\n3\t\t99\tCus\t\n4\t\t\tDus\t\n5\t\t\tEus\t\n6\t\t6\tFus\t\n"
    )
    assert records.taxa["parent"].to_pylist() == ["2", "1", "99", None, None, "6"]
    assert records.repairs.num_rows == 0


def test_a_synonym_of_a_synonym_is_passed_on_with_both_ids(hierarchy: Callable[[bytes], Records]) -> None:
    records = hierarchy(b"1\t\t\tAus\t\n2\t1\t\tBus\t\n3\t2\t\tCus\t\n4\t5\t\tDus\t\n5\t4\t\tEus\t\n")
    assert [(row["uid"], row["name"]) for row in records.names.to_pylist()][:2] == [
        ("1", "Bus"),
        ("2", "Cus"),
    ]
    assert records.forwards.to_pylist()[:2] == [
        {"uid": "2", "replacement": "1"},
        {"uid": "3", "replacement": "2"},
    ]


MINIMAL = {
    "dynamic-hierarchy": {"taxon.tab": DH},
    "itis-chains": {
        "species_level_taxonomy_chains.csv": "hierarchy_string_tsn,hierarchy_string_names,hierarchy_string_ranks\n"
    },
    "inaturalist": {"taxa.csv": OPEN_DATA},
    "bioscan-metadata": {"bioscan_metadata.tsv": "order\tfamily\tgenus\tspecies\n"},
    "flat-table": {"flat.csv": "kingdom,family,genus,species\n"},
    "ncbi": {
        "nodes.dmp": "1\t|\t1\t|\tno rank\t|\t\t|\t8\t|\n",
        "names.dmp": "1\t|\troot\t|\t\t|\tscientific name\t|\n",
    },
    "open-tree": {"taxonomy.tsv": OTT},
    "darwin-core": {"meta.xml": META, "t.txt": "1\tAus\n"},
    "coldp": {"NameUsage.tsv": "ID\tparentID\tstatus\tscientificName\n"},
}
TABLES = {name: next(reversed(files)) for name, files in MINIMAL.items()} | {"ncbi": "nodes.dmp"}


def written(folder: Path, form: str) -> Path:
    for name, text in MINIMAL[form].items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def one_line(error: TolError, *, names: str) -> None:
    assert "\n" not in str(error)
    assert names in str(error)
    assert error.what
    assert error.remedy


def test_all_formats_with_tables_are_tested_here() -> None:
    assert set(MINIMAL) == set(IMPORTERS) - {AUTO, "inat21-classes"}


@pytest.mark.parametrize("form", MINIMAL)
def test_an_empty_file_is_one_line(form: str, tmp_path: Path) -> None:
    path = written(tmp_path, form) / TABLES[form]
    path.write_bytes(b"")
    with pytest.raises(TableError, match="is empty") as caught:
        import_taxonomy(form, tmp_path, "x")
    one_line(caught.value, names=TABLES[form])


@pytest.mark.parametrize("form", sorted(set(MINIMAL) - {"ncbi", "darwin-core"}))
def test_a_table_with_only_a_header_contains_no_taxon(form: str, tmp_path: Path) -> None:
    with pytest.raises(TableError, match="contains no taxon") as caught:
        import_taxonomy(form, written(tmp_path, form), "x")
    one_line(caught.value, names=TABLES[form])


@pytest.mark.parametrize("form", sorted(set(MINIMAL) - {"ncbi", "darwin-core"}))
def test_a_header_without_a_needed_column_is_one_line(form: str, tmp_path: Path) -> None:
    path = written(tmp_path, form) / TABLES[form]
    path.write_text("a\tb,c\n1\t2,3\n", encoding="utf-8")
    with pytest.raises(TableError, match="line 1") as caught:
        import_taxonomy(form, tmp_path, "x")
    one_line(caught.value, names=TABLES[form])


@pytest.mark.parametrize("form", ["ncbi", "darwin-core"])
def test_a_table_without_a_header_with_too_few_cells_is_one_line(form: str, tmp_path: Path) -> None:
    path = written(tmp_path, form) / TABLES[form]
    path.write_text("1\n", encoding="utf-8")
    with pytest.raises(TableError, match="line 1 has 1 cells, and none for") as caught:
        import_taxonomy(form, tmp_path, "x")
    one_line(caught.value, names=TABLES[form])


@pytest.mark.parametrize("form", [*MINIMAL, "inat21-classes"])
def test_a_missing_path_and_a_folder_without_the_table_are_one_line(form: str, tmp_path: Path) -> None:
    for path in (tmp_path / "missing", tmp_path):
        with pytest.raises(SourceError) as caught:
            import_taxonomy(form, path, "x")
        one_line(caught.value, names=str(path))


@pytest.mark.parametrize("form", MINIMAL)
def test_a_table_in_utf_16_is_one_line(form: str, tmp_path: Path) -> None:
    path = written(tmp_path, form) / TABLES[form]
    path.write_text(path.read_text(encoding="utf-8"), encoding="utf-16")
    with pytest.raises(TableError, match="UTF-16") as caught:
        import_taxonomy(form, tmp_path, "x")
    one_line(caught.value, names=TABLES[form])


def test_a_quote_that_is_never_closed_is_one_line_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "flat.csv").write_text('kingdom,genus,species\nA,B,b\nA,"C,c\nA,D,d\n', encoding="utf-8")
    with pytest.raises(TableError, match="line 3 opens a quote that is not closed"):
        import_taxonomy("flat-table", tmp_path / "flat.csv", "x")


def test_rows_of_quoted_tables_have_their_lines_after_cells_with_line_ends(tmp_path: Path) -> None:
    text = 'kingdom,genus,species\nA,"B\nB",b\nA,C\nA,D,d\n'
    (tmp_path / "flat.csv").write_text(text, encoding="utf-8")
    records = import_taxonomy("flat-table", tmp_path / "flat.csv", "x")
    assert recorded(records) == [("row_length", "", 4, "A,C", "")]


def test_a_truncated_gzip_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "taxa.csv.gz"
    rows = OPEN_DATA + "".join(f"{n}\t\t10\tspecies\tAus n{n * n}\tt\n" for n in range(50_000))
    path.write_bytes(gzip.compress(rows.encode())[:-5000])
    with pytest.raises(ArchiveError, match="is damaged or incomplete") as caught:
        import_taxonomy("inaturalist", path, "inat")
    one_line(caught.value, names=str(path))


@pytest.mark.parametrize("kept", [0.5, 0.99, 0.02])
@pytest.mark.parametrize("kind", ["zip", "tar.gz", "tar"])
def test_a_truncated_archive_is_one_line(kind: str, kept: float, tmp_path: Path) -> None:
    rows = OTT + "".join(f"{n}\t\tAus n{n * n}\tspecies\n" for n in range(50_000))
    path = tmp_path / f"ott.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("ott/taxonomy.tsv", rows)
    else:
        with tarfile.open(path, "w:gz" if kind == "tar.gz" else "w") as tar:
            header = tarfile.TarInfo("ott/taxonomy.tsv")
            header.size = len(rows)
            tar.addfile(header, io.BytesIO(rows.encode()))
    assert import_taxonomy("open-tree", path, "ott").taxa.num_rows == 50_000
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(ArchiveError, match="is damaged") as caught:
        import_taxonomy("open-tree", path, "ott")
    one_line(caught.value, names=str(path))


@pytest.mark.parametrize("name", ["../taxonomy.tsv", "/etc/taxonomy.tsv", "a\\..\\taxonomy.tsv"])
def test_hostile_names_in_an_archive_are_one_line(name: str, tmp_path: Path) -> None:
    path = tmp_path / "ott.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, OTT + "1\t\tAus\tgenus\n")
    with pytest.raises(ArchiveError, match="contains an unsafe member") as caught:
        import_taxonomy("open-tree", path, "ott")
    one_line(caught.value, names=str(path))


def test_links_in_an_archive_are_not_followed(tmp_path: Path) -> None:
    path = tmp_path / "ott.tar"
    with tarfile.open(path, "w") as tar:
        header = tarfile.TarInfo("taxonomy.tsv")
        header.type, header.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(header)
    with pytest.raises(SourceError, match=r"contains no taxonomy\.tsv"):
        import_taxonomy("open-tree", path, "ott")


def test_two_files_of_one_name_are_one_line(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "taxonomy.tsv").write_text(OTT, encoding="utf-8")
    with pytest.raises(SourceError, match="contains several files"):
        import_taxonomy("open-tree", tmp_path, "ott")


def test_an_archive_without_a_description_is_one_line(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("taxon.txt", "1\tAus\n")
    with pytest.raises(SourceError, match=r"contains no meta\.xml"):
        import_taxonomy("darwin-core", tmp_path / "x.zip", "x")


@pytest.mark.parametrize(
    ("meta", "what"),
    [
        ("<archive><core", "is not a valid description"),
        ("<archive/>", "is not a valid description"),
        (META.replace('<id index="0"/>', ""), "is not a valid description"),
        (META.replace('index="1"', 'index="one"'), "is not a valid description"),
        (META.replace("t.txt", "u.txt"), "lacks u.txt"),
        (META.replace("t.txt", "../t.txt"), "lacks ../t.txt"),
        (META.replace("terms/Taxon", "terms/Occurrence"), "is an archive of Occurrence"),
        (META.replace("scientificName", "taxonRank"), "describes no column scientificName"),
        (META.replace("<core ", '<core encoding="klingon" '), "which does not exist"),
        (META.replace("<core ", '<core fieldsTerminatedBy="||" '), "separated by '||'"),
    ],
)
def test_a_wrong_description_of_an_archive_is_one_line(meta: str, what: str, tmp_path: Path) -> None:
    (tmp_path / "meta.xml").write_text(meta, encoding="utf-8")
    (tmp_path / "t.txt").write_text("1\tAus\n", encoding="utf-8")
    with pytest.raises(SourceError, match=re.escape(what)) as caught:
        import_taxonomy("darwin-core", tmp_path, "x")
    one_line(caught.value, names=str(tmp_path))


def test_class_folders_without_a_number_are_left_out_and_recorded(tmp_path: Path) -> None:
    path = tmp_path / "classes.txt"
    path.write_text("00001_A_B_C_D_E_F_g\nold_classes\n00002_A_B_C\n00001_A_B_C_D_E_F_h\n", encoding="utf-8")
    records = import_taxonomy("inat21-classes", path, "inat21")
    assert recorded(records) == [
        ("no_id", "", 2, "old_classes", ""),
        ("no_id", "", 3, "00002_A_B_C", ""),
        ("repeated_id", "1", 4, "F h", ""),
    ]
    assert import_taxonomy("inat21-classes", path, "inat21").taxa.equals(records.taxa)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("form", ["open-tree", "flat-table"])
def test_any_line_end_will_do(form: str, end: str, tmp_path: Path) -> None:
    rows = {"open-tree": [*OTT.split("\n")[:1], "1\t\tAus\tgenus", "2\t1\tAus bus\tspecies"],
            "flat-table": ["kingdom,genus,species", "A,Aus,", 'A,Aus,"Aus bus"']}[form]  # fmt: skip
    path = tmp_path / "table.txt"
    path.write_bytes(end.join([*rows, ""]).encode())
    assert set(import_taxonomy(form, path, "x").taxa["name"].to_pylist()) >= {"Aus", "Aus bus"}


def test_a_huge_file_without_line_ends_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "taxonomy.tsv"
    path.write_bytes(b"uid" * 8_000_000)
    with pytest.raises(TableError, match="has a line of more than"):
        import_taxonomy("open-tree", path, "ott")


CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\t\n\r\0"), max_size=6)
ROWS = st.lists(st.lists(st.one_of(CELLS, st.sampled_from("123")), min_size=1, max_size=6), max_size=12)


@given(rows=ROWS, junk=st.lists(st.binary(max_size=8), max_size=3))
def test_every_row_is_a_taxon_a_name_or_recorded(
    rows: list[list[str]], junk: list[bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    lines = [DH.encode(), b"root\t\t\tLife\t\n", *("\t".join(row).encode() + b"\n" for row in rows)]
    lines += [line.replace(b"\n", b"").replace(b"\r", b"").replace(b"\0", b"") + b"\n" for line in junk]
    path = tmp_path_factory.mktemp("rows") / "taxon.tab"
    path.write_bytes(b"".join(lines))
    records = import_taxonomy("dynamic-hierarchy", path, "eol")
    lost = [row for row in recorded(records) if row[4] == ""]
    assert int(records.about["rows"]) == records.taxa.num_rows + records.names.num_rows + len(lost)
    assert len(set(records.taxa["uid"].to_pylist())) == records.taxa.num_rows
    assert all(row[2] is not None and 1 <= row[2] <= len(lines) for row in recorded(records))
    assert {row[0] for row in recorded(records)} <= set(Repair)


@given(
    content=st.binary(max_size=400),
    form=st.sampled_from([*MINIMAL, "inat21-classes", AUTO]),
    named=st.booleans(),
)
def test_any_bytes_are_read_or_give_one_line(
    content: bytes, form: str, named: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("bytes")
    if form in MINIMAL:
        path = written(folder, form) / TABLES[form]
        header = b"" if form in {"ncbi", "darwin-core"} else path.read_bytes()
        path.write_bytes(header + content)
    else:
        (folder / "x").write_bytes(content)
        named = True
    place = next(folder.iterdir()) if named and form not in {"ncbi", "darwin-core", "coldp"} else folder
    message = ""
    try:
        import_taxonomy(form, place, "x")
    except TolError as error:
        message = str(error)
    assert "\n" not in message

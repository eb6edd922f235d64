from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from common_names import read_common_names

from tol_luigi.core.errors import TableError
from tol_luigi.core.taxon import Taxon
from tol_luigi.sources import tables
from tol_luigi.sources.eol import EOL as EOL_SOURCE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BEE = ("Animalia", "Arthropoda", "Insecta", "Hymenoptera", "Apidae", "Apis")
ITIS = (
    "terminal_vernacular,terminal_vernacular_lang,Kingdom,Subkingdom,Phylum,Class,Order,Family,Genus,Species"
)
INAT = "id,kingdom,phylum,class,order,family,genus,specificEpithet,scientificName,taxonRank"
EOL = "page_id,canonical_form,vernacular_string,language_code,resource_name,is_preferred_by_resource,is_preferred_by_eol"
TAXON_TAB = "taxonID\tparentNameUsageID\ttaxonRank\tcanonicalName\teolID"
BIOSCAN = {
    "sampleid": "A01",
    "image_file": "A01.jpg",
    "order": "Diptera",
    "family": "not_classified",
    "genus": "not_classified",
    "species": "not_classified",
}


@pytest.fixture(params=["plain", "bom", "crlf", "blank lines"])
def write(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Path]:
    """Write lines as a file, in one of the ways that mean the same."""

    def write(*lines: str, name: str = "table.csv") -> Path:
        end = {"crlf": "\r\n", "blank lines": "\n\n"}.get(request.param, "\n")
        mark = "\ufeff" if request.param == "bom" else ""
        path = tmp_path / name
        path.write_bytes((mark + "".join(line + end for line in lines)).encode())
        return path

    return write


def test_itis_rows(write: Callable[..., Path]) -> None:
    path = write(
        ITIS,
        '"abeja, honey bee","Spanish, English",Animalia,x,Arthropoda,Insecta,Hymenoptera,Apidae,Apis,Apis mellifera',
    )

    assert list(tables.itis_rows(path)) == [
        tables.ItisRow(Taxon.of(*BEE, "mellifera"), "abeja, honey bee", "Spanish, English")
    ]


def test_resolved_names(write: Callable[..., Path]) -> None:
    path = write('{"Apis mellifera": {"r": {"family": "Apidae"}}, "Apis cerana": {}}', '{"Apis": {}}')

    assert list(tables.resolved_names(path)) == [
        ("Apis mellifera", {"r": {"family": "Apidae"}}),
        ("Apis", {}),
    ]


def test_load_lookup_lets_itis_go_first(write: Callable[..., Path]) -> None:
    chains = write(
        ITIS, ",,Animalia,x,Arthropoda,Insecta,Hymenoptera,Apidae,Apis,Apis mellifera", name="chains.csv"
    )
    resolved = write(
        '{"Apis mellifera": {"r": {"family": "Aliidae"}}}',
        '{"Apis cerana": {"r": {"family": "Apidae"}}}',
        name="r.jsonl",
    )
    lookup = tables.load_lookup(chains, resolved)

    assert lookup.fill(Taxon.of(species="Apis mellifera")) == Taxon.of(*BEE, "mellifera")
    assert lookup.fill(Taxon.of(species="Apis cerana")) == Taxon.of(*BEE, "cerana")
    assert tables.load_lookup().fill(Taxon.of(species="Apis cerana")) == Taxon.of(species="Apis cerana")


def test_load_hierarchy_drops_quotes_around_a_cell_and_takes_others_as_letters(
    write: Callable[..., Path],
) -> None:
    taxon_tab = write(
        TAXON_TAB,
        't1\t\tgenus\t"Apis\t5',
        "t2\tt1\tspecies\tApis mellifera\t6",
        't4\t\t"genus"\t"Bombus"\t8',
        't5\tt4\tspecies\t"rup""estris"\t9',
        "t3\tt1\tspecies\tno page\t",
        name="taxon.tab",
    )
    scraped = write(
        "page_id,scientific_name", '7,"Apis cerana Fabricius, 1793"', "6,Apis aliena", name="scraped.csv"
    )
    hierarchy = tables.load_hierarchy(taxon_tab, scraped)

    assert hierarchy.taxon(6) == Taxon(genus='"apis', species="mellifera")
    assert hierarchy.taxon(9) == Taxon(genus="bombus", species='rup"estris')
    assert hierarchy.taxon(7) == Taxon.of(species="cerana")


def test_inat_names_are_joined_by_id(write: Callable[..., Path]) -> None:
    names = write(
        "id,vernacularName,language",
        "4,dwarf honey bee,en",
        "1,,en",
        "1,Honey Bee,en",
        "1,honey bee,en",
        "2,bees,en",
        "9,none,en",
        name="names.csv",
    )
    taxa = write(
        INAT,
        f"3,{','.join(BEE)},cerana,Apis cerana,species",
        f"2,{','.join(BEE)},,Apis,genus",
        f"1,{','.join(BEE)},nigra,Apis nigra,species",
        f"4,{','.join(BEE)},florea,Apis florea,species",
        f"1,{','.join(BEE)},mellifera,Apis mellifera carnica,variety",
        name="taxa.csv",
    )

    assert list(tables.inat_names(taxa, names)) == [
        tables.InatRow("Apis florea", "Apis florea", "dwarf honey bee"),
        tables.InatRow("Apis mellifera", "Apis mellifera carnica", "Honey Bee"),
    ]


def test_eol_vernaculars_are_english_and_preferred_by_eol(write: Callable[..., Path]) -> None:
    path = write(
        EOL,
        "1,<i>Apis</i>,bees,eng,NCBI,preferred,",
        "1,<i>Apis</i>,Bienen,deu,NCBI,preferred,preferred",
        "1,<i>Apis</i>,honey bees,eng,NCBI,,preferred",
    )

    assert list(tables.eol_vernaculars(path, preferred=True)) == [("<i>Apis</i>", "honey bees")]
    assert list(tables.eol_vernaculars(path, preferred=False)) == [("<i>Apis</i>", "bees")]
    assert read_common_names(eol=path).entries() == {"Apis": "honey bees"}


def test_load_common_names_keeps_the_order_of_the_sources(write: Callable[..., Path]) -> None:
    chains = write(ITIS, "honey bee,English,,,,,,,Apis,Apis mellifera", name="chains.csv")
    names = write("id,vernacularName", "1,Western Honey Bee", "2,Eastern Honey Bee", name="names.csv")
    taxa = write(
        INAT,
        f"1,{','.join(BEE)},mellifera,Apis mellifera,species",
        f"2,{','.join(BEE)},cerana,Apis cerana,species",
        name="taxa.csv",
    )
    eol = write(EOL, "1,Apis cerana,asian bee,eng,x,,preferred", "1,Apis,bees,eng,x,,", name="eol.csv")
    common = read_common_names(chains=chains, inat=(taxa, names), eol=eol)

    assert common.entries() == {
        "Apis mellifera": "honey bee",
        "Apis cerana": "Eastern Honey Bee",
        "Apis": "bees",
    }


def test_bioscan_rows_are_the_same_from_json_and_tsv(write: Callable[..., Path]) -> None:
    listed = write(json.dumps([BIOSCAN], indent=1), name="metadata.jsonld")
    table = write("\t".join(BIOSCAN), "\t".join(BIOSCAN.values()), name="metadata.tsv")
    expected = [tables.BioscanRow("A01.jpg", "Diptera", "", "", "")]

    assert list(tables.bioscan_rows(listed)) == expected
    assert list(tables.bioscan_rows(table)) == expected


def test_bioscan_is_streamed(tmp_path: Path) -> None:
    path = tmp_path / "metadata.json"
    path.write_text(json.dumps([BIOSCAN] * 20_000)[:-1], encoding="utf-8")

    assert next(tables.bioscan_rows(path)).image_file == "A01.jpg"


def test_load_exclusions(write: Callable[..., Path]) -> None:
    path = write(json.dumps({"Apis mellifera": ["x/1_2_eol-copy.jpg"]}, indent=1), name="unseen.json")
    exclusions = tables.load_exclusions(path, with_species=True)

    assert exclusions.match_images(EOL_SOURCE.key, [(1, 2)])
    assert exclusions.match_species(Taxon.of(species="Apis mellifera"))


def test_long_fields_and_lines_within_quotes_are_read(tmp_path: Path) -> None:
    path = tmp_path / "scraped.csv"
    path.write_text(f'page_id,scientific_name,note\n1,"Apis\nmellifera",{"x" * 500_000}\n', encoding="utf-8")
    assert list(tables.scraped_pages(path)) == [(1, "Apis\nmellifera")]


def test_blank_rows_and_blanks_in_the_header_are_harmless(tmp_path: Path) -> None:
    path = tmp_path / "scraped.csv"
    path.write_text(" page_id , scientific_name\n , \n,\n1,Apis\n", encoding="utf-8")
    assert list(tables.scraped_pages(path)) == [(1, "Apis")]


def test_line_ends_within_quotes_are_read_as_one_character(tmp_path: Path) -> None:
    path = tmp_path / "scraped.csv"
    path.write_bytes(b'page_id,scientific_name\r\n1,"Apis\r\nmellifera"\r\n')
    assert list(tables.scraped_pages(path)) == [(1, "Apis\nmellifera")]


HEADER = b"page_id,scientific_name\n1,Apis\n"


@pytest.mark.parametrize(
    ("content", "what"),
    [
        pytest.param(b"", "line 1 lacks the column page_id, scientific_name", id="empty file"),
        pytest.param(
            b"page_id,name\n1,Apis\n", "line 1 lacks the column scientific_name", id="missing column"
        ),
        pytest.param(
            HEADER + b"2,Apis,mellifera\n", "line 3 has too many cells (3; the header has 2)", id="too wide"
        ),
        pytest.param(HEADER + b"\n\n2\n", "line 5 has too few cells (1; the header has 2)", id="too narrow"),
        pytest.param(HEADER + b"2,Api\xffs\n", "line 3 is not UTF-8", id="undecodable"),
        pytest.param(
            HEADER + b"2,Apis\n" * 5000 + b"2,Api\xffs\n", "line 5003 is not UTF-8", id="undecodable, later"
        ),
        pytest.param(HEADER + b'2,"Apis\n3,Bombus\n', "line 3 opens a quote", id="a quote never closed"),
        pytest.param(HEADER + b"two,Apis\n", "line 3 has page_id 'two'", id="no number"),
        pytest.param(HEADER + b"-2,Apis\n", "line 3 has page_id '-2'", id="a negative number"),
        pytest.param(
            HEADER + b"9" * 30 + b",Apis\n", "line 3 has page_id '999", id="a number beyond 64 bits"
        ),
    ],
)
def test_a_table_that_cannot_be_read_says_where_and_what(tmp_path: Path, content: bytes, what: str) -> None:
    path = tmp_path / "scraped.csv"
    path.write_bytes(content)

    with pytest.raises(TableError) as caught:
        list(tables.scraped_pages(path))
    assert caught.value.where == str(path)
    assert what in caught.value.what
    assert caught.value.remedy


def bioscan(path: Path) -> list[Any]:
    return list(tables.bioscan_rows(path))


def resolved(path: Path) -> list[Any]:
    return list(tables.resolved_names(path))


def exclusions(path: Path) -> object:
    return tables.load_exclusions(path, with_species=False)


@pytest.mark.parametrize(
    ("read", "content", "what"),
    [
        pytest.param(bioscan, b"{}", "is not a JSON list", id="bioscan: no list"),
        pytest.param(bioscan, b"", "is not a JSON list", id="bioscan: empty"),
        pytest.param(
            bioscan,
            json.dumps([BIOSCAN] * 2).encode()[:-9],
            "is truncated after entry 1",
            id="bioscan: cut off",
        ),
        pytest.param(
            bioscan, b'[{"image_file": "a.jpg"}]', "entry 1 lacks a text among", id="bioscan: no order"
        ),
        pytest.param(bioscan, b"[1]", "entry 1 lacks a text among", id="bioscan: a number"),
        pytest.param(bioscan, b'["\xff"]', "is truncated after entry 0", id="bioscan: undecodable"),
        pytest.param(resolved, b'{"Apis": {}}\n{"Apis', "line 2 is not JSON", id="resolved: cut off"),
        pytest.param(resolved, b'\n\n{"Ap\xff": {}}', "line 3 is not JSON", id="resolved: undecodable"),
        pytest.param(resolved, b"[]", "line 1 is not a name with resolvers", id="resolved: a list"),
        pytest.param(
            resolved, b'{"Apis": {"r": []}}', "line 1 is not a name with resolvers", id="resolved: no ranks"
        ),
        pytest.param(resolved, b"[" * 200_000, "line 1 is not JSON", id="resolved: too deep"),
        pytest.param(exclusions, b"{", "is not JSON", id="exclusions: cut off"),
        pytest.param(exclusions, b"\xff", "is not JSON", id="exclusions: undecodable"),
        pytest.param(exclusions, b"[]", "is not a JSON object (found list)", id="exclusions: a list"),
    ],
)
def test_json_that_cannot_be_read_says_where_and_what(
    tmp_path: Path, read: Callable[[Path], object], content: bytes, what: str
) -> None:
    path = tmp_path / "some.json"
    path.write_bytes(content)

    with pytest.raises(TableError) as caught:
        read(path)
    assert caught.value.where == str(path)
    assert what in caught.value.what


@pytest.mark.parametrize(
    "read", [bioscan, resolved, exclusions, lambda path: list(tables.scraped_pages(path))]
)
def test_a_missing_file_is_named(tmp_path: Path, read: Callable[[Path], object]) -> None:
    with pytest.raises(TableError, match=r"absent\.json: cannot be opened \(No such file"):
        read(tmp_path / "absent.json")

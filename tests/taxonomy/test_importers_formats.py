"""Each format is read with its taxa, parents, synonyms, vernacular names and replaced ids; every row is accounted for."""

from __future__ import annotations

import gzip
import tarfile
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from tol_luigi.core.errors import SettingsError, SourceError
from tol_luigi.taxonomy.flags import Flag
from tol_luigi.taxonomy.importers import AUTO, IMPORTERS, import_taxonomy, recognised
from tol_luigi.taxonomy.records import FORWARDS, NAMES, REPAIRS, TAXA, VERNACULARS, Repair

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tol_luigi.taxonomy.records import Records


def table(rows: Sequence[Sequence[str]], delimiter: str = "\t") -> str:
    return "".join(delimiter.join(row) + "\n" for row in rows)


def piped(rows: Sequence[Sequence[str]]) -> str:
    return "".join("\t|\t".join(row) + "\t|\n" for row in rows)


def written(folder: Path, files: Mapping[str, str]) -> Path:
    folder.mkdir(exist_ok=True, parents=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def taxa(records: Records) -> dict[str, dict[str, Any]]:
    return {row["uid"]: row for row in records.taxa.to_pylist()}


def lineage(records: Records, uid: str) -> list[str]:
    rows, found = taxa(records), []
    while uid:
        found.append(rows[uid]["name"])
        uid = rows[uid]["parent"]
    return found


def repairs(records: Records) -> list[tuple[str, str, int | None]]:
    return [(row["repair"], row["uid"], row["line"]) for row in records.repairs.to_pylist()]


def validate(records: Records, *, created: int = 0) -> None:
    """Assert the schemas, and that every row is a taxon, a name, left out by a rule, or recorded."""
    for found, schema in (
        (records.taxa, TAXA),
        (records.names, NAMES),
        (records.vernaculars, VERNACULARS),
        (records.forwards, FORWARDS),
        (records.repairs, REPAIRS),
    ):
        assert found.schema == schema
        found.validate(full=True)
        assert all(field.nullable or found[field.name].null_count == 0 for field in schema)
    assert len(taxa(records)) == records.taxa.num_rows
    assert set(records.repairs["repair"].to_pylist()) <= set(Repair)
    lost = sum(row["after"] == "" for row in records.repairs.to_pylist())
    kept = records.taxa.num_rows - created + records.names.num_rows + records.vernaculars.num_rows
    about = records.about
    assert int(about["rows"]) == kept + lost + int(about["left_out"]) + int(about["joined"])


DH = ["taxonID", "source", "furtherInformationURL", "acceptedNameUsageID", "parentNameUsageID", "scientificName", "taxonRank", "taxonomicStatus", "datasetID", "canonicalName", "authority", "eolID", "Landmark"]  # fmt: skip


def dh(uid: str, parent: str, name: str, rank: str = "", **cells: str) -> list[str]:
    row = {"taxonID": uid, "parentNameUsageID": parent, "scientificName": name, "taxonRank": rank, **cells}
    return [row.get(column, "") for column in DH]


HIERARCHY = table(
    [
        DH,
        dh("EOL-1", "", "Life"),
        dh("EOL-2", "EOL-1", "Metazoa", "kingdom", eolID="1"),
        dh("EOL-3", "EOL-2", "Hominidae", "family"),
        dh(
            "EOL-4",
            "EOL-3",
            "Homo sapiens Linnaeus, 1758",
            "Species",
            canonicalName="Homo sapiens",
            eolID="327955",
        ),
        dh(
            "SYN-1",
            "",
            "Homo troglodytes L.",
            acceptedNameUsageID="EOL-4",
            taxonomicStatus="not accepted",
            authority="L.",
        ),
        dh("SYN-2", "", "Aus bus", acceptedNameUsageID="EOL-99"),
    ]
)
EOL_NAMES = table(
    [
        ("page_id", "canonical_form", "vernacular_string", "language_code", "is_preferred_by_eol"),
        ("327955", "Homo sapiens", "human", "eng", "preferred"),
        ("327955", "Homo sapiens", '"ser humano, persona"', "spa", "FALSE"),
        ("5", "Aus", "aus", "eng", ""),
    ],
    ",",
)


def test_the_hierarchy_of_eol_is_walked_by_its_own_ids_and_knows_the_pages(tmp_path: Path) -> None:
    written(tmp_path, {"taxon.tab": HIERARCHY, "vernacularnames.csv": EOL_NAMES})
    records = import_taxonomy(
        "dynamic-hierarchy", tmp_path / "taxon.tab", "eol", tmp_path / "vernacularnames.csv"
    )
    validate(records)
    assert lineage(records, "EOL-4") == ["Homo sapiens", "Hominidae", "Metazoa", "Life"]
    human = taxa(records)["EOL-4"]
    assert (human["rank"], human["authorship"]) == ("species", "Linnaeus, 1758")
    assert human["sources"] == "eol:EOL-4,eol:327955"
    assert taxa(records)["EOL-3"]["sources"] == "eol:EOL-3"
    assert records.names.to_pylist() == [
        {"uid": "EOL-4", "name": "Homo troglodytes L.", "authorship": "L.", "type": "synonym"}
    ]
    assert {"uid": "SYN-1", "replacement": "EOL-4"} in records.forwards.to_pylist()
    assert records.vernaculars.to_pylist() == [
        {"uid": "EOL-4", "name": "human", "language": "en", "is_preferred": True},
        {"uid": "EOL-4", "name": "ser humano, persona", "language": "es", "is_preferred": False},
    ]
    assert repairs(records) == [
        ("synonym_of_nothing", "SYN-2", 7),
        ("vernacular_of_nothing", "page 5", 4),
    ]
    in_folder = import_taxonomy(AUTO, tmp_path, "eol")
    assert in_folder.taxa.equals(records.taxa)
    assert in_folder.vernaculars.equals(records.vernaculars)
    assert import_taxonomy(AUTO, tmp_path / "taxon.tab", "eol").vernaculars.num_rows == 0


ITIS_HEADER = (
    "hierarchy_string_tsn,hierarchy_string_names,terminal_tsn,terminal_vernacular,terminal_vernacular_lang,"
    "hierarchy_string_ranks,Kingdom,Phylum,Class,Order,Family,Genus,Species\n"
)


def test_chains_of_itis_are_one_tree_by_their_numbers(tmp_path: Path) -> None:
    rows = (
        '1-2-3,Animalia->Ficus->Ficus variegata,3,"caracol manzana, snail, apple","Spanish, English",'
        "Kingdom->Genus->Species,Animalia,,,,,Ficus,Ficus variegata\n"
        '4-5-6,Plantae->Ficus->Ficus variegata,6,"fig, common","English",'
        "Kingdom->Genus->Species,Plantae,,,,,Ficus,Ficus variegata\n"
        '1-2-7,Animalia->Ficus->Ficus ficus,7,"morue, cod","French, English",Kingdom->Genus->Species,Animalia,,,,,Ficus,Ficus ficus\n'
        "1-8,Animalia->Bus->Bus bus,8,,,Kingdom->Genus,Animalia,,,,,Bus,\n"
    )
    written(tmp_path, {"species_level_taxonomy_chains.csv": ITIS_HEADER + rows})
    records = import_taxonomy("itis-chains", tmp_path, "itis")
    assert lineage(records, "3") == ["Ficus variegata", "Ficus", "Animalia"]
    assert lineage(records, "6") == ["Ficus variegata", "Ficus", "Plantae"]
    assert records.taxa.num_rows == 7
    assert [(row["uid"], row["name"], row["language"]) for row in records.vernaculars.to_pylist()] == [
        ("3", "caracol manzana", ""),
        ("3", "snail", ""),
        ("3", "apple", ""),
        ("6", "fig, common", "en"),
        ("7", "morue", "fr"),
        ("7", "cod", "en"),
    ]
    assert repairs(records) == [("row_length", "1-8", 5)]


def test_chains_without_numbers_are_identified_by_their_paths(tmp_path: Path) -> None:
    header = "Kingdom,Phylum,Class,Order,Family,Genus,Species,terminal_vernacular,terminal_vernacular_lang\n"
    rows = "Animalia,,,,Ficidae,Ficus,Ficus variegata,snail,English\nPlantae,,,,Moraceae,Ficus,Ficus variegata,fig,English\n"
    written(tmp_path, {"species_level_taxonomy_chains.csv": header + rows})
    records = import_taxonomy(AUTO, tmp_path, "itis")
    names = {row["uid"]: row["name"] for row in records.vernaculars.to_pylist()}
    assert names == {
        "Animalia||||Ficidae|Ficus|Ficus variegata": "snail",
        "Plantae||||Moraceae|Ficus|Ficus variegata": "fig",
    }
    assert lineage(records, "Animalia||||Ficidae|Ficus|Ficus variegata")[1:] == [
        "Ficus",
        "Ficidae",
        "Animalia",
    ]


INAT_OPEN = table(
    [
        ("taxon_id", "ancestry", "rank_level", "rank", "name", "active"),
        ("48460", "", "100", "stateofmatter", "Life", "t"),
        ("1", "48460", "70", "kingdom", "Animalia", "t"),
        ("5", "48460/1", "20", "genus", 'Bus "x', "t"),
        ("6", "48460\\1\\5", "10", "hybrid", "Bus \N{MULTIPLICATION SIGN} cus", "t"),
        ("7", "48460/1/5", "10", "species", "Bus dus", "f"),
    ]
)


def test_open_data_of_inaturalist_have_their_parents_in_the_ancestry(tmp_path: Path) -> None:
    path = tmp_path / "taxa.csv.gz"
    path.write_bytes(gzip.compress(INAT_OPEN.encode()))
    records = import_taxonomy(AUTO, path, "inat")
    validate(records)
    assert lineage(records, "6") == ["Bus \N{MULTIPLICATION SIGN} cus", 'Bus "x', "Animalia", "Life"]
    assert (taxa(records)["6"]["rank"], taxa(records)["6"]["flags"]) == ("species", Flag.HYBRID)
    assert taxa(records)["7"]["flags"] == Flag.HIDDEN
    assert repairs(records) == [("unknown_rank", "48460", 2)]


INAT_HEADER = "id,taxonID,parentNameUsageID,kingdom,phylum,class,order,family,genus,specificEpithet,scientificName,taxonRank\n"
URL = "https://www.inaturalist.org/taxa/"
INAT_NAMES = "id,vernacularName,language\n7,Zebra,en\n7,plains zebra,en\n7,Zebra,pt-BR\n70,nothing,en\n"


def test_the_archive_of_inaturalist_links_by_addresses_and_has_names_in_all_languages(tmp_path: Path) -> None:
    rows = (
        f"1,{URL}1,,Animalia,,,,,,,Animalia,kingdom\n"
        f"3,{URL}3,{URL}1,Animalia,,,,,Equus,,Equus,genus\n"
        f"7,{URL}7,{URL}3,Animalia,,,,,Equus,quagga,Equus quagga,species\n"
    )
    files = {
        "taxa.csv": INAT_HEADER + rows,
        "VernacularNames-english.csv": INAT_NAMES,
        "VernacularNames-german.csv": "id,vernacularName,language\n7,Steppenzebra,de\n",
    }
    with zipfile.ZipFile(tmp_path / "inaturalist-taxonomy.dwca.zip", "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    records = import_taxonomy("inaturalist", tmp_path / "inaturalist-taxonomy.dwca.zip", "inat")
    validate(records)
    assert lineage(records, "7") == ["Equus quagga", "Equus", "Animalia"]
    assert [tuple(row.values()) for row in records.vernaculars.to_pylist()] == [
        ("7", "Zebra", "en", True),
        ("7", "plains zebra", "en", False),
        ("7", "Zebra", "pt-BR", True),
        ("7", "Steppenzebra", "de", True),
    ]
    assert repairs(records) == [("vernacular_of_nothing", "70", 5)]


def test_taxa_of_inaturalist_without_links_are_placed_by_the_names_of_higher_ranks(tmp_path: Path) -> None:
    rows = (
        "1,,,Animalia,,,,,,,Animalia,kingdom\n"
        "7,,,Animalia,Chordata,,,,Equus,quagga,Equus quagga,species\n"
        "8,,,Animalia,Chordata,,,,Equus,quagga,Equus quagga boehmi,subspecies\n"
        "9,,,Plantae,,,,,Agathis,,Agathis,genus\n"
    )
    written(tmp_path, {"taxa.csv": INAT_HEADER + rows})
    records = import_taxonomy("inaturalist", tmp_path / "taxa.csv", "inat")
    validate(records, created=3)
    assert lineage(records, "8") == ["Equus quagga boehmi", "Equus quagga", "Equus", "Chordata", "Animalia"]
    assert taxa(records)["7"]["parent"] == "Animalia|Chordata||||Equus"
    assert lineage(records, "9") == ["Agathis", "Plantae"]


BIOSCAN = table(
    [
        ("sampleid", "phylum", "class", "order", "family", "subfamily", "genus", "species", "image_file"),
        (
            "a",
            "Arthropoda",
            "Insecta",
            "Diptera",
            "Culicidae",
            "not_classified",
            "Aedes",
            "Aedes aegypti",
            "a.jpg",
        ),
        (
            "b",
            "Arthropoda",
            "Insecta",
            "Diptera",
            "Culicidae",
            "Culicinae",
            "Aedes",
            "Aedes aegypti",
            "b.jpg",
        ),
        (
            "c",
            "Arthropoda",
            "Arachnida",
            "not_classified",
            "not_classified",
            "",
            "not_classified",
            "not_classified",
            "c.jpg",
        ),
    ]
)


def test_images_of_bioscan_are_one_tree_of_animals(tmp_path: Path) -> None:
    path = tmp_path / "BIOSCAN_Insect_Dataset_metadata.tsv"
    path.write_text(BIOSCAN, encoding="utf-8")
    records = import_taxonomy(AUTO, path, "bioscan")
    species = "Animalia|Arthropoda|Insecta|Diptera|Culicidae|Aedes|Aedes aegypti"
    assert lineage(records, species) == [
        *("Aedes aegypti", "Aedes", "Culicidae", "Diptera", "Insecta", "Arthropoda", "Animalia"),
    ]
    assert sorted(set(taxa(records)) - {species}, key=len)[:4] == [
        *("Animalia", "Animalia|Arthropoda", "Animalia|Arthropoda|Insecta", "Animalia|Arthropoda|Arachnida"),
    ]
    assert records.taxa.num_rows == 8


def test_any_flat_table_is_a_tree_whose_ids_do_not_depend_on_the_order_of_rows(tmp_path: Path) -> None:
    header = "image,Kingdom,Phylum,cls,Order,Family,Genus,Species\n"
    rows = [
        "1,Animalia,,,,Ausidae,Aus,bus\n",
        "2,Animalia,,,,Ausidae,Aus,Aus bus\n",
        "3,Plantae,,,,,Aus|x,\n",
        "4,unknown,,,,,,\n",
    ]
    first, second = tmp_path / "a.csv", tmp_path / "b.csv"
    first.write_text(header + "".join(rows), encoding="utf-8")
    second.write_text((header + "".join(reversed(rows))).replace(",", ";"), encoding="utf-8")
    records = import_taxonomy("flat-table", first, "flat")
    assert lineage(records, "Animalia||||Ausidae|Aus|Aus bus") == ["Aus bus", "Aus", "Ausidae", "Animalia"]
    assert lineage(records, "Plantae|||||Aus%7Cx") == ["Aus|x", "Plantae"]
    assert records.taxa.num_rows == 6
    assert import_taxonomy(AUTO, second, "flat").taxa.equals(records.taxa)


CLASSES = (
    "00000_Animalia_Annelida_Clitellata_Haplotaxida_Lumbricidae_Lumbricus_terrestris",
    "00001_Animalia_Annelida_Clitellata_Haplotaxida_Lumbricidae_Lumbricus_\N{MULTIPLICATION SIGN}_rubellus",
)


@pytest.mark.parametrize("kind", ["folder", "text", "tar", "zip"])
def test_class_folders_of_inat21_are_species_with_their_numbers(kind: str, tmp_path: Path) -> None:
    path = {
        "folder": tmp_path,
        "text": tmp_path / "classes.txt",
        "tar": tmp_path / "t.tar.gz",
        "zip": tmp_path / "t.zip",
    }[kind]
    for name in CLASSES if kind != "text" else ():
        (tmp_path / "train" / name).mkdir(parents=True)
        (tmp_path / "train" / name / "x.jpg").write_bytes(b"x")
    if kind == "text":
        path.write_text("\n".join(f"train/{name}/" for name in CLASSES), encoding="utf-8")
    elif kind == "tar":
        with tarfile.open(path, "w:gz") as tar:
            tar.add(tmp_path / "train", "train")
    elif kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name in CLASSES:
                archive.writestr(f"train/{name}/x.jpg", b"x")
    records = import_taxonomy(AUTO, path, "inat21")
    validate(records, created=6)
    assert lineage(records, "0")[:3] == ["Lumbricus terrestris", "Lumbricus", "Lumbricidae"]
    assert taxa(records)["1"]["name"] == "Lumbricus \N{MULTIPLICATION SIGN} rubellus"


NCBI = {
    "nodes.dmp": piped(
        [("1", "1", "no rank", "", "8", "0"), ("2", "1", "superkingdom", "", "0", "0"), ("9", "2", "species", "AB", "0", "0"),
         ("10239", "1", "acellular root", "", "9", "0")]
    ),
    "names.dmp": piped(
        [
            ("1", "root", "", "scientific name"),
            ("2", "Bacteria", "Bacteria <bacteria>", "scientific name"),
            ("2", "eubacteria", "", "genbank common name"),
            ("9", "Aus bus", "", "scientific name"),
            ("9", "Aus bus (Smith) Jones 1990", "", "authority"),
            ("9", "Aus dus", "", "genbank synonym"),
            ("9", "ATCC 1", "", "type material"),
            ("10239", "Viruses", "", "scientific name"),
            ("77", "Xus", "", "synonym"),
        ]
    ),
    "merged.dmp": piped([("5", "9")]),
}  # fmt: skip


@pytest.mark.parametrize("kind", ["folder", "tar.gz", "zip"])
def test_a_dump_of_ncbi_is_read_in_place(kind: str, tmp_path: Path) -> None:
    folder = written(tmp_path / "dump", NCBI)
    path = folder
    if kind == "tar.gz":
        path = tmp_path / "taxdump.tar.gz"
        with tarfile.open(path, "w:gz") as tar:
            for name in NCBI:
                tar.add(folder / name, name)
    elif kind == "zip":
        path = tmp_path / "taxdmp.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for name, text in NCBI.items():
                archive.writestr(name, text)
    records = import_taxonomy(AUTO, path, "ncbi")
    validate(records)
    assert lineage(records, "9") == ["Aus bus", "Bacteria", "root"]
    assert taxa(records)["9"]["authorship"] == "(Smith) Jones 1990"
    assert [taxa(records)[uid]["code"] for uid in ("9", "10239")] == ["bacterial", "viral"]
    assert taxa(records)["10239"]["flags"] == Flag.VIRAL
    assert records.names.to_pylist() == [
        {"uid": "9", "name": "Aus dus", "authorship": "", "type": "genbank synonym"}
    ]
    assert records.vernaculars.to_pylist() == [
        {"uid": "2", "name": "eubacteria", "language": "en", "is_preferred": True}
    ]
    assert records.forwards.to_pylist() == [{"uid": "5", "replacement": "9"}]
    assert repairs(records) == [("unknown_rank", "10239", 4), ("synonym_of_nothing", "77", 9)]
    assert records.about["left_out"] == "2"


@pytest.mark.parametrize("write", [piped, table], ids=["pipes", "tabs"])
def test_tables_of_the_open_tree_have_either_separator(write: Any, tmp_path: Path) -> None:
    rows = [
        ("uid", "parent_uid", "name", "rank", "sourceinfo", "uniqname", "flags"),
        ("93302", "", "cellular organisms", "no rank", "ncbi:131567", "", ""),
        ("4", "93302", "Aus", "genus", "ncbi:4,gbif:5", "", "extinct,hidden,of_tomorrow"),
        ("6", "4", "Aus bus", "species", "", "", ""),
    ]
    synonyms = [
        ("name", "uid", "type", "uniqname", "sourceinfo"),
        ("Xus", "4", "misspelling", "", ""),
        ("Yus", "4", "", "", ""),
        ("the aus", "4", "genbank common name", "", ""),
        ("ATCC 1", "4", "type material", "", ""),
    ]
    files = {
        "taxonomy.tsv": write(rows),
        "synonyms.tsv": write(synonyms),
        "forwards.tsv": "id\treplacement\n7\t6\n",
    }
    records = import_taxonomy(AUTO, written(tmp_path, files), "ott")
    validate(records)
    aus = taxa(records)["4"]
    assert (aus["sources"], aus["flags"], aus["parent"]) == (
        "ncbi:4,gbif:5",
        Flag.EXTINCT | Flag.HIDDEN,
        "93302",
    )
    assert [(row["name"], row["type"]) for row in records.names.to_pylist()] == [
        ("Xus", "misspelling"),
        ("Yus", "synonym"),
    ]
    assert records.vernaculars["name"].to_pylist() == ["the aus"]
    assert records.forwards.to_pylist() == [{"uid": "7", "replacement": "6"}]
    assert records.about["left_out"] == "1"


def meta(core: str, *extensions: str) -> str:
    return f'<archive xmlns="http://rs.tdwg.org/dwc/text/" metadata="eml.xml">{core}{"".join(extensions)}</archive>'


def part(tag: str, kind: str, file: str, terms: Sequence[str], **attributes: str) -> str:
    fields = "".join(
        f'<field index="{at}" term="http://rs.tdwg.org/dwc/terms/{term}"/>'
        for at, term in enumerate(terms)
        if term
    )
    given = {"encoding": "UTF-8", "fieldsTerminatedBy": r"\t", "ignoreHeaderLines": "1", **attributes}
    written_as = " ".join(f'{name}="{value}"' for name, value in given.items())
    row_id = "id" if tag == "core" else "coreid"
    return (
        f'<{tag} rowType="http://rs.tdwg.org/dwc/terms/{kind}" {written_as}><files><location>{file}</location></files>'
        f'<{row_id} index="0"/>{fields}</{tag}>'
    )


CORE = (
    "",
    "parentNameUsageID",
    "acceptedNameUsageID",
    "scientificName",
    "scientificNameAuthorship",
    "taxonRank",
    "taxonomicStatus",
    "nomenclaturalCode",
)
ARCHIVE = {
    "meta.xml": meta(
        part("core", "Taxon", "taxon.txt", CORE),
        part("extension", "VernacularName", "vernacular.txt", ("", "vernacularName", "language"),
             fieldsTerminatedBy=",", fieldsEnclosedBy="&quot;", ignoreHeaderLines="0", encoding="ISO-8859-1"),
        part("extension", "SpeciesProfile", "profile.txt", ("", "isExtinct")),
    ),
    "eml.xml": '<eml:eml xmlns:eml="eml://ecoinformatics.org/eml-2.1.1"><dataset><title>Test <i>list</i></title></dataset></eml:eml>',
    "taxon.txt": table([
        ("id", *CORE[1:]),
        ("1", "", "", "Animalia", "", "kingdom", "accepted", "ICZN"),
        ("2", "1", "", "Aus bus (Smith, 1990)", "(Smith, 1990)", "species", "doubtful", "ICZN"),
        ("3", "1", "2", "Bus bus Smith, 1990", "Smith, 1990", "species", "homotypic synonym", ""),
        ("4", "", "", "Xus", "", "genus", "synonym", ""),
    ]),
    "profile.txt": table([("id", "isExtinct"), ("2", "true"), ("1", "false")]),
}  # fmt: skip


@pytest.mark.parametrize("is_zip", [False, True])
def test_a_darwin_core_archive_is_read_as_its_description_states(is_zip: bool, tmp_path: Path) -> None:
    folder = written(tmp_path / "archive", ARCHIVE)
    (folder / "vernacular.txt").write_bytes('2,"der ""große"" Käfer, hier",deu\n'.encode("latin-1"))
    path = folder
    if is_zip:
        path = tmp_path / "archive.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for file in folder.iterdir():
                archive.write(file, f"top/{file.name}")
    records = import_taxonomy(AUTO, path, "col")
    validate(records)
    beetle = taxa(records)["2"]
    assert (beetle["name"], beetle["authorship"], beetle["code"]) == (
        "Aus bus",
        "(Smith, 1990)",
        "zoological",
    )
    assert beetle["flags"] == Flag.HIDDEN | Flag.EXTINCT
    assert records.names.to_pylist() == [
        {"uid": "2", "name": "Bus bus", "authorship": "Smith, 1990", "type": "homotypic synonym"}
    ]
    assert records.vernaculars.to_pylist() == [
        {"uid": "2", "name": 'der "große" Käfer, hier', "language": "de", "is_preferred": False}
    ]
    assert repairs(records) == [("synonym_of_nothing", "4", 5)]
    assert records.about["title"] == "Test list"


def test_extensions_without_rows_are_empty_files(tmp_path: Path) -> None:
    extension = part(
        "extension", "VernacularName", "names.txt", ("", "vernacularName"), ignoreHeaderLines="0"
    )
    core = part("core", "Taxon", "t.txt", ("", "scientificName"), ignoreHeaderLines="0")
    records = import_taxonomy(
        "darwin-core",
        written(tmp_path, {"meta.xml": meta(core, extension), "t.txt": "1\tAus\n", "names.txt": ""}),
        "x",
    )
    validate(records)
    assert (records.taxa.num_rows, records.vernaculars.num_rows) == (1, 0)


def test_an_archive_without_links_is_placed_by_the_names_of_higher_ranks(tmp_path: Path) -> None:
    terms = ("", "scientificName", "taxonRank", "kingdom", "genus", "specificEpithet")
    rows = [
        ("7", "Aus bus", "species", "Animalia", "Aus", "bus"),
        ("8", "Aus", "genus", "Animalia", "Aus", ""),
    ]
    files = {
        "meta.xml": meta(part("core", "Taxon", "t.csv", terms, ignoreHeaderLines="0")),
        "t.csv": table(rows),
    }
    records = import_taxonomy("darwin-core", written(tmp_path, files), "x")
    validate(records, created=1)
    assert lineage(records, "7") == ["Aus bus", "Aus", "Animalia"]
    assert taxa(records)["7"]["parent"] == "8"


USAGES = {
    "NameUsage.tsv": table([
        ("col:ID", "col:parentID", "col:status", "col:scientificName", "col:authorship", "col:rank", "col:code", "col:extinct"),
        ("1", "", "accepted", "Plantae", "", "kingdom", "botanical", ""),
        ("2", "1", "provisionally accepted", "Aus bus", "L.", "species", "botanical", "true"),
        ("3", "2", "ambiguous synonym", "Bus bus", "Mill.", "species", "botanical", ""),
        ("4", "", "bare name", "Xus", "", "genus", "botanical", ""),
    ]),
    "VernacularName.tsv": table([("col:taxonID", "col:name", "col:language", "col:preferred"), ("3", "a bus", "eng", "1")]),
}  # fmt: skip
NAMES_AND_TAXA = {
    "Name.csv": table([
        ("ID", "scientificName", "authorship", "rank", "code", "genus", "specificEpithet"),
        ("n1", "Plantae", "", "kingdom", "botanical", "", ""),
        ("n2", "", "L.", "species", "botanical", "Aus", "bus"),
        ("n3", "Bus bus Mill.", "Mill.", "species", "botanical", "", ""),
        ("4", "Xus", "", "genus", "botanical", "", ""),
    ], ","),
    "Taxon.csv": table([("ID", "parentID", "nameID", "extinct"), ("1", "", "n1", ""), ("2", "1", "n2", "true")], ","),
    "Synonym.csv": table([("ID", "taxonID", "nameID", "status"), ("3", "2", "n3", "ambiguous synonym")], ","),
    "VernacularName.csv": table([("taxonID", "name", "language", "preferred"), ("3", "a bus", "eng", "1")], ","),
}  # fmt: skip


@pytest.mark.parametrize("files", [USAGES, NAMES_AND_TAXA], ids=["usages", "names"])
def test_both_forms_of_a_data_package_are_the_same_taxonomy(files: dict[str, str], tmp_path: Path) -> None:
    about = {"metadata.yaml": "title: Test list\nversion: 1.5\nlicense: CC0\ncreator: [a]\n"}
    records = import_taxonomy(AUTO, written(tmp_path, files | about), "col")
    assert {"title": "Test list", "version": "1.5", "license": "CC0"}.items() <= records.about.items()
    validate(records)
    assert lineage(records, "2") == ["Aus bus", "Plantae"]
    species = taxa(records)["2"]
    assert (species["authorship"], species["rank"], species["code"], species["flags"]) == (
        "L.",
        "species",
        "botanical",
        Flag.EXTINCT,
    )
    assert records.names.to_pylist() == [
        {"uid": "2", "name": "Bus bus", "authorship": "Mill.", "type": "ambiguous synonym"}
    ]
    assert {"uid": "3", "replacement": "2"} in records.forwards.to_pylist()
    assert records.vernaculars.to_pylist() == [
        {"uid": "2", "name": "a bus", "language": "en", "is_preferred": True}
    ]
    assert repairs(records) == [("synonym_of_nothing", "4", 5)]


def test_a_path_that_is_no_taxonomy_is_not_recognised(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("some text\n", encoding="utf-8")
    with pytest.raises(SourceError, match=r"cannot be recognised|can be recognised.*dynamic-hierarchy"):
        recognised(tmp_path / "notes.txt")
    with pytest.raises(SettingsError, match="is not a format of taxonomies"):
        import_taxonomy("phylip", tmp_path, "x")


def test_every_format_says_what_it_reads() -> None:
    assert {name: importer.name for name, importer in IMPORTERS.items()} == {name: name for name in IMPORTERS}
    assert all(importer.description and importer.place for importer in IMPORTERS.values())


def test_the_tables_of_the_sample_are_read_completely(shared: Path) -> None:
    tables = shared / "sample" / "metadata"
    eol = import_taxonomy("dynamic-hierarchy", tables / "eol", "eol")
    validate(eol)
    assert (eol.taxa.num_rows, eol.names.num_rows, eol.vernaculars.num_rows) == (323, 1, 222)
    itis = import_taxonomy("itis-chains", tables / "itis", "itis")
    assert (itis.taxa.num_rows, itis.vernaculars.num_rows) == (330, 106)
    inat = import_taxonomy("inaturalist", tables / "inat" / "dwca", "inat")
    assert (inat.taxa.num_rows, inat.vernaculars.num_rows) == (588, 314)
    as_tsv, as_json = (
        import_taxonomy(
            "bioscan-metadata", tables / "bioscan" / f"BIOSCAN_Insect_Dataset_metadata.{ending}", "b"
        )
        for ending in ("tsv", "jsonld")
    )
    assert as_tsv.taxa.equals(as_json.taxa)
    assert as_tsv.taxa.num_rows == 46
    classes = import_taxonomy(AUTO, shared / "sample" / "inat21", "inat21")
    assert classes.taxa.num_rows == 223
    assert classes.repairs.num_rows == 0


def test_the_tables_of_the_open_tree_are_read_completely(shared: Path) -> None:
    golden = shared / "golden" / "taxonomy"
    sizes = {}
    for name in ("ncbi_aster", "gbif_aster", "separation"):
        records = import_taxonomy("open-tree", golden / name, name)
        validate(records)
        sizes[name] = (records.taxa.num_rows, records.names.num_rows, records.repairs.num_rows)
    assert sizes == {
        "ncbi_aster": (15258, 3091, 0),
        "gbif_aster": (11221, 12540, 0),
        "separation": (31, 8, 0),
    }

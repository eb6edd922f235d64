from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from tol_luigi import demonstration
from tol_luigi.demonstration.files import draw
from tol_luigi.sources import archives
from tol_luigi.sources.bioscan import BioscanReader
from tol_luigi.sources.eol import EolReader
from tol_luigi.sources.inat21 import INat21Reader

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tol_luigi.core.reader import Reader

EOL_COUNT, INAT21_COUNT, BIOSCAN_COUNT = 56, 40, 24

CSV_HEADERS = {
    "scraped_page_ids.csv": ["page_id", "scientific_name"],
    "vernacularnames.csv": [
        *("page_id", "canonical_form", "vernacular_string", "language_code", "resource_name"),
        *("is_preferred_by_resource", "is_preferred_by_eol"),
    ],
    "media_manifest/media_manifest_1.csv": [
        *("EOL content ID", "EOL page ID", "Medium Source URL", "EOL Full-Size Copy URL", "License Name"),
        "Copyright Owner",
    ],
    "taxa.csv": [
        *(
            "id",
            "taxonID",
            "identifier",
            "parentNameUsageID",
            "kingdom",
            "phylum",
            "class",
            "order",
            "family",
            "genus",
        ),
        *("specificEpithet", "infraspecificEpithet", "modified", "scientificName", "taxonRank", "references"),
    ],
    "VernacularNames-english.csv": [
        *(
            "id",
            "vernacularName",
            "language",
            "locality",
            "countryCode",
            "source",
            "lexicon",
            "contributor",
            "created",
        ),
    ],
    "species_level_taxonomy_chains.csv": [
        *("hierarchy_string_tsn", "hierarchy_string_names", "terminal_tsn", "terminal_scientific_name"),
        *(
            "terminal_vernacular",
            "terminal_vernacular_lang",
            "hierarchy_string_ranks",
            "Kingdom",
            "Subkingdom",
        ),
        *(
            "Infrakingdom",
            "Superphylum",
            "Phylum",
            "Subphylum",
            "Infraphylum",
            "Superclass",
            "Class",
            "Subclass",
        ),
        *(
            "Infraclass",
            "Superorder",
            "Order",
            "Suborder",
            "Infraorder",
            "Section",
            "Subsection",
            "Superfamily",
        ),
        *("Family", "Subfamily", "Tribe", "Subtribe", "Genus", "Subgenus", "Species"),
    ],
}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demonstration")
    calls: list[tuple[int, int]] = []
    draw(folder, lambda done, total: calls.append((done, total)))
    total = EOL_COUNT + INAT21_COUNT + BIOSCAN_COUNT
    assert calls == [(done, total) for done in range(1, total + 1)]
    return folder


def eol_members(folder: Path) -> Iterator[tuple[str, str, bytes]]:
    for path in sorted((folder / "eol").iterdir()):
        with tarfile.open(path) as archive:
            for member in archive:
                file = archive.extractfile(member)
                assert file is not None
                yield path.name.removesuffix(".tar.gz"), member.name, file.read()


def bioscan_members(folder: Path) -> Iterator[tuple[str, str, bytes]]:
    with zipfile.ZipFile(folder / "bioscan" / "cropped_256.zip") as archive:
        assert archive.testzip() is None
        for name in archive.namelist():
            top, images, cropped, part, file = name.split("/")
            assert (top, images, cropped) == ("bioscan", "images", "cropped_256")
            yield part, file, archive.read(name)


def inat21_members(folder: Path) -> Iterator[tuple[str, str, bytes]]:
    for path in sorted((folder / "inat21" / "train").glob("*/*")):
        yield path.parent.name, path.name, path.read_bytes()


def rows(folder: Path, name: str) -> list[dict[str, str]]:
    tabs = name.endswith(".tab")
    with (folder / "metadata" / name).open(encoding="utf-8", newline="") as file:
        if tabs:
            return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE, strict=True))
        return list(csv.DictReader(file, strict=True))


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_another_process_draws_the_same_bytes(drawn: Path, tmp_path: Path) -> None:
    script = (
        "import pathlib, sys; from tol_luigi.demonstration.files import draw; draw(pathlib.Path(sys.argv[1]))"
    )
    root = Path(demonstration.__file__).parents[2]
    environment = {**os.environ, "PYTHONHASHSEED": "4711", "TZ": "Asia/Tokyo", "PYTHONPATH": str(root)}
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], env=environment, check=True)
    assert contents(tmp_path) == contents(drawn)


def test_counts(drawn: Path) -> None:
    assert len(list(eol_members(drawn))) == EOL_COUNT
    assert len(list(inat21_members(drawn))) == INAT21_COUNT
    assert len(list(bioscan_members(drawn))) == BIOSCAN_COUNT


def test_every_image_opens_and_only_one_is_cut_off(drawn: Path) -> None:
    kinds: dict[tuple[str | None, str], int] = {}
    truncated = []
    members = [*eol_members(drawn), *inat21_members(drawn), *bioscan_members(drawn)]
    for _, name, content in members:
        with Image.open(io.BytesIO(content)) as image:
            kinds[image.format, image.mode] = kinds.get((image.format, image.mode), 0) + 1
            try:
                image.load()
            except OSError:
                truncated.append(name)
            assert 180 <= min(image.size) <= max(image.size) <= 900
    assert kinds == {("JPEG", "RGB"): 117, ("JPEG", "L"): 1, ("JPEG", "CMYK"): 1, ("PNG", "P"): 1}
    assert len(truncated) == 1
    assert truncated[0].endswith("_eol-full-size-copy.jpg")


def test_the_truncated_image_opens_with_leniency(drawn: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("PIL.ImageFile.LOAD_TRUNCATED_IMAGES", True)
    for _, _, content in eol_members(drawn):
        with Image.open(io.BytesIO(content)) as image:
            image.load()


def test_sizes_are_those_of_the_sources(drawn: Path) -> None:
    for members, longest in ((inat21_members, 500), (bioscan_members, 256)):
        for _, _, content in members(drawn):
            with Image.open(io.BytesIO(content)) as image:
                assert max(image.size) == longest or (longest == 500 and image.size == (400, 300))


def test_no_two_images_are_the_same(drawn: Path) -> None:
    images = [
        content for _, _, content in (*eol_members(drawn), *inat21_members(drawn), *bioscan_members(drawn))
    ]
    assert len(set(images)) == len(images) >= 60


def test_partitions_are_what_is_drawn(drawn: Path) -> None:
    assert list(demonstration.PARTITIONS) == ["eol", "bioscan", "inat21"]
    assert demonstration.PARTITIONS["eol"] == tuple(
        dict.fromkeys(place for place, _, _ in eol_members(drawn))
    )
    assert demonstration.PARTITIONS["bioscan"] == tuple(
        dict.fromkeys(part for part, _, _ in bioscan_members(drawn))
    )
    count = len(demonstration.PARTITIONS["inat21"])
    dealt = {int(place.split("_", 1)[0]) % count for place, _, _ in inat21_members(drawn)}
    assert demonstration.PARTITIONS["inat21"] == tuple(f"{number:03d}" for number in sorted(dealt))


def test_the_sources_agree_on_partitions_and_find_every_image(drawn: Path) -> None:
    given = demonstration.settings(drawn)
    sources: dict[str, Reader] = {
        "eol": EolReader(Path(given["eol"]["images"])),
        "bioscan": BioscanReader(Path(given["bioscan"]["images"]), int(given["bioscan"]["partitions"])),
        "inat21": INat21Reader(Path(given["inat21"]["images"]), int(given["inat21"]["partitions"])),
    }
    for (name, source), count in zip(sources.items(), (EOL_COUNT, BIOSCAN_COUNT, INAT21_COUNT), strict=True):
        assert source.partitions() == demonstration.PARTITIONS[name]
        assert source.listings() == demonstration.LISTINGS[name]
        found = [image for listing in source.listings() for image in source.scan(listing)]
        assert [image for image in found if image.state is not None] == []
        assert {image.partition for image in found} == set(demonstration.PARTITIONS[name])
        assert len(found) == count
        assert list(source.unlisted()) == []


def test_archives_tell_nothing_of_their_making(drawn: Path) -> None:
    for path in (drawn / "eol").iterdir():
        head = path.read_bytes()[:10]
        assert head[3] == 0, "no name, no comment"
        assert head[4:8] == bytes(4), "no time"
        with tarfile.open(path) as archive:
            assert {(m.mtime, m.uid, m.gid, m.uname, m.gname, m.mode) for m in archive} == {
                (0, 0, 0, "", "", 0o644)
            }
    with zipfile.ZipFile(drawn / "bioscan" / "cropped_256.zip") as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


@pytest.mark.parametrize("name", sorted(CSV_HEADERS))
def test_tables_have_the_published_headers(drawn: Path, name: str) -> None:
    found = rows(drawn, name)
    assert found
    assert list(found[0]) == CSV_HEADERS[name]
    assert all(None not in row and None not in row.values() for row in found), (
        "every row is as long as the header"
    )


def test_the_hierarchy_is_a_tree_up_to_life(drawn: Path) -> None:
    found = rows(drawn, "taxon.tab")
    assert set(found[0]) >= {"taxonID", "parentNameUsageID", "taxonRank", "canonicalName", "eolID"}
    nodes = {row["taxonID"]: row for row in found}
    assert len(nodes) == len(found)
    pages = [row["eolID"] for row in found if row["eolID"]]
    assert len(set(pages)) == len(pages) == len(found) - 1
    for start in found:
        row, names = start, [start["canonicalName"]]
        while row["parentNameUsageID"]:
            row = nodes[row["parentNameUsageID"]]
            names.append(row["canonicalName"])
        assert names[-1] == "Life"
        if start["taxonRank"] == "species":
            assert set(names) & {"Metazoa", "Chloroplastida", "Fungi"}


def test_every_page_of_an_image_has_a_name(drawn: Path) -> None:
    named = {row["eolID"] for row in rows(drawn, "taxon.tab")} | {
        r["page_id"] for r in rows(drawn, "scraped_page_ids.csv")
    }
    pages = {name.split("_")[1] for _, name, _ in eol_members(drawn)}
    assert pages <= named
    assert pages - {row["eolID"] for row in rows(drawn, "taxon.tab")}, "a page that only the scraped ids name"


def test_manifests_list_every_image_of_eol_once(drawn: Path) -> None:
    folder = drawn / "metadata" / "media_manifest"
    lines = [line for i in (1, 2) for line in (folder / f"media_manifest_{i}.csv").read_text().splitlines()]
    listed = ["{}_{}_eol-full-size-copy.jpg".format(*line.split(",")[:2]) for line in lines[1:]]
    assert listed == [name for _, name, _ in eol_members(drawn)]


def test_bioscan_records_are_those_of_the_images(drawn: Path) -> None:
    records = json.loads((drawn / "metadata" / "BIOSCAN_Insect_Dataset_metadata.jsonld").read_text())
    images = [(int(part.removeprefix("part")), name) for part, name, _ in bioscan_members(drawn)]
    assert [(record["chunk_number"], record["image_file"]) for record in records] == images
    assert all(len(record) == 28 and record["class"] == "Insecta" for record in records)
    assert sum(record["species"] == "not_classified" for record in records) == 4


def test_at_least_twenty_species(drawn: Path) -> None:
    species = {row["canonicalName"] for row in rows(drawn, "taxon.tab") if row["taxonRank"] == "species"}
    pages = {row["eolID"] for row in rows(drawn, "taxon.tab") if row["taxonRank"] == "species"}
    assert len(species) >= 30
    assert len({name.split("_")[1] for _, name, _ in eol_members(drawn)} & pages) >= 20


def test_exclusion_lists_name_images_that_are_there(drawn: Path) -> None:
    names = {name for _, name, _ in eol_members(drawn)}
    seen = json.loads((drawn / "metadata" / "seen_in_training.json").read_text())
    unseen = json.loads((drawn / "metadata" / "unseen_in_training.json").read_text())
    assert list(seen) == ["Spheniscus demersus"]
    assert list(unseen) == ["Animalia-Chordata-Mammalia-Carnivora-Ailuridae-Ailurus-fulgens"]
    listed = [
        path.rsplit("/", 1)[-1] for lists in (seen, unseen) for paths in lists.values() for path in paths
    ]
    assert set(listed) <= names
    assert len(set(listed)) == len(listed) == 2 + 3
    (page,) = {path.rsplit("/", 1)[-1].split("_")[1] for paths in unseen.values() for path in paths}
    assert len([name for name in names if f"_{page}_" in name]) == 3, "all images of the species"
    assert len([place for place, _, _ in inat21_members(drawn) if place.endswith("Ailurus_fulgens")]) == 3


def test_resolved_names_have_seven_ranks(drawn: Path) -> None:
    lines = (drawn / "metadata" / "resolved.jsonl").read_text().splitlines()
    for line in lines:
        ((name, resolvers),) = json.loads(line).items()
        (ranks,) = resolvers.values()
        assert list(ranks) == ["kingdom", "phylum", "class", "order", "family", "genus", "species"]
        assert ranks["species"] == name


def test_settings_name_what_was_drawn(drawn: Path) -> None:
    sections = demonstration.settings(drawn)
    assert list(sections) == ["eol", "inat21", "bioscan", "itis", "resolved", "rare_species"]
    values = {(section, key): value for section, pairs in sections.items() for key, value in pairs.items()}
    assert values.pop(("inat21", "partitions")) == "4"
    assert values.pop(("bioscan", "partitions")) == "2"
    assert [place for place in values.values() if not Path(place).exists()] == []


def test_what_is_drawn_is_what_is_estimated_before(drawn: Path) -> None:
    for source, (images, size) in demonstration.ESTIMATES.items():
        place = Path(demonstration.settings(drawn)[source]["images"])
        places = sorted(place.iterdir()) if source == "eol" else [place]
        found = [row.member.size for each in places for row in archives.scan(each) if row.state is None]
        assert len(found) == pytest.approx(images, rel=demonstration.ESTIMATE_ERROR)
        assert sum(found) == pytest.approx(size, rel=demonstration.ESTIMATE_ERROR)

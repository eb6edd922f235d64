"""Write the metadata tables of the demonstration in the published formats: here EOL and the rare species."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tol_luigi.demonstration import registries
from tol_luigi.demonstration.registries import columns, write_json, write_table
from tol_luigi.demonstration.taxa import RANKS, TAXA, Taxon, eol_images, page_of

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["SEEN", "UNSEEN", "write"]

SEEN, UNSEEN = "Spheniscus demersus", "Ailurus fulgens"
"""The rare species: two images of the first, and all images of the second in all sources, are excluded."""

_SCRAPED = "Trametes versicolor"
"""The species whose page is missing from the hierarchy."""

_OTHER_LANGUAGES = {
    "Erithacus rubecula": (("deu", "Rotkehlchen"), ("fra", "Rouge-gorge familier")),
    "Vulpes vulpes": (("deu", "Rotfuchs"), ("fra", "Renard roux"), ("spa", "zorro rojo")),
    "Amanita muscaria": (("deu", "Fliegenpilz"), ("fra", "Amanite tue-mouches")),
    "Quercus robur": (("deu", "Stieleiche"), ("nld", "zomereik")),
}

_CLADES = {
    "Metazoa": ("Life", "Cellular Organisms", "Eukaryota", "Opisthokonta"),
    "Fungi": ("Life", "Cellular Organisms", "Eukaryota", "Opisthokonta", "Nucletmycea"),
    "Chloroplastida": ("Life", "Cellular Organisms", "Eukaryota", "Archaeplastida"),
    "Chordata": ("Bilateria", "Deuterostomia"),
    "Echinodermata": ("Bilateria", "Deuterostomia"),
    "Arthropoda": ("Bilateria", "Protostomia"),
    "Mollusca": ("Bilateria", "Protostomia"),
    "Aves": ("Vertebrata", "Tetrapoda"),
    "Mammalia": ("Vertebrata", "Tetrapoda"),
    "Reptilia": ("Vertebrata", "Tetrapoda"),
    "Amphibia": ("Vertebrata", "Tetrapoda"),
    "Actinopterygii": ("Vertebrata",),
    "Tracheophyta": ("Embryophyta",),
}
"""The clades without a rank above a taxon in the hierarchy, highest first."""

_KINGDOMS = {"Animalia": "Metazoa", "Plantae": "Chloroplastida"}
_FIRST_NODE = 97_001_000

_TAXON_TAB = columns(
    "taxonID source furtherInformationURL acceptedNameUsageID parentNameUsageID scientificName "
    "taxonRank taxonomicStatus datasetID canonicalName authority eolID Landmark higherClassification"
)
_EOL_NAMES = columns(
    "page_id canonical_form vernacular_string language_code resource_name is_preferred_by_resource "
    "is_preferred_by_eol"
)
_MANIFEST = (
    "EOL content ID",
    "EOL page ID",
    "Medium Source URL",
    "EOL Full-Size Copy URL",
    "License Name",
    "Copyright Owner",
)
_LICENCES = (
    ("cc-by-4.0", "A. Painter"),
    ("cc-0-1.0", ""),
    ("cc-by-sa-3.0", "B. Draughtsman"),
    ("cc-publicdomain", ""),
)


def _lineage(taxon: Taxon) -> list[tuple[str, str]]:
    """Return the lineage of a taxon in the hierarchy as (rank, name), highest first. Clades have rank ""."""
    line: list[tuple[str, str]] = []
    for rank, value in zip(RANKS, taxon.ranks, strict=True):
        if value:
            name = taxon.name if rank == "species" else _KINGDOMS.get(value, value)
            line += [*(("", clade) for clade in _CLADES.get(name, ())), (rank, name)]
    return line


def _hierarchy() -> list[list[object]]:
    """Return the rows of ``taxon.tab``, parents first, with one subspecies without a page."""
    known = {taxon.name: taxon for taxon in TAXA}
    ids: dict[str, str] = {}
    rows: list[list[object]] = []
    for taxon in TAXA:
        line = [step for step in _lineage(taxon) if step[1] != _SCRAPED]
        for depth, (rank, name) in enumerate(line):
            if name in ids:
                continue
            node = ids[name] = f"EOL-{len(ids):012d}"
            page = page_of(known[name]) if name in known else _FIRST_NODE + len(ids)
            author = known[name].author if name in known and rank == "species" else ""
            above = [parent for _, parent in line[:depth]]
            parent = ids[above[-1]] if above else ""
            title, landmark = f"{name} {author}".strip(), {"kingdom": 1, "class": 2}.get(rank, "")
            names = [title, rank, "accepted", "trunk", name, author]
            rows.append([node, f"trunk:{node}", "", "", parent, *names, page, landmark, "|".join(above)])
    name, node = "Vulpes vulpes crucigera", f"EOL-{len(ids):012d}"
    names = [name, "subspecies", "accepted", "trunk", name, ""]
    rows.append([node, f"trunk:{node}", "", "", ids["Vulpes vulpes"], *names, "", "", ""])
    return rows


def _eol_names() -> list[list[object]]:
    """Return the rows of ``vernacularnames.csv``: names in several languages, and one extra English name."""
    rows: list[list[object]] = []
    for taxon in TAXA:
        page, name = page_of(taxon), f"<i>{taxon.name}</i>" if taxon.ranks[5] else taxon.name
        if taxon.name == "Araneus diadematus":
            rows.append([page, name, "cross orbweaver", "eng", "demonstration", "", ""])
        rows.append([page, name, taxon.english, "eng", "demonstration", "preferred", "preferred"])
        rows += [
            [page, name, other, code, "demonstration", "", ""]
            for code, other in _OTHER_LANGUAGES.get(taxon.name, ())
        ]
    return rows


def _manifest(position: int, numbers: tuple[int, ...]) -> list[object]:
    """Return a row of a media manifest."""
    licence, owner = _LICENCES[position % len(_LICENCES)]
    address = f"https://example.org/drawings/{numbers[0]}.jpg"
    return [*numbers, address, f"https://example.org/full-size/{numbers[0]}.jpg", licence, owner]


def write(folder: Path) -> None:
    """Write all tables into an existing empty folder."""
    images = eol_images()
    scraped = next(taxon for taxon in TAXA if taxon.name == _SCRAPED)
    pages = [
        (page_of(scraped), f"<i>{_SCRAPED}</i> {scraped.author}"),
        (page_of(TAXA[0]), f"<i>{TAXA[0].name}</i> {TAXA[0].author}"),
    ]
    write_table(folder / "taxon.tab", _TAXON_TAB, _hierarchy())
    write_table(folder / "scraped_page_ids.csv", ("page_id", "scientific_name"), pages)
    write_table(folder / "vernacularnames.csv", _EOL_NAMES, _eol_names())
    manifests = folder / "media_manifest"
    manifests.mkdir()
    rows = [_manifest(position, image.numbers) for position, image in enumerate(images)]
    half = len(rows) // 2
    write_table(manifests / "media_manifest_1.csv", _MANIFEST, rows[:half])
    write_table(manifests / "media_manifest_2.csv", _MANIFEST, rows[half:], titled=False)
    registries.write(folder)
    seen = [f"media/{image.file}" for image in images if image.taxon.name == SEEN][:2]
    unseen = [image for image in images if image.taxon.name == UNSEEN]
    write_json(folder / "seen_in_training.json", {SEEN: seen})
    write_json(
        folder / "unseen_in_training.json",
        {"-".join(unseen[0].taxon.ranks): [f"rare-species/{image.file}" for image in unseen]},
    )

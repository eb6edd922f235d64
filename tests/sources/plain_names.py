"""The published rules of naming, read plainly: a dictionary a table, filled row by row in the order of its file.

Written from the rules alone, without regard for time or memory and without a line of the package, to be compared with
it. What a rule leaves open is as the package documents it: of two ITIS rows that contradict each other the first
counts, and a walk that meets a name or a page again ends there.
"""

from __future__ import annotations

import csv
import json
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

RANKS = ("kingdom", "phylum", "class", "order", "family", "genus", "species")
Ranks = tuple[str, ...]
Row = dict[str, str]


class Tables(NamedTuple):
    """The files of one round."""

    itis: Path
    resolved: Path
    inat_taxa: Path
    inat_names: Path
    eol_names: Path
    taxon_tab: Path
    scraped: Path
    bioscan: Path


class Named(NamedTuple):
    """What is known of an image: the ranks as the lookup has them and as a sample has them, the common name."""

    ranks: Ranks
    read_back: Ranks
    common: str


def rows(path: Path, delimiter: str = ",") -> Iterator[Row]:
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file, delimiter=delimiter)


# A taxon (4.1, 4.2)


def without_tags(text: str) -> str:
    """A tag, what follows it, and the next closing tag: only what is between them stays, time and again."""
    pair = re.compile("<[^\n]*?>([^\n]*?)</[^\n]*?>")
    while (shorter := pair.sub(lambda found: found[1], text)) != text:
        text = shorter
    return text


def clean(text: str) -> str:
    name = without_tags(text.lower()).strip()
    for cut in (
        r"\(",
        r"ssp[.]",
        r"subsp[.]",
        r"var[.]",
        r"\w+, \w+ & \w+",
        r"\w+ & \w+",
        r"\w+ \d{4}",
        r"\w+, \d{4}",
        r"\d{4}",
        r" ([a-z]|[A-Z]|\[|\\|\]|\^|_|`)[.]",
        r"<br>|<br >",
    ):
        name = re.split(cut, name, maxsplit=1)[0].strip()
    return name


def rank_of(text: str) -> str:
    lower = without_tags(text).lower()
    return "" if lower in {"(unidentified)", "unknown", "pleasehelp"} else lower


def taxon(ranks: Iterable[str]) -> Ranks:
    kingdom, phylum, cls, order, family, genus, species = map(rank_of, ranks)
    species = clean(species)
    if kingdom == "metazoa":
        kingdom = "animalia"
    if kingdom in {"archaeplastida", "chloroplastida"}:
        kingdom = "plantae"
    words = species.split()
    if len(words) > 1 and genus in {"", words[0]}:
        genus = words.pop(0)
        species = " ".join(words)
    if len(words) == 2 and len(set(words)) == 1:
        species = words[0]
    return tuple(map(rank_of, (kingdom, phylum, cls, order, family, genus, species)))


def rendered(ranks: Ranks) -> Ranks:
    return (*(rank.capitalize() for rank in ranks[:-1]), ranks[-1].lower())


def scientific(ranks: Ranks) -> str:
    return " ".join(" ".join(rendered(ranks)[-2:]).split()).capitalize()


def taxonomic(ranks: Ranks) -> str:
    return " ".join(" ".join(rendered(ranks)).split())


def itis_taxon(row: Row) -> Ranks:
    return taxon(row[rank.capitalize()] for rank in RANKS)


# Common names (4.6)


def common_names(tables: Tables) -> dict[str, str]:
    names: dict[str, str] = {}
    for row in rows(tables.itis):
        pairs = zip(
            row["terminal_vernacular"].split(", "), row["terminal_vernacular_lang"].split(", "), strict=False
        )
        english = [name for name, language in pairs if language == "English" and name != ""]
        if english:
            names[scientific(itis_taxon(row))] = english[0]
    inat: dict[int, tuple[str, str]] = {}
    for row in rows(tables.inat_taxa):
        if row["taxonRank"] in {"species", "variety"}:
            ranks = taxon([*(row[rank] for rank in RANKS[:-1]), row["specificEpithet"]])
            inat[int(row["id"])] = scientific(ranks), row["scientificName"]
    for row in rows(tables.inat_names):
        normal, as_written = inat.get(int(row["id"]), (None, None))
        if row["vernacularName"] and normal is not None and normal not in names:
            names[normal] = row["vernacularName"]
        if row["vernacularName"] and as_written and as_written not in names:
            names[as_written] = row["vernacularName"]
    preferred = [row for row in rows(tables.eol_names) if row["is_preferred_by_eol"]]
    for row in [*preferred, *rows(tables.eol_names)]:
        key, name = without_tags(row["canonical_form"]), clean(row["vernacular_string"])
        if row["language_code"] == "eng" and key and name and key not in names:
            names[key] = name
    return names


# Higher ranks (4.5)

Known = dict[str | tuple[str, str], tuple[tuple[str, ...], str | None]]


def higher_ranks(tables: Tables) -> Known:
    known: Known = {}
    for name in ("collembola", "diplura", "protura"):
        known[name] = ("class", "order"), "arthropoda"
    for name in [
        "actinobacteria",
        "aquificae",
        "chlamydiae",
        "chrysiogenetes",
        "deferribacteres",
        "elusimicrobia",
        "gemmatimonadetes",
        "nitrospira",
        "thermodesulfobacteria",
        "thermotogae",
    ]:
        known[name] = ("phylum", "class"), "bacteria"
    known["micrognathozoa"] = ("phylum", "class"), "animalia"
    known["protozoa"] = ("kingdom", "phylum"), None
    known["leptogaster", "flavipes"] = (), "asilidae"
    taxa = [itis_taxon(row) for row in rows(tables.itis)]
    for line in tables.resolved.read_text(encoding="utf-8").splitlines():
        name, resolvers = next(iter(json.loads(line).items()))
        first = next(iter(resolvers.values()))
        genus, *words = name.lower().split()
        taxa.append(taxon([*(first.get(rank, "") for rank in RANKS[:5]), genus, " ".join(words)]))
    for kingdom, phylum, cls, order, family, genus, species in taxa:
        true_family = "boidae" if (family, order) == ("charinidae", "squamata") else family
        if (genus, species) not in known:
            known[genus, species] = (), true_family
        for rank, name, parent in (
            ("family", true_family, order),
            ("order", order, cls),
            ("class", cls, phylum),
            ("phylum", phylum, kingdom),
            ("kingdom", kingdom, None),
        ):
            if name and name not in known:
                known[name] = (rank,), parent
    return known


def upgraded(ranks: Ranks, known: Known) -> Ranks:
    tried: str | None = None
    while True:
        now = dict(zip(RANKS, ranks, strict=True))
        start, name = "scientific", (now["genus"], now["species"])
        for rank in ("family", "order", "class", "phylum", "kingdom"):
            if rank == tried or not now[rank]:
                break
            start, name = rank, now[rank]
        met: set[object] = set()
        while name in known and name not in met:
            met.add(name)
            places, parent = known[name]
            now.update(dict.fromkeys(places, name))
            name = parent
        ranks = taxon(now.values())
        if all(ranks) or start == "scientific":
            return ranks
        tried = start


# EOL's hierarchy (4.4)

Page = tuple[str, str, int | None]


def eol_pages(tables: Tables, with_images: set[int]) -> dict[int, Page]:
    pages: dict[int, Page] = {
        331434: ("species", "latouchii", 42333),
        52338888: ("species", "lateralis", 42333),
    }
    with_page = [row for row in rows(tables.taxon_tab, "\t") if row["eolID"]]
    page_of = {row["taxonID"]: int(row["eolID"]) for row in with_page}
    for row in with_page:
        rank, name = row["taxonRank"].lower(), row["canonicalName"]
        words = name.split()
        if rank == "species" and len(words) == 2 and name == name.capitalize():
            name = words[1]
        place = "class" if rank == "cls" else rank
        pages.setdefault(int(row["eolID"]), (place, name.lower(), page_of.get(row["parentNameUsageID"])))
    genera = {name: page for page, (rank, name, _) in pages.items() if rank == "genus"}
    for row in rows(tables.scraped):
        if int(row["page_id"]) in with_images:
            name = clean(row["scientific_name"])
            words = name.split()
            genus = genera.get(words[0]) if len(words) == 2 else None
            pages.setdefault(int(row["page_id"]), ("species", words[1] if len(words) == 2 else name, genus))
    return pages


def eol_taxon(pages: dict[int, Page], page: int | None) -> Ranks:
    ranks = dict.fromkeys(RANKS, "")
    met: set[int] = set()
    while page in pages and page not in met:
        met.add(page)
        rank, name, page_above = pages[page]
        if rank in ranks:
            ranks[rank] = name
        page = page_above
    return taxon(ranks.values())


# Names of images (4.3)


class PlainNames:
    """All names of one round."""

    def __init__(self, tables: Tables, pages: set[int]) -> None:
        self.tables = tables
        self.common = common_names(tables)
        self.known = higher_ranks(tables)
        self.pages = eol_pages(tables, pages)

    def named(self, ranks: Ranks) -> Named:
        return Named(
            rendered(ranks), rendered(taxon(rendered(ranks))), self.common.get(scientific(ranks), "")
        )

    def eol(self, page: int) -> Named | None:
        ranks = eol_taxon(self.pages, page)
        return self.named(upgraded(ranks, self.known)) if any(ranks) else None

    def bioscan(self, image_file: str) -> Named | None:
        found = [row for row in rows(self.tables.bioscan, "\t") if row["image_file"] == image_file]
        if not found:
            return None
        told = [
            "" if found[-1][rank] == "not_classified" else found[-1][rank]
            for rank in ("order", "family", "genus", "species")
        ]
        return self.named(upgraded(taxon(["Animalia", "Arthropoda", "Insecta", *told]), self.known))

    def inat21(self, cls_name: str) -> Named:
        return self.named(taxon(cls_name.split("_")))

"""Small tables of names, made to be awkward: capitals, brackets, markup, blanks, accents, homonyms, odd marks."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING

from plain_names import RANKS, Tables

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence
    from pathlib import Path

HIGHER = (
    "Aus", "Bus", "Cus", "Dus", "Aus ", " bus", "", "", " ", "Metazoa", "metazoa ", "Chloroplastida", "Animalia", "Unknown",
    "unknown ", "<i>Cus</i>", "<i>Cus</em>", "Collembola", "protozoa", "Aquificae", "Arthropoda", "Charinidae", "Squamata",
    "Ėus", "ßus", "PleaseHelp",
)  # fmt: skip
"""Names of any higher rank, so that one name stands at several of them."""

GENERA = (
    "Corvus", "corvus", "CORVUS", "McCoya", "Agathis", "agathis", "Bison", "Leptogaster", "Ficus", "Ficus ", "", "", "É", "x",
    "(unidentified)", "<b>Rosa</b>", "Rosa", "unknown",
)  # fmt: skip

EPITHETS = (
    "corax", "corax", "bison", "bonasus", "bison bonasus", "bison bison bonasus", "flavipes", "variegata", "canina", "Corax", "",
    "canina É. Dupont", "corax L. Smith", "corax _. x", "corax [. x", "corax (L.)", "corax<br>Raven", "corax<br/>Raven",
    "corax Linnaeus, 1758", "corax Smith & Jones", "corax Smith, Jones & Brown", "corax  albus", "corax corax", "corax\nalbus",
    "unknown", "(unidentified)", "<i>corax</i>", "<i>corax</em>", "<i>corax", "<<b>i>corax</b></i>", "var. albus", "subsp. albus",
    "ß", "not_classified",
)  # fmt: skip

COMMON = (
    "raven", "Common Raven", "raven (common)", "(raven)", "<b>raven</b>", "black & white warbler", "", " ", "raven ", "Raven",
    "oiseau, raven", "Smith's raven", "raven 1758", "<i>raven</em>", 'a "raven"', "raven,crow", "rave\nn",
)  # fmt: skip

LANGUAGES = (
    "English", "English, English", "French, English", "English, French", "", "english", "French", ", English",
)  # fmt: skip

VERNACULARS = (*COMMON, ", raven", "corbeau, raven", "corbeau, , raven", "raven, crow, rook")

RANK_WORDS = (
    *RANKS,
    *4 * ("species", "genus"),
    "cls",
    "Species",
    "CLASS",
    " species",
    "genus ",
    "superfamily",
    "",
)

PAGES = (*range(1, 13), 331434, 42333)


class Maker:
    """Draws tables, the same ones from the same random numbers."""

    def __init__(self, random_numbers: random.Random) -> None:
        self.draw = random_numbers

    def species(self) -> str:
        genus, epithet = self.draw.choice(GENERA), self.draw.choice(EPITHETS)
        return self.draw.choice(
            (epithet, f"{genus} {epithet}", f"{genus} {epithet}", f"<i>{genus} {epithet}</i>")
        )

    def ranks(self) -> list[str]:
        return [*(self.draw.choice(HIGHER) for _ in range(5)), self.draw.choice(GENERA), self.species()]

    def rows(self, most: int) -> range:
        return range(self.draw.randrange(most + 1))

    def tables(self, folder: Path) -> Tables:
        draw = self.draw
        made = Tables(*(folder / f"{name}.tsv" for name in Tables._fields))
        marks = ("", "", "preferred", "no", " ")
        _write(
            made.itis,
            [*map(str.capitalize, RANKS), "terminal_vernacular", "terminal_vernacular_lang"],
            [
                ["Animalia", *self.ranks()[1:], draw.choice(VERNACULARS), draw.choice(LANGUAGES)]
                for _ in self.rows(6)
            ],
        )
        made.resolved.write_text(
            "".join(f"{json.dumps(self.resolved(), ensure_ascii=False)}\n" for _ in self.rows(5)),
            encoding="utf-8",
        )
        _write(
            made.inat_taxa,
            ["id", "taxonRank", "scientificName", *RANKS[:-1], "specificEpithet"],
            [
                [
                    str(draw.randrange(5)), draw.choice(("species", "species", "variety", "genus", " species")),
                    draw.choice((self.species(), self.species().capitalize())), *self.ranks(),
                ]
                for _ in self.rows(6)
            ],
        )  # fmt: skip
        _write(
            made.inat_names,
            ["id", "vernacularName"],
            [[str(draw.randrange(6)), draw.choice(COMMON)] for _ in self.rows(7)],
        )
        _write(
            made.eol_names,
            ["canonical_form", "vernacular_string", "language_code", "is_preferred_by_eol"],
            [
                [
                    self.canonical(),
                    draw.choice(COMMON),
                    draw.choice(("eng", "eng", "eng", "fra", "ENG")),
                    draw.choice(marks),
                ]
                for _ in self.rows(8)
            ],
        )
        header = ["taxonID", "parentNameUsageID", "taxonRank", "canonicalName", "eolID"]
        lines = ["\t".join(header), *("\t".join(self.page()) for _ in self.rows(12))]
        made.taxon_tab.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        _write(
            made.scraped,
            ["page_id", "scientific_name"],
            [[str(draw.choice(PAGES)), draw.choice((self.species(), "(x)"))] for _ in self.rows(7)],
        )
        header = ["image_file", "order", "family", "genus", "species"]
        _write(made.bioscan, header, [self.insect() for _ in self.rows(4)], "\t")
        return made

    def canonical(self) -> str:
        name = self.species()
        return self.draw.choice(
            (name, name.capitalize(), name.upper(), f"{name.capitalize()} ", f"<i>{name}</i> L., 1758")
        )

    def resolved(self) -> dict[str, dict[str, dict[str, str]]]:
        ranks = dict(zip(RANKS[:5], self.ranks()[:5], strict=True))
        kept = {rank: name for rank, name in ranks.items() if self.draw.random() < 0.8}
        names = [name for name in (self.species(), self.draw.choice(GENERA)) if name.split()] or [
            "Corvus corax"
        ]
        return {name: {"first": kept, "second": {"family": "Xus"}} for name in dict.fromkeys(names)}

    def page(self) -> list[str]:
        draw = self.draw
        key, parent = (draw.choice(("", *"abcdefghij")) for _ in range(2))
        rank = draw.choice(RANK_WORDS)
        name = {"species": self.species(), "genus": draw.choice(GENERA)}.get(
            rank.strip().lower(), draw.choice(HIGHER)
        )
        name = draw.choice(
            (name, name, name, f'"{name}"', f'{name}"' if name else "", "Rosa canina", "McCoya bella")
        ).replace("\n", " ")
        return [key, parent, rank, name, str(draw.choice(("", *PAGES)))]

    def insect(self) -> list[str]:
        higher = [self.draw.choice((*HIGHER, "not_classified")) for _ in range(2)]
        return [
            self.draw.choice(("a.jpg", "b.jpg", "c.jpg")),
            *higher,
            self.draw.choice(GENERA),
            self.species(),
        ]

    def class_name(self) -> str:
        return "_".join(rank.replace("_", "-") for rank in self.ranks())


def _write(path: Path, header: Sequence[str], body: Sequence[Sequence[str]], delimiter: str = ",") -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter=delimiter, lineterminator="\n").writerows([header, *body])

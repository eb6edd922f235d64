"""What lives in the demonstration dataset, and which pictures of it there are.

The taxa are real, with their ranks, authors and English names. Page, content and class numbers are
made up; they lie outside the ranges in use, so nothing here can be taken for a published image.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass

__all__ = ["RANKS", "TAXA", "Shot", "Taxon", "bioscan_shots", "eol_shots", "inat21_shots", "page_of"]

RANKS = ("kingdom", "phylum", "class", "order", "family", "genus", "species")

_TABLE = """
Animalia Chordata Aves Passeriformes Muscicapidae Erithacus rubecula | (Linnaeus, 1758) | European robin | 2 3 0
Animalia Chordata Aves Passeriformes Paridae Cyanistes caeruleus | (Linnaeus, 1758) | Eurasian blue tit | 2 0 0
Animalia Chordata Aves Coraciiformes Alcedinidae Alcedo atthis | (Linnaeus, 1758) | common kingfisher | 2 3 0
Animalia Chordata Aves Sphenisciformes Spheniscidae Spheniscus demersus | (Linnaeus, 1758) | African penguin | 4 0 0
Animalia Chordata Mammalia Carnivora Canidae Vulpes vulpes | (Linnaeus, 1758) | red fox | 2 4 0
Animalia Chordata Mammalia Carnivora Ailuridae Ailurus fulgens | F. Cuvier, 1825 | red panda | 3 3 0
Animalia Chordata Mammalia Lagomorpha Leporidae Lepus europaeus | Pallas, 1778 | European hare | 2 0 0
Animalia Chordata Actinopterygii Cypriniformes Cyprinidae Carassius auratus | (Linnaeus, 1758) | goldfish | 1 2 0
Animalia Chordata Actinopterygii Acanthuriformes Acanthuridae Zebrasoma flavescens | (Bennett, 1828) | yellow tang | 2 0 0
Animalia Chordata Amphibia Caudata Salamandridae Salamandra salamandra | (Linnaeus, 1758) | fire salamander | 2 0 0
Animalia Chordata Amphibia Anura Ranidae Rana temporaria | Linnaeus, 1758 | common frog | 2 3 0
Animalia Chordata Reptilia Testudines Cheloniidae Chelonia mydas | (Linnaeus, 1758) | green sea turtle | 2 0 0
Animalia Arthropoda Insecta Coleoptera Coccinellidae Coccinella septempunctata | Linnaeus, 1758 | seven-spot ladybird | 1 3 3
Animalia Arthropoda Insecta Coleoptera Lucanidae Lucanus cervus | (Linnaeus, 1758) | European stag beetle | 1 0 2
Animalia Arthropoda Insecta Lepidoptera Nymphalidae Danaus plexippus | (Linnaeus, 1758) | monarch butterfly | 2 3 2
Animalia Arthropoda Insecta Lepidoptera Papilionidae Papilio machaon | Linnaeus, 1758 | Old World swallowtail | 1 0 2
Animalia Arthropoda Insecta Hymenoptera Apidae Bombus terrestris | (Linnaeus, 1758) | buff-tailed bumblebee | 1 0 3
Animalia Arthropoda Insecta Hymenoptera Formicidae Formica rufa | Linnaeus, 1761 | red wood ant | 0 0 3
Animalia Arthropoda Insecta Diptera Syrphidae Episyrphus balteatus | (De Geer, 1776) | marmalade hoverfly | 0 0 3
Animalia Arthropoda Insecta Odonata Aeshnidae Aeshna cyanea | (Müller, 1764) | southern hawker | 1 0 2
Animalia Arthropoda Arachnida Araneae Araneidae Araneus diadematus | Clerck, 1757 | European garden spider | 1 3 0
Animalia Mollusca Cephalopoda Octopoda Octopodidae Octopus vulgaris | Cuvier, 1797 | common octopus | 2 3 0
Animalia Mollusca Gastropoda Stylommatophora Helicidae Helix pomatia | Linnaeus, 1758 | Roman snail | 2 0 0
Animalia Echinodermata Asteroidea Forcipulatida Asteriidae Asterias rubens | Linnaeus, 1758 | common starfish | 2 0 0
Animalia Cnidaria Scyphozoa Semaeostomeae Ulmaridae Aurelia aurita | (Linnaeus, 1758) | moon jelly | 2 0 0
Plantae Tracheophyta Magnoliopsida Asterales Asteraceae Bellis perennis | L. | common daisy | 1 3 0
Plantae Tracheophyta Magnoliopsida Ranunculales Papaveraceae Papaver rhoeas | L. | common poppy | 2 0 0
Plantae Tracheophyta Magnoliopsida Fagales Fagaceae Quercus robur | L. | pedunculate oak | 1 3 0
Plantae Tracheophyta Pinopsida Pinales Pinaceae Pinus sylvestris | L. | Scots pine | 2 0 0
Plantae Tracheophyta Polypodiopsida Polypodiales Dennstaedtiaceae Pteridium aquilinum | (L.) Kuhn | common bracken | 1 0 0
Fungi Basidiomycota Agaricomycetes Agaricales Amanitaceae Amanita muscaria | (L.) Lam. | fly agaric | 1 4 0
Fungi Basidiomycota Agaricomycetes Polyporales Polyporaceae Trametes versicolor | (L.) Lloyd | turkey tail | 2 0 0
Fungi Ascomycota Lecanoromycetes Teloschistales Teloschistaceae Xanthoria parietina | (L.) Th. Fr. | common sunburst lichen | 1 0 0
Plantae Tracheophyta Magnoliopsida Fagales Fagaceae Quercus - | L. | oaks | 1 0 0
Animalia Arthropoda Insecta Hymenoptera Apidae Bombus - | Latreille, 1802 | bumblebees | 0 0 1
Animalia Arthropoda Insecta Hymenoptera Formicidae - - | Latreille, 1809 | ants | 0 0 1
Animalia Arthropoda Insecta Diptera Syrphidae - - | Latreille, 1802 | hoverflies | 1 0 1
Animalia Arthropoda Insecta Coleoptera - - - | Linnaeus, 1758 | beetles | 0 0 1
Animalia Arthropoda Arachnida Araneae - - - | Clerck, 1757 | spiders | 1 0 0
"""
"""Seven ranks (``-`` is unknown), author, English name, and how many images EOL, iNat21 and BIOSCAN have."""

_EOL_SIZES = (
    (640, 480), (480, 640), (900, 600), (300, 200), (500, 500), (560, 420), (200, 260), (640, 427), (420, 560),
    (560, 373), (333, 500), (512, 512), (450, 300), (400, 300), (375, 500),
)  # fmt: skip
_INAT21_SIZES = ((500, 375), (375, 500), (500, 333), (500, 500), (333, 500), (400, 300), (500, 281))
_BIOSCAN_SIZES = ((256, 192), (192, 256), (256, 256), (256, 214), (180, 256))
_ODDITIES = {7: "grey", 18: "palette", 33: "cmyk", 44: "truncated"}
"""What is unusual about some files of EOL, by position among them."""

_PAGES, _CONTENTS, _CLASSES = 97_000_000, 98_000_000, (211, 613)


@dataclass(frozen=True)
class Taxon:
    """A taxon of the demonstration.

    Attributes:
        ranks: The seven ranks from the kingdom down, "" where unknown, the species without its genus.
        author: Who described it, as it stands behind the name.
        english: Its English name.
        images: How many images EOL, iNat21 and BIOSCAN have of it.
    """

    ranks: tuple[str, ...]
    author: str
    english: str
    images: tuple[int, int, int]

    @property
    def name(self) -> str:
        """The scientific name: of a species two words, else the lowest known rank."""
        known = [rank for rank in self.ranks if rank]
        return " ".join(known[-2:]) if self.ranks[-1] else known[-1]


@dataclass(frozen=True)
class Shot:
    """One image of the demonstration.

    Attributes:
        taxon: What it shows.
        place: The archive, part or class folder it lies in.
        file: The name of the file.
        size: Width and height, in pixels.
        oddity: "" for an RGB JPEG that is whole; else grey, palette, cmyk or truncated.
        numbers: Of an EOL image its content and page id, else empty.
    """

    taxon: Taxon
    place: str
    file: str
    size: tuple[int, int]
    oddity: str = ""
    numbers: tuple[int, ...] = ()


def _read(line: str) -> Taxon:
    """Read a line of the table."""
    ranks, author, english, counts = line.split(" | ")
    eol, inat21, bioscan = (int(count) for count in counts.split())
    return Taxon(tuple(rank.strip("-") for rank in ranks.split()), author, english, (eol, inat21, bioscan))


TAXA = tuple(_read(line) for line in _TABLE.strip().splitlines())


def page_of(taxon: Taxon) -> int:
    """Return the EOL page of a taxon."""
    return _PAGES + 100 + TAXA.index(taxon)


def _dealt(source: int) -> list[Taxon]:
    """List the taxa of a source's images in turn, so that a taxon's images lie apart."""
    rounds = range(max(taxon.images[source] for taxon in TAXA))
    return [taxon for nth in rounds for taxon in TAXA if taxon.images[source] > nth]


def eol_shots() -> list[Shot]:
    """List the images of EOL, the first half in the first archive."""
    taxa, shots = _dealt(0), []
    for position, taxon in enumerate(taxa):
        numbers = _CONTENTS + 17 * position, page_of(taxon)
        place = f"image_set_{1 + 2 * position // len(taxa):02d}"
        file = f"{numbers[0]}_{numbers[1]}_eol-full-size-copy.jpg"
        size = _EOL_SIZES[position % len(_EOL_SIZES)]
        shots.append(Shot(taxon, place, file, size, _ODDITIES.get(position, ""), numbers))
    return shots


def inat21_shots() -> list[Shot]:
    """List the images of iNat21, class folder by class folder."""
    shots: list[Shot] = []
    first, step = _CLASSES
    for number, taxon in enumerate(sorted((t for t in TAXA if t.images[1]), key=lambda taxon: taxon.ranks)):
        place = "_".join((f"{first + step * number:05d}", *taxon.ranks))
        for nth in range(taxon.images[1]):
            name = uuid.uuid5(uuid.NAMESPACE_URL, f"https://example.org/inat21/{place}/{nth}")
            shots.append(Shot(taxon, place, f"{name}.jpg", _INAT21_SIZES[len(shots) % len(_INAT21_SIZES)]))
    return shots


def bioscan_shots() -> list[Shot]:
    """List the images of BIOSCAN, a plate of wells for each of the two parts."""
    taxa, shots = _dealt(2), []
    half = len(taxa) // 2
    for position, taxon in enumerate(taxa):
        part, well = position // half + 1, position % half
        file = f"BIOUG{90000 + part}-{'ABCDEFGH'[well // 12]}{well % 12 + 1:02d}.jpg"
        shots.append(Shot(taxon, f"part{part}", file, _BIOSCAN_SIZES[position % len(_BIOSCAN_SIZES)]))
    return shots

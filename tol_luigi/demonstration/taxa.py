"""List the taxa and images of the demonstration.

The taxa are real, with their ranks, authors and English names. Page, content and class numbers are
fictitious. They are outside the ranges in use, so no image can be mistaken for a published one.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass

__all__ = ["RANKS", "TAXA", "DemoImage", "Taxon", "bioscan_images", "eol_images", "inat21_images", "page_of"]

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
"""Seven ranks (``-`` if unknown), author, English name, and image counts of EOL, iNat21 and BIOSCAN."""

_EOL_SIZES = (
    (640, 480), (480, 640), (900, 600), (300, 200), (500, 500), (560, 420), (200, 260), (640, 427), (420, 560),
    (560, 373), (333, 500), (512, 512), (450, 300), (400, 300), (375, 500),
)  # fmt: skip
_INAT21_SIZES = ((500, 375), (375, 500), (500, 333), (500, 500), (333, 500), (400, 300), (500, 281))
_BIOSCAN_SIZES = ((256, 192), (192, 256), (256, 256), (256, 214), (180, 256))
_VARIANTS = {7: "grey", 18: "palette", 33: "cmyk", 44: "truncated"}
"""The unusual files of EOL, by position."""

_PAGES, _CONTENTS, _CLASSES = 97_000_000, 98_000_000, (211, 613)


@dataclass(frozen=True)
class Taxon:
    """A taxon of the demonstration.

    Attributes:
        ranks: The seven ranks from kingdom to species, "" if unknown. The species does not contain the genus.
        author: The author of its description, in the form that follows the name.
        english: Its English name.
        images: The numbers of images in EOL, iNat21 and BIOSCAN.
    """

    ranks: tuple[str, ...]
    author: str
    english: str
    images: tuple[int, int, int]

    @property
    def name(self) -> str:
        """The scientific name: two words for a species, else the lowest known rank."""
        known = [rank for rank in self.ranks if rank]
        return " ".join(known[-2:]) if self.ranks[-1] else known[-1]


@dataclass(frozen=True)
class DemoImage:
    """One image of the demonstration.

    Attributes:
        taxon: The taxon in the image.
        folder: The archive, part or class folder that contains it.
        file: The name of the file.
        size: Width and height, in pixels.
        variant: "" for an intact RGB JPEG, else grey, palette, cmyk or truncated.
        numbers: The content id and page id of an EOL image, else empty.
    """

    taxon: Taxon
    folder: str
    file: str
    size: tuple[int, int]
    variant: str = ""
    numbers: tuple[int, ...] = ()


def _parse(line: str) -> Taxon:
    """Parse a line of the table."""
    ranks, author, english, counts = line.split(" | ")
    eol, inat21, bioscan = (int(count) for count in counts.split())
    return Taxon(tuple(rank.strip("-") for rank in ranks.split()), author, english, (eol, inat21, bioscan))


TAXA = tuple(_parse(line) for line in _TABLE.strip().splitlines())


def page_of(taxon: Taxon) -> int:
    """Return the EOL page of a taxon."""
    return _PAGES + 100 + TAXA.index(taxon)


def _in_rounds(source: int) -> list[Taxon]:
    """Return the taxon of each image of a source, in rounds, so that images of a taxon are not adjacent."""
    rounds = range(max(taxon.images[source] for taxon in TAXA))
    return [taxon for nth in rounds for taxon in TAXA if taxon.images[source] > nth]


def eol_images() -> list[DemoImage]:
    """Return the images of EOL, the first half in the first archive."""
    taxa, images = _in_rounds(0), []
    for position, taxon in enumerate(taxa):
        numbers = _CONTENTS + 17 * position, page_of(taxon)
        folder = f"image_set_{1 + 2 * position // len(taxa):02d}"
        file = f"{numbers[0]}_{numbers[1]}_eol-full-size-copy.jpg"
        size = _EOL_SIZES[position % len(_EOL_SIZES)]
        images.append(DemoImage(taxon, folder, file, size, _VARIANTS.get(position, ""), numbers))
    return images


def inat21_images() -> list[DemoImage]:
    """Return the images of iNat21, ordered by class folder."""
    images: list[DemoImage] = []
    first, step = _CLASSES
    for number, taxon in enumerate(sorted((t for t in TAXA if t.images[1]), key=lambda taxon: taxon.ranks)):
        folder = "_".join((f"{first + step * number:05d}", *taxon.ranks))
        for nth in range(taxon.images[1]):
            name = uuid.uuid5(uuid.NAMESPACE_URL, f"https://example.org/inat21/{folder}/{nth}")
            images.append(
                DemoImage(taxon, folder, f"{name}.jpg", _INAT21_SIZES[len(images) % len(_INAT21_SIZES)])
            )
    return images


def bioscan_images() -> list[DemoImage]:
    """Return the images of BIOSCAN, with one well plate for each of the two parts."""
    taxa, images = _in_rounds(2), []
    half = len(taxa) // 2
    for position, taxon in enumerate(taxa):
        part, well = position // half + 1, position % half
        file = f"BIOUG{90000 + part}-{'ABCDEFGH'[well // 12]}{well % 12 + 1:02d}.jpg"
        images.append(DemoImage(taxon, f"part{part}", file, _BIOSCAN_SIZES[position % len(_BIOSCAN_SIZES)]))
    return images

"""Little pictures of living things, for a demonstration that needs no download.

A picture is decided by what it shows, its size and its name alone: the same at every drawing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tol_luigi.demonstration import animals, insects, invertebrates, plants
from tol_luigi.demonstration.pen import Look, Pen, colour
from tol_luigi.demonstration.scenes import finish, prepare

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL import Image

__all__ = ["LOOKS", "picture"]

_FIGURES: dict[str, Callable[[Pen, Look], None]] = {
    "ant": insects.ant,
    "bee": insects.bee,
    "beetle": insects.beetle,
    "bird": animals.bird,
    "bracket": plants.bracket,
    "broadleaf": plants.broadleaf,
    "butterfly": insects.butterfly,
    "conifer": plants.conifer,
    "daisy": plants.daisy,
    "dragonfly": insects.dragonfly,
    "fern": plants.fern,
    "fish": animals.fish,
    "frog": animals.frog,
    "jellyfish": invertebrates.jellyfish,
    "lichen": plants.lichen,
    "mushroom": plants.mushroom,
    "octopus": invertebrates.octopus,
    "penguin": animals.penguin,
    "poppy": plants.poppy,
    "portrait": animals.portrait,
    "salamander": animals.salamander,
    "snail": invertebrates.snail,
    "spider": invertebrates.spider,
    "starfish": invertebrates.starfish,
    "turtle": animals.turtle,
}


def _look(figure: str, scenes: str, tints: str, form: float = 1.0, mark: str = "") -> Look:
    """Write a look down shortly: scenes and colours are separated by blanks."""
    return Look(
        figure, tuple(scenes.split()), tuple(colour(f"#{tint}") for tint in tints.split()), form, mark
    )


LOOKS = {
    "Erithacus rubecula": _look("bird", "forest autumn snow", "8a7a5c ece6da dc6b2f 3a332e 8f7d5e", 6),
    "Cyanistes caeruleus": _look(
        "bird", "forest meadow autumn", "86a05a f0dc5c f0dc5c 3a3c40 3f7fc0", 5, "cheek"
    ),
    "Alcedo atthis": _look("bird", "lake forest", "1f7fb4 e07f34 e8924a 2a2a2e 2a5fa8", 19, "jewel"),
    "Spheniscus demersus": _look("penguin", "beach sand", "2b2a30 f4f1e8 e8a0a0 34323a"),
    "Vulpes vulpes": _look("portrait", "meadow autumn snow", "d2692a f7efe2 33261f 9a6a1e", 23),
    "Ailurus fulgens": _look("portrait", "forest autumn", "b4512a f4e6d4 3b2420 3a2418", 1, "mask"),
    "Lepus europaeus": _look("portrait", "meadow autumn snow", "a98257 efe3cf 3a2c22 b87f2c", 34, "hare"),
    "Carassius auratus": _look("fish", "lake reef", "ec7a24 f8c87a f4a04c", 17, "shoal"),
    "Zebrasoma flavescens": _look("fish", "reef deep", "f4cf2a fbe88a f0bc1e", 27),
    "Salamandra salamandra": _look("salamander", "rock bark autumn", "26242a f2c531"),
    "Rana temporaria": _look("frog", "lake forest", "84803f e4dcae 4f4524"),
    "Chelonia mydas": _look("turtle", "reef deep", "7c6a3c d8c88e 7f8f5a"),
    "Coccinella septempunctata": _look("beetle", "leaf meadow", "cf2f25 26222a 221e24", 0.95, "spots"),
    "Lucanus cervus": _look("beetle", "bark autumn", "6a3522 3a2420 5a2c20", 1.3, "jaws"),
    "Danaus plexippus": _look("butterfly", "leaf meadow dusk", "e8842a 2a2024 f6f2ea", 1, "veins"),
    "Papilio machaon": _look("butterfly", "meadow leaf sky", "f2dd7c 2c2a30 f2dd7c", 1, "tails"),
    "Bombus terrestris": _look("bee", "leaf meadow", "2a262a 2b272b e8b52c", 1.12, "hairy"),
    "Formica rufa": _look("ant", "bark leaf sand", "a04a28 3a2824 8a3f26"),
    "Episyrphus balteatus": _look("bee", "leaf meadow", "8a7c50 eda73a 33272a", 0.72, "fly"),
    "Aeshna cyanea": _look("dragonfly", "lake leaf meadow", "5a3f2a 332a26 9ed04a"),
    "Araneus diadematus": _look("spider", "forest dusk autumn", "a8663a c4935c f6ecd8"),
    "Octopus vulgaris": _look("octopus", "deep reef", "b4604a f0d2be"),
    "Helix pomatia": _look("snail", "meadow forest leaf", "cfae7c 9a6f44 b49a7c"),
    "Asterias rubens": _look("starfish", "sand rock beach", "d9713c f8dcb4"),
    "Aurelia aurita": _look("jellyfish", "deep reef", "d4e2f4 d78fc8"),
    "Bellis perennis": _look("daisy", "meadow", "fbfaf4 f0bd22 e8a0b8"),
    "Papaver rhoeas": _look("poppy", "meadow sky dusk", "dc3222 241a24"),
    "Quercus robur": _look("broadleaf", "meadow sky", "5d8f3a 6a5038"),
    "Quercus": _look("broadleaf", "dusk autumn", "b07a2e 5f4632"),
    "Pinus sylvestris": _look("conifer", "snow sky dusk", "3f6f4c a8633c"),
    "Pteridium aquilinum": _look("fern", "forest bark", "5f9a3a"),
    "Amanita muscaria": _look("mushroom", "forest autumn", "d0301f fbf3e2 f3ead6"),
    "Xanthoria parietina": _look("lichen", "rock bark", "e6b02c d9831e"),
    "Trametes versicolor": _look("bracket", "bark forest", "f0e4cc 8a6a48 5f4a3e c09a68"),
    "Bombus": _look("bee", "leaf", "d9953a 2b272b e9cf8a", 1.1, "hairy"),
    "Formicidae": _look("ant", "leaf bark", "4a3a34 2e2628 40322e"),
    "Syrphidae": _look("bee", "leaf", "3c3a34 e8c13a 2e2a2a", 0.86, "fly"),
    "Coleoptera": _look("beetle", "bark", "3f7a4c 3a6a5a 2c4a3a", 1.1, "lines"),
    "Araneae": _look("spider", "forest", "8a8f5a a8a878 f0ecc8"),
}
"""How each taxon of the demonstration looks, by the name of its lowest rank."""


def picture(taxon: str, size: tuple[int, int], name: str, scene: str = "") -> Image.Image:
    """Draw an individual of a taxon where it lives.

    Args:
        taxon: A key of ``LOOKS``.
        size: Width and height, in pixels.
        name: What the picture is called; another name gives another individual, place and pose.
        scene: Where to show it instead, ``tray`` for a collection's.

    Returns:
        An RGB image of that size.
    """
    look = LOOKS[taxon]
    where = scene or look.scenes[sum(name.encode()) % len(look.scenes)]
    image, pen = prepare(where, size, f"{taxon} {name}")
    _FIGURES[look.figure](pen, look.varied(pen.dice))
    return finish(image, pen.dice)

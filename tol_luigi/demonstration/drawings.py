"""Draw images of living things for the demonstration.

An image depends only on its taxon, size, scene and name, so it is the same on each run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tol_luigi.demonstration import animals, insects, invertebrates, plants
from tol_luigi.demonstration.canvas import Canvas, Style, colour
from tol_luigi.demonstration.scenes import finish, prepare

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL import Image

__all__ = ["STYLES", "draw_image"]

_FIGURES: dict[str, Callable[[Canvas, Style], None]] = {
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


def _style(figure: str, scenes: str, tints: str, form: float = 1.0, mark: str = "") -> Style:
    """Build a style. Scenes and colours are separated by spaces."""
    return Style(
        figure, tuple(scenes.split()), tuple(colour(f"#{tint}") for tint in tints.split()), form, mark
    )


STYLES = {
    "Erithacus rubecula": _style("bird", "forest autumn snow", "8a7a5c ece6da dc6b2f 3a332e 8f7d5e", 6),
    "Cyanistes caeruleus": _style(
        "bird", "forest meadow autumn", "86a05a f0dc5c f0dc5c 3a3c40 3f7fc0", 5, "cheek"
    ),
    "Alcedo atthis": _style("bird", "lake forest", "1f7fb4 e07f34 e8924a 2a2a2e 2a5fa8", 19, "jewel"),
    "Spheniscus demersus": _style("penguin", "beach sand", "2b2a30 f4f1e8 e8a0a0 34323a"),
    "Vulpes vulpes": _style("portrait", "meadow autumn snow", "d2692a f7efe2 33261f 9a6a1e", 23),
    "Ailurus fulgens": _style("portrait", "forest autumn", "b4512a f4e6d4 3b2420 3a2418", 1, "mask"),
    "Lepus europaeus": _style("portrait", "meadow autumn snow", "a98257 efe3cf 3a2c22 b87f2c", 34, "hare"),
    "Carassius auratus": _style("fish", "lake reef", "ec7a24 f8c87a f4a04c", 17, "shoal"),
    "Zebrasoma flavescens": _style("fish", "reef deep", "f4cf2a fbe88a f0bc1e", 27),
    "Salamandra salamandra": _style("salamander", "rock bark autumn", "26242a f2c531"),
    "Rana temporaria": _style("frog", "lake forest", "84803f e4dcae 4f4524"),
    "Chelonia mydas": _style("turtle", "reef deep", "7c6a3c d8c88e 7f8f5a"),
    "Coccinella septempunctata": _style("beetle", "leaf meadow", "cf2f25 26222a 221e24", 0.95, "spots"),
    "Lucanus cervus": _style("beetle", "bark autumn", "6a3522 3a2420 5a2c20", 1.3, "jaws"),
    "Danaus plexippus": _style("butterfly", "leaf meadow dusk", "e8842a 2a2024 f6f2ea", 1, "veins"),
    "Papilio machaon": _style("butterfly", "meadow leaf sky", "f2dd7c 2c2a30 f2dd7c", 1, "tails"),
    "Bombus terrestris": _style("bee", "leaf meadow", "2a262a 2b272b e8b52c", 1.12, "hairy"),
    "Formica rufa": _style("ant", "bark leaf sand", "a04a28 3a2824 8a3f26"),
    "Episyrphus balteatus": _style("bee", "leaf meadow", "8a7c50 eda73a 33272a", 0.72, "fly"),
    "Aeshna cyanea": _style("dragonfly", "lake leaf meadow", "5a3f2a 332a26 9ed04a"),
    "Araneus diadematus": _style("spider", "forest dusk autumn", "a8663a c4935c f6ecd8"),
    "Octopus vulgaris": _style("octopus", "deep reef", "b4604a f0d2be"),
    "Helix pomatia": _style("snail", "meadow forest leaf", "cfae7c 9a6f44 b49a7c"),
    "Asterias rubens": _style("starfish", "sand rock beach", "d9713c f8dcb4"),
    "Aurelia aurita": _style("jellyfish", "deep reef", "d4e2f4 d78fc8"),
    "Bellis perennis": _style("daisy", "meadow", "fbfaf4 f0bd22 e8a0b8"),
    "Papaver rhoeas": _style("poppy", "meadow sky dusk", "dc3222 241a24"),
    "Quercus robur": _style("broadleaf", "meadow sky", "5d8f3a 6a5038"),
    "Quercus": _style("broadleaf", "dusk autumn", "b07a2e 5f4632"),
    "Pinus sylvestris": _style("conifer", "snow sky dusk", "3f6f4c a8633c"),
    "Pteridium aquilinum": _style("fern", "forest bark", "5f9a3a"),
    "Amanita muscaria": _style("mushroom", "forest autumn", "d0301f fbf3e2 f3ead6"),
    "Xanthoria parietina": _style("lichen", "rock bark", "e6b02c d9831e"),
    "Trametes versicolor": _style("bracket", "bark forest", "f0e4cc 8a6a48 5f4a3e c09a68"),
    "Bombus": _style("bee", "leaf", "d9953a 2b272b e9cf8a", 1.1, "hairy"),
    "Formicidae": _style("ant", "leaf bark", "4a3a34 2e2628 40322e"),
    "Syrphidae": _style("bee", "leaf", "3c3a34 e8c13a 2e2a2a", 0.86, "fly"),
    "Coleoptera": _style("beetle", "bark", "3f7a4c 3a6a5a 2c4a3a", 1.1, "lines"),
    "Araneae": _style("spider", "forest", "8a8f5a a8a878 f0ecc8"),
}
"""The style of each taxon of the demonstration, by the name of its lowest rank."""


def draw_image(taxon: str, size: tuple[int, int], name: str, scene: str = "") -> Image.Image:
    """Draw an individual of a taxon in one of its scenes.

    Args:
        taxon: A key of ``STYLES``.
        size: Width and height, in pixels.
        name: The name of the image. Individual, scene and pose depend on it.
        scene: Another scene, such as ``tray`` for a specimen of a collection.

    Returns:
        An RGB image of that size.
    """
    style = STYLES[taxon]
    where = scene or style.scenes[sum(name.encode()) % len(style.scenes)]
    image, canvas = prepare(where, size, f"{taxon} {name}")
    _FIGURES[style.figure](canvas, style.varied(canvas.rng))
    return finish(image, canvas.rng)

"""Draw the tree of a dataset for print: an icicle from the kingdoms to the families, as PNG and as PDF."""

from __future__ import annotations

import io
import time
from typing import TYPE_CHECKING

import PIL.PdfImagePlugin  # noqa: F401 (otherwise Pillow loads all of its formats to write this one)
from PIL import Image, ImageColor, ImageDraw, ImageFont

from tol_luigi.core.taxon import RANK_LABELS

if TYPE_CHECKING:
    from tol_luigi.report.taxon_tree import TaxonTree

__all__ = ["drawn_tree"]

_WIDTH, _HEIGHT = 1754, 1240
"""A4 across, at 150 dots per inch."""

_DPI = 150
_MARGIN, _HEAD, _TEXT = 40, 44, 17
_DEPTH = 5
_SHADES = ("#dbe9f6", "#e5f1dc", "#fdebd0", "#f6dfe6", "#e8e3f3", "#dff2f0")
"""Light shades, on which black text is readable; they repeat, since names and order tell the taxa apart."""

_STEPS = 8
"""How many steps of grey there are between a shade and black text."""

_LEAST = 2.0
"""The smallest height of a taxon that is drawn."""


def drawn_tree(tree: TaxonTree) -> tuple[bytes, bytes]:
    """Return the drawing as PNG and as PDF; both depend on the tree and on Pillow alone."""
    image = Image.new("RGB", (_WIDTH, _HEIGHT), "white")
    draw = ImageDraw.Draw(image)
    font, wide = ImageFont.load_default(_TEXT), (_WIDTH - 2 * _MARGIN) / _DEPTH
    for column, label in enumerate(RANK_LABELS[:_DEPTH]):
        draw.text((_MARGIN + column * wide + 6, _MARGIN), label, "black", font)
    if tree.images[0]:
        _Drawing(tree, draw, font, wide).draw(0, _MARGIN + _HEAD, _HEIGHT - _MARGIN)
    png, pdf = io.BytesIO(), io.BytesIO()
    image.quantize(palette=_palette(), dither=Image.Dither.NONE).save(png, "PNG", dpi=(_DPI, _DPI))
    epoch = time.gmtime(0)  # otherwise the time of writing
    image.save(pdf, "PDF", resolution=_DPI, quality=90, creationDate=epoch, modDate=epoch)
    return png.getvalue(), pdf.getvalue()


def _palette() -> Image.Image:
    """Return an image with the colours of the drawing: white and the shades, and their steps to black text."""
    colours = [ImageColor.getrgb(shade) for shade in ("#ffffff", *_SHADES)]
    steps = [round(255 * step / _STEPS) for step in range(_STEPS + 1)]
    image = Image.new("P", (1, 1))
    image.putpalette([value * step // 255 for step in steps for colour in colours for value in colour[:3]])
    return image


class _Drawing:
    def __init__(
        self,
        tree: TaxonTree,
        draw: ImageDraw.ImageDraw,
        font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
        wide: float,
    ) -> None:
        self.tree, self.draw_, self.font, self.wide = tree, draw, font, wide

    def draw(self, node: int, top: float, bottom: float) -> None:
        """Draw the taxa below a node between two heights, in proportion to their images."""
        tree = self.tree
        depth, each = tree.depths[node], (bottom - top) / tree.images[node]
        if depth == _DEPTH:
            return
        left = _MARGIN + depth * self.wide
        for place, child in enumerate(tree.children(node)):
            low = top + tree.images[child] * each
            if low - top < _LEAST:  # the others are smaller still
                break
            box = (left, top, left + self.wide - 2, low - 1)
            self.draw_.rectangle(box, fill=_SHADES[(place + depth) % len(_SHADES)], outline="#777777")
            if low - top > _TEXT + 2:
                name = self._fitting(f"{tree.names[child] or '(unknown)'}  {tree.images[child]:,}")
                self.draw_.text((left + 6, (top + low) / 2), name, "black", self.font, anchor="lm")
            self.draw(child, top, low)
            top = low

    def _fitting(self, text: str) -> str:
        while text and self.draw_.textlength(text, self.font) > self.wide - 14:
            text = text[:-2].rstrip("…") + "…" if len(text) > 2 else ""  # noqa: PLR2004 (no room for a letter)
        return text

"""Kingdoms: the labels that clades have among the seven ranks, and the codes of nomenclature that they follow."""

from __future__ import annotations

from tol_luigi.taxonomy.records import Code

__all__ = ["CODES", "KINGDOMS", "kingdom_of"]

KINGDOMS = {
    "Animalia": "Animalia",
    "Metazoa": "Animalia",
    "Plantae": "Plantae",
    "Archaeplastida": "Plantae",
    "Chloroplastida": "Plantae",
    "Chlorobionta": "Plantae",
    "Viridiplantae": "Plantae",
    "Fungi": "Fungi",
    "Eumycota": "Fungi",
    "Bacteria": "Bacteria",
    "Eubacteria": "Bacteria",
    "Archaea": "Archaea",
    "Archaebacteria": "Archaea",
    "Chromista": "Chromista",
    "Protozoa": "Protozoa",
    "Viruses": "Viruses",
}
"""The kingdom of every clade that is one, or that replaces one.

Source: Ruggiero et al. 2015, doi:10.1371/journal.pone.0119248, has seven kingdoms; the names of clades are those of NCBI, the Open
Tree and SILVA. Chromista and Protozoa are no clades there: they are kept where a source has them.
"""

CODES = {
    "Animalia": Code.ZOOLOGICAL,
    "Metazoa": Code.ZOOLOGICAL,
    "Plantae": Code.BOTANICAL,
    "Archaeplastida": Code.BOTANICAL,
    "Chloroplastida": Code.BOTANICAL,
    "Viridiplantae": Code.BOTANICAL,
    "Rhodophyta": Code.BOTANICAL,
    "Fungi": Code.BOTANICAL,
    "Bacteria": Code.BACTERIAL,
    "Archaea": Code.BACTERIAL,
    "Viruses": Code.VIRAL,
}
"""The codes of the kingdoms that follow one only."""

_LOWER = {name.lower(): kingdom for name, kingdom in KINGDOMS.items()}


def kingdom_of(name: str) -> str:
    """Return the kingdom that a clade is, whatever its case and the blanks around it; "" if it is none."""
    return _LOWER.get(name.strip().lower(), "")

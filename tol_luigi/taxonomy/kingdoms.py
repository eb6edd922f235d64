"""Kingdoms: the labels that clades have among the seven ranks, and the codes of nomenclature that they follow."""

from __future__ import annotations

from tol_luigi.taxonomy.records import Code

__all__ = ["CODES", "KINGDOMS", "kingdom_of"]

_CHROMISTA = (
    "SAR Sar Harosa Stramenopiles Heterokonta Alveolata Rhizaria Hacrobia Haptista Haptophyta Cryptista Cryptophyta "
    "Cryptophyceae Acavomonidia Apicomplexa Bacillariophyta Bigyra Cercozoa Ciliophora Dinoflagellata Dinophyceae Endomyxa "
    "Foraminifera Gyrista Heliozoa Hyphochytriomycota Miozoa Myzozoa Ochrophyta Oomycota Phaeophyceae Picozoa Radiozoa Retaria "
    "Telonemia"
)
_PROTOZOA = (
    "Amoebozoa Mycetozoa Eumycetozoa Discoba Euglenozoa Heterolobosea Percolozoa Jakobida Metamonada Loukozoa Malawimonadida Sulcozoa "
    "Apusozoa Ancyromonadida CRuMs Choanozoa Choanoflagellata Filasterea Ichthyosporea"
)

KINGDOMS = {
    "Animalia": "Animalia",
    "Metazoa": "Animalia",
    "Plantae": "Plantae",
    "Archaeplastida": "Plantae",
    "Chloroplastida": "Plantae",
    "Chlorobionta": "Plantae",
    "Viridiplantae": "Plantae",
    "Rhodophyta": "Plantae",
    "Glaucophyta": "Plantae",
    "Glaucocystophyceae": "Plantae",
    "Fungi": "Fungi",
    "Eumycota": "Fungi",
    "Bacteria": "Bacteria",
    "Eubacteria": "Bacteria",
    "Archaea": "Archaea",
    "Archaebacteria": "Archaea",
    "Chromista": "Chromista",
    "Protozoa": "Protozoa",
    "Viruses": "Viruses",
    **dict.fromkeys(_CHROMISTA.split(), "Chromista"),
    **dict.fromkeys(_PROTOZOA.split(), "Protozoa"),
}
"""The kingdom of every clade that is one, that replaces one, or that is a part of one that is no clade.

The kingdom of a taxon is that of the nearest clade here, itself or above it. Chromista and Protozoa are no clades in the trees of
NCBI and the Open Tree; their parts are here, so that a taxon has the same kingdom whichever tree it comes from.

Source: Ruggiero et al. 2015, doi:10.1371/journal.pone.0119248, and the phyla of both kingdoms in iNaturalist's taxonomy of 2026; the
names of clades are those of NCBI, the Open Tree and SILVA.
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
    """Return the kingdom that a clade is, or is a part of, whatever its case and the blanks around it; "" if there is none.

    Ask only for taxa above the genus: *Bacteria* is also a genus of stick insects, and *Ciliophora* one of fungi.
    """
    return _LOWER.get(name.strip().lower(), "")

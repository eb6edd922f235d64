"""The ranks of taxa, from high to low, with the other spellings of sources."""

from __future__ import annotations

__all__ = ["LEVELS", "rank_of"]

_ORDER = (
    "domain superkingdom kingdom subkingdom infrakingdom superphylum phylum subphylum infraphylum superclass class subclass "
    "infraclass cohort subcohort superorder order suborder infraorder parvorder superfamily family subfamily supertribe tribe "
    "subtribe genus subgenus section subsection series subseries species_group species_subgroup species subspecies variety "
    "subvariety form subform"
)

LEVELS = {name.replace("_", " "): 10 * level for level, name in enumerate(_ORDER.split(), start=1)}
"""The level of every rank: the lower the rank, the larger the level."""

_SPELLINGS = {
    "division": "phylum",
    "subdivision": "subphylum",
    "superdivision": "superphylum",
    "varietas": "variety",
    "var.": "variety",
    "forma": "form",
    "f.": "form",
    "ssp.": "subspecies",
    "subsp.": "subspecies",
    "sect.": "section",
    "subg.": "subgenus",
    "realm": "domain",
    "hybrid": "species",
    "nothospecies": "species",
    "infrahybrid": "subspecies",
    "genushybrid": "genus",
    "nothogenus": "genus",
}


def rank_of(text: str) -> str:
    """Return the rank that a source means, in lower case; "" if it is none that is known.

    "no rank" and "clade" are no ranks.
    """
    rank = " ".join(text.lower().replace("_", " ").split())
    rank = _SPELLINGS.get(rank, rank)
    return rank if rank in LEVELS else ""

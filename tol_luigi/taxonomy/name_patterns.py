"""Regular expressions that names of taxa are sorted with; RE2 and Python read all of them alike."""

from __future__ import annotations

__all__ = [
    "CLADE",
    "CONTAINER",
    "DESCRIBED",
    "ENVIRONMENTAL",
    "GROUP",
    "HYBRID",
    "HYBRID_WORD",
    "INFORMAL",
    "MARKED",
    "NOT_OTU",
    "NO_EPITHET",
    "PLAIN",
    "UNKNOWN",
    "VIRAL",
    "VIRUS_NAME",
]

PLAIN = r"^[A-Z][a-z-]+$|^[A-Z][a-z-]+ [a-z-]+$|^[A-Z][a-z-]+ [a-z-]+ [a-z-]+$"
"""One capitalised word, and up to two epithets: canonical as it is. (Alternatives are faster than a repeated group.)"""

CLADE = r"^[a-z][a-z-]*$|^[A-Z]{2,3}$"
"""One word in lower case, or an acronym: "asterids", "SAR"."""

MARKED = r"^[A-Z][a-z-]+ (?:[a-z-]+ (?:subsp|var|f)\. [a-z-]+|subgenus [A-Z][a-z-]+)$"
"""A name whose marker has its usual form: canonical as it is."""

GROUP = r"^[A-Z].*\b(?:complex|clade|cluster|group|lineage|subgroup)$"
"""Names of groups of species: they stay as they are."""

HYBRID_WORD = r"\b[Hh]ybrids?\b"
"""Names that say that they are those of hybrids."""

DESCRIBED = r"^[A-Z][a-z-]+ [a-z-]+,? (?:n\. ?sp|sp\. ?n(?:ov)?)\.?$| f\. ?sp\. [a-z]"
"""Names that look open but are not: a species as it is first described, a special form."""

NO_EPITHET = (
    r"(?i)(?:^| )(?:sp|spp|spec|cf|aff|nr|gr|ssp|subsp|var|indet|incertae|sedis|environmental|samples|unclassified|unallocated|"
    r"unassigned|uncultured|unidentified|unknown|undetermined|mitosporic|hybrid|hybrids|bacterium|archaeon|virus|viruses|"
    r"phage|symbiont|endosymbiont|phytoplasma|metagenome|clone|group|complex|clade|cluster|lineage|subgroup|division|"
    r"subgenus|sect|section|strain|x)(?: |$)"
)
"""Words that look like epithets, but are not."""

INFORMAL = (
    r"^(?:[a-wyz]\S* .|[0-9(]|x\S+ )"
    r"|\b(?:sp|spp|spec|cf|aff|nr|gr|gen|indet|str)\.?(?: |$)|\bbv\. |\bs(?:ub)?sp\.?(?:$| [^a-z]| [a-z]\b)"
    r"|[a-z]/\w"
    r"|\b(?:bacterium|archaeon|cyanobacterium|proteobacterium|symbiont|endosymbiont|phytoplasma|eukaryote|metagenome|clone|"
    r"[Vv]ector|[Pp]lasmid|cytoform|morphotype|haplotype|lineage|strain|serovar|serotype|biovar|pathovar|isolate|genotype|BOLD:\w+)\b"
    r"|^(?:[Uu]ncultured|[Uu]nidentified|[Uu]ndetermined) "
    r"|\([A-Z][a-z]+ [a-z]+\.?(?: [a-z]+)?\)$"
)
"""Names that identify something without naming a species: an open nomenclature, a strain, a clone, a host.

Source: the habits of the NCBI taxonomy; names of species there begin with a capital letter, those of clades ("asterids") may not.
"""

VIRUS_NAME = r"[Vv]irus(?:es)?\b|[Vv]iroid|\b[Pp]hage\b|[a-z]phage\b|viridae\b|virinae\b|virales\b|viricetes\b|viricota\b"
"""Names of viruses."""

CONTAINER = (
    r"\b[Ii]ncertae ?[Ss]edis\b|\b[Uu]nallocated\b|\b[Uu]nclassified\b|\b[Uu]nassigned\b|\b[Mm]itosporic\b"
)
"""Names of nodes that hold taxa whose place is unknown.

Source: ``Taxonomy.incertae_sedisRegex`` of the Open Tree, and "unassigned".
"""

ENVIRONMENTAL = r"\b(?:environmental|mycorrhizal) samples\b"
"""Names of nodes that hold samples. Source: ``Taxonomy.environmentalRegex`` of the Open Tree."""

UNKNOWN = (
    r"(?i)^\W*(?:not[ _-]?(?:classified|assigned|available|applicable|identified|known)|unknown|unidentified|undetermined|"
    r"unnamed|unplaced|unspecified|please ?help|none|null|nan|na|n/a|no name|not? id)?\W*$"
)
"""Complete names that mean that there is no name, the empty one too. (As an epithet, "nan" or "null" is one.)"""

NOT_OTU = (
    r"\b(?:uncultured|unclassified|unidentified|unknown|metagenomes?|other sequences|artificial|libraries|bogus duplicates|"
    r"plasmids|insertion sequences|midvariant sequence|transposons)\b|\bsp\.$"
)
"""Names of what is no taxonomic unit. Source: ``Taxonomy.notOtuRegex`` of the Open Tree."""

HYBRID = " x |\u00d7|\\bhybrid\\b"
"""Names of hybrids. Source: ``Taxonomy.hybridRegex`` of the Open Tree."""

VIRAL = r"\bviral\b|\b[Vv]iroids\b|\b[Vv]iruses\b|\bvirus\b"
"""Names of viruses, as the Open Tree finds them. Source: ``Taxonomy.viralRegex`` of the Open Tree."""

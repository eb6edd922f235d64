"""A small taxonomy of life with the faults that real sources have, for all tests of taxonomies."""

from __future__ import annotations

import pyarrow as pa

from tol_luigi.taxonomy.records import FORWARDS, NAMES, TAXA, VERNACULARS, Records

TREE = """
1||life|
2|1|cellular organisms|
3|2|Eukaryota|superkingdom
4|3|Metazoa|kingdom
5|4|Chordata|phylum
6|5|Amphibia|class
7|6|Anura|order
8|7|Ranidae|family
9|8|Rana|genus
10|9|Rana|subgenus
11|10|Rana (Rana) temporaria Linnaeus, 1758|species
12|9|Aquarana|subgenus
13|12|Rana catesbeiana|species
14|5|Sarcopterygii|class
15|14|Therapsida|order
16|15|Mammalia|class
17|16|Primates|order
18|17|Hominidae|family
19|18|Homo|genus
20|19|"Homo sapiens|species
21|4|Mollusca|phylum
22|21|Gastropoda|class
23|22|Ficidae|family
24|23|Ficus|genus
25|24|Ficus variegata Röding, 1798|species
26|4|Arthropoda|phylum
27|26|Insecta|class
28|27|Hymenoptera|order
29|28|Braconidae|family
30|29|Agathis|genus
31|30|Agathis malvacearum Latreille, 1805|species
32|28|Apis mellifera De Geer, 1773|species
33|27|Diptera|order
34|33|Clusia|genus
35|34|Clusia flava (Meigen, 1830)|species
36|33|Ctenophora|genus
37|36|Ctenophora pectinicornis|species
38|33|Megaselia|genus
39|38|Megaselia sp. 1ES 2009|species
40|33|Aedes|genus
41|40|Aedes (Stegomyia) aegypti|species
42|27|Dermestes nan|species
43|4|Ctenophora|phylum
44|43|Mnemiopsis leidyi|species
45|3|Viridiplantae|kingdom
46|45|Streptophyta|phylum
47|46|Moraceae|family
48|47|Ficus|genus
49|48|Ficus variegata Blume|species
50|46|Araucariaceae|family
51|50|Agathis|genus
52|51|Agathis australis|species
53|46|Clusiaceae|family
54|53|Clusia|genus
55|54|Clusia flava Jacq.|species
56|46|Fagaceae|family
57|56|Quercus|genus
58|57|Quercus x rosacea|species
59|57|Quercus alba x Quercus robur|species
60|46|×Agropogon littoralis|species
61|46|Isoëtes lacustris|species
62|46|Brassica oleracea var italica|varietas
63|3|Fungi|kingdom
64|63|Pezizomycetes|class
65|64|Pyronemataceae|family
66|65|Pulvinula|genus
67|66|<i>Pulvinula constellatio</i>|species
68|64|Pezizomycetes incertae sedis|
69|68|Gyromitra sp.|species
70|68|Ascodesmis nigricans|species
71|63|environmental samples|
72|71|uncultured fungus|species
73|64|environmental samples|
74|73|uncultured Pezizomycetes|species
75|73|uncultured Pyronema|species
76|3|Stramenopiles|
77|76|Ctenophora|genus
78|77|Ctenophora pulchella|species
79|2|Bacteria|superkingdom
80|79|environmental samples|
81|80|uncultured bacterium|species
82|79|not_classified|family
83|82|Buchnera|genus
84|1|Viruses|superkingdom
85|84|Tobacco mosaic virus|species
86|88|Circulus|genus
87|86|Circulus primus|species
88|87|Circulus secundus|species
89|88|Circulus tertius|species
90|9999|Orphanus perditus|species
91|s1|Bos taurus|species
92|4|Passer|genus
93|4|Passer|genus
94|93|Passer domesticus|species
95|27|Curculionidae|genus
96|33|Muscidae|biotype
97|64|Müllerella|genus
98|97|Müllerella polyspora|species
"""  # noqa: RUF001 (the sign of a hybrid)
"""Identifiers, parents, names, ranks. What is wrong is said in ``test_normalisation.py``."""

SYNONYMS = """
20|Simia sapiens Linnaeus|synonym
s1|Bovus|synonym
s2|Boves|synonym
s3|Circulus ambo|synonym
404|Nullus|synonym
61|Isoetes lacustris|synonym
32|Apis mellifica Linnaeus, 1761|synonym
32|Apis mellifera|misspelling
"""
"""Taxa, names, types."""

REPLACED = """
s1|s2
s2|16
s3|s4
s4|s3
s5|405
"""
"""Identifiers of synonyms, and what replaces them: Mammalia at the end of a chain, each other, nothing."""

VERNACULAR = """
11|common frog|en|true
25|variegated fig snail|en|false
49|common red-stem fig|en|true
500|nobody|en|false
"""
"""Taxa, names, languages, whether they are preferred."""


def rows_of(text: str) -> list[list[str]]:
    return [line.split("|") for line in text.strip().splitlines()]


def taxa_of(text: str, flags: dict[str, int] | None = None) -> pa.Table:
    """Build a table of taxa from lines of identifier, parent, name and rank."""
    given = flags or {}
    rows = [
        {
            "uid": uid,
            "parent": parent or None,
            "name": name,
            "authorship": "",
            "rank": rank,
            "code": "",
            "flags": given.get(uid, 0),
            "sources": "",
        }
        for uid, parent, name, rank in rows_of(text)
    ]
    return pa.Table.from_pylist(rows, schema=TAXA)


def mini_life() -> Records:
    """Return the taxonomy as an importer would."""
    synonyms = [
        {"uid": uid, "name": name, "authorship": "", "type": kind} for uid, name, kind in rows_of(SYNONYMS)
    ]
    vernaculars = [
        {"uid": uid, "name": name, "language": language, "is_preferred": preferred == "true"}
        for uid, name, language, preferred in rows_of(VERNACULAR)
    ]
    forwards = [{"uid": old, "replacement": new} for old, new in rows_of(REPLACED)]
    return Records(
        prefix="mini",
        taxa=taxa_of(TREE),
        names=pa.Table.from_pylist(synonyms, schema=NAMES),
        vernaculars=pa.Table.from_pylist(vernaculars, schema=VERNACULARS),
        forwards=pa.Table.from_pylist(forwards, schema=FORWARDS),
        about={"title": "A small taxonomy of life"},
    )

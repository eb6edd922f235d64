"""Scientific names: canonical form, authorship, year, rank and code, of one name or of millions."""

from __future__ import annotations

import enum
import re
from typing import TYPE_CHECKING, NamedTuple

import nameparser
import pyarrow as pa
import pyarrow.compute as pc

from tol_luigi.taxonomy import name_patterns as patterns
from tol_luigi.taxonomy.ranks import rank_of
from tol_luigi.taxonomy.records import Code
from tol_luigi.taxonomy.spelling import SUSPICIOUS, clean

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "CROSS",
    "PARSED",
    "NameKind",
    "ScientificName",
    "genus_of",
    "parse_name",
    "parse_names",
    "year_of",
]


class NameKind(enum.StrEnum):
    """What a name is good for."""

    SCIENTIFIC = "scientific"
    """A name that a code of nomenclature knows."""
    HYBRID = "hybrid"
    """The name or the formula of a hybrid."""
    INFORMAL = "informal"
    """A designation such as "Megaselia sp. 1": it identifies something, but names no species."""
    VIRAL = "viral"
    """The name of a virus."""
    PLACEHOLDER = "placeholder"
    """No name: "incertae sedis", "not_classified", "unknown"."""


class ScientificName(NamedTuple):
    """A name and its parts; "" for what it does not show, and 0 for no year."""

    name: str
    authorship: str = ""
    year: int = 0
    rank: str = ""
    code: str = Code.UNKNOWN
    kind: str = NameKind.SCIENTIFIC


PARSED = pa.schema(
    [
        pa.field("name", pa.string(), nullable=False),
        pa.field("authorship", pa.string(), nullable=False),
        pa.field("year", pa.int16(), nullable=False),
        pa.field("rank", pa.string(), nullable=False),
        pa.field("code", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
    ]
)
"""The columns of :func:`parse_names`, those of :class:`ScientificName`."""

CROSS = "\u00d7"
"""The multiplication sign, the marker of hybrids."""

_YEAR = re.compile(r"\b(1[5-9]\d\d|20\d\d)\b")

_CODES = {
    "ZOOLOGICAL": Code.ZOOLOGICAL,
    "BOTANICAL": Code.BOTANICAL,
    "CULTIVARS": Code.BOTANICAL,
    "PHYTO": Code.BOTANICAL,
    "BACTERIAL": Code.BACTERIAL,
    "VIRUS": Code.VIRAL,
}

_YEARS = re.compile(r"(?<![\w-])(1[5-9]\d\d|20\d\d)[a-z]?(?:[-/]\d{2,4})?(?:: ?\d+)?(?!\w)")

_DIGIT = re.compile(r"\d")

_NUMBER_EPITHET = re.compile(r"\b\d{1,2}-(?=[a-z])")

_STRAIN = re.compile(r"\W*(?!L$)[A-Z][A-Z-]*(?: [A-Z]+)*(?: \d+)?|\W*\d+|[\W_]*[a-z]{4,}[\W_]*")
"""What follows an epithet without being an authorship: capitals, also with a number; a number alone, or a plain word."""

_PLAIN_WORD = re.compile(r"(?<![\w.'-])[a-z]{4,}(?![\w.'-])")

_PARTICLES = frozenset(
    {"auct", "emend", "hort", "lato", "sect", "sensu", "stricto", "subg", "subsp", "subvar", "zu", "zur"}
)
"""Words of authorships, and markers without their dots."""

_MARKERS = {" subsp. ": "subspecies", " var. ": "variety", " f. ": "form", " subgenus ": "subgenus"}

_SPELT_OUT = {"subspecies": "subsp.", "varietas": "var.", "forma": "f."}

_SIGN = re.compile(r"\s+[xX\u00d7]\s+")

_FORMULA = re.compile(r"\S\s+[x\u00d7]\s+[A-Z][a-z]")
"""The sign of a hybrid between two names."""

_ROUNDS = 3
"""A canonical name is parsed again until it no longer changes, at most so often."""


def parse_name(text: str) -> ScientificName:
    """Return the canonical form and the parts of one name.

    A name in open nomenclature ("Aus cf. bus", "Aus sp. 1") is informal and keeps its qualifiers; a subgenus between genus
    and epithet is left out; the marker of a hybrid is :data:`CROSS` between blanks. Parsing a canonical name changes nothing.
    """
    row = parse_names(pa.array([text], pa.string())).to_pylist()[0]
    return ScientificName(**row)


def parse_names(texts: pa.Array | pa.ChunkedArray) -> pa.Table:
    """Return the canonical forms and the parts of many names, in their order, as a table ``PARSED``.

    Names of one to three plain words, and designations that no code knows, are found by regular expressions (about a
    million a second); only the rest is parsed (some ten thousand a second). A null is the empty name.
    """
    if isinstance(texts, pa.ChunkedArray):
        texts = texts.combine_chunks()
    return _parse_names(pc.fill_null(texts.cast(pa.string()), ""), _ROUNDS)


def year_of(authorship: str) -> int:
    """Return the first year of an authorship, that of the first publication; 0 if there is none."""
    found = _YEAR.search(authorship)
    return int(found[1]) if found else 0


def genus_of(name: str) -> str:
    """Return the first word of a canonical name of two or more words: a genus, or what an informal name hangs under.

    "" is returned for a name of one word, and for one that does not begin with a capital letter.
    """
    words = name.removeprefix(f"{CROSS} ").removeprefix("Candidatus ").split()
    return words[0] if len(words) > 1 and words[0][:1].isupper() else ""


def _parse_names(texts: pa.Array, rounds: int) -> pa.Table:
    is_other = pc.or_(
        pc.invert(pc.match_substring_regex(texts, patterns.PLAIN)),
        pc.or_(
            pc.match_substring_regex(texts, patterns.NO_EPITHET),
            pc.match_substring_regex(texts, patterns.UNKNOWN),
        ),
    )
    others = _parse_others(texts.filter(is_other), rounds)
    count = len(texts)
    columns = {
        "name": texts,
        "authorship": pa.repeat("", count),
        "year": pa.repeat(pa.scalar(0, pa.int16()), count),
        "rank": pc.if_else(pc.equal(pc.count_substring(texts, " "), 1), "species", ""),
        "code": pa.repeat("", count),
        "kind": pa.repeat(NameKind.SCIENTIFIC.value, count),
    }
    return pa.table(
        {name: pc.replace_with_mask(column, is_other, others[name]) for name, column in columns.items()},
        schema=PARSED,
    )


def _parse_others(texts: pa.Array, rounds: int) -> dict[str, pa.Array]:
    """Return the columns of names that are not plain; only those that no pattern settles are parsed."""
    texts = _cleaned(texts)
    kind = _kinds_by_pattern(texts)
    is_viral = pc.fill_null(pc.equal(kind, NameKind.VIRAL.value), False)
    columns = {
        "name": texts,
        "authorship": pa.repeat("", len(texts)),
        "year": pa.repeat(pa.scalar(0, pa.int16()), len(texts)),
        "rank": _marked_ranks(texts, kind),
        "code": pc.if_else(is_viral, Code.VIRAL.value, Code.UNKNOWN.value),
        "kind": kind,
    }
    is_open = pc.is_null(kind)
    rows = _by_library(texts.filter(is_open).to_pylist(), rounds)
    found = pa.Table.from_pylist([row._asdict() for row in rows], schema=PARSED)
    return {
        name: pc.replace_with_mask(column, is_open, found[name].combine_chunks())
        for name, column in columns.items()
    }


def _cleaned(texts: pa.Array) -> pa.Array:
    is_suspicious = pc.match_substring_regex(texts, SUSPICIOUS)
    tidy = [clean(text) for text in texts.filter(is_suspicious).to_pylist()]
    texts = pc.replace_with_mask(texts, is_suspicious, pa.array(tidy, pa.string()))
    for word, marker in _SPELT_OUT.items():
        pattern = f"^([A-Z][a-z-]+ [a-z-]+) {word} ([a-z-]+)"
        texts = pc.replace_substring_regex(texts, pattern, rf"\1 {marker} \2")
    return texts


def _kinds_by_pattern(texts: pa.Array) -> pa.Array:
    """Return the kinds that patterns settle, null for names that must be parsed."""

    def matches(*expressions: str) -> pa.Array:
        return pc.match_substring_regex(texts, "|".join(f"(?:{expression})" for expression in expressions))

    is_plain = pc.or_(
        matches(patterns.MARKED), pc.and_(matches(patterns.PLAIN), pc.invert(matches(patterns.NO_EPITHET)))
    )
    is_informal = pc.and_(matches(patterns.INFORMAL), pc.invert(matches(patterns.DESCRIBED)))
    return pc.case_when(
        pc.make_struct(
            matches(patterns.CONTAINER, patterns.ENVIRONMENTAL, patterns.UNKNOWN),
            pc.or_(is_plain, matches(patterns.CLADE, patterns.GROUP)),
            matches(patterns.VIRUS_NAME),
            matches(patterns.HYBRID_WORD),
            is_informal,
        ),
        NameKind.PLACEHOLDER.value,
        NameKind.SCIENTIFIC.value,
        NameKind.VIRAL.value,
        NameKind.HYBRID.value,
        NameKind.INFORMAL.value,
        pa.scalar(None, pa.string()),
    )


def _marked_ranks(texts: pa.Array, kind: pa.Array) -> pa.Array:
    rank: pa.Array | str = pc.if_else(pc.equal(pc.count_substring(texts, " "), 1), "species", "")
    for marker, meant in _MARKERS.items():
        rank = pc.if_else(pc.match_substring(texts, marker), meant, rank)
    has_none = pc.or_(
        pc.fill_null(pc.not_equal(kind, NameKind.SCIENTIFIC.value), fill_value=True),
        pc.match_substring_regex(texts, patterns.GROUP),
    )
    return pc.if_else(has_none, "", rank)


def _by_library(texts: list[str], rounds: int) -> Iterable[ScientificName]:
    """Return the names as the library parses them, each parsed until it no longer changes."""
    distinct = list(dict.fromkeys(texts))
    results = nameparser.parse_all(distinct)
    known = {
        text: _unparsable(text) if result is None else _converted(text, result)
        for text, result in zip(distinct, results, strict=True)
    }
    changed = list(dict.fromkeys(row.name for text, row in known.items() if row.name != text))
    if changed and rounds:
        settled = dict(
            zip(changed, _parse_names(pa.array(changed, pa.string()), rounds - 1).to_pylist(), strict=True)
        )
        for text, row in known.items():
            if again := settled.get(row.name):
                known[text] = row._replace(name=again["name"], kind=again["kind"])
    return (known[text] for text in texts)


def _unparsable(text: str) -> ScientificName:
    try:
        nameparser.parse(text)
    except nameparser.UnparsableNameError as error:
        if error.name_type == "FORMULA":
            return _formula(text)
        if error.code == "VIRUS":
            return ScientificName(text, code=Code.VIRAL, kind=NameKind.VIRAL)
    return ScientificName(text, kind=NameKind.INFORMAL)


def _formula(text: str) -> ScientificName:
    return ScientificName(_SIGN.sub(f" {CROSS} ", text), kind=NameKind.HYBRID)


def _converted(text: str, result: nameparser.ParsedName | nameparser.Informal) -> ScientificName:
    if isinstance(result, nameparser.Informal):
        return ScientificName(text, code=_CODES.get(result.code or "", Code.UNKNOWN), kind=NameKind.INFORMAL)
    if _FORMULA.search(text):
        return _formula(text)
    canonical = _canonical(text, result)
    if not canonical or result.state != "COMPLETE" or _is_misread(text, canonical):
        return ScientificName(text, kind=NameKind.INFORMAL)
    authorship = "" if canonical == text else result.authorship_complete() or ""
    kind = NameKind.HYBRID if result.notho else NameKind.SCIENTIFIC
    return ScientificName(
        canonical,
        authorship,
        year_of(authorship),
        _rank(result),
        _CODES.get(result.code or "", Code.UNKNOWN),
        NameKind.INFORMAL if result.type == "INFORMAL" else kind,
    )


def _is_misread(text: str, canonical: str) -> bool:
    """Return whether the library takes a strain for an epithet or an authorship, or leaves out plain words.

    Digits are those of a strain, but for those of a year after an author and those of an epithet such as "7-punctata".
    """
    last = canonical.rsplit(maxsplit=1)[-1]
    start = text.lower().rfind(last.lower())
    head, tail = (text[:start], text[start + len(last) :]) if start >= 0 else (text, "")
    left_out = set(_PLAIN_WORD.findall(head)) - set(canonical.split()) - _PARTICLES
    return bool(
        "\ufffd" in text
        or left_out
        or _STRAIN.fullmatch(tail)
        or _DIGIT.search(_YEARS.sub("", tail))
        or _DIGIT.search(_NUMBER_EPITHET.sub("", canonical))
    )


def _canonical(text: str, result: nameparser.ParsedName) -> str:
    if result.rank == "SPECIES_AGGREGATE" or (result.type == "INFORMAL" and not result.epithet_qualifier):
        return text
    if result.infrageneric_epithet and not result.specific_epithet and "(" in text:
        return str(result.infrageneric_epithet)
    name = result.canonical_name_without_authorship() or ""
    return name.strip('"') if result.candidatus else name


def _rank(result: nameparser.ParsedName) -> str:
    rank = str(result.rank)
    if rank == "SPECIES_AGGREGATE":
        return "species group"
    if rank == "INFRAGENERIC_NAME":
        return "subgenus"
    return rank_of(rank.removesuffix("_BOTANY").removesuffix("_ZOOLOGY"))

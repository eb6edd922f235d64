"""Names as lists give them: the canonical form, the authorship, and the words that are certain."""

from __future__ import annotations

import re
from typing import NamedTuple

from tol_luigi.taxonomy import name_patterns as patterns
from tol_luigi.taxonomy.name_keys import name_key
from tol_luigi.taxonomy.scientific_names import NameKind, parse_name
from tol_luigi.taxonomy.spelling import clean

__all__ = ["GivenName", "given_name"]

_PLAIN = re.compile(r"[A-Z][a-z-]+(?: [a-z-]{3,}){0,2}")
"""Names that are canonical as they are."""

_NO_NAME = re.compile(
    f"{patterns.UNKNOWN.removeprefix('(?i)')}|{patterns.NO_EPITHET.removeprefix('(?i)')}", re.IGNORECASE
)

_LOWER = re.compile(r"[a-z-]{3,} [a-z-]{3,} \(?[A-Z]")
"""Names of species in lower case, with an authorship."""

_GENUS = re.compile(r"[A-Z][a-z-]{2,}")

_NOT_SPECIES = re.compile(
    r"(?:[Uu]n(?:identified|known|cultured|determined|classified)|[Nn]ot[ _]classified|[Ii]ncertae) .*|.*[Vv]irus\b.*"
)
"""Names whose first word is no genus."""


class GivenName(NamedTuple):
    """A name of a list.

    Attributes:
        text: The name as given, without blanks around it.
        key: The key of its canonical form, "" if it is no name.
        authorship: Its authorship, "" if it has none.
        anchor: The key of the genus or higher taxon that it is certainly below or equal to, "" if there is none.
        is_formal: Whether a code of nomenclature knows such names, so that it can be misspelt.
    """

    text: str
    key: str
    authorship: str
    anchor: str
    is_formal: bool


def given_name(text: str) -> GivenName:
    """Return the parts of a name. In open nomenclature ("Aus cf. bus", "Aus sp. 1") only the genus is certain."""
    stripped = text.strip()
    capitalised = _capitalised(stripped)
    if _PLAIN.fullmatch(capitalised) and not _NO_NAME.search(capitalised):
        key = capitalised.lower()
        return GivenName(stripped, key, "", key.partition(" ")[0], is_formal=True)
    parsed = parse_name(capitalised)
    if parsed.kind == NameKind.PLACEHOLDER:
        return GivenName(stripped, "", "", "", is_formal=False)
    is_formal = parsed.kind in {NameKind.SCIENTIFIC, NameKind.HYBRID}
    key = name_key(parsed.name)
    first = parsed.name.removeprefix("Candidatus ").split(" ")[0]
    has_anchor = _GENUS.fullmatch(first) and not _NOT_SPECIES.fullmatch(parsed.name)
    anchor = key.partition(" ")[0] if is_formal else name_key(first) if has_anchor else ""
    return GivenName(stripped, key, parsed.authorship, anchor, is_formal)


def _capitalised(text: str) -> str:
    """Return a name with a capital letter at its start only, if it is in lower-case or upper-case letters throughout."""
    plain = clean(text)
    if plain.isupper() and " " in plain:
        return plain.capitalize()
    if plain.islower() or (_LOWER.match(plain) and not _NO_NAME.search(plain)):
        return plain[:1].upper() + plain[1:]
    return plain

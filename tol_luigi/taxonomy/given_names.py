"""Names as lists give them: the canonical form, the authorship, and the words that are certain."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa

from tol_luigi.taxonomy import name_patterns as patterns
from tol_luigi.taxonomy.name_keys import name_key
from tol_luigi.taxonomy.scientific_names import NameKind, ScientificName, parse_names
from tol_luigi.taxonomy.spelling import clean

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["GivenName", "GivenNames", "given_names"]

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


class GivenNames:
    """Parses names, many at a time: names that are not plain are parsed together, which is far faster than one by one."""

    def __init__(self) -> None:
        self._known: dict[str, GivenName] = {}

    def prepare(self, texts: Iterable[str]) -> None:
        """Parse names that will be asked for next, in place of those before."""
        self._known = given_names(list(dict.fromkeys(texts)))

    def of(self, text: str) -> GivenName:
        """Return the parts of a name."""
        return self._known.get(text) or given_names([text])[text]


def given_names(texts: Sequence[str]) -> dict[str, GivenName]:
    """Return the parts of each name. In open nomenclature ("Aus cf. bus", "Aus sp. 1") only the genus is certain."""
    forms = {text: _capitalised(text.strip()) for text in texts}
    others = [form for form in dict.fromkeys(forms.values()) if not _is_plain(form)]
    rows = parse_names(pa.array(others, pa.string())).to_pylist() if others else []
    parsed = dict(zip(others, rows, strict=True))
    return {
        text: _parts(text.strip(), ScientificName(**parsed[form])) if form in parsed else _plain(text, form)
        for text, form in forms.items()
    }


def _is_plain(form: str) -> bool:
    return bool(_PLAIN.fullmatch(form)) and not _NO_NAME.search(form)


def _plain(text: str, form: str) -> GivenName:
    key = form.lower()
    return GivenName(text.strip(), key, "", key.partition(" ")[0], is_formal=True)


def _parts(text: str, parsed: ScientificName) -> GivenName:
    if parsed.kind == NameKind.PLACEHOLDER:
        return GivenName(text, "", "", "", is_formal=False)
    is_formal = parsed.kind in {NameKind.SCIENTIFIC, NameKind.HYBRID}
    key = name_key(parsed.name)
    first = parsed.name.removeprefix("Candidatus ").split(" ")[0]
    has_anchor = _GENUS.fullmatch(first) and not _NOT_SPECIES.fullmatch(parsed.name)
    anchor = key.partition(" ")[0] if is_formal else name_key(first) if has_anchor else ""
    return GivenName(text, key, parsed.authorship, anchor, is_formal)


def _capitalised(text: str) -> str:
    """Return a name with a capital letter at its start only, if it is in lower-case or upper-case letters throughout."""
    plain = clean(text)
    if plain.isupper() and " " in plain:
        return plain.capitalize()
    if plain.islower() or (_LOWER.match(plain) and not _NO_NAME.search(plain)):
        return plain[:1].upper() + plain[1:]
    return plain

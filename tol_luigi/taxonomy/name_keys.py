"""Keys of scientific names: forms that are equal if names differ only in ways that mean nothing."""

from __future__ import annotations

import re
import unicodedata

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["name_key", "name_keys", "stem", "stems"]

_PLAIN = r"^[!-^`-~]+( [!-^`-~]+)*$"
"""Words of ASCII characters without underscores. Their key is their lower-case form, unless they have markers."""

_LETTERS = str.maketrans(
    {"æ": "ae", "œ": "oe", "ø": "o", "ß": "ss", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "\u0131": "i"}
)
"""Letters that have no decomposition in Unicode."""

_CROSS = "\u00d7"
"""The multiplication sign."""

_RANK_MARKERS = ("subsp", "ssp", "var", "forma", "subvar", "subf", "nothosubsp", "nothovar", "notho")
_MARKERS = frozenset({_CROSS, "x", "f.", "fo.", *_RANK_MARKERS, *(f"{marker}." for marker in _RANK_MARKERS)})
"""Words between names, which say the rank or that the taxon is a hybrid."""

_MARKED = "^x | ({}) ".format("|".join(sorted(re.escape(marker) for marker in _MARKERS if marker.isascii())))

_ENDINGS = ("us", "um", "is", "os", "on", "a", "e", "i")
_SHORTEST_STEM = 3


def name_key(name: str) -> str:
    """Return the key of a name.

    The key does not depend on case, diacritics, ligatures, spaces, underscores, the multiplication sign of hybrids
    and the markers of ranks.

    Source: articles 60.7 and H.3.3 of the International Code of Nomenclature for algae, fungi, and plants, article 27 of the
    International Code of Zoological Nomenclature.
    """
    folded = unicodedata.normalize("NFKD", name.replace("_", " ").replace(_CROSS, f" {_CROSS} ").lower())
    plain = "".join(letter for letter in folded if not unicodedata.combining(letter)).translate(_LETTERS)
    first, *others = plain.split() or [""]
    if first in {_CROSS, "x"} and others:
        first, *others = others
    between = [word for word in others[:-1] if word not in _MARKERS]
    return " ".join([first, *between, *others[-1:]])


def name_keys(names: pa.Array) -> pa.Array:
    """Return the keys of many names, as :func:`name_key` does."""
    is_plain = pc.and_not(
        pc.match_substring_regex(names, _PLAIN), pc.match_substring_regex(names, _MARKED, ignore_case=True)
    )
    others = [name_key(name) for name in pc.filter(names, pc.invert(is_plain)).to_pylist()]
    keys = pc.ascii_lower(names)
    return pc.replace_with_mask(keys, pc.invert(is_plain), pa.array(others, keys.type))


def stem(epithet: str) -> str:
    """Return an epithet in lower case without its ending.

    Epithets that differ only in gender (*albus*, *alba*, *album*; *viridis*, *viride*; *niger*, *nigra*) or in *-i* and
    *-ii* have one stem.

    Source: article 31.2 and 33.4 of the International Code of Zoological Nomenclature, article 23.5 and 60.8 of the
    International Code of Nomenclature for algae, fungi, and plants.
    """
    result = epithet
    if result.endswith("er"):
        result = f"{result[:-2]}r"
    for ending in _ENDINGS:
        if result.endswith(ending) and len(result) - len(ending) >= _SHORTEST_STEM:
            result = result[: -len(ending)]
            break
    return result[:-1] if result.endswith("i") and epithet.endswith("ii") else result


def stems(key: str) -> str:
    """Return the key of a name with the stems of its epithets; the first word is kept."""
    first, *epithets = key.split(" ")
    return " ".join([first, *map(stem, epithets)])

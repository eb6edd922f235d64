"""Convert columns of texts to the values of the tables of a taxonomy: ranks, codes, languages, flags."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import langcodes
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from langcodes.tag_parser import LanguageTagError

from tol_luigi.taxonomy.ranks import rank_of
from tol_luigi.taxonomy.records import Code

if TYPE_CHECKING:
    from collections.abc import Callable

    from tol_luigi.taxonomy.flags import Flag

__all__ = [
    "code_of",
    "constant",
    "converted",
    "is_one_of",
    "is_unranked",
    "is_yes",
    "language_of",
    "linked",
    "rank_of",
]

_NO_RANKS = frozenset(
    {"", "no rank", "no rank - terminal", "clade", "unranked", "unknown", "other", "none", "not specified"}
)

_CODES = {
    "iczn": Code.ZOOLOGICAL,
    "zoological": Code.ZOOLOGICAL,
    "icn": Code.BOTANICAL,
    "icnafp": Code.BOTANICAL,
    "icbn": Code.BOTANICAL,
    "botanical": Code.BOTANICAL,
    "icnp": Code.BACTERIAL,
    "icnb": Code.BACTERIAL,
    "bacterial": Code.BACTERIAL,
    "prokaryotic": Code.BACTERIAL,
    "ictv": Code.VIRAL,
    "icvcn": Code.VIRAL,
    "virus": Code.VIRAL,
    "viral": Code.VIRAL,
}

_LANGUAGES = {
    "afrikaans": "af", "arabic": "ar", "chinese": "zh", "danish": "da", "dutch": "nl", "english": "en", "fijian": "fj",
    "finnish": "fi", "french": "fr", "german": "de", "greek": "el", "hausa": "ha", "hawaiian": "haw", "hindi": "hi",
    "icelandic": "is", "italian": "it", "japanese": "ja", "korean": "ko", "latin": "la", "malagasy": "mg",
    "norwegian": "no", "portuguese": "pt", "russian": "ru", "spanish": "es", "swedish": "sv", "thai": "th",
}  # fmt: skip
"""Languages that sources write as English words, ITIS above all."""


def converted(column: pa.ChunkedArray, convert: Callable[[str], Any], kind: pa.DataType) -> pa.ChunkedArray:
    """Return a column whose texts are converted, each distinct one once."""
    texts = pc.unique(column)
    values = pa.array([convert(text) for text in texts.to_pylist()], kind)
    return values.take(pc.index_in(column, value_set=texts))


def constant(value: object, count: int, kind: pa.DataType) -> pa.Array:
    """Return a column in which every value is the same."""
    return pa.repeat(pa.scalar(value, kind), count)


def flagged(mask: pa.ChunkedArray, flag: Flag) -> pa.ChunkedArray:
    """Return a column of flags: one flag, or none."""
    return pc.if_else(mask, pa.scalar(int(flag), pa.uint32()), pa.scalar(0, pa.uint32()))


def is_first(column: pa.ChunkedArray, mask: pa.ChunkedArray) -> pa.Array:
    """Return whether each row is the first with its value among those of a mask."""
    codes = column.combine_chunks().dictionary_encode().indices.to_numpy(zero_copy_only=False)
    rows = np.flatnonzero(mask.to_numpy(zero_copy_only=False))
    _, first = np.unique(codes[rows], return_index=True)
    found = np.zeros(len(codes), bool)
    found[rows[first]] = True
    return pa.array(found)


def is_one_of(column: pa.ChunkedArray, values: pa.Array | pa.ChunkedArray) -> pa.ChunkedArray:
    """Return whether each value of a column is among others."""
    found = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    return pc.is_in(column, value_set=found)


def linked(ids: pa.ChunkedArray, others: pa.ChunkedArray, links: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return links as ids of rows, where some sources link to the other ids of rows, such as addresses."""
    is_other = pc.and_(pc.not_equal(others, ""), pc.not_equal(others, ids))
    if not pc.any(is_other).as_py():
        return links
    places = pc.index_in(links, value_set=others.filter(is_other).combine_chunks())
    found = ids.filter(is_other).combine_chunks().take(places)
    return pc.if_else(is_one_of(links, ids), links, pc.coalesce(found, links))


def is_unranked(text: str) -> bool:
    """Return whether a source states that a taxon has no rank, or states none."""
    return " ".join(text.lower().replace("_", " ").split()) in _NO_RANKS


def code_of(text: str) -> str:
    """Return the code of nomenclature that a source means; "" if it is unknown."""
    return _CODES.get(text.strip().lower(), Code.UNKNOWN).value


def is_yes(text: str) -> bool:
    """Return whether a mark is set: it is neither empty nor a word for no."""
    return text.strip().lower() not in {"", "0", "f", "false", "n", "no"}


def language_of(text: str) -> str:
    """Return the tag of a language, such as ``en``, of a code or of its English name; "" if it is unknown."""
    if found := _LANGUAGES.get(text.strip().lower()):
        return found
    try:
        tag = langcodes.standardize_tag(text.strip())
    except LanguageTagError:
        return ""
    return "" if tag == "und" else tag

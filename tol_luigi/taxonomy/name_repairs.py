"""Repairs of the names and ranks of a source."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tol_luigi.taxonomy import name_patterns as patterns
from tol_luigi.taxonomy.flags import Flag
from tol_luigi.taxonomy.ranks import LEVELS, rank_of
from tol_luigi.taxonomy.records import NAMES, Repair
from tol_luigi.taxonomy.scientific_names import NameKind, parse_names
from tol_luigi.taxonomy.spelling import SUSPICIOUS, clean, has_markup, has_quotes, strip_diacritics

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from tol_luigi.taxonomy.draft import Draft

    Mask = npt.NDArray[np.bool_]

__all__ = [
    "FAMILY_ENDINGS",
    "OTT_ENDINGS",
    "drop_wrong_ranks",
    "flag_names",
    "is_nameless",
    "name_subgenera",
    "settle_names",
    "settle_ranks",
    "settle_synonym_names",
    "strip_marks",
]

_NO_RANK = frozenset(
    {"", "no rank", "no rank - terminal", "clade", "unranked", "terminal", "samples", "none", "unspecified"}
)
"""What sources call taxa without a rank."""

OTT_ENDINGS = "ae$"
"""The ending that the Open Tree takes for that of a family."""

FAMILY_ENDINGS = "(?:aceae|idae|inae|oideae|viridae)$"
"""The endings of families and subfamilies; genera such as *Hippophae* and *Danae* have others."""

_SPECIES_RANKS = pa.array([rank for rank, level in LEVELS.items() if level >= LEVELS["species"]])

_VARIANT = "spelling variant"

_MARKERS = {"subsp": "subspecies", "var": "variety", "f": "form"}
_MARKED = r"^([A-Z][a-z-]+ [a-z-]+) (subsp|var|f)\. ([a-z-]+)$"
"""A name with the marker of a rank below the species."""
"""The type of synonyms that the Open Tree gives old spellings."""


def settle_ranks(draft: Draft) -> None:
    """Replace ranks by those that are known, and record the others."""
    ranks = _mapped(draft.ranks, rank_of)
    given = _mapped(draft.ranks, lambda rank: " ".join(rank.lower().replace("_", " ").split()))
    is_unknown = pc.and_(
        pc.equal(ranks, ""), pc.invert(pc.is_in(given, value_set=pa.array(sorted(_NO_RANK))))
    )
    draft.log.add(Repair.UNKNOWN_RANK, draft.uids.filter(is_unknown), draft.ranks.filter(is_unknown))
    draft.ranks = ranks


def drop_wrong_ranks(draft: Draft, *, genera: str) -> None:
    """Drop the rank of a genus with the ending of a family, and of a family that does not end in "-ae".

    Args:
        draft: The source.
        genera: The endings that no genus has: :data:`FAMILY_ENDINGS`, or :data:`OTT_ENDINGS`.

    Source: ``InterimFormat.initTaxon`` of the Open Tree.
    """
    is_wrong = pc.or_(
        pc.and_(pc.equal(draft.ranks, "genus"), pc.match_substring_regex(draft.names, genera)),
        pc.and_(pc.equal(draft.ranks, "family"), pc.invert(pc.ends_with(draft.names, "ae"))),
    )
    names = draft.names.filter(is_wrong)
    draft.log.add(Repair.RANK_AGAINST_NAME, draft.uids.filter(is_wrong), draft.ranks.filter(is_wrong), names)
    draft.ranks = pc.if_else(is_wrong, "", draft.ranks)


def settle_names(draft: Draft) -> None:
    """Give every taxon its canonical name, separate its authorship, and flag hybrids and informal names.

    A name of one word in lower case gets a capital letter if the taxon has a rank.
    """
    before = draft.names
    tidy = _tidy(draft)
    is_lower = pc.and_(pc.match_substring_regex(tidy, "^[a-z][a-z-]*$"), pc.not_equal(draft.ranks, ""))
    is_lower = pc.and_(is_lower, pc.invert(pc.match_substring_regex(tidy, patterns.UNKNOWN)))
    tidy = pc.if_else(is_lower, pc.utf8_capitalize(tidy), tidy)
    short = _without_given(tidy, draft.authorships)
    parsed = parse_names(short)
    draft.names = parsed["name"].combine_chunks()
    found = parsed["authorship"].combine_chunks()
    is_split = pc.or_(pc.not_equal(found, ""), pc.not_equal(short, tidy))
    is_split = pc.and_(is_split, pc.not_equal(draft.names, tidy))
    draft.authorships = pc.if_else(pc.equal(draft.authorships, ""), found, draft.authorships)
    draft.parsed_codes = parsed["code"].combine_chunks()
    _log_names(draft, before, parsed["kind"].combine_chunks(), _mask(is_split))


def is_nameless(draft: Draft) -> Mask:
    """Return where a name is empty or says that there is none."""
    return _mask(pc.match_substring_regex(draft.names, patterns.UNKNOWN))


def settle_synonym_names(draft: Draft) -> None:
    """Give synonyms their canonical forms, without diacritics unless that spelling is in use."""
    table = draft.synonyms
    parsed = parse_names(table["name"])
    names = parsed["name"].combine_chunks()
    given, found = table["authorship"].combine_chunks(), parsed["authorship"].combine_chunks()
    _log_changes(draft, Repair.SPELLING, table, names)
    is_name = pc.not_equal(parsed["kind"].combine_chunks(), NameKind.PLACEHOLDER.value)
    nothing = table.filter(pc.invert(is_name))
    draft.log.add(Repair.UNKNOWN_NAME, nothing["uid"].combine_chunks(), nothing["name"].combine_chunks())
    columns = {
        "uid": table["uid"].combine_chunks(),
        "name": names,
        "authorship": pc.if_else(pc.equal(given, ""), found, given),
        "type": table["type"].combine_chunks(),
    }
    draft.synonyms = pa.table(columns, schema=NAMES).filter(is_name).combine_chunks()


def strip_marks(draft: Draft, *, ligatures: bool) -> None:
    """Strip diacritics from names, unless the name without them is in use; the old spelling becomes a synonym.

    Args:
        draft: The source.
        ligatures: Whether ligatures become two letters, and synonyms are stripped, too.

    Source: ``Taxonomy.normalizeNames`` of the Open Tree, which does neither.
    """
    synonyms = draft.synonyms["name"].combine_chunks()
    marked = pc.unique(pa.concat_arrays([_marked(draft.names), _marked(synonyms)])).to_pylist()
    plain = {name: strip_diacritics(name, ligatures=ligatures) for name in marked}
    plain = {name: new for name, new in plain.items() if new != name}
    if not plain:
        return
    news = pa.array(sorted(set(plain.values())), pa.string())
    used = set(news.filter(pc.is_in(news, value_set=draft.names)).to_pylist())
    used |= set(news.filter(pc.is_in(news, value_set=synonyms)).to_pylist())
    plain = {name: new for name, new in plain.items() if new not in used}
    mask, names = _replaced(draft.names, plain)
    draft.log.add(Repair.DIACRITICS, draft.uids.filter(mask), draft.names.filter(mask), names.filter(mask))
    old_uids, old_names = draft.uids.filter(mask), draft.names.filter(mask)
    draft.names = names
    if ligatures:
        _, names = _replaced(synonyms, plain)
        _log_changes(draft, Repair.DIACRITICS, draft.synonyms, names)
        draft.synonyms = draft.synonyms.set_column(1, NAMES.field("name"), names)
    draft.add_synonyms(old_uids, old_names, _VARIANT)


def settle_markers(draft: Draft) -> None:
    """Give taxa with a marker in their name ("Salvia flava var. flava") the name without it as a synonym, and its rank if they have none.

    Other sources write the same name without the marker, as zoologists always do.
    """
    is_marked = pc.match_substring_regex(draft.names, _MARKED)
    uids, names = draft.uids.filter(is_marked), draft.names.filter(is_marked)
    found = pc.replace_substring_regex(names, _MARKED, r"\2")
    ranks = pa.array([*_MARKERS.values()], pa.string()).take(pc.index_in(found, pa.array([*_MARKERS])))
    lacks_rank = pc.equal(draft.ranks.filter(is_marked), "")
    draft.log.add(
        Repair.MARKED_RANK, uids.filter(lacks_rank), names.filter(lacks_rank), ranks.filter(lacks_rank)
    )
    own = pc.if_else(lacks_rank, ranks, draft.ranks.filter(is_marked))
    draft.replace("ranks", _mask(is_marked), own)
    short = pc.replace_substring_regex(names, _MARKED, r"\1 \3")
    known = draft.synonyms
    keys, others = (
        pc.binary_join_element_wise(one, name, "\x1f")
        for one, name in ((uids, short), (known["uid"].combine_chunks(), known["name"].combine_chunks()))
    )
    is_new = pc.invert(pc.is_in(keys, value_set=others))
    draft.add_synonyms(uids.filter(is_new), short.filter(is_new), _VARIANT)


def name_subgenera(draft: Draft, *, all_of_them: bool) -> None:
    """Call a subgenus with the name of its genus "X subgenus X".

    Args:
        draft: The source.
        all_of_them: Whether this is also done to the only child of its genus, which the Open Tree leaves alone.

    Source: ``Taxonomy.handleParentChildHomonyms`` of the Open Tree.
    """
    rows = np.flatnonzero(_mask(pc.equal(draft.ranks, "subgenus")) & (draft.parents >= 0))
    parents = draft.parents[rows]
    is_same = _mask(pc.equal(draft.names.take(pa.array(rows)), draft.names.take(pa.array(parents))))
    if not all_of_them:
        children = np.bincount(draft.parents[draft.parents >= 0], minlength=len(draft))
        is_same &= children[parents] > 1
    rows = rows[is_same]
    old = draft.names.take(pa.array(rows))
    new = pc.binary_join_element_wise(old, "subgenus", old, " ")
    mask = np.zeros(len(draft), bool)
    mask[rows] = True
    draft.replace("names", mask, new)
    draft.log.add(Repair.SUBGENUS, draft.uids.take(pa.array(rows)), old, new)


def flag_names(draft: Draft) -> None:
    """Flag names of what is no taxonomic unit, of hybrids and of viruses.

    Source: ``Taxonomy.analyzeOTUs`` of the Open Tree, for the NCBI taxonomy.
    """
    for pattern, flag in (
        (patterns.NOT_OTU, Flag.NOT_OTU),
        (patterns.HYBRID, Flag.HYBRID),
        (patterns.VIRAL, Flag.VIRAL),
    ):
        draft.add_flags(_mask(pc.match_substring_regex(draft.names, pattern)), flag)


def _tidy(draft: Draft) -> pa.Array:
    """Return the names without quotes, markup and needless blanks; record all three."""
    is_suspicious = pc.match_substring_regex(draft.names, SUSPICIOUS)
    uids = draft.uids.filter(is_suspicious)
    olds = draft.names.filter(is_suspicious).to_pylist()
    news = [clean(name) for name in olds]
    repairs = [_repair_of(old) if old != new else None for old, new in zip(olds, news, strict=True)]
    for repair in (Repair.MARKUP, Repair.QUOTES, Repair.SPELLING):
        chosen = pa.array([found is repair for found in repairs], pa.bool_())
        draft.log.add(
            repair,
            uids.filter(chosen),
            pa.array(olds, pa.string()).filter(chosen),
            pa.array(news, pa.string()).filter(chosen),
        )
    return pc.replace_with_mask(draft.names, is_suspicious, pa.array(news, pa.string()))


def _repair_of(name: str) -> Repair:
    if has_markup(name):
        return Repair.MARKUP
    return Repair.QUOTES if has_quotes(name) else Repair.SPELLING


def _without_given(names: pa.Array, authorships: pa.Array) -> pa.Array:
    """Return names without the given authorships at their ends, which need no parser then."""
    has_both = pc.and_(pc.not_equal(authorships, ""), pc.match_substring(names, " "))
    pairs = zip(names.filter(has_both).to_pylist(), authorships.filter(has_both).to_pylist(), strict=True)
    short = [name.removesuffix(f" {authorship}") for name, authorship in pairs]
    return pc.replace_with_mask(names, has_both, pa.array(short, pa.string()))


def _log_names(draft: Draft, before: pa.Array, kind: pa.Array, had_authorship: Mask) -> None:
    """Flag hybrids and informal names, and record these and all changes of names."""
    is_changed = _mask(pc.not_equal(before, draft.names))
    is_hybrid, is_informal = (
        _mask(pc.equal(kind, NameKind.HYBRID.value)),
        _mask(pc.equal(kind, NameKind.INFORMAL.value)),
    )
    is_hybrid_repair = draft.add_flags(is_hybrid, Flag.HYBRID) | (is_hybrid & is_changed)
    is_informal_repair = draft.add_flags(is_informal & ~_is_clade(draft), Flag.INFORMAL)
    is_tidied = _mask(pc.match_substring_regex(before, SUSPICIOUS))
    is_other = is_changed & ~had_authorship & ~is_hybrid & ~is_tidied
    for repair, mask in (
        (Repair.AUTHORSHIP, had_authorship),
        (Repair.HYBRID, is_hybrid_repair),
        (Repair.INFORMAL, is_informal_repair),
        (Repair.SPELLING, is_other),
    ):
        chosen = pa.array(mask)
        draft.log.add(repair, draft.uids.filter(chosen), before.filter(chosen), draft.names.filter(chosen))


def _is_clade(draft: Draft) -> Mask:
    """Return where a taxon with children, above the species, has a name such as "cellular organisms"."""
    has_children = np.zeros(len(draft), bool)
    has_children[draft.parents[draft.parents >= 0]] = True
    is_low = _mask(pc.is_in(draft.ranks, value_set=_SPECIES_RANKS))
    return has_children & ~is_low & _mask(pc.match_substring_regex(draft.names, "^[a-z]"))


def _log_changes(draft: Draft, repair: Repair, table: pa.Table, names: pa.Array) -> None:
    before = table["name"].combine_chunks()
    is_changed = pc.not_equal(before, names)
    draft.log.add(
        repair,
        table["uid"].combine_chunks().filter(is_changed),
        before.filter(is_changed),
        names.filter(is_changed),
    )


def _marked(names: pa.Array) -> pa.Array:
    return names.filter(pc.match_substring_regex(names, r"[^\x00-\x7f]|[\^`]"))


def _replaced(names: pa.Array, new: dict[str, str]) -> tuple[pa.Array, pa.Array]:
    """Return where names are among the keys, and the names with these replaced."""
    olds = pa.array(list(new), pa.string())
    places = pc.index_in(names, value_set=olds)
    mask = pc.is_valid(places)
    return mask, pc.if_else(mask, pa.array(list(new.values()), pa.string()).take(places), names)


def _mapped(values: pa.Array, function: Callable[[str], str]) -> pa.Array:
    """Return a function of every value; it is called once for each distinct one."""
    encoded = values.dictionary_encode()
    words = pa.array([function(value) for value in encoded.dictionary.to_pylist()], pa.string())
    return words.take(encoded.indices)


def _mask(values: pa.Array) -> Mask:
    return np.asarray(values.to_numpy(zero_copy_only=False)).astype(bool)

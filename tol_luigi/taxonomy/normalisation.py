"""The normalisation of a source: the same taxa, with clean names, one tree and known flags, and a list of all repairs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from tol_luigi.taxonomy import name_repairs, sibling_repairs, synonym_links, tree_repairs
from tol_luigi.taxonomy.draft import Draft

if TYPE_CHECKING:
    from tol_luigi.taxonomy.records import Records

__all__ = ["Normalisation", "normalise"]


@dataclass(frozen=True)
class Normalisation:
    """How a source is normalised.

    Attributes:
        ott: Do exactly what the Open Tree does when it loads a source, and no more: names keep authorships and
            markers, rows keep their order.
        flag_names: Flag viruses, hybrids and what is no taxonomic unit by their names, as the Open Tree does for NCBI.
        major_rank_conflict: Flag taxa beside taxa of a higher group of ranks, as the Open Tree does for GBIF and IRMNG.
        fold_siblings: Fold siblings with the same name and rank into the one with the smallest identifier.
    """

    ott: bool = False
    flag_names: bool = False
    major_rank_conflict: bool = False
    fold_siblings: bool = False


def normalise(records: Records, options: Normalisation = Normalisation()) -> Records:
    """Return a source with every known fault repaired or recorded.

    Every taxon of the source is a taxon of the result or has a row among the repairs; every synonym, too. The result
    does not depend on the order of the rows (unless ``options.ott``: then rows keep it), and normalising it again changes
    nothing. Rows are in order of their identifiers, shorter ones first.

    Args:
        records: The source, as its importer has read it.
        options: What else to do; for all sources of a kind the same.
    """
    in_order = not options.ott
    draft = Draft.of(records, in_order=in_order)
    forwards = synonym_links.Forwards(draft, records.forwards)
    synonym_links.settle_synonyms(draft, forwards)
    vernaculars = synonym_links.settle_vernaculars(draft, forwards, records.vernaculars, in_order=in_order)
    tree_repairs.settle_parents(draft, forwards)
    name_repairs.settle_ranks(draft)
    if not options.ott:
        name_repairs.settle_names(draft)
        name_repairs.settle_synonym_names(draft)
    endings = name_repairs.OTT_ENDINGS if options.ott else name_repairs.FAMILY_ENDINGS
    name_repairs.drop_wrong_ranks(draft, genera=endings)
    name_repairs.strip_marks(draft, ligatures=not options.ott)
    if not options.ott:
        name_repairs.settle_markers(draft)
    is_nameless = np.zeros(len(draft), bool) if options.ott else name_repairs.is_nameless(draft)
    tree_repairs.own_flags(draft)
    tree_repairs.raise_children(draft, is_nameless)
    name_repairs.name_subgenera(draft, all_of_them=not options.ott)
    replaced = forwards.table(draft)
    if options.fold_siblings:
        vernaculars, replaced = sibling_repairs.fold_siblings(draft, vernaculars, replaced)
    tree_repairs.place_roots(draft)
    synonym_links.without_repeats(draft, in_order=in_order)
    if options.flag_names:
        name_repairs.flag_names(draft)
    if options.major_rank_conflict:
        tree_repairs.flag_rank_conflicts(draft)
    if not options.ott:
        tree_repairs.inherit_codes(draft)
        tree_repairs.report_rank_order(draft)
    return replace(
        records,
        taxa=draft.taxa(),
        names=draft.synonyms,
        vernaculars=vernaculars,
        forwards=replaced,
        repairs=draft.log.table(),
    )

"""What can be wrong with the taxa of a catalog, counted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tol_luigi.core.name_rules import NameRule, split_rules
from tol_luigi.core.taxon import RANK_LABELS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    Mask = np.ndarray[tuple[int], np.dtype[np.bool_]]

__all__ = ["CHECKS", "Tally", "count_taxa", "excesses"]

_HIGHER = RANK_LABELS[:5]

CHECKS: dict[str, str] = {
    "kingdoms": "kingdoms (three are usual)",
    "genus_without_higher": "missing ranks from kingdom to family, in rows with a genus",
    "family_without_higher": "missing ranks from kingdom to order, in rows with a family and no genus",
    "order_without_higher": "missing ranks from kingdom to class, in rows with an order, no family and no genus",
    "species_without_genus": "rows with a species and a higher rank, but no genus",
    "species_of_many_words": "rows whose species has more than one word",
    "species_unidentified": "rows whose species is (unidentified)",
    "missing_common": "rows without a common name",
}
"""The checks, by the name that their limit has in ``[checks] max_<name>``, with what each counts."""


@dataclass
class Tally:
    """Counts over the rows of a catalog.

    Attributes:
        rows: How many rows were looked at.
        counts: By check and, where the check tells them apart, by detail (rank, source or value).
        kingdoms: Rows by kingdom.
        rules: Rows by each rule of naming that has touched them; a row can be touched by several.
    """

    rows: int = 0
    counts: dict[str, Counter[str]] = field(default_factory=lambda: {name: Counter() for name in CHECKS})
    kingdoms: Counter[str] = field(default_factory=Counter)
    rules: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys(NameRule, 0)))

    def totals(self) -> dict[str, int]:
        """Sum each check."""
        totals = {name: details.total() for name, details in self.counts.items()}
        totals["kingdoms"] = len(self.kingdoms)
        return totals


def count_taxa(pieces: Iterable[pa.Table]) -> Tally:
    """Count what is wrong with the taxa of a catalog.

    Args:
        pieces: The catalog in pieces, with columns split, source, the seven ranks, common and
            name_rules ("" where unknown). Rows of train_small are passed over: they repeat rows of train.

    Source: the taxon checks of TreeOfLife-10M, which print what is counted here.
    """
    tally = Tally()
    for piece in pieces:
        _count(piece.filter(pc.not_equal(piece["split"], "train_small")), tally)
    return tally


class _Texts:
    """A column, worked on text by text instead of row by row: there are far fewer of them.

    Args:
        column: The column; it is quickest where it is dictionary-encoded already.
    """

    def __init__(self, column: pa.ChunkedArray) -> None:
        kept = column.combine_chunks()
        kept = kept if pa.types.is_dictionary(kept.type) else kept.dictionary_encode()
        self.texts, self.codes = kept.dictionary, kept.indices.to_numpy()

    def rows(self, chosen: pa.BooleanArray) -> Mask:
        """Tell which rows have one of the texts that are chosen."""
        rows: Mask = chosen.to_numpy(zero_copy_only=False)[self.codes]
        return rows

    def counts(self, rows: Mask) -> dict[str, int]:
        """Count some of the rows by text."""
        counts = np.bincount(self.codes[rows], minlength=len(self.texts))
        return {self.texts[code].as_py(): int(counts[code]) for code in np.flatnonzero(counts).tolist()}


def _count(rows: pa.Table, tally: Tally) -> None:
    if not len(rows):
        return
    tally.rows += len(rows)
    columns = {name: _Texts(rows[name]) for name in (*RANK_LABELS, "source", "common", "name_rules")}
    known = {name: column.rows(pc.not_equal(column.texts, "")) for name, column in columns.items()}
    genus, family, order = known["genus"], known["family"], known["order"]
    source, species = columns["source"], columns["species"]
    tally.kingdoms.update(columns["kingdom"].counts(known["kingdom"]))
    for rules, count in columns["name_rules"].counts(known["name_rules"]).items():
        tally.rules.update(dict.fromkeys(split_rules(rules), count))
    groups = (
        ("genus_without_higher", genus, 5),
        ("family_without_higher", ~genus & family, 4),
        ("order_without_higher", ~genus & ~family & order, 3),
    )
    for check, group, depth in groups:
        tally.counts[check].update({rank: int((group & ~known[rank]).sum()) for rank in _HIGHER[:depth]})
    any_higher = known["kingdom"] | known["phylum"] | known["class"] | order | family
    tally.counts["species_without_genus"].update(source.counts(known["species"] & ~genus & any_higher))
    many = pc.match_substring(species.texts, " ")
    tally.counts["species_of_many_words"].update(species.counts(species.rows(many)))
    unidentified = pc.equal(pc.utf8_lower(species.texts), "(unidentified)")
    tally.counts["species_unidentified"].update(source.counts(species.rows(unidentified)))
    tally.counts["missing_common"].update(source.counts(~known["common"]))


def excesses(tally: Tally, limits: Mapping[str, int | None]) -> list[str]:
    """List the checks whose count is above its limit, a line each; a limit of None means none."""
    totals = tally.totals()
    return [
        f"{name}: {totals[name]} {CHECKS[name]}; at most {limit} allowed"
        for name, limit in limits.items()
        if limit is not None and totals[name] > limit
    ]

"""Checks of the taxa of a catalog."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tol_luigi.core.name_rules import PUBLISHED_RULES, split_rules
from tol_luigi.core.taxon import RANK_LABELS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    Mask = np.ndarray[tuple[int], np.dtype[np.bool_]]

__all__ = ["CHECKS", "Tally", "count_taxa", "excesses"]

_HIGHER = RANK_LABELS[:5]

CHECKS: dict[str, str] = {
    "kingdoms": "kingdoms, usually three",
    "genus_without_higher": "missing ranks from kingdom to family, in rows with a genus",
    "family_without_higher": "missing ranks from kingdom to order, in rows with a family and no genus",
    "order_without_higher": "missing ranks from kingdom to class, in rows with an order, no family and no genus",
    "species_without_genus": "rows with a species and a higher rank, but no genus",
    "species_of_many_words": "rows whose species has more than one word",
    "species_unidentified": "rows whose species is (unidentified)",
    "missing_common": "rows without a common name",
}
"""The checks, by the name of their limit ``[checks] max_<name>``, with a description of what each counts."""


@dataclass
class Tally:
    """Counts over the rows of a catalog.

    Attributes:
        rows: The number of checked rows.
        counts: Counts by check and, if the check distinguishes them, by detail (rank, source or value).
        kingdoms: Rows by kingdom.
        rules: Rows by naming rule that applied to them, with a count for each published rule; several rules can apply to a row.
    """

    rows: int = 0
    counts: dict[str, Counter[str]] = field(default_factory=lambda: {name: Counter() for name in CHECKS})
    kingdoms: Counter[str] = field(default_factory=Counter)
    rules: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys(PUBLISHED_RULES, 0)))

    def totals(self) -> dict[str, int]:
        """Return the total of each check."""
        totals = {name: details.total() for name, details in self.counts.items()}
        totals["kingdoms"] = len(self.kingdoms)
        return totals


def count_taxa(pieces: Iterable[pa.Table]) -> Tally:
    """Count the problems with the taxa of a catalog.

    Args:
        pieces: The catalog in pieces, with columns split, source, the seven ranks, common and
            name_rules ("" if unknown). Rows of train_small are skipped, because they repeat rows of train.

    Source: the taxon checks of TreeOfLife-10M, which print these counts.
    """
    tally = Tally()
    for piece in pieces:
        _count(piece.filter(pc.not_equal(piece["split"], "train_small")), tally)
    return tally


class _Texts:
    """A dictionary-encoded column, processed by distinct text: there are far fewer texts than rows.

    Args:
        column: The column; a dictionary-encoded one is faster.
    """

    def __init__(self, column: pa.ChunkedArray) -> None:
        kept = column.combine_chunks()
        kept = kept if pa.types.is_dictionary(kept.type) else kept.dictionary_encode()
        self.texts, self.codes = kept.dictionary, kept.indices.to_numpy()

    def rows(self, chosen: pa.BooleanArray) -> Mask:
        """Return which rows have one of the chosen texts."""
        rows: Mask = chosen.to_numpy(zero_copy_only=False)[self.codes]
        return rows

    def counts(self, rows: Mask) -> dict[str, int]:
        """Count the masked rows by text."""
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
    """Return one line for each check whose count is above its limit; None means no limit."""
    totals = tally.totals()
    return [
        f"{name}: {totals[name]} ({CHECKS[name]}), at most {limit} allowed"
        for name, limit in limits.items()
        if limit is not None and totals[name] > limit
    ]

"""What can be wrong with the taxa of a catalog, counted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tol_luigi.core.taxon import RANK_LABELS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pandas as pd

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
    """

    rows: int = 0
    counts: dict[str, Counter[str]] = field(default_factory=lambda: {name: Counter() for name in CHECKS})
    kingdoms: Counter[str] = field(default_factory=Counter)

    def totals(self) -> dict[str, int]:
        """Sum each check."""
        totals = {name: details.total() for name, details in self.counts.items()}
        totals["kingdoms"] = len(self.kingdoms)
        return totals


def count_taxa(frames: Iterable[pd.DataFrame]) -> Tally:
    """Count what is wrong with the taxa of a catalog.

    Args:
        frames: The catalog in pieces, with columns split, source, the seven ranks and common
            ("" where unknown). Rows of train_small are passed over: they repeat rows of train.

    Source: the taxon checks of TreeOfLife-10M, which print what is counted here.
    """
    tally = Tally()
    for frame in frames:
        _count(frame[frame["split"] != "train_small"], tally)
    return tally


def _count(rows: pd.DataFrame, tally: Tally) -> None:
    tally.rows += len(rows)
    known = {rank: rows[rank] != "" for rank in RANK_LABELS}
    genus, family, order = known["genus"], known["family"], known["order"]
    tally.kingdoms.update(_by_value(rows["kingdom"][known["kingdom"]]))
    groups = (
        ("genus_without_higher", genus, 5),
        ("family_without_higher", ~genus & family, 4),
        ("order_without_higher", ~genus & ~family & order, 3),
    )
    for check, group, depth in groups:
        tally.counts[check].update({rank: int((group & ~known[rank]).sum()) for rank in _HIGHER[:depth]})
    any_higher = known["kingdom"] | known["phylum"] | known["class"] | order | family
    orphan = known["species"] & ~genus & any_higher
    tally.counts["species_without_genus"].update(_by_value(rows["source"][orphan]))
    many = rows["species"].str.contains(" ", regex=False)
    tally.counts["species_of_many_words"].update(_by_value(rows["species"][many]))
    unidentified = rows["species"].str.lower() == "(unidentified)"
    tally.counts["species_unidentified"].update(_by_value(rows["source"][unidentified]))
    tally.counts["missing_common"].update(_by_value(rows["source"][rows["common"] == ""]))


def _by_value(values: pd.Series[str]) -> dict[str, int]:
    return {str(value): int(count) for value, count in values.value_counts().items()}


def excesses(tally: Tally, limits: Mapping[str, int | None]) -> list[str]:
    """List the checks whose count is above its limit, a line each; a limit of None means none."""
    totals = tally.totals()
    return [
        f"{name}: {totals[name]} {CHECKS[name]}; at most {limit} allowed"
        for name, limit in limits.items()
        if limit is not None and totals[name] > limit
    ]

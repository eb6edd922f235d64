"""Changes between the previous dataset and a new one: labels, splits, and the set of images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import pyarrow as pa
import pyarrow.compute as pc

from tol_luigi.core.ledger import State
from tol_luigi.core.name_rules import split_rules
from tol_luigi.core.taxon import RANK_LABELS
from tol_luigi.store.catalogs import NAME_RULES
from tol_luigi.store.previous import read_previous

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    import pandas as pd

    from tol_luigi.core.name_rules import NameRule
    from tol_luigi.core.source import Column

__all__ = ["LABELS", "Labelled", "Moves", "count_changes"]

LABELS = (*RANK_LABELS, "common")
"""The columns that determine a sample's texts."""

Observe = Callable[[tuple[str, ...], tuple[str, ...], "list[NameRule]", int, tuple[str, str]], None]

_WHEN = ("before", "after")
"""The suffixes of columns of the previous and of the new dataset."""


@dataclass(frozen=True)
class Labelled:
    """Some partitions of a source in one dataset.

    Attributes:
        predicted: The predicted catalog.
        partitions: The names of the partitions.
        ledgers: The ledgers of the partitions, of train and val.
    """

    predicted: Path
    partitions: Sequence[str]
    ledgers: Sequence[Path]


@dataclass
class Moves:
    """What relabelled images were called before and are called now.

    Attributes:
        kinds: Images by rank and by what happened to it: ``filled``, ``emptied`` or ``changed``.
        rules: Relabelled images by ``before`` or ``now`` and a naming rule that applied then.
        examples: Images by their taxonomic and common name before and now.
        observe: Called with the labels of all compared images, relabelled or not: those before, those now, the naming rules
            that applied before, the number of images, and both labels as texts.
    """

    kinds: Counter[tuple[str, str]] = field(default_factory=Counter)
    rules: Counter[tuple[str, str]] = field(default_factory=Counter)
    examples: Counter[tuple[str, str]] = field(default_factory=Counter)
    observe: Observe | None = None

    def add(self, both: pd.DataFrame) -> None:
        """Add the relabelled images of a table with the labels of both datasets."""
        columns = [f"{label}_{when}" for when in _WHEN for label in (*LABELS, NAME_RULES)]
        for key, count in both.groupby(columns, sort=False).size().items():
            row = cast("tuple[str, ...]", key)
            before, now = row[: len(columns) // 2], row[len(columns) // 2 :]
            shown = _named(before), _named(now)
            if self.observe:
                self.observe(before[:-1], now[:-1], split_rules(before[-1]), count, shown)
            if before[:-1] == now[:-1]:
                continue
            for label, old, new in zip(LABELS, before, now, strict=False):
                if old != new:
                    kind = "filled" if not old else "changed" if new else "emptied"
                    self.kinds[label, kind] += count
            for when, rules in (("before", before[-1]), ("now", now[-1])):
                self.rules.update({(when, rule): count for rule in split_rules(rules)})
            self.examples[shown] += count


def _named(labels: Sequence[str]) -> str:
    """Return the known ranks of labels, and the common name in brackets."""
    ranks = " ".join(filter(None, labels[: len(RANK_LABELS)]))
    common = labels[len(RANK_LABELS)]
    return f"{ranks} ({common})" if common else ranks


def count_changes(
    source: str, columns: Sequence[Column], previous: Labelled, current: Labelled, moves: Moves
) -> Counter[str]:
    """Count the changes of the images in the shards; images are identified by their natural keys.

    Args:
        source: The source's name.
        columns: Its natural key.
        previous: The partitions in the previous dataset.
        current: The partitions in the new dataset.
        moves: What the relabelled images are added to.

    Returns:
        The numbers of images that are ``compared`` (in both datasets) and ``relabelled``; of relabelled
        images by changed label (``kingdom`` to ``species``, ``common``); of images that are ``new``,
        ``gone``, moved (such as ``train to val``), or moved ``into train_small`` or ``out of train_small``.

    Raises:
        ShardError: A catalog or ledger cannot be read.
    """
    keys = [column.catalog for column in columns]
    before, after = (_labels(source, keys, labelled) for labelled in (previous, current))
    both = before.merge(after, on=keys, suffixes=("_before", "_after"))
    moves.add(both)
    changed = {label: both[f"{label}_before"] != both[f"{label}_after"] for label in LABELS}
    counts = Counter(
        {
            "compared": len(both),
            "relabelled": sum(map(any, zip(*changed.values(), strict=True))),
            **{label: int(differs.sum()) for label, differs in changed.items()},
            "new": len(after) - len(both),
            "gone": len(before) - len(both),
        }
    )
    for was, now in zip(both["split_before"], both["split_after"], strict=True):
        if was != now:
            counts[f"{was} to {now}"] += 1
    was, now = both["is_train_small_before"], both["is_train_small_after"]
    counts["into train_small"] = int((now & ~was).sum())
    counts["out of train_small"] = int((was & ~now).sum())
    return counts


def _labels(source: str, keys: list[str], labelled: Labelled) -> pd.DataFrame:
    """Return split and labels of the images in the shards."""
    columns = ["treeoflife_id", "split", "is_train_small", *keys, *LABELS, NAME_RULES]
    which = {"source": [source], "partition": labelled.partitions}
    rows = read_previous(labelled.predicted, columns, which)
    written = rows.filter(pc.is_in(rows["treeoflife_id"], value_set=_written(labelled.ledgers)))
    for place, column in enumerate(written.schema):
        if pa.types.is_dictionary(column.type):  # categories of two datasets are not comparable
            written = written.set_column(place, column.name, written[column.name].cast(pa.string()))
    frame: pd.DataFrame = written.drop_columns(["treeoflife_id"]).to_pandas()
    return frame.fillna(dict.fromkeys((*LABELS, NAME_RULES), ""))


def _written(ledgers: Iterable[Path]) -> pa.Array:
    pieces = [
        read_previous(path, ["id"], {"state": [State.WRITTEN]})["id"] for path in ledgers if path.exists()
    ]
    return pa.concat_arrays(
        [pa.array([], pa.string()), *(chunk for piece in pieces for chunk in piece.chunks)]
    )

"""What the sources of images say of their taxa, as a taxonomy: a source of its own, to align with a reference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from tol_luigi.core.names import strip_html
from tol_luigi.core.taxon import RANK_LABELS
from tol_luigi.taxonomy.records import TAXA, Records

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tol_luigi.core.source import NameRecord

__all__ = ["Label", "LabelRecords", "label_of", "label_records"]

_ROOT = "life"
_SEPARATOR = "\x1f"
"""Between the parts of a path; no name contains it."""

_UNKNOWN = frozenset({"(unidentified)", "unknown", "pleasehelp", "not_classified", "unidentified", ""})
_GENUS, _SPECIES = RANK_LABELS.index("genus"), RANK_LABELS.index("species")


Label = tuple[tuple[str, str], ...]
"""The ranks and names that a source gives, highest first; the rank is "" if it is unknown."""


@dataclass(frozen=True)
class LabelRecords:
    """Labels as a taxonomy.

    Attributes:
        records: The taxonomy: a root, and a taxon for each beginning of a label.
        uids: The ids in it of the taxa of each label, highest first.
    """

    records: Records
    uids: dict[Label, tuple[str, ...]]


def label_of(record: NameRecord) -> Label:
    """Return the label in a record: its known ranks, the species with its genus, and its name of unknown rank.

    Names that mean "unknown" do not count.
    """
    names = [" ".join(strip_html(name).split()) for name in record.ranks]
    known = ["" if name.lower() in _UNKNOWN else name for name in names]
    known[_SPECIES] = _full_species(known[_GENUS], known[_SPECIES])
    label = [(rank, name) for rank, name in zip(RANK_LABELS, known, strict=True) if name]
    name = " ".join(strip_html(record.name).replace("_", " ").split())
    if name and name.lower() not in _UNKNOWN and not known[_SPECIES]:
        label.append(("", name))
    return tuple(label)


def _full_species(genus: str, species: str) -> str:
    """Return the complete name of a species, of which a source may give the epithet alone."""
    if not species or not genus or species.split(maxsplit=1)[0].lower() == genus.lower():
        return species
    is_epithet = species[0].islower() or species[0] == "×"  # noqa: RUF001 (the sign of hybrids)
    return f"{genus} {species}" if is_epithet else species


def label_records(labels: Iterable[Label]) -> LabelRecords:
    """Return labels as a taxonomy; the same names below the same names are one taxon."""
    uids: dict[Label, tuple[str, ...]] = {}
    rows: dict[str, tuple[str, str, str]] = {}  # uid: parent, name, rank
    for label in dict.fromkeys(labels):
        above, path = _ROOT, []
        for rank, name in label:
            uid = f"{above}{_SEPARATOR}{rank}:{name}"
            rows.setdefault(uid, (above, name, rank))
            path.append(uid)
            above = uid
        uids[label] = tuple(path)
    return LabelRecords(Records("label", _taxa(rows)), uids)


def _taxa(rows: dict[str, tuple[str, str, str]]) -> pa.Table:
    count = len(rows) + 1
    parents, names, ranks = zip(*rows.values(), strict=True) if rows else ((), (), ())
    empty = pa.repeat(pa.scalar("", pa.string()), count)
    columns: Sequence[object] = (
        [_ROOT, *rows],
        [None, *parents],
        [_ROOT, *names],
        empty,
        ["", *ranks],
        empty,
        pa.repeat(pa.scalar(0, pa.uint32()), count),
        empty,
    )
    return pa.table(
        [pa.array(column, field.type) for column, field in zip(columns, TAXA, strict=True)], schema=TAXA
    )

"""What the sources of images say of their taxa, as a taxonomy: a source of its own, to align with a reference."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from tol_luigi.core.names import strip_html
from tol_luigi.core.taxon import RANK_LABELS
from tol_luigi.taxonomy.records import TAXA, Records
from tol_luigi.taxonomy.scientific_names import CROSS, NameKind, parse_name

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
"""The ranks and names that a source gives, highest first; the rank is "" if it is unknown or below the species."""


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
    name = " ".join(strip_html(record.name).replace("_", " ").split())
    rest: list[tuple[str, str]] = []
    if name and name.lower() not in _UNKNOWN and not known[_SPECIES]:
        genus, species, own = _parts_of(name)
        known[_GENUS] = known[_GENUS] or genus
        known[_SPECIES] = species
        rest = [("", own)] if own else []
    return (*((rank, each) for rank, each in zip(RANK_LABELS, known, strict=True) if each), *rest)


@functools.cache  # many images have the same name
def _parts_of(name: str) -> tuple[str, str, str]:
    """Return the genus and the species in a scientific name, and the name itself if it is neither; each may be ""."""
    parsed = parse_name(name)
    words = parsed.name.replace(f"{CROSS} ", "").split()
    if len(words) <= 1 or not words[0][0].isupper():
        return "", "", parsed.name
    if parsed.kind not in {NameKind.SCIENTIFIC, NameKind.HYBRID}:
        return words[0], "", parsed.name
    if len(words) == 2:  # noqa: PLR2004 (genus and epithet)
        return words[0], parsed.name, ""
    return words[0], " ".join(parsed.name.split()[: -len(words) + 2]), parsed.name


def _full_species(genus: str, species: str) -> str:
    """Return the complete name of a species, of which a source may give the epithet alone."""
    first, *others = species.split() or [""]
    if not first or not genus or (others and first.lower() == genus.lower()):
        return species
    is_epithet = first[0].islower() or first[0] == "×"  # noqa: RUF001 (the sign of hybrids)
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

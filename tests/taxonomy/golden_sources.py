"""The sources and the answer of the Open Tree's union of Asterales, as its program wrote them."""

from __future__ import annotations

import csv
import gzip
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from tol_luigi.taxonomy.flags import flags_of
from tol_luigi.taxonomy.ranks import rank_of
from tol_luigi.taxonomy.reasons import Heuristics, Refine
from tol_luigi.taxonomy.records import NAMES, TAXA, Records
from tol_luigi.taxonomy.union import Union, build_union

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["golden_answer", "golden_union"]


def golden_union(shared: Path) -> Union:
    """Return the union of separation list, NCBI and GBIF that the Open Tree's rules give."""
    folder = shared / "golden" / "taxonomy"
    separation, *sources = (
        _records(folder / name, prefix)
        for name, prefix in (("separation", "separation"), ("ncbi_aster", "ncbi"), ("gbif_aster", "gbif"))
    )
    return build_union(sources, separation, refine=Refine.OTT, heuristics=Heuristics.OTT)


def golden_answer(shared: Path) -> list[dict[str, str]]:
    """Return the rows of the union that the Open Tree's program has written."""
    path = shared / "golden" / "taxonomy" / "aster_union_taxonomy.tsv.gz"
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def _records(folder: Path, prefix: str) -> Records:
    taxa = [
        {
            "uid": row["uid"],
            "parent": row["parent_uid"] or None,
            "name": row["name"],
            "authorship": "",
            "rank": rank_of(row["rank"]),
            "code": "",
            "flags": int(flags_of(row.get("flags", ""))),
            "sources": "",
        }
        for row in _rows(folder, "taxonomy.tsv")
    ]
    names = [
        {"uid": row["uid"], "name": row["name"], "authorship": "", "type": row.get("type") or "synonym"}
        for row in _rows(folder, "synonyms.tsv")
    ]
    return Records(prefix, pa.Table.from_pylist(taxa, TAXA), pa.Table.from_pylist(names, NAMES))


def _rows(folder: Path, name: str) -> list[dict[str, Any]]:
    path = folder / name
    text = path.read_text("utf-8") if path.exists() else _unpacked(folder / f"{name}.gz")
    separator = "\t|\t" if "\t|\t" in text.partition("\n")[0] else "\t"
    lines = [[cell.strip("\t|") for cell in line.split(separator)] for line in text.splitlines()]
    return [dict(zip(lines[0], line, strict=False)) for line in lines[1:]]


def _unpacked(path: Path) -> str:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return file.read()

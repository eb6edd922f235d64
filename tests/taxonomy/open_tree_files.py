"""The Open Tree's cases and answers in the reference material."""

from __future__ import annotations

import gzip
import io
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa

from tol_luigi.taxonomy.flags import Flag
from tol_luigi.taxonomy.ranks import rank_of
from tol_luigi.taxonomy.records import NAMES, TAXA, Records

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OUR_REASONS = {"same/by-division-name": "division name"}
"""The reasons that are called otherwise here."""


def read_rows(path: Path) -> Iterator[dict[str, str]]:
    """Yield the rows of a file of the Open Tree, whose columns a tab separates, or a tab, a bar and a tab."""
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    with io.StringIO(content.decode()) as lines:
        heading = next(lines)
        separator = "\t|\t" if "\t|\t" in heading else "\t"
        columns = heading.strip("\n").split(separator)
        for line in lines:
            yield dict(zip(columns, line.strip("\n").split(separator), strict=False))


def read_open_tree(folder: Path, prefix: str) -> Records:
    """Return a taxonomy of the Open Tree.

    The answers were made without the flags in its files, but for those of containers.
    """
    suffix = ".gz" if (folder / "taxonomy.tsv.gz").exists() else ""
    taxa = [_taxon(row) for row in read_rows(folder / f"taxonomy.tsv{suffix}")]
    names = [_synonym(row) for row in read_rows(folder / f"synonyms.tsv{suffix}")]
    return Records(prefix, pa.Table.from_pylist(taxa, TAXA), pa.Table.from_pylist(names, NAMES))


def _taxon(row: dict[str, str]) -> dict[str, object]:
    flags = Flag.WAS_CONTAINER if "was_container" in row.get("flags", "") else Flag(0)
    return {
        "uid": row["uid"],
        "parent": row["parent_uid"] or None,
        "name": row["name"],
        "authorship": "",
        "rank": rank_of(row["rank"]),
        "code": "",
        "flags": int(flags),
        "sources": "",
    }


def _synonym(row: dict[str, str]) -> dict[str, object]:
    return {
        "uid": row["uid"],
        "name": row["name"],
        "authorship": "",
        "type": row.get("type") or "synonym",
    }


@dataclass
class NewickCase:
    """Two trees, and what the Open Tree made of them."""

    first: str
    second: str
    result: str = ""
    want: str = ""
    align: list[tuple[str, str, str]] = field(default_factory=list)
    flags: dict[str, str] = field(default_factory=dict)


_MERGED = re.compile(r"(.*) \+ (.*) = (.*);  want (.*?)(?: OK| -- .*)")
_ALIGNED = re.compile(r"align-test (\w+): (.*) \| (.*) : .*")


def read_newick_cases(path: Path) -> tuple[list[NewickCase], dict[str, NewickCase]]:
    """Return the cases of merges, and those of alignments by the heuristic that decides."""
    merges, alignments = [], {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if found := _MERGED.match(line):
            first, second, result, want = found.groups()
            case = NewickCase(first, second, result + ";", f"{want};" if want.startswith("(") else "")
            merges.append(case)
        elif found := _ALIGNED.match(line):
            heuristic, first, second = found.groups()
            case = alignments[heuristic] = NewickCase(first, second)
        elif line.strip().startswith("align:"):
            case.align = [_answer(text) for text in line.partition(":")[2].split(";") if text.strip()]
        elif line.strip().startswith("flags:"):
            case.flags = dict(re.findall(r"(\w+)\[(.*?)\]", line))
    return merges, alignments


def _answer(text: str) -> tuple[str, str, str]:
    """Return a name, its target and the reason of ``a->b:reason`` and ``a->none``."""
    name, target, reason = re.fullmatch(r"\s*(.*?)->(.*?)(?::(.*))?", text).groups()
    return (name, "", "none") if target == "none" else (name, target, OUR_REASONS.get(reason, reason))

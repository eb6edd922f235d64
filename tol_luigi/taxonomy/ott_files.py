"""The text files of a reference taxonomy, as the Open Tree writes its own.

Source: ``doc/interim-format.md`` of the Open Tree's reference taxonomy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tol_luigi.core.files import committed
from tol_luigi.taxonomy.flags import flags_text
from tol_luigi.taxonomy.products import ACCEPTED, CONFLICTS, DEPRECATED, FORWARDS
from tol_luigi.taxonomy.text_columns import one_line, utf8_chunks
from tol_luigi.taxonomy.unique_names import synonym_names

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tol_luigi.taxonomy.products import ReferenceTables

__all__ = ["TEXT_FILES", "write_text_files"]

TEXT_FILES = ("taxonomy.tsv", "synonyms.tsv", "forwards.tsv", "conflicts.tsv", "deprecated.tsv")
"""The files that :func:`write_text_files` writes."""

_BAR, _TAB = ("\t|\t", "\t|\t\n"), ("\t", "\n")
"""The text between two columns, and the text at the end of a row."""

_OTT_RANKS = {"variety": "varietas", "form": "forma"}
_UNRANKED, _UNRANKED_TIP = "no rank", "no rank - terminal"
_ROWS = 1 << 17
"""The number of rows that are in memory as text at the same time."""


def write_text_files(folder: Path, tables: ReferenceTables) -> None:
    """Write ``TEXT_FILES``, each atomically. A tab or line break in a value becomes a space."""
    _write(folder / "taxonomy.tsv", _taxonomy(tables.taxa), _BAR)
    _write(folder / "synonyms.tsv", _synonyms(tables), _BAR)
    _write(folder / "forwards.tsv", _columns(tables.forwards, FORWARDS.names), _TAB)
    ours = [name for name in CONFLICTS.names if name != "source"]
    _write(folder / "conflicts.tsv", _columns(tables.conflicts, [*ours, "source"]), _TAB)
    _write(folder / "deprecated.tsv", _columns(tables.deprecated, DEPRECATED.names), _TAB)


def _taxonomy(taxa: pa.Table) -> dict[str, pa.Array]:
    is_tip = pc.invert(pc.is_in(taxa["tol_id"], value_set=pc.unique(taxa["parent"])))
    return {
        "uid": taxa["tol_id"],
        "parent_uid": taxa["parent"],
        "name": taxa["name"],
        "rank": _ott_ranks(taxa["rank"], is_tip),
        "sourceinfo": taxa["sources"],
        "uniqname": taxa["unique_name"],
        "flags": _flag_texts(taxa["flags"]),
    }


def _synonyms(tables: ReferenceTables) -> dict[str, pa.Array]:
    names = tables.names.filter(pc.not_equal(tables.names["type"], ACCEPTED))
    rows = pc.index_in(names["tol_id"], value_set=tables.taxa["tol_id"].combine_chunks())
    return {
        "name": names["name"],
        "uid": names["tol_id"],
        "type": names["type"],
        "uniqname": synonym_names(names["name"], tables.taxa["name"].take(rows)),
        "sourceinfo": names["source"],
    }


def _columns(table: pa.Table, names: list[str]) -> dict[str, pa.Array]:
    return {name: table[name] for name in names}


def _ott_ranks(ranks: pa.ChunkedArray, is_tip: pa.ChunkedArray) -> pa.Array:
    """Return ranks as the Open Tree spells them."""
    encoded = ranks.combine_chunks().dictionary_encode()
    values = pa.array([_OTT_RANKS.get(rank, rank) for rank in encoded.dictionary.to_pylist()], pa.string())
    missing = pc.if_else(is_tip, _UNRANKED_TIP, _UNRANKED)
    return pc.if_else(pc.equal(ranks, ""), missing, values.take(encoded.indices))


def _flag_texts(flags: pa.ChunkedArray) -> pa.Array:
    values, places = np.unique(flags.to_numpy(), return_inverse=True)
    return pa.array([flags_text(int(value)) for value in values], pa.string()).take(pa.array(places))


def _write(path: Path, columns: Mapping[str, pa.Array], layout: tuple[str, str]) -> None:
    between, end = layout
    with committed(path) as scratch, scratch.open("wb") as file:
        file.write((between.join(columns) + end).encode())
        for rows in _chunks(pa.table(dict(columns))):
            texts = [one_line(rows[name]) for name in rows.column_names]
            last = pc.binary_join_element_wise(texts[-1], end, "")
            file.writelines(utf8_chunks(pc.binary_join_element_wise(*texts[:-1], last, between)))


def _chunks(table: pa.Table) -> Iterator[pa.Table]:
    for start in range(0, len(table), _ROWS):
        yield table.slice(start, _ROWS)

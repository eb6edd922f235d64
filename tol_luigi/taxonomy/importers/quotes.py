"""Quotes in tables that are written without quoting, where programs have left them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from tol_luigi.taxonomy.importers.assemble import repairs_of, with_columns
from tol_luigi.taxonomy.importers.sheet import LINE
from tol_luigi.taxonomy.records import REPAIRS, Repair

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["without_quotes"]

_QUOTE = '"'


def without_quotes(table: pa.Table, columns: Iterable[str], id_column: str) -> tuple[pa.Table, pa.Table]:
    """Return a table without the quotes around cells, and without single ones at their ends; and the repairs."""
    log = [REPAIRS.empty_table()]
    for column in columns:
        mask = pc.match_substring(table[column], _QUOTE)
        if not pc.any(mask).as_py():
            continue
        before = table[column].combine_chunks()
        repaired = pa.array(
            [_unquoted(text) for text in before.filter(mask.combine_chunks()).to_pylist()], pa.string()
        )
        after = pc.replace_with_mask(before, mask.combine_chunks(), repaired)
        changed = pc.not_equal(before, after)
        rows = table.filter(changed)
        log.append(
            repairs_of(
                Repair.QUOTES, rows[id_column], rows[LINE], before.filter(changed), after.filter(changed)
            )
        )
        table = with_columns(table, **{column: after})
    return table, pa.concat_tables(log)


def _unquoted(text: str) -> str:
    if len(text) > 1 and text.startswith(_QUOTE) and text.endswith(_QUOTE):
        return text[1:-1].replace(_QUOTE * 2, _QUOTE).strip()
    if text.count(_QUOTE) % 2:
        return text.strip(_QUOTE).strip() if text.startswith(_QUOTE) or text.endswith(_QUOTE) else text
    return text

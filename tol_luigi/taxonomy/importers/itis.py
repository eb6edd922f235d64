"""Read ``species_level_taxonomy_chains.csv``, in which each row is a taxon of ITIS with all taxa above it.

Where the table has the numbers of the taxa (TSN), they identify them; otherwise, their paths do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from tol_luigi.core.errors import TolError
from tol_luigi.core.taxon import RANK_LABELS
from tol_luigi.taxonomy.importers.assemble import assemble, repairs_of, with_columns
from tol_luigi.taxonomy.importers.files import files_of
from tol_luigi.taxonomy.importers.flat import rank_label
from tol_luigi.taxonomy.importers.importer import Importer
from tol_luigi.taxonomy.importers.paths import known_names, lowest_ids, path_taxa
from tol_luigi.taxonomy.importers.sheet import COMMA, LINE, TableFile, read_sheet
from tol_luigi.taxonomy.importers.values import constant
from tol_luigi.taxonomy.records import Repair

if TYPE_CHECKING:
    from pathlib import Path

    from tol_luigi.taxonomy.records import Records

__all__ = ["ITIS_CHAINS"]

_TABLE = "species_level_taxonomy_chains.csv"
_CHAINS = {"hierarchy_string_tsn": "-", "hierarchy_string_names": "->", "hierarchy_string_ranks": "->"}
_TSNS, _NAMES, _RANKS = _CHAINS
_VERNACULARS = ("terminal_vernacular", "terminal_vernacular_lang")
_LINK = ("uid", "parent", "name", "rank")
_BATCH = 1 << 16
_BETWEEN = ", "


def _read(path: Path, prefix: str, vernaculars: Path | None = None, /) -> Records:
    """Return the taxa in all chains, and the vernacular names of their last taxa."""
    del vernaculars
    files = files_of(path)
    file = TableFile(files, files.main(_TABLE), COMMA)
    if set(_CHAINS) <= {name.strip().lower() for name in file.header()}:
        return _numbered(prefix, file)
    return _by_path(prefix, file)


def _by_path(prefix: str, file: TableFile) -> Records:
    """Return taxa that are identified by their paths."""
    sheet = read_sheet(file, RANK_LABELS, _VERNACULARS, rank_label)
    table = sheet.table
    ranks = known_names({rank: table[rank] for rank in RANK_LABELS})
    named = _vernaculars(table, lowest_ids(ranks))
    return assemble(prefix, [sheet], taxa=path_taxa(ranks, table[LINE]), vernaculars=named)


def _numbered(prefix: str, file: TableFile) -> Records:
    """Return taxa that are identified by their numbers."""
    sheet = read_sheet(file, tuple(_CHAINS), _VERNACULARS, rank_label)
    table = sheet.table
    lists = [pc.split_pattern(table[name].combine_chunks(), sign) for name, sign in _CHAINS.items()]
    lengths = list(map(pc.list_value_length, lists))
    is_whole = pc.and_(pc.equal(lengths[0], lengths[1]), pc.equal(lengths[0], lengths[2]))
    broken = table.filter(pc.invert(is_whole))
    whole = table.filter(is_whole)
    return assemble(
        prefix,
        [sheet],
        taxa=_chain_taxa(whole),
        vernaculars=_vernaculars(whole, pc.replace_substring_regex(whole[_TSNS], "^.*-", "")),
        repairs=[repairs_of(Repair.ROW_LENGTH, broken[_TSNS], broken[LINE], broken[_NAMES])],
    )


def _chain_taxa(rows: pa.Table) -> pa.Table:
    """Return the distinct taxa of chains; if a number has several places, the first in order of their names counts."""
    parts = [_distinct(_links(rows.slice(start, _BATCH))) for start in range(0, rows.num_rows, _BATCH)]
    return _distinct(pa.concat_tables(parts or [_links(rows)])).sort_by(
        [(name, "ascending") for name in _LINK]
    )


def _links(rows: pa.Table) -> pa.Table:
    """Return a row for each taxon of each chain."""
    uids, names, ranks = (
        pc.split_pattern(rows[name].combine_chunks(), sign) for name, sign in _CHAINS.items()
    )
    chains = pc.list_parent_indices(uids)
    is_first = pc.not_equal(
        chains, pa.concat_arrays([pa.array([-1], chains.type), chains[:-1]])[: len(chains)]
    )
    flat = pc.list_flatten(uids)
    above = pa.concat_arrays([pa.array([""], pa.string()), flat[:-1]])[: len(flat)]
    return pa.table(
        {
            "uid": pc.utf8_trim_whitespace(flat),
            "parent": pc.if_else(is_first, "", pc.utf8_trim_whitespace(above)),
            "name": pc.utf8_trim_whitespace(pc.list_flatten(names)),
            "rank": pc.utf8_trim_whitespace(pc.list_flatten(ranks)),
            LINE: rows[LINE].combine_chunks().take(chains),
        }
    )


def _distinct(links: pa.Table) -> pa.Table:
    return links.group_by(list(_LINK)).aggregate([(LINE, "min")]).rename_columns([*_LINK, LINE])


def _vernaculars(rows: pa.Table, uids: pa.ChunkedArray) -> pa.Table:
    """Return the vernacular names of the last taxa of chains."""
    is_named = pc.not_equal(rows["terminal_vernacular"], "")
    named = rows.filter(is_named)
    columns = (
        uids.filter(is_named),
        named["terminal_vernacular"],
        named["terminal_vernacular_lang"],
        named[LINE],
    )
    found = [
        (uid, name, language, line)
        for uid, names, languages, line in zip(*(column.to_pylist() for column in columns), strict=True)
        for name, language in _paired(names, languages)
    ]
    kinds = (pa.string(), pa.string(), pa.string(), pa.int64())
    lists = zip(*found, strict=True) if found else [()] * len(kinds)
    arrays = [pa.array(values, kind) for values, kind in zip(lists, kinds, strict=True)]
    table = pa.table(arrays, names=["uid", "name", "language", LINE])
    return with_columns(table, is_preferred=constant(value=False, count=len(found), kind=pa.bool_()))


def _paired(names: str, languages: str) -> list[tuple[str, str]]:
    """Return the names in a cell with their languages.

    A name may contain a comma itself. With one language, the cell is one name; if names and languages cannot be paired, the
    languages are unknown.
    """
    each, stated = names.split(_BETWEEN), languages.split(_BETWEEN)
    if len(each) == len(stated):
        return list(zip(each, stated, strict=True))
    return [(names, languages)] if len(stated) == 1 else [(name, "") for name in each]


def _recognises(path: Path) -> bool:
    try:
        files = files_of(path)
        name = files.names[0] if files.is_single else files.find(_TABLE)
        return name is not None and set(_VERNACULARS) <= set(TableFile(files, name, COMMA).header())
    except TolError:
        return False


ITIS_CHAINS = Importer(
    name="itis-chains",
    description="the chains of ITIS, one per species",
    place=f"{_TABLE}, or the folder or archive that contains it",
    read=_read,
    recognises=_recognises,
)

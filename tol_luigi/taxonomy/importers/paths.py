"""Make trees of flat tables, whose rows contain the names of all higher ranks.

A taxon is identified by its complete path, so that names that occur in several places are several taxa. Ranks that are
missing in the middle are skipped. The result does not depend on the order of the rows.
"""

from __future__ import annotations

import collections
import functools
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from tol_luigi.core.taxon import RANK_LABELS
from tol_luigi.taxonomy.importers.assemble import with_columns
from tol_luigi.taxonomy.importers.sheet import LINE
from tol_luigi.taxonomy.importers.values import constant, converted, is_one_of
from tol_luigi.taxonomy.ranks import LEVELS, rank_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["SEPARATOR", "known_names", "lowest_ids", "path_taxa", "placed_taxa", "with_genus"]

SEPARATOR = "|"
"""Between the names in the id of a taxon, such as ``Animalia|Chordata|Aves``; nothing is between them if a rank is missing."""

_SLICE = 1 << 17
_ESCAPES = (("%", "%25"), (",", "%2C"), (SEPARATOR, "%7C"))
"""Characters with a meaning in ids or in lists of ids."""

_WORDS = ("not_classified", "not classified", "(unidentified)", "unidentified", "unknown", "pleasehelp")
_UNKNOWN = (pa.array([*_WORDS, "nan", "none", "null"]), pa.array(_WORDS))
"""Words for an unknown name, of any rank but species; and of species, since "nan" is an epithet: Dermestes nan is a beetle."""


def known_names(ranks: Mapping[str, pa.ChunkedArray]) -> dict[str, pa.ChunkedArray]:
    """Return the names in columns; words that mean an unknown name become ""."""
    return {
        rank: pc.if_else(pc.is_in(pc.utf8_lower(names), value_set=_UNKNOWN[rank == "species"]), "", names)
        for rank, names in ranks.items()
    }


def with_genus(genus: pa.ChunkedArray, species: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return the complete names of species, of which a table may contain the epithets alone."""
    is_epithet = pc.and_(pc.match_substring_regex(species, "^[a-z×]"), pc.not_equal(genus, ""))  # noqa: RUF001 (hybrids)
    return pc.if_else(is_epithet, pc.binary_join_element_wise(genus, species, " "), species)


def path_taxa(ranks: Mapping[str, pa.ChunkedArray], lines: pa.ChunkedArray) -> pa.Table:
    """Return all taxa in the rows of a flat table: ``uid``, ``parent``, ``name``, ``rank``, ``line``, sorted by ``uid``.

    Args:
        ranks: The names in each row by rank, the highest rank first, "" if unknown.
        lines: The line of each row; that of a taxon is the first one.
    """
    distinct = pa.table({**ranks, LINE: lines}).group_by(list(ranks)).aggregate([(LINE, "min")])
    above = constant("", distinct.num_rows, pa.string())
    levels = []
    for rank, uid in _path_ids({rank: distinct[rank] for rank in ranks}):
        level = pa.table(
            {
                "uid": uid,
                "parent": above,
                "name": distinct[rank],
                "rank": constant(rank, distinct.num_rows, pa.string()),
                LINE: distinct[f"{LINE}_min"],
            }
        ).filter(pc.not_equal(distinct[rank], ""))
        grouped = level.group_by(["uid", "parent", "name", "rank"]).aggregate([(LINE, "min")])
        levels.append(grouped.rename_columns(["uid", "parent", "name", "rank", LINE]))
        above = uid
    return pa.concat_tables(levels).sort_by("uid")


def _path_ids(ranks: Mapping[str, pa.ChunkedArray]) -> Iterator[tuple[str, pa.ChunkedArray]]:
    """Yield for each rank the ids of the lowest taxa that the rows have at this rank or above; "" if there is none."""
    path = lowest = None
    for rank, names in ranks.items():
        name = functools.reduce(lambda text, pair: pc.replace_substring(text, *pair), _ESCAPES, names)
        path = name if path is None else pc.binary_join_element_wise(path, name, SEPARATOR)
        lowest = pc.if_else(pc.equal(names, ""), "" if lowest is None else lowest, path)
        yield rank, lowest


def lowest_ids(ranks: Mapping[str, pa.ChunkedArray]) -> pa.ChunkedArray:
    """Return the ids of the lowest taxa of rows."""
    return collections.deque(_path_ids(ranks), maxlen=1).pop()[1]


def placed_taxa(rows: pa.Table, ranks: Sequence[str] = RANK_LABELS) -> pa.Table:
    """Return the taxa of a table with one row for each, in which the names of the higher ranks determine its place.

    Args:
        rows: ``uid``, ``name``, ``rank`` as the source writes it, ``line``, and the columns of ``ranks``; others are kept.
        ranks: The ranks with columns, the highest first.

    Returns:
        The rows with ``parent`` in place of the ranks; and the taxa above them that have no row, whose ids are their paths.
    """
    higher = [
        pa.table({**above, LINE: part[LINE]}).group_by(list(ranks)).aggregate([(LINE, "min")])
        for part, _, above in _slices(rows, ranks)
    ]
    distinct = pa.concat_tables(higher)
    created = path_taxa({rank: distinct[rank] for rank in ranks}, distinct[f"{LINE}_min"])
    own = [_own_paths(part, own, above, created["uid"]) for part, own, above in _slices(rows, ranks)]
    by_path = pa.concat_tables(own).group_by("path").aggregate([("uid", "min")])
    by_path = by_path.rename_columns(["path", "uid"])
    created = created.filter(pc.invert(is_one_of(created["uid"], by_path["path"])))
    created = with_columns(created, parent=_renamed(created["parent"], by_path))
    parents = [_renamed(lowest_ids(above), by_path) for _, _, above in _slices(rows, ranks)]
    placed = with_columns(rows.drop_columns(list(ranks)), parent=_joined(parents))
    return pa.concat_tables([placed, _filled(created, placed.schema)])


def _slices(
    rows: pa.Table, ranks: Sequence[str]
) -> Iterator[tuple[pa.Table, pa.ChunkedArray, dict[str, pa.ChunkedArray]]]:
    """Yield parts of rows with their ranks, and the names above each row: the paths of all would need much memory."""
    for start in range(0, max(rows.num_rows, 1), _SLICE):
        part = rows.slice(start, _SLICE)
        own = converted(part["rank"], rank_of, pa.string())
        yield part, own, _above(part, own, ranks)


def _joined(parts: Sequence[pa.ChunkedArray | pa.Array]) -> pa.ChunkedArray:
    return pa.chunked_array(
        [chunk for part in parts for chunk in (part.chunks if isinstance(part, pa.ChunkedArray) else [part])],
        pa.string(),
    )


def _above(rows: pa.Table, own: pa.ChunkedArray, ranks: Sequence[str]) -> dict[str, pa.ChunkedArray]:
    """Return the names in each row of the ranks above its own. Without a rank, its own name is not above it."""
    levels = pa.array([0, *LEVELS.values()])
    level = levels.take(pc.index_in(own, value_set=pa.array(["", *LEVELS])))
    found = {}
    for rank in ranks:
        is_other = pc.and_(pc.equal(level, 0), pc.not_equal(rows[rank], rows["name"]))
        is_above = pc.or_(is_other, pc.greater(level, LEVELS[rank]))
        found[rank] = pc.if_else(is_above, rows[rank], "")
    return found


def _own_paths(
    rows: pa.Table, own: pa.ChunkedArray, above: Mapping[str, pa.ChunkedArray], wanted: pa.ChunkedArray
) -> pa.Table:
    """Return path and id of the rows that have one of the paths."""
    is_path = pc.and_(pc.is_in(own, value_set=pa.array(list(above))), pc.not_equal(rows["uid"], ""))
    names = {rank: pc.if_else(pc.equal(own, rank), rows["name"], name) for rank, name in above.items()}
    paths = pa.table({"path": lowest_ids(names), "uid": rows["uid"]})
    return paths.filter(pc.and_(is_path, is_one_of(paths["path"], wanted)))


def _renamed(paths: pa.ChunkedArray, by_path: pa.Table) -> pa.ChunkedArray:
    """Return the ids of the rows that have a path, and the paths that no row has."""
    places = pc.index_in(paths, value_set=by_path["path"].combine_chunks())
    return pc.coalesce(by_path["uid"].combine_chunks().take(places), paths)


def _filled(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return a table with the columns of a schema; those that it lacks are "", or 0."""
    columns = {}
    for field in schema:
        value = "" if pa.types.is_string(field.type) else 0
        is_own = field.name in table.column_names
        columns[field.name] = table[field.name] if is_own else constant(value, table.num_rows, field.type)
    return pa.table(columns, schema=schema)

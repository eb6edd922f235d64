"""Read a dump of the NCBI Taxonomy: ``nodes.dmp``, ``names.dmp`` and ``merged.dmp``.

Source: ``readme.txt`` of ``taxdump.tar.gz``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from tol_luigi.core.errors import TolError
from tol_luigi.taxonomy.flags import Flag
from tol_luigi.taxonomy.importers.assemble import assemble, with_columns
from tol_luigi.taxonomy.importers.files import files_of
from tol_luigi.taxonomy.importers.importer import Importer
from tol_luigi.taxonomy.importers.names import author_in
from tol_luigi.taxonomy.importers.sheet import PIPED, TableFile, read_columns
from tol_luigi.taxonomy.importers.types import Use, use_of
from tol_luigi.taxonomy.importers.values import constant, converted, flagged, is_first
from tol_luigi.taxonomy.records import REPAIRS, Code

if TYPE_CHECKING:
    from pathlib import Path

    from tol_luigi.taxonomy.records import Records

__all__ = ["NCBI"]

_NODES, _NAMES, _MERGED = "nodes.dmp", "names.dmp", "merged.dmp"
_SCIENTIFIC, _AUTHORITY, _PREFERRED = "scientific name", "authority", "genbank common name"

_CODES = {
    "0": Code.BACTERIAL,
    "2": Code.ZOOLOGICAL,
    "3": Code.VIRAL,
    "5": Code.ZOOLOGICAL,
    "6": Code.ZOOLOGICAL,
    "9": Code.VIRAL,
    "10": Code.ZOOLOGICAL,
}
"""Codes by divisions of GenBank; its plants and invertebrates contain protists, so they have none."""


def _read(path: Path, prefix: str, vernaculars: Path | None = None, /) -> Records:
    """Return the taxa, with synonyms, English names, and ids that were merged."""
    del vernaculars
    files = files_of(path)
    places = {"uid": 0, "parent": 1, "rank": 2, "division": 4}
    nodes = read_columns(TableFile(files, files.main(_NODES), PIPED), places)
    names = read_columns(TableFile(files, files.main(_NAMES), PIPED), {"uid": 0, "name": 1, "class": 3})
    merged = files.find_filled(_MERGED)
    forwards = read_columns(TableFile(files, merged, PIPED), {"uid": 0, "replacement": 1}) if merged else None
    is_name = _is_name(names.table, nodes.table)
    own, others = names.table.filter(is_name), names.table.filter(pc.invert(is_name))
    uses = converted(others["class"], lambda text: use_of(text).value, pa.string())
    synonyms, english, left_out = (
        others.filter(pc.equal(uses, use.value)) for use in (Use.SYNONYM, Use.VERNACULAR, Use.LEFT_OUT)
    )
    logs = [nodes.without_rows(), names.without_rows()]
    del names, others  # some hundred megabytes
    return assemble(
        prefix,
        logs,
        taxa=_taxa(nodes.table, own, left_out.filter(pc.equal(left_out["class"], _AUTHORITY))),
        names=synonyms.rename_columns({"class": "type"}),
        vernaculars=_vernaculars(english),
        forwards=forwards.table if forwards else None,
        repairs=[forwards.repairs if forwards else REPAIRS.empty_table()],
        left_out=left_out.num_rows,
        joined=own.num_rows,
    )


def _is_name(names: pa.Table, nodes: pa.Table) -> pa.ChunkedArray:
    """Return whether a row is the name of its taxon: the first scientific name of an existing one."""
    is_scientific = pc.and_(
        pc.equal(names["class"], _SCIENTIFIC),
        pc.is_in(names["uid"], value_set=nodes["uid"].combine_chunks()),
    )
    return is_first(names["uid"], is_scientific)


def _taxa(nodes: pa.Table, names: pa.Table, authorities: pa.Table) -> pa.Table:
    uids = nodes["uid"]
    name = pc.fill_null(names["name"].take(pc.index_in(uids, value_set=names["uid"].combine_chunks())), "")
    authors = _authors(names, authorities)
    places = pc.index_in(uids, value_set=authors["uid"].combine_chunks())
    codes = converted(nodes["division"], lambda text: _CODES.get(text, Code.UNKNOWN).value, pa.string())
    return with_columns(
        nodes,
        parent=pc.if_else(pc.equal(nodes["parent"], uids), "", nodes["parent"]),
        name=name,
        authorship=pc.fill_null(authors["author"].take(places), ""),
        code=codes,
        flags=flagged(pc.equal(codes, Code.VIRAL.value), Flag.VIRAL),
    )


def _authors(names: pa.Table, authorities: pa.Table) -> pa.Table:
    """Return ids and authors, which follow the name of a taxon in one of its names of the type "authority"."""
    places = pc.index_in(authorities["uid"], value_set=names["uid"].combine_chunks())
    canonical = pc.fill_null(names["name"].take(places), "")
    authors = author_in(authorities["name"], canonical)
    return pa.table({"uid": authorities["uid"], "author": authors}).filter(pc.not_equal(authors, ""))


def _vernaculars(rows: pa.Table) -> pa.Table:
    english = constant("en", rows.num_rows, pa.string())
    return with_columns(rows, language=english, is_preferred=pc.equal(rows["class"], _PREFERRED))


def _recognises(path: Path) -> bool:
    try:
        files = files_of(path)
        return not files.is_single and files.find(_NODES) is not None and files.find(_NAMES) is not None
    except TolError:
        return False


NCBI = Importer(
    name="ncbi",
    description="a dump of the NCBI Taxonomy",
    place="taxdump.tar.gz, taxdmp.zip, or the folder that contains nodes.dmp and names.dmp",
    read=_read,
    recognises=_recognises,
    flags_by_name=True,
)

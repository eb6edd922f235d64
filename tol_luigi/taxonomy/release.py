"""A release of a reference taxonomy: a folder with its tables, for programs and for people."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from tol_luigi.core.errors import DatasetError
from tol_luigi.core.files import read_json, remove, write_json
from tol_luigi.taxonomy import products
from tol_luigi.taxonomy.lookup_store import write_lookup
from tol_luigi.taxonomy.newick_file import write_newick_file
from tol_luigi.taxonomy.ott_files import TEXT_FILES, write_text_files
from tol_luigi.taxonomy.parquet_files import write_parquet
from tol_luigi.taxonomy.products import ReferenceTables

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["PREVIOUS_COLUMNS", "RELEASE_FILES", "read_reference", "write_release"]

FORMAT = 1
"""The version of the tables, which ``about.json`` contains."""

_SCHEMAS = {
    "taxa": products.TAXA,
    "names": products.NAMES,
    "xref": products.XREF,
    "vernaculars": products.VERNACULARS,
    "conflicts": products.CONFLICTS,
    "forwards": products.FORWARDS,
    "deprecated": products.DEPRECATED,
}
_ABOUT = "about.json"
_NEWICK, _LOOKUP = "taxonomy.nwk", "lookup.sqlite"

RELEASE_FILES = (*(f"{name}.parquet" for name in _SCHEMAS), *TEXT_FILES, _NEWICK, _LOOKUP, _ABOUT)
"""The names of the files of a release."""

PREVIOUS_COLUMNS = {
    "taxa": ("tol_id", "parent", "name", "authorship", "rank", "code", "flags", "sources", "kingdom"),
    "xref": ("source", "source_id", "tol_id", "fate"),
    "vernaculars": ("tol_id",),
    "conflicts": ("source",),
}
"""What a build needs of the previous release, which is less than half of it."""

_REMEDY = "Name the folder of a complete reference taxonomy, or build it again"


def write_release(folder: Path, tables: ReferenceTables) -> None:
    """Write a release, each file atomically and ``about.json`` last. The same tables give the same bytes.

    Args:
        folder: The folder, which is created if it is missing.
        tables: The taxonomy.
    """
    remove(folder / _ABOUT)  # a folder without it is no release, so files of two are never mixed
    for name, schema in _SCHEMAS.items():
        write_parquet(folder / f"{name}.parquet", getattr(tables, name), schema)
    write_text_files(folder, tables)
    write_newick_file(folder / _NEWICK, tables.taxa)
    write_lookup(folder / _LOOKUP, tables)
    rows = {name: len(getattr(tables, name)) for name in _SCHEMAS}
    write_json(folder / _ABOUT, {"format": FORMAT, "rows": rows, "about": dict(tables.about)})


def read_reference(
    folder: Path, columns: Mapping[str, Sequence[str]] = MappingProxyType({})
) -> ReferenceTables:
    """Return the tables of a release.

    Args:
        folder: The folder of the release.
        columns: The only columns to read of some tables, such as ``PREVIOUS_COLUMNS``.

    Raises:
        DatasetError: The folder is no complete release, or a file of it has other content.
    """
    about = _about(folder)
    schemas = {
        name: pa.schema([schema.field(column) for column in columns.get(name, schema.names)])
        for name, schema in _SCHEMAS.items()
    }
    tables = {
        name: _table(folder / f"{name}.parquet", schema, is_part=name in columns)
        for name, schema in schemas.items()
    }
    for name, table in tables.items():
        if len(table) != about["rows"].get(name):
            what = f"has {len(table):,} rows, but {_ABOUT} says {about['rows'].get(name)}"
            raise DatasetError(folder / f"{name}.parquet", what, _REMEDY)
    return ReferenceTables(**tables, about=about["about"])


def _about(folder: Path) -> dict[str, Any]:
    path = folder / _ABOUT
    if not folder.is_dir():
        raise DatasetError(folder, "there is no such folder", _REMEDY)
    try:
        about = read_json(path)
    except FileNotFoundError as error:
        raise DatasetError(folder, f"no complete reference taxonomy: {_ABOUT} is missing", _REMEDY) from error
    except (OSError, ValueError) as error:
        raise DatasetError(path, f"cannot be read ({error})", _REMEDY) from error
    if not isinstance(about, dict) or not {"format", "rows", "about"} <= about.keys():
        raise DatasetError(path, "not the description of a reference taxonomy", _REMEDY)
    if about["format"] != FORMAT:
        what = (
            f"the taxonomy has format {about['format']}, and this version of tol_luigi reads format {FORMAT}"
        )
        raise DatasetError(path, what, _REMEDY)
    return about


def _table(path: Path, schema: pa.Schema, *, is_part: bool) -> pa.Table:
    try:
        wanted = schema.names if is_part else None
        table = pq.read_table(path, columns=wanted, memory_map=False, page_checksum_verification=True)
        return table.cast(schema)
    except FileNotFoundError as error:
        raise DatasetError(path, "the file is missing", _REMEDY) from error
    except (OSError, ValueError, pa.ArrowException) as error:
        raise DatasetError(path, f"cannot be read as a table of a taxonomy ({error})", _REMEDY) from error

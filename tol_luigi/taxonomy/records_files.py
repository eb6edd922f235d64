"""The tables of one source of a taxonomy as files: Parquet, and JSON for what the source says of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow.parquet as pq

from tol_luigi.core.files import read_json, write_json
from tol_luigi.taxonomy.parquet_files import write_parquet
from tol_luigi.taxonomy.records import FORWARDS, NAMES, REPAIRS, TAXA, VERNACULARS, Records

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["read_records", "record_files", "write_records"]

_SCHEMAS = {
    "taxa": TAXA,
    "names": NAMES,
    "vernaculars": VERNACULARS,
    "forwards": FORWARDS,
    "repairs": REPAIRS,
}
_ABOUT = "about.json"


def record_files(folder: Path) -> list[Path]:
    """Return the files of a source in a folder."""
    return [*(folder / f"{name}.parquet" for name in _SCHEMAS), folder / _ABOUT]


def write_records(folder: Path, records: Records) -> None:
    """Write the tables of a source, each atomically.

    Args:
        folder: The folder, which is created if it is missing.
        records: The tables, with the schemas of :mod:`~tol_luigi.taxonomy.records`.
    """
    for name, schema in _SCHEMAS.items():
        write_parquet(folder / f"{name}.parquet", getattr(records, name), schema)
    write_json(folder / _ABOUT, {"prefix": records.prefix, "about": dict(records.about)})


def read_records(folder: Path) -> Records:
    """Return the tables of a source that :func:`write_records` has written.

    Raises:
        OSError: A file is missing or cannot be read.
        ValueError: A file has other content.
    """
    tables = {
        name: pq.read_table(folder / f"{name}.parquet", memory_map=False).cast(schema)
        for name, schema in _SCHEMAS.items()
    }
    about = read_json(folder / _ABOUT)
    return Records(prefix=about["prefix"], about=about["about"], **tables)

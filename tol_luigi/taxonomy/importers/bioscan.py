"""Read the metadata of BIOSCAN, a flat table of insects with one row per image.

Source: ``BIOSCAN_Insect_Dataset_metadata`` of BIOSCAN-1M, and ``BIOSCAN_5M_Insect_Dataset_metadata.csv`` of BIOSCAN-5M.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from tol_luigi.core.errors import TolError
from tol_luigi.sources.tables import bioscan_rows
from tol_luigi.taxonomy.importers.files import files_of
from tol_luigi.taxonomy.importers.flat import flat_records
from tol_luigi.taxonomy.importers.importer import Importer
from tol_luigi.taxonomy.importers.sheet import COMMA, LINE, TABS, Sheet, TableFile, read_sheet
from tol_luigi.taxonomy.importers.values import constant
from tol_luigi.taxonomy.records import REPAIRS

if TYPE_CHECKING:
    from pathlib import Path

    from tol_luigi.taxonomy.records import Records

__all__ = ["BIOSCAN_METADATA"]

_ALL = {"kingdom": "Animalia", "phylum": "Arthropoda", "class": "Insecta"}
"""The ranks that the published process states for every image; the table overrides those that it has."""

_RANKS = ("order", "family", "genus", "species")
_NAMES = ("*metadata*.tsv", "*metadata*.csv", "*metadata*.jsonld", "*metadata*.json")


def _read(path: Path, prefix: str, vernaculars: Path | None = None, /) -> Records:
    """Return the taxa of the images, which have no ids of their own."""
    del vernaculars
    file = _file(path)
    is_json = file.name.lower().removesuffix(".gz").endswith((".json", ".jsonld"))
    sheet = _json_sheet(file.files.path, file.name) if is_json else read_sheet(file, _RANKS, tuple(_ALL))
    table = sheet.table
    ranks = {rank: table[rank] for rank in (*_ALL, *_RANKS)}
    for rank, name in _ALL.items():
        if not pc.any(pc.not_equal(ranks[rank], "")).as_py():
            ranks[rank] = pa.chunked_array([constant(name, table.num_rows, pa.string())])
    return flat_records(prefix, sheet, ranks)


def _file(path: Path) -> TableFile:
    files = files_of(path)
    name = files.main(*_NAMES)
    is_csv = name.lower().removesuffix(".gz").endswith(".csv")
    return TableFile(files, name, COMMA if is_csv else TABS)


def _json_sheet(path: Path, name: str) -> Sheet:
    place = path / name if path.is_dir() else path
    columns = list(zip(*(row[1:] for row in bioscan_rows(place)), strict=True)) or [()] * len(_RANKS)
    count = len(columns[0])
    empty = constant("", count, pa.string())
    table = {rank: pa.array(values, pa.string()) for rank, values in zip(_RANKS, columns, strict=True)}
    table |= dict.fromkeys(_ALL, empty)
    lines = pa.nulls(count, pa.int64())
    return Sheet(str(place), pa.table({**table, LINE: lines}), REPAIRS.empty_table(), count)


def _recognises(path: Path) -> bool:
    try:
        file = _file(path)
        return "bioscan" in file.name.lower()
    except TolError:
        return False


BIOSCAN_METADATA = Importer(
    name="bioscan-metadata",
    description="the metadata of BIOSCAN-1M or BIOSCAN-5M",
    place="the file, .tsv, .csv or .jsonld",
    read=_read,
    recognises=_recognises,
)

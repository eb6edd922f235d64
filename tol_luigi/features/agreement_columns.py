"""The files of agreement: columns that follow from the vectors of images, in the rows of these vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tol_luigi.features.agreement import AGREEMENT_COLUMNS
from tol_luigi.features.extractor import Family
from tol_luigi.features.family_files import KEY_COLUMNS, PART_ROWS, TarIdentity
from tol_luigi.features.samples import Status

if TYPE_CHECKING:
    from collections.abc import Callable

    from tol_luigi.features.extractor import Columns, Extractor
    from tol_luigi.features.family_files import FamilyFiles

__all__ = ["agreement_family", "derived_families", "prototype_family", "read_keys", "write_scores"]

_TEXTS = {"agree_top1_taxon", "agree_lca_rank", "agree_deepest_rank"}
_COUNTS = {"agree_rank_of_label"}


def agreement_family(model: str) -> Family:
    """Return the family with the agreement of image and taxon by the extractor ``clip:<model>``."""
    return Family(model.replace("clip:", "agree:"), tuple(map(_field, AGREEMENT_COLUMNS)))


def prototype_family(model: str) -> Family:
    """Return the family with the distances from the other images of a taxon."""
    columns = pa.field("proto_cos", pa.float32()), pa.field("proto_z", pa.float32())
    return Family(model.replace("clip:", "proto:"), columns)


def derived_families(model: str) -> list[Family]:
    """Return both families of the extractor ``clip:<model>``."""
    return [agreement_family(model), prototype_family(model)]


def _field(name: str) -> pa.Field:
    kind = pa.string() if name in _TEXTS else pa.int64() if name in _COUNTS else pa.float32()
    return pa.field(name, kind)


def read_keys(images: FamilyFiles[Extractor]) -> list[str]:
    """Return the keys of the samples of a shard, in their order."""
    keys: list[str] = pq.read_table(images.table, columns=["key"])["key"].to_pylist()
    return keys


def write_scores(
    images: FamilyFiles[Extractor], made: FamilyFiles[Family], scored: Callable[[slice, list[str]], Columns]
) -> None:
    """Write columns for the samples of a shard.

    Args:
        images: The files with the vectors of the images.
        made: The files to write.
        scored: Returns the columns of some samples, by their places in the shard and their keys.
    """
    receipt = images.receipt()
    if receipt is None:
        raise FileNotFoundError(images.receipt_path)
    with pq.ParquetFile(images.table, page_checksum_verification=True) as file:
        for number in range(file.num_row_groups):
            rows = file.read_row_group(number, columns=[field.name for field in KEY_COLUMNS]).to_pydict()
            start = number * PART_ROWS
            columns = scored(slice(start, start + len(rows["key"])), rows["key"])
            made.write_part(number, {**_states(rows), **_plain(columns)})
        count = file.metadata.num_rows
    made.finish(TarIdentity(receipt.inputs["tar"], int(receipt.notes.get("tar_bytes", 0))), count)


def _states(rows: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """Return the first columns: a sample without a vector has no result here either."""
    is_ok = [status == Status.OK for status in rows["status"]]
    return {
        **{name: rows[name] for name in ("uid", "key", "row")},
        "status": [Status.OK.value if ok else Status.DEPENDENCY_ERROR.value for ok in is_ok],
        "error": [None if ok else "there is no vector" for ok in is_ok],
    }


def _plain(columns: Columns) -> dict[str, list[Any]]:
    return {
        name: [
            None if isinstance(value, float) and np.isnan(value) else value for value in map(_item, values)
        ]
        for name, values in columns.items()
    }


def _item(value: Any) -> Any:  # noqa: ANN401 (a number of numpy, or anything else)
    return value.item() if isinstance(value, np.generic) else value

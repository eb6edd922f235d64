"""Reading the features of a single sample."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

from tol_luigi.features.family_files import PART_ROWS

if TYPE_CHECKING:
    from tol_luigi.core.layout import Layout
    from tol_luigi.report.image_trace import ImageTrace

__all__ = ["sample_features", "with_features"]

_PLACE = {"uid", "key", "row"}


def sample_features(folder: Path, name: str, position: int) -> dict[str, dict[str, Any]]:
    """Return the columns of one sample, by folder of the extractor; vectors are left out.

    The values are those of JSON: times are texts in ISO 8601, and bytes, such as those of hashes, hexadecimal digits.

    Args:
        folder: The folder of all families.
        name: The name of its shard without the extension, such as ``train/shard-000000``.
        position: Its place in the shard, from 0.
    """
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(folder.glob(f"*/{name}.parquet")):
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            group, row = divmod(position, PART_ROWS)
            if position >= file.metadata.num_rows:
                continue
            (values,) = file.read_row_group(group).slice(row, 1).to_pylist()
        family = path.relative_to(folder).parts[0]
        found[family] = {key: _for_json(value) for key, value in values.items() if key not in _PLACE}
    return found


def _for_json(value: object) -> object:
    if isinstance(value, bytes):
        return value.hex()
    return value.isoformat() if isinstance(value, datetime) else value


def with_features(trace: ImageTrace, layout: Layout) -> ImageTrace:
    """Return a trace with the features of the image, from its first shard: the others are copies."""
    if not trace.shards or not layout.features.is_dir():
        return trace
    shard = trace.shards[0]
    name = f"{shard['split']}/{Path(shard['path']).stem}"
    return replace(trace, features=sample_features(layout.features, name, shard["position"]))

"""A flat folder with a Parquet and an npz file for each shard, as DataComp's tools and dataset2metadata's scripts read it.

The rows of both files are the same samples in the same order. A sample that some extractor cannot use is in neither.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tol_luigi.core.export_folder import ExportFolder
from tol_luigi.features.d2m.names import DATACOMP_KEYS
from tol_luigi.features.exports.shards import usable_shards
from tol_luigi.features.npz import Rows, write_npz
from tol_luigi.features.usable import Output

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from tol_luigi.features.exports.shards import Catalog, ShardFeatures
    from tol_luigi.features.extractor import Extractor
    from tol_luigi.features.usable import UsableRows

__all__ = ["export_d2m", "export_datacomp", "write_subset"]

_SIZES = ("b32", "l14")
_BOXES = "face-boxes"


def _outputs(extractors: Sequence[Extractor], model: str) -> list[Output]:
    """Return all columns and vectors, with dataset2metadata's names for those that it has, too.

    Args:
        extractors: The extractors.
        model: The CLIP model that gets the name of ViT-L/14; "" for the one whose name has it.
    """
    found = []
    for extractor in extractors:
        stem = _stem(extractor.name, model)
        for columns, is_vector in ((extractor.columns, False), (extractor.vectors, True)):
            for one in columns:
                name = _name(one.name, stem)
                is_required = is_vector or name.startswith("oai-clip-")
                found.append(
                    Output(name, extractor.name, one.name, is_vector=is_vector, is_required=is_required)
                )
    return _distinct(found, {one.name: one for one in extractors})


def _stem(extractor: str, model: str) -> str:
    """Return the name of the model of dataset2metadata that an extractor stands for; "" for others."""
    kind, _, own = extractor.partition(":")
    plain = re.sub("[^a-z0-9]", "", own.lower())
    if kind != "clip":
        return "dedup-isc-ft-v107" if kind == "copy" and "isc" in plain else ""
    if model:
        return "oai-clip-vit-l14" if model in (own, extractor) else ""
    return next((f"oai-clip-vit-{size}" for size in _SIZES if size in plain), "")


def _name(column: str, stem: str) -> str:
    """Return the name of a column or vector in dataset2metadata."""
    endings = {"_score": "-score", "_img": "-image", "_txt": "-text", "_max": "-score"}
    for ending, theirs in endings.items():
        if stem and column.endswith(ending):
            return stem + theirs
    others = {
        "face_bboxes": _BOXES,
        "nsfw_image_score": "nsfw-image-score",
        "nsfw_detoxify_score": "nsfw-detoxify-score",
    }
    return others.get(column, column)


def _distinct(outputs: Sequence[Output], extractors: dict[str, Extractor]) -> list[Output]:
    """Return outputs of which no two have the same name; all but the first get that of their extractor in front."""
    found: dict[str, Output] = {}
    for output in outputs:
        name = output.name
        if name in found or name in _FIXED:
            name = f"{extractors[output.extractor].folder}_{name}"
        found[name] = replace(output, name=name)
    return list(found.values())


_FIXED = ("uid", "key", "text", "caption", "original_width", "original_height")


def export_datacomp(
    folder: Path,
    shards: Iterable[ShardFeatures],
    extractors: Sequence[Extractor],
    catalog: Catalog,
    model: str = "",
) -> list[str]:
    """Write what DataComp's ``baselines.py`` and ``resharder.py`` read; return the names of the files.

    Besides the pairs of files these are ``subset.npy``, a subset with all samples, and if there are boxes around
    faces ``blur_map.json``, which lists the shards of each Parquet file.

    Args:
        folder: The folder; see :class:`~tol_luigi.core.export_folder.ExportFolder`.
        shards: The shards.
        extractors: The extractors of their features.
        catalog: Captions, widths and heights.
        model: The CLIP model whose vectors get the name ``l14_img``; "" for the models with b32 and l14 in their names.
    """
    outputs = [
        replace(one, name=DATACOMP_KEYS.get(one.name, one.name)) for one in _outputs(extractors, model)
    ]
    target, uids, blur_map = ExportFolder(folder, "datacomp"), [], {}
    for shard, rows in usable_shards(shards, outputs):
        uids += _write_table(target, shard.flat_name, rows, outputs, catalog, text="text")
        _write_arrays(target, shard.flat_name, rows, outputs, "<f2")
        blur_map[shard.flat_name] = {
            "parquet": str(folder.absolute() / f"{shard.flat_name}.parquet"),
            "shards": [str(shard.tar.absolute())],
        }
    with target.write("subset.npy") as scratch:
        write_subset(scratch, uids)
    if any(one.name == DATACOMP_KEYS[_BOXES] for one in outputs):
        with target.write("blur_map.json") as scratch:
            scratch.write_text(json.dumps(blur_map, indent=1) + "\n", encoding="utf-8")
    return target.finish()


def export_d2m(
    folder: Path,
    shards: Iterable[ShardFeatures],
    extractors: Sequence[Extractor],
    catalog: Catalog,
    model: str = "",
) -> list[str]:
    """Write what dataset2metadata writes for a list of one tar for each shard; return the names of the files.

    Args:
        folder: See :func:`export_datacomp`.
        shards: The shards.
        extractors: The extractors of their features.
        catalog: Captions, widths and heights.
        model: See :func:`export_datacomp`.
    """
    outputs, target = _outputs(extractors, model), ExportFolder(folder, "d2m")
    for shard, rows in usable_shards(shards, outputs):
        group = str([str(shard.tar.absolute())])
        name = hashlib.md5(group.encode(), usedforsecurity=False).hexdigest()
        _write_table(target, name, rows, outputs, catalog, text="caption")
        _write_arrays(target, name, rows, outputs, "<f4")
        times = {"sample time (s)": 0.0, "loader time (s)": 0.0, "number of samples": rows.count}
        with target.write(f"{name}.json") as scratch:
            scratch.write_text(json.dumps(times, indent=1) + "\n", encoding="utf-8")
    return target.finish()


def _write_table(
    target: ExportFolder,
    name: str,
    rows: UsableRows,
    outputs: Sequence[Output],
    catalog: Catalog,
    *,
    text: str,
) -> list[str]:
    """Write a Parquet file; return the uids of its rows."""
    uids = rows.key_column("uid")
    known = catalog.rows(uids.to_pylist())
    columns = {
        "uid": uids,
        "key": rows.key_column("key"),
        text: known["caption"],
        "original_width": known["width"].cast(pa.int64()),
        "original_height": known["height"].cast(pa.int64()),
    }
    for output in (one for one in outputs if not one.is_vector):
        column = rows.column(output)
        columns[output.name] = column.cast(pa.float64()) if pa.types.is_floating(column.type) else column
    with target.write(f"{name}.parquet") as scratch:
        pq.write_table(pa.table(columns), scratch, compression="snappy")
    return list(uids.to_pylist())


def _write_arrays(
    target: ExportFolder, name: str, rows: UsableRows, outputs: Sequence[Output], dtype: str
) -> None:
    """Write an npz file: of float16 uncompressed, of float32 compressed as dataset2metadata does."""
    vectors = [one for one in outputs if one.is_vector]
    if vectors:
        arrays = ((one.name, rows.rows(one)) for one in vectors)
        with target.write(f"{name}.npz") as scratch:
            pieces = (Rows(key, (len(array), array.shape[1]), [array]) for key, array in arrays)
            write_npz(scratch, pieces, dtype, deflate=dtype == "<f4")


def write_subset(path: Path, uids: Iterable[str]) -> None:
    """Write a subset as DataComp's ``resharder.py`` reads it: sorted pairs of 64 bits, each uid once.

    Args:
        path: The file.
        uids: Ids of 32 hexadecimal digits.
    """
    pairs = [(int(uid[:16], 16), int(uid[16:], 16)) for uid in sorted(set(uids))]
    with path.open("wb") as file:
        np.save(file, np.array(pairs, np.dtype("u8,u8")))

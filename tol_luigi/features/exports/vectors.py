"""Vectors with what is known of their images, as clip-retrieval, autofaiss and emb-explorer read them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tol_luigi.core.export_folder import ExportFolder
from tol_luigi.core.taxon import RANK_LABELS
from tol_luigi.features.exports.shards import image_vectors, usable_shards

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from tol_luigi.features.exports.shards import Catalog, ShardFeatures
    from tol_luigi.features.extractor import Extractor

__all__ = ["export_clip_retrieval", "export_emb_explorer"]


def export_clip_retrieval(
    folder: Path,
    shards: Iterable[ShardFeatures],
    extractors: Sequence[Extractor],
    catalog: Catalog,
    model: str = "",
) -> list[str]:
    """Write ``img_emb``, ``text_emb`` and ``metadata`` with one file for each shard; return the names of the files.

    Files with the same number belong together, row by row. A shard without usable samples has no files, since an
    index cannot be built of an empty one.

    Args:
        folder: The folder; see :class:`~tol_luigi.core.export_folder.ExportFolder`.
        shards: The shards.
        extractors: The extractors of their features.
        catalog: Captions and ranks.
        model: The extractor or model whose vectors are written; "" for the only one.
    """
    image, text = image_vectors(extractors, model)
    vectors = {"img_emb": image, **({"text_emb": text} if text else {})}
    target = ExportFolder(folder, "clip-retrieval")
    every = list(shards)
    # Files are sorted by name, so that all numbers have as many digits.
    digits = max(4, len(str(len(every) - 1)))
    for number, (shard, rows) in enumerate(usable_shards(every, list(vectors.values()))):
        for kind, output in vectors.items():
            with target.write(f"{kind}/{kind}_{number:0{digits}}.npy") as scratch, scratch.open("wb") as file:
                np.save(file, rows.rows(output).astype(np.float16))
        uids, keys = rows.key_column("uid"), rows.key_column("key")
        known = catalog.rows(uids.to_pylist())
        places = [f"{shard.name}.tar/{key}.{catalog.image.extension}" for key in keys.to_pylist()]
        columns = {
            "image_path": pa.array(places, pa.string()),
            "caption": known["caption"],
            "uid": uids,
            "key": keys,
        }
        columns |= {rank: known[rank] for rank in RANK_LABELS}
        with target.write(f"metadata/metadata_{number:0{digits}}.parquet") as scratch:
            pq.write_table(pa.table(columns), scratch)
    return target.finish()


def export_emb_explorer(
    folder: Path,
    shards: Iterable[ShardFeatures],
    extractors: Sequence[Extractor],
    catalog: Catalog,
    model: str = "",
) -> list[str]:
    """Write a Parquet file with ids, vectors and ranks for each shard; return the names of the files.

    Args:
        folder: See :func:`export_clip_retrieval`.
        shards: The shards.
        extractors: The extractors of their features.
        catalog: The ranks.
        model: See :func:`export_clip_retrieval`.
    """
    image, _ = image_vectors(extractors, model)
    target = ExportFolder(folder, "emb-explorer")
    for shard, rows in usable_shards(shards, [image]):
        uids = rows.key_column("uid").to_pylist()
        known, vectors = catalog.rows(uids), rows.rows(image).astype(np.float32)
        offsets = np.arange(len(vectors) + 1, dtype=np.int32) * vectors.shape[1]
        columns = {
            "uuid": pa.array([str(UUID(uid)) for uid in uids], pa.string()),
            "emb": pa.ListArray.from_arrays(offsets, pa.array(vectors.ravel())),
            "identifier": rows.key_column("key"),
            **{rank: known[rank] for rank in RANK_LABELS},
        }
        with target.write(f"{shard.flat_name}.parquet") as scratch:
            pq.write_table(pa.table(columns), scratch, compression="zstd")
    return target.finish()

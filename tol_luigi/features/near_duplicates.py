"""Images that look alike: groups of samples with equal pixels or with nearly equal perceptual hashes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tol_luigi.core.files import committed
from tol_luigi.core.taxon import RANK_LABELS
from tol_luigi.features.hamming import groups_of, near_pairs
from tol_luigi.features.hashes import are_plain
from tol_luigi.store.row_groups import pieces

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = [
    "NEAR_DUPLICATES",
    "Hashed",
    "described_clusters",
    "find_clusters",
    "near_duplicates_figures",
    "read_hashes",
    "write_near_duplicates",
]

NEAR_DUPLICATES = pa.schema(
    [
        pa.field("id", pa.string()),
        pa.field("cluster", pa.int64()),
        pa.field("keep", pa.bool_()),
        pa.field("distance", pa.uint8()),
        pa.field("split", pa.string()),
        pa.field("source", pa.string()),
        *(pa.field(rank, pa.string()) for rank in RANK_LABELS),
        pa.field("crosses_splits", pa.bool_()),
        pa.field("label_conflict", pa.string()),
    ]
)
"""The columns of the table: clusters are numbered from 0; ``keep`` is true for one image of each; ``distance`` is
the number of bits in which the perceptual hash differs from the hash of that image; ``label_conflict`` is the highest rank in which two images of the cluster differ, null if they agree."""

_LEAST_ENTROPY = 1.0
"""The lowest entropy of the brightness, in bits, of an image with detail; only if ``quality`` is computed."""

_SHOWN = 20
"""The most clusters that a report lists."""


@dataclass(frozen=True)
class Hashed:
    """The hashes of samples.

    Attributes:
        ids: The image ids.
        pixels: The first 64 bits of the hash of the pixels.
        looks: The perceptual hash.
        is_plain: Whether there is too little detail for the perceptual hash to identify the image.
        sharpness: How sharp the image is; 0 if that is unknown.
    """

    ids: pa.ChunkedArray
    pixels: NDArray[np.uint64]
    looks: NDArray[np.uint64]
    is_plain: NDArray[np.bool_]
    sharpness: NDArray[np.float64]


def read_hashes(tables: Iterable[tuple[Path, Path | None]]) -> Hashed:
    """Read the hashes of usable samples.

    Args:
        tables: For each shard, the tables of the families ``hash`` and ``quality``; None if the latter is
            not computed.
    """
    parts = [_read(*paths) for paths in tables]
    ids = pa.chunked_array([chunk for part in parts for chunk in part.ids.chunks], pa.string())
    arrays = {
        name: np.concatenate([np.empty(0, kind), *(getattr(part, name) for part in parts)])
        for name, kind in (
            ("pixels", np.uint64),
            ("looks", np.uint64),
            ("is_plain", np.bool_),
            ("sharpness", np.float64),
        )
    }
    return Hashed(ids, **arrays)


def _read(hashes: Path, quality: Path | None) -> Hashed:
    rows = pq.read_table(hashes, columns=["key", "status", "pixel_sha256", "phash64", "dhash64"])
    usable = pc.equal(rows["status"], "ok")
    rows = rows.filter(usable)
    is_plain = are_plain(rows["dhash64"].to_numpy())
    sharpness = np.zeros(len(rows))
    if quality is not None:
        seen = pq.read_table(quality, columns=["entropy", "blur_lapvar"]).filter(usable)
        is_plain |= pc.fill_null(pc.less(seen["entropy"], _LEAST_ENTROPY), fill_value=False).to_numpy()
        sharpness = pc.fill_null(seen["blur_lapvar"], 0.0).to_numpy()
    return Hashed(
        rows["key"], _leading_bits(rows["pixel_sha256"]), rows["phash64"].to_numpy(), is_plain, sharpness
    )


def _leading_bits(digests: pa.ChunkedArray) -> NDArray[np.uint64]:
    """Return the first 64 bits of hexadecimal digests."""
    digits = pc.binary_join(pa.array([pc.utf8_slice_codeunits(digests, 0, 16).to_pylist()]), "")[0].as_py()
    return np.frombuffer(bytes.fromhex(digits), ">u8").astype(np.uint64)


def find_clusters(hashed: Hashed, bits: int) -> NDArray[np.int64]:
    """Return for each sample the first sample of its cluster.

    Samples are in one cluster if their pixels are equal, or if both have detail and their perceptual hashes
    differ in at most ``bits`` bits; or if a chain of such samples connects them.
    """
    count = len(hashed.pixels)
    same = _equal_pairs(hashed.pixels, np.arange(count))
    informative = np.flatnonzero(~hashed.is_plain)
    alike = _equal_pairs(hashed.looks[informative], informative)
    unique, first = np.unique(hashed.looks[informative], return_index=True)
    near = [(informative[first[low]], informative[first[high]]) for low, high in near_pairs(unique, bits)]
    pairs = [same, alike, *near]
    return groups_of(count, (np.concatenate([a for a, _ in pairs]), np.concatenate([b for _, b in pairs])))


def _equal_pairs(
    values: NDArray[np.uint64], places: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return pairs of places that connect all places with equal values."""
    order = np.argsort(values, kind="stable")
    equal = np.flatnonzero(values[order][1:] == values[order][:-1])
    return places[order[equal]], places[order[equal + 1]]


def described_clusters(hashed: Hashed, first: NDArray[np.int64], catalog: Path) -> pa.Table:
    """Return the table of the clusters with several images, cluster by cluster.

    Args:
        hashed: The samples.
        first: The result of :func:`find_clusters`.
        catalog: The catalog of the dataset.
    """
    sizes = np.bincount(first, minlength=len(first))
    places = np.flatnonzero(sizes[first] > 1)
    places = places[np.argsort(first[places], kind="stable")]
    _, cluster = np.unique(first[places], return_inverse=True)
    ids = hashed.ids.take(pa.array(places))
    rows = _catalog_rows(catalog, ids)
    pixels = pc.multiply(rows["width"].cast(pa.int64()), rows["height"].cast(pa.int64())).fill_null(0)
    # lexsort: the last key counts first, and equal rows keep their order
    ranked = np.lexsort((-hashed.sharpness[places], -pixels.to_numpy(), cluster))
    kept = ranked[_starts(cluster[ranked])]
    keep = np.zeros(len(places), bool)
    keep[kept] = True
    looks = hashed.looks[places]
    texts = {name: rows[name].cast(pa.string()) for name in ("split", "source", *RANK_LABELS)}
    columns = {
        "id": ids,
        "cluster": pa.array(cluster, pa.int64()),
        "keep": pa.array(keep),
        "distance": pa.array(np.bitwise_count(looks ^ looks[kept][cluster])),
        **texts,
        "crosses_splits": pa.array(_differs(texts["split"], cluster)[cluster]),
        "label_conflict": _conflicts(texts, cluster),
    }
    return pa.table(columns, schema=NEAR_DUPLICATES)


def _catalog_rows(catalog: Path, ids: pa.ChunkedArray) -> pa.Table:
    """Return the rows of the catalog for ids, in their order."""
    columns = ["treeoflife_id", "split", "source", *RANK_LABELS, "width", "height"]
    found = [
        piece.filter(
            pc.and_(
                pc.is_in(piece["treeoflife_id"], value_set=ids), pc.not_equal(piece["split"], "train_small")
            )
        ).unify_dictionaries()
        for piece in pieces(catalog, columns)
    ]
    rows = pa.concat_tables(found).unify_dictionaries()
    return rows.take(pc.index_in(ids, value_set=rows["treeoflife_id"].combine_chunks()))


def _starts(sorted_numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.flatnonzero(np.diff(sorted_numbers, prepend=-1))


def _differs(texts: pa.ChunkedArray, cluster: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return for each cluster whether two of its texts differ; an empty text differs from none."""
    known = pc.fill_null(texts, "")
    codes = known.combine_chunks().dictionary_encode()
    numbers = codes.indices.to_numpy()
    is_known = pc.not_equal(known, "").to_numpy()
    count = int(cluster.max(initial=-1)) + 1
    least, most = np.full(count, len(codes.dictionary)), np.full(count, -1)
    np.minimum.at(least, cluster[is_known], numbers[is_known])
    np.maximum.at(most, cluster[is_known], numbers[is_known])
    return least < most


def _conflicts(texts: Mapping[str, pa.ChunkedArray], cluster: NDArray[np.int64]) -> pa.Array:
    """Return the highest rank in which the images of each cluster differ, for each image."""
    found = np.full(int(cluster.max(initial=-1)) + 1, len(RANK_LABELS))
    for place, rank in reversed(list(enumerate(RANK_LABELS))):
        found[_differs(texts[rank], cluster)] = place
    labels = pa.array([*RANK_LABELS, None], pa.string())
    return labels.take(pa.array(found[cluster]))


def write_near_duplicates(path: Path, rows: pa.Table) -> None:
    """Write the result of :func:`described_clusters` atomically."""
    with committed(path) as scratch:
        pq.write_table(rows, scratch, compression="zstd", write_page_checksum=True)


def near_duplicates_figures(hashed: Hashed, rows: pa.Table, bits: int) -> dict[str, Any]:
    """Return the figures on near-duplicates: counts, and the first clusters that cross splits or differ in labels."""
    clusters = rows["cluster"].to_numpy()
    starts = _starts(clusters)
    first = rows.take(pa.array(starts))
    crossing = pc.fill_null(first["crosses_splits"], fill_value=False).to_numpy()
    conflicts = Counter(filter(None, first["label_conflict"].to_pylist()))
    differing = first["label_conflict"].is_valid().to_numpy()
    sizes = Counter(np.diff([*starts, len(rows)]).tolist())
    return {
        "bits": bits,
        "images": len(hashed.pixels),
        "plain": int(hashed.is_plain.sum()),
        "clusters": len(starts),
        "in_clusters": len(rows),
        "sizes": {str(size): count for size, count in sorted(sizes.items())},
        "crossing_splits": int(crossing.sum()),
        "label_conflicts": {rank: conflicts[rank] for rank in RANK_LABELS if conflicts[rank]},
        "crossing": _listed(rows, np.flatnonzero(crossing)),
        "conflicting": _listed(rows, np.flatnonzero(differing)),
    }


def _listed(rows: pa.Table, wanted: NDArray[np.int64]) -> list[dict[str, Any]]:
    """Return the first clusters of some, each with its images."""
    shown = wanted[:_SHOWN]
    chosen = rows.filter(pc.is_in(rows["cluster"], value_set=pa.array(shown, pa.int64()))).to_pylist()
    found: dict[int, list[dict[str, Any]]] = {int(cluster): [] for cluster in shown}
    for row in chosen:
        name = " ".join(filter(None, (row[rank] for rank in RANK_LABELS)))
        found[row["cluster"]].append({"id": row["id"], "split": row["split"], "taxon": name})
    return [{"cluster": cluster, "images": images} for cluster, images in found.items()]

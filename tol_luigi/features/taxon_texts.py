"""The texts of all taxa of a dataset as vectors: what images are compared with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tol_luigi.core.batches import batched
from tol_luigi.core.files import committed
from tol_luigi.core.samples import texts
from tol_luigi.core.taxon import RANK_LABELS, Taxon
from tol_luigi.features.agreement import TextBank
from tol_luigi.features.extractor import unit_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from tol_luigi.features.agreement import Lineage

__all__ = ["Stacked", "catalog_taxa", "embed_taxa", "lineages_of", "read_bank"]

_TAXA_AT_ONCE = 1000


def catalog_taxa(predicted: Path) -> list[tuple[Lineage, str]]:
    """Return the taxa of the images of a dataset, sorted by lineage, each with its first common name.

    Args:
        predicted: The predicted catalog. Images without any rank have no taxon.
    """
    columns = [*RANK_LABELS, "common"]
    table = pq.read_table(predicted, columns=columns)
    plain = pa.table({name: pc.fill_null(table[name].cast(pa.string()), "") for name in columns})
    rows = plain.group_by(columns[:-1]).aggregate([("common", "min")]).to_pylist()
    found = [(tuple(row[rank] for rank in RANK_LABELS), row["common_min"]) for row in rows]
    return sorted(pair for pair in found if any(pair[0]))


def embed_taxa(
    taxa: Sequence[tuple[Lineage, str]],
    names: Sequence[str],
    embed: Callable[[Sequence[str]], NDArray[np.float32]],
    stem: Path,
    progress: Callable[[int], None] = lambda _: None,
) -> None:
    """Write the vectors of taxa: ``<stem>.npy`` and the lineages, ``<stem>.parquet``.

    Args:
        taxa: Lineage and common name of each, sorted by lineage.
        names: The extensions of the texts, whose vectors are averaged. BioCLIP was trained with the ten of a sample.
        embed: Returns the vectors of texts, of length 1.
        stem: The path of both files without their suffixes.
        progress: Called with the number of taxa so far.
    """
    parts, done = [], 0
    for part in batched(taxa, _TAXA_AT_ONCE):
        written = [text for lineage, common in part for text in _texts(lineage, common, names)]
        vectors = embed(written)
        means = vectors.reshape(len(part), len(names), vectors.shape[1]).mean(axis=1)
        parts.append(unit_rows(means).astype(np.float16))
        done += len(part)
        progress(done)
    with committed(stem.with_suffix(".npy")) as scratch, scratch.open("wb") as file:
        np.save(file, np.concatenate(parts))
    columns = {rank: [lineage[place] for lineage, _ in taxa] for place, rank in enumerate(RANK_LABELS)}
    with committed(stem.with_suffix(".parquet")) as scratch:
        pq.write_table(pa.table(columns), scratch, compression="zstd", write_page_checksum=True)


def _texts(lineage: Lineage, common: str, names: Sequence[str]) -> list[str]:
    written = texts(Taxon.from_rendered(lineage), common)
    return [written[name] for name in names]


def read_bank(stem: Path) -> TextBank:
    """Return the vectors of taxa that :func:`embed_taxa` has written."""
    table = pq.read_table(stem.with_suffix(".parquet"), page_checksum_verification=True)
    columns = [table[rank].to_pylist() for rank in RANK_LABELS]
    vectors = np.load(stem.with_suffix(".npy"), mmap_mode="r", allow_pickle=False)
    return TextBank(list(zip(*columns, strict=True)), vectors)


def lineages_of(rows: pa.Table) -> dict[str, Lineage]:
    """Return the taxa of images by id.

    Args:
        rows: Rows of a catalog, with ``treeoflife_id`` and the seven ranks.
    """
    columns = [rows[rank].cast(pa.string()).to_pylist() for rank in RANK_LABELS]
    lineages = (tuple(rank or "" for rank in ranks) for ranks in zip(*columns, strict=True))
    return dict(zip(rows["treeoflife_id"].to_pylist(), lineages, strict=True))


class Stacked:
    """Vectors in several files, one below the other; each file is mapped into memory only while it is read.

    Args:
        paths: The files, with their numbers of rows.
        dimensions: The length of a vector.
    """

    def __init__(self, paths: Mapping[Path, int], dimensions: int) -> None:
        self._paths = paths
        self.shape = sum(paths.values()), dimensions

    def __len__(self) -> int:
        """Return the number of rows."""
        return self.shape[0]

    def __getitem__(self, rows: slice) -> NDArray[Any]:
        """Return some rows."""
        start, stop, _ = rows.indices(len(self))
        found, offset = [], 0
        for path, count in self._paths.items():
            first, last = max(start - offset, 0), min(stop - offset, count)
            if first < last:
                found.append(np.load(path, mmap_mode="r", allow_pickle=False)[first:last])
            offset += count
        return np.concatenate(found) if found else np.empty((0, self.shape[1]), np.float16)

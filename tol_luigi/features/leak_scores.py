"""How similar each sample is to the images of a benchmark, and to which: by vectors, and by perceptual hashes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tol_luigi.features.extractor import Family
from tol_luigi.features.family_files import KEY_COLUMNS, PART_ROWS, TarIdentity
from tol_luigi.features.hashes import are_plain
from tol_luigi.features.nearest import nearest_hashes, nearest_vectors
from tol_luigi.features.samples import Status

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from tol_luigi.features.extractor import Extractor
    from tol_luigi.features.family_files import FamilyFiles

    Files = Mapping[str, FamilyFiles[Extractor]]
    """The files of extractors by name."""

__all__ = ["HASH", "PDQ", "VERSION", "Compared", "References", "leak_family", "write_leak_scores"]

VERSION = 1
"""To be raised with every change of what is computed."""

HASH, PDQ = "hash", "pdq"
"""The extractors whose hashes are compared."""

_HASH_COLUMNS = {HASH: ["phash64", "dhash64"], PDQ: ["pdq256", "pdq_quality"]}
_MEASURES = {HASH: "phash", PDQ: "pdq"}

_LEAST_PDQ_QUALITY = 50
"""The lowest quality at which PDQ identifies an image. Source: the recommendation of its authors."""


@dataclass(frozen=True)
class Compared:
    """What is compared.

    Attributes:
        hashes: The extractors with hashes, of :data:`HASH` and :data:`PDQ`.
        vector: An extractor and the name of its vector; None if no vectors are compared.
    """

    hashes: tuple[str, ...] = ()
    vector: tuple[str, str] | None = None

    @property
    def extractors(self) -> list[str]:
        """The names of the extractors whose results are compared."""
        return [*self.hashes, *([self.vector[0]] if self.vector else [])]


def leak_family(name: str, compared: Compared) -> Family:
    """Return the family with the similarity of samples to the benchmark of a name."""
    columns = []
    if compared.vector:
        columns += [pa.field(f"leak_{name}_max", pa.float32()), pa.field(f"leak_{name}_ref", pa.string())]
    for hashed in compared.hashes:
        measure = f"leak_{name}_{_MEASURES[hashed]}"
        columns += [pa.field(f"{measure}_min", pa.int16()), pa.field(f"{measure}_ref", pa.string())]
    return Family(f"leak:{name}", tuple(columns))


class References:
    """The hashes and vectors of the images of a benchmark. The vectors are mapped into memory.

    Args:
        files: The files of the extractors whose results are compared.
        compared: What is compared.
    """

    def __init__(self, files: Files, compared: Compared) -> None:
        self.compared = compared
        self.names: list[str] = files[compared.extractors[0]].read_table(["key"])["key"].to_pylist()
        self.hashes: dict[str, tuple[NDArray[np.uint64], NDArray[np.int64]]] = {}
        for name in compared.hashes:
            words, usable = _hashes(name, files[name].read_table(["status", *_HASH_COLUMNS[name]]))
            self.hashes[name] = words[usable], np.flatnonzero(usable)
        self.vectors: NDArray[Any] = np.empty((0, 0), np.float16)
        if compared.vector:
            self.vectors = files[compared.vector[0]].read_vector(compared.vector[1])


def _hashes(extractor: str, rows: pa.Table) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """Return the hashes as rows of 64-bit words, and which of them identify an image."""
    is_ok = pc.equal(rows["status"], Status.OK).to_numpy()
    if extractor == HASH:
        words = pc.fill_null(rows["phash64"], 0).to_numpy()[:, None]
        return words, is_ok & ~are_plain(pc.fill_null(rows["dhash64"], 0).to_numpy())
    bits = b"".join(one or bytes(32) for one in rows["pdq256"].to_pylist())
    quality = pc.fill_null(rows["pdq_quality"], 0).to_numpy()
    return np.frombuffer(bits, np.uint64).reshape(-1, 4), is_ok & (quality >= _LEAST_PDQ_QUALITY)


def write_leak_scores(files: Files, references: References, made: FamilyFiles[Family]) -> None:
    """Write the similarity of the samples of a shard to references.

    Args:
        files: The files of the extractors whose results are compared, for the shard.
        references: The references.
        made: The files to write.

    Raises:
        FileNotFoundError: An extractor has no complete result.
    """
    compared = references.compared
    of_shard = [files[name] for name in compared.extractors]
    receipts = [one.receipt() for one in of_shard]
    if (receipt := receipts[0]) is None or None in receipts:
        raise FileNotFoundError(of_shard[receipts.index(None)].receipt_path)
    metadata = pq.read_metadata(of_shard[0].table)
    for number in range(metadata.num_row_groups):
        made.write_part(number, _part(files, references, made.extractor, number))
    made.finish(TarIdentity(receipt.inputs["tar"], int(receipt.notes.get("tar_bytes", 0))), metadata.num_rows)


def _part(files: Files, references: References, family: Family, number: int) -> dict[str, Any]:
    """Return the columns of the samples in a row group."""
    compared = references.compared
    columns = [field.name for field in KEY_COLUMNS]
    tables = {
        name: files[name].read_table([*columns, *_HASH_COLUMNS.get(name, [])], number)
        for name in compared.extractors
    }
    first = tables[compared.extractors[0]]
    results: list[list[Any]] = []
    if compared.vector:
        vectors = files[compared.vector[0]].read_vector(compared.vector[1])
        rows = slice(number * PART_ROWS, number * PART_ROWS + len(first))
        results += _by_vector(np.asarray(vectors[rows], np.float32), references)
    for name in compared.hashes:
        results += _by_hash(name, tables[name], references)
    return {
        **{name: first[name].to_pylist() for name in ("uid", "key", "row")},
        **_states({name: table["status"].to_pylist() for name, table in tables.items()}),
        **dict(zip([field.name for field in family.columns], results, strict=True)),
    }


def _states(statuses: dict[str, list[str]]) -> dict[str, list[Any]]:
    """Return the columns status and error: a sample has all results only if all extractors have theirs."""
    lacking = [
        next((name for name, status in zip(statuses, of_sample, strict=True) if status != Status.OK), None)
        for of_sample in zip(*statuses.values(), strict=True)
    ]
    return {
        "status": [Status.OK.value if name is None else Status.DEPENDENCY_ERROR.value for name in lacking],
        "error": [None if name is None else f"{name} has no result" for name in lacking],
    }


def _by_vector(vectors: NDArray[np.float32], references: References) -> list[list[Any]]:
    """Return the highest cosine of each sample, and the name of the reference."""
    cosines, rows = nearest_vectors(vectors, references.vectors)
    known = np.isfinite(cosines)
    return [
        [float(cosine) if is_known else None for cosine, is_known in zip(cosines, known, strict=True)],
        [references.names[row] if is_known else None for row, is_known in zip(rows, known, strict=True)],
    ]


def _by_hash(extractor: str, table: pa.Table, references: References) -> list[list[Any]]:
    """Return the smallest number of differing bits of each sample, and the name of the reference."""
    words, usable = _hashes(extractor, table)
    known, places = references.hashes[extractor]
    bits: list[int | None] = [None] * len(table)
    names: list[str | None] = [None] * len(table)
    if len(known):
        samples = np.flatnonzero(usable)
        for sample, distance, row in zip(samples, *nearest_hashes(words[usable], known), strict=True):
            bits[sample], names[sample] = int(distance), references.names[places[row]]
    return [bits, names]

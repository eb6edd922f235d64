"""What every layout is made of: the usable samples of the shards, and what the catalog has on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tol_luigi.core.errors import DatasetError, SettingsError
from tol_luigi.core.samples import IMAGE_FORMATS, ImageFormat, texts
from tol_luigi.core.taxon import RANK_LABELS, Taxon
from tol_luigi.features.usable import Output, UsableRows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from tol_luigi.features.extractor import Extractor
    from tol_luigi.features.family_files import FamilyFiles

__all__ = ["Catalog", "ShardFeatures", "image_vectors", "usable_shards"]


class ShardFeatures(NamedTuple):
    """The features of a shard.

    Attributes:
        name: Its name with the folder of its split, without extension.
        tar: Its path.
        families: The files of each extractor.
    """

    name: str
    tar: Path
    families: Sequence[FamilyFiles[Extractor]]

    @property
    def flat_name(self) -> str:
        """The name without folders."""
        return self.name.replace("/", "-")


def usable_shards(
    shards: Iterable[ShardFeatures], outputs: Sequence[Output]
) -> Iterator[tuple[ShardFeatures, UsableRows]]:
    """Yield the shards with usable samples: those that have a result of all extractors that outputs come from.

    Raises:
        DatasetError: There is none.
    """
    wanted = {output.extractor for output in outputs}
    found = False
    for shard in shards:
        families = [one for one in shard.families if one.extractor.name in wanted] or shard.families
        rows = UsableRows(str(shard.tar), families, outputs)
        if rows.count:
            found = True
            yield shard, rows
    if not found:
        what = f"no sample has a result of {', '.join(sorted(wanted))}"
        remedy = "tol features says which samples are unusable and why"
        raise DatasetError("tol features --export", what, remedy)


class Catalog:
    """What the catalog of a dataset has on its samples.

    Args:
        path: The catalog, as Parquet.
        text: The extension of the text that is the caption.
        image: The format of the images.
    """

    def __init__(self, path: Path, text: str, image: ImageFormat = IMAGE_FORMATS["jpeg"]) -> None:
        self.image = image
        columns = ["treeoflife_id", *RANK_LABELS, "common", "width", "height"]
        self._path, self._text, self._table = path, text, pq.read_table(path, columns=columns)
        uids = pc.replace_substring(self._table["treeoflife_id"], "-", "")
        self._uids = np.array(uids.to_numpy(zero_copy_only=False), "S32")
        self._order = np.argsort(self._uids, kind="stable")

    def rows(self, uids: Sequence[str]) -> pa.Table:
        """Return the rows of samples: their ranks, ``common``, ``width`` and ``height``, and a ``caption``.

        Raises:
            DatasetError: The catalog does not have one.
        """
        wanted = np.array(uids, "S32")
        places = np.searchsorted(self._uids, wanted, sorter=self._order).clip(max=max(len(self._uids) - 1, 0))
        found: NDArray[np.int64] = self._order[places] if len(self._order) else places
        if len(wanted) and (not len(self._uids) or (lost := self._uids[found] != wanted).any()):
            uid = uids[int(np.argmax(lost))] if len(self._uids) else uids[0]
            raise DatasetError(self._path, f"it has no sample {uid}", "Build the dataset again: tol build")
        table = self._table.take(pa.array(found)).drop_columns(["treeoflife_id"])
        plain = [
            column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column
            for column in table.columns
        ]
        table = pa.Table.from_arrays(plain, names=table.column_names)
        return table.append_column("caption", pa.array(list(self._captions(table)), pa.string()))

    def _captions(self, table: pa.Table) -> Iterator[str]:
        for row in table.select([*RANK_LABELS, "common"]).to_pylist():
            *ranks, common = (row[name] or "" for name in (*RANK_LABELS, "common"))
            yield texts(Taxon.from_rendered(ranks), common)[self._text]


def image_vectors(extractors: Sequence[Extractor], model: str) -> tuple[Output, Output | None]:
    """Return the vectors of images, and those of texts if there are any, of one extractor.

    Args:
        extractors: All extractors of the features.
        model: The name of the extractor, or of its model; "" if it is the only one with vectors.

    Raises:
        SettingsError: No extractor, or more than one, fits.
    """
    fitting: Mapping[str, Any] = {
        one.name: one
        for one in extractors
        if one.vectors and (not model or model in (one.name, one.name.partition(":")[2]))
    }
    valid = ", ".join(one.name for one in extractors if one.vectors)
    if len(fitting) != 1:
        what = f"{'several' if fitting else 'no'} extractors with vectors fit"
        remedy = f"Use one of {valid}" if valid else "Add an extractor with vectors to [features] extractors"
        raise SettingsError(f"--model {model}".strip(), what, remedy)
    (extractor,) = fitting.values()
    image, *others = (
        Output(one.name, extractor.name, one.name, is_vector=True, is_required=True)
        for one in extractor.vectors
    )
    return image, next((one for one in others if one.column.endswith("_txt")), None)

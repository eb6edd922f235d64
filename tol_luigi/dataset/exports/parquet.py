"""Parquet files as Hugging Face datasets have them: ``data/<split>-00000-of-00007.parquet``, with the bytes of images."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq

from tol_luigi.core.batches import batched
from tol_luigi.dataset.exports.formats import ExportFormat, Written
from tol_luigi.dataset.exports.samples import IMAGE_FIELD

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from tol_luigi.dataset.exports.samples import ExportedSample, ShardToExport

__all__ = ["ParquetFormat", "image_schema", "image_table"]

_ROW_GROUP = 500
"""Rows of a row group: some ten megabytes, which is what a viewer loads for a page of images."""


class ParquetFormat(ExportFormat):
    """Parquet files, one for each shard."""

    name: ClassVar[str] = "parquet"
    patterns: ClassVar[str] = "data/{split}-*.parquet"

    def identity(self, shard: ShardToExport) -> dict[str, Any]:
        """Return also the number of shards, which is part of the names of the files."""
        return {**super().identity(shard), "number": shard.number, "count": shard.count}

    def write(self, shard: ShardToExport) -> Written:
        """Write the Parquet file of a shard."""
        name = f"data/{shard.split}-{shard.number:05d}-of-{shard.count:05d}.parquet"
        schema = image_schema(self.fields)
        # Images cannot be compressed further, and each is distinct, as ids are.
        images = [f"{IMAGE_FIELD}.bytes", f"{IMAGE_FIELD}.path"]
        compression = {**dict.fromkeys(self.fields, "zstd"), images[0]: "none", images[1]: "zstd"}
        with (
            self.folder.write(name) as scratch,
            pq.ParquetWriter(
                scratch,
                schema,
                compression=compression,
                use_dictionary=list(self.fields[1:]),
                write_page_index=True,
                write_page_checksum=True,
            ) as writer,
        ):
            for samples in batched(shard.samples(), _ROW_GROUP):
                writer.write_table(image_table(samples, schema))
        return Written([name])

    def data_folders(self, splits: Iterable[str]) -> list[Path]:
        """Return the folder of the files."""
        del splits
        return [self.folder.folder / "data"]


def image_schema(fields: Sequence[str]) -> pa.Schema:
    """Return the schema of files of images, with the features that make ``datasets`` decode them."""
    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    features = {
        IMAGE_FIELD: {"_type": "Image"},
        **{field: {"dtype": "string", "_type": "Value"} for field in fields},
    }
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    return pa.schema([(IMAGE_FIELD, image), *((field, pa.string()) for field in fields)], metadata)


def image_table(samples: Sequence[ExportedSample], schema: pa.Schema) -> pa.Table:
    """Return samples as rows of :func:`image_schema`."""
    names = pa.array([sample.file_name for sample in samples], pa.string())
    contents = pa.array([sample.image for sample in samples], pa.binary())
    image = pa.StructArray.from_arrays([contents, names], fields=list(schema.field(IMAGE_FIELD).type))
    columns = zip(*(sample.values for sample in samples), strict=True)
    return pa.Table.from_arrays(
        [image, *(pa.array(column, pa.string()) for column in columns)], schema=schema
    )

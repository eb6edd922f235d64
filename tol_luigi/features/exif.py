"""What Exif contains about how an image was taken."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
from PIL import ExifTags

from tol_luigi.features.extractor import Extractor
from tol_luigi.features.header import capture_time, cleaned, coordinates, header
from tol_luigi.features.registry import register

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tol_luigi.features.extractor import Columns
    from tol_luigi.features.samples import FeatureSample

__all__ = ["Exif"]


@register("exif")
class Exif(Extractor):
    """Camera, time and place of an image, as far as its file contains them; what is invalid is null."""

    columns = (
        pa.field("exif_make", pa.string()),
        pa.field("exif_model", pa.string()),
        pa.field("exif_datetime", pa.timestamp("s")),
        pa.field("exif_has_gps", pa.bool_()),
        pa.field("exif_lat", pa.float64()),
        pa.field("exif_lon", pa.float64()),
    )

    def prepare(self, sample: FeatureSample) -> dict[str, Any]:
        """Return the values of a sample."""
        found = header(sample)
        latitude, longitude = coordinates(found.gps)
        return {
            "exif_make": cleaned(found.main.get(ExifTags.Base.Make)),
            "exif_model": cleaned(found.main.get(ExifTags.Base.Model)),
            "exif_datetime": capture_time(found),
            "exif_has_gps": latitude is not None,
            "exif_lat": latitude,
            "exif_lon": longitude,
        }

    def run(self, batch: list[dict[str, Any]], before: Mapping[str, Columns]) -> Columns:
        """Return the values as columns."""
        del before
        return {column.name: [values[column.name] for values in batch] for column in self.columns}

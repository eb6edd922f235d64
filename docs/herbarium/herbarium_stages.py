"""A stage that measures how bright images are."""

import io
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
from PIL import Image, ImageStat

from tol_luigi.tasks.partition_stages import PartitionStage, Sample


class MeasureBrightness(PartitionStage):
    """Measure the mean brightness of every image, from 0 to 255."""

    schema = pa.schema([("id", pa.string()), ("brightness", pa.float32())])

    def rows(self, samples: Iterator[Sample]) -> Iterator[dict[str, Any]]:
        for sample in samples:
            with Image.open(io.BytesIO(sample.image_file)) as image:
                yield {"id": sample.id, "brightness": ImageStat.Stat(image.convert("L")).mean[0]}

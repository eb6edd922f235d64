"""A sample: an image, its texts, and its row of the catalog."""

from __future__ import annotations

import functools
import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from PIL import Image

from tol_luigi.core.errors import ShardError
from tol_luigi.core.sample_texts import decoded_texts
from tol_luigi.core.samples import IMAGE_FORMATS, image_of
from tol_luigi.core.taxon import RANK_LABELS
from tol_luigi.dataset.reading import REPAIR

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tol_luigi.dataset.licenses import ImageLicense
    from tol_luigi.dataset.opened import Dataset

__all__ = ["Sample"]

_FORMATS = [form.pillow for form in IMAGE_FORMATS.values()]


@dataclass(frozen=True)
class Sample:
    """A sample of a dataset.

    Attributes:
        id: The image id.
        split: The split from which it was read.
        source: The source of the image.
        partition: The partition of the image.
        members: The files of the sample in the shard, by extension.
        dataset: The dataset that contains it.
        loaded_row: Its row of the catalog, if it has been read already.
    """

    id: str
    split: str
    source: str
    partition: str
    members: Mapping[str, bytes] = field(repr=False)
    dataset: Dataset = field(repr=False, compare=False)
    loaded_row: Mapping[str, Any] | None = field(default=None, repr=False, compare=False)

    @property
    def image_file(self) -> bytes:
        """The file of the image: JPEG, or what ``[images] format`` of the dataset says."""
        return image_of(self.members)

    @property
    def image(self) -> Image.Image:
        """The image, decoded on each access.

        Raises:
            ShardError: The image is damaged.
        """
        try:
            image = Image.open(io.BytesIO(self.image_file), formats=_FORMATS)
            image.load()
        except (OSError, ValueError, SyntaxError) as error:
            what = f"the image of sample {self.id} is damaged ({' '.join(str(error).split())})"
            raise ShardError(self.dataset.shard_of(self), what, REPAIR) from error
        return image

    @property
    def texts(self) -> dict[str, str]:
        """The ten texts, and those of ``[texts] templates``, by name, such as ``sci.txt`` and ``taxonTag_com.txt``.

        Raises:
            ShardError: The texts are damaged.
        """
        try:
            return decoded_texts(self.members)
        except (ValueError, AttributeError) as error:
            what = f"the texts of sample {self.id} are damaged ({' '.join(str(error).split())})"
            raise ShardError(self.dataset.shard_of(self), what, REPAIR) from error

    @property
    def taxon(self) -> dict[str, str]:
        """The known ranks, from kingdom to species. The species does not contain the genus."""
        return {rank: self.row[rank] for rank in RANK_LABELS if self.row[rank]}

    @property
    def scientific_name(self) -> str:
        """Genus and species, or "" if both are unknown."""
        return self.texts["scientific_name.txt"]

    @property
    def common_name(self) -> str:
        """The common name, or else the scientific name, or else the taxonomic name."""
        return self.texts["common_name.txt"]

    @property
    def license(self) -> ImageLicense | None:
        """The licence of the image, or None if nothing is known of it."""
        return self.dataset.license_of(self)

    @functools.cached_property
    def row(self) -> Mapping[str, Any]:
        """The row of the catalog: natural key, properties of the original, and more (``docs/files.md``)."""
        if self.loaded_row is not None:
            return self.loaded_row
        return self.dataset.catalog.row(self.split, self.source, self.partition, self.id)

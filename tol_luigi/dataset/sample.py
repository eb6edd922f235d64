"""One sample: an image, its texts, and what the catalog has of it."""

from __future__ import annotations

import functools
import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from PIL import Image

from tol_luigi.core.errors import ShardError
from tol_luigi.core.samples import IMAGE
from tol_luigi.core.taxon import RANK_LABELS
from tol_luigi.dataset.reading import REPAIR

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tol_luigi.dataset.licenses import ImageLicense
    from tol_luigi.dataset.opened import Dataset

__all__ = ["Sample"]


@dataclass(frozen=True)
class Sample:
    """An image of a dataset.

    Attributes:
        id: The image id.
        split: The split that it was read from.
        source: The source that the image comes from.
        partition: The partition that it belongs to.
        members: The files of the sample, by extension, as they are in the shard.
        dataset: The dataset that it is from.
        known: Its row of the catalog, if that has been read already.
    """

    id: str
    split: str
    source: str
    partition: str
    members: Mapping[str, bytes] = field(repr=False)
    dataset: Dataset = field(repr=False, compare=False)
    known: Mapping[str, Any] | None = field(default=None, repr=False, compare=False)

    @property
    def jpeg(self) -> bytes:
        """The image as a JPEG file."""
        return self.members[IMAGE]

    @property
    def image(self) -> Image.Image:
        """The image, decoded anew for each caller.

        Raises:
            ShardError: It is damaged.
        """
        try:
            image = Image.open(io.BytesIO(self.jpeg), formats=["JPEG"])
            image.load()
        except (OSError, ValueError, SyntaxError) as error:
            what = f"the image of sample {self.id} is damaged ({' '.join(str(error).split())})"
            raise ShardError(self.dataset.shard_of(self), what, REPAIR) from error
        return image

    @property
    def texts(self) -> dict[str, str]:
        """The ten texts by the names of their members, such as ``sci.txt`` and ``taxonTag_com.txt``."""
        return {name: content.decode() for name, content in self.members.items() if name != IMAGE}

    @property
    def taxon(self) -> dict[str, str]:
        """The known ranks, from kingdom down to species; the species is without the genus."""
        return {rank: self.row[rank] for rank in RANK_LABELS if self.row[rank]}

    @property
    def scientific_name(self) -> str:
        """Genus and species, "" if neither is known."""
        return self.texts["scientific_name.txt"]

    @property
    def common_name(self) -> str:
        """The common name; without one the scientific name, without that the taxonomic one."""
        return self.texts["common_name.txt"]

    @property
    def license(self) -> ImageLicense | None:
        """The rights in the image, None if its source publishes none."""
        return self.dataset.license_of(self)

    @functools.cached_property
    def row(self) -> Mapping[str, Any]:
        """The row of the catalog: natural key, size, flags and hashes of the original, and more (``docs/files.md``)."""
        if self.known is not None:
            return self.known
        return self.dataset.catalog.row(self.split, self.source, self.partition, self.id)

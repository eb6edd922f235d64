"""How an image becomes the pixels that a model expects."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tol_luigi.features.descriptions import Description
    from tol_luigi.features.samples import FeatureSample

__all__ = ["TRANSFORM_KEYS", "Transform", "resize_and_crop"]

_FILTERS = {
    "bicubic": Image.Resampling.BICUBIC,
    "bilinear": Image.Resampling.BILINEAR,
    "lanczos": Image.Resampling.LANCZOS,
}

TRANSFORM_KEYS = ("size", "resize", "interpolation", "crop", "mean", "std")
"""The keys below ``transform`` in ``model.yml``."""


@dataclass(frozen=True)
class Transform:
    """A transform of images.

    Attributes:
        size: The length in pixels to which the shorter side, or each side, is resized.
        resize: ``shortest`` keeps the ratio of the sides, ``stretch`` makes a square.
        interpolation: The filter: ``bicubic``, ``bilinear`` or ``lanczos``, each with antialiasing.
        crop: The side of the square that is cut from the middle; 0 for none, with ``stretch`` only.
        mean: What is subtracted from red, green and blue, on a scale of 0 to 1.
        std: What they are divided by then.
    """

    size: int
    resize: str
    interpolation: str
    crop: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def of(cls, description: Description) -> Transform:
        """Return the transform that a description states.

        Raises:
            SettingsError: A key is missing or wrong.
        """
        for key in description.values.get("transform") or ():
            if key not in TRANSFORM_KEYS:
                valid = f"Valid are {', '.join(TRANSFORM_KEYS)}"
                raise description.error(f"transform.{key}", "there is no such key", valid)
        resize = description.text("transform.resize", ("shortest", "stretch"))
        made = cls(
            size=description.whole("transform.size"),
            resize=resize,
            interpolation=description.text("transform.interpolation", _FILTERS),
            # A square needs no crop; all images of a batch must have one size.
            crop=0
            if resize == "stretch" and not description.has("transform.crop")
            else description.whole("transform.crop"),
            mean=tuple(map(float, description.items("transform.mean", (int, float), 3))),
            std=tuple(map(float, description.items("transform.std", (int, float), 3))),
        )
        if made.crop > made.size:
            what = f"{made.crop} is more than transform.size, {made.size}"
            raise description.error("transform.crop", what, "Correct one of them")
        if min(made.std) <= 0:
            raise description.error("transform.std", f"{made.std} is not above 0", "Correct it")
        return made

    @property
    def side(self) -> int:
        """The width and height of the pixels that a model gets."""
        return self.crop or self.size

    @property
    def stated(self) -> dict[str, Any]:
        """The transform as ``model.yml`` states it."""
        stated = asdict(self) | {"mean": list(self.mean), "std": list(self.std)}
        return {key: value for key, value in stated.items() if key != "crop" or value}

    def pixels(self, sample: FeatureSample) -> NDArray[np.uint8]:
        """Return the pixels of a sample, of shape (side, side, 3); shared by all models that resize alike.

        Raises:
            SampleError: The image is missing or damaged.
        """
        name = f"{self.resize} {self.size} {self.interpolation} {self.crop}"
        return sample.shared(
            name,
            lambda one: resize_and_crop(one.image, self.size, self.resize, self.interpolation, self.crop),
        )

    def normalised(self, pixels: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Return the input of a model, of shape (images, 3, side, side)."""
        mean, std = np.array(self.mean, np.float32), np.array(self.std, np.float32)
        scaled = (np.stack(pixels).astype(np.float32) / np.float32(255) - mean) / std
        return np.ascontiguousarray(scaled.transpose(0, 3, 1, 2), np.float32)


def resize_and_crop(
    image: Image.Image, size: int, resize: str, interpolation: str, crop: int
) -> NDArray[np.uint8]:
    """Return the pixels of an image in RGB, resized and cropped.

    Source: the transform of OpenAI's CLIP, that is ``Resize(size, bicubic)`` and ``CenterCrop`` of torchvision:
    the longer side is rounded down, and an odd margin is halved to the nearest even number.
    """
    if resize == "stretch":
        width = height = size
    else:
        short = min(image.size)
        width, height = (int(size * side / short) for side in image.size)
    resized = image.resize((width, height), _FILTERS[interpolation])
    if crop:
        left, top = round((width - crop) / 2), round((height - crop) / 2)
        resized = resized.crop((left, top, left + crop, top + crop))
    return np.asarray(resized, np.uint8)

"""Captions of images by a BLIP-2 model in a folder of Hugging Face."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from tol_luigi.features.blocks import Blocks
from tol_luigi.features.clip_configs import with_hugging_face
from tol_luigi.features.descriptions import described, file_hashes, versions
from tol_luigi.features.extractor import Extractor
from tol_luigi.features.registry import register
from tol_luigi.features.torch_models import (
    TORCH,
    TRANSFORMERS,
    load_pretrained,
    torch_for,
    transformers_offline,
)
from tol_luigi.features.transforms import Transform

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from tol_luigi.features.extractor import Columns, Options
    from tol_luigi.features.samples import FeatureSample

__all__ = ["Blip2"]

KEYS = ("dtype", "transform", "max_tokens", "licence", "source")


@register("blip2")
class Blip2(Extractor):
    """A caption for each image: the likeliest next word each time, so that it is the same every time."""

    columns = (pa.field("blip2_cap", pa.string()),)

    def __init__(self, name: str, options: Options) -> None:
        super().__init__(name, options)
        _, description = described(name, options)
        description.check_keys(KEYS)
        self._description = with_hugging_face(description)
        self._transform = Transform.of(self._description)
        self._words = description.whole("max_tokens", 20)

    def identity(self) -> dict[str, Any]:
        """Return the hashes of its files, and what determines its input."""
        folder = self._description.folder
        return {
            "files": file_hashes([*folder.glob("*.json"), *folder.glob("*.safetensors")]),
            "transform": self._transform.stated,
            "words": self._words,
            "dtype": self._description.text("dtype", default="float32"),
            "packages": versions(self.name, TORCH, TRANSFORMERS),
        }

    def load(self) -> None:
        """Load the model and its tokenizer."""
        transformers, description = transformers_offline(self.name), self._description
        self._torch = torch_for(self.options, self.name)
        self._blocks = Blocks.of(self.options)
        self._network = load_pretrained(transformers.Blip2ForConditionalGeneration, description, self.options)
        self._tokenizer = transformers.AutoTokenizer.from_pretrained(
            description.folder, local_files_only=True
        )

    def prepare(self, sample: FeatureSample) -> NDArray[np.uint8]:
        """Return the pixels of a sample."""
        return self._transform.pixels(sample)

    def run(self, batch: list[NDArray[np.uint8]], before: Mapping[str, Columns]) -> Columns:
        """Return the captions."""
        del before
        return {"blip2_cap": self._blocks(self._captions, self._transform.normalised(batch))}

    def _captions(self, block: NDArray[np.float32]) -> list[str]:
        pixels = self._torch.from_numpy(block)
        with self._torch.inference_mode():
            tokens = self._network.generate(
                pixel_values=pixels.to(self.options.device, self._network.dtype),
                max_new_tokens=self._words,
                do_sample=False,
                num_beams=1,
            )
        captions = self._tokenizer.batch_decode(tokens, skip_special_tokens=True)
        return [" ".join(caption.split()) for caption in captions]

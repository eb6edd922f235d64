"""CLIP models computed by PyTorch: folders of Hugging Face, and checkpoints of open_clip."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from tol_luigi.features.blocks import Blocks
from tol_luigi.features.clip_configs import with_hugging_face, with_open_clip
from tol_luigi.features.clip_models import ClipModel
from tol_luigi.features.descriptions import DTYPES, versions
from tol_luigi.features.open_clip_weights import clip_config, renamed
from tol_luigi.features.tokens import TextTokenizer
from tol_luigi.features.torch_models import (
    TORCH,
    TRANSFORMERS,
    check_weights,
    load_pretrained,
    state_dict,
    torch_for,
    transformers_offline,
)
from tol_luigi.features.transforms import Transform

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from tol_luigi.features.descriptions import Description
    from tol_luigi.features.extractor import Options

__all__ = ["ACTIVATIONS", "HuggingFaceClip", "OpenClip", "TorchClip"]

ACTIVATIONS = ("gelu", "quick_gelu")

FAMILIES = ("clip", "siglip")
"""The values of ``model_type`` in ``config.json`` that are supported."""


class TorchClip(ClipModel):
    """A model of transformers with two towers, called :attr:`network` once it is loaded."""

    network: Any

    def __init__(self, description: Description, options: Options) -> None:
        super().__init__(description, options)
        self.transform = Transform.of(description)
        self.dimensions = description.whole("dimensions")
        self.length = description.whole("context_length")
        self._dtype = description.text("dtype", DTYPES, "float32")
        description.text("tokenizer")

    def packages(self) -> dict[str, str]:
        """Return the versions of PyTorch, transformers and the tokenizer."""
        tokenizer = TextTokenizer.package(self.description)
        return versions(self.description.extractor, TORCH, TRANSFORMERS, tokenizer)

    def files(self) -> list[Path]:
        """Return the files that are read."""
        patterns = ("*.json", "model*.safetensors")
        return [file for pattern in patterns for file in self.description.folder.glob(pattern)]

    def load(self) -> None:
        """Load the weights and the tokenizer."""
        self._tokenizer = TextTokenizer(self.description, self.length)
        self._torch = torch_for(self.options, self.description.extractor)
        self._blocks = Blocks.of(self.options)
        self.network = self.build()
        self.logit_scale = math.exp(float(self.network.logit_scale.detach().float()))
        config = self.network.config
        for key, found, stated in (
            ("transform", config.vision_config.image_size, self.transform.side),
            ("context_length", config.text_config.max_position_embeddings, self.length),
        ):
            if found != stated:
                what = f"it makes inputs of {stated}, but the model expects {found}"
                raise self.description.error(key, what, "Correct it")

    @property
    def pad_token(self) -> str | None:
        """The token with which texts are padded."""
        return self._tokenizer.pad_token

    def tokenize(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Return the tokens of texts."""
        return self._tokenizer(texts)

    def build(self) -> Any:  # noqa: ANN401 (a model of transformers)
        """Return the network with its weights."""
        raise NotImplementedError

    def image_features(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the vectors of images."""
        torch, device = self._torch, self.options.device
        dtype = getattr(torch, self._dtype)

        def computed(block: NDArray[np.float32]) -> list[NDArray[np.float32]]:
            with torch.inference_mode():
                values = torch.from_numpy(block).to(device, dtype)
                return _features(self.network.get_image_features(pixel_values=values))

        return np.stack(self._blocks(computed, pixels))

    def text_features(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the vectors of texts."""
        torch, device = self._torch, self.options.device

        def computed(block: NDArray[np.int64]) -> list[NDArray[np.float32]]:
            with torch.inference_mode():
                return _features(self.network.get_text_features(input_ids=torch.from_numpy(block).to(device)))

        return np.stack(self._blocks(computed, self._tokenizer(texts)))


def _features(output: Any) -> list[NDArray[np.float32]]:  # noqa: ANN401 (a tensor, or an object of transformers 5)
    return list(getattr(output, "pooler_output", output).float().cpu().numpy())


class HuggingFaceClip(TorchClip):
    """A folder of Hugging Face: CLIP or SigLIP."""

    backend = "hf"

    def __init__(self, description: Description, options: Options) -> None:
        super().__init__(with_hugging_face(description), options)

    def build(self) -> Any:  # noqa: ANN401 (a model of transformers)
        """Return the network, as ``config.json`` defines it."""
        description = self.description
        transformers = transformers_offline(description.extractor)
        config = transformers.AutoConfig.from_pretrained(description.folder, local_files_only=True)
        if config.model_type not in FAMILIES:
            what = f"models of the type {config.model_type!r} are not supported"
            raise description.error("model_type", what, f"Supported are {' and '.join(FAMILIES)}")
        if description.has("activation"):
            activation = description.text("activation", ACTIVATIONS)
            config.text_config.hidden_act = config.vision_config.hidden_act = activation
        return load_pretrained(transformers.AutoModel, description, self.options, config=config)


class OpenClip(TorchClip):
    """A checkpoint of open_clip, with ``open_clip_config.json`` or all of it in ``model.yml``."""

    backend = "open_clip"

    def __init__(self, description: Description, options: Options) -> None:
        super().__init__(with_open_clip(description), options)
        # open_clip takes GELU where its file states none, whichever the weights were trained with.
        self.activation = self.description.text("activation", ACTIVATIONS)
        self._config = clip_config(self.description, self.activation)
        self._weights = self.description.path("weights", "open_clip_model.safetensors")

    def files(self) -> list[Path]:
        """Return the files that are read."""
        files = {file for file in super().files() if file.suffix == ".json"}
        return [*files, self._weights]

    def build(self) -> Any:  # noqa: ANN401 (a model of transformers)
        """Return a ``CLIPModel`` with the weights of the checkpoint."""
        extractor = self.description.extractor
        transformers = transformers_offline(extractor)
        weights = renamed(state_dict(self._weights, extractor))
        network = transformers.CLIPModel(transformers.CLIPConfig(**self._config))
        try:
            missing, unknown = network.load_state_dict(weights, strict=False)
        except RuntimeError as error:
            reason = " ".join(str(error).split())[:300]
            what = f"its weights do not fit {self.description.file.name} ({reason})"
            raise self.description.error("model", what, "Correct it") from error
        check_weights(self._weights, {*missing, *unknown})
        return network.to(self.options.device, getattr(self._torch, self._dtype)).eval()

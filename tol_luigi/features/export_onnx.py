"""Export of CLIP models to ONNX, so that vectors are computed without PyTorch."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from tol_luigi.core.errors import SettingsError
from tol_luigi.features.clip_models import clip_model
from tol_luigi.features.clip_onnx import OnnxClip
from tol_luigi.features.clip_torch import TorchClip
from tol_luigi.features.descriptions import Description, file_hashes
from tol_luigi.features.onnx_models import ONNX
from tol_luigi.features.tokens import CLIP_BPE
from tol_luigi.features.torch_models import torch_for

if TYPE_CHECKING:
    from tol_luigi.features.clip_models import ClipModel
    from tol_luigi.features.extractor import Options

__all__ = ["MAX_DIFFERENCE", "cosine_distance", "export_onnx"]

MAX_DIFFERENCE = 1e-4
"""The largest cosine distance of the vectors of both models."""

TEXTS = ("a photo of Corvus corax.", "Animalia", "Größe und Länge", "")
"""Texts with which both are compared."""

IMAGES = 4

_OPSET = 18


def export_onnx(name: str, options: Options, folder: Path) -> float:
    """Write a model of Hugging Face or open_clip as a folder of ONNX files with ``model.yml``.

    Args:
        name: ``clip:`` and the name of the model.
        options: The models that the user has.
        folder: The folder to write, which must not exist.

    Returns:
        The largest cosine distance of vectors of both models, up to :data:`MAX_DIFFERENCE`.

    Raises:
        SettingsError: The model cannot be exported, the vectors differ, or the folder exists.
    """
    if folder.exists():
        raise SettingsError(folder, "it exists already", "Name a new folder")
    # ONNX Runtime, on processors, is what exported models are compared with.
    on_cpu = replace(options, device="cpu")
    model = clip_model(name, on_cpu)
    if not isinstance(model, TorchClip):
        raise SettingsError(model.description.folder, "it holds ONNX files already", "Use it as it is")
    ONNX.module("onnx", name)
    model.description.values = {**model.description.values, "dtype": "float32"}
    model.load()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as work:
        scratch = Path(work) / folder.name
        scratch.mkdir()
        _write_towers(model, scratch, on_cpu)
        _write_description(model, scratch)
        description = Description(
            scratch / "model.yml", yaml.safe_load((scratch / "model.yml").read_bytes()), name
        )
        exported = OnnxClip(description, on_cpu)
        exported.load()
        difference = _difference(model, exported)
        if not difference <= MAX_DIFFERENCE:
            what = f"vectors of the exported model differ by a cosine distance of {difference:.1e}"
            raise SettingsError(model.description.folder, what, "Report this, with the name of the model")
        scratch.rename(folder)
    return difference


def _write_towers(model: TorchClip, folder: Path, options: Options) -> None:
    torch = torch_for(options, model.description.extractor)

    class Tower(torch.nn.Module):  # type: ignore[misc, name-defined]  # a class of a module without types
        """One tower, whose output is one tensor."""

        def __init__(self, features: str) -> None:
            super().__init__()
            self.network, self.features = model.network, features

        def forward(self, values: Any) -> Any:  # noqa: ANN401 (tensors)
            output = getattr(self.network, self.features)(values)
            return getattr(output, "pooler_output", output)

    side = model.transform.side
    tokens = torch.from_numpy(model.tokenize(["a", "b"]))
    # The usual attention chooses its kernel by the values of masks, which a recorded graph cannot.
    model.network.set_attn_implementation("eager")
    for file, features, values, given in (
        ("image.onnx", "get_image_features", torch.rand(2, 3, side, side), "pixel_values"),
        ("text.onnx", "get_text_features", tokens, "input_ids"),
    ):
        # It warns of numbers that it takes as constant, such as sizes; and of itself, as the former exporter.
        with warnings.catch_warnings(), torch.inference_mode():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                Tower(features).eval(),
                (values,),
                str(folder / file),
                input_names=[given],
                output_names=["vectors"],
                dynamic_axes={given: {0: "batch"}, "vectors": {0: "batch"}},
                opset_version=_OPSET,
                dynamo=False,
            )


def _write_description(model: TorchClip, folder: Path) -> None:
    description = model.description
    tokenizer = description.text("tokenizer")
    stated: dict[str, Any] = {
        "backend": "onnx",
        "dimensions": model.dimensions,
        "context_length": model.length,
        "logit_scale": model.logit_scale,
        "activation": str(model.network.config.vision_config.hidden_act),
        "tokenizer": tokenizer,
        "transform": model.transform.stated,
        "source": {"backend": model.backend, "files": file_hashes(model.files())},
    }
    if tokenizer != CLIP_BPE:
        stated |= {"tokenizer": "tokenizer.json", "pad_token": model.pad_token}
        shutil.copyfile(description.path("tokenizer"), folder / "tokenizer.json")
    text = yaml.safe_dump(stated, sort_keys=False, allow_unicode=True)
    (folder / "model.yml").write_text(text, encoding="utf-8")


def cosine_distance(one: np.ndarray[Any, Any], two: np.ndarray[Any, Any]) -> float:
    """Return the largest cosine distance of the rows of two arrays of vectors of length 1."""
    return float((1 - np.einsum("ij,ij->i", one.astype(np.float64), two.astype(np.float64))).max())


def _difference(one: ClipModel, two: ClipModel) -> float:
    """Return the largest cosine distance of the vectors of two models, for random images and some texts."""
    side = one.transform.side
    random = np.random.default_rng(0)
    images = [random.integers(0, 256, (side, side, 3)).astype(np.uint8) for _ in range(IMAGES)]
    return max(
        cosine_distance(one.embed_images(images), two.embed_images(images)),
        cosine_distance(one.embed_texts(TEXTS), two.embed_texts(TEXTS)),
    )

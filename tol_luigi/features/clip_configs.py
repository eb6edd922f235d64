"""What the files of Hugging Face and open_clip state about a CLIP model, as the keys of ``model.yml``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tol_luigi.features.descriptions import read_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tol_luigi.features.descriptions import Description

__all__ = ["with_hugging_face", "with_open_clip"]

_RESAMPLING = {1: "lanczos", 2: "bilinear", 3: "bicubic"}
"""The filters of Pillow by their numbers, which Hugging Face writes."""


def with_hugging_face(description: Description) -> Description:
    """Return a description with what ``config.json`` and the configuration of images state."""
    config = read_json(description.folder / "config.json")
    text, vision = config.get("text_config") or {}, config.get("vision_config") or {}
    # The vectors of SigLIP have the width of its image tower.
    dimensions = config.get("projection_dim", vision.get("hidden_size"))
    if config.get("model_type") == "siglip":
        dimensions = vision.get("hidden_size")
    stated = {"dimensions": dimensions, "context_length": text.get("max_position_embeddings")}
    stated |= {"tokenizer": "tokenizer.json"}
    completed = description.completed(_known(stated), "config.json")
    for file in ("preprocessor_config.json", "processor_config.json"):
        if (description.folder / file).is_file():
            content = read_json(description.folder / file)
            return completed.completed({"transform": _image_processor(content)}, file)
    return completed.completed({}, "preprocessor_config.json")


def _known(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def _side(size: Any) -> int | None:  # noqa: ANN401 (a number or an object of JSON)
    """Return the side of a square."""
    if isinstance(size, dict) and size.get("height") == size.get("width"):
        size = size.get("height")
    return size if isinstance(size, int) else None


def _image_processor(content: Mapping[str, Any]) -> dict[str, Any]:
    content = content.get("image_processor", content)
    size = content.get("size")
    shortest = size.get("shortest_edge") if isinstance(size, dict) else size
    stated: dict[str, Any] = {"interpolation": _RESAMPLING.get(content.get("resample", 0))}
    if content.get("do_resize", True):
        stated |= {"resize": "shortest", "size": shortest}
        if shortest is None:
            stated |= {"resize": "stretch", "size": _side(size)}
    if content.get("do_center_crop"):
        stated["crop"] = _side(content.get("crop_size"))
    if content.get("do_normalize", True):
        stated |= {"mean": content.get("image_mean"), "std": content.get("image_std")}
    return _known(stated)


def with_open_clip(description: Description) -> Description:
    """Return a description with what ``open_clip_config.json`` states, if there is one.

    Source: open_clip's ``PreprocessCfg``: images are resized with the bicubic filter by their shorter side to
    the size of the model, unless the file states otherwise; its tokenizer is that of CLIP, unless it names one.
    """
    file = description.folder / "open_clip_config.json"
    if not file.is_file():
        return description.completed({}, file.name)
    content = read_json(file)
    model, images = content.get("model_cfg") or {}, content.get("preprocess_cfg") or {}
    text = model.get("text_cfg") or {}
    side = _side(images.get("size")) or (model.get("vision_cfg") or {}).get("image_size")
    stretched = images.get("resize_mode") == "squash"
    transform = {
        "size": side,
        "resize": {"shortest": "shortest", "squash": "stretch"}.get(images.get("resize_mode", "shortest")),
        "interpolation": images.get("interpolation", "bicubic"),
        "crop": None if stretched else side,
        "mean": _list(images.get("mean")),
        "std": _list(images.get("std")),
    }
    stated: dict[str, Any] = {
        "model": model,
        "dimensions": model.get("embed_dim"),
        "context_length": text.get("context_length"),
        "transform": _known(transform),
        "tokenizer": "tokenizer.json" if text.get("hf_tokenizer_name") else "clip-bpe",
    }
    if "quick_gelu" in model:
        stated["activation"] = "quick_gelu" if model["quick_gelu"] else "gelu"
    return description.completed(_known(stated), file.name)


def _list(value: Any) -> list[Any] | None:  # noqa: ANN401 (any value of JSON)
    return list(value) if isinstance(value, list) else None

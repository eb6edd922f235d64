"""Checkpoints of open_clip as the CLIPModel of transformers: the same network under other names.

Source: the names of the weights of open_clip's ``CLIP`` and of transformers' ``CLIPModel``; that nothing is missing
and that vectors agree is checked whenever one is loaded, and in the tests.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tol_luigi.features.descriptions import Description

__all__ = ["clip_config", "renamed"]

_MODEL_KEYS = {
    "embed_dim",
    "quick_gelu",
    "vision_cfg",
    "text_cfg",
    "init_logit_scale",
    "init_logit_bias",
    "custom_text",
}
_VISION_KEYS = {"image_size", "layers", "width", "head_width", "patch_size", "mlp_ratio", "patch_dropout"}
_TEXT_KEYS = {"context_length", "vocab_size", "width", "heads", "layers", "mlp_ratio", "hf_tokenizer_name"}

_BUFFERS = {"attn_mask", "input_resolution", "context_length", "vocab_size"}
"""What is among weights, but is none."""

_NAMES = {
    "positional_embedding": "text_model.embeddings.position_embedding.weight",
    "token_embedding.weight": "text_model.embeddings.token_embedding.weight",
    "text_projection": "text_projection.weight",
    "logit_scale": "logit_scale",
    "visual.class_embedding": "vision_model.embeddings.class_embedding",
    "visual.positional_embedding": "vision_model.embeddings.position_embedding.weight",
    "visual.conv1.weight": "vision_model.embeddings.patch_embedding.weight",
    "visual.proj": "visual_projection.weight",
}
_TRANSPOSED = {"text_projection", "visual.proj"}

_NORMS = {
    "ln_final": "text_model.final_layer_norm",
    "visual.ln_pre": "vision_model.pre_layrnorm",
    "visual.ln_post": "vision_model.post_layernorm",
}

_BLOCK = re.compile(r"(visual\.)?transformer\.resblocks\.(\d+)\.(.+)\.(\w+)")
_PARTS = {
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "attn.out_proj": "self_attn.out_proj",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
}


def clip_config(description: Description, activation: str) -> dict[str, Any]:
    """Return the configuration of a ``CLIPModel``.

    Args:
        description: A description with ``model``, that is ``model_cfg`` of open_clip.
        activation: ``gelu`` or ``quick_gelu``.

    Raises:
        SettingsError: A key is missing, or open_clip has another network for it.
    """
    for key, known in (
        ("model", _MODEL_KEYS),
        ("model.vision_cfg", _VISION_KEYS),
        ("model.text_cfg", _TEXT_KEYS),
    ):
        values: Any = description.values
        for part in key.split("."):
            values = values.get(part) if isinstance(values, dict) else None
        for one in values or ():
            if one not in known and values[one] not in (None, False):
                what = f"networks of open_clip with {values[one]!r} are not supported"
                raise description.error(f"{key}.{one}", what, "Export the model to ONNX with open_clip")
    if (
        isinstance(description.values.get("model", {}).get("custom_text"), bool)
        and description.values["model"]["custom_text"]
    ):
        raise description.error(
            "model.custom_text", "such networks of open_clip are not supported", "Export the model to ONNX"
        )
    dimensions = description.whole("model.embed_dim")
    shared = {"projection_dim": dimensions, "hidden_act": activation, "layer_norm_eps": 1e-5}

    def tower(key: str, heads: int) -> dict[str, Any]:
        width = description.whole(f"{key}.width")
        return {
            **shared,
            "hidden_size": width,
            "intermediate_size": int(width * description.number(f"{key}.mlp_ratio", 4.0)),
            "num_hidden_layers": description.whole(f"{key}.layers"),
            "num_attention_heads": heads,
        }

    vision, text = "model.vision_cfg", "model.text_cfg"
    vision_heads = description.whole(f"{vision}.width") // description.whole(f"{vision}.head_width", 64)
    return {
        "projection_dim": dimensions,
        "vision_config": {
            **tower(vision, vision_heads),
            "image_size": description.whole(f"{vision}.image_size"),
            "patch_size": description.whole(f"{vision}.patch_size"),
        },
        "text_config": {
            **tower(text, description.whole(f"{text}.heads")),
            "max_position_embeddings": description.whole(f"{text}.context_length"),
            "vocab_size": description.whole(f"{text}.vocab_size"),
            # With 2, transformers takes the vector at the token with the highest number, as open_clip does.
            "eos_token_id": 2,
        },
    }


def renamed(weights: Mapping[str, Any]) -> dict[str, Any]:
    """Return the weights of open_clip's ``CLIP`` under the names of ``CLIPModel``; unknown names stay."""
    found: dict[str, Any] = {}
    for name, value in weights.items():
        module, _, last = name.rpartition(".")
        block = _BLOCK.fullmatch(name)
        if name in _BUFFERS:
            continue
        if name in _NAMES:
            found[_NAMES[name]] = value.t().contiguous() if name in _TRANSPOSED else value
        elif module in _NORMS:
            found[f"{_NORMS[module]}.{last}"] = value
        elif block:
            found |= _block(block, value)
        else:
            found[name] = value
    return found


def _block(block: re.Match[str], value: Any) -> dict[str, Any]:  # noqa: ANN401 (a tensor)
    visual, number, part, last = block.groups()
    layer = f"{'vision' if visual else 'text'}_model.encoder.layers.{number}"
    if part in _PARTS:
        return {f"{layer}.{_PARTS[part]}.{last}": value}
    # Queries, keys and values of open_clip are one matrix.
    kind = last.removeprefix("in_proj_")
    return {
        f"{layer}.self_attn.{one}_proj.{kind}": third
        for one, third in zip("qkv", value.chunk(3), strict=True)
    }

"""Trains a small CLIP model on drawn taxa, and writes it in all formats, with other small models.

Run with the Python of TOL_TORCH: ``python toy_clip.py FOLDER``. What the tests compare is in ``results.json``.
"""

from __future__ import annotations

import itertools
import random
import shutil
import socket
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import torch
import torch_checks
import transformers
from safetensors.torch import save_file
from tokenizers import Tokenizer
from toy_taxa import (
    END,
    LENGTH,
    MEAN,
    PREPROCESSOR,
    SIDE,
    STD,
    TAXA,
    caption,
    drawn,
    write_images,
    write_json,
)
from toy_tokenizer import write_tokenizer


def trained(folder: Path, steps: int = 260) -> Any:
    """Return a CLIPModel that knows the taxa, trained in a few seconds."""

    torch.set_num_threads(1)
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    torch.manual_seed(7)
    tower = {
        "hidden_size": 48,
        "intermediate_size": 96,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "projection_dim": 24,
        "hidden_act": "quick_gelu",
    }

    tokenizer = Tokenizer.from_file(str(folder / "hf" / "tokenizer.json"))
    tokenizer.enable_padding(length=LENGTH, pad_id=tokenizer.token_to_id(END), pad_token=END)
    config = transformers.CLIPConfig(
        vision_config={**tower, "image_size": SIDE, "patch_size": 8},
        text_config={
            **tower,
            "max_position_embeddings": LENGTH,
            "vocab_size": tokenizer.get_vocab_size(),
            "eos_token_id": tokenizer.token_to_id(END),
        },
        projection_dim=24,
    )
    model = transformers.CLIPModel(config).train()
    texts = torch.tensor([one.ids for one in tokenizer.encode_batch([caption(taxon) for taxon in TAXA])])
    chance = random.Random(7)  # noqa: S311 (drawings)
    images = np.stack([np.asarray(drawn(TAXA[n % 12], chance), np.float32) for n in range(12 * 100)])
    pixels = torch.from_numpy(((images / 255 - MEAN) / STD).transpose(0, 3, 1, 2).astype(np.float32))
    labels = torch.arange(len(pixels)) % 12
    optimiser = torch.optim.AdamW(model.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, total_steps=steps)
    for _ in range(steps):
        rows = torch.randint(len(pixels), (96,))
        logits = model(input_ids=texts, pixel_values=pixels[rows]).logits_per_image
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(logits, labels[rows]).backward()
        optimiser.step()
        schedule.step()
    return model.eval()


def open_clip_names(weights: dict[str, Any]) -> dict[str, Any]:
    """Return the weights of a CLIPModel under open_clip's names."""

    found = {
        "positional_embedding": weights["text_model.embeddings.position_embedding.weight"],
        "token_embedding.weight": weights["text_model.embeddings.token_embedding.weight"],
        "text_projection": weights["text_projection.weight"].t().contiguous(),
        "logit_scale": weights["logit_scale"],
        "visual.class_embedding": weights["vision_model.embeddings.class_embedding"],
        "visual.positional_embedding": weights["vision_model.embeddings.position_embedding.weight"],
        "visual.conv1.weight": weights["vision_model.embeddings.patch_embedding.weight"],
        "visual.proj": weights["visual_projection.weight"].t().contiguous(),
    }
    for ours, theirs in (
        ("ln_final", "text_model.final_layer_norm"),
        ("visual.ln_pre", "vision_model.pre_layrnorm"),
        ("visual.ln_post", "vision_model.post_layernorm"),
    ):
        found |= {f"{ours}.{kind}": weights[f"{theirs}.{kind}"] for kind in ("weight", "bias")}
    parts = {
        "ln_1": "layer_norm1",
        "ln_2": "layer_norm2",
        "attn.out_proj": "self_attn.out_proj",
        "mlp.c_fc": "mlp.fc1",
        "mlp.c_proj": "mlp.fc2",
    }
    towers = (("visual.", "vision_model"), ("", "text_model"))
    for (prefix, tower), layer in itertools.product(towers, range(2)):
        ours, theirs = f"{prefix}transformer.resblocks.{layer}", f"{tower}.encoder.layers.{layer}"
        for kind in ("weight", "bias"):
            found |= {f"{ours}.{one}.{kind}": weights[f"{theirs}.{two}.{kind}"] for one, two in parts.items()}
            found[f"{ours}.attn.in_proj_{kind}"] = torch.cat(
                [weights[f"{theirs}.self_attn.{one}_proj.{kind}"] for one in "qkv"]
            )
    return found


def write_open_clip(folder: Path, model: Any) -> None:

    write_tokenizer(folder)
    vocabulary = model.config.text_config.vocab_size
    content = {
        "model_cfg": {
            "embed_dim": 24,
            "quick_gelu": True,
            "vision_cfg": {
                "image_size": SIDE,
                "layers": 2,
                "width": 48,
                "head_width": 12,
                "patch_size": 8,
                "mlp_ratio": 2,
            },
            "text_cfg": {
                "context_length": LENGTH,
                "vocab_size": vocabulary,
                "width": 48,
                "heads": 4,
                "layers": 2,
                "mlp_ratio": 2,
            },
        },
        "preprocess_cfg": {"mean": MEAN, "std": STD},
    }
    write_json(folder / "open_clip_config.json", content)
    (folder / "model.yml").write_text("tokenizer: tokenizer.json\n", encoding="utf-8")
    weights = {name: value.clone() for name, value in open_clip_names(model.state_dict()).items()}
    save_file(weights, folder / "open_clip_model.safetensors")


def no_network(*_args: object, **_options: object) -> NoReturn:
    raise OSError("the network is not to be used")


def main(folder: Path) -> None:
    socket.socket.connect = socket.getaddrinfo = no_network  # type: ignore[assignment, method-assign]

    write_tokenizer(folder / "hf")
    write_images(folder / "images")
    began = time.monotonic()
    model = trained(folder)
    seconds = round(time.monotonic() - began, 2)
    model.save_pretrained(folder / "hf")
    write_json(folder / "hf" / "preprocessor_config.json", PREPROCESSOR)
    write_open_clip(folder / "open_clip", model)
    write_json(folder / "results.json", {"training": seconds, **torch_checks.results(folder)})
    shutil.rmtree(folder / "broken", ignore_errors=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

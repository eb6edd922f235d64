"""What is checked with PyTorch, in the process that trains the small CLIP model."""

from __future__ import annotations

import json
import shutil
import time
import warnings
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import transformers
from safetensors.torch import load_file, save_file
from toy_taxa import PREPROCESSOR, SIDE, TAXA, caption, write_json
from toy_tokenizer import write_tokenizer

from tol_luigi.core.errors import SettingsError
from tol_luigi.features.clip_models import clip_model
from tol_luigi.features.export_onnx import cosine_distance, export_onnx
from tol_luigi.features.extractor import Options
from tol_luigi.features.models import Model
from tol_luigi.features.nsfw_head import read_head
from tol_luigi.features.registry import resolve
from tol_luigi.features.samples import FeatureSample

if TYPE_CHECKING:
    from collections.abc import Callable

MEAN = [0.5, 0.5, 0.5]

TEXTS = [*map(caption, TAXA), "", "Rubra Rubra Rubra Rubra Rubra Rubra Rubra Rubra Rubra"]


def options(**models: Path) -> Options:
    return Options(models={name: Model(name, path) for name, path in models.items()})


def samples(folder: Path, count: int = 24) -> list[FeatureSample]:
    files = sorted((folder / "images").iterdir())[:: 120 // count]
    texts = [caption(TAXA[int(file.name[:2])]) for file in files]
    return [
        FeatureSample(file.stem, {"png": file.read_bytes(), "txt": text.encode()}, row)
        for row, (file, text) in enumerate(zip(files, texts, strict=True))
    ]


def error_of(action: Callable[[], object]) -> str:
    """Return the text of the error that an action raises."""
    try:
        action()
    except SettingsError as error:
        return str(error)
    return "no error"


def loaded(name: str, path: Path) -> Any:
    model = clip_model(f"clip:{name}", options(**{name: path}))
    model.load()
    return model


def run(name: str, known: Options, some: list[FeatureSample]) -> Any:
    (extractor,) = resolve([name], known)
    extractor.identity()
    extractor.load()
    return extractor.run([extractor.prepare(sample) for sample in some], {})


def results(folder: Path) -> dict[str, Any]:
    """Return everything that the tests look at."""
    found: dict[str, Any] = {"seconds": {}}
    for check in (parity, formats, broken, siglip, detoxify, captions, heads, other_networks, batches):
        began = time.monotonic()
        found[check.__name__] = check(folder)
        found["seconds"][check.__name__] = round(time.monotonic() - began, 2)
    return found


def vectors(model: Any, some: list[FeatureSample]) -> tuple[Any, Any]:
    return model.embed_images([model.transform.pixels(one) for one in some]), model.embed_texts(TEXTS)


def parity(folder: Path) -> dict[str, float]:
    """Compare the backends with each other."""
    some = samples(folder)
    images, texts = vectors(loaded("toy", folder / "hf"), some)
    found = {"export": export_onnx("clip:toy", options(toy=folder / "hf"), folder / "onnx")}
    export_onnx("clip:other", options(other=folder / "open_clip"), folder / "onnx_of_open_clip")
    for backend in ("open_clip", "onnx", "onnx_of_open_clip"):
        others = vectors(loaded("other", folder / backend), some)
        found[f"{backend} images"] = cosine_distance(images, others[0])
        found[f"{backend} texts"] = cosine_distance(texts, others[1])
    again = error_of(lambda: export_onnx("clip:toy", options(toy=folder / "hf"), folder / "onnx"))
    return found | {"again": again}


def formats(folder: Path) -> dict[str, Any]:
    """Compare number formats, and a checkpoint that is described completely with one that has its own description."""

    some = samples(folder)
    images, _ = vectors(loaded("toy", folder / "hf"), some)
    half = shutil.copytree(folder / "hf", folder / "broken" / "half")
    (half / "model.yml").write_text("dtype: bfloat16\n", encoding="utf-8")
    bare = folder / "broken" / "bare"
    bare.mkdir()
    weights = load_file(folder / "open_clip" / "open_clip_model.safetensors")
    wrapped = {"epoch": 3, "state_dict": {f"module.{name}": value for name, value in weights.items()}}
    torch.save(wrapped, bare / "epoch_3.pt")
    shutil.copyfile(folder / "hf" / "tokenizer.json", bare / "tokenizer.json")
    config = json.loads((folder / "open_clip" / "open_clip_config.json").read_text(encoding="utf-8"))[
        "model_cfg"
    ]
    del config["quick_gelu"]
    transform = dict(loaded("toy", folder / "hf").transform.stated)
    stated = {
        "backend": "open_clip",
        "weights": "epoch_3.pt",
        "model": config,
        "activation": "quick_gelu",
        "dimensions": 24,
        "context_length": 8,
        "tokenizer": "tokenizer.json",
        "pad_token": "<|endoftext|>",
        "transform": transform,
    }
    # JSON is YAML, too.
    write_json(bare / "model.yml", stated)
    of_bare, _ = vectors(loaded("bare", bare), some)
    write_torchscript(bare / "scripted.pt", weights)
    write_json(bare / "model.yml", {**stated, "weights": "scripted.pt"})
    of_scripted, _ = vectors(loaded("bare", bare), some)
    of_half, _ = vectors(loaded("half", half), some)
    return {
        "pt": cosine_distance(images, of_bare),
        "torchscript": cosine_distance(images, of_scripted),
        "bfloat16": cosine_distance(images, of_half),
        "logit_scale": loaded("toy", folder / "hf").logit_scale,
    }


class Tree(torch.nn.Module):
    """A module with parameters of any names."""

    def add(self, name: str, value: torch.Tensor) -> None:
        first, _, rest = name.partition(".")
        if not rest:
            self.register_parameter(first, torch.nn.Parameter(value, requires_grad=False))
            return
        if first not in dict(self.named_children()):
            self.add_module(first, Tree())
        self.get_submodule(first).add(rest, value)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return values


def write_torchscript(file: Path, weights: dict[str, torch.Tensor]) -> None:
    """Write weights in half precision as a program of TorchScript, as OpenAI's are."""
    tree = Tree()
    for name, value in weights.items():
        tree.add(name, value.half())
    tree.register_buffer("input_resolution", torch.tensor(SIDE))
    torch.jit.trace(tree, torch.rand(1)).save(file)


def broken(folder: Path) -> dict[str, str]:
    """Return the messages for models with something missing."""

    def copied(name: str, source: str) -> Path:
        return Path(shutil.copytree(folder / source, folder / "broken" / name))

    found = {}
    path = copied("activation", "open_clip")
    config = json.loads((path / "open_clip_config.json").read_text(encoding="utf-8"))
    del config["model_cfg"]["quick_gelu"]
    write_json(path / "open_clip_config.json", config)
    found["activation"] = error_of(lambda: loaded("toy", path))
    path = copied("network", "open_clip")
    config["model_cfg"]["vision_cfg"]["timm_model_name"] = "convnext"
    write_json(path / "open_clip_config.json", config)
    (path / "model.yml").write_text("activation: gelu\ntokenizer: tokenizer.json\n", encoding="utf-8")
    found["network"] = error_of(lambda: loaded("toy", path))
    for source, file in (("hf", "model.safetensors"), ("open_clip", "open_clip_model.safetensors")):
        path = copied(f"lost-{source}", source)
        weights = load_file(path / file)
        name = next(name for name in sorted(weights) if name.endswith(("fc1.weight", "c_fc.weight")))
        del weights[name]
        save_file(weights, path / file, metadata={"format": "pt"})
        found[f"one weight of {source}"] = error_of(lambda path=path: loaded("toy", path))
        (path / file).write_bytes(b"damaged")
        found[f"damaged {source}"] = error_of(lambda path=path: loaded("toy", path))
    path = copied("size", "hf")
    (path / "model.yml").write_text(f"transform: {{size: {SIDE * 2}, crop: {SIDE * 2}}}\n", encoding="utf-8")
    found["size"] = error_of(lambda: loaded("toy", path))
    path = copied("length", "open_clip")
    (path / "model.yml").write_text("context_length: 7\ntokenizer: tokenizer.json\n", encoding="utf-8")
    found["length"] = error_of(lambda: loaded("toy", path))
    path = copied("family", "hf")
    write_json(path / "config.json", {"model_type": "bert", "projection_dim": 24})
    (path / "model.yml").write_text("context_length: 8\n", encoding="utf-8")
    found["family"] = error_of(lambda: loaded("toy", path))
    return {key: text.replace(str(folder), "FOLDER") for key, text in found.items()}


def siglip(folder: Path) -> dict[str, Any]:
    """Load a SigLIP model with random weights."""

    torch.manual_seed(1)
    path = folder / "siglip"
    write_tokenizer(path)
    tower = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = transformers.SiglipConfig(
        vision_config={**tower, "image_size": SIDE, "patch_size": 16},
        text_config={**tower, "vocab_size": 20, "max_position_embeddings": 8, "projection_size": 16},
    )
    network = transformers.SiglipModel(config).eval()
    network.save_pretrained(path)
    stretched = {
        "size": {"height": SIDE, "width": SIDE},
        "resample": 3,
        "image_mean": MEAN,
        "image_std": MEAN,
    }
    write_json(path / "preprocessor_config.json", stretched)
    (path / "model.yml").write_text("dimensions: 16\ncontext_length: 8\n", encoding="utf-8")
    model = loaded("siglip", path)
    images, texts = vectors(model, samples(folder, 4))
    pixels = model.transform.normalised([model.transform.pixels(one) for one in samples(folder, 4)])
    with torch.inference_mode():
        output = network.get_image_features(pixel_values=torch.from_numpy(pixels))
    own = getattr(output, "pooler_output", output).numpy()
    return {
        "images": cosine_distance(images, own / np.linalg.norm(own, axis=1, keepdims=True)),
        "texts": list(texts.shape),
        "resize": model.transform.resize,
    }


def detoxify(folder: Path) -> dict[str, Any]:
    """Classify texts with a classifier with random weights."""

    torch.manual_seed(2)
    path = folder / "detoxify"
    write_tokenizer(path)
    config = transformers.BertConfig(
        vocab_size=20,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        id2label={0: "male", 1: "toxicity", 2: "threat"},
    )
    network = transformers.BertForSequenceClassification(config).eval()
    with torch.no_grad():
        network.classifier.bias[:] = torch.tensor([9.0, -1.0, 1.0])
    network.save_pretrained(path)
    known = options(detoxify=path)
    some = samples(folder, 4)
    together = run("detoxify:detoxify", known, some)["nsfw_detoxify_score"]
    alone = [run("detoxify:detoxify", known, [one])["nsfw_detoxify_score"][0] for one in some]
    (path / "model.yml").write_text("labels: [insult]\n", encoding="utf-8")
    unknown = error_of(lambda: resolve(["detoxify:detoxify"], known))
    return {"together": together, "alone": alone, "unknown": unknown.replace(str(folder), "FOLDER")}


def captions(folder: Path) -> list[str]:
    """Caption images with a BLIP-2 model with random weights."""

    torch.manual_seed(3)
    path = folder / "blip2"
    write_tokenizer(path)
    tower = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = transformers.Blip2Config(
        vision_config={**tower, "image_size": SIDE, "patch_size": 16},
        qformer_config={**tower, "vocab_size": 20, "encoder_hidden_size": 16},
        text_config={
            "model_type": "opt",
            "vocab_size": 20,
            "hidden_size": 16,
            "word_embed_proj_dim": 16,
            "ffn_dim": 32,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "max_position_embeddings": 64,
            "pad_token_id": 0,
            "bos_token_id": 1,
            "eos_token_id": 2,
        },
        num_query_tokens=4,
        image_token_index=19,
    )
    transformers.Blip2ForConditionalGeneration(config).save_pretrained(path)
    write_json(path / "preprocessor_config.json", PREPROCESSOR)
    (path / "model.yml").write_text("max_tokens: 3\n", encoding="utf-8")
    return list(run("blip2:blip2", options(blip2=path), samples(folder, 2))["blip2_cap"])


def heads(folder: Path) -> dict[str, Any]:
    """Compare the classifier of vectors with the same layers in PyTorch, and read it from a file of PyTorch."""

    torch.manual_seed(4)
    parts = [torch.nn.BatchNorm1d(768, eps=0.0)]
    for inputs, outputs in ((768, 64), (64, 512), (512, 256), (256, 1)):
        parts += [torch.nn.Linear(inputs, outputs), torch.nn.ReLU()]
    names = ["norm", "dense", "relu", "dense1", "relu1", "dense2", "relu2", "dense3", "sigmoid"]
    network = torch.nn.Sequential(OrderedDict(zip(names, [*parts[:-1], torch.nn.Sigmoid()], strict=True)))
    # PyTorch trains no normalisation without an epsilon.
    network.norm.running_mean.normal_()
    network.norm.running_var.uniform_(0.5, 2)
    network.eval()
    file = folder / "head.pt"
    torch.save(network.state_dict(), file)
    values = torch.randn(9, 768)
    with torch.inference_mode():
        expected = network(values)[:, 0].numpy()
    head = read_head(file, "nsfw-clip-head:head")
    arrays = {name: value.numpy() for name, value in network.state_dict().items()}
    np.savez(folder / "head.npz", **arrays)
    np.savez(folder / "head_values.npz", vectors=values.numpy(), expected=expected)
    whole = folder / "whole.pt"
    torch.save(network, whole)
    return {
        "difference": float(np.abs(head.scores(values.numpy()) - expected).max()),
        "whole": error_of(lambda: read_head(whole, "x")).replace(str(folder), "FOLDER"),
    }


def other_networks(folder: Path) -> dict[str, Any]:
    """Write small networks with the outputs of copy detectors and of SCRFD."""

    class Copies(torch.nn.Module):
        def forward(self, pixels: Any) -> Any:
            return torch.nn.functional.adaptive_avg_pool2d(pixels, 2).flatten(1)

    class Faces(torch.nn.Module):
        """Finds what is black: a score for the first anchor of each cell, and a box of the size of its stride."""

        def forward(self, pixels: Any) -> Any:
            found = []
            for stride in (8, 16, 32):
                cells = torch.nn.functional.avg_pool2d(-pixels.mean(1, keepdim=True), stride)
                scores = torch.stack([cells, torch.zeros_like(cells)], -1).clamp(0, 0.99)
                found += [scores.reshape(-1, 1), torch.ones_like(scores).reshape(-1, 1).repeat(1, 4)]
            return tuple(found)

    path = folder / "copies"
    path.mkdir()
    torch.jit.trace(Copies(), torch.rand(1, 3, 16, 16)).save(path / "copies.ts")
    for file, network, side in (("copies/copies.onnx", Copies(), 16), ("faces.onnx", Faces(), 64)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                network,
                (torch.rand(1, 3, side, side),),
                str(folder / file),
                input_names=["pixels"],
                dynamic_axes={"pixels": {0: "batch"}} if side == 16 else None,
                opset_version=18,
                dynamo=False,
            )
    transform = {"size": 16, "resize": "stretch", "interpolation": "bilinear", "mean": MEAN, "std": MEAN}
    write_json(path / "model.yml", {"weights": "copies.ts", "dimensions": 12, "transform": transform})
    some = samples(folder, 4)
    script = run("copy:copies", options(copies=path), some)["copies_img"]
    write_json(path / "model.yml", {"weights": "copies.onnx", "dimensions": 12, "transform": transform})
    onnx = run("copy:copies", options(copies=path), some)["copies_img"]
    return {"difference": cosine_distance(script, onnx)}


def batches(folder: Path) -> list[str]:
    """Return the models whose results depend on the sizes of batches, or on the number of threads."""
    some = samples(folder, 20)
    places = {"clip:hf": "hf", "clip:open_clip": "open_clip", "clip:onnx": "onnx"}
    places |= {f"{name}:{name}": name for name in ("detoxify", "blip2")}
    (folder / "detoxify" / "model.yml").unlink()
    scripts = shutil.copytree(folder / "copies", folder / "broken" / "scripts")
    stated = json.loads((scripts / "model.yml").read_text(encoding="utf-8"))
    np.save(scripts / "references.npy", np.random.default_rng(0).normal(size=(50, 12)).astype(np.float32))
    write_json(scripts / "model.yml", stated | {"weights": "copies.ts", "references": "references.npy"})
    places["copy:scripts"] = "broken/scripts"
    depending = []
    for name, place in places.items():
        models = options(**{name.partition(":")[2]: folder / place}).models
        found = set()
        for threads, size in ((1, 1), (1, 20), (4, 7)):
            (extractor,) = resolve([name], Options(models=models, threads=threads))
            extractor.load()
            prepared = [extractor.prepare(one) for one in some]
            parts = [extractor.run(prepared[start : start + size], {}) for start in range(0, 20, size)]
            found.add(str([np.concatenate([part[key] for part in parts]).tolist() for key in parts[0]]))
        if len(found) > 1:
            depending.append(name)
    return depending

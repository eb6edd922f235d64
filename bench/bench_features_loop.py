"""What does extraction cost beside a plain loop over the same tars with the same model: webdataset, a DataLoader, pandas?

The loop does what dataset2metadata does, as its documentation and formats describe it: decode, transform and tokenise in the
loader, run the model on batches, and write a table and an npz file in the end. It checks nothing and cannot resume.
"""

from __future__ import annotations

import io
import os
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
import webdataset
from _pictures import INAT21, photographs
from _table import Row, arguments, show, show_host

from tol_luigi.bench.measure import measured
from tol_luigi.core.images import ImageSpec, encode
from tol_luigi.features.clip_models import clip_model
from tol_luigi.features.extraction import Extraction, ExtractionSpec, families
from tol_luigi.features.extractor import Options, fingerprints
from tol_luigi.features.models import Model
from tol_luigi.features.registry import resolve

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "features"))
import toy_clip
from toy_taxa import PREPROCESSOR, write_json
from toy_tokenizer import write_tokenizer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL import Image

    from tol_luigi.features.clip_torch import TorchClip

BATCH = 32


def main() -> None:
    """Print the table."""
    given = arguments(str(__doc__).splitlines()[0], 500, repeat=3)
    show_host()
    spec = ImageSpec()
    pictures = [encode(picture, spec)[0] for picture in photographs(INAT21, given.images, given.shared)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tar = _packed(folder / "shard.tar", pictures)
        options = Options(models={"toy": Model("toy", _written_model(folder / "toy"))})
        extractors = resolve(["clip:toy"], options)
        model: Any = clip_model("clip:toy", options)
        model.load()

        def extracted() -> None:
            files = families(folder / "out", "shard", extractors, fingerprints(extractors))
            Extraction(str(tar), files, ExtractionSpec(batch=BATCH, rerun=True)).run()

        runs = measured(
            {
                "loop, no worker": lambda: _loop(tar, folder / "loop", model, 0),
                "loop, a worker": lambda: _loop(tar, folder / "loop", model, 1),
                "features": extracted,
            },
            given.repeat,
        )
    speed = {name: [given.images / seconds for seconds in taken] for name, taken in runs.items()}
    baseline = speed["loop, no worker"]
    show(
        str(__doc__).splitlines()[0],
        f"{given.images} images of {spec.width} x {spec.height} pixels, a CLIP model of two layers for 32 x 32 pixels",
        "images a second of processor time (more is better)",
        "loop, no worker",
        [Row(name, values, baseline) for name, values in speed.items()],
    )


def _written_model(folder: Path) -> Path:
    """Write the small CLIP model of the tests, hardly trained."""
    write_tokenizer(folder / "hf")
    toy_clip.trained(folder, steps=2).save_pretrained(folder / "hf")
    write_json(folder / "hf" / "preprocessor_config.json", PREPROCESSOR)
    return folder / "hf"


def _packed(path: Path, pictures: Sequence[bytes]) -> Path:
    with tarfile.open(path, "w") as tar:
        for number, picture in enumerate(pictures):
            for extension, content in (("jpg", picture), ("txt", b"Rubra %d" % number)):
                header = tarfile.TarInfo(f"{number:08}.{extension}")
                header.size = len(content)
                tar.addfile(header, io.BytesIO(content))
    return path


class _Prepared:
    """Makes the input of a model of a decoded sample."""

    def __init__(self, model: TorchClip) -> None:
        self._size, self._mean, self._std = model.transform.side, model.transform.mean, model.transform.std
        self._tokenize = model.tokenize

    def __call__(self, sample: tuple[str, Image.Image, str]) -> tuple[str, torch.Tensor, torch.Tensor]:
        key, image, text = sample
        scale = self._size / min(image.size)
        small = image.resize([max(self._size, int(side * scale)) for side in image.size], 3)
        left, top = (small.width - self._size) // 2, (small.height - self._size) // 2
        pixels = np.asarray(small.crop((left, top, left + self._size, top + self._size)), np.float32)
        normal = (pixels / 255 - np.asarray(self._mean, np.float32)) / np.asarray(self._std, np.float32)
        return key, torch.from_numpy(normal.transpose(2, 0, 1)), torch.from_numpy(self._tokenize([text])[0])


def _loop(tar: Path, output: Path, model: TorchClip, workers: int) -> None:
    samples = webdataset.WebDataset(str(tar), shardshuffle=False, empty_check=False)
    samples = samples.decode("pilrgb").to_tuple("__key__", "jpg", "txt").map(_Prepared(model))
    loader = torch.utils.data.DataLoader(samples.batched(BATCH), batch_size=None, num_workers=workers)
    keys: list[str] = []
    images, texts, scores = [], [], []
    for names, pixels, tokens in loader:
        with torch.inference_mode():
            image = _unit(model.network.get_image_features(pixel_values=pixels))
            text = _unit(model.network.get_text_features(input_ids=tokens))
        keys += names
        images.append(image.numpy())
        texts.append(text.numpy())
        scores += (image * text).sum(1).tolist()
    pd.DataFrame({"uid": keys, "score": scores}).to_parquet(f"{output}.parquet")
    np.savez_compressed(f"{output}.npz", image=np.concatenate(images), text=np.concatenate(texts))


def _unit(output: Any) -> torch.Tensor:  # noqa: ANN401 (an object of transformers)
    return torch.nn.functional.normalize(output.pooler_output.float(), dim=1)


if __name__ == "__main__":
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    main()

"""How offensive a text is, by a classifier of texts in a folder of Hugging Face, such as Detoxify's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from tol_luigi.features.blocks import Blocks
from tol_luigi.features.descriptions import described, file_hashes, read_json, versions
from tol_luigi.features.extractor import Extractor
from tol_luigi.features.registry import register
from tol_luigi.features.torch_models import (
    TORCH,
    TRANSFORMERS,
    load_pretrained,
    torch_for,
    transformers_offline,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from tol_luigi.features.extractor import Columns, Options
    from tol_luigi.features.samples import FeatureSample

__all__ = ["HEADS", "Detoxify"]

HEADS = (
    "toxicity",
    "severe_toxicity",
    "obscene",
    "identity_attack",
    "insult",
    "threat",
    "sexual_explicit",
    "toxic",
    "severe_toxic",
    "identity_hate",
)
"""The labels of Detoxify's models that mean an offence; others are groups of people that a text mentions."""

_LENGTHS = 16
"""Texts are padded to a multiple of this number of tokens, whatever the length of the others in a batch."""

KEYS = ("labels", "context_length", "dtype", "licence", "source")


@register("detoxify")
class Detoxify(Extractor):
    """The highest probability, from 0 to 1, of any kind of offence."""

    reads_text = True
    columns = (pa.field("nsfw_detoxify_score", pa.float32()),)

    def __init__(self, name: str, options: Options) -> None:
        super().__init__(name, options)
        _, description = described(name, options)
        description.check_keys(KEYS)
        labels = read_json(description.folder / "config.json").get("id2label") or {}
        known = {str(label).lower(): int(place) for place, label in labels.items()}
        wanted = [label for label in HEADS if label in known]
        if description.has("labels") or not wanted:
            wanted = [str(label).lower() for label in description.items("labels", str)]
        for label in wanted:
            if label not in known:
                what = f"config.json has no label {label}"
                raise description.error("labels", what, f"Its labels are {', '.join(sorted(known))}")
        self._heads = sorted(known[label] for label in wanted)
        self._length, self._description = description.whole("context_length", 512), description

    def identity(self) -> dict[str, Any]:
        """Return the hashes of its files, and which heads count."""
        folder = self._description.folder
        files = [*folder.glob("*.json"), *folder.glob("*.safetensors"), *folder.glob("*.model")]
        return {
            "files": file_hashes(files),
            "heads": self._heads,
            "length": self._length,
            "dtype": self._description.text("dtype", default="float32"),
            "packages": versions(self.name, TORCH, TRANSFORMERS),
        }

    def load(self) -> None:
        """Load the model and its tokenizer."""
        transformers, description = transformers_offline(self.name), self._description
        self._torch = torch_for(self.options, self.name)
        self._blocks = Blocks.of(self.options, cpu=1)
        auto = transformers.AutoModelForSequenceClassification
        self._network = load_pretrained(auto, description, self.options)
        self._tokenizer = transformers.AutoTokenizer.from_pretrained(
            description.folder, local_files_only=True
        )

    def prepare(self, sample: FeatureSample) -> str:
        """Return the text of a sample."""
        return sample.text

    def run(self, batch: list[str], before: Mapping[str, Columns]) -> Columns:
        """Return the scores; each different text is classified once."""
        del before
        unique = list(dict.fromkeys(batch))
        counts = [
            len(ids) for ids in self._tokenizer(unique, truncation=True, max_length=self._length)["input_ids"]
        ]
        groups: dict[int, list[str]] = {}
        for text, count in zip(unique, counts, strict=True):
            groups.setdefault(min(-(-count // _LENGTHS) * _LENGTHS, self._length), []).append(text)
        scores: dict[str, float] = {}
        for length, texts in groups.items():
            tokens = self._tokenizer(
                texts,
                truncation=True,
                padding="max_length",
                max_length=length,
                return_attention_mask=True,
                return_tensors="np",
            )
            rows = np.stack([tokens["input_ids"], tokens["attention_mask"]], axis=1).astype(np.int64)
            scores |= zip(texts, self._blocks(self._highest, rows), strict=True)
        return {"nsfw_detoxify_score": [scores[text] for text in batch]}

    def _highest(self, block: NDArray[np.int64]) -> list[float]:
        ids, mask = self._torch.from_numpy(block).to(self.options.device).unbind(1)
        with self._torch.inference_mode():
            chances = self._network(input_ids=ids, attention_mask=mask).logits.float().sigmoid()
        highest: list[float] = chances[:, self._heads].amax(dim=1).tolist()
        return highest

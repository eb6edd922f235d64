"""The tokenizer of the small models: a number for each word of the taxa."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from toy_taxa import END, START, TAXA, caption, write_json

if TYPE_CHECKING:
    from pathlib import Path


def write_tokenizer(folder: Path) -> None:

    words = sorted({word for taxon in TAXA for word in caption(taxon).lower().split()})
    # The last word has the highest number, which is where open_clip takes the vector of a text.
    vocabulary = {word: number for number, word in enumerate(["<|unknown|>", *words, START, END])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<|unknown|>"))  # noqa: S106 (no password)
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizers.Lowercase(), pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{START} $A {END}", special_tokens=[(token, vocabulary[token]) for token in (START, END)]
    )
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    stated = {"pad_token": END, "eos_token": END, "tokenizer_class": "PreTrainedTokenizerFast"}
    write_json(folder / "tokenizer_config.json", stated)

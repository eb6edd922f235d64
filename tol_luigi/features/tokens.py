"""Tokenizers: the numbers of the words of a text, as a model expects them."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import numpy as np

from tol_luigi.features.packages import Package

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tol_luigi.features.descriptions import Description

__all__ = ["CLIP_BPE", "TextTokenizer"]

CLIP_BPE = "clip-bpe"
"""The tokenizer of OpenAI's CLIP, with its 49,408 tokens."""


# The extra clip has both, too.
_BPE = Package("instant-clip-tokenizer", "clip-onnx")
_TOKENIZERS = Package("tokenizers", "clip-onnx")


class TextTokenizer:
    """Returns the tokens of texts; longer texts are cut off, and shorter ones padded.

    Args:
        description: ``tokenizer`` is ``clip-bpe`` or the name of a file ``tokenizer.json``; ``pad_token`` is
            the token to pad with, if the files of the tokenizer do not state it.
        length: The number of tokens of each text.
    """

    def __init__(self, description: Description, length: int) -> None:
        self._length, self._file = length, description.text("tokenizer")
        self.pad_token: str | None = None
        if self._file == CLIP_BPE:
            self._tokenizer = _BPE.module("instant_clip_tokenizer", description.extractor).Tokenizer()
            return
        path = description.path("tokenizer")
        # It would take all processors, and warn of processes that are started later.
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        package = _TOKENIZERS.module("tokenizers", description.extractor)
        try:
            self._tokenizer = package.Tokenizer.from_file(str(path))
        except Exception as error:  # the package raises this class
            what = f"the file {path.name} cannot be read ({error})"
            raise description.error("tokenizer", what, "Copy it again") from error
        padding = self._tokenizer.padding or {}
        token = _pad_token(description) or padding.get("pad_token")
        if token is None or self._tokenizer.token_to_id(token) is None:
            what = f"{token!r} is not a token of {path.name}" if token else "it is not stated"
            raise description.error("pad_token", what, "Add the token with which texts are padded")
        self.pad_token = token
        self._tokenizer.enable_truncation(length)
        self._tokenizer.enable_padding(
            length=length, pad_id=self._tokenizer.token_to_id(token), pad_token=token
        )

    @staticmethod
    def package(description: Description) -> Package:
        """Return the package of a tokenizer."""
        return _BPE if description.text("tokenizer") == CLIP_BPE else _TOKENIZERS

    def __call__(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Return the tokens of texts, of shape (texts, length)."""
        if self._file == CLIP_BPE:
            tokens = self._tokenizer.tokenize_batch(list(texts), context_length=self._length)
            return np.asarray(tokens, np.int64)
        return np.array([found.ids for found in self._tokenizer.encode_batch(list(texts))], np.int64)


def _pad_token(description: Description) -> str | None:
    """Return the token to pad with that ``model.yml``, or the configuration of the tokenizer, states."""
    if description.has("pad_token"):
        return description.text("pad_token")
    try:
        config: Any = json.loads((description.folder / "tokenizer_config.json").read_bytes())
        token = config.get("pad_token")
    except (OSError, ValueError, AttributeError):
        return None
    return token.get("content") if isinstance(token, dict) else token

"""Tokenizers: the numbers of the words of a text, as a model expects them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from tol_luigi.features.packages import need, versions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tol_luigi.features.descriptions import Description

__all__ = ["CLIP_BPE", "TextTokenizer"]

CLIP_BPE = "clip-bpe"
"""The tokenizer of OpenAI's CLIP, with its 49,408 tokens."""


class TextTokenizer:
    """Returns the tokens of texts; longer texts are cut off, and shorter ones padded.

    Args:
        description: ``tokenizer`` is ``clip-bpe`` or the name of a file ``tokenizer.json``; ``pad_token`` is
            the token to pad with, if the files of the tokenizer do not state it.
        length: The number of tokens of each text.
        extra: The extra of this package that installs tokenizers.
    """

    def __init__(self, description: Description, length: int, extra: str) -> None:
        self._length, self._file = length, description.text("tokenizer")
        self.pad_token: str | None = None
        if self._file == CLIP_BPE:
            self._tokenizer = need("instant_clip_tokenizer", extra).Tokenizer()
            return
        path = description.path("tokenizer")
        try:
            self._tokenizer = need("tokenizers", extra).Tokenizer.from_file(str(path))
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
    def packages(description: Description, extra: str) -> dict[str, str]:
        """Return the version of the package of a tokenizer."""
        name = "instant-clip-tokenizer" if description.text("tokenizer") == CLIP_BPE else "tokenizers"
        return versions(extra, name)

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

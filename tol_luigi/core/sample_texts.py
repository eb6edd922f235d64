"""How samples are stored: the format of the image, and a member for each text or one JSON member with all.

A member takes at least a kilobyte of a tar, however short its text is.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from tol_luigi.core.samples import IMAGE_EXTENSIONS, IMAGE_FORMATS, TEXTS, ImageFormat

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["JSON", "SampleForm", "decoded_texts", "encoded_texts"]

JSON = "json"
"""The extension of the member with all texts."""

_ENDING = ".txt"

_CAPTION = "txt"
"""The extension of a text that is always a member of its own, since training programs take it for the caption."""


@dataclass(frozen=True)
class SampleForm:
    """What members samples have.

    Attributes:
        further: The names of the texts from templates.
        is_json: Whether the texts are stored in one JSON member.
        image: The format of the image.
    """

    further: tuple[str, ...] = ()
    is_json: bool = False
    image: ImageFormat = IMAGE_FORMATS["jpeg"]

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> Self:
        """Return what the settings in ``dataset.json`` say."""
        templates = record.get("texts.templates", ())
        names = tuple(line.partition("=")[0].strip() for line in templates)
        image = IMAGE_FORMATS[record.get("images.format", "jpeg")]
        return cls(names, record.get("texts.form") == JSON, image)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all texts, in their order."""
        return tuple(sorted((*TEXTS, *self.further)))

    @property
    def members(self) -> tuple[str, ...]:
        """The extensions of a sample's members, in their order in a shard."""
        texts = encoded_texts(dict.fromkeys(self.names, ""), is_json=self.is_json)
        return tuple(sorted((self.image.extension, *texts)))


def encoded_texts(texts: Mapping[str, str], *, is_json: bool) -> dict[str, bytes]:
    """Return the members with the texts of a sample.

    Args:
        texts: The texts by name, such as ``sci.txt``.
        is_json: Whether to store them in one JSON member, by names without ``.txt``; a text named ``txt`` is not in it.
    """
    if not is_json:
        return {name: text.encode() for name, text in texts.items()}
    together = {name.removesuffix(_ENDING): text for name, text in texts.items() if name != _CAPTION}
    content = json.dumps(together, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    own = {_CAPTION: texts[_CAPTION].encode()} if _CAPTION in texts else {}
    return {JSON: content.encode(), **own}


def decoded_texts(members: Mapping[str, bytes]) -> dict[str, str]:
    """Return the texts of a sample by name, in their order, given all its members.

    Raises:
        ValueError: They are damaged.
    """
    others = {*IMAGE_EXTENSIONS, JSON}
    texts = {name: content.decode() for name, content in members.items() if name not in others}
    if JSON in members:
        together = json.loads(members[JSON])
        texts |= {f"{name}{_ENDING}": text for name, text in together.items()}
    return dict(sorted(texts.items()))

"""A sample as extractors see it: its members, decoded on first use and shared by all extractors."""

from __future__ import annotations

import contextlib
import enum
import functools
import hashlib
import io
import json
import re
import threading
from typing import TYPE_CHECKING, Any, TypeVar

from PIL import Image, ImageOps

from tol_luigi.core.image_formats import FORMATS
from tol_luigi.core.image_pixels import in_rgb

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["IMAGE_NAMES", "MAX_TEXT", "FeatureSample", "SampleError", "Status"]

T = TypeVar("T")

IMAGE_NAMES = ("jpg", "png", "jpeg", "webp", "tif", "tiff", "gif", "bmp", "avif")
"""The extensions of images, in the order in which they are looked for."""

MAX_TEXT = 10_000
"""The longest text in characters that extractors see; the rest is cut off."""


_UID = re.compile("[0-9a-f]{32}")


class Status(enum.StrEnum):
    """What became of a sample in an extractor."""

    OK = "ok"
    DECODE_ERROR = "decode_error"
    TRUNCATED = "truncated"
    MISSING_IMAGE = "missing_image"
    MISSING_TEXT = "missing_text"
    MISSING_FIELDS = "missing_fields"
    EXTRACTOR_ERROR = "extractor_error"
    DEPENDENCY_ERROR = "dependency_error"


class SampleError(Exception):
    """A sample that an extractor cannot use.

    Args:
        status: What is wrong.
        reason: The same in a few words, for the column ``error``.
    """

    def __init__(self, status: Status, reason: str) -> None:
        super().__init__(status, reason)
        self.status, self.reason = status, reason


class FeatureSample:
    """A sample of a shard.

    It may be used by several threads; what is decoded must not be changed.

    Args:
        key: Its key in the shard.
        members: The content of its files, by extension.
        row: Its place in the shard, from 0.
        text_name: The extension of its text, in lower case.
    """

    def __init__(self, key: str, members: dict[str, bytes], row: int, text_name: str = "txt") -> None:
        self.key, self.members, self.row, self.text_name = key, members, row, text_name
        self.fault = ""
        """Why the sample cannot be used, or ""."""
        self._lock = threading.RLock()
        self._shared: dict[str, Any] = {}

    def add(self, extension: str, content: bytes) -> None:
        """Add a file; the sample cannot be used if it has one with this extension."""
        if extension in self.members:
            self.fault = f"there are two members {extension}"
        self.members[extension] = content

    def shared(self, name: str, make: Callable[[FeatureSample], T]) -> T:
        """Return what a function makes of the sample; made once, whichever extractors ask for it.

        Args:
            name: The name of the function with all its parameters, such as ``bicubic 224``.
            make: The function.

        Raises:
            SampleError: The function has raised it, now or before.
        """
        with self._lock:
            if name not in self._shared:
                try:
                    self._shared[name] = make(self)
                except SampleError as error:
                    self._shared[name] = error
            found = self._shared[name]
        if isinstance(found, SampleError):
            raise found
        return found  # type: ignore[no-any-return]  # what make has returned

    @property
    def image_file(self) -> bytes:
        """The file of the image.

        Raises:
            SampleError: There is none.
        """
        self._validate()
        for name in IMAGE_NAMES:
            if name in self.members:
                return self.members[name]
        raise SampleError(Status.MISSING_IMAGE, "no member is an image")

    @property
    def image(self) -> Image.Image:
        """The image: its first frame, upright, in RGB, with transparent pixels on white.

        Greys of 16 bits keep their upper eight bits, as in a build with ``[images] high_bit_depth = keep``.

        Raises:
            SampleError: It is missing or damaged, or so large that Pillow refuses it.
        """
        return self.shared("image", lambda sample: _decoded(sample.image_file))

    @property
    def text(self) -> str:
        """The text, without NUL characters, cut off after :data:`MAX_TEXT` characters.

        Raises:
            SampleError: There is none.
        """
        self._validate()
        found = self.text_named(self.text_name)
        if found is None:
            raise SampleError(Status.MISSING_TEXT, f"there is no member {self.text_name}")
        return found.replace("\0", "")[:MAX_TEXT]

    def text_named(self, name: str) -> str | None:
        """Return a text by its name in lower case, such as ``sci.txt``; None if there is none.

        It is a member, or in the JSON member that has all texts (:func:`.encoded_texts`).
        """
        if name in self.members:
            return self.members[name].decode(errors="replace")
        if isinstance(self._fields, str) or not name.endswith(".txt"):
            return None
        wanted = name.removesuffix(".txt")
        found = next((text for key, text in self._fields.items() if key.lower() == wanted), None)
        return found if isinstance(found, str) else None

    def _validate(self) -> None:
        if self.fault:
            raise SampleError(Status.DECODE_ERROR, self.fault)

    @functools.cached_property
    def uid(self) -> str:
        """32 hexadecimal digits that identify the sample.

        These are the field ``uid`` of its json, or else its key if that is a UUID, or else a hash of the key.
        """
        fields = self._fields
        given = fields.get("uid") if isinstance(fields, dict) else None
        for text in (given, self.key):
            if isinstance(text, str) and _UID.fullmatch(digits := text.replace("-", "").lower()):
                return digits
        return hashlib.blake2b(self.key.encode(), digest_size=16).hexdigest()

    @functools.cached_property
    def _fields(self) -> dict[str, Any] | str:
        try:
            content = _parsed(self.members["json"])
        except KeyError:
            return "there is no member json"
        except (ValueError, RecursionError) as error:
            return f"its json cannot be read ({' '.join(str(error).split())})"
        return content if isinstance(content, dict) else "its json is not an object"

    @property
    def fields(self) -> dict[str, Any]:
        """The content of the member ``json``.

        Raises:
            SampleError: There is none, or it is not an object.
        """
        if isinstance(self._fields, str):
            raise SampleError(Status.MISSING_FIELDS, self._fields)
        return self._fields


_SURROGATE = re.compile("[\ud800-\udfff]")


def _parsed(content: bytes) -> Any:  # noqa: ANN401 (JSON is any)
    """Return JSON with U+FFFD for each half of a surrogate pair, which JSON can contain and columns cannot."""
    parsed = json.loads(content)
    if b"\\ud" not in content.lower():
        return parsed
    return json.loads(_SURROGATE.sub("\ufffd", json.dumps(parsed, ensure_ascii=False)))


def _decoded(content: bytes) -> Image.Image:
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            image.load()
            with contextlib.suppress(Exception):  # damaged Exif says nothing of the orientation
                ImageOps.exif_transpose(image, in_place=True)
            return in_rgb(image)
    except Exception as error:  # a decoder can raise anything on a hostile file
        reason = " ".join(str(error).split()) or type(error).__name__
        status = Status.TRUNCATED if "truncated" in reason else Status.DECODE_ERROR
        raise SampleError(status, _ADDRESS.sub("", reason)) from error


_ADDRESS = re.compile(" <_io.BytesIO object at 0x[0-9a-f]+>")
"""What Pillow's messages name that differs from run to run."""

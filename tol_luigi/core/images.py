"""Conversion of an image file to the image of a sample."""

from __future__ import annotations

import contextlib
import io
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError, features
from PIL.JpegImagePlugin import JpegImageFile

from tol_luigi.core import jpeg_decoding, resampling
from tol_luigi.core.errors import SettingsError
from tol_luigi.core.image_formats import FORMATS, OPTIONAL_FORMATS, unread_format
from tol_luigi.core.image_geometry import placement
from tol_luigi.core.image_memory import EMBEDDING_FORMATS, UNKNOWN_FORMAT_BYTES, bytes_to_open
from tol_luigi.core.image_pixels import (
    UnsupportedDepthError,
    has_deep_channels,
    in_rgb,
    is_deep_grey,
    is_transparent,
    padded,
    to_sample,
)
from tol_luigi.core.ledger import State
from tol_luigi.core.memory_budget import memory_for
from tol_luigi.core.perceptual import PerceptualHash, perceptual_hash
from tol_luigi.core.pillow_limits import pillow_limits
from tol_luigi.core.png_chunks import without_bad_metadata
from tol_luigi.core.samples import IMAGE_FORMATS, ImageFormat

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "LOSSLESS",
    "BrokenImageError",
    "ImageMetadata",
    "ImageSpec",
    "encode",
    "encode_sizes",
    "encoder",
    "preview",
]

LOSSLESS = "lossless"
"""The value of ``[images] webp_quality`` for images without loss."""

_SCALED_MARGIN = 3
"""With ``resize=scaled`` the JPEG decoder shrinks an image to at least this multiple of the sample's size.

Measured (docs/performance.md): with a smaller margin, the PSNR of the samples against those of ``exact`` is
below 50 dB on average; with a larger one, fewer photographs are shrunk.
"""

_LEAST_SHRINKING = 2
"""The least by which the JPEG decoder shrinks an image."""

_EXIF_ORIENTATION = 0x0112

_ELONGATED = 2
"""An image is elongated if its longer side is more than this many times the shorter one."""


@dataclass(frozen=True, slots=True)
class ImageSpec:
    """How samples are made; every field except ``decoder``, ``kernel`` and ``hashed`` determines their bytes.

    Attributes:
        width: The width in pixels.
        height: The height in pixels.
        fit: ``stretch`` an image over its sample, or keep its aspect ratio and ``crop`` it or ``pad`` the sample.
        padding: The colour of the bars of ``fit=pad``, as Pillow names it.
        resize: ``exact`` (decode at full size, then resize with the bicubic filter: the published pixels) or
            ``scaled`` (the JPEG decoder shrinks large photographs first).
        format: ``jpeg`` or ``webp``.
        jpeg_quality: Pillow's scale, 1 to 100.
        webp_quality: The same for WebP, or ``lossless``.
        truncated: ``keep`` or ``drop`` truncated images.
        exif: ``ignore`` or ``apply`` the EXIF orientation.
        max_pixels: The most pixels of an image to open.
        max_memory_mib: The most memory to open an image with, in MiB.
        transparency: ``published`` (the colours of transparent pixels become visible), ``white`` or
            ``black``.
        high_bit_depth: ``refuse`` images with more than 8 bits per channel that are nearly black in 8 bits,
            ``keep`` them, or ``stretch`` all greys of more than 8 bits.
        decoder: What decodes JPEGs: ``auto`` or ``pillow``, with the same bytes (``core/jpeg_decoding.py``).
        kernel: What resizes images: ``auto``, ``plain`` or ``pillow``, with the same bytes (``core/resampling.py``).
        hashed: Whether to compute the perceptual hash, too; it does not change the image.
        further_sizes: Width and height of further images that :func:`encode_sizes` makes of the same file.
    """

    width: int = 224
    height: int = 224
    fit: str = "stretch"
    padding: str = "black"
    resize: str = "exact"
    format: str = "jpeg"
    jpeg_quality: int = 100
    webp_quality: int | str = 90
    truncated: str = "keep"
    exif: str = "ignore"
    max_pixels: int = 900_000_000
    max_memory_mib: int = 3584
    transparency: str = "published"
    high_bit_depth: str = "refuse"
    decoder: str = jpeg_decoding.AUTO
    kernel: str = resampling.AUTO
    hashed: bool = False
    further_sizes: tuple[tuple[int, int], ...] = ()

    @property
    def sizes(self) -> list[tuple[int, int]]:
        """Width and height of each image, the own size first."""
        return [(self.width, self.height), *self.further_sizes]

    def of_size(self, width: int, height: int) -> ImageSpec:
        """Return how a further image of this size is made, of a file that the own size accepts."""
        depth = "keep" if self.high_bit_depth == "refuse" else self.high_bit_depth
        return replace(self, width=width, height=height, high_bit_depth=depth, further_sizes=())

    @property
    def image_format(self) -> ImageFormat:
        """Return the format of the image of a sample."""
        return IMAGE_FORMATS[self.format]

    @property
    def encoder_options(self) -> dict[str, Any]:
        """Return the options with which Pillow encodes the image; all others are its defaults."""
        return {"lossless": True} if self.quality == LOSSLESS else {"quality": self.quality}

    @property
    def quality(self) -> int | str:
        """Return the quality in the format of the image."""
        return self.jpeg_quality if self.format == "jpeg" else self.webp_quality


@dataclass(frozen=True, slots=True)
class ImageMetadata:
    """Metadata of an original image.

    Attributes:
        width: The width in pixels.
        height: The height in pixels.
        mode: Pillow's mode, such as ``RGB``, ``L`` or ``CMYK``.
        format: Pillow's format, such as ``JPEG``.
        flags: Unusual properties, in alphabetical order.
        phash: The perceptual hash of the sample, None unless ``ImageSpec.hashed`` is set.
    """

    width: int
    height: int
    mode: str
    format: str
    flags: tuple[str, ...]
    phash: PerceptualHash | None = None


class BrokenImageError(Exception):
    """No sample can be made from a file.

    Args:
        state: ``UNREADABLE``, ``TRUNCATED``, ``TOO_LARGE`` or ``UNSUPPORTED_DEPTH``.
        reason: The reason for the ledger.
    """

    def __init__(self, state: State, reason: str) -> None:
        super().__init__(state, reason)
        self.state, self.reason = state, reason


_PUBLISHED = ImageSpec()


def encoder(spec: ImageSpec = _PUBLISHED) -> str:
    """Return names and versions of the encoding libraries; other releases may produce other bytes.

    Raises:
        SettingsError: A library is not installed.
    """
    names = f"Pillow {features.version('pil')}, libjpeg-turbo {features.version('libjpeg_turbo')}"
    names += "".join(
        f", no {name}" for feature, name in OPTIONAL_FORMATS.items() if not features.check(feature)
    )
    if spec.format == "webp":
        if not features.check("webp"):
            what, remedy = "this Pillow has no WebP", "Install Pillow from its wheel, or set format = jpeg"
            raise SettingsError("[images] format = webp", what, remedy)
        names += f", libwebp {features.version('webp')}"
    return names


def encode(data: bytes, spec: ImageSpec) -> tuple[bytes, ImageMetadata]:
    """Return the image of a sample in its own size, and the metadata of the original; see :func:`encode_sizes`."""
    (image,), metadata = encode_sizes(data, replace(spec, further_sizes=()) if spec.further_sizes else spec)
    return image, metadata


def encode_sizes(data: bytes, spec: ImageSpec) -> tuple[tuple[bytes, ...], ImageMetadata]:
    """Return the image of a sample in each size, and the metadata of the original, which is decoded once.

    The first size alone decides whether the file is accepted, so that all sizes have the same samples.

    All modes are converted to RGB. Pillow's bicubic filter resizes in one step (except for large photographs
    with ``resize=scaled``). The first frame of an animation is used.

    Raises:
        BrokenImageError: The file is not an image, is too large or (depending on the settings) truncated, or
            has more than 8 bits per channel and would be nearly black.

    Source: the ``make_wds`` step of TreeOfLife-10M, which leaves modes other than RGB, RGBA and P unchanged.
    """
    result = _attempt(data, spec, lenient=False)
    if isinstance(result, str) and (shorter := without_bad_metadata(data)) is not None:
        second = _attempt(shorter, spec, lenient=False)
        result = result if isinstance(second, str) else second
    if not isinstance(result, str):
        return result
    reason = result
    result = _attempt(data, spec, lenient=True)
    if isinstance(result, str):
        raise BrokenImageError(State.UNREADABLE, reason)
    if spec.truncated == "drop":
        raise BrokenImageError(State.TRUNCATED, reason)
    return result


_PREVIEWED = ImageSpec(max_pixels=1 << 26, max_memory_mib=1024)
"""What is opened for a preview at most."""


def preview(data: bytes, side: int) -> bytes:
    """Return an image file, which may be truncated, as a small JPEG with its aspect ratio.

    Args:
        data: The content of the file.
        side: The longer side of the JPEG in pixels.

    Raises:
        BrokenImageError: Nothing of it can be shown.
    """
    written = io.BytesIO()
    try:
        with _opened(data, _PREVIEWED, lenient=True) as image:
            image.draft("RGB", (2 * side, 2 * side))
            image.load()
            small = in_rgb(image)
        small.thumbnail((side, side), Image.Resampling.BICUBIC)
        small.save(written, "JPEG", quality=90)
    except (Image.DecompressionBombError, BrokenImageError, MemoryError) as error:
        raise BrokenImageError(State.TOO_LARGE, "has too many pixels") from error
    except Exception as error:
        raise BrokenImageError(State.UNREADABLE, _one_line(error, data)) from error
    return written.getvalue()


def _attempt(data: bytes, spec: ImageSpec, *, lenient: bool) -> tuple[tuple[bytes, ...], ImageMetadata] | str:
    """Return the images of a sample and the metadata of the original, or the reason why Pillow fails.

    Args:
        data: The content of a file.
        spec: How samples are made.
        lenient: Whether to accept a truncated image.

    Raises:
        BrokenImageError: The image is too large, or its bit depth is not supported.
    """
    try:
        with _opened(data, spec, lenient=lenient) as image:
            return _make(image, data, spec, truncated=lenient)
    except Image.DecompressionBombError as error:
        limits = f"[images] max_pixels = {spec.max_pixels} or max_memory_mib = {spec.max_memory_mib}"
        raise BrokenImageError(State.TOO_LARGE, f"more pixels than {limits} allows") from error
    except UnsupportedDepthError as error:
        raise BrokenImageError(State.UNSUPPORTED_DEPTH, f"{error} (see [images] high_bit_depth)") from error
    except (BrokenImageError, MemoryError):
        raise  # on a machine with more memory, the image can be read
    except Exception as error:  # noqa: BLE001 (with a hostile file, a decoder can raise anything)
        return _one_line(error, data)


@contextlib.contextmanager
def _opened(data: bytes, spec: ImageSpec, *, lenient: bool) -> Iterator[ImageFile.ImageFile]:
    """Open an image within the limits of the settings, and wait until other threads leave enough memory to decode it.

    Raises:
        BrokenImageError: The header shows that it is too large.
    """
    most = spec.max_memory_mib << 20
    with (
        pillow_limits(max_pixels=spec.max_pixels, lenient=lenient),
        Image.open(io.BytesIO(data), formats=FORMATS) as image,
    ):
        needed = _validated_bytes(image, data, spec)
        if image.format not in EMBEDDING_FORMATS:
            with memory_for(needed, most):
                yield image
            return
    # the embedded image may be larger than the header specifies
    pixels = min(spec.max_pixels, most // UNKNOWN_FORMAT_BYTES) // 2 * 2
    with (
        pillow_limits(max_pixels=pixels, lenient=lenient),
        Image.open(io.BytesIO(data), formats=FORMATS) as image,
        memory_for(most, most),
    ):
        yield image


def _make(
    image: ImageFile.ImageFile, data: bytes, spec: ImageSpec, *, truncated: bool
) -> tuple[tuple[bytes, ...], ImageMetadata]:
    width, height = image.size
    mode, kind = image.mode, image.format or ""
    flags = _header_flags(image, spec, truncated=truncated)
    specs = [spec, *(spec.of_size(*size) for size in spec.further_sizes)]
    is_scaled = [_is_scaled(image, one) for one in specs]
    samples = {}
    if not all(is_scaled):
        jpeg_decoding.load(image, data, spec.decoder)
        if spec.exif == "apply":
            ImageOps.exif_transpose(image, in_place=True)
        samples = {
            number: to_sample(image, one, deep=flags["high_bit_depth"])
            for number, one in enumerate(specs)
            if not is_scaled[number]
        }
        flags["transparent"] = is_transparent(image)
    for number in filter(is_scaled.__getitem__, range(len(specs))):
        # The decoder shrinks the image for one size, so for this one it is decoded again.
        with Image.open(io.BytesIO(data), formats=FORMATS) as again:
            samples[number] = _scaled(again, specs[number])
    sample = samples[0]
    raised = tuple(sorted(name for name, is_set in flags.items() if is_set))
    phash = perceptual_hash(sample) if spec.hashed else None
    images = tuple(_encoded(samples[number], spec) for number in range(len(specs)))
    return images, ImageMetadata(width, height, mode, kind, raised, phash)


def _encoded(sample: Image.Image, spec: ImageSpec) -> bytes:
    encoded = io.BytesIO()
    sample.save(encoded, spec.image_format.pillow, **spec.encoder_options)
    return encoded.getvalue()


def _header_flags(image: ImageFile.ImageFile, spec: ImageSpec, *, truncated: bool) -> dict[str, bool]:
    """Return the flags of an image that follow from its header, without decoding its pixels."""
    (width, height), mode = image.size, image.mode
    place = placement(image.size, (spec.width, spec.height), spec.fit)
    return {
        "high_bit_depth": has_deep_channels(image),
        "truncated": truncated,
        "grey": mode in {"1", "L", "LA", "La"} or is_deep_grey(mode),
        "upscaled": place.enlarges,
        "elongated": max(width, height) > _ELONGATED * min(width, height),
        "exif_rotated": image.getexif().get(_EXIF_ORIENTATION, 1) not in {0, 1},
        "animated": bool(getattr(image, "is_animated", False)),
        "not_jpeg": image.format != "JPEG",
    }


def _validated_bytes(image: ImageFile.ImageFile, data: bytes, spec: ImageSpec) -> int:
    """Return the memory that it takes to decode an image; raise an error if its header shows that it is too large."""
    if image.width * image.height > spec.max_pixels:
        raise Image.DecompressionBombError
    most = spec.max_memory_mib << 20
    needed = bytes_to_open(image, data, spec.width, turned=spec.exif == "apply")
    if needed > most:
        what = f"{image.width} x {image.height} pixels of {image.format} in mode {image.mode}"
        limit = f"more than [images] max_memory_mib = {spec.max_memory_mib}"
        raise BrokenImageError(State.TOO_LARGE, f"{what} take {needed >> 20} MiB to open, {limit}")
    return needed


def _is_scaled(image: Image.Image, spec: ImageSpec) -> bool:
    """Return whether ``resize=scaled`` applies: to photographs that the JPEG decoder shrinks, unless they are rotated first."""
    if spec.resize != "scaled" or not isinstance(image, JpegImageFile) or image.mode != "RGB":
        return False
    if spec.exif == "apply" and image.getexif().get(_EXIF_ORIENTATION, 1) not in {0, 1}:
        return False
    least = _least_size(image, spec)
    return all(has >= _LEAST_SHRINKING * needed for has, needed in zip(image.size, least, strict=True))


def _least_size(image: Image.Image, spec: ImageSpec) -> tuple[int, int]:
    """Return the size to which the decoder may shrink an image, such that the part shown stays large enough."""
    place = placement(image.size, (spec.width, spec.height), spec.fit)
    left, top, right, bottom = place.box
    return (
        math.ceil(place.size[0] * _SCALED_MARGIN * image.width / (right - left)),
        math.ceil(place.size[1] * _SCALED_MARGIN * image.height / (bottom - top)),
    )


def _scaled(image: Image.Image, spec: ImageSpec) -> Image.Image:
    """Shrink an image in the JPEG decoder, then resize it.

    The decoder reduces each side to 1/2, 1/4 or 1/8; if the result is not an integer, the last row and column
    are partly outside the image.
    """
    width, height = image.size
    place = placement(image.size, (spec.width, spec.height), spec.fit)
    drafted = image.draft("RGB", _least_size(image, spec))
    right, bottom = drafted[1][2:] if drafted else image.size
    image.load()
    # the part shown, in the pixels that the decoder has left; multiplied first, so that a whole image stays exact
    left, top, across, down = (
        edge * shrunk / full
        for edge, shrunk, full in zip(place.box, (right, bottom) * 2, (width, height) * 2, strict=True)
    )
    box = (left, top, min(across, image.width), min(down, image.height))
    return padded(resampling.resize(image, place.size, box, spec.kernel), place, spec)


def _one_line(error: Exception, data: bytes) -> str:
    """Describe an exception in one line, without object addresses, so that the text is reproducible."""
    text = " ".join(str(error).split())
    if isinstance(error, UnidentifiedImageError):
        known = unread_format(data)
        text = (
            f"is {known}, which Pillow does not read here; convert it"
            if known
            else "not an image in any known format"
        )
    return text or type(error).__name__

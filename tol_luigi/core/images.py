"""From the bytes of a picture to the JPEG of a sample."""

from __future__ import annotations

import contextlib
import importlib.metadata
import io
import threading
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError, features
from PIL.JpegImagePlugin import JpegImageFile

from tol_luigi.core.errors import SettingsError
from tol_luigi.core.image_formats import FORMATS, OPTIONAL_FORMATS, unread_format
from tol_luigi.core.image_memory import EMBEDDING_FORMATS, UNKNOWN_FORMAT_BYTES, bytes_to_open
from tol_luigi.core.image_pixels import (
    UnsupportedDepthError,
    has_deep_channels,
    is_deep_grey,
    is_transparent,
    to_sample,
)
from tol_luigi.core.ledger import State
from tol_luigi.core.perceptual import PerceptualHash, perceptual_hash
from tol_luigi.core.png_chunks import without_bad_metadata

with contextlib.suppress(ImportError):  # not on every machine: see setup.cfg, and encoder
    import cykooz_resizer

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["BrokenPictureError", "ImageSpec", "Picture", "encode", "encoder"]

_SCALED_MARGIN = 3
"""With ``resize=scaled`` the JPEG decoder may shrink a picture to no less than this many times the wanted size.

Measured (docs/performance.md): nearer to the wanted size, the finished pictures are on average less than 50 dB
from those of ``exact``; with more, fewer photographs would be shrunk.
"""

_EXIF_ORIENTATION = 0x0112

_ELONGATED = 2
"""A picture is elongated if its longer side is more than this many times the shorter one."""


@dataclass(frozen=True, slots=True)
class ImageSpec:
    """How pictures are made; every field but the last determines bytes.

    Attributes:
        width: Pixels.
        height: Pixels.
        resize: ``exact`` (decode whole, then bicubic: the published pixels) or ``scaled`` (large
            photographs are shrunk by the JPEG decoder first, and resized by a faster program).
        jpeg_quality: Pillow's scale, 1 to 100.
        truncated: ``keep`` or ``drop`` pictures that break off.
        exif: ``ignore`` or ``apply`` the orientation a camera noted.
        max_pixels: A picture of more pixels is not opened.
        max_memory_mib: Nor one that takes more memory to open than this, in MiB.
        transparency: ``published`` (the colours under transparent pixels show), ``white`` or ``black``.
        high_bit_depth: ``refuse`` pictures of more than 8 bits per channel of which 8 bits show nearly nothing,
            ``keep`` them, or ``stretch`` all greys of more than 8 bits.
        hashed: Whether what a picture looks like is told, too; its JPEG is the same.
    """

    width: int = 224
    height: int = 224
    resize: str = "exact"
    jpeg_quality: int = 100
    truncated: str = "keep"
    exif: str = "ignore"
    max_pixels: int = 900_000_000
    max_memory_mib: int = 3584
    transparency: str = "published"
    high_bit_depth: str = "refuse"
    hashed: bool = False


@dataclass(frozen=True, slots=True)
class Picture:
    """What is known of an original.

    Attributes:
        width: Pixels.
        height: Pixels.
        mode: Pillow's mode, such as ``RGB``, ``L`` or ``CMYK``.
        format: Pillow's format, such as ``JPEG``.
        flags: What is unusual about it, in alphabetical order.
        look: What the finished picture looks like, None unless asked for.
    """

    width: int
    height: int
    mode: str
    format: str
    flags: tuple[str, ...]
    look: PerceptualHash | None = None


class BrokenPictureError(Exception):
    """A file that no sample is made of.

    Args:
        state: ``UNREADABLE``, ``TRUNCATED``, ``TOO_LARGE`` or ``UNSUPPORTED_DEPTH``.
        reason: Why, in words.
    """

    def __init__(self, state: State, reason: str) -> None:
        super().__init__(state, reason)
        self.state, self.reason = state, reason


_PUBLISHED = ImageSpec()


def encoder(spec: ImageSpec = _PUBLISHED) -> str:
    """Name the programs whose bytes these are: another release of one may give others.

    Raises:
        SettingsError: One of them is not installed.
    """
    names = f"Pillow {features.version('pil')}, libjpeg-turbo {features.version('libjpeg_turbo')}"
    names += "".join(
        f", no {name}" for feature, name in OPTIONAL_FORMATS.items() if not features.check(feature)
    )
    if spec.resize == "exact":
        return names
    try:
        return f"{names}, cykooz-resizer {importlib.metadata.version('cykooz-resizer')}"
    except importlib.metadata.PackageNotFoundError as error:
        what = "the package cykooz-resizer is not installed"
        remedy = "Install it (where there is no wheel for the machine, it needs Rust), or set resize = exact"
        raise SettingsError("[images] resize = scaled", what, remedy) from error


def encode(data: bytes, spec: ImageSpec) -> tuple[bytes, Picture]:
    """Make the JPEG of a sample.

    All modes become RGB, the size is reached in one step by Pillow's bicubic filter (but for large
    photographs with ``resize=scaled``), and the aspect ratio is not kept. Of an animation the first
    frame counts.

    Raises:
        BrokenPictureError: The bytes are no picture, too large a one, or (as the settings say) half of one, or one
            of more than 8 bits per channel that would be nearly black.

    Source: the ``make_wds`` step of TreeOfLife-10M; there, modes other than RGB, RGBA and P stay as they are.
    """
    made = _attempt(data, spec, lenient=False)
    if isinstance(made, str) and (shorter := without_bad_metadata(data)) is not None:
        again = _attempt(shorter, spec, lenient=False)
        made = made if isinstance(again, str) else again
    if not isinstance(made, str):
        return made
    reason = made
    made = _attempt(data, spec, lenient=True)
    if isinstance(made, str):
        raise BrokenPictureError(State.UNREADABLE, reason)
    if spec.truncated == "drop":
        raise BrokenPictureError(State.TRUNCATED, reason)
    return made


def _attempt(data: bytes, spec: ImageSpec, *, lenient: bool) -> tuple[bytes, Picture] | str:
    """Return the JPEG of a sample and what is known of the original, or why Pillow cannot make one.

    Args:
        data: A file.
        spec: How pictures are made.
        lenient: Whether a picture that breaks off is made of what there is of it.

    Raises:
        BrokenPictureError: It is too large, or of an unsupported depth.
    """
    with _pillow(max_pixels=spec.max_pixels, lenient=lenient):
        try:
            return _make(data, spec, truncated=lenient)
        except Image.DecompressionBombError as error:
            limits = f"[images] max_pixels = {spec.max_pixels} or max_memory_mib = {spec.max_memory_mib}"
            raise BrokenPictureError(State.TOO_LARGE, f"more pixels than {limits} allows") from error
        except UnsupportedDepthError as error:
            raise BrokenPictureError(
                State.UNSUPPORTED_DEPTH, f"{error} (see [images] high_bit_depth)"
            ) from error
        except (BrokenPictureError, MemoryError):
            raise  # lack of memory is the machine's fault, not the picture's: with more of it, it can be read
        except Exception as error:  # noqa: BLE001 (a hostile file can raise anything out of a decoder)
            return _one_line(error, data)


_SWITCHES = threading.RLock()


@contextlib.contextmanager
def _pillow(*, max_pixels: int, lenient: bool) -> Iterator[None]:
    """Set Pillow's two global switches for one picture, and put them back; other threads wait meanwhile."""
    with _SWITCHES:
        before = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES
        # Pillow refuses what has more than twice this, and looks at each frame of an animation, too.
        Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES = -(-max_pixels // 2), lenient
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield
        finally:
            Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES = before


def _make(data: bytes, spec: ImageSpec, *, truncated: bool) -> tuple[bytes, Picture]:
    with Image.open(io.BytesIO(data), formats=FORMATS) as image:
        _refuse_too_large(image, data, spec)
        width, height = image.size
        mode, kind = image.mode, image.format or ""
        flags = _header_flags(image, spec, truncated=truncated)
        if spec.resize == "scaled" and _is_large_photograph(image, spec):
            sample = _scaled(image, spec)
        else:
            image.load()
            if spec.exif == "apply":
                ImageOps.exif_transpose(image, in_place=True)
            sample = to_sample(image, spec, deep=flags["high_bit_depth"])
        flags["transparent"] = is_transparent(image)
    encoded = io.BytesIO()
    sample.save(encoded, "JPEG", quality=spec.jpeg_quality)
    raised = tuple(sorted(name for name, is_set in flags.items() if is_set))
    look = perceptual_hash(sample) if spec.hashed else None
    return encoded.getvalue(), Picture(width, height, mode, kind, raised, look)


def _header_flags(image: ImageFile.ImageFile, spec: ImageSpec, *, truncated: bool) -> dict[str, bool]:
    """Return what is unusual about a picture, as far as its header tells; its pixels are not decoded for it."""
    (width, height), mode = image.size, image.mode
    return {
        "high_bit_depth": has_deep_channels(image),
        "truncated": truncated,
        "grey": mode in {"1", "L", "LA", "La"} or is_deep_grey(mode),
        "upscaled": width < spec.width or height < spec.height,
        "elongated": max(width, height) > _ELONGATED * min(width, height),
        "exif_rotated": image.getexif().get(_EXIF_ORIENTATION, 1) not in {0, 1},
        "animated": bool(getattr(image, "is_animated", False)),
        "not_jpeg": image.format != "JPEG",
    }


def _refuse_too_large(image: ImageFile.ImageFile, data: bytes, spec: ImageSpec) -> None:
    """Refuse a picture by its header, before memory is taken for its pixels."""
    if image.width * image.height > spec.max_pixels:
        raise Image.DecompressionBombError
    most = spec.max_memory_mib << 20
    needed = bytes_to_open(image, data, spec.width, turned=spec.exif == "apply")
    if needed > most:
        what = f"{image.width} x {image.height} pixels of {image.format} in mode {image.mode}"
        limit = f"more than [images] max_memory_mib = {spec.max_memory_mib}"
        raise BrokenPictureError(State.TOO_LARGE, f"{what} take {needed >> 20} MiB to open, {limit}")
    if image.format in EMBEDDING_FORMATS:  # the picture in it may be larger than its header says
        embedded = most // UNKNOWN_FORMAT_BYTES
        Image.MAX_IMAGE_PIXELS = min(spec.max_pixels, embedded) // 2


def _is_large_photograph(image: Image.Image, spec: ImageSpec) -> bool:
    """Tell whether a picture is one that ``resize=scaled`` is for; those to be turned first are not."""
    turned = spec.exif == "apply" and image.getexif().get(_EXIF_ORIENTATION, 1) not in {0, 1}
    enough = all(has >= least for has, least in zip(image.size, _least_size(spec), strict=True))
    return isinstance(image, JpegImageFile) and image.mode == "RGB" and enough and not turned


def _least_size(spec: ImageSpec) -> tuple[int, int]:
    return spec.width * _SCALED_MARGIN, spec.height * _SCALED_MARGIN


def _scaled(image: Image.Image, spec: ImageSpec) -> Image.Image:
    """Reach the size by way of the JPEG decoder, and with Pillow's filter from a faster program.

    The decoder gives 1/2, 1/4 or 1/8 of the pixels each way; where that is no whole number, the last row
    and column lie partly outside the picture. Width first, then height, rounded in between, is what
    Pillow does: without the decoder's help the pixels would be Pillow's but for a few roundings.
    """
    drafted = image.draft("RGB", _least_size(spec))
    right, bottom = drafted[1][2:] if drafted else image.size
    image.load()
    narrow = Image.new("RGB", (spec.width, image.height))
    resized = Image.new("RGB", (spec.width, spec.height))
    resizer = cykooz_resizer.Resizer()
    resizer.resize_pil(image, narrow, _bicubic_of(right, image.height))
    resizer.resize_pil(narrow, resized, _bicubic_of(spec.width, bottom))
    return resized


def _bicubic_of(width: float, height: float) -> cykooz_resizer.ResizeOptions:
    """Ask for Pillow's bicubic filter, which others call Catmull-Rom, over this part of a picture."""
    return cykooz_resizer.ResizeOptions(
        resize_alg=cykooz_resizer.ResizeAlg.convolution(cykooz_resizer.FilterType.catmull_rom),
        crop_box=cykooz_resizer.CropBox(0, 0, width, height),
    )


def _one_line(error: Exception, data: bytes) -> str:
    """Describe an exception in one line, without addresses of objects, so that it is always the same."""
    text = " ".join(str(error).split())
    if isinstance(error, UnidentifiedImageError):
        known = unread_format(data)
        text = (
            f"is {known}, which Pillow does not read here; convert it"
            if known
            else "not a picture in any known format"
        )
    return text or type(error).__name__

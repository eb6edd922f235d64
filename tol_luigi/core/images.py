"""From the bytes of a picture to the JPEG of a sample."""

from __future__ import annotations

import contextlib
import importlib.metadata
import io
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError, features
from PIL.JpegImagePlugin import JpegImageFile

from tol_luigi.core.errors import SettingsError
from tol_luigi.core.ledger import State
from tol_luigi.core.perceptual import PerceptualHash, perceptual_hash

with contextlib.suppress(ImportError):  # not on every machine: see setup.cfg, and encoder
    import cykooz_resizer

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["BrokenPictureError", "ImageSpec", "Picture", "encode", "encoder"]

_FORMATS = (
    "BMP", "DIB", "GIF", "JPEG", "PPM", "PNG", "AVIF", "BLP", "CUR", "PCX", "DCX", "DDS", "FITS", "FLI", "FTEX", "GBR",
    "JPEG2000", "ICNS", "ICO", "IM", "IMT", "MCIDAS", "TIFF", "MSP", "PCD", "PIXAR", "PSD", "QOI", "SGI", "SPIDER", "SUN",
    "TGA", "WEBP", "XBM", "XPM", "XVTHUMB",
)  # fmt: skip
"""What is read: all that Pillow decodes itself, in the order in which it tries them, as some have no mark of their own.

Refused are EPS, which Pillow hands to Ghostscript: an image may not start a program; IPTC, which can hold an image in
any format, EPS among them; and BUFR, GRIB, HDF5, MPEG and WMF, which Pillow recognises and cannot decode.
"""

_OPTIONAL = {"avif": "AVIF", "jpg_2000": "JPEG 2000", "webp": "WebP"}
"""Formats that a Pillow built by hand may lack, by the names of its features."""

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
        hashed: Whether what a picture looks like is told, too; its JPEG is the same.
    """

    width: int = 224
    height: int = 224
    resize: str = "exact"
    jpeg_quality: int = 100
    truncated: str = "keep"
    exif: str = "ignore"
    max_pixels: int = 900_000_000
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
        state: ``UNREADABLE``, ``TRUNCATED`` or ``TOO_LARGE``.
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
    names += "".join(f", no {name}" for feature, name in _OPTIONAL.items() if not features.check(feature))
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
        BrokenPictureError: The bytes are no picture, too large a one, or (as the settings say) half of one.

    Source: the ``make_wds`` step of TreeOfLife-10M; there, modes other than RGB, RGBA and P stay as they are.
    """
    with _pillow(max_pixels=spec.max_pixels, lenient=False):
        try:
            return _make(data, spec, truncated=False)
        except Image.DecompressionBombError as error:
            raise BrokenPictureError(State.TOO_LARGE, f"more than {spec.max_pixels} pixels") from error
        except MemoryError:
            raise  # the machine's fault, not the picture's: with more memory it can be read
        except Exception as error:  # noqa: BLE001 (a hostile file can raise anything out of a decoder)
            reason = _one_line(error)
    return _make_leniently(data, spec, reason)


def _make_leniently(data: bytes, spec: ImageSpec, reason: str) -> tuple[bytes, Picture]:
    """Try once more with what there is of the picture."""
    with _pillow(max_pixels=spec.max_pixels, lenient=True):
        try:
            made = _make(data, spec, truncated=True)
        except MemoryError:
            raise
        except Exception as error:
            raise BrokenPictureError(State.UNREADABLE, reason) from error
    if spec.truncated == "drop":
        raise BrokenPictureError(State.TRUNCATED, reason)
    return made


@contextlib.contextmanager
def _pillow(*, max_pixels: int, lenient: bool) -> Iterator[None]:
    """Set Pillow's two global switches for one picture, and put them back."""
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
    with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
        width, height = image.size
        if width * height > spec.max_pixels:
            raise Image.DecompressionBombError
        mode, kind = image.mode, image.format or ""
        orientation = image.getexif().get(_EXIF_ORIENTATION, 1)
        flags = {
            "truncated": truncated,
            "grey": mode in {"1", "L", "LA", "La", "F"} or mode.startswith("I"),
            "upscaled": width < spec.width or height < spec.height,
            "elongated": max(width, height) > _ELONGATED * min(width, height),
            "exif_rotated": orientation not in {0, 1},
            "animated": bool(getattr(image, "is_animated", False)),
            "not_jpeg": kind != "JPEG",
        }
        if spec.resize == "scaled" and _is_large_photograph(image, spec):
            resized = _scaled(image, spec)
        else:
            upright = ImageOps.exif_transpose(image) if spec.exif == "apply" else image
            resized = _to_rgb(upright).resize((spec.width, spec.height), Image.Resampling.BICUBIC)
    encoded = io.BytesIO()
    resized.save(encoded, "JPEG", quality=spec.jpeg_quality)
    raised = tuple(sorted(name for name, is_set in flags.items() if is_set))
    look = perceptual_hash(resized) if spec.hashed else None
    return encoded.getvalue(), Picture(width, height, mode, kind, raised, look)


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


def _to_rgb(image: Image.Image) -> Image.Image:
    """Convert any mode to RGB; 16-bit greys keep their upper eight bits, where Pillow would clip."""
    if image.mode == "RGB":
        return image
    if image.mode.startswith("I"):
        image = Image.fromarray((np.asarray(image).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8))
    return image.convert("RGB")


def _one_line(error: Exception) -> str:
    """Describe an exception in one line, without addresses of objects, so that it is always the same."""
    text = " ".join(str(error).split())
    if isinstance(error, UnidentifiedImageError):
        text = "not a picture in any known format"
    return text or type(error).__name__

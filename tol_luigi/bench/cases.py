"""What is measured: steps of making a sample, and packing as a whole, each in several ways."""

from __future__ import annotations

import functools
import io
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from PIL import Image

from tol_luigi.bench import opencv, published_loop
from tol_luigi.bench.partitions import members, packed, packed_and_checked, samples, stored
from tol_luigi.core.images import ImageSpec, encode
from tol_luigi.core.jpeg_decoding import AUTO, decoder_name, load
from tol_luigi.core.pillow_limits import pillow_limits
from tol_luigi.core.resampling import PILLOW, is_faster, kernel_name, resize

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from tol_luigi.bench.pictures import ImageSet

__all__ = ["CASES", "OURS", "Case", "absent", "cases"]

OURS = "tol_luigi"
_ALONE, _LOOP = "Pillow", "published loop"
_SCALED, _OPENCV = f"{OURS}, resize = scaled", "OpenCV, as img2dataset"

_SPEC = ImageSpec()
_SCALED_SPEC = replace(_SPEC, resize="scaled")
_SIZE = (_SPEC.width, _SPEC.height)

Variants = dict[str, "Callable[[], object]"]


class Case(NamedTuple):
    """Something that is done in several ways.

    Attributes:
        name: One of ``CASES``.
        baseline: The variant that ratios are to.
        variants: What does it to all images of a set, by name.
    """

    name: str
    baseline: str
    variants: Variants


def absent() -> list[str]:
    """Return what cannot be measured here and why, one line each."""
    lines = []
    if not is_faster(kernel_name()):
        lines.append(
            "The compiled code that resizes images is not used here (docs/settings.md), so Pillow resizes."
        )
    if not opencv.is_installed():
        lines.append("OpenCV is left out, since cv2 is not installed (pip install opencv-python-headless).")
    return lines


def cases(chosen: Iterable[str], images: ImageSet, folder: Path) -> Iterator[Case]:
    """Yield the chosen cases of a set of images.

    Args:
        chosen: Names of cases.
        images: The images.
        folder: An empty folder, for what is packed.
    """
    for name in chosen:
        baseline, variants = CASES[name](images, folder)
        yield Case(name, baseline, variants)


def _decode(images: ImageSet, _: Path) -> tuple[str, Variants]:
    variants = {_ALONE: _each(images.files, _opened)}
    if decoder_name() != PILLOW:
        variants[OURS] = _each(images.files, lambda content: _opened(content, AUTO))
    if opencv.is_installed():
        variants[_OPENCV] = _each(images.files, opencv.decoded)
    return _ALONE, variants


def _resize(images: ImageSet, _: Path) -> tuple[str, Variants]:
    with pillow_limits(
        max_pixels=_SPEC.max_pixels, lenient=False
    ):  # so that each image is in one block of memory
        pictures = [_opened(content) for content in images.files]
    variants = {_ALONE: _each(pictures, lambda image: _small(image, PILLOW))}
    if is_faster(kernel_name()):
        variants[OURS] = _each(pictures, lambda image: _small(image, kernel_name()))
    if opencv.is_installed():
        pixels = [opencv.decoded(content) for content in images.files]
        variants[_OPENCV] = _each(pixels, lambda image: opencv.resized(image, _SIZE))
    return _ALONE, variants


def _encode(images: ImageSet, _: Path) -> tuple[str, Variants]:
    pictures = [_small(_opened(content), PILLOW) for content in images.files]
    variants = {
        _ALONE: _each(pictures, _jpeg),
        f"{_ALONE}, WebP 90": _each(pictures, lambda image: image.save(io.BytesIO(), "WEBP", quality=90)),
    }
    if opencv.is_installed():
        pixels = [opencv.resized(opencv.decoded(content), _SIZE) for content in images.files]
        variants[_OPENCV] = _each(pixels, lambda image: opencv.encoded(image, _SPEC.jpeg_quality))
    return _ALONE, variants


def _sample(images: ImageSet, _: Path) -> tuple[str, Variants]:
    variants = {
        _ALONE: _each(images.files, lambda content: _jpeg(_small(_opened(content), PILLOW))),
        OURS: _each(images.files, lambda content: encode(content, _SPEC)),
        _SCALED: _each(images.files, lambda content: encode(content, _SCALED_SPEC)),
    }
    if opencv.is_installed():
        variants[_OPENCV] = _each(images.files, _resized_by_opencv)
    return _ALONE, variants


def _pack(images: ImageSet, folder: Path) -> tuple[str, Variants]:
    return _LOOP, _packings(images, folder, published_loop.write_shard, packed)


def _stage(images: ImageSet, folder: Path) -> tuple[str, Variants]:
    return _LOOP, _packings(images, folder, published_loop.write_and_check, packed_and_checked)


def _packings(
    images: ImageSet, folder: Path, loop: Callable[..., object], ours: Callable[..., object]
) -> Variants:
    """Return what makes a shard of stored images: the published loop, and ``tol_luigi`` with several settings."""
    shutil.rmtree(folder / images.form, ignore_errors=True)
    (folder / images.form).mkdir(parents=True)
    place = stored(folder / images.form, images.form, images.files)
    listed, named = members(place), samples(len(images.files))
    specs = {OURS: _SPEC}
    if is_faster(kernel_name()):
        specs[f"{OURS}, kernel = pillow"] = replace(_SPEC, kernel=PILLOW)
    specs[_SCALED] = _SCALED_SPEC
    return {
        _LOOP: lambda: loop(place, named, folder / "loop.tar", _SIZE),
        **{name: functools.partial(ours, place, listed, folder / name, spec) for name, spec in specs.items()},
    }


def _each(things: Sequence[Any], what: Callable[[Any], object]) -> Callable[[], object]:
    """Return what does something to each of several things, and keeps none of the results."""

    def run() -> None:
        for thing in things:
            what(thing)

    return run


def _opened(content: bytes, decoder: str = PILLOW) -> Image.Image:
    with Image.open(io.BytesIO(content)) as image:
        load(image, content, decoder)
        return image


def _small(image: Image.Image, kernel: str) -> Image.Image:
    return resize(image, _SIZE, (0, 0, *image.size), kernel)


def _jpeg(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=_SPEC.jpeg_quality)
    return file.getvalue()


def _resized_by_opencv(content: bytes) -> bytes:
    return opencv.encoded(opencv.resized(opencv.decoded(content), _SIZE), _SPEC.jpeg_quality)


CASES: dict[str, Callable[[ImageSet, Path], tuple[str, Variants]]] = {
    "decode": _decode,
    "resize": _resize,
    "encode": _encode,
    "sample": _sample,
    "pack": _pack,
    "stage": _stage,
}
"""The names of the cases: three steps, the three together, shards from files, and shards that are checked and listed."""

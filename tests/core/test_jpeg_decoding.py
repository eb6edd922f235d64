from __future__ import annotations

import io
import logging
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from missing_module import image_and_version
from PIL import Image, features

from tol_luigi.core import jpeg_decoding
from tol_luigi.core.images import ImageSpec, encode
from tol_luigi.core.jpeg_decoding import AUTO, PILLOW, SIMPLEJPEG, decoder_label, decoder_name, load

if TYPE_CHECKING:
    from collections.abc import Sequence

FRAMES = (b"\xff\xc0", b"\xff\xc2")
"""The markers of the frame of a JPEG in one scan and in several."""


def picture(size: tuple[int, int], mode: str = "RGB", seed: int = 1) -> Image.Image:
    """Return smooth colours with some noise on them."""
    channels = len(Image.new(mode, (1, 1)).getbands())
    random = np.random.default_rng(seed)
    few = random.integers(0, 256, (5, 5, channels), np.uint8)
    image = Image.fromarray(few[..., 0] if channels == 1 else few, mode).resize(size)
    noise = random.integers(-20, 21, (size[1], size[0], channels))
    pixels = np.clip(np.asarray(image, int).reshape(noise.shape) + noise, 0, 255).astype(np.uint8)
    return Image.fromarray(pixels[..., 0] if channels == 1 else pixels, mode)


def jpeg(image: Image.Image, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", **options)
    return file.getvalue()


def result(content: bytes, decoder: str) -> tuple[Any, ...]:
    """Return everything that a decoder makes of a file, or the error."""
    try:
        with Image.open(io.BytesIO(content), formats=["JPEG"]) as image:
            load(image, content, decoder)
            return image.mode, image.size, image.tobytes(), image.info
    except Exception as error:  # noqa: BLE001 (of a damaged file, Pillow raises anything)
        return type(error), str(error).partition("<")[0]


def sampled(content: bytes, sampling: int) -> bytes:
    """Change how many samples of brightness there are to each of colour, so that their number is wrong."""
    frame = max(map(content.find, FRAMES))
    return content[: frame + 11] + bytes([sampling]) + content[frame + 12 :]


sides = st.integers(1, 70)
jpegs = st.builds(
    lambda size, seed, **options: jpeg(picture(size, seed=seed), **options),
    st.tuples(sides, sides),
    st.integers(0, 1000),
    quality=st.integers(1, 100),
    subsampling=st.sampled_from([0, 1, 2]),
    progressive=st.booleans(),
    restart_marker_blocks=st.integers(0, 5),
)


def test_common_jpegs_are_decoded_by_simplejpeg() -> None:
    assert decoder_name() == SIMPLEJPEG
    assert decoder_name(PILLOW) == PILLOW
    content = jpeg(picture((60, 40)))
    with Image.open(io.BytesIO(content)) as image:
        load(image, content)
        assert image.readonly  # it is where simplejpeg has written it
    assert decoder_label(SIMPLEJPEG).startswith("simplejpeg 1.")


@settings(max_examples=300, deadline=None)
@given(jpegs)
def test_any_jpeg_has_the_pixels_of_pillow(content: bytes) -> None:
    assert result(content, AUTO) == result(content, PILLOW)
    assert len(result(content, AUTO)) == 4


def changed(content: bytes, changes: Sequence[tuple[float, bytes, int]]) -> bytes:
    """Replace bytes of a file, each time from a place on: a fraction of its length."""
    for place, inserted, removed in changes:
        start = 2 + int(place * (len(content) - 2))
        content = content[:start] + inserted + content[start + removed :]
    return content


@settings(max_examples=600, deadline=None)
@given(
    jpegs,
    st.lists(
        st.tuples(st.floats(0, 1), st.binary(max_size=3), st.sampled_from([0, 1, 2, 3, 1 << 20])),
        min_size=1,
        max_size=4,
    ),
)
def test_a_damaged_jpeg_is_what_pillow_makes_of_it(
    content: bytes, changes: list[tuple[float, bytes, int]]
) -> None:
    damaged = changed(content, changes)

    assert result(damaged, AUTO) == result(damaged, PILLOW)


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("sampling", [0x11, 0x12, 0x21, 0x22, 0x41, 0x14, 0x42, 0x24, 0x31, 0x44, 0x00, 0xFF])
def test_unusual_samplings_are_what_pillow_makes_of_them(*, sampling: int, progressive: bool) -> None:
    content = sampled(jpeg(picture((90, 70)), progressive=progressive), sampling)

    assert result(content, AUTO) == result(content, PILLOW)


@pytest.mark.parametrize(
    "content",
    [
        jpeg(picture((30, 20), "L")), jpeg(picture((30, 20), "CMYK")), jpeg(picture((30, 20)), keep_rgb=True),
        jpeg(picture((30, 20)))[:-40], jpeg(picture((30, 20))) + b"after the end",
    ],
    ids=["grey", "CMYK", "RGB", "cut", "longer"],
)  # fmt: skip
def test_other_jpegs_are_what_pillow_makes_of_them(content: bytes) -> None:
    assert result(content, AUTO) == result(content, PILLOW)


def test_metadata_is_kept() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    content = jpeg(picture((30, 20)), exif=exif, comment=b"of the camera", dpi=(72, 72))

    for how in ("ignore", "apply"):
        spec, plain = (ImageSpec(exif=how, decoder=name) for name in (AUTO, PILLOW))
        assert encode(content, spec) == encode(content, plain)
    assert encode(content, ImageSpec(exif="apply"))[0] != encode(content, ImageSpec())[0]


def test_a_decoder_with_other_pixels_is_not_used(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(logging.getLogger("luigi-interface"), "propagate", True)
    simplejpeg = pytest.importorskip("simplejpeg")
    right = simplejpeg.decode_jpeg
    monkeypatch.setattr(simplejpeg, "decode_jpeg", lambda *given, **named: right(*given, **named) ^ 1)
    jpeg_decoding._is_exact.cache_clear()
    try:
        content = jpeg(picture((60, 40)))
        assert result(content, AUTO) == result(content, PILLOW)
        assert decoder_name() == PILLOW
    finally:
        jpeg_decoding._is_exact.cache_clear()

    (warning,) = caplog.messages
    assert warning == (
        f"simplejpeg decodes JPEGs otherwise than Pillow {features.version('pil')}, so Pillow is used, which takes longer."
        " Please report this."
    )


def test_without_simplejpeg_images_have_the_same_bytes() -> None:
    content = jpeg(picture((300, 200)))
    image, line = image_and_version(content, "simplejpeg")

    assert image == encode(content, ImageSpec())[0]
    assert ", JPEGs decoded by Pillow, images resized by " in line
    assert encode(content, ImageSpec(decoder=PILLOW))[0] == image

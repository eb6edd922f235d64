from __future__ import annotations

import contextlib
import io
import struct
import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from tol_luigi.core import image_pixels
from tol_luigi.core.image_pixels import UnsupportedDepthError, is_deep_grey, to_sample
from tol_luigi.core.images import BrokenImageError, ImageMetadata, ImageSpec, encode
from tol_luigi.core.ledger import State

Draw = Callable[..., bytes]
SPEC, KEEP, STRETCH = ImageSpec(), ImageSpec(high_bit_depth="keep"), ImageSpec(high_bit_depth="stretch")
WHITE, BLACK = ImageSpec(transparency="white"), ImageSpec(transparency="black")
RAMP = np.linspace(0, 1, 300 * 300).reshape(300, 300)
HIDDEN, SHOWN = (10, 200, 30), (200, 30, 30)


def saved(image: Image.Image, form: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def of_values(values: np.ndarray[Any, Any], form: str = "TIFF") -> bytes:
    return saved(Image.fromarray(values), form)


def sample(data: bytes, spec: ImageSpec = SPEC) -> Image.Image:
    return Image.open(io.BytesIO(encode(data, spec)[0]))


def known(data: bytes, spec: ImageSpec = SPEC) -> ImageMetadata:
    return encode(data, spec)[1]


def refusal(data: bytes, spec: ImageSpec = SPEC) -> str:
    with pytest.raises(BrokenImageError) as caught:
        encode(data, spec)
    assert caught.value.state is State.UNSUPPORTED_DEPTH
    assert "[images] high_bit_depth" in caught.value.reason
    return caught.value.reason


# --- transparency: the left half of each of these is transparent


def cut_out(mode: str) -> Image.Image:
    image = Image.new("RGBA", (300, 300), (*SHOWN, 255))
    image.paste((*HIDDEN, 0), (0, 0, 150, 300))
    if mode != "PA":
        return image.convert(mode)
    alpha, coloured = image.getchannel("A"), image.convert("P").convert("PA")
    coloured.putalpha(alpha)
    return coloured


def keyed(mode: str, key: Any) -> bytes:
    """Return a PNG in which one value is said to be transparent."""
    image = Image.new(mode, (300, 300), key)
    image.paste((9, 9, 9) if mode == "RGB" else 60_000 if mode == "I;16" else 1, (150, 0, 300, 300))
    return saved(image, "PNG", transparency=key)


def with_palette(transparency: int | bytes, form: str = "PNG") -> bytes:
    image = Image.new("P", (300, 300), 0)
    image.putpalette([*HIDDEN, *SHOWN])
    image.paste(1, (150, 0, 300, 300))
    return saved(image, form, transparency=transparency)


TRANSPARENT = {
    "RGBA": lambda: saved(cut_out("RGBA"), "PNG"),
    "LA": lambda: saved(cut_out("LA"), "PNG"),
    "PA": lambda: saved(cut_out("PA"), "TIFF"),
    "RGBA as WebP": lambda: saved(cut_out("RGBA"), "WEBP", lossless=True, exact=True),
    "RGBA as JPEG 2000": lambda: saved(cut_out("RGBA"), "JPEG2000"),
    "RGBA as AVIF": lambda: saved(cut_out("RGBA"), "AVIF", quality=100, subsampling="4:4:4"),
    "palette, one colour": lambda: with_palette(0),
    "palette, alpha of each": lambda: with_palette(b"\x00\xff"),
    "GIF": lambda: with_palette(0, "GIF"),
    "key in RGB": lambda: keyed("RGB", HIDDEN),
    "key in L": lambda: keyed("L", 77),
    "key in 1": lambda: keyed("1", 0),
    "key in 16 bits of grey": lambda: keyed("I;16", 40_000),
}


@pytest.mark.parametrize("what", TRANSPARENT)
def test_transparency_is_flagged_and_shows_what_the_settings_say(what: str) -> None:
    data = TRANSPARENT[what]()

    assert "transparent" in known(data).flags
    assert min(sample(data, WHITE).getpixel((50, 112))) > 250  # type: ignore[type-var,arg-type]
    assert max(sample(data, BLACK).getpixel((50, 112))) < 5  # type: ignore[type-var,arg-type]
    for spec in (WHITE, BLACK):
        shown = np.asarray(sample(data, spec).crop((130, 0, 224, 224)), int)
        assert abs(shown - np.asarray(sample(data).crop((130, 0, 224, 224)), int)).max() <= 3


@pytest.mark.parametrize("what", ["RGBA", "LA", "PA", "palette, one colour", "GIF", "key in RGB", "key in L"])
def test_the_published_pixels_of_transparent_images_are_the_colours_underneath(what: str) -> None:
    data = TRANSPARENT[what]()
    plain = Image.open(io.BytesIO(data)).convert("RGB").resize((224, 224), Image.Resampling.BICUBIC)

    assert encode(data, SPEC)[0] == saved(plain, "JPEG", quality=100)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(saved(Image.new("RGBA", (300, 300), (1, 2, 3, 255)), "PNG"), id="every pixel is opaque"),
        pytest.param(with_palette(b"\xff\xff"), id="every colour of the palette is opaque"),
        pytest.param(
            saved(Image.new("RGB", (300, 300), "red"), "PNG", transparency=(0, 0, 1)),
            id="no pixel has the key",
        ),
    ],
)
def test_nothing_is_lost_where_every_pixel_is_opaque(data: bytes) -> None:
    assert "transparent" not in known(data).flags
    assert encode(data, WHITE)[0] == encode(data, BLACK)[0] == encode(data, SPEC)[0]


def test_half_transparent_pixels_are_mixed_with_the_ground() -> None:
    data = saved(Image.new("RGBA", (300, 300), (100, 0, 0, 128)), "PNG")

    assert sample(data, WHITE).getpixel((9, 9)) == pytest.approx((177, 127, 127), abs=2)
    assert sample(data, BLACK).getpixel((9, 9)) == pytest.approx((50, 0, 0), abs=2)


def of_one_pixel_size(image: Image.Image, spec: ImageSpec) -> list[int]:
    """Return the levels of the first channel of a sample of the same size, row by row."""
    same = replace(spec, width=image.width, height=image.height)
    made = to_sample(image, same, deep=is_deep_grey(image.mode))
    assert made.mode == "RGB"
    return [int(level) for level in np.asarray(made)[..., 0].ravel()]


@pytest.mark.parametrize(("spec", "colour"), [(WHITE, (255, 255, 255)), (BLACK, (0, 0, 0))])
def test_a_transparent_pixel_has_the_very_colour_of_the_ground(
    spec: ImageSpec, colour: tuple[int, int, int]
) -> None:
    image = Image.new("RGBA", (4, 4), (*HIDDEN, 0))
    made = to_sample(image, replace(spec, width=4, height=4), deep=False)

    assert set(map(tuple, np.asarray(made).reshape(-1, 3).tolist())) == {colour}


# --- more than 8 bits per channel


def of_16_bits(values: np.ndarray[Any, Any]) -> bytes:
    """Return a PNG of colours of 16 bits, which Pillow does not write."""
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    head = struct.pack(">2I5B", values.shape[1], values.shape[0], 16, 2, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(rows, 1)), (b"IEND", b"")]
    parts = [struct.pack(">I", len(c)) + n + c + struct.pack(">I", zlib.crc32(n + c)) for n, c in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


INVISIBLE = {
    "12 bits of 16": (
        lambda: of_values((RAMP * 4095).astype(np.uint16), "PNG"),
        "from 0 to 4095, nearly black",
    ),
    "14 bits of 16": (lambda: of_values((RAMP * 16383).astype(np.uint16)), "from 0 to 16383, nearly black"),
    "8 bits of 32": (lambda: of_values((RAMP * 255).astype(np.int32)), "from 0 to 255, nearly black"),
    "32 bits": (lambda: of_values((RAMP * 2e9).astype(np.int32)), "beyond the scale from 0 to 65535"),
    "below zero": (
        lambda: of_values((RAMP * 9e4 - 3e4).astype(np.int32)),
        "beyond the scale from 0 to 65535",
    ),
    "real numbers to 1": (lambda: of_values(RAMP.astype(np.float32)), "from 0 to 1, nearly black"),
    "real numbers to 1000": (
        lambda: of_values((RAMP * 1000).astype(np.float32)),
        "beyond the scale from 0 to 255",
    ),
}


@pytest.mark.parametrize("what", INVISIBLE)
def test_greys_of_which_8_bits_show_nothing_are_refused_or_stretched(what: str) -> None:
    drawn, reason = INVISIBLE[what]
    data = drawn()
    levels = np.asarray(sample(data, STRETCH).convert("L"))

    assert reason in refusal(data)
    assert (levels[0].mean() < 5, levels[-1].mean() > 250, abs(levels[112].mean() - 127) < 5) == (
        True,
        True,
        True,
    )
    assert known(data, STRETCH).flags == known(data, KEEP).flags == ("grey", "high_bit_depth", "not_jpeg")


@pytest.mark.parametrize("largest", [0xFFFF, 0x6000])
@pytest.mark.parametrize(("kind", "form"), [(np.uint16, "PNG"), (np.uint16, "TIFF"), (np.int32, "TIFF")])
def test_greys_of_16_bits_keep_their_upper_byte_and_are_flagged(kind: Any, form: str, largest: int) -> None:
    values = (RAMP * largest).astype(kind)
    upper = saved(Image.fromarray((values >> 8).astype(np.uint8)), "PNG")

    assert (
        encode(of_values(values, form), SPEC)[0]
        == encode(of_values(values, form), KEEP)[0]
        == encode(upper, SPEC)[0]
    )
    assert "high_bit_depth" in known(of_values(values, form)).flags


def test_what_is_black_may_be_black() -> None:
    assert sample(of_values(np.zeros((9, 9), np.uint16))).getextrema() == ((0, 0),) * 3


def test_a_hot_pixel_neither_lets_a_dark_image_pass_nor_spoils_its_stretching() -> None:
    values = (RAMP * 4095).astype(np.uint16)
    values[150, 150] = 0xFFFF

    refusal(of_values(values))
    assert np.asarray(sample(of_values(values), STRETCH))[-1].mean() > 250


def test_values_that_are_no_numbers_do_not_spread() -> None:
    values = RAMP.astype(np.float32)
    values[0, :9], values[1, :9] = np.nan, np.inf
    levels = np.asarray(sample(of_values(values), STRETCH).convert("L"))

    assert "beyond the scale" in refusal(of_values(values))
    assert abs(levels[112].mean() - 127) < 5


def test_stretching_clips_a_thousandth_of_the_values_at_either_end() -> None:
    values = np.arange(10_000, dtype=np.uint16).reshape(100, 100)
    expected = ((np.arange(10_000) - 10) * (255 / (9989 - 10)) + 0.5).clip(0, 255).astype(int)

    assert of_one_pixel_size(Image.fromarray(values), STRETCH) == expected.tolist()


def test_the_few_values_that_differ_are_stretched_if_nothing_else_does() -> None:
    values = np.full((100, 100), 7, np.uint16)
    values[0, 0], values[0, 1] = 8, 9

    assert of_one_pixel_size(Image.fromarray(values), STRETCH) == [128, 255, *[0] * 9998]
    values[99, 99] = 5
    assert of_one_pixel_size(Image.fromarray(values), STRETCH) == [191, 255, *[128] * 9997, 0]


def test_what_is_no_number_or_off_the_scale_is_black_or_white() -> None:
    values = np.array([[np.nan, -np.inf, np.inf, -1, 0, 1, 254.9, 255, 300]], np.float32)
    wide = np.array([[-1, 0, 255, 256, 65_535, 65_536]], np.int32)

    assert of_one_pixel_size(Image.fromarray(values), KEEP) == [0, 0, 255, 0, 0, 1, 254, 255, 255]
    assert of_one_pixel_size(Image.fromarray(wide), KEEP) == [0, 0, 0, 1, 255, 255]


@pytest.mark.parametrize(
    ("count", "level", "refused"),
    [
        pytest.param(10, 64, False, id="a thousandth reaches a quarter of the scale"),
        pytest.param(9, 64, True, id="fewer do"),
        pytest.param(10, 63, True, id="they reach less"),
    ],
)
@pytest.mark.parametrize("kind", [np.uint16, np.int32, np.float32])
def test_an_image_is_nearly_black_if_less_than_a_thousandth_reaches_a_quarter_of_the_scale(
    kind: Any, count: int, level: int, refused: bool
) -> None:
    values = np.zeros((100, 100), kind)
    values[0, :count] = level if kind is np.float32 else level << 8
    image = Image.fromarray(values)
    if not refused:
        assert of_one_pixel_size(image, SPEC)[0] == level
        return
    with pytest.raises(UnsupportedDepthError, match="nearly black"):
        of_one_pixel_size(image, SPEC)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        pytest.param(np.array([[0, 65_535]], np.int32), "", id="up to the end of the scale"),
        pytest.param(np.array([[0, 65_536]], np.int32), "from 0 to 65536, beyond", id="one more"),
        pytest.param(np.array([[-1, 65_535]], np.int32), "from -1 to 65535, beyond", id="one less"),
        pytest.param(np.array([[0, 255]], np.float32), "", id="real numbers to 255"),
        pytest.param(np.array([[0, 255.5]], np.float32), "from 0 to 255.5, beyond", id="a half more"),
        pytest.param(np.array([[255, 255]], np.int32), "from 255 to 255, nearly black", id="one dark grey"),
    ],
)
def test_greys_beyond_the_scale_are_refused(values: np.ndarray[Any, Any], reason: str) -> None:
    image = Image.fromarray(values)
    if not reason:
        assert of_one_pixel_size(image, SPEC) == [0, 255]
        return
    with pytest.raises(UnsupportedDepthError, match=f"^greys {reason}"):
        of_one_pixel_size(image, SPEC)


def test_one_value_cannot_be_stretched() -> None:
    assert "nearly black" in refusal(of_values(np.full((9, 9), 255, np.uint16)), STRETCH)
    assert sample(of_values(np.full((9, 9), 0xFFFF, np.uint16)), STRETCH).getextrema() == ((255, 255),) * 3


def test_colours_of_16_bits_are_flagged_and_refused_if_nearly_black() -> None:
    full = np.stack([RAMP, RAMP[::-1], RAMP.T], axis=-1) * 0xFFFF
    upper = saved(Image.fromarray((full.astype(np.uint16) >> 8).astype(np.uint8)), "PNG")

    assert encode(of_16_bits(full), SPEC)[0] == encode(upper, SPEC)[0]
    assert known(of_16_bits(full)).flags == ("high_bit_depth", "not_jpeg")
    for spec in (SPEC, STRETCH):
        assert "upper 8 are nearly black" in refusal(of_16_bits(full / 16), spec)
    assert known(of_16_bits(full / 16), KEEP).flags == ("high_bit_depth", "not_jpeg")


KINDS = st.sampled_from([np.uint16, np.int32, np.float32])


@settings(deadline=None, max_examples=60)
@given(KINDS.flatmap(lambda kind: arrays.arrays(kind, st.tuples(st.integers(1, 6), st.integers(1, 6)))))
@example(np.array([[0, 4095]], np.uint16))
@example(np.array([[-1, 0]], np.int32))
@example(np.array([[np.nan]], np.float32))
def test_no_sample_is_black_without_a_word(values: np.ndarray[Any, Any]) -> None:
    for spec in (SPEC, STRETCH):
        with contextlib.suppress(BrokenImageError):  # which says why
            assert np.asarray(sample(of_values(values), spec)).max() >= 60 or not values.any()


# --- bands of rows


@pytest.mark.parametrize("size", [(61, 47), (1, 300), (300, 1), (224, 30), (30, 224), (500, 375)])
@pytest.mark.parametrize(
    ("mode", "form"),
    [
        ("1", "PNG"), ("L", "JPEG"), ("LA", "PNG"), ("P", "GIF"), ("PA", "TIFF"), ("RGBA", "PNG"), ("CMYK", "JPEG"),
        ("I;16", "PNG"), ("I", "TIFF"), ("F", "TIFF"), ("YCbCr", "TIFF"),
    ],
)  # fmt: skip
def test_bands_of_rows_make_the_same_bytes(
    draw: Draw, mode: str, form: str, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = draw(size, mode, form)
    for spec in (KEEP, STRETCH, WHITE if mode in {"LA", "PA", "RGBA"} else KEEP):
        complete = encode(data, spec)
        for pixels in (1, 7 * size[0]):
            monkeypatch.setattr(image_pixels, "BAND_PIXELS", pixels)
            assert encode(data, spec) == complete
        monkeypatch.undo()


@pytest.mark.parametrize("size", [(300, 200), (1500, 1000), (900, 1700)])
@pytest.mark.parametrize("fit", ["stretch", "crop"])
def test_a_grey_image_has_the_bytes_of_the_same_image_in_rgb(size: tuple[int, int], fit: str) -> None:
    values = np.random.default_rng(5).integers(0, 256, size[::-1], np.uint8)
    grey, spec = Image.fromarray(values), ImageSpec(fit=fit)
    grey.info["comment"] = b"of the scanner"  # which Pillow writes to a JPEG
    # without a band, an image is resized as it is, and in bands its width first
    in_bands = Image.new("RGBA", size)
    in_bands.paste(grey)
    in_bands.putalpha(255)
    sample, expected = to_sample(grey, spec, deep=False), to_sample(in_bands, spec, deep=False)

    assert sample.tobytes() == expected.tobytes()
    assert ("comment" in sample.info) == (size == (300, 200))

"""Images of a bounded size."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tol_luigi.core.bounded_images import bounded_image, image_size
from tol_luigi.core.images import ImageSpec, encode

if TYPE_CHECKING:
    from collections.abc import Callable

SPEC = ImageSpec(jpeg_quality=90)
SIDEWAYS = Image.Exif()
SIDEWAYS[0x0112] = 6


def saved(image: Image.Image, **options: int) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", **options)
    return file.getvalue()


def size_of(content: bytes) -> tuple[int, int]:
    return Image.open(io.BytesIO(content)).size


def test_a_larger_image_has_the_pixels_of_pillows_bicubic_filter(draw: Callable[..., bytes]) -> None:
    original = draw((300, 200), form="JPEG")
    small = Image.open(io.BytesIO(original)).resize((96, 64), Image.Resampling.BICUBIC)

    assert bounded_image(original, 96, SPEC) == saved(small, quality=90)
    assert image_size(original, SPEC) == (300, 200, False)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 120))
def test_the_longest_side_is_the_bound_and_the_aspect_ratio_is_kept(
    width: int, height: int, side: int
) -> None:
    original = saved(Image.new("RGB", (width, height)))
    bounded = bounded_image(original, side, SPEC)

    assert (bounded == original) == (max(width, height) <= side)
    across, down = size_of(bounded)
    assert max(across, down) == min(side, max(width, height))
    assert abs(across * height - down * width) <= max(width, height)


def test_the_orientation_of_exif_is_applied_if_that_of_samples_is(draw: Callable[..., bytes]) -> None:
    original = draw((300, 200), form="JPEG", exif=SIDEWAYS)
    upright = ImageSpec(exif="apply")

    assert size_of(bounded_image(original, 90, SPEC)) == (90, 60)
    assert size_of(bounded_image(original, 90, upright)) == (60, 90)
    assert image_size(original, SPEC) == (300, 200, True)


@pytest.mark.parametrize("kind", ["small", "transparent", "deep", "truncated", "damaged", "other"])
def test_what_cannot_be_a_jpeg_without_loss_of_what_settings_use_is_kept(
    kind: str, draw: Callable[..., bytes]
) -> None:
    clear = io.BytesIO()
    Image.new("RGBA", (300, 200), (9, 9, 9, 50)).save(clear, "PNG")
    photograph = draw((300, 200), form="JPEG")
    original = {
        "small": draw((90, 60)),
        "transparent": clear.getvalue(),
        "deep": draw((300, 200), "I;16"),
        "truncated": photograph[: len(photograph) // 2],
        "damaged": photograph[:40],
        "other": b"hello",
    }[kind]

    assert bounded_image(original, 90, SPEC) is original


@pytest.mark.parametrize(("size", "is_shrunk"), [((300, 200), False), ((600, 400), True)])
def test_with_resize_scaled_the_decoder_shrinks_large_photographs_only(
    size: tuple[int, int], is_shrunk: bool, draw: Callable[..., bytes]
) -> None:
    original = draw(size, form="JPEG")
    exact, scaled = (
        np.asarray(Image.open(io.BytesIO(bounded_image(original, 96, replace(SPEC, resize=resize)))), int)
        for resize in ("exact", "scaled")
    )

    assert scaled.shape == exact.shape == (64, 96, 3)
    assert (abs(scaled - exact).max() > 0) == is_shrunk
    assert abs(scaled - exact).mean() < 3
    assert bounded_image(original, max(size), replace(SPEC, resize="scaled")) is original


def test_threads_make_the_same_images_whatever_others_decode(draw: Callable[..., bytes]) -> None:
    photograph = draw((300, 200), form="JPEG")
    given = [photograph, photograph[: len(photograph) // 2], draw((200, 300)), b"hello"] * 8
    alone = [bounded_image(content, 90, SPEC) for content in given]
    lenient = ImageSpec(truncated="keep")

    with ThreadPoolExecutor(4) as pool:
        kept = [pool.submit(encode, given[1], lenient) for _ in range(8)]
        assert list(pool.map(lambda content: bounded_image(content, 90, SPEC), given)) == alone
        assert len({one.result()[0] for one in kept}) == 1

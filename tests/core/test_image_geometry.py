from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from tol_luigi.core import image_pixels
from tol_luigi.core.image_geometry import FITS, placement
from tol_luigi.core.images import ImageSpec, encode

SIDES = st.integers(1, 20_000)
SIZES = st.tuples(SIDES, SIDES)


def photograph(width: int, height: int) -> bytes:
    """Return a picture that is red at the left, blue at the right, and smooth between, with a green middle row."""
    across, down = np.meshgrid(np.linspace(0, 1, width), np.linspace(-1, 1, height))
    values = np.stack([255 * (1 - across), 255 * (1 - abs(down)), 255 * across], axis=-1).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(values).save(file, "JPEG", quality=95, subsampling=0)
    return file.getvalue()


def pixels(data: bytes, spec: ImageSpec) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(encode(data, spec)[0])), dtype=float)


def distance(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one - other).mean())


@given(SIZES, st.tuples(st.integers(1, 500), st.integers(1, 500)), st.sampled_from(FITS))
def test_what_is_shown_lies_within_image_and_sample(
    image: tuple[int, int], sample: tuple[int, int], fit: str
) -> None:
    place = placement(image, sample, fit)
    left, top, right, bottom = place.box

    assert 0 <= left < right <= image[0]
    assert 0 <= top < bottom <= image[1]
    assert all(
        at >= 0 and at + has <= whole for at, has, whole in zip(place.corner, place.size, sample, strict=True)
    )


@given(st.tuples(st.integers(100, 5000), st.integers(100, 5000)), st.sampled_from(["crop", "pad"]))
def test_the_aspect_ratio_is_kept(image: tuple[int, int], fit: str) -> None:
    place = placement(image, (224, 160), fit)
    left, top, right, bottom = place.box
    scales = place.size[0] / (right - left), place.size[1] / (bottom - top)

    # pad rounds each side to whole pixels, crop does not round at all
    most = 0 if fit == "crop" else 0.5 * (1 / (right - left) + 1 / (bottom - top))
    assert abs(scales[0] - scales[1]) <= most + 1e-9


@pytest.mark.parametrize("resize", ["exact", "scaled"])
@pytest.mark.parametrize(("width", "height"), [(300, 200), (200, 300), (2600, 1300), (1500, 3001)])
def test_the_middle_is_cut_out(width: int, height: int, resize: str) -> None:
    data = photograph(width, height)
    fitted = ImageOps.fit(Image.open(io.BytesIO(data)), (224, 224), Image.Resampling.BICUBIC)

    assert distance(pixels(data, ImageSpec(fit="crop", resize=resize)), np.asarray(fitted, dtype=float)) < 1


@pytest.mark.parametrize("resize", ["exact", "scaled"])
@pytest.mark.parametrize(("width", "height"), [(300, 150), (150, 300), (2600, 1300), (1500, 3000)])
@pytest.mark.parametrize("colour", ["black", "white"])
def test_bars_beside_the_whole_image(width: int, height: int, resize: str, colour: str) -> None:
    data = photograph(width, height)
    whole = ImageOps.pad(Image.open(io.BytesIO(data)), (224, 224), Image.Resampling.BICUBIC, color=colour)

    found = pixels(data, ImageSpec(fit="pad", padding=colour, resize=resize))

    assert distance(found, np.asarray(whole, dtype=float)) < 2
    level = 255 if colour == "white" else 0
    corner = found[:20, :20]  # bars are 56 pixels wide
    assert abs(corner - level).max() < 20


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_bands_of_rows_give_the_pixels_of_the_whole(
    monkeypatch: pytest.MonkeyPatch, fit: str, mode: str
) -> None:
    file = io.BytesIO()
    Image.open(io.BytesIO(photograph(311, 173))).convert(mode).save(file, "PNG")
    spec = ImageSpec(fit=fit, transparency="white")
    whole = encode(file.getvalue(), spec)

    monkeypatch.setattr(image_pixels, "BAND_PIXELS", 311 * 7)

    assert encode(file.getvalue(), spec) == whole


def test_an_image_with_the_shape_of_the_sample_is_the_same_with_each() -> None:
    data = photograph(448, 448)

    assert len({encode(data, ImageSpec(fit=fit))[0] for fit in FITS}) == 1


@pytest.mark.parametrize(
    ("size", "enlarged"),
    [
        ((300, 300), ""),
        ((200, 300), "stretch crop"),
        ((200, 200), "stretch crop pad"),
        ((100, 900), "stretch crop"),
    ],
)
def test_which_images_are_enlarged(size: tuple[int, int], enlarged: str) -> None:
    data = photograph(*size)

    found = [fit for fit in FITS if "upscaled" in encode(data, replace(ImageSpec(), fit=fit))[1].flags]

    assert " ".join(found) == enlarged

"""Quality, Exif and what else the file of an image contains."""

from __future__ import annotations

import datetime as dt
import io
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from feature_samples import sample_of, values
from PIL import ExifTags, Image, ImageFilter
from PIL.TiffImagePlugin import IFDRational

from tol_luigi.features.samples import SampleError, Status

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Loaded

    from tol_luigi.features.samples import FeatureSample


def plain(colour: tuple[int, int, int], size: tuple[int, int] = (40, 20)) -> Image.Image:
    return Image.new("RGB", size, colour)


def noise(size: tuple[int, int] = (64, 48)) -> Image.Image:
    return Image.fromarray(np.random.default_rng(1).integers(0, 256, (size[1], size[0], 3), np.uint8))


def test_the_values_of_a_plain_image_are_known(loaded: Loaded) -> None:
    assert values(loaded("quality"), sample_of(plain((100, 100, 100)))) == {
        "width": 40,
        "height": 20,
        "megapixels": 0.0008,
        "aspect": 2.0,
        "blur_lapvar": 0.0,
        "brightness_mean": 100.0,
        "brightness_std": 0.0,
        "clipped_lo": 0.0,
        "clipped_hi": 0.0,
        "contrast": 0.0,
        "entropy": 0.0,
        "colourfulness": 0.0,
        "is_grey": True,
        "border_frac": 1.0,
        "jpeg_q": None,
        "n_frames": 1,
        "exif_orientation": None,
        "truncated": False,
    }


def test_the_values_of_two_halves_are_known(loaded: Loaded) -> None:
    image = plain((0, 0, 0))
    image.paste((255, 0, 0), (20, 0, 40, 20))
    found = values(loaded("quality"), sample_of(image))
    assert found["entropy"] == 1.0
    assert found["clipped_lo"] == 0.5
    assert found["brightness_mean"] == 76 / 2  # 0.299 x 255
    assert found["brightness_std"] == 76 / 2
    assert found["contrast"] == round(76 / 255, 6)
    # red - green and yellow - blue of Hasler and Süsstrunk: 0 and 255, 0 and 127.5
    spread, means = math.hypot(127.5, 63.75), math.hypot(127.5, 63.75)
    assert found["colourfulness"] == round(spread + 0.3 * means, 6)
    assert not found["is_grey"]


def test_a_photograph_has_the_same_values_everywhere(
    loaded: Loaded, photograph: Callable[[str], FeatureSample]
) -> None:
    found = values(loaded("quality"), photograph("chelsea.png"))
    assert (found["blur_lapvar"], found["entropy"], found["colourfulness"]) == (
        401.510557,
        7.000866,
        37.95736,
    )


def test_blur_lowers_the_variance_of_the_laplacian(
    loaded: Loaded, photograph: Callable[[str], FeatureSample]
) -> None:
    sharp = photograph("chelsea.png")
    blurred = sample_of(sharp.image.filter(ImageFilter.GaussianBlur(2)))
    quality = loaded("quality")
    assert values(quality, blurred)["blur_lapvar"] < values(quality, sharp)["blur_lapvar"] / 20


def test_sharpness_is_measured_on_512_pixels(loaded: Loaded) -> None:
    large = noise((1024, 700))
    small = large.resize((512, 350), Image.Resampling.BILINEAR)
    found = [values(loaded("quality"), sample_of(image)) for image in (large, small)]
    for name in ("blur_lapvar", "colourfulness", "border_frac"):
        assert found[0][name] == found[1][name]


@pytest.mark.parametrize("box", [(0, 5, 64, 48), (8, 6, 56, 42), (0, 0, 64, 40)])
def test_the_border_is_measured(loaded: Loaded, box: tuple[int, int, int, int]) -> None:
    image = plain((255, 255, 255), (64, 48))
    image.paste(noise().crop(box), box)
    inside = (box[2] - box[0]) * (box[3] - box[1]) / (64 * 48)
    assert values(loaded("quality"), sample_of(image))["border_frac"] == round(1 - inside, 6)


def test_a_grey_image_is_grey_after_jpeg(loaded: Loaded, photograph: Callable[[str], FeatureSample]) -> None:
    cat = photograph("chelsea.png").image
    grey = cat.convert("L").convert("RGB")
    quality = loaded("quality")
    assert values(quality, sample_of(grey, format="JPEG", quality=50))["is_grey"]
    assert not values(quality, sample_of(cat, format="JPEG", quality=50))["is_grey"]


@pytest.mark.parametrize("jpeg_q", [1, 5, 10, 25, 49, 50, 51, 75, 90, 95, 99, 100])
def test_the_quality_of_a_jpeg_is_estimated(loaded: Loaded, jpeg_q: int) -> None:
    sample = sample_of(noise(), format="JPEG", quality=jpeg_q)
    assert values(loaded("quality"), sample)["jpeg_q"] == jpeg_q


def test_frames_are_counted(loaded: Loaded) -> None:
    frames = [plain((value, 0, 0)) for value in (0, 100, 200)]
    sample = sample_of(frames[0], format="GIF", save_all=True, append_images=frames[1:])
    assert values(loaded("quality"), sample)["n_frames"] == 3


def test_a_turned_image_is_measured_upright(loaded: Loaded) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    found = values(loaded("quality"), sample_of(plain((1, 2, 3)), format="JPEG", exif=exif))
    assert (found["width"], found["height"], found["exif_orientation"]) == (20, 40, 6)


def test_a_truncated_image_has_the_values_of_its_header(loaded: Loaded) -> None:
    complete = sample_of(noise((200, 100)), format="JPEG", quality=90).image_file
    found = values(loaded("quality"), sample_of(complete[: len(complete) // 2]))
    assert found["truncated"]
    assert (found["width"], found["jpeg_q"], found["entropy"]) == (200, 90, None)


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (1, 1000), (3000, 1)])
def test_the_smallest_images_have_values(loaded: Loaded, size: tuple[int, int]) -> None:
    found = values(loaded("quality"), sample_of(plain((9, 9, 9), size)))
    assert (found["blur_lapvar"], found["border_frac"]) == (None, 1.0)


def test_what_is_no_image_is_an_error_of_the_sample(loaded: Loaded) -> None:
    with pytest.raises(SampleError) as error:
        loaded("quality").prepare(sample_of(b"no image"))
    assert error.value.status is Status.DECODE_ERROR


def with_exif(**directories: dict[int, Any]) -> FeatureSample:
    """Return a sample with tags of Exif: ``main``, ``camera`` and ``gps``."""
    exif = Image.Exif()
    exif.update(directories.get("main", {}))
    exif.get_ifd(ExifTags.IFD.Exif).update(directories.get("camera", {}))
    exif.get_ifd(ExifTags.IFD.GPSInfo).update(directories.get("gps", {}))
    return sample_of(plain((1, 2, 3)), format="JPEG", exif=exif)


GPS = {1: "S", 2: (33.0, 51.0, 30.0), 3: "W", 4: (151.0, 12.0, 36.0)}


def test_exif_is_read(loaded: Loaded) -> None:
    main = {ExifTags.Base.Make: "Canon\0\0", ExifTags.Base.Model: " EOS\n 5D "}
    camera = {ExifTags.Base.DateTimeOriginal: "2020:02:29 12:30:59"}
    assert values(loaded("exif"), with_exif(main=main, camera=camera, gps=GPS)) == {
        "exif_make": "Canon",
        "exif_model": "EOS 5D",
        "exif_datetime": dt.datetime(2020, 2, 29, 12, 30, 59),  # noqa: DTZ001 (Exif has no zone)
        "exif_has_gps": True,
        "exif_lat": -33.858333,
        "exif_lon": -151.21,
    }


@pytest.mark.parametrize(
    "gps",
    [
        pytest.param({}, id="no position"),
        pytest.param({**GPS, 1: "X"}, id="no side of the equator"),
        pytest.param({**GPS, 2: (133.0, 0.0, 0.0)}, id="beyond a pole"),
        pytest.param({**GPS, 2: (IFDRational(1, 0), 0.0, 0.0)}, id="a division by zero"),
        pytest.param({1: "N", 2: (1.0, 0.0, 0.0)}, id="no longitude"),
    ],
)
def test_an_invalid_position_is_none(loaded: Loaded, gps: dict[int, Any]) -> None:
    found = values(loaded("exif"), with_exif(gps=gps))
    assert (found["exif_has_gps"], found["exif_lat"], found["exif_lon"]) == (False, None, None)


@pytest.mark.parametrize("time", ["0000:00:00 00:00:00", "2020:13:01 00:00:00", "yesterday", "", "9" * 9999])
def test_an_invalid_time_is_null(loaded: Loaded, time: str) -> None:
    sample = with_exif(camera={ExifTags.Base.DateTimeOriginal: time})
    assert values(loaded("exif"), sample)["exif_datetime"] is None


@pytest.mark.filterwarnings("ignore::UserWarning")  # of Pillow; extractions ignore them, too
def test_hostile_exif_never_stops_an_extractor(loaded: Loaded) -> None:
    good = with_exif(main={ExifTags.Base.Make: "Canon"}, gps=GPS).image_file
    start = good.index(b"Exif\0\0")
    random = np.random.default_rng(0)
    for _ in range(300):
        content = bytearray(good)
        for place in random.integers(start + 6, start + 150, 8):
            content[place] = random.integers(256)
        found = values(loaded("exif"), sample_of(bytes(content)))
        assert found["exif_lat"] is None or -90 <= found["exif_lat"] <= 90
        assert values(loaded("quality"), sample_of(bytes(content)))["width"] in {20, 40}


def test_png_and_webp_have_exif_too(loaded: Loaded) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Canon"
    for kind in ("PNG", "WEBP"):
        file = io.BytesIO()
        plain((1, 2, 3)).save(file, kind, exif=exif)
        assert values(loaded("exif"), sample_of(file.getvalue()))["exif_make"] == "Canon"

"""Several sizes of one file: each is what the file gives with that size alone."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tol_luigi.core.images import ImageSpec, encode, encode_sizes

SIDES = st.integers(1, 90)
SPECS = st.builds(
    ImageSpec,
    width=SIDES,
    height=SIDES,
    fit=st.sampled_from(["stretch", "crop", "pad"]),
    resize=st.sampled_from(["exact", "scaled"]),
    format=st.sampled_from(["jpeg", "webp"]),
    transparency=st.sampled_from(["published", "white"]),
    exif=st.sampled_from(["ignore", "apply"]),
    high_bit_depth=st.sampled_from(["keep", "stretch"]),
    further_sizes=st.lists(st.tuples(SIDES, SIDES), max_size=3).map(tuple),
)


def file(mode: str, form: str) -> bytes:
    pixels = np.random.default_rng(5).integers(0, 255, (300, 400, 4), np.uint8)
    image = Image.fromarray(pixels, "RGBA").convert("L" if mode == "I;16" else mode)
    image.convert(mode).save(written := io.BytesIO(), form)
    return written.getvalue()


FILES = [
    file("RGB", "JPEG"),
    file("L", "JPEG"),
    file("RGBA", "PNG"),
    file("I;16", "PNG"),
    file("RGB", "JPEG")[:9000],
]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@given(spec=SPECS, data=st.sampled_from(FILES))
def test_each_size_is_what_the_file_gives_with_that_size_alone(spec: ImageSpec, data: bytes) -> None:
    images, metadata = encode_sizes(data, spec)
    sizes = [(spec.width, spec.height), *spec.further_sizes]
    alone = [encode(data, spec.of_size(*size)) for size in sizes]

    assert list(images) == [image for image, _ in alone]
    assert metadata == alone[0][1]

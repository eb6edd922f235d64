from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from PIL import Image

from tol_luigi.core.image_formats import FORMATS
from tol_luigi.core.images import BrokenImageError, ImageSpec, encode
from tol_luigi.core.ledger import State
from tol_luigi.sources.member_filter import IMAGE_ENDINGS, classify_member

Draw = Callable[..., bytes]


def ftyp(main: bytes, *compatible: bytes) -> bytes:
    return (
        (16 + 4 * len(compatible)).to_bytes(4) + b"ftyp" + main + bytes(4) + b"".join(compatible) + bytes(99)
    )


@pytest.mark.parametrize(
    ("data", "name"),
    [
        pytest.param(ftyp(b"heic", b"mif1", b"heic"), "HEIC", id="HEIC of a telephone"),
        pytest.param(ftyp(b"mif1", b"mif1", b"heic"), "HEIC", id="HEIC under the name of its container"),
        pytest.param(ftyp(b"msf1", b"hevc"), "HEIC", id="a sequence"),
        pytest.param(ftyp(b"mif1", b"avif"), "AVIF", id="AVIF without an image"),
        pytest.param(b"\xff\x0a" + bytes(99), "JPEG XL", id="JPEG XL"),
        pytest.param(b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(99), "JPEG XL", id="JPEG XL in a container"),
    ],
)
def test_formats_that_are_not_read_are_named(data: bytes, name: str) -> None:
    with pytest.raises(BrokenImageError, match=f"^.*is {name}, which Pillow does not read") as caught:
        encode(data, ImageSpec())
    assert caught.value.state is State.UNREADABLE


@pytest.mark.parametrize("data", [ftyp(b"isom", b"mp42"), b"\0\0\0\0ftyp", b"\xff\xff\xff\xffftypheic"])
def test_films_are_no_images(data: bytes) -> None:
    with pytest.raises(BrokenImageError):
        encode(data, ImageSpec())


def test_every_ending_of_a_format_that_is_read_can_be_an_image() -> None:
    Image.init()
    read = {ending for ending, form in Image.registered_extensions().items() if form in FORMATS}

    assert read - IMAGE_ENDINGS == set()


@pytest.mark.parametrize(
    "name",
    ["a.jpe", "a.JFIF", "a.avif", "a.jp2", "a.j2k", "a.JPX", "a.mpo", "a.ico", "a.tga", "a.heic", "a.jxl"],
)
def test_images_by_their_endings(name: str) -> None:
    assert classify_member(name, 9).state is None
    assert classify_member(f"{name}.part", 9).state is State.BAD_NAME


@pytest.mark.parametrize("name", ["a.txt", "a.eps", "a.pdf", "a.mpg", "a.xmp", "a.json", "a.jpg.txt", "jpg"])
def test_what_is_no_image_by_its_ending(name: str) -> None:
    assert classify_member(name, 9).state is State.NO_IMAGE


@pytest.mark.parametrize("form", ["AVIF", "JPEG2000", "PNG", "WEBP"])
def test_the_content_decides_on_the_format_and_not_the_name(draw: Draw, form: str) -> None:
    jpeg, picture = encode(draw((300, 260), "RGB", form), ImageSpec())

    assert (picture.format, picture.flags) == (form, ("not_jpeg",))
    assert Image.open(io.BytesIO(jpeg)).size == (224, 224)

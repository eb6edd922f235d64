from __future__ import annotations

import hashlib
import io
import json
import os
import struct
import subprocess
import sys
import tarfile
import warnings
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile

from tol_luigi.core.images import BrokenPictureError, ImageSpec, Picture, encode, encoder
from tol_luigi.core.ledger import State

if TYPE_CHECKING:
    from pathlib import Path

Draw = Callable[..., bytes]
SPEC = ImageSpec()
UPSIDE_DOWN = Image.Exif()
UPSIDE_DOWN[0x0112] = 3


def opened(jpeg: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(jpeg))
    image.load()
    return image


def refused(data: bytes, spec: ImageSpec = SPEC) -> BrokenPictureError:
    with pytest.raises(BrokenPictureError) as caught:
        encode(data, spec)
    return caught.value


def png(*chunks: tuple[bytes, bytes]) -> bytes:
    parts = [struct.pack(">I", len(c)) + n + c + struct.pack(">I", zlib.crc32(n + c)) for n, c in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("size", [(90, 60), (640, 480), (224, 224), (1, 700)])
def test_the_published_pixels(draw: Draw, form: str, size: tuple[int, int]) -> None:
    data = draw(size, "RGB", form)
    expected = io.BytesIO()
    opened(data).convert("RGB").resize((224, 224), Image.Resampling.BICUBIC).save(expected, "JPEG", quality=100)

    assert encode(data, SPEC)[0] == expected.getvalue()


@pytest.mark.parametrize(
    ("mode", "form"),
    [
        ("1", "PNG"), ("L", "JPEG"), ("LA", "PNG"), ("P", "GIF"), ("PA", "TIFF"), ("RGBA", "PNG"),
        ("CMYK", "JPEG"), ("I;16", "PNG"), ("I", "TIFF"), ("F", "TIFF"), ("YCbCr", "TIFF"),
    ],
)  # fmt: skip
def test_every_mode_becomes_rgb(draw: Draw, mode: str, form: str) -> None:
    data = draw((300, 260), mode, form)
    jpeg, picture = encode(data, SPEC)

    assert (opened(jpeg).mode, opened(jpeg).size, opened(jpeg).format) == ("RGB", (224, 224), "JPEG")
    assert (picture.mode, picture.format, picture.width, picture.height) == (mode, form, 300, 260)
    assert ("grey" in picture.flags) == (mode in {"1", "L", "LA", "I;16", "I", "F"})
    assert ("not_jpeg" in picture.flags) == (form != "JPEG")


@pytest.mark.parametrize(("value", "level"), [(0, 0), (0x00FF, 0), (0x7F12, 0x7F), (0xFFFF, 0xFF)])
@pytest.mark.parametrize(("mode", "form"), [("I;16", "PNG"), ("I", "TIFF")])
def test_greys_of_16_bits_keep_their_upper_byte(mode: str, form: str, value: int, level: int) -> None:
    file = io.BytesIO()
    Image.new(mode, (8, 8), value).save(file, form)
    jpeg, picture = encode(file.getvalue(), SPEC)

    assert opened(jpeg).getpixel((100, 100)) == (level, level, level)
    assert "grey" in picture.flags


def test_greys_of_16_bits_in_the_other_byte_order() -> None:
    pixels = struct.pack(">64H", *[0x7F12] * 64)
    shorts = {256: 8, 257: 8, 258: 16, 259: 1, 262: 1, 277: 1, 278: 8}
    tags = {**{tag: (3, value << 16) for tag, value in shorts.items()}, 273: (4, 8), 279: (4, len(pixels))}
    entries = b"".join(struct.pack(">HHII", tag, kind, 1, value) for tag, (kind, value) in sorted(tags.items()))
    head = struct.pack(">2sHI", b"MM", 42, 8 + len(pixels))
    jpeg, picture = encode(head + pixels + struct.pack(">H", len(tags)) + entries + bytes(4), SPEC)

    assert opened(jpeg).getpixel((100, 100)) == (0x7F, 0x7F, 0x7F)
    assert "grey" in picture.flags


def test_what_is_told_of_an_original(draw: Draw) -> None:
    assert encode(draw((640, 480), "RGB", "JPEG"), SPEC)[1] == Picture(640, 480, "RGB", "JPEG", ())
    assert encode(draw((640, 100), "L", "PNG"), SPEC)[1].flags == ("grey", "not_jpeg", "upscaled")


@pytest.mark.parametrize("lacking", [2, 500, 3000], ids=lambda count: f"{count} bytes are lacking")
def test_a_picture_that_breaks_off(draw: Draw, lacking: int) -> None:
    data = draw((300, 300), "RGB", "JPEG")[:-lacking]

    assert encode(data, SPEC)[1].flags == ("truncated",)
    error = refused(data, ImageSpec(truncated="drop"))
    assert error.state is State.TRUNCATED
    assert error.reason


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="zero bytes"),
        pytest.param(b"\xff\xd8\xff", id="the first bytes of a JPEG"),
        pytest.param(b"<html>Not found</html>", id="a page that says it is not there"),
        pytest.param(b"GIF89a" + bytes(7), id="a GIF of no width"),
        pytest.param(png((b"IHDR", struct.pack(">2I5B", 9, 9, 8, 2, 0, 0, 0))), id="a PNG without pixels"),
        pytest.param(b"\x89PNG\r\n\x1a\n" + bytes(99), id="a PNG of zeros"),
    ],
)
@pytest.mark.parametrize("truncated", ["keep", "drop"])
def test_what_is_no_picture(data: bytes, truncated: str) -> None:
    error = refused(data, ImageSpec(truncated=truncated))

    assert error.state is State.UNREADABLE
    assert error.reason
    assert "\n" not in error.reason
    assert "0x" not in error.reason


@given(st.binary(max_size=300))
@settings(max_examples=60)
def test_no_bytes_do_harm(data: bytes) -> None:
    for head in (b"", b"\xff\xd8\xff\xe0\x00\x10JFIF\x00", b"GIF89a\x02\x00\x02\x00", b"II*\x00\x08\x00\x00\x00"):
        try:
            encode(head + data, SPEC)
        except BrokenPictureError as error:
            assert error.state in {State.UNREADABLE, State.TOO_LARGE}  # noqa: PT017 (some bytes are a picture)


@pytest.mark.parametrize("pixels", [1, 2, 99, 100, 101])
def test_the_limit_of_pixels_is_exact(pixels: int) -> None:
    file = io.BytesIO()
    Image.new("RGB", (pixels, 1)).save(file, "PNG")

    assert encode(file.getvalue(), ImageSpec(max_pixels=pixels))[1].width == pixels
    error = refused(file.getvalue(), ImageSpec(max_pixels=pixels - 1))
    assert (error.state, error.reason) == (State.TOO_LARGE, f"more than {pixels - 1} pixels")


def test_a_limit_above_the_one_of_pillow(draw: Draw, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)

    assert encode(draw(), SPEC)[1].width == 90


def test_a_frame_larger_than_its_animation_is_too_large(draw: Draw) -> None:
    data = bytearray(draw((2, 2), "P", "GIF"))
    descriptor = data.index(b",\x00\x00\x00\x00\x02\x00\x02\x00")
    data[descriptor + 5 : descriptor + 9] = b"\xff\xff\xff\xff"

    assert refused(bytes(data)).state is State.TOO_LARGE


def test_a_text_that_unpacks_to_gigabytes_is_not_unpacked(draw: Draw) -> None:
    whole = draw((300, 300))
    text = b"Comment\x00\x00" + zlib.compress(bytes(100_000_000), 9)
    bomb = whole[:33] + png((b"zTXt", text))[8:] + whole[33:]
    jpeg, picture = encode(bomb, SPEC)

    assert opened(jpeg).tobytes() == opened(encode(whole, SPEC)[0]).tobytes()
    assert picture.flags == ("not_jpeg", "truncated")


def test_no_other_program_is_run(draw: Draw, tmp_path: Path) -> None:
    (tmp_path / "picture").write_bytes(draw((30, 30), "RGB", "EPS"))
    (tmp_path / "gs").write_text(f"#!/bin/sh\n: > {tmp_path}/was-run\nexit 1\n")
    (tmp_path / "gs").chmod(0o755)
    program = (
        "import pathlib, sys; from tol_luigi.core.images import *\n"
        "try: encode(pathlib.Path(sys.argv[1]).read_bytes(), ImageSpec())\n"
        "except BrokenPictureError: pass"
    )
    environment = {**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    command = [sys.executable, "-W", "ignore", "-c", program, tmp_path / "picture"]
    subprocess.run(command, env=environment, check=True)

    assert not (tmp_path / "was-run").exists()


def test_the_orientation_of_a_camera(draw: Draw) -> None:
    turned, plain = draw((300, 240), "RGB", "JPEG", exif=UPSIDE_DOWN), draw((300, 240), "RGB", "JPEG")
    ignored, picture = encode(turned, SPEC)
    applied, _ = encode(turned, ImageSpec(exif="apply"))
    expected = opened(plain).transpose(Image.Transpose.ROTATE_180).resize((224, 224), Image.Resampling.BICUBIC)
    file = io.BytesIO()
    expected.save(file, "JPEG", quality=100)

    assert picture.flags == ("exif_rotated",)
    assert ignored == encode(plain, SPEC)[0] == encode(plain, ImageSpec(exif="apply"))[0]
    assert applied == file.getvalue()


@pytest.mark.parametrize("exif", ["ignore", "apply"])
def test_a_broken_note_of_the_camera_costs_nothing(draw: Draw, exif: str) -> None:
    data = draw((300, 240), "RGB", "JPEG", exif=b"Exif\x00\x00this is no note of a camera")

    assert encode(data, ImageSpec(exif=exif))[0] == encode(draw((300, 240), "RGB", "JPEG"), SPEC)[0]


def test_of_an_animation_the_first_frame_counts(draw: Draw) -> None:
    frames = [Image.new("RGB", (300, 300), colour) for colour in ("red", "blue")]
    file = io.BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    jpeg, picture = encode(file.getvalue(), SPEC)

    assert picture.flags == ("animated", "not_jpeg")
    assert opened(jpeg).getpixel((9, 9)) == (254, 0, 0)


def test_scaled_is_near_the_published_pixels(draw: Draw) -> None:
    data = draw((2400, 1800), "RGB", "JPEG")
    exact, scaled = encode(data, SPEC), encode(data, ImageSpec(resize="scaled"))
    small = draw((500, 400), "RGB", "JPEG")

    assert exact[1] == scaled[1] == Picture(2400, 1800, "RGB", "JPEG", ())
    assert exact[0] != scaled[0]
    assert encode(small, SPEC) == encode(small, ImageSpec(resize="scaled"))


def test_the_size_and_quality_asked_for(draw: Draw) -> None:
    high, low = (encode(draw(), ImageSpec(width=40, height=30, jpeg_quality=q))[0] for q in (100, 10))

    assert opened(high).size == opened(low).size == (40, 30)
    assert len(low) < len(high)


@pytest.mark.parametrize("keep", [True, False])
def test_the_switches_of_pillow_are_put_back(draw: Draw, monkeypatch: pytest.MonkeyPatch, keep: bool) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 12345)
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", keep)
    before = list(warnings.filters)
    encode(draw((300, 300), "RGB", "JPEG")[:-99], SPEC)
    refused(b"")
    refused(draw(), ImageSpec(max_pixels=2))

    assert (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES) == (12345, keep)
    assert warnings.filters == before


def test_the_same_bytes_give_the_same_sample(draw: Draw) -> None:
    assert encode(draw(), SPEC) == encode(draw(), SPEC)
    assert encoder().startswith("Pillow ")
    assert "libjpeg-turbo" in encoder()


def test_pixels_of_the_golden_samples(shared: Path) -> None:
    lines = (shared / "golden" / "samples.jsonl").read_text(encoding="utf-8").splitlines()
    golden = {sample["treeoflife_id"]: sample for sample in map(json.loads, lines)}
    compared = 0
    with tarfile.open(shared / "sample" / "eol-hf" / "image_set_01.tar.gz") as tar:
        for member in tar:
            sample = golden.get(member.name.removesuffix(".jpg"), {})
            if sample.get("stored_mode") != "RGB":
                continue
            jpeg, _ = encode(tar.extractfile(member).read(), SPEC)  # type: ignore[union-attr]
            assert hashlib.sha256(opened(jpeg).tobytes()).hexdigest() == sample["rgb_sha256"]
            compared += 1
            if compared == 8:
                return
    pytest.fail(f"only {compared} golden samples were found")

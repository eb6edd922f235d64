from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import re
import struct
import subprocess
import sys
import tarfile
import warnings
import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile, _imaging
from PIL.JpegImagePlugin import JpegImageFile

from tol_luigi.core.images import LOSSLESS, BrokenImageError, ImageMetadata, ImageSpec, encode, encoder
from tol_luigi.core.ledger import State
from tol_luigi.core.resampling import PILLOW, kernels

if TYPE_CHECKING:
    from pathlib import Path

Draw = Callable[..., bytes]
SPEC, SCALED = ImageSpec(), ImageSpec(resize="scaled")
HEADS = [b"", b"\xff\xd8\xff\xe0\x00\x10JFIF\x00", b"GIF89a\x02\x00", b"II*\x00\x08"]
UPSIDE_DOWN = Image.Exif()
UPSIDE_DOWN[0x0112] = 3
IN_A_PROCESS = """
import contextlib, pathlib, sys
from tol_luigi.core.images import *
with contextlib.suppress(BrokenImageError):
    encode(pathlib.Path(sys.argv[1]).read_bytes(), ImageSpec())
"""


def opened(jpeg: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(jpeg))
    image.load()
    return image


def saved(image: Image.Image, form: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def published(image: Image.Image) -> bytes:
    return saved(image.convert("RGB").resize((224, 224), Image.Resampling.BICUBIC), "JPEG", quality=100)


def refused(data: bytes, spec: ImageSpec = SPEC) -> BrokenImageError:
    with pytest.raises(BrokenImageError) as caught:
        encode(data, spec)
    return caught.value


def png(*chunks: tuple[bytes, bytes]) -> bytes:
    parts = [struct.pack(">I", len(c)) + n + c + struct.pack(">I", zlib.crc32(n + c)) for n, c in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("size", [(90, 60), (640, 480), (224, 224), (1, 700)])
def test_the_published_pixels(draw: Draw, form: str, size: tuple[int, int]) -> None:
    data = draw(size, "RGB", form)

    assert encode(data, SPEC)[0] == published(opened(data))


@pytest.mark.parametrize(
    ("mode", "form"),
    [
        ("RGB", "ICO"), ("RGBA", "ICO"), ("RGB", "TGA"), ("RGB", "PCX"), ("RGB", "AVIF"), ("RGB", "SGI"), ("RGB", "DDS"),
        ("RGBA", "ICNS"), ("RGB", "QOI"), ("P", "BLP"), ("RGB", "DIB"), ("1", "XBM"), ("1", "MSP"),
        ("RGB", "JPEG2000"), ("RGB", "PPM"),
    ],
)  # fmt: skip
def test_all_that_pillow_decodes_itself_is_read(draw: Draw, mode: str, form: str) -> None:
    drawn = opened(draw((128, 128), "RGB", "PNG"))
    data = saved(drawn.quantize() if mode == "P" else drawn.convert(mode), form)
    jpeg, picture = encode(data, SPEC)

    assert jpeg == published(opened(data))
    assert (picture.format, "not_jpeg" in picture.flags) == (form, True)


@pytest.mark.parametrize("form", ["EPS", "PDF"])
def test_no_image_may_start_a_program(
    draw: Draw, form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = tmp_path / "started"
    (tmp_path / "gs").write_text(f"#!/bin/sh\ntouch {started}\n")
    (tmp_path / "gs").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    assert refused(saved(opened(draw()), form)).state is State.UNREADABLE
    assert not started.exists()


@pytest.mark.parametrize(
    ("mode", "form"),
    [
        ("1", "PNG"), ("L", "JPEG"), ("LA", "PNG"), ("P", "GIF"), ("PA", "TIFF"), ("RGBA", "PNG"),
        ("CMYK", "JPEG"), ("I;16", "PNG"), ("I", "TIFF"), ("F", "TIFF"), ("YCbCr", "TIFF"),
    ],
)  # fmt: skip
def test_every_mode_becomes_rgb(draw: Draw, mode: str, form: str) -> None:
    data = draw((300, 260), mode, form)
    jpeg, picture = encode(data, ImageSpec(high_bit_depth="keep"))

    assert (opened(jpeg).mode, opened(jpeg).size, opened(jpeg).format) == ("RGB", (224, 224), "JPEG")
    assert (picture.mode, picture.format, picture.width, picture.height) == (mode, form, 300, 260)
    assert ("grey" in picture.flags) == (mode in {"1", "L", "LA", "I;16", "I", "F"})
    assert ("not_jpeg" in picture.flags) == (form != "JPEG")


@pytest.mark.parametrize(("value", "level"), [(0, 0), (0x7F12, 0x7F), (0xFFFF, 0xFF)])
@pytest.mark.parametrize(("mode", "form"), [("I;16", "PNG"), ("I", "TIFF")])
def test_greys_of_16_bits_keep_their_upper_byte(mode: str, form: str, value: int, level: int) -> None:
    jpeg, picture = encode(saved(Image.new(mode, (8, 8), value), form), SPEC)

    assert opened(jpeg).getpixel((100, 100)) == (level, level, level)
    assert "grey" in picture.flags


def test_greys_of_16_bits_in_the_other_byte_order() -> None:
    pixels = struct.pack(">64H", *[0x7F12] * 64)
    tags = {256: 8, 257: 8, 258: 16, 259: 1, 262: 1, 273: 8, 277: 1, 278: 8, 279: len(pixels)}
    entries = b"".join(struct.pack(">HHII", tag, 4, 1, value) for tag, value in tags.items())
    head = struct.pack(">2sHI", b"MM", 42, 8 + len(pixels))
    jpeg, picture = encode(head + pixels + struct.pack(">H", len(tags)) + entries, SPEC)

    assert opened(jpeg).getpixel((100, 100)) == (0x7F, 0x7F, 0x7F)
    assert "grey" in picture.flags


def test_what_is_told_of_an_original(draw: Draw) -> None:
    assert encode(draw((640, 480), "RGB", "JPEG"), SPEC)[1] == ImageMetadata(640, 480, "RGB", "JPEG", ())
    assert encode(draw(), SPEC) == encode(draw(), SPEC)
    assert encode(draw((640, 100), "L", "PNG"), SPEC)[1].flags == (
        "elongated",
        "grey",
        "not_jpeg",
        "upscaled",
    )


@pytest.mark.parametrize(
    ("size", "flags"), [((600, 300), ()), ((601, 300), ("elongated",)), ((300, 601), ("elongated",))]
)
def test_a_picture_more_than_twice_as_long_as_wide_is_elongated(
    draw: Draw, size: tuple[int, int], flags: tuple[str, ...]
) -> None:
    assert encode(draw(size, "RGB", "JPEG"), SPEC)[1].flags == flags


@pytest.mark.parametrize("lacking", [2, 500, 3000], ids=lambda count: f"{count} bytes are lacking")
def test_a_picture_that_breaks_off(draw: Draw, lacking: int) -> None:
    data = draw((300, 300), "RGB", "JPEG")[:-lacking]

    assert encode(data, SPEC)[1].flags == ("truncated",)
    assert refused(data, ImageSpec(truncated="drop")).state is State.TRUNCATED


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="zero bytes"),
        pytest.param(b"\xff\xd8\xff", id="the first bytes of a JPEG"),
        pytest.param(b"<html>Not found</html>", id="a page that says it is not there"),
        pytest.param(b"GIF89a" + bytes(7), id="a GIF of no width"),
        pytest.param(png((b"IHDR", struct.pack(">2I5B", 9, 9, 8, 2, 0, 0, 0))), id="a PNG without pixels"),
    ],
)
@pytest.mark.parametrize("truncated", ["keep", "drop"])
def test_what_is_no_picture(data: bytes, truncated: str) -> None:
    error = refused(data, ImageSpec(truncated=truncated))

    assert error.state is State.UNREADABLE
    assert len(error.reason.splitlines()) == 1
    assert "0x" not in error.reason


@settings(deadline=None)
@given(st.sampled_from(HEADS), st.binary())
def test_no_bytes_do_harm(head: bytes, data: bytes) -> None:
    with contextlib.suppress(BrokenImageError):
        encode(head + data, SPEC)


@pytest.mark.parametrize("pixels", [1, 2, 99, 100, 101])
def test_the_limit_of_pixels_is_exact(pixels: int) -> None:
    data = saved(Image.new("RGB", (pixels, 1)), "PNG")

    assert encode(data, ImageSpec(max_pixels=pixels))[1].width == pixels
    assert refused(data, ImageSpec(max_pixels=pixels - 1)).state is State.TOO_LARGE


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
    assert picture.flags == ("not_jpeg",)


def test_no_other_program_is_run(draw: Draw, tmp_path: Path) -> None:
    (tmp_path / "picture").write_bytes(draw((30, 30), "RGB", "EPS"))
    (tmp_path / "gs").write_text(f"#!/bin/sh\n: > {tmp_path}/was-run\nexit 1\n")
    (tmp_path / "gs").chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    command = [sys.executable, "-W", "ignore", "-c", IN_A_PROCESS, tmp_path / "picture"]
    subprocess.run(command, env=environment, check=True)

    assert not (tmp_path / "was-run").exists()


def test_the_orientation_of_a_camera(draw: Draw) -> None:
    turned, plain = draw((300, 240), "RGB", "JPEG", exif=UPSIDE_DOWN), draw((300, 240), "RGB", "JPEG")
    ignored, picture = encode(turned, SPEC)
    applied, _ = encode(turned, ImageSpec(exif="apply"))

    assert picture.flags == ("exif_rotated",)
    assert ignored == encode(plain, ImageSpec(exif="apply"))[0] == published(opened(plain))
    assert applied == published(opened(plain).transpose(Image.Transpose.ROTATE_180))


def test_a_broken_note_of_the_camera_costs_nothing(draw: Draw) -> None:
    noted = draw((300, 240), "RGB", "JPEG", exif=b"Exif\x00\x00this is no note of a camera")
    plain, _ = encode(draw((300, 240), "RGB", "JPEG"), SPEC)

    assert encode(noted, SPEC)[0] == encode(noted, ImageSpec(exif="apply"))[0] == plain


def test_of_an_animation_the_first_frame_counts() -> None:
    red, blue = (Image.new("RGB", (300, 300), colour) for colour in ("red", "blue"))
    data = saved(red, "GIF", save_all=True, append_images=[blue])
    jpeg, picture = encode(data, ImageSpec(width=40, height=30))

    assert picture.flags == ("animated", "not_jpeg")
    assert opened(jpeg).getpixel((9, 9)) == (254, 0, 0)
    assert opened(jpeg).size == (40, 30)


def photograph(size: tuple[int, int], **options: Any) -> bytes:
    """Save what has smooth parts, edges and grain, the same each time."""
    ground = Image.merge("RGB", [Image.effect_mandelbrot(size, (-2, -1.2, 1, 1.2 + b), 60) for b in range(3)])
    grain = np.random.default_rng(17).normal(0, 9, (size[1], size[0], 3))
    image = Image.fromarray((np.asarray(ground) * 0.7 + 20 + grain).clip(0, 255).astype(np.uint8))
    return saved(image, "JPEG", **{"quality": 90, **options})


def likeness(one: bytes, other: bytes) -> float:
    """Give the peak signal-to-noise ratio of two pictures, in dB."""
    pixels = [np.asarray(opened(jpeg)).astype(float) for jpeg in (one, other)]
    return float(10 * np.log10(255**2 / ((pixels[0] - pixels[1]) ** 2).mean()))


@pytest.mark.parametrize("subsampling", [0, 2])
@pytest.mark.parametrize(
    "size",
    [
        pytest.param((2048, 1536), id="1/2 of the pixels each way"),
        pytest.param((2743, 2755), id="1/4, and the last row and column partly"),
        pytest.param((1347, 1351), id="1/2, and the same"),
    ],
)
def test_scaled_is_near_the_published_pixels(size: tuple[int, int], subsampling: int) -> None:
    large = photograph(size, subsampling=subsampling)
    (exact, told), (scaled, same) = encode(large, SPEC), encode(large, SCALED)

    assert likeness(exact, scaled) > 45
    assert told == same
    assert encode(large, SCALED)[0] == scaled


def test_scaled_decodes_less(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, draft = list[Any](), JpegImageFile.draft

    def noted(self: JpegImageFile, *wanted: Any) -> Any:
        asked.append(draft(self, *wanted))
        return asked[-1]

    monkeypatch.setattr(JpegImageFile, "draft", noted)
    for size in [(2048, 1536), (2743, 2755), (1343, 2000)]:
        encode(photograph(size), SCALED)

    assert asked == [
        ("RGB", (0, 0, 1024, 768)),
        ("RGB", (0, 0, 685.75, 688.75)),
    ]


@pytest.mark.parametrize("size", [(500, 375), (1343, 2000), (4000, 1343), (90, 60)])
def test_scaled_leaves_small_pictures_as_published(size: tuple[int, int]) -> None:
    data = photograph(size)

    assert encode(data, SCALED) == encode(data, SPEC)


@pytest.mark.parametrize(("mode", "form"), [("RGB", "PNG"), ("L", "JPEG"), ("CMYK", "JPEG"), ("RGB", "WEBP")])
def test_scaled_leaves_what_is_no_photograph_as_published(draw: Draw, mode: str, form: str) -> None:
    data = draw((1400, 1200), mode, form)

    assert encode(data, SCALED) == encode(data, SPEC)


def test_scaled_leaves_what_is_turned_as_published() -> None:
    turned = photograph((1400, 1200), exif=UPSIDE_DOWN)
    exact, scaled = (encode(turned, ImageSpec(resize=how, exif="apply")) for how in ("exact", "scaled"))

    assert exact == scaled
    assert encode(turned, SCALED)[0] == encode(photograph((1400, 1200)), SCALED)[0]


def test_scaled_keeps_what_there_is_of_a_picture_that_breaks_off() -> None:
    data = photograph((2048, 1536))[:-30_000]
    (exact, told), (scaled, same) = encode(data, SPEC), encode(data, SCALED)

    assert told == same
    assert told.flags == ("truncated",)
    assert likeness(exact, scaled) > 45
    assert refused(data, ImageSpec(resize="scaled", truncated="drop")).state is State.TRUNCATED


@pytest.mark.parametrize("size", [(2048, 1536), (2743, 2755)])
def test_scaled_gives_the_same_bytes_on_every_processor(size: tuple[int, int]) -> None:
    data, known = photograph(size), {PILLOW, *kernels()}

    assert len({encode(data, replace(SCALED, kernel=kernel))[0] for kernel in known}) == 1


def test_the_encoder_names_what_determines_bytes() -> None:
    assert re.fullmatch(r"Pillow [\d.]+, libjpeg-turbo [\d.]+", encoder(SPEC))


@pytest.mark.parametrize("keep", [True, False])
def test_the_switches_of_pillow_are_put_back(draw: Draw, monkeypatch: pytest.MonkeyPatch, keep: bool) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 12345)
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", keep)
    before, block = [*warnings.filters], _imaging.get_block_size()
    encode(draw((300, 300), "RGB", "JPEG")[:-99], SPEC)
    refused(draw(), ImageSpec(max_pixels=2))

    assert (12345, keep) == (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES)
    assert _imaging.get_block_size() == block
    assert warnings.filters == before


def test_pixels_of_the_golden_samples(shared: Path) -> None:
    lines = (shared / "golden" / "samples.jsonl").read_text(encoding="utf-8").splitlines()
    golden, compared = {sample["treeoflife_id"]: sample for sample in map(json.loads, lines)}, list[str]()
    with tarfile.open(shared / "sample" / "eol-hf" / "image_set_01.tar.gz") as tar:
        for member in tar.getmembers()[:12]:
            sample = golden.get(member.name.removesuffix(".jpg"), {})
            if sample.get("stored_mode") == "RGB":
                jpeg, _ = encode(tar.extractfile(member).read(), SPEC)  # type: ignore[union-attr]
                assert hashlib.sha256(opened(jpeg).tobytes()).hexdigest() == sample["rgb_sha256"]
                compared.append(member.name)
    assert len(compared) > 5


def test_webp_has_the_pixels_of_the_sample_without_loss_and_nearly_so_with_loss() -> None:
    data = photograph((600, 400))
    exact = Image.open(io.BytesIO(data)).convert("RGB").resize((224, 224), Image.Resampling.BICUBIC)
    lossless, lossy = (
        Image.open(io.BytesIO(encode(data, ImageSpec(format="webp", webp_quality=quality))[0]))
        for quality in (LOSSLESS, 90)
    )

    assert (lossless.format, lossless.mode, lossy.mode) == ("WEBP", "RGB", "RGB")
    assert lossless.tobytes() == exact.tobytes()
    assert 0 < np.abs(np.asarray(lossy, int) - np.asarray(exact, int)).mean() < 3


def test_the_format_changes_the_encoder_and_nothing_that_is_known_of_the_original(draw: Draw) -> None:
    data, webp = draw((500, 300), "L", "PNG"), ImageSpec(format="webp")

    assert encode(data, webp)[1] == encode(data, SPEC)[1]
    assert encoder(webp).startswith(f"{encoder(SPEC)}, libwebp ")

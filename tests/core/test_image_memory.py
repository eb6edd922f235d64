from __future__ import annotations

import io
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tol_luigi.core.image_memory import bytes_to_open
from tol_luigi.core.images import BrokenImageError, ImageSpec, encode
from tol_luigi.core.ledger import State

SIDE = 2000
COUNTER_ERROR = 1 << 20
"""By how many bytes Linux may count wrong what a process holds: each core counts some pages on its own."""
MEASURED = """
import io, os, pathlib, sys
from PIL import Image
from tol_luigi.core.image_memory import bytes_to_open
from tol_luigi.core.images import ImageSpec, encode
def peak():
    return int(pathlib.Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) * 1024
folder = pathlib.Path(sys.argv[1])
for tiny in sorted(folder.glob("*.tiny")):
    if child := os.fork():
        os.waitpid(child, 0)
        continue
    encode(tiny.read_bytes(), ImageSpec(high_bit_depth="keep"))
    before, large = peak(), tiny.with_suffix(".large").read_bytes()
    with Image.open(io.BytesIO(large)) as image:
        reckoned = bytes_to_open(image, large, 224, turned=False)
    encode(large, ImageSpec(high_bit_depth="keep"))
    print(tiny.stem, peak() - before, reckoned, sep="|", flush=True)
    os._exit(0)
"""
KINDS: dict[str, tuple[str, str, dict[str, Any], float]] = {  # with the most bytes per pixel that it may take
    "JPEG": ("RGB", "JPEG", {}, 5),
    "progressive JPEG": ("RGB", "JPEG", {"progressive": True, "subsampling": 0}, 11),
    "CMYK": ("CMYK", "JPEG", {}, 8),
    "palette": ("P", "PNG", {"compress_level": 1}, 5),
    "transparency": ("RGBA", "PNG", {"compress_level": 1}, 8.5),
    "16 bits of grey": ("I;16", "PNG", {"compress_level": 1}, 14),
    "WebP": ("RGB", "WEBP", {"method": 0}, 18),
    "JPEG 2000": ("RGB", "JPEG2000", {}, 22),
}


@pytest.fixture(autouse=True)
def _large_headers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Pillow read headers that claim a large image."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, int]]:
    """Return for each kind the memory that it has taken to open an image, and what was reckoned, in bytes."""
    folder = tmp_path_factory.mktemp("kinds")
    for kind, (mode, form, options, _) in KINDS.items():
        for ending, side in (("tiny", 64), ("large", SIDE)):
            (folder / f"{kind}.{ending}").write_bytes(saved(side, mode, form, **options))
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, folder], capture_output=True, text=True, check=True
    )
    lines = (line.split("|") for line in done.stdout.splitlines())
    return {kind: (int(taken), int(bound)) for kind, taken, bound in lines}


def saved(side: int, mode: str, form: str, **options: Any) -> bytes:
    seeds = np.random.default_rng(17).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    image, file = Image.fromarray(seeds).resize((side, side)), io.BytesIO()
    for step in ("L", "I;16") if mode == "I;16" else (mode,):
        image = image.convert(step)
    image.save(file, form, **options)
    return file.getvalue()


def saved_in(size: tuple[int, int], mode: str, form: str, **options: Any) -> bytes:
    file = io.BytesIO()
    Image.new("L" if mode == "I;16" else "RGB", size).convert(mode).save(file, form, **options)
    return file.getvalue()


def reckoned(data: bytes, *, turned: bool = False) -> int:
    with Image.open(io.BytesIO(data)) as image:
        return bytes_to_open(image, data, 224, turned=turned)


def claiming(size: tuple[int, int], **options: Any) -> bytes:
    """Return a JPEG whose header claims another size."""
    data = saved(64, "RGB", "JPEG", **options)
    frame = data.index(b"\xff\xc2" if options.get("progressive") else b"\xff\xc0")
    return data[: frame + 5] + struct.pack(">2H", *reversed(size)) + data[frame + 9 :]


def refusal(data: bytes, **settings: Any) -> str:
    with pytest.raises(BrokenImageError) as caught:
        encode(data, ImageSpec(**settings))
    assert caught.value.state is State.TOO_LARGE
    return caught.value.reason


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the most memory held is read from /proc")
def test_no_more_memory_is_taken_than_reckoned(kind: str, measured: dict[str, tuple[int, int]]) -> None:
    taken, bound = measured[kind]

    assert taken / SIDE**2 < KINDS[kind][3]
    assert taken <= bound + COUNTER_ERROR


@pytest.mark.parametrize(
    ("mode", "form", "stored", "decoding"),
    [
        ("L", "PNG", 1, 0),
        ("1", "PNG", 1, 0),
        ("P", "PNG", 1, 0),
        ("P", "GIF", 1, 1),
        ("RGB", "PNG", 4, 0),
        ("RGBA", "PNG", 4, 0),
        ("LA", "PNG", 4, 0),
        ("I;16", "PNG", 2, 0),
        ("RGB", "BMP", 4, 2),
        ("RGB", "DIB", 4, 2),
        ("RGB", "TGA", 4, 0),
        ("RGB", "PCX", 4, 0),
        ("RGB", "PPM", 4, 12),
        ("RGB", "WEBP", 4, 14),
        ("RGB", "AVIF", 4, 20),
        ("L", "JPEG2000", 1, 6),
        ("RGB", "JPEG2000", 4, 18),
        ("RGB", "SGI", 4, 64),
        ("RGB", "JPEG", 4, 0),
        ("L", "JPEG", 1, 0),
        ("CMYK", "JPEG", 4, 0),
    ],
)
def test_what_is_reckoned_for_each_format(mode: str, form: str, stored: int, decoding: int) -> None:
    for width, height in ((300, 200), (2048, 1024)):
        size = width, height
        data = saved_in(size, mode, form)
        pixels = width * height
        band = 0 if mode == "RGB" else 48 * min(pixels, 1 << 20)
        expected = len(data) + pixels * (stored + decoding) + band + 4 * 224 * height

        assert reckoned(data) == expected
        assert reckoned(data, turned=True) == expected + pixels * stored + 4 * 224 * (width - height)


@pytest.mark.parametrize(
    ("mode", "options", "block"),
    [
        pytest.param("RGB", {"tiffinfo": {278: 10}}, 3 * 300 * 10, id="strips of ten rows"),
        pytest.param("RGB", {"tiffinfo": {278: 9999}}, 3 * 300 * 200, id="one strip"),
        pytest.param("1", {"tiffinfo": {278: 10}}, 300 * 10 // 8, id="a bit for each pixel"),
        pytest.param("L", {"tiffinfo": {278: 16}, "compression": "jpeg"}, 3 * 300 * 16, id="strips of JPEG"),
    ],
)
def test_a_strip_of_a_tiff_is_decoded_as_a_whole(mode: str, options: dict[str, Any], block: int) -> None:
    data = saved_in((300, 200), mode, "TIFF", **options)
    pixels = 300 * 200
    stored, band = (4, 0) if mode == "RGB" else (1, 48 * pixels)

    assert reckoned(data) - len(data) - pixels * stored - band - 4 * 224 * 200 == block


def test_a_progressive_jpeg_that_would_kill_a_worker_is_refused_by_its_header() -> None:
    reason = refusal(claiming((29_900, 29_900), progressive=True, subsampling=0))

    assert reason.startswith("29900 x 29900 pixels of JPEG in mode RGB take 8")
    assert reason.endswith("MiB to open, more than [images] max_memory_mib = 3584")


@pytest.mark.parametrize(("subsampling", "coefficients"), [(0, 6), (1, 4), (2, 3)])
def test_coefficients_count_only_where_there_are_several_scans(subsampling: int, coefficients: int) -> None:
    plain, progressive = (
        reckoned(claiming((20_000, 20_000), progressive=several, subsampling=subsampling)) / 20_000**2
        for several in (False, True)
    )

    assert plain == pytest.approx(4, abs=0.1)
    assert progressive == pytest.approx(4 + coefficients, abs=0.1)


def test_scans_of_single_channels_count_as_several() -> None:
    data = claiming((20_000, 20_000))
    scan = data.index(b"\xff\xda")
    first = b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00"
    alone = data[:scan] + first + data[scan + 14 :]

    assert reckoned(alone) > 1.5 * reckoned(data)


def test_turning_an_image_upright_takes_a_copy() -> None:
    data = claiming((20_000, 20_000))

    assert reckoned(data, turned=True) > 1.9 * reckoned(data)


def test_what_resizing_in_width_leaves_of_a_tall_image_counts() -> None:
    assert "1 x 300000 pixels" in refusal(saved_column(300_000), max_memory_mib=256)
    assert encode(saved_column(3000), ImageSpec(max_memory_mib=256))


def saved_column(height: int) -> bytes:
    file = io.BytesIO()
    Image.new("L", (1, height)).save(file, "PNG")
    return file.getvalue()


def test_a_tile_larger_than_its_image_counts() -> None:
    tags = {256: 16, 257: 16, 258: 8, 259: 5, 262: 1, 277: 1, 322: 30_000, 323: 30_000, 324: 8, 325: 8}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    data = struct.pack("<2sHI", b"II", 42, 16) + bytes(8) + struct.pack("<H", len(tags)) + entries + bytes(4)

    assert 30_000**2 < reckoned(data) < 1.1 * 30_000**2


def test_an_image_within_an_icon_is_bounded_as_well() -> None:
    inner = saved(2000, "RGB", "PNG", compress_level=1)
    entry = struct.pack("<4B2H2I", 16, 16, 0, 0, 1, 32, len(inner), 22)

    assert encode(struct.pack("<3H", 0, 1, 1) + entry + inner, ImageSpec())[1].format == "ICO"
    assert "max_memory_mib = 64" in refusal(struct.pack("<3H", 0, 1, 1) + entry + inner, max_memory_mib=64)


def test_a_large_image_of_few_bytes_per_pixel_is_still_opened() -> None:
    head = struct.pack(">2I5B", 29_900, 29_900, 8, 3, 0, 0, 0)
    parts = [(b"IHDR", head), (b"PLTE", bytes(6)), (b"IDAT", zlib.compress(b""))]
    chunks = [struct.pack(">I", len(c)) + n + c + struct.pack(">I", zlib.crc32(n + c)) for n, c in parts]

    assert reckoned(b"\x89PNG\r\n\x1a\n" + b"".join(chunks)) < 1.2 * 29_900**2

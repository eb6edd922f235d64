from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image, PngImagePlugin

from tol_luigi.core.images import ImageSpec, encode
from tol_luigi.core.png_chunks import without_bad_metadata

Draw = Callable[..., bytes]
SPEC, DROP = ImageSpec(), ImageSpec(truncated="drop")
HEAD = 33
"""Length of the signature and the first chunk."""

XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF tiff:Orientation="3"/></x:xmpmeta>'


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def packed_text(length: int) -> bytes:
    return chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(length)))


ORIENTATION = chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP)
METADATA = {
    "a packed text of 3 MB": packed_text(3_000_000),
    "a packed international text": chunk(b"iTXt", b"Comment\0\1\0\0\0" + zlib.compress(b"x" * 3_000_000)),
    "a text that unpacks to 100 MB": packed_text(100_000_000),
    "a plain text that is too large": chunk(b"tEXt", b"Comment\0" + b"x" * 5_000_000),
    "texts that are too large together": packed_text(1_000_000) * 5,
    "a colour profile of 3 MB": chunk(b"iCCP", b"profile\0\0" + zlib.compress(bytes(3_000_000))),
    "a text with a wrong checksum": chunk(b"tEXt", b"Comment\0x")[:-1] + b"?",
    "a time of no length": chunk(b"pHYs", b""),
}


@pytest.fixture(scope="module")
def plain(draw: Draw) -> bytes:
    return draw((300, 300))


@pytest.mark.parametrize("where", ["before the pixels", "after them"])
@pytest.mark.parametrize("what", METADATA)
def test_notes_about_an_image_do_not_truncate_it(
    what: str, where: str, plain: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PngImagePlugin, "MAX_TEXT_MEMORY", 4_000_000)
    end = HEAD if where == "before the pixels" else len(plain) - 12
    data = plain[:end] + METADATA[what] + plain[end:]

    assert encode(data, SPEC) == encode(data, DROP) == encode(plain, SPEC)


def test_a_file_that_breaks_off_behind_its_pixels_is_complete(plain: bytes) -> None:
    assert encode(plain[:-12] + packed_text(3_000_000)[:-99], DROP) == encode(plain, SPEC)


def test_pixels_that_break_off_are_flagged_whatever_else_is_wrong(plain: bytes) -> None:
    data = plain[:HEAD] + packed_text(3_000_000) + plain[HEAD : len(plain) // 2]

    assert encode(data, SPEC)[1].flags == ("not_jpeg", "truncated")
    assert encode(data, SPEC) == encode(plain[: len(plain) // 2], SPEC)


def test_other_notes_still_count(plain: bytes) -> None:
    data = plain[:HEAD] + packed_text(3_000_000) + ORIENTATION + plain[HEAD:]

    assert encode(data, SPEC)[1].flags == ("exif_rotated", "not_jpeg")


def test_transparency_is_no_note() -> None:
    image, file = Image.new("P", (300, 300)), io.BytesIO()
    image.save(file, "PNG", transparency=0)
    data = file.getvalue()

    assert "transparent" in encode(data[:HEAD] + packed_text(3_000_000) + data[HEAD:], SPEC)[1].flags


@pytest.mark.parametrize("data", [b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"\x89PNG\r\n\x1a\n\0\0"])
def test_nothing_is_left_out_where_there_is_nothing(data: bytes) -> None:
    assert without_bad_metadata(data) in {None, b"\x89PNG\r\n\x1a\n"}


def test_threads_do_not_see_the_leniency_of_others(plain: bytes) -> None:
    cut = [plain[: len(plain) // 2 + more] for more in range(40)]
    with ThreadPoolExecutor(4) as threads:
        flags = [picture.flags for _, picture in threads.map(lambda data: encode(data, SPEC), cut)]

    assert set(flags) == {("not_jpeg", "truncated")}

from __future__ import annotations

import hashlib
import io
import itertools
import math
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image, ImageFilter

from tol_luigi.core.benchmarks import BenchmarkImage, Benchmarks, Match
from tol_luigi.core.images import ImageSpec, encode
from tol_luigi.core.perceptual import LEAST_QUALITY, USUAL_DISTANCE, PerceptualHash, perceptual_hash

if TYPE_CHECKING:
    from pathlib import Path

Draw = Callable[..., bytes]
Alter = Callable[[Image.Image], bytes]

HASHED = ImageSpec(hashed=True)


def saved(image: Image.Image, form: str = "JPEG", **options: int) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def cropped(image: Image.Image, part: float) -> Image.Image:
    across, down = image.width * part, image.height * part
    return image.crop((int(across), int(down), int(image.width - across), int(image.height - down)))


def look(content: bytes) -> PerceptualHash:
    found = encode(content, HASHED)[1].phash
    assert found is not None
    return found


def differing(one: PerceptualHash, other: PerceptualHash) -> int:
    return (int.from_bytes(one.bits, "big") ^ int.from_bytes(other.bits, "big")).bit_count()


def listed(content: bytes, name: str = "a.jpg") -> BenchmarkImage:
    return BenchmarkImage("rare", name, hashlib.sha256(content).hexdigest(), look(content))


@pytest.fixture(scope="module")
def photographs(shared: Path) -> list[bytes]:
    """Photographs of the sample that are large enough to be told apart; some of the sample are one colour."""
    found = []
    for path in sorted((shared / "sample" / "inat21").rglob("*.jpg")):
        content = path.read_bytes()
        with Image.open(path) as image:
            if image.width > 200 and image.mode == "RGB":
                found.append(content)
    assert len(found) >= 100
    return found


ALTERED: list[tuple[str, Alter]] = [
    ("saved at quality 50", lambda image: saved(image, quality=50)),
    ("saved at quality 20", lambda image: saved(image, quality=20)),
    ("half as large", lambda image: saved(image.resize((image.width // 2, image.height // 2)), quality=85)),
    ("squeezed into a square", lambda image: saved(image.resize((256, 256)), quality=85)),
    ("another format", lambda image: saved(image, "PNG")),
    ("grey", lambda image: saved(image.convert("L"), quality=85)),
    ("brighter", lambda image: saved(image.point(lambda value: min(255, value + 20)), quality=85)),
    ("blurred", lambda image: saved(image.filter(ImageFilter.GaussianBlur(1)), quality=85)),
]


@pytest.fixture(scope="module")
def listed_photographs(photographs: list[bytes]) -> list[BenchmarkImage]:
    return [listed(content, str(number)) for number, content in enumerate(photographs)]


@pytest.mark.parametrize("alter", [pytest.param(alter, id=name) for name, alter in ALTERED])
def test_every_altered_copy_is_found_as_what_it_is(
    photographs: list[bytes], listed_photographs: list[BenchmarkImage], alter: Alter
) -> None:
    benchmarks = Benchmarks(listed_photographs, USUAL_DISTANCE)
    for number in range(0, len(photographs), 3):
        match = benchmarks.match_phash(look(alter(Image.open(io.BytesIO(photographs[number])))))
        original = listed_photographs[number].phash
        assert match is not None, number
        found = listed_photographs[int(match.name)].phash
        assert original is not None
        assert found is not None
        assert differing(found, original) <= 8  # the sample holds a few photographs twice


def test_most_copies_that_lost_a_hundredth_at_each_side_are_found(
    photographs: list[bytes], listed_photographs: list[BenchmarkImage]
) -> None:
    benchmarks = Benchmarks(listed_photographs, USUAL_DISTANCE)
    copies = [saved(cropped(Image.open(io.BytesIO(content)), 0.01)) for content in photographs]
    found = [copy for copy in copies if benchmarks.match_phash(look(copy))]
    assert len(found) >= 0.9 * len(copies)


def test_no_two_different_photographs_look_the_same(listed_photographs: list[BenchmarkImage]) -> None:
    looks = [picture.phash for picture in listed_photographs if picture.phash]
    distances = [differing(one, other) for one, other in itertools.combinations(looks, 2)]
    near = [distance for distance in distances if distance <= 2 * USUAL_DISTANCE]
    assert len(near) < 5  # the sample holds a few photographs twice
    assert all(distance <= 8 for distance in near)


@pytest.mark.parametrize("colour", ["white", "black", "#808080"])
def test_plain_pictures_do_not_look_like_one_another(colour: str) -> None:
    plain = [saved(Image.new("RGB", size, colour), quality=85) for size in ((300, 200), (640, 480))]
    benchmarks = Benchmarks([listed(plain[0])], USUAL_DISTANCE)
    assert look(plain[0]).quality < LEAST_QUALITY
    assert benchmarks.match_phash(look(plain[1])) is None
    assert benchmarks.match_bytes(hashlib.sha256(plain[0]).hexdigest()) == Match("rare", "a.jpg")


def test_a_plain_picture_with_a_little_in_it_looks_like_no_other() -> None:
    image = Image.new("RGB", (300, 200), "white")
    image.paste("#f0f0f0", (100, 50, 200, 150))
    benchmarks = Benchmarks([listed(saved(image))], USUAL_DISTANCE)
    assert benchmarks.match_phash(look(saved(image, quality=50))) is None


def test_the_bits_are_those_of_whole_numbers_which_every_machine_computes_alike(draw: Draw) -> None:
    image = Image.open(io.BytesIO(draw((224, 224))))
    reduced = image.convert("L").resize((64, 64), Image.Resampling.BILINEAR)
    brightness = [[int(reduced.getpixel((across, down))) for across in range(64)] for down in range(64)]
    waves = [
        [round(2**16 * math.cos(math.pi / 128 * order * (2 * place + 1))) for place in range(64)]
        for order in range(1, 17)
    ]
    by_row = [[sum(map(int.__mul__, wave, row)) for wave in waves] for row in brightness]
    amplitudes = [
        sum(wave[down] * by_row[down][across] for down in range(64)) for wave in waves for across in range(16)
    ]
    median = sorted(amplitudes)[127]
    bits = "".join(str(int(amplitude > median)) for amplitude in amplitudes)

    assert perceptual_hash(image).bits == int(bits, 2).to_bytes(32, "big")
    assert bits.count("1") == 128


@pytest.mark.parametrize("size", [(1, 1), (3, 500), (64, 64), (1000, 20)])
def test_a_picture_of_any_size_has_a_hash(size: tuple[int, int], draw: Draw) -> None:
    made = perceptual_hash(Image.open(io.BytesIO(draw(size))))
    assert len(made.bits) == 32
    assert 0 <= made.quality <= 100


def test_a_hash_is_taken_only_if_asked_for_and_changes_no_byte(draw: Draw) -> None:
    jpeg, picture = encode(draw(), ImageSpec())
    same, hashed = encode(draw(), HASHED)
    assert jpeg == same
    assert picture.phash is None
    assert hashed.phash is not None


@pytest.mark.parametrize(
    ("flipped", "distance", "found"),
    [
        pytest.param(0, 0, True, id="the same bits"),
        pytest.param(1, 0, False, id="one bit more than none"),
        pytest.param(31, 31, True, id="as many as may differ"),
        pytest.param(32, 31, False, id="one more than may differ"),
        pytest.param(0, -1, False, id="bytes only"),
    ],
)
def test_distance_is_the_most_bits_that_may_differ(flipped: int, distance: int, found: bool) -> None:
    bits = np.zeros(256, np.uint8)
    one = PerceptualHash(np.packbits(bits).tobytes(), 100)
    bits[:flipped] = 1
    other = PerceptualHash(np.packbits(bits).tobytes(), 100)
    match = Benchmarks([BenchmarkImage("rare", "a.jpg", "", one)], distance).match_phash(other)
    assert match == (Match("rare", "a.jpg", flipped) if found else None)


def test_the_usual_limits_are_those_that_the_authors_of_pdq_recommend() -> None:
    assert (USUAL_DISTANCE, LEAST_QUALITY) == (31, 50)


@pytest.mark.parametrize(
    ("listed_quality", "quality", "found"),
    [
        pytest.param(50, 50, True, id="both have just enough to see"),
        pytest.param(49, 50, False, id="the listed one is too plain"),
        pytest.param(50, 49, False, id="the image is too plain"),
    ],
)
def test_pictures_are_compared_from_a_quality_of_50(listed_quality: int, quality: int, found: bool) -> None:
    picture = BenchmarkImage("rare", "a.jpg", "", PerceptualHash(bytes(32), listed_quality))
    match = Benchmarks([picture], USUAL_DISTANCE).match_phash(PerceptualHash(bytes(32), quality))
    assert match == (Match("rare", "a.jpg", 0) if found else None)


@pytest.mark.parametrize(
    ("columns", "quality"),
    [
        pytest.param([0] * 64, 0, id="plain"),
        pytest.param(range(64), 0, id="a shade that changes by less than a hundredth at a time"),
        pytest.param([0] * 32 + [255] * 32, 64 * 100 // 90, id="one step from black to white in each row"),
        pytest.param([0] * 32 + [127] * 32, 64 * 49 // 90, id="one step half as high"),
        pytest.param([0, 255] * 32, 100, id="stripes have all that is asked for"),
    ],
)
def test_quality_adds_up_the_steps_between_neighbours(columns: Iterable[int], quality: int) -> None:
    pixels = np.tile(np.array(list(columns), np.uint8), (64, 1))
    assert perceptual_hash(Image.fromarray(pixels)).quality == quality
    assert perceptual_hash(Image.fromarray(np.ascontiguousarray(pixels.T))).quality == quality


def test_of_several_the_nearest_counts_and_of_equally_near_ones_the_first() -> None:
    def named(name: str, first: int) -> BenchmarkImage:
        return BenchmarkImage("rare", name, "0" * 64, PerceptualHash(bytes([first, *[0] * 31]), 100))

    benchmarks = Benchmarks([named("far", 0b111), named("near", 0b10), named("as near", 0b1)], 31)
    assert benchmarks.match_phash(PerceptualHash(bytes(32), 100)) == Match("rare", "near", 1)
    assert benchmarks.match_bytes("0" * 64) == Match("rare", "far")


def test_no_pictures_match_nothing() -> None:
    benchmarks = Benchmarks([BenchmarkImage("rare", "broken.jpg", "", None, "no picture")], 31)
    assert benchmarks.match_phash(PerceptualHash(bytes(32), 100)) is None
    assert benchmarks.match_bytes("") is None


def test_a_match_says_list_file_and_how() -> None:
    assert Match("rare", "rare/a.jpg").reason == "on the list rare: exact duplicate of rare/a.jpg"
    assert Match("rare", "rare/a.jpg", 12).reason == (
        "on the list rare: near-duplicate of rare/a.jpg, 12 of 256 bits differ"
    )

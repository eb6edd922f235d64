from __future__ import annotations

import io
import logging
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from missing_module import image_and_version
from optional import unavailable
from PIL import Image, features

from tol_luigi.core import resampling
from tol_luigi.core.images import ImageSpec, encode
from tol_luigi.core.pillow_limits import pillow_limits
from tol_luigi.core.resampling import PILLOW, kernel_name, kernels, resize

ROOT = Path(__file__).resolve().parents[2]
HEADER = Path(sysconfig.get_path("include"), "Python.h")
Box = tuple[float, float, float, float]

needs_kernel = pytest.mark.skipif(not kernels(), reason="the package was installed without a C compiler")


def noise(size: tuple[int, int], mode: str = "RGB", seed: int = 1) -> Image.Image:
    shape = (size[1], size[0], 3) if mode == "RGB" else (size[1], size[0])
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, shape, np.uint8))


def extremes(size: tuple[int, int], mode: str) -> Image.Image:
    """Return an image of black and white pixels, whose sums are the largest and the smallest."""
    return noise(size, mode).point(lambda level: 255 * (level > 127))


def differing(image: Image.Image, size: tuple[int, int], box: Box) -> list[str]:
    """Return the kernels whose bytes are not those of Pillow."""
    expected = image.resize(size, Image.Resampling.BICUBIC, box).tobytes()
    return [name for name in kernels() if resize(image, size, box, name).tobytes() != expected]


def test_the_kernel_is_built_where_it_can_be() -> None:
    can_be = os.environ.get("CI") and shutil.which("cc") and HEADER.exists()

    assert kernels()[:1] == ["plain"] or not can_be


@needs_kernel
def test_the_fastest_kernel_is_used() -> None:
    assert kernel_name() == (PILLOW, *kernels()[1:])[-1]
    assert [kernel_name(name) for name in kernels()] == kernels()
    assert (kernel_name("pillow"), kernel_name("of another machine")) == (PILLOW, PILLOW)


@needs_kernel
@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize(
    ("size", "new_size"),
    [
        ((1, 1), (1, 1)), ((1, 1), (7, 5)), ((640, 480), (224, 224)), ((224, 224), (224, 224)), ((60, 47), (224, 224)),
        ((5000, 1), (224, 224)), ((1, 5000), (224, 224)), ((3, 2000), (1, 1)), ((2000, 3), (1, 1)), ((90, 900), (45, 31)),
        ((300, 301), (300, 17)), ((300, 301), (17, 301)), ((9, 9), (500, 3)),
    ],
)  # fmt: skip
def test_every_kernel_has_the_bytes_of_pillow(
    size: tuple[int, int], new_size: tuple[int, int], mode: str
) -> None:
    image = noise(size, mode)

    assert differing(image, new_size, (0, 0, *size)) == []
    assert differing(extremes(size, mode), new_size, (0, 0, *size)) == []
    assert differing(image, new_size, (size[0] / 9, size[1] / 7, size[0] / 1.3, size[1] / 1.1)) == []


sides = st.integers(1, 90)
fractions = st.floats(0, 1, width=32)


@needs_kernel
@settings(max_examples=120, deadline=None)
@given(
    st.sampled_from(["RGB", "L"]), st.tuples(sides, sides), st.tuples(sides, sides), st.tuples(*[fractions] * 4)
)  # fmt: skip
def test_any_part_of_an_image_has_the_bytes_of_pillow(
    mode: str, size: tuple[int, int], new_size: tuple[int, int], edges: tuple[float, float, float, float]
) -> None:
    left, right = sorted(edge * size[0] for edge in edges[:2])
    top, bottom = sorted(edge * size[1] for edge in edges[2:])

    assert differing(noise(size, mode), new_size, (left, top, right, bottom)) == []
    assert differing(noise(size, mode), new_size, (0, 0, *size)) == []


@needs_kernel
def test_a_large_image_is_resized_where_it_is_stored() -> None:
    with pillow_limits(max_pixels=1 << 30, lenient=False):
        image = noise((2200, 2100)).copy()
    array = image.__arrow_c_array__()[1]

    assert resampling._resampling.resize(array, 4, image.size, (8, 8), (0, 0, *image.size), "plain")
    assert image.resize((8, 8)).tobytes() == resize(image, (8, 8), (0, 0, *image.size)).tobytes()


def test_an_image_in_several_blocks_is_left_to_pillow() -> None:
    image = Image.new("RGB", (2200, 2100), "red")

    assert resize(image, (8, 8), (0, 0, 2200, 2100)).tobytes() == image.resize((8, 8)).tobytes()


@pytest.mark.parametrize("mode", ["RGBA", "CMYK", "I;16", "F", "LA"])
def test_other_modes_are_left_to_pillow(mode: str) -> None:
    image = Image.new(mode, (40, 30), 1)

    assert resize(image, (8, 9), (0, 0, 40, 30)) == image.resize((8, 9))


def test_metadata_is_kept_as_pillow_keeps_it() -> None:
    image = noise((40, 30))
    image.info["comment"] = b"of the camera"

    assert resize(image, (8, 9), (0, 0, 40, 30)).info == image.resize((8, 9)).info


@pytest.mark.parametrize("box", [(0, 0, 0, 30), (5, 5, 5, 5), (-1, 0, 3, 3), (0, 0, 41, 30), (9, 0, 3, 30)])
def test_a_wrong_box_is_as_wrong_for_pillow(box: Box) -> None:
    def result(function: Any, *arguments: Any) -> Any:
        try:
            return function(*arguments).tobytes()
        except ValueError as error:
            return str(error)

    image = noise((40, 30))
    assert result(resize, image, (8, 9), box) == result(image.resize, (8, 9), Image.Resampling.BICUBIC, box)


@needs_kernel
@pytest.mark.parametrize(
    "changed",
    [
        {"bands": 3}, {"bands": 1}, {"size": (30, 40)}, {"size": (1 << 40, 1 << 40)}, {"size": (0, 30)}, {"new_size": (0, 1)},
        {"new_size": (1 << 21, 1)}, {"box": (0, 0, float("nan"), 30)}, {"box": (0, 0, 41, 30)}, {"kernel": "of another machine"},
    ],
)  # fmt: skip
def test_the_compiled_module_reads_nothing_that_is_no_pixel(changed: dict[str, Any]) -> None:
    array = noise((40, 20)).__arrow_c_array__()[1]
    given = {"bands": 4, "size": (40, 20), "new_size": (5, 5), "box": (0, 0, 40, 20), "kernel": "plain"}

    assert len(resampling._resampling.resize(array, *given.values())) == 100
    with pytest.raises(ValueError, match=r"array|range|kernel"):
        resampling._resampling.resize(array, *(given | changed).values())


@needs_kernel
def test_a_kernel_with_other_bytes_is_not_used(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    right = resampling._resampling.resize
    monkeypatch.setattr(
        resampling._resampling, "resize", lambda *a: bytes([right(*a)[0] ^ 1]) + right(*a)[1:]
    )
    monkeypatch.setattr(logging.getLogger("luigi-interface"), "propagate", True)
    resampling._is_exact.cache_clear()
    try:
        image = noise((40, 30))
        assert resize(image, (8, 9), (0, 0, 40, 30)) == image.resize((8, 9))
        assert kernel_name() == PILLOW
    finally:
        resampling._is_exact.cache_clear()

    (warning,) = caplog.messages
    assert warning == (
        f"The kernel {kernels()[-1]} resizes images otherwise than Pillow {features.version('pil')}, so Pillow is used,"
        " which takes longer. Please report this."
    )


def test_without_the_compiled_module_images_have_the_same_bytes() -> None:
    file = io.BytesIO()
    noise((300, 200)).save(file, "PNG")
    image, line = image_and_version(file.getvalue(), "tol_luigi.core._resampling")
    expected = encode(file.getvalue(), ImageSpec())[0]

    assert image == expected
    assert line.endswith(", images resized by Pillow\n")
    assert encode(file.getvalue(), ImageSpec(kernel="pillow"))[0] == expected
    assert encode(file.getvalue(), ImageSpec(kernel="plain"))[0] == expected


def test_without_a_compiler_the_installation_succeeds(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "setup.py",
        "-q",
        "build_ext",
        "--build-lib",
        tmp_path,
        "--build-temp",
        tmp_path,
    ]
    subprocess.run(command, cwd=ROOT, env={**os.environ, "CC": "/bin/false"}, capture_output=True, check=True)

    assert list(tmp_path.rglob("*.so")) == []


def test_kernels_agree_and_stay_within_their_buffers(tmp_path: Path) -> None:
    if not (compiler := shutil.which("cc")):
        pytest.skip("no C compiler")
    sources = [path for path in (ROOT / "tol_luigi/native").glob("*.c") if path.name != "module.c"]
    options = [
        "-std=c99",
        "-O1",
        "-ffp-contract=off",
        "-fsanitize=address,undefined",
        "-fno-sanitize-recover=all",
    ]
    program = tmp_path / "compare_kernels"
    own = ROOT / "tests/native/compare_kernels.c"
    folder = f"-I{ROOT / 'tol_luigi/native'}"
    built = subprocess.run(
        [compiler, *options, folder, own, *sources, "-o", program, "-lm"], capture_output=True, check=False
    )
    if built.returncode:
        unavailable("the C compiler has no sanitizers")
    done = subprocess.run([program, "60"], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("60 images, checksum ")

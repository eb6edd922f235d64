"""Pillow's global switches, set by several threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, wait

from PIL import Image, ImageFile

from tol_luigi.core.pillow_limits import pillow_limits


def switches() -> tuple[int | None, bool]:
    return Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES


def within(max_pixels: int, lenient: bool) -> tuple[int | None, bool]:
    with pillow_limits(max_pixels=max_pixels, lenient=lenient):
        return switches()


def test_threads_with_the_same_limits_go_on_together_and_others_wait() -> None:
    before = switches()
    with ThreadPoolExecutor(2) as pool:
        with pillow_limits(max_pixels=100, lenient=False):
            assert pool.submit(within, 100, False).result(10) == (50, False)
            other = pool.submit(within, 8, True)
            assert not wait([other], timeout=0.05).done
            assert switches() == (50, False)
        assert other.result(10) == (4, True)

    assert switches() == before

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

Draw = Callable[..., bytes]


@pytest.fixture(scope="session")
def draw() -> Draw:
    """Draw a picture, the same one each time: ``draw(size, mode, form)`` gives the bytes of a file."""

    def drawn(
        size: tuple[int, int] = (90, 60), mode: str = "RGB", form: str = "PNG", **options: Any
    ) -> bytes:
        across, down = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
        pixels = np.stack([across * 7 % 256, down * 5 % 256, (across + down) * 3 % 256], axis=-1)
        image = Image.fromarray(pixels.astype(np.uint8))
        steps = {"I;16": ("L",), "PA": ("L", "LA"), "LA": ("L",)}.get(mode, ())
        for step in (*steps, mode):
            image = image.convert(step)
        file = io.BytesIO()
        image.save(file, form, **options)
        return file.getvalue()

    return drawn

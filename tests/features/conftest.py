"""The small models of the tests, made once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from toys import write_toys

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(scope="session")
def toys(once: Callable[[str, Callable[[Path], None]], Path]) -> Path:
    """The folder that ``toy_clip.py`` fills."""
    return once("toys", write_toys)


@pytest.fixture(scope="session")
def results(toys: Path) -> dict[str, Any]:
    """What was checked with PyTorch."""
    content: dict[str, Any] = json.loads((toys / "results.json").read_text(encoding="utf-8"))
    return content

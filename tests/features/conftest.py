"""Samples of photographs, extractors that need packages of an extra, and the small models of the tests."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from feature_samples import sample_of
from optional import unavailable
from toys import torch_python, write_toys

from tol_luigi.core.errors import SettingsError
from tol_luigi.features.extractor import Options
from tol_luigi.features.registry import resolve

if TYPE_CHECKING:
    from collections.abc import Callable

    from tol_luigi.features.extractor import Extractor
    from tol_luigi.features.samples import FeatureSample

_PHOTOGRAPHS = {"skimage": "data", "sklearn": "datasets/images"}
"""Packages with photographs, and the folder in each."""


@pytest.fixture(scope="session")
def photograph() -> Callable[[str], FeatureSample]:
    """Photographs of scikit-image and scikit-learn, by name of the file."""

    def found(name: str) -> FeatureSample:
        for package, folder in _PHOTOGRAPHS.items():
            spec = importlib.util.find_spec(package)
            path = Path((spec.submodule_search_locations or [""])[0] if spec else "") / folder / name
            if path.is_file():
                return sample_of(path.read_bytes())
        return unavailable(f"no package has the photograph {name}")

    return found


class Loaded(Protocol):
    """Returns an extractor with what it needs."""

    def __call__(self, name: str, options: Options = ...) -> Extractor: ...


@pytest.fixture(scope="session")
def loaded() -> Loaded:
    """Extractors by name, loaded once for all tests; skipped without the packages, but not in CI."""
    known: dict[tuple[str, frozenset[str]], Extractor] = {}

    def found(name: str, options: Options = Options()) -> Extractor:  # noqa: B008 (it is frozen)
        if (name, options.allowed) not in known:
            (extractor,) = resolve([name], options)
            try:
                extractor.load()
            except SettingsError as error:
                return unavailable(str(error))
            known[name, options.allowed] = extractor
        return known[name, options.allowed]

    return found


@pytest.fixture(scope="session")
def toys(once: Callable[[str, Callable[[Path], None]], Path]) -> Path:
    """The folder that ``toy_clip.py`` fills."""
    torch_python()
    return once("toys", write_toys)


@pytest.fixture(scope="session")
def results(toys: Path) -> dict[str, Any]:
    """What was checked with PyTorch."""
    content: dict[str, Any] = json.loads((toys / "results.json").read_text(encoding="utf-8"))
    return content

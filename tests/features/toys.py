"""What the tests of models share: samples, options with models, and the small models that ``toy_clip.py`` writes."""

from __future__ import annotations

import importlib.util
import io
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from optional import unavailable

from tol_luigi.features.agreement import TextBank
from tol_luigi.features.extractor import Options, unit_rows
from tol_luigi.features.models import Model
from tol_luigi.features.samples import FeatureSample

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from PIL import Image

    from tol_luigi.features.agreement import Lineage
    from tol_luigi.features.extractor import Extractor

SCRIPT = Path(__file__).with_name("toy_clip.py")

OPERATORS = SCRIPT.parents[1] / "dataset" / "torchvision_operators"
"""With this folder on its path, a Python with a torchvision that needs CUDA can import transformers (docs/testing.md)."""


def needs(*modules: str) -> None:
    """Skip a test without some modules; where CI is set, it fails without them."""
    missing = [module for module in modules if importlib.util.find_spec(module) is None]
    if missing:
        unavailable(f"{', '.join(missing)} is missing")


def torch_python() -> str:
    """Return the Python that TOL_TORCH names."""
    return os.environ.get("TOL_TORCH") or unavailable(
        "set TOL_TORCH to a Python with PyTorch (docs/testing.md)"
    )


def write_toys(folder: Path) -> None:
    """Train the small models."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    done = subprocess.run(
        [torch_python(), SCRIPT, folder],
        env={**kept, "HF_HOME": str(folder / "home"), "OMP_NUM_THREADS": "1", "PYTHONPATH": str(OPERATORS)},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    # No progress bars or warnings: they would be among the messages of a build.
    assert done.stderr == ""


def options(**models: Path) -> Options:
    return Options(models={name: Model(name, path) for name, path in models.items()})


def png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def sample(image: Image.Image | None = None, text: str | None = None, row: int = 0) -> FeatureSample:
    members = {} if image is None else {"png": png(image)}
    if text is not None:
        members["txt"] = text.encode()
    return FeatureSample(f"sample-{row}", members, row)


def run(extractor: Extractor, samples: list[FeatureSample], before: Any = None) -> Any:
    return extractor.run([extractor.prepare(one) for one in samples], before or {})


def text_bank(lineages: Sequence[Lineage], vectors: NDArray[Any]) -> TextBank:
    """Return the bank of texts of taxa, in any order; the vectors of several texts of a taxon are averaged.

    Args:
        lineages: The taxon of each text.
        vectors: A vector of length 1 for each text.
    """
    order = sorted(range(len(lineages)), key=lambda row: lineages[row])
    unique = sorted(set(lineages))
    sums = np.zeros((len(unique), vectors.shape[1]), np.float32)
    place = -1
    for row in order:
        if place < 0 or lineages[row] != unique[place]:
            place += 1
        sums[place] += vectors[row]
    return TextBank(unique, unit_rows(sums).astype(np.float16))

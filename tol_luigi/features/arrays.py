"""Arrays in files: small weights, and vectors of reference images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tol_luigi.core.errors import SettingsError
from tol_luigi.core.files import sha256_file
from tol_luigi.features.torch_models import SAFETENSORS, load_tensors

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["KNOWN_FILES", "check_known", "read_arrays"]

_NSFW = "3c97d5478477c181bfa29a33e6933f710c8ec587e3c3551ff855e293acdaf390"
_REFERENCES = "18aeb08e1d53638761e05ac95254a2ef49653bfdb59a631c9304117ceef23d14"

KNOWN_FILES = {
    "nsfw_torch.pt": _NSFW,
    "nsfw-image.pt": _NSFW,
    "eval_dedup_embeddings.pt": _REFERENCES,
    "dedup-embeddings.pt": _REFERENCES,
}
"""The SHA-256 of files by name. Source: the release v0.1.0-alpha of dataset2metadata, and its cache."""


def check_known(file: Path) -> None:
    """Check the SHA-256 of a file if its name is a known one.

    Raises:
        SettingsError: It differs.
    """
    expected = KNOWN_FILES.get(file.name)
    if expected is None:
        return
    found = sha256_file(file)
    if found != expected:
        what = f"its SHA-256 is {found[:12]}…, but that of the published file is {expected[:12]}…"
        raise SettingsError(file, what, "Download it again, or give another file another name")


def read_arrays(file: Path, extractor: str) -> dict[str, NDArray[Any]]:
    """Return the arrays of a file by name, in its order; a single array has the name ``""``.

    Args:
        file: A file of NumPy (``npz``, ``npy``), ``safetensors``, or a file of PyTorch with tensors only.
        extractor: The name of the extractor that needs it.

    Raises:
        SettingsError: It cannot be read, or is not the published one.
    """
    try:
        check_known(file)
        if file.suffix == ".npz":
            with np.load(file, allow_pickle=False) as content:
                return dict(content)
        if file.suffix == ".npy":
            return {"": np.load(file, mmap_mode="r", allow_pickle=False)}
        if file.suffix == ".safetensors":
            return dict(SAFETENSORS.module("safetensors.numpy", extractor).load_file(file))
        found = load_tensors(file, extractor)
        named = found if isinstance(found, dict) else {"": found}
        return {str(key): value.float().numpy() for key, value in named.items()}
    except SettingsError:
        raise
    except Exception as error:  # NumPy, zip, pickle and PyTorch raise classes of their own
        reason = " ".join(str(error).split())[:200]
        raise SettingsError(file, f"its arrays cannot be read ({reason})", "Copy it again") from error

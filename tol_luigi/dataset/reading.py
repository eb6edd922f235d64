"""Convert errors about damaged or missing files of a dataset."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import peewee
import pyarrow as pa

from tol_luigi.core.errors import DamagedError, TolError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["REPAIR", "damaged", "reading"]

REPAIR = "Copy it again from an intact copy, or run VerifyDataset --repair where the dataset was built"


def damaged(path: Path, error: Exception) -> DamagedError:
    """Return the error for a file that could not be read."""
    if isinstance(error, FileNotFoundError):
        return DamagedError(path, "it is missing", REPAIR)
    return DamagedError(
        path, f"it cannot be read ({' '.join(str(error).split()) or type(error).__name__})", REPAIR
    )


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Convert errors in the block to an error that names the file.

    Raises:
        DamagedError: The file is missing or damaged.
    """
    try:
        yield
    except TolError:
        raise
    except (OSError, ValueError, LookupError, TypeError, pa.ArrowException, peewee.PeeweeException) as error:
        raise damaged(path, error) from error

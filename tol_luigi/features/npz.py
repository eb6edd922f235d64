"""Write npz files row by row; equal arrays give equal bytes."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["Rows", "write_npz"]


class Rows(NamedTuple):
    """An array whose rows are made one piece after another.

    Attributes:
        name: The name of the array.
        shape: Its shape.
        pieces: The pieces, in order.
    """

    name: str
    shape: tuple[int, int]
    pieces: Iterable[NDArray[Any]]


def write_npz(path: Path, arrays: Iterable[Rows], dtype: str, *, deflate: bool) -> None:
    """Write arrays into an npz file.

    Args:
        path: The file.
        arrays: The arrays.
        dtype: The type that all get, such as ``<f4``.
        deflate: Whether to compress them.
    """
    method = zipfile.ZIP_DEFLATED if deflate else zipfile.ZIP_STORED
    with zipfile.ZipFile(path, "w", method) as archive:
        for array in arrays:
            # A ZipInfo has the same time always.
            member = zipfile.ZipInfo(f"{array.name}.npy")
            member.compress_type = method
            with archive.open(member, "w", force_zip64=True) as file:
                header = {"descr": dtype, "fortran_order": False, "shape": array.shape}
                np.lib.format.write_array_header_1_0(file, header)
                for piece in array.pieces:
                    file.write(np.ascontiguousarray(piece, dtype).tobytes())

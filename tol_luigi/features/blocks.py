"""Calls of models for blocks of rows of one size, so that no result depends on how a shard is cut into batches.

Libraries choose the order in which they sum by the size of a batch and by the number of threads; the results differ in
their last bits. A row's results do not depend on the other rows, or on its place, while the size is the same.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from tol_luigi.features.extractor import Options

__all__ = ["CPU_BLOCK", "GPU_BLOCK", "Blocks"]

T = TypeVar("T")

CPU_BLOCK = 8
"""The number of rows in each call of a model on a CPU; more are no faster (ViT-B/32 with PyTorch)."""

GPU_BLOCK = 32
"""The number of rows in each call of a model on a GPU."""


class Blocks:
    """Calls models for blocks of rows; the last block is filled up with zeros.

    A block that does not fit into the memory is halved, for this call and all later ones. This is the only case in
    which results depend on the machine's memory: without it there would be none.

    Args:
        size: The number of rows of a block.
        threads: How many blocks are computed at the same time.
    """

    def __init__(self, size: int, threads: int = 1) -> None:
        self.size, self._threads = size, threads

    @classmethod
    def of(cls, options: Options, cpu: int = CPU_BLOCK, gpu: int = GPU_BLOCK) -> Blocks:
        """Return blocks for a model that uses one thread of a CPU, or a GPU.

        Args:
            options: The device and the number of threads.
            cpu: The number of rows on a CPU.
            gpu: The number of rows on a GPU.
        """
        return cls(cpu, options.threads) if options.device == "cpu" else cls(gpu)

    def __call__(self, model: Callable[[NDArray[Any]], Sequence[T]], rows: NDArray[Any]) -> list[T]:
        """Return what a model returns for each row.

        Args:
            model: Returns one element for each row of a block; several threads may call it.
            rows: The rows.
        """
        while True:
            try:
                return self._outputs(model, rows)
            except Exception as error:
                if self.size == 1 or not _lacks_memory(error):
                    raise
            self.size //= 2

    def _outputs(self, model: Callable[[NDArray[Any]], Sequence[T]], rows: NDArray[Any]) -> list[T]:
        size = self.size

        def computed(start: int) -> Sequence[T]:
            part = rows[start : start + size]
            block = np.zeros((size, *rows.shape[1:]), rows.dtype)
            block[: len(part)] = part
            return model(block)[: len(part)]

        starts = range(0, len(rows), size)
        threads = min(self._threads, len(starts))
        if threads <= 1:
            return [one for start in starts for one in computed(start)]
        with ThreadPoolExecutor(threads) as pool:
            return [one for found in pool.map(computed, starts) for one in found]


def _lacks_memory(error: Exception) -> bool:
    """Return whether memory is what a call of a library lacks: most of their errors have no class of their own."""
    text = str(error).lower()
    return isinstance(error, MemoryError) or "memory" in text or "bad_alloc" in text

"""The interface of an extractor."""

from __future__ import annotations

import abc
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np

from tol_luigi.core.digests import json_digest

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from tol_luigi.features.models import Model
    from tol_luigi.features.samples import FeatureSample

__all__ = [
    "Columns",
    "Extractor",
    "Family",
    "Options",
    "Vector",
    "fingerprints",
    "needed_extractors",
    "unit_rows",
]

Columns = Mapping[str, Sequence[Any] | np.ndarray[Any, Any]]
"""Values by name of a column or vector; one element, or one row, for each sample of a batch."""


class Vector(NamedTuple):
    """A vector that an extractor computes for each sample; stored as float16.

    Attributes:
        name: Its name, which is also part of the name of its file.
        dimensions: Its length.
    """

    name: str
    dimensions: int


@dataclass(frozen=True)
class Options:
    """What extractors are made with.

    Attributes:
        models: The models that the user has, by name.
        device: ``cpu``, or ``cuda:`` and the number of a GPU.
        threads: How many threads a model may use.
        text: The extension of the text of a sample.
        allowed: Words and phrases, in lower case, that are no profanity: common names of taxa.
    """

    models: Mapping[str, Model] = field(default_factory=dict)
    device: str = "cpu"
    threads: int = 1
    text: str = "txt"
    allowed: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Family:
    """Columns and vectors that are stored together, such as the results of an extractor.

    Attributes:
        name: The name.
        columns: The columns of the table; all may be null.
        vectors: The vectors.
    """

    name: str
    columns: tuple[pa.Field, ...] = ()
    vectors: tuple[Vector, ...] = ()

    @property
    def folder(self) -> str:
        """The name of the folder of its files."""
        return folder_of(self.name)


def folder_of(name: str) -> str:
    """Return the name of the folder of a family."""
    return name.replace(":", "-")


class Extractor(abc.ABC):
    """Computes columns and vectors from samples.

    A subclass defines what it computes, and two functions: :meth:`prepare`, which several threads call for single
    samples, and :meth:`run`, which is called for batches in the order of the shard. What :meth:`run` computes for a
    sample must not depend on the other samples of its batch.

    Attributes:
        name: The name in the settings; for an extractor with a model, ``<kind>:<model>``.
        version: To be raised with every change of what is computed.
        depends: The names of extractors whose results :meth:`run` gets.
        columns: The columns of the table; all may be null.
        vectors: The vectors.
        reads_text: Whether it reads the text of a sample.
        batch_size: The number of samples in a batch; 0 takes the settings' number.
    """

    name: str
    version: ClassVar[int] = 1
    depends: tuple[str, ...] = ()
    columns: tuple[pa.Field, ...] = ()
    vectors: tuple[Vector, ...] = ()
    reads_text: bool = False
    batch_size: int = 0

    def __init__(self, name: str, options: Options) -> None:
        self.name, self.options = name, options
        self._is_loaded = False

    def identity(self) -> dict[str, Any]:
        """Return what determines the results, apart from name, version and columns, as JSON.

        This is for example the SHA-256 of weights, and versions of libraries whose results may differ.

        Raises:
            SettingsError: A model or a package is missing.
        """
        return {}

    def load(self) -> None:  # noqa: B027 (most extractors have no weights)
        """Load weights; called once, before the first sample."""

    def load_once(self) -> None:
        """Load weights unless they are loaded: an extractor may run over many shards."""
        if not self._is_loaded:
            self.load()
            self._is_loaded = True

    @abc.abstractmethod
    def prepare(self, sample: FeatureSample) -> Any:  # noqa: ANN401 (what run expects)
        """Return what :meth:`run` needs of a sample, such as an array of pixels.

        Raises:
            SampleError: The sample cannot be used.
        """

    @abc.abstractmethod
    def run(self, batch: list[Any], before: Mapping[str, Columns]) -> Columns:
        """Return the columns and vectors of a batch.

        Args:
            batch: What :meth:`prepare` has returned for each sample.
            before: By name of an extractor in ``depends``, its results for the same samples, with vectors in
                the precision in which they were computed.
        """

    @property
    def folder(self) -> str:
        """The name of the folder of its files."""
        return folder_of(self.name)


def _fingerprint(extractor: Extractor, before: Mapping[str, str]) -> str:
    """Return the SHA-256 of everything that determines the results of an extractor.

    Args:
        extractor: The extractor.
        before: The fingerprints of the extractors that it depends on, by name.
    """
    content = {
        "name": extractor.name,
        "version": extractor.version,
        "identity": extractor.identity(),
        "columns": [[column.name, str(column.type)] for column in extractor.columns],
        "vectors": [list(vector) for vector in extractor.vectors],
        "text": extractor.options.text if extractor.reads_text else "",
        "depends": {name: before[name] for name in extractor.depends},
    }
    return json_digest(content)


def fingerprints(extractors: Iterable[Extractor]) -> dict[str, str]:
    """Return the fingerprint of each extractor by name; each must come after those that it depends on."""
    found: dict[str, str] = {}
    for extractor in extractors:
        found[extractor.name] = _fingerprint(extractor, found)
    return found


def needed_extractors(extractors: Sequence[Extractor], wanted: Iterable[str]) -> list[Extractor]:
    """Return the extractors of some names and those that they depend on, in order.

    Args:
        extractors: All extractors, each after those that it depends on.
        wanted: The names.
    """
    names = set(wanted)
    for extractor in reversed(extractors):
        if extractor.name in names:
            names.update(extractor.depends)
    return [extractor for extractor in extractors if extractor.name in names]


def unit_rows(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return rows of length 1; a row of zeros stays as it is."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(lengths == 0, 1, lengths)).astype(np.float32)

"""Read a finished dataset from its own files only. It may be a copy and may be read-only."""

from __future__ import annotations

import functools
import itertools
import operator
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self

from tol_luigi.core.build_inputs import BuildInputs, read_places
from tol_luigi.core.errors import DatasetError, UnknownImageError
from tol_luigi.core.files import read_json
from tol_luigi.core.layout import Layout
from tol_luigi.core.ledger import State
from tol_luigi.core.sample_texts import SampleForm
from tol_luigi.core.splits import SPLITS
from tol_luigi.dataset.catalog import Catalog
from tol_luigi.dataset.explain import Explainer, is_image_id
from tol_luigi.dataset.licenses import LicenseReader
from tol_luigi.dataset.reading import reading
from tol_luigi.dataset.sample import Sample
from tol_luigi.dataset.shard_samples import PartitionOffsets, open_shard, read_sample, shard_records
from tol_luigi.store.image_trace import find_work_unit
from tol_luigi.store.row_groups import rows_with

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tol_luigi.dataset.catalog import Where
    from tol_luigi.dataset.licenses import ImageLicense
    from tol_luigi.dataset.pipeline import ShardPipeline
    from tol_luigi.report.image_trace import ImageTrace

__all__ = ["Dataset"]

_EACH_ONCE = ("train", "val")
"""The splits that together contain each image once."""

_ROWS = 512
"""Rows of the catalog converted to Python objects at a time."""

_REMEDY = "Use the folder of a dataset, <root>/<tag>"


class Dataset:
    """A finished dataset.

    Create it with :meth:`open`. It keeps no file open and can be pickled, so many threads and processes may
    use it, such as the workers of PyTorch's ``DataLoader``.

    >>> dataset = Dataset.open("build/dev")
    >>> dataset.splits
    {'train': 107, 'val': 5, 'train_small': 10}
    >>> sample = dataset["08331850-9629-590e-976b-1adcc882bcd0"]
    >>> sample.scientific_name, sample.common_name, sample.image.size
    ('Lepus europaeus', 'european hare', (224, 224))

    Attributes:
        path: The folder of the dataset.
        settings: The settings that determine its content, by section and key (``images.width``); read-only.
        catalog: The catalog, with one row per sample.
    """

    def __init__(self, path: Path, settings: Mapping[str, Any]) -> None:
        self.path = path
        self.settings: Mapping[str, Any] = MappingProxyType(dict(settings))
        self._layout = Layout.of_record(path, settings)
        self.catalog = Catalog(self._layout.catalog)
        self._members = SampleForm.of_record(settings).members
        self._licenses = LicenseReader(self._layout.licenses)

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Open a dataset.

        Args:
            path: The folder of the dataset, ``<root>/<tag>``.

        Raises:
            DatasetError: The folder contains no dataset, or an unfinished one.
            DamagedError: The settings of the dataset cannot be read.
        """
        folder = Path(path).absolute()
        record = folder / "dataset.json"
        if not record.is_file():
            raise DatasetError(folder, "is not a dataset (dataset.json is missing)", _REMEDY)
        with reading(record):
            dataset = cls(folder, read_json(record))
        for file in (dataset._layout.manifest, dataset._layout.catalog):
            if not file.is_file():
                what = f"the dataset is not finished ({file.relative_to(folder)} is missing)"
                raise DatasetError(folder, what, "Run BuildCatalog to complete it")
        return dataset

    def __repr__(self) -> str:
        """Return an expression with the folder."""
        return f"Dataset.open({str(self.path)!r})"

    def __reduce__(self) -> tuple[Callable[[Path], Dataset], tuple[Path]]:
        """Pickle only the path; unpickling opens the dataset again."""
        return type(self).open, (self.path,)

    @functools.cached_property
    def splits(self) -> dict[str, int]:
        """The number of samples per split. The samples of ``train_small`` repeat samples of ``train``."""
        counts = self.catalog.counts
        return {split: counts.get(split, 0) for split in SPLITS}

    def __len__(self) -> int:
        """Count the images, each once."""
        return self.splits["train"] + self.splits["val"]

    def __iter__(self) -> Iterator[str]:
        """Yield the id of each image once, in the order of the catalog."""
        for split in _EACH_ONCE:
            for batch in self.catalog.batches(["treeoflife_id"], split=split):
                yield from batch["treeoflife_id"].to_pylist()

    def __contains__(self, image: object) -> bool:
        """Return whether an image has a sample."""
        return isinstance(image, str) and self._find(image) is not None

    def __getitem__(self, image: str) -> Sample:
        """Return the sample of an image.

        Args:
            image: The image id.

        Raises:
            UnknownImageError: The image has no sample. The message contains the reason.
            ShardError: The shard is missing or damaged.
            DamagedError: Another required file is missing or damaged.
        """
        found = self._find(image)
        if found is None:
            raise self._unknown(image)
        (split, source, partition), written = found
        key = image.lower()
        with open_shard(self._layout.shard(split, written["shard"])) as shard:
            members = read_sample(shard, written["offset"], written["bytes"], key, self._members)
        return Sample(key, split, source, partition, members, self)

    def _find(self, image: str) -> tuple[tuple[str, str, str], dict[str, Any]] | None:
        """Return the (split, source, partition) and ledger row of an image, or None if it has no sample."""
        if not is_image_id(image):
            return None
        with reading(self._layout.mapping):
            work_unit = find_work_unit(self._layout.mapping, image.lower())
        if work_unit is None:
            return None
        ledger = self._layout.ledger(*work_unit)
        with reading(ledger):
            wanted = {"id": [image.lower()], "state": [State.WRITTEN.value]}
            rows = rows_with(ledger, wanted, ["shard", "offset", "bytes"]).to_pylist()
        return (work_unit, rows[0]) if rows else None

    def _unknown(self, image: str) -> UnknownImageError:
        where, traces = f"{self.path}: {image}", self._explain(image) if is_image_id(image) else []
        if not traces:
            remedy = "Use an image id of the catalog; explain() also accepts file names and natural keys"
            return UnknownImageError(where, "no image has this id", remedy)
        why = ", ".join(filter(None, [traces[0].state, traces[0].reason]))
        remedy = "See docs/files.md for the states of images"
        return UnknownImageError(where, f"the image has no sample: {why}", remedy)

    def samples(self, split: str | None = None, where: Where | None = None) -> Iterator[Sample]:
        """Yield samples in the order of the shards.

        Args:
            split: ``train``, ``val`` or ``train_small``; by default ``train`` and ``val``.
            where: A condition on the columns of the catalog, in DuckDB SQL or as a ``pyarrow.compute``
                expression; by default none.

        Raises:
            DatasetError: The split or the condition is invalid, or DuckDB is needed but not installed.
            ShardError: A shard is missing or damaged.

        >>> birds = dataset.samples("train", where="class = 'Aves'")
        >>> next(birds).taxon["class"]
        'Aves'
        """
        splits = _EACH_ONCE if split is None else (_checked(split),)
        rows = (row for each in splits for row in self._rows(each, where))
        return self._read(rows)

    def _rows(self, split: str, where: Where | None) -> Iterator[dict[str, Any]]:
        for batch in self.catalog.batches(where=where, split=split):
            for start in range(0, batch.num_rows, _ROWS):
                yield from batch.slice(start, _ROWS).to_pylist()

    def _read(self, rows: Iterator[dict[str, Any]]) -> Iterator[Sample]:
        """Read the samples of catalog rows. In catalog order, each ledger and shard is opened only once."""
        by_share = itertools.groupby(rows, operator.itemgetter("split", "source", "partition"))
        for (split, source, partition), in_share in by_share:
            ledger = self._layout.ledger(split, source, partition)
            offsets = PartitionOffsets(ledger)
            for number, in_shard in itertools.groupby(in_share, operator.itemgetter("shard")):
                with open_shard(self._layout.shard(split, number)) as shard:
                    for row in in_shard:
                        with reading(ledger):
                            place = offsets.at(number, row["position"])
                        image = row["treeoflife_id"]
                        members = read_sample(shard, *place, image, self._members)
                        yield Sample(image, split, source, partition, members, self, row)

    @property
    def selections(self) -> list[str]:
        """The names of the selections (``docs/select.md``)."""
        return self._layout.selections()

    def shards(self, split: str) -> list[Path]:
        """Return the paths of the shards of a split or selection, in order.

        >>> [path.name for path in dataset.shards("val")]
        ['shard-000000.tar', 'shard-000001.tar', 'shard-000002.tar']
        """
        return [Path(path) for path in self._shard_samples(split)]

    def _shard_samples(self, split: str) -> dict[str, int]:
        """Return the number of samples per shard of a split or selection, by path, in order."""
        receipts = self._layout.receipts(split if split in self.selections else _checked(split))
        folder = self._layout.shards / split
        found = {str(folder / shard.name): shard.samples for shard in shard_records(receipts)}
        return dict(sorted(found.items()))

    def webdataset(
        self,
        split: str,
        *,
        shuffle: int = 0,
        decode: str | None = "pil",
        handler: Callable[[Exception], bool] | None = None,
    ) -> ShardPipeline:
        """Return a webdataset pipeline over the shards of a split, for a ``DataLoader`` or for further steps.

        Each shard is read by one worker of one node.

        Args:
            split: ``train``, ``val``, ``train_small``, or the name of a selection.
            shuffle: The size of the shuffle buffer, in samples; the shards are shuffled as well. 0 keeps the
                order.
            decode: The image format for webdataset, such as ``pil``, ``rgb8`` or ``torchrgb``, or None to
                keep all members as bytes.
            handler: The handler of errors in shards and images, such as ``webdataset.warn_and_continue``; by
                default the error is raised.

        Raises:
            DatasetError: The split is unknown or empty.
            ShardError: A shard is missing or damaged; raised during iteration.

        >>> pipeline = dataset.webdataset("train", shuffle=100).to_tuple("jpg", "sci.txt")
        >>> image, caption = next(iter(pipeline))
        >>> image.size, caption.startswith("a photo of ")
        ((224, 224), True)
        """
        from tol_luigi.dataset.pipeline import shard_pipeline  # noqa: PLC0415 (webdataset imports PyTorch)

        samples = self._shard_samples(split)
        if not samples:
            raise DatasetError(self.path, f"split {split} has no samples", "Choose another split")
        return shard_pipeline(samples, shuffle=shuffle, decode=decode, handler=handler)

    def explain(self, image: str, source: str | None = None) -> list[ImageTrace]:
        """Return the trace of an image through the build, as from ``tol why``. Print a trace to read it.

        Args:
            image: An image id, the path or name of a file, or a natural key, such as ``12784812/51655800``.
            source: The source to search, which takes less time if the dataset is large; by default all.

        Returns:
            One trace per matching image.

        Raises:
            UnknownImageError: No image matches.

        >>> print(dataset.explain("98000034/97000102")[0])  # doctest: +ELLIPSIS
        f2add56b-dc75-5657-afb9-91389458c142
          state       written
        ...
        """
        traces = self._explain(image, source)
        if not traces:
            what = "the image is unknown (found neither in the mapping nor in the ledgers)"
            remedy = "Use an image id, a file name, or a natural key"
            raise UnknownImageError(f"{self.path}: {image}", what, remedy)
        return traces

    def _explain(self, image: str, source: str | None = None) -> list[ImageTrace]:
        sources = self.settings["sources"] if source is None else [source]
        inputs = BuildInputs(sources, self.settings["dataset.seed"], self._places())
        with reading(self.path):
            return Explainer(self._layout, inputs).explain(image)

    def _places(self) -> dict[str, str]:
        """Return the recorded input paths of the dataset; without a record, only which inputs were set."""
        places = read_places(self._layout)
        if places is not None:
            return places
        published = {"[published] mapping": "the published mapping"}
        return published if self.settings["published.mapping"] else {}

    def license_of(self, sample: Sample) -> ImageLicense | None:
        """Return the licence of the image of a sample; see :attr:`.Sample.license`."""
        return self._licenses.of(sample.id, sample.source)

    def shard_of(self, sample: Sample) -> Path:
        """Return the path of the shard that contains a sample."""
        return self._layout.shard(sample.split, sample.row["shard"])


def _checked(split: str) -> str:
    """Return the split if it exists.

    Raises:
        DatasetError: The split is unknown.
    """
    if split not in SPLITS:
        raise DatasetError(f"split {split!r}", "is unknown", f"Use one of {', '.join(SPLITS)}")
    return split

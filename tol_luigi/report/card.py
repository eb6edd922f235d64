"""Write the dataset card: a description in Markdown, with a header that tells readers where the shards are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tol_luigi.core.splits import SPLITS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["Card", "card_text", "configs_header"]

_FIELDS = {
    "__key__": "the image id",
    "jpg": "the image, as JPEG",
    "scientific_name.txt": "genus and species",
    "taxonomic_name.txt": "all known ranks, from kingdom to species",
    "common_name.txt": "the English name; if unknown, the scientific or taxonomic name",
    "sci.txt": "`a photo of <scientific name>.`",
    "com.txt": "`a photo of <common name>.`",
    "taxon.txt": "`a photo of <taxonomic name>.`",
    "taxonTag.txt": "the same, with the name of each rank",
    "sci_com.txt": "`sci.txt` with the common name",
    "taxon_com.txt": "`taxon.txt` with the common name",
    "taxonTag_com.txt": "`taxonTag.txt` with the common name",
}
"""What each field of a sample contains: the key, then the members."""

_FILES = {
    "`catalog.parquet`, `catalog.csv`": (
        "one row per sample: id, natural key, ranks, common name; "
        "as Parquet also the source, the shard and metadata of the original image"
    ),
    "`licenses.csv`": "licence and owner of each image whose source publishes them",
    "`records`": "the state of each image that was planned for a shard, and the reason",
}
"""The other files in the folder of the shards."""


@dataclass(frozen=True)
class Card:
    """What a card says about its dataset.

    Attributes:
        digest: What distinguishes the dataset from others, as hexadecimal digits.
        size: Width and height of the images, in pixels.
        counts: The number of samples by (split, source).
        sources: The sources, in the order of the catalog.
        texts: The further members of each sample, such as ``field_note.txt``.
        is_demonstration: Whether the images are the drawn ones of the demonstration.
    """

    digest: str
    size: tuple[int, int]
    counts: Mapping[tuple[str, str], int]
    sources: Sequence[str]
    texts: Sequence[str] = ()
    is_demonstration: bool = False

    @property
    def splits(self) -> list[str]:
        """The splits that have samples."""
        filled = {split for (split, _), count in self.counts.items() if count}
        return [split for split in SPLITS if split in filled]


def card_text(card: Card) -> str:
    """Return the card: the header in YAML, then one section per subject.

    The header names the digest: ``datasets`` caches what it has loaded from a folder by the name of the folder and by
    this header alone, so without it the next dataset, or the next state of this one, would be read from the cache.

    Source: the dataset cards of the Hugging Face Hub, whose ``configs`` name the data files of each split.
    """
    sections = [
        _header(card),
        _about(card),
        _images(card),
        _samples(card),
        _other_files(),
        _LOADING,
        _LICENSES,
    ]
    return "\n\n".join(sections) + "\n"


def _header(card: Card) -> str:
    return configs_header({split: f"{split}/shard-*.tar" for split in card.splits}, card.digest)


def configs_header(patterns: Mapping[str, str], digest: str) -> str:
    """Return the header of a card, which tells ``datasets`` where the files of each split are.

    Args:
        patterns: The files by split.
        digest: What distinguishes the content of the folder from any other, see :func:`card_text`.
    """
    files = [
        line
        for split, pattern in patterns.items()
        for line in (f"  - split: {split}", f"    path: {pattern}")
    ]
    description = f"  description: dataset {digest}"
    return "\n".join(
        ["---", "configs:", "- config_name: default", description, "  data_files:", *files, "---"]
    )


def _about(card: Card) -> str:
    width, height = card.size
    drawn = "\n\nThis is a demonstration: its images are drawn." if card.is_demonstration else ""
    return f"""# Labelled images of organisms

Images of {width} by {height} pixels, each with texts that name the organism. The samples are stored in
[WebDataset](https://github.com/webdataset/webdataset) shards, `<split>/shard-<number>.tar`. They were built with `tol_luigi`.{drawn}"""


def _images(card: Card) -> str:
    rows = []
    for split in card.splits:
        counts = [card.counts.get((split, source), 0) for source in card.sources]
        rows.append([split, *(f"{count:,}" for count in [*counts, sum(counts)])])
    return f"""## Images

{_table(["split", *card.sources, "all"], rows, numbers=True)}

Each image is in `train` or in `val`. `train_small` repeats images of `train`."""


def _samples(card: Card) -> str:
    every = {**_FIELDS, **dict.fromkeys(card.texts, "a further text, from a template in the settings")}
    fields = [(f"`{name}`", text) for name, text in every.items()]
    return f"""## Samples

{_table(["field", "content"], fields)}

Some readers lower-case the names of fields: `taxontag.txt`."""


def _other_files() -> str:
    return f"""## Other files

{_table(["path", "content"], _FILES.items())}"""


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: bool = False) -> str:
    """Return a table in Markdown; with ``numbers``, all columns but the first are right-aligned."""
    rule = ["---", *("---:" if numbers else "---" for _ in head[1:])]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [head, rule, *rows])


_LOADING = """## Load the samples

```python
from datasets import load_dataset

samples = load_dataset("path/to/this/folder", split="train", streaming=True)
```

```python
import glob
import webdataset

shards = sorted(glob.glob("path/to/this/folder/train/shard-*.tar"))
samples = webdataset.WebDataset(shards, shardshuffle=False).decode("pil").to_tuple("jpg", "sci.txt")
```"""

_LICENSES = """## Licences

The images belong to their owners and keep their own licences. `licenses.csv` contains the licence and the owner of each
image whose source publishes them; `not provided` means that it is unknown. For an image that is not listed, no licence
is recorded."""

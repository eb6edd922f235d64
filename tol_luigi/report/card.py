"""Write the dataset card: a description in Markdown, with a header that tells readers where the shards are."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from tol_luigi.core.samples import IMAGE_FORMATS, ImageFormat
from tol_luigi.core.splits import SPLITS
from tol_luigi.report.publication import Publication, markdown_text, shard_pattern

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tol_luigi.core.shards import Shard

__all__ = ["Card", "card_text", "configs_header", "markdown_table", "stated_licenses_text"]

_FIELDS = {
    "__key__": "the image id",
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
"""What each field of a sample contains besides its image."""

_FILES = {
    "`catalog.parquet`, `catalog.csv`": (
        "one row per sample: id, natural key, ranks, common name; "
        "as Parquet also the source, the shard and metadata of the original image"
    ),
    "`licenses.csv`": "licence and owner of each image, as its source publishes them",
    "`attribution`": "the same for each split and each shard, with the names of licences in SPDX",
    "`records`": "the state of each image that was planned for a shard, and the reason",
}
"""The other files in the folder of the shards."""

_ROOT_FILES = {
    "`croissant.json`": "the same files and their columns as [Croissant](https://mlcommons.org/croissant) metadata",
    "`DATASHEET.md`": "questions and answers about the dataset",
    "`CITATION.cff`": "how to cite it",
    "`SHA256SUMS`": "the checksums of all files, for `sha256sum --check --quiet SHA256SUMS`",
}
"""The other files in the folder of the dataset."""

_MOST_KINGDOMS = 20


@dataclass(frozen=True)
class Card:
    """What a card says about its dataset.

    Attributes:
        digest: What distinguishes the dataset from others, as hexadecimal digits.
        size: Width and height of the images, in pixels.
        further_sizes: The further sizes of the same images, as the names of their folders.
        counts: The number of samples by (split, source).
        sources: The sources, in the order of the catalog.
        texts: The further texts of each sample, such as ``field_note.txt``.
        is_json: Whether all texts of a sample are in one JSON member.
        image: The format of the images.
        is_demonstration: Whether the images are the drawn ones of the demonstration.
        shards: The shards by split.
        kingdoms: The number of images by kingdom, the largest first; "" is an unknown one.
        published: What the settings say of the dataset.
        stated_licenses: The licence of all images without one of their own, by source, where the settings state one.
    """

    digest: str
    size: tuple[int, int]
    counts: Mapping[tuple[str, str], int]
    sources: Sequence[str]
    texts: Sequence[str] = ()
    is_json: bool = False
    image: ImageFormat = IMAGE_FORMATS["jpeg"]
    is_demonstration: bool = False
    further_sizes: Sequence[str] = ()
    shards: Mapping[str, Sequence[Shard]] = field(default_factory=dict)
    kingdoms: Mapping[str, int] = field(default_factory=dict)
    published: Publication = field(default_factory=Publication)
    stated_licenses: Mapping[str, str] = field(default_factory=dict)

    @property
    def splits(self) -> list[str]:
        """The splits that have samples."""
        filled = {split for (split, _), count in self.counts.items() if count}
        return [split for split in SPLITS if split in filled]


def card_text(card: Card, folder: str = "") -> str:
    """Return the card: the header in YAML, then one section per subject.

    The header names the digest: ``datasets`` caches what it has loaded from a folder by the name of the folder and by
    this header alone, so without it the next dataset, or the next state of this one, would be read from the cache.

    Args:
        card: What the card says.
        folder: The folder of the shards, relative to that of the card, with ``/`` at its end; "" if it is the same.

    Source: the dataset cards of the Hugging Face Hub, whose ``configs`` name the data files of each split.
    """
    sections = [
        _header(card, folder),
        _about(card, folder),
        _images(card),
        _shards(card, folder),
        _samples(card),
        _other_files(folder),
        _loading(card, folder),
        _licenses(card, folder),
    ]
    return "\n\n".join(filter(None, sections)) + "\n"


def configs_header(patterns: Mapping[str, str], digest: str) -> str:
    """Return the header of a card, which tells ``datasets`` where the files of each split are.

    Args:
        patterns: The files by split.
        digest: What distinguishes the content of the folder from any other, see :func:`card_text`.
    """
    return _yaml_header(_configs(patterns, digest))


def _configs(patterns: Mapping[str, str], digest: str) -> dict[str, Any]:
    files = [{"split": split, "path": pattern} for split, pattern in patterns.items()]
    config = {"config_name": "default", "description": f"dataset {digest}", "data_files": files}
    return {"configs": [config]}


def _yaml_header(content: Mapping[str, Any]) -> str:
    return f"---\n{yaml.safe_dump(dict(content), sort_keys=False, allow_unicode=True, width=10_000)}---"


_HUB_LICENSES = re.compile(r"(cc0-1\.0|cc-by(-nc)?(-sa|-nd)?-[234]\.0|odc-by|odbl|pddl|mit|apache-2\.0)")
"""The licences of data that the Hub knows by the SPDX identifier in lower case."""

_SIZES = (
    ("n<1K", 10**3),
    ("1K<n<10K", 10**4),
    ("10K<n<100K", 10**5),
    ("100K<n<1M", 10**6),
    ("1M<n<10M", 10**7),
)
_LARGEST_SIZE = "10M<n<100M"


def _header(card: Card, folder: str) -> str:
    count = sum(card.counts.values())
    size = next((name for name, end in _SIZES if count < end), _LARGEST_SIZE)
    content = {
        "pretty_name": card.published.heading,
        **_header_license(card.published),
        "task_categories": ["image-classification", "zero-shot-image-classification"],
        "tags": ["biology", "biodiversity", "taxonomy", "webdataset"],
        "size_categories": [size],
        **_configs({split: f"{folder}{split}/shard-*.tar" for split in card.splits}, card.digest),
    }
    return _yaml_header(content)


def _header_license(published: Publication) -> dict[str, Any]:
    known = published.license.lower()
    if _HUB_LICENSES.fullmatch(known):
        return {"license": known}
    named = {"license_name": published.license_id.lower(), "license_link": published.license_url}
    return {"license": "other", **{key: value for key, value in named.items() if value}}


def _about(card: Card, folder: str) -> str:
    width, height = card.size
    published = card.published
    drawn = "\n\nThis is a demonstration: its images are drawn." if card.is_demonstration else ""
    more = [
        f"By {markdown_text('; '.join(published.authors))}." if published.authors else "",
        markdown_text(published.description),
    ]
    given = "".join(f"\n\n{text}" for text in more if text)
    return f"""# {markdown_text(published.heading)}

Images of {width} by {height} pixels, each with texts that name the organism. The samples are stored in
[WebDataset](https://github.com/webdataset/webdataset) shards, `{folder}<split>/shard-<number>.tar`. They were built with `tol_luigi`.{drawn}{given}"""


def _images(card: Card) -> str:
    rows = []
    for split in card.splits:
        counts = [card.counts.get((split, source), 0) for source in card.sources]
        rows.append([split, *(f"{count:,}" for count in [*counts, sum(counts)])])
    return f"""## Images

{markdown_table(["split", *card.sources, "all"], rows, numbers=True)}

Each image is in `train` or in `val`. `train_small` repeats images of `train`.{_kingdoms(card)}"""


def _kingdoms(card: Card) -> str:
    if not card.kingdoms:
        return ""
    rows = [[markdown_text(name) or "unknown", f"{count:,}"] for name, count in card.kingdoms.items()]
    shown = [*rows[:_MOST_KINGDOMS], *([["…", ""]] if len(rows) > _MOST_KINGDOMS else [])]
    return f"\n\n{markdown_table(['kingdom', 'images'], shown, numbers=True)}"


def _shards(card: Card, folder: str) -> str:
    if not card.shards:
        return ""
    rows = [
        [
            f"`{folder}{split}/{shard_pattern(shards)}`",
            str(len(shards)),
            f"{sum(one.samples for one in shards):,}",
        ]
        for split, shards in card.shards.items()
    ]
    return f"""## Shards

{markdown_table(["shards", "number", "samples"], rows, numbers=True)}

Readers such as webdataset and open_clip expand the braces. Next to the shards, `sizes.json` and `__len__` have the
numbers of samples, and `wids.json` is the index of `wids`. `{folder}shards.csv` lists all shards with their SHA-256.{_further_sizes(card, folder)}"""


def _further_sizes(card: Card, folder: str) -> str:
    if not card.further_sizes:
        return ""
    place = "" if folder else "../"
    paths = ", ".join(f"`{place}{size}/<split>/shard-<number>.tar`" for size in card.further_sizes)
    return f"""

The same samples with images of further sizes are in {paths}, in shards with the same names, in the same order.
webdataset and open_clip read them in the same way."""


def _samples(card: Card) -> str:
    image = {card.image.extension: f"the image, as {card.image.name}"}
    key, *members = _FIELDS.items()
    every = {
        **dict([key]),
        **image,
        **dict(members),
        **dict.fromkeys(card.texts, "a further text, from a template in the settings"),
    }
    own = {"__key__", card.image.extension, "txt"} if card.is_json else every.keys()
    fields = [(f"`{name}`", text) for name, text in every.items() if name in own]
    fields += [
        (f'`json["{name.removesuffix(".txt")}"]`', text) for name, text in every.items() if name not in own
    ]
    note = "" if card.is_json else "\n\nSome readers lower-case the names of fields: `taxontag.txt`."
    return f"""## Samples

{markdown_table(["field", "content"], fields)}{note}"""


def _other_files(folder: str) -> str:
    files = [
        (paths.replace("`", f"`{folder}", 1).replace(", `", f", `{folder}"), text)
        for paths, text in _FILES.items()
    ]
    more = _ROOT_FILES.items() if folder else ()
    return f"""## Other files

{markdown_table(["path", "content"], [*files, *more])}"""


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: bool = False) -> str:
    """Return a table in Markdown; with ``numbers``, all columns but the first are right-aligned."""
    rule = ["---", *("---:" if numbers else "---" for _ in head[1:])]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [head, rule, *rows])


def _loading(card: Card, folder: str) -> str:
    text = _LOADING.replace("folder/train", f"folder/{folder}train")
    text = text.replace('"jpg"', f'"{card.image.extension}"')
    return text.replace('"sci.txt"', '"json"') if card.is_json else text


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


def _licenses(card: Card, folder: str) -> str:
    given = markdown_text(card.published.license)
    named = f"\n\nThe texts and tables are published under {given}." if given else ""
    return f"""## Licences

The images belong to their owners and keep their own licences. `{folder}licenses.csv` contains the licence and the owner of each
image. If its source publishes none, the licence is empty, and the owner is `not provided`. `{folder}attribution` contains the same
for each split and each shard.{stated_licenses_text(card)}{named}"""


def stated_licenses_text(card: Card) -> str:
    """Return which licences the settings state for all images of a source, "" if none; it begins with a blank."""
    stated = [
        f"{markdown_text(source)}: {markdown_text(name)}" for source, name in card.stated_licenses.items()
    ]
    if not stated:
        return ""
    return f" Images without a licence of their own have the one that is stated for their source ({'; '.join(stated)})."

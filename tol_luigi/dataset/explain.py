"""What became of an image: the answer of ``tol why`` and of :meth:`.Dataset.explain`."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tol_luigi.core.files import read_json
from tol_luigi.core.ledger import State
from tol_luigi.core.shards import shard_name
from tol_luigi.report.image_trace import ImageTrace
from tol_luigi.sources import SOURCES
from tol_luigi.store.life import find_ids, has_split, left_out, named, placed, ranks_by_label, rows_of
from tol_luigi.store.mapping import marker
from tol_luigi.store.names import lookup_name
from tol_luigi.store.predictions import NAMELESS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tol_luigi.core.layout import Layout
    from tol_luigi.core.plugin import SourcePlugin
    from tol_luigi.core.source import Key
    from tol_luigi.store.life import Named, Placed

__all__ = ["BuildInputs", "Explainer", "is_image_id", "read_places"]

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_WAITING = "waiting"


@dataclass(frozen=True)
class BuildInputs:
    """What a dataset was built from, as far as it is known.

    Attributes:
        sources: The names of the sources, in the order of the catalogs.
        seed: ``[dataset] seed``.
        places: The files and folders that were read, by what messages call them, such as ``[eol] images``.
    """

    sources: Sequence[str]
    seed: int
    places: Mapping[str, str]

    def place(self, section: str, key: str) -> str:
        """Return the file or folder that a setting names, "" if there is none or it is not known."""
        return self.places.get(f"[{section}] {key}", "")


def read_places(layout: Layout) -> dict[str, str] | None:
    """Return the files and folders that a dataset was built from; None where that was not written, or cannot be read."""
    try:
        places = read_json(layout.inputs)
    except (OSError, ValueError):
        return None
    is_whole = isinstance(places, dict) and all(isinstance(place, str) for place in places.values())
    return places if is_whole else None


def is_image_id(value: object) -> bool:
    """Return whether something is a UUID as text, as every image id is."""
    return isinstance(value, str) and _UUID.fullmatch(value) is not None


@dataclass
class Explainer:
    """Finds out what became of images, from the files of their dataset.

    Attributes:
        layout: The paths of the dataset.
        inputs: What it was built from.
        trace: Names an image once more, one line for each table that is asked; None to name the tables only.
        looked_through: The files that were asked, one per line.
    """

    layout: Layout
    inputs: BuildInputs
    trace: Callable[[str, Key, str], Iterator[str]] | None = None
    looked_through: list[str] = field(default_factory=list)

    def explain(self, text: str) -> list[ImageTrace]:
        """Return what became of every image that a text means: an id, the name of a file, or a natural key."""
        name = text.rpartition("/")[2].removesuffix(".jpg")
        image = name.lower() if is_image_id(name) else ""
        lives = list(self._mapped(text, image))
        return lives or list(self._left_out(text, image))

    def _mapped(self, text: str, image: str) -> Iterator[ImageTrace]:
        """Look through the mapping."""
        mapping = self.layout.mapping
        if not marker(mapping, "mapping"):
            return
        for source in (SOURCES[name] for name in self.inputs.sources):
            self.looked_through.append(f"{mapping}: {source.name}")
            ids = [image] if image else []
            found = [one for id_ in ids if (one := placed(mapping, source, id_))]
            if not found:
                ids = find_ids(mapping, source, text)
                found = [one for id_ in ids if (one := placed(mapping, source, id_))]
            for id_, one in zip(ids, found, strict=True):
                yield self._life(source, id_, one)

    def _left_out(self, text: str, image: str) -> Iterator[ImageTrace]:
        """Look through what never got into the mapping."""
        ledger = self.layout.mapping_ledger
        if not ledger.exists():
            return
        self.looked_through.append(str(ledger))
        for row in left_out(ledger, image or text) or left_out(ledger, text):
            known = {key: row[key] for key in ("id", "source", "state", "reason", "partition")}
            yield ImageTrace(**known, place=self.inputs.place(row["source"], "images"), member=row["name"])

    def _life(self, source: SourcePlugin[Any], image: str, here: Placed) -> ImageTrace:
        listed = self._listed(here)
        known = self._named(source, here, image)
        ends = self._ends(here, image)
        state, reason, exclusion = self._state(here, image, ends)
        last = ends[0] if ends else {}
        return ImageTrace(
            id=image,
            source=source.name,
            state=state,
            reason=reason,
            place=self.inputs.place(source.name, "images"),
            partition=here.partition,
            member=listed.get("member", ""),
            bytes=listed.get("size"),
            offset=listed.get("offset"),
            key={column.name: part for column, part in zip(source.columns, here.key, strict=True)},
            id_from=self._id_from(source, image, here, listed),
            split="" if here.is_val is None else "val" if here.is_val else "train",
            is_train_small=bool(here.is_train_small),
            split_from=self._split_from(source, image),
            ranks=ranks_by_label(known.ranks) if known else {},
            common=known.common if known else "",
            name_key=known.key if known else "",
            names_from=self._names_from(source, here, image, known),
            class_index=known.class_index if known else "",
            exclusion=exclusion,
            shards=[self._shard(end) for end in ends if end["state"] == State.WRITTEN],
            picture={key: last.get(key) for key in ("width", "height", "mode", "format", "sha256", "md5")},
            flags=last.get("flags") or (),
        )

    def _listed(self, here: Placed) -> dict[str, Any]:
        """Read the row of the listing that the image is in: that of its partition, or the one of the whole source."""
        if not here.partition:
            return {}
        own = self.layout.listing(here.source, here.partition)
        listing = own if own.exists() else next(iter(sorted(own.parent.glob("*.parquet"))), None)
        wanted = {"partition": here.partition, "position": here.position}
        rows = rows_of(listing, wanted) if listing else []
        return rows[0] if rows else {}

    def _named(self, source: SourcePlugin[Any], here: Placed, image: str) -> Named | None:
        if not marker(self.layout.names, "names"):
            return None
        return named(self.layout.names, source, here.key, image)

    def _ends(self, here: Placed, image: str) -> list[dict[str, Any]]:
        """Read the ledgers of the splits that the image is in, each row with its split."""
        splits = [] if here.is_val is None else ["val"] if here.is_val else ["train"]
        splits += ["train_small"] if here.is_train_small else []
        ends = []
        for split in splits:
            ledger = self.layout.ledger(split, here.source, here.partition)
            if ledger.exists():
                ends += [{**row, "split": split} for row in rows_of(ledger, {"id": image})]
        return ends

    def _state(self, here: Placed, image: str, ends: list[dict[str, Any]]) -> tuple[str, str, str]:
        """Return the state, the reason, and the exclusion list."""
        layout = self.layout
        if not here.partition:
            rows = left_out(layout.mapping_ledger, image) if layout.mapping_ledger.exists() else []
            return (rows[0]["state"], rows[0]["reason"], "") if rows else (_WAITING, "", "")
        if not layout.predicted.exists():
            return _WAITING, "PredictCatalog is still to run", ""
        wanted = {"source": here.source, "partition": here.partition, "treeoflife_id": image}
        rows = rows_of(layout.predicted, wanted)
        if not rows:
            unnamed = left_out(layout.names_ledger, image)
            return State.NO_TAXON, unnamed[0]["reason"] if unnamed else NAMELESS, ""
        exclusion = rows[0]["exclusion"]
        if rows[0]["excluded"]:
            return rows[0]["excluded"], exclusion, exclusion
        if ends:
            return ends[0]["state"], ends[0]["reason"], exclusion
        split = "val" if here.is_val else "train"
        return _WAITING, f"WriteShards {split} {here.source} {here.partition} is still to run", exclusion

    def _shard(self, end: dict[str, Any]) -> dict[str, Any]:
        path = self.layout.shards / end["split"] / shard_name(end["shard"])
        place = {key: end[key] for key in ("position", "offset", "bytes")}
        return {"split": end["split"], "path": str(path), "is_there": path.exists(), **place}

    def _id_from(self, source: SourcePlugin[Any], image: str, here: Placed, listed: dict[str, Any]) -> str:
        published = self._published_mapping(source)
        key = f"{source.name} {source.key.spell(here.key)}"
        if not published:
            return f"made of its key: uuid5 of {key}"
        if listed.get("id") == image:
            return f"the file's name is the id; {published} tells its key"
        return f"{published} lists {key} under it"

    def _split_from(self, source: SourcePlugin[Any], image: str) -> str:
        published, hashed = (
            self._published_mapping(source),
            f"by the keyed hash of its id (seed {self.inputs.seed})",
        )
        if not published:
            return hashed
        if not Path(published).is_file():
            return f"as in {published}, which cannot be read now, or {hashed}"
        return f"as in {published}" if has_split(Path(published), image) else hashed

    def _published_mapping(self, source: SourcePlugin[Any]) -> str:
        """Return the published mapping that ids and splits of a source are from, "" if there is none."""
        return self.inputs.place("published", "mapping") if source.is_published else ""

    def _names_from(
        self, source: SourcePlugin[Any], here: Placed, image: str, known: Named | None
    ) -> list[str]:
        """Return what the name was made of, one line for each step."""
        if known is None:
            return []
        lookup = lookup_name(source.name)
        first = f"{self.layout.metadata / lookup}: {source.key.name_column} {known.key}"
        published = self.inputs.place("published", "names")
        if published and Path(published, lookup).exists():
            return [first, f"{Path(published, lookup)}, taken over as it is"]
        if self.trace:
            return [first, *self.trace(source.name, here.key, image)]
        keys = [(source.name, key) for key in source.name_tables]
        if source.is_upgraded:
            keys += [("itis", "chains"), ("resolved", "jsonl")]
        made = ", ".join(filter(None, itertools.starmap(self.inputs.place, keys))) or source.named_by
        return [first, f"made from {made}; --names tells what each gave"]

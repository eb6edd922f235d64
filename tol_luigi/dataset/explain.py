"""Trace an image through a build, for ``tol why`` and :meth:`.Dataset.explain`."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tol_luigi.core.keys import image_id
from tol_luigi.core.ledger import State
from tol_luigi.core.samples import IMAGE_EXTENSIONS
from tol_luigi.core.shards import shard_name, split_member_name
from tol_luigi.core.source import LABEL
from tol_luigi.core.source_names import base_of
from tol_luigi.core.taxon import RANK_LABELS
from tol_luigi.dataset.reading import reading
from tol_luigi.report.image_trace import ImageTrace
from tol_luigi.sources import plugin_of
from tol_luigi.sources.stored_listing import stored_listing
from tol_luigi.store.catalogs import CLASS_INDEX
from tol_luigi.store.image_trace import (
    Named,
    find_ids,
    has_split,
    named,
    placed,
    ranks_by_label,
    reference_of,
    rejected,
    rows_of,
    split_hint,
)
from tol_luigi.store.mapping import marker
from tol_luigi.store.names import lookup_name
from tol_luigi.store.predictions import NAMELESS
from tol_luigi.store.selections import selection_outcomes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tol_luigi.core.build_inputs import BuildInputs
    from tol_luigi.core.layout import Layout
    from tol_luigi.core.plugin import SourcePlugin
    from tol_luigi.core.source import Key, Reference
    from tol_luigi.store.image_trace import Placement

__all__ = ["Explainer", "is_image_id"]

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_WAITING = "waiting"


def is_image_id(value: object) -> bool:
    """Return whether a value is a UUID string, like every image id."""
    return isinstance(value, str) and _UUID.fullmatch(value) is not None


@dataclass
class Explainer:
    """Trace images with the files of their dataset.

    Attributes:
        layout: The paths of the dataset.
        inputs: The inputs of the dataset.
        trace: A function that repeats the name lookup of an image and yields one line per table, or None to
            list the tables only.
        looked_through: The files that were searched, one per line.
    """

    layout: Layout
    inputs: BuildInputs
    trace: Callable[[str, Key, str], Iterator[str]] | None = None
    looked_through: list[str] = field(default_factory=list)

    def explain(self, text: str) -> list[ImageTrace]:
        """Return the traces of all images that match an image id, a file name, or a natural key."""
        name = text.rpartition("/")[2]
        stem, ending = split_member_name(name)
        name = stem if ending in IMAGE_EXTENSIONS else name
        image = name.lower() if is_image_id(name) else ""
        traces = list(self._from_mapping(text, image))
        return traces or list(self._from_mapping_ledger(text, image))

    def _from_mapping(self, text: str, image: str) -> Iterator[ImageTrace]:
        """Search the mapping, for a natural key first: several collections may have files of the same name."""
        mapping = self.layout.mapping
        if not marker(mapping, "mapping"):
            return
        sources = [plugin_of(name) for name in self.inputs.sources]
        keyed = [(source, image_id(base_of(source.name), text)) for source in sources]
        by_key = [(source, id_, one) for source, id_ in keyed if (one := placed(mapping, source, id_))]
        for source, id_, one in by_key:
            self.looked_through.append(f"{mapping}: {source.name}")
            yield self._image_trace(source, id_, one)
        for source in () if by_key else sources:
            self.looked_through.append(f"{mapping}: {source.name}")
            ids = [image] if image else []
            found = [one for id_ in ids if (one := placed(mapping, source, id_))]
            if not found:
                ids = find_ids(mapping, source, text)
                found = [one for id_ in ids if (one := placed(mapping, source, id_))]
            for id_, one in zip(ids, found, strict=True):
                yield self._image_trace(source, id_, one)

    def _from_mapping_ledger(self, text: str, image: str) -> Iterator[ImageTrace]:
        """Search the images that were rejected before the mapping."""
        ledger = self.layout.mapping_ledger
        if not ledger.exists():
            return
        self.looked_through.append(str(ledger))
        for row in rejected(ledger, image or text) or rejected(ledger, text):
            fields = {key: row[key] for key in ("id", "source", "state", "reason", "partition")}
            yield ImageTrace(**fields, place=self.inputs.place(row["source"], "images"), member=row["name"])

    def _image_trace(self, source: SourcePlugin[Any], image: str, placement: Placement) -> ImageTrace:
        listed = self._listed(placement)
        naming = self._naming(source, placement, image)
        outcomes = self._outcomes(placement, image)
        state, reason, exclusion = self._state(placement, image, outcomes)
        last = outcomes[0] if outcomes else {}
        return ImageTrace(
            id=image,
            source=source.name,
            state=state,
            reason=reason,
            place=self.inputs.place(source.name, "images"),
            partition=placement.partition,
            member=listed.get("member", ""),
            bytes=listed.get("size"),
            offset=listed.get("offset"),
            key={column.name: part for column, part in zip(source.columns, placement.key, strict=True)},
            id_from=self._id_from(source, image, placement, listed),
            split="" if placement.is_val is None else "val" if placement.is_val else "train",
            is_train_small=bool(placement.is_train_small),
            split_from=self._split_from(source, image),
            ranks=ranks_by_label(naming.ranks) if naming else {},
            common=naming.common if naming else "",
            name_key=naming.key if naming else "",
            names_from=self._names_from(source, placement, image, naming),
            class_index=naming.class_index if naming else "",
            exclusion=exclusion,
            shards=[self._shard(outcome) for outcome in outcomes if outcome["state"] == State.WRITTEN],
            original={key: last.get(key) for key in ("width", "height", "mode", "format", "sha256", "md5")},
            flags=last.get("flags") or (),
            selections=self._selections(placement, image) if outcomes else [],
        )

    def _listed(self, placement: Placement) -> dict[str, Any]:
        """Read the row of the image in the listing of its partition, or else in the listing of its source."""
        if not placement.partition:
            return {}
        own = self.layout.listing(placement.source, placement.partition)
        listing = own if own.exists() else next(iter(sorted(own.parent.glob("*.parquet"))), None)
        wanted = {"partition": placement.partition, "position": placement.position}
        rows = rows_of(listing, wanted) if listing else []
        return rows[0] if rows else {}

    def _naming(self, source: SourcePlugin[Any], placement: Placement, image: str) -> Named | None:
        if not marker(self.layout.names, "names"):
            return None
        listing = stored_listing(self.layout.fetched(source.name))
        if source.key.name_column == LABEL and not listing.exists():
            return self._predicted_name(placement, image)  # images that are reused are not listed
        return named(self.layout.names, source, placement.key, image, listing)

    def _predicted_name(self, placement: Placement, image: str) -> Named | None:
        rows = self._predicted(placement, image)
        ranks = tuple(rows[0][rank] for rank in RANK_LABELS) if rows else ()
        return Named("", ranks, rows[0]["common"], rows[0][CLASS_INDEX]) if rows else None

    def _predicted(self, placement: Placement, image: str) -> list[dict[str, Any]]:
        """Read the row of the image in the predicted catalog, if that exists."""
        wanted = {"source": placement.source, "partition": placement.partition, "treeoflife_id": image}
        return rows_of(self.layout.predicted, wanted) if self.layout.predicted.exists() else []

    def _outcomes(self, placement: Placement, image: str) -> list[dict[str, Any]]:
        """Read the rows of the image in the ledgers of its splits; add the split to each row."""
        splits = [] if placement.is_val is None else ["val"] if placement.is_val else ["train"]
        splits += ["train_small"] if placement.is_train_small else []
        outcomes = []
        for split in splits:
            ledger = self.layout.ledger(split, placement.source, placement.partition)
            if ledger.exists():
                outcomes += [{**row, "split": split} for row in rows_of(ledger, {"id": image})]
        return outcomes

    def _state(
        self, placement: Placement, image: str, outcomes: list[dict[str, Any]]
    ) -> tuple[str, str, str]:
        """Return the state, the reason, and the exclusion."""
        layout = self.layout
        if not placement.partition:
            rows = rejected(layout.mapping_ledger, image) if layout.mapping_ledger.exists() else []
            return (rows[0]["state"], rows[0]["reason"], "") if rows else (_WAITING, "", "")
        if not layout.predicted.exists():
            return _WAITING, "PredictCatalog has not run yet", ""
        rows = self._predicted(placement, image)
        if not rows:
            unnamed = rejected(layout.names_ledger, image)
            return State.NO_TAXON, unnamed[0]["reason"] if unnamed else NAMELESS, ""
        exclusion = rows[0]["exclusion"]
        if rows[0]["excluded"]:
            return rows[0]["excluded"], exclusion, exclusion
        if outcomes:
            return outcomes[0]["state"], outcomes[0]["reason"], exclusion
        split = "val" if placement.is_val else "train"
        task = f"WriteShards {split} {placement.source} {placement.partition}"
        return _WAITING, f"{task} has not run yet", exclusion

    def _shard(self, outcome: dict[str, Any]) -> dict[str, Any]:
        path = self.layout.shards / outcome["split"] / shard_name(outcome["shard"])
        place = {key: outcome[key] for key in ("position", "offset", "bytes")}
        return {"split": outcome["split"], "path": str(path), "is_there": path.exists(), **place}

    def _selections(self, placement: Placement, image: str) -> list[dict[str, Any]]:
        """Return what each selection has made of an image."""
        with reading(self.layout.shards / "selections"):
            found = selection_outcomes(self.layout, placement.source, placement.partition, image)
        for one in found:
            written = one.pop("written")
            one["shard"] = self._shard({**written, "split": one["name"]}) if written else None
        return found

    def _id_from(
        self, source: SourcePlugin[Any], image: str, placement: Placement, listed: dict[str, Any]
    ) -> str:
        published = self._published_mapping(source)
        key = f"{base_of(source.name)} {source.key.spell(placement.key)}"
        if not published:
            return f"derived from its key: uuid5 of {key}"
        if listed.get("id") == image:
            return f"from the file name; its key is from {published}"
        return f"from {published}, by {key}"

    def _split_from(self, source: SourcePlugin[Any], image: str) -> str:
        published = self._published_mapping(source)
        hashed = f"by the keyed hash of its id (seed {self.inputs.seed})"
        if not published:
            given, group = split_hint(self.layout.mapping, image)
            if given:
                return "as given by its source"
            seed = f"seed {self.inputs.seed}"
            return f"with its group {group!r}, as given or by its keyed hash ({seed})" if group else hashed
        if not Path(published).is_file():
            return f"from {published} (missing now), or {hashed}"
        return f"from {published}" if has_split(Path(published), image) else hashed

    def _published_mapping(self, source: SourcePlugin[Any]) -> str:
        """Return the path of the published mapping with ids and splits of a source, or ""."""
        return self.inputs.place("published", "mapping") if source.is_published else ""

    def _names_from(
        self, source: SourcePlugin[Any], placement: Placement, image: str, naming: Named | None
    ) -> list[str]:
        """Return the origins of the name, one line per step."""
        if naming is None:
            return []
        if not naming.key:
            return [str(self.layout.predicted)]
        lookup = lookup_name(source.name)
        first = f"{self.layout.metadata / lookup}: {source.key.name_column} {naming.key}"
        if reference := reference_of(self.layout.names, source.name, naming.key):
            return [first, *self._reference_steps(reference)]
        published = self.inputs.place("published", "names")
        if published and Path(published, lookup).exists():
            return [first, f"{Path(published, lookup)}, copied unchanged"]
        if self.trace:
            return [first, *self.trace(source.name, placement.key, image)]
        keys = [(source.name, key) for key in source.name_tables]
        if source.is_upgraded:
            keys += [("itis", "chains"), ("resolved", "jsonl")]
        tables = ", ".join(filter(None, itertools.starmap(self.inputs.place, keys))) or source.named_by
        return [first, f"built from {tables}; use --names for the values from each table"]

    def _reference_steps(self, reference: Reference) -> Iterator[str]:
        """Yield how the reference taxonomy has named an image, down to the records of its sources."""
        yield f"its source gives {reference.given or 'no name'}"
        if reference.tol_id is None:
            yield f"the reference taxonomy has none of these names ({reference.reason}), so they are kept"
            return
        how = f"{reference.certainty} ({reference.reason})"
        yield f"{how}: taxon {reference.tol_id} of {self.layout.taxonomy}"
        xref = self.layout.taxonomy_table("xref")
        for row in rows_of(xref, {"tol_id": reference.tol_id}) if xref.exists() else []:
            witness = f", by {row['witness']}" if row["witness"] else ""
            name = f"{row['name']} ({row['rank']})" if row["rank"] else row["name"]
            reason = "" if row["reason"] == "none" else f", {row['reason']}{witness}"
            yield f"{row['source']}:{row['source_id']} {name}: {row['fate']}{reason}"

"""``tol why``: what became of one image, and how."""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING, Any

from tol_luigi.command.naming import tables_of, trace
from tol_luigi.core.exit_code import ExitCode
from tol_luigi.core.ledger import State
from tol_luigi.core.shards import shard_name
from tol_luigi.report.life import Life, life_figures, life_text, unknown_text
from tol_luigi.sources import SOURCES
from tol_luigi.store.life import find_ids, has_split, left_out, named, placed, ranks_by_label, rows_of
from tol_luigi.store.mapping import marker
from tol_luigi.store.names import lookup_name
from tol_luigi.store.predictions import NAMELESS
from tol_luigi.tasks.settings import settings

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from pathlib import Path

    from tol_luigi.core.source import Source
    from tol_luigi.store.life import Named, Placed
    from tol_luigi.tasks.settings import Settings

__all__ = ["why"]

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_WAITING = "waiting"


def why(given: argparse.Namespace) -> int:
    """Tell the life of every image that was meant."""
    found = Lives(settings(), with_names=given.names)
    lives = found.of(given.image)
    if given.json:
        told = {"images": [life_figures(life) for life in lives], "looked_through": found.looked_through}
        sys.stdout.write(json.dumps(told, indent=1, ensure_ascii=False) + "\n")
    elif lives:
        sys.stdout.write("\n".join(map(life_text, lives)))
    else:
        sys.stdout.write(unknown_text(given.image, found.looked_through))
    return ExitCode.COMPLETE if lives else ExitCode.NEGATIVE


class Lives:
    """Tells what became of images.

    Args:
        given: The settings.
        with_names: Whether to name the images once more, to tell which table has given what.

    Attributes:
        looked_through: The files that were asked, a line each.
    """

    def __init__(self, given: Settings, *, with_names: bool) -> None:
        self.settings, self.layout, self.with_names = given, given.layout, with_names
        self.looked_through: list[str] = []

    def of(self, text: str) -> list[Life]:
        """Tell the life of every image that a text means: an id, the name of a file, or a natural key."""
        name = text.rpartition("/")[2].removesuffix(".jpg")
        image = name.lower() if _UUID.fullmatch(name) else ""
        lives = list(self._mapped(text, image))
        return lives or list(self._left_out(text, image))

    def _mapped(self, text: str, image: str) -> Iterator[Life]:
        """Look through the mapping."""
        if not marker(self.layout.mapping, "mapping"):
            return
        for source in self.settings.sources.values():
            self.looked_through.append(f"{self.layout.mapping}: {source.name}")
            ids = [image] if image else []
            found = [one for id_ in ids if (one := placed(self.layout.mapping, source, id_))]
            if not found:
                ids = find_ids(self.layout.mapping, source, text)
                found = [one for id_ in ids if (one := placed(self.layout.mapping, source, id_))]
            for id_, one in zip(ids, found, strict=True):
                yield self._life(source, id_, one)

    def _left_out(self, text: str, image: str) -> Iterator[Life]:
        """Look through what never got into the mapping."""
        ledger = self.layout.mapping_ledger
        if ledger.exists():
            self.looked_through.append(str(ledger))
            for row in left_out(ledger, image or text) or left_out(ledger, text):
                place = str(self.settings.source_sections[row["source"]].images)
                yield Life(
                    row["id"],
                    row["source"],
                    row["state"],
                    row["reason"],
                    place,
                    row["partition"],
                    row["name"],
                )

    def _life(self, source: Source, image: str, here: Placed) -> Life:
        listed = self._listed(here)
        known = self._named(source, here, image)
        ends = self._ends(here, image)
        state, reason, exclusion = self._state(here, image, ends)
        member = listed.get("member", "")
        last = ends[0] if ends else {}
        return Life(
            id=image,
            source=source.name,
            state=state,
            reason=reason,
            place=str(source.reader.images),
            partition=here.partition,
            member=member,
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
        if not here.partition:
            return {}
        listing = self.layout.listing(here.source, self.settings.listing_of(here.source, here.partition))
        rows = (
            rows_of(listing, {"partition": here.partition, "position": here.position})
            if listing.exists()
            else []
        )
        return rows[0] if rows else {}

    def _named(self, source: Source, here: Placed, image: str) -> Named | None:
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
        """Give the state, the reason, and the exclusion list."""
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
        path: Path = self.layout.shards / end["split"] / shard_name(end["shard"])
        place = {key: end[key] for key in ("position", "offset", "bytes")}
        return {"split": end["split"], "path": str(path), "is_there": path.exists(), **place}

    def _id_from(self, source: Source, image: str, here: Placed, listed: dict[str, Any]) -> str:
        published = self.settings.published.mapping
        key = f"{source.name} {source.key.spell(here.key)}"
        if published is None or not source.is_published:
            return f"made of its key: uuid5 of {key}"
        if listed.get("id") == image:
            return f"the file's name is the id; {published} tells its key"
        return f"{published} lists {key} under it"

    def _split_from(self, source: Source, image: str) -> str:
        published, given = self.settings.published.mapping, self.settings.dataset
        if published and source.is_published and has_split(published, image):
            return f"as in {published}"
        return f"by the keyed hash of its id (seed {given.seed})"

    def _names_from(self, source: Source, here: Placed, image: str, known: Named | None) -> list[str]:
        """Tell what the name was made of."""
        if known is None:
            return []
        given, lookup = self.settings, lookup_name(source.name)
        first = f"{self.layout.metadata / lookup}: {source.key.name_column} {known.key}"
        published = given.published.names and given.published.names / lookup
        if published and published.exists():
            return [first, f"{published}, taken over as it is"]
        if self.with_names:
            return [first, *trace(given, source, here.key, image)]
        plugin = SOURCES[source.name]
        tables = tables_of(given, source.name, plugin.name_tables)
        if plugin.is_upgraded:
            tables += [table for table in (given.itis.chains, given.resolved.jsonl) if table]
        made = ", ".join(map(str, tables)) or plugin.named_by
        return [first, f"made from {made}; --names tells what each gave"]

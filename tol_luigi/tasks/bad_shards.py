"""The list of bad shards, and the removal of shards that belong to no partition."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from tol_luigi.core.files import committed, remove
from tol_luigi.core.receipts import read_receipt
from tol_luigi.core.splits import SPLITS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tol_luigi.core.layout import Layout

__all__ = ["collect_bad_shards", "list_bad_shards", "remove_unplanned"]


def remove_unplanned(layouts: Sequence[Layout], named: set[Path]) -> None:
    """Remove the shards that no receipt lists, such as the surplus of a previous, larger plan."""
    for layout, split in itertools.product(layouts, SPLITS):
        for path in sorted(layout.shard(split, 0).parent.glob("shard-[0-9]*.tar")):
            if path not in named:
                remove(path)


def collect_bad_shards(layout: Layout, shares: list[dict[str, str]]) -> None:
    """Write the list of all shards with findings, one path per line; an empty file if there are none."""
    verdicts = [verdict for share in shares if (verdict := read_receipt(layout.verdict(**share)))]
    list_bad_shards(layout, [finding for verdict in verdicts for finding in verdict.more.get("findings", ())])


def list_bad_shards(layout: Layout, findings: list[dict[str, str]]) -> None:
    """Write the list of the shards that the findings name."""
    bad = dict.fromkeys(finding["shard"] for finding in findings)
    with committed(layout.bad_shards) as scratch:
        scratch.write_text("".join(f"{shard}\n" for shard in bad), encoding="utf-8")

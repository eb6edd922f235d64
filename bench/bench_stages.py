"""Do time and memory of the stages without pixels grow with the number of images as they should?"""

from __future__ import annotations

import tempfile
from pathlib import Path

from _full_size import make
from _listed import make_listed
from _stages import Cost, costs, listed_costs
from _table import Row, arguments, show, show_host

STEPS = (0.1, 0.25, 0.5, 1.0)
TABLE_STEPS = (0.1, 1.0)
"""The same for a table of URLs (``--table``)."""

FEWEST = 20_000
"""With fewer images than this, what a process costs by itself says more than what they cost."""

MILLION = 1_000_000
TARGET = 1.15


def main() -> None:
    """Print a table for the time and one for the memory."""
    given = arguments(str(__doc__), 200_000, ["published", "table"], repeat=1)
    show_host()
    steps = TABLE_STEPS if given.table else STEPS
    counts = [count for step in steps if (count := int(given.images * step)) >= FEWEST] or [given.images]
    taken: dict[str, dict[int, list[Cost]]] = {}
    for count in counts:
        with tempfile.TemporaryDirectory() as name:
            if given.table:
                settings, stages = make_listed(Path(name), count), listed_costs
            else:
                settings, stages = make(Path(name), count, published=given.published), costs
            for _ in range(given.repeat):
                for stage, cost in stages(settings):
                    taken.setdefault(stage, {}).setdefault(count, []).append(cost)
    mapping = "with a published mapping" if given.published else "with ids of their own"
    mapping = "of a table of URLs" if given.table else mapping
    tables = {
        f"Time: as much a million images, however many there are (target: a ratio of {TARGET} at most).": (
            "s of processor time a million images",
            lambda cost, count: MILLION * cost.processor / count,
        ),
        "Memory: 2 GiB at most with ten million images.": (
            "MiB, the most that the process held",
            lambda cost, _: cost.memory,
        ),
    }
    for title, (unit, figure) in tables.items():
        rows = [
            Row(
                f"{stage}, {count:,}",
                [figure(cost, count) for cost in runs],
                [figure(cost, counts[0]) for cost in of_stage[counts[0]]],
                f"{_least(runs, 'processor')} s of processor time, {_least(runs, 'clock')} s by the clock",
            )
            for stage, of_stage in taken.items()
            for count, runs in of_stage.items()
        ]
        show(f"{__doc__} {title}", f"as in the lines, {mapping}", unit, f"{counts[0]:,} images", rows)


def _least(runs: list[Cost], what: str) -> str:
    return f"{min(getattr(cost, what) for cost in runs):.1f}"


if __name__ == "__main__":
    main()

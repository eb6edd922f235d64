"""What do the stages take against a plain reading of the published method?"""

from __future__ import annotations

import tempfile
from pathlib import Path

from _full_size import make
from _stages import Cost, cost, costs
from _table import Row, arguments, show, show_host

BASELINE = "a plain reading of the published method"
METHOD = Path(__file__).with_name("_published_method.py")
COMPARED = ("MakeMapping", "MakeSplits", "PredictCatalog", "WriteCatalog")
"""The stages that the published process has in the same way; it looks at every picture to find the samples of the catalog."""


def main() -> None:
    """Print a table for the time and one for the memory."""
    given = arguments(str(__doc__), 200_000, repeat=1)
    show_host()
    ours: dict[str, list[Cost]] = {stage: [] for stage in COMPARED}
    plain: dict[str, list[Cost]] = {stage: [] for stage in COMPARED}
    for _ in range(given.repeat):
        with tempfile.TemporaryDirectory() as name:
            settings = make(Path(name), given.images)
            for stage, taken in costs(settings):
                if stage in COMPARED:
                    ours[stage].append(taken)
                    plain[stage].append(cost(settings, METHOD, stage))
    for unit, what, digits in (
        ("s of processor time", "processor", 1),
        ("MiB, the most that the process held", "memory", 0),
    ):
        rows = [_row(stage, ours[stage], plain[stage], what, digits) for stage in COMPARED]
        show(str(__doc__), f"{given.images:,} images", unit, BASELINE, rows)


def _row(stage: str, ours: list[Cost], plain: list[Cost], what: str, digits: int) -> Row:
    values, baseline = ([getattr(taken, what) for taken in of_way] for of_way in (ours, plain))
    return Row(stage, values, baseline, f"{min(baseline):,.{digits}f} the published way")


if __name__ == "__main__":
    main()

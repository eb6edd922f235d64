"""With two free cores, how much sooner are two workers done than one?"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path

from _pictures import INAT21, photographs
from _table import Row, arguments, in_a_process, show, show_host

PARTITIONS = 8


def child(what: str) -> None:
    """Plan, or write the shards with so many workers and print how long that took."""
    import _builds  # noqa: PLC0415 (it reads the settings that the environment names)

    if what == "plan":
        _builds.plan()
        print(0)
        return
    start = time.monotonic()
    _builds.write(int(what))
    print(time.monotonic() - start)


def main() -> None:
    """Print the table."""
    if sys.argv[1:2] == ["child"]:
        child(sys.argv[2])
        return
    given = arguments(str(__doc__), 6400, repeat=2)
    show_host()
    from _builds import configured  # noqa: PLC0415 (as above)

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = configured(folder, photographs(INAT21, given.images, given.shared), PARTITIONS)
        in_a_process(__file__, "child", "plan", LUIGI_CONFIG_PATH=str(config))
        taken: dict[str, list[float]] = {"1": [], "2": []}
        for _ in range(given.repeat):
            for workers, seconds in taken.items():
                shutil.rmtree(folder / "built" / "224x224", ignore_errors=True)
                seconds.extend(in_a_process(__file__, "child", workers, LUIGI_CONFIG_PATH=str(config)))
    rows = [Row(f"{workers} workers", seconds, taken["1"]) for workers, seconds in taken.items()]
    what = f"{given.images} images of 500 pixels in {PARTITIONS} partitions"
    show(str(__doc__), what, "s by the wall clock, for all WriteShards", "one worker", rows)


if __name__ == "__main__":
    main()

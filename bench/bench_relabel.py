"""How much sooner is a dataset built with the pictures of an older one than from scratch?"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from _pictures import EOL, INAT21, photographs
from _table import Row, arguments, in_a_process, show, show_host

from tol_luigi.bench.measure import processor_seconds

PARTITIONS = 4
VARIANTS = {
    "from scratch": {},
    "relabelled": {"reuse": "built"},
    "relabelled and dealt anew": {"reuse": "built", "seed": "18"},
}


def child() -> None:
    """Build the dataset that the settings name; print the processor time of its shards, and of all of it."""
    import _builds  # noqa: PLC0415 (it reads the settings that the environment names)
    import luigi  # noqa: PLC0415 (as above)

    from tol_luigi import BuildCatalog  # noqa: PLC0415 (as above)

    _builds.plan()
    before = processor_seconds()
    _builds.write(1)
    written = processor_seconds() - before
    if not luigi.build([BuildCatalog()], workers=1, local_scheduler=True, log_level="WARNING"):
        raise SystemExit(1)
    print(written, processor_seconds())


def measured(
    folder: Path, settings: Path, repeat: int
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Build all variants in turn; gives the seconds for their shards, and for everything."""
    written: dict[str, list[float]] = {variant: [] for variant in VARIANTS}
    built: dict[str, list[float]] = {variant: [] for variant in VARIANTS}
    for _ in range(repeat):
        for variant, changes in VARIANTS.items():
            changed = folder / "changed.cfg"
            lines = [f"{key} = {value}\n" for key, value in {"tag": "changed", **changes}.items()]
            text = settings.read_text(encoding="utf-8").replace("tag = built\n", "".join(lines))
            changed.write_text(text, encoding="utf-8")
            seconds = in_a_process(__file__, "child", LUIGI_CONFIG_PATH=str(changed))
            written[variant].append(seconds[0])
            built[variant].append(seconds[1])
            shutil.rmtree(folder / "changed")
    return written, built


def main() -> None:
    """Print the tables."""
    if sys.argv[1:2] == ["child"]:
        child()
        return
    given = arguments(str(__doc__), 3200, repeat=3)
    show_host()
    from _builds import configured  # noqa: PLC0415 (it reads the settings, too)

    for kind, images in ((INAT21, given.images), (EOL, -(-given.images // 8))):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            settings = configured(folder, photographs(kind, images, given.shared), PARTITIONS)
            in_a_process(__file__, "child", LUIGI_CONFIG_PATH=str(settings))
            labels = folder / "labels.csv"
            text = labels.read_text(encoding="utf-8").replace("honey bee", "bee")
            labels.write_text(text, encoding="utf-8")
            written, built = measured(folder, settings, given.repeat)
        for what, taken in (
            ("WriteShards of train and val", written),
            ("BuildCatalog from end to end", built),
        ):
            rows = [Row(variant, seconds, taken["from scratch"]) for variant, seconds in taken.items()]
            told = f"{images} images as of {kind} in {PARTITIONS} partitions, {what}"
            show(str(__doc__), told, "s of processor time", "from scratch", rows)


if __name__ == "__main__":
    main()

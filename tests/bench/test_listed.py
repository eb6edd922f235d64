"""The table of URLs that ``bench/`` generates: all stages that handle names and numbers only accept it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Callable

BENCH = Path(__file__).resolve().parents[2] / "bench"
IMAGES = 2000
IN_ONE_PROCESS = """
import sys
from pathlib import Path

from _listed import SOURCE, leave_fetched, make_listed
from _stages import LATER_STAGES, STAGES, run

make_listed(Path(sys.argv[1]), int(sys.argv[2]))
run("StoreSettings")
run(f"ListUrls source={SOURCE}")
leave_fetched()
for stage in STAGES:
    run(stage)
from _written import write

write()
for stage in LATER_STAGES:
    run(stage)
"""
"""What ``bench_stages.py --table`` does in a process for each stage: importing the package would take longer than so few images."""


def test_every_stage_accepts_a_table_of_urls(
    tmp_path: Path, ledger: Callable[[Path], list[dict[str, Any]]]
) -> None:
    folder = tmp_path / "listed"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LUIGI_")}
    path = os.pathsep.join([str(BENCH), str(BENCH.parent), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", IN_ONE_PROCESS, folder, str(IMAGES)],
        env={**kept, "LUIGI_CONFIG_PATH": str(folder / "luigi.cfg"), "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    dataset = folder / "built" / "full"
    states = Counter(row["state"] for row in ledger(dataset))
    listed = pq.read_table(folder / "tables" / "urls.parquet").to_pylist()
    catalog = pq.read_table(dataset / "224x224" / "catalog.parquet").to_pylist()
    named = {row["table_key"]: (row["genus"].lower(), row["species"]) for row in catalog}
    own = {row["key"]: (row["genus"].lower(), row["species"]) for row in listed}

    assert sum(states.values()) == IMAGES
    assert states["written"] == len(named) > IMAGES * 0.9
    assert {key: own[key] for key in named} == named

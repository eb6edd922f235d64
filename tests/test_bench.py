from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from optional import unavailable

BENCH = Path(__file__).resolve().parent.parent / "bench"
MORE = {
    name: ["--rows", "20000"]
    for name in (
        "bench_browse.py",
        "bench_diff.py",
        "bench_duplicates.py",
        "bench_mapping_memory.py",
        "bench_names.py",
        "bench_report.py",
        "bench_taxonomy.py",
    )
}
MORE["bench_fetch.py"] = ["--cases", "2"]
MORE["bench_luigid.py"] = ["--seconds", "2"]
MORE["bench_selection.py"] = ["--rows", "2000"]
MORE["bench_vector_index.py"] = ["--rows", "2000", "--queries", "50"]


def test_every_bench_is_told_of() -> None:
    told = (BENCH / "README.md").read_text(encoding="utf-8")

    assert [path.name for path in BENCH.glob("bench_*.py") if path.name not in told] == []


@pytest.mark.parametrize("bench", sorted(path.name for path in BENCH.glob("bench_*.py")))
def test_a_bench_prints_a_table(bench: str) -> None:
    python = sys.executable
    if bench == "bench_features_loop.py" and not (python := os.environ.get("TOL_TORCH", "")):
        unavailable("no Python with PyTorch: set TOL_TORCH (docs/testing.md)")
    command = [python, BENCH / bench, "--images", "4", "--repeat", "1", *MORE.get(bench, [])]
    environment = {name: value for name, value in os.environ.items() if name != "TOL_SHARED"}
    operators = BENCH.parent / "tests" / "dataset" / "torchvision_operators"  # docs/testing.md
    places = [str(BENCH.parent), str(operators), os.environ.get("PYTHONPATH", "")]
    environment["PYTHONPATH"] = os.pathsep.join(places)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=400, check=False)

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("host: ")
    assert "cores" in done.stdout
    assert done.stdout.count("| runs |      min |   median |      max |  ratio |") >= 1

"""The history of ratios, its bounds and its plot."""

from __future__ import annotations

import importlib.util
import json
import sys
from typing import TYPE_CHECKING, Any

import pytest
from pages import ROOT

from tol_luigi.bench.pictures import SETS

if TYPE_CHECKING:
    from pathlib import Path

SPEC = importlib.util.spec_from_file_location("ratios", ROOT / "docs" / "ratios.py")
assert SPEC
assert SPEC.loader
ratios = importlib.util.module_from_spec(SPEC)
sys.modules["ratios"] = ratios
SPEC.loader.exec_module(ratios)

LARGE = next(iter(SETS))


def figures(ratio: float, kernel: str = "avx2") -> dict[str, Any]:
    """What ``tol bench --json`` prints, as far as it is read."""
    rows = [("tol_luigi", ratio), ("Pillow", 1.0), ("tol_luigi, resize = scaled", 0.1)]
    return {
        "host": {"kernel": kernel, "packages": {"tol_luigi": "0.2"}},
        "measurements": [
            {"case": "resize", "images": LARGE, "variant": variant, "baseline": "Pillow", "ratio": value}
            for variant, value in rows
        ],
    }


def test_the_plot_is_current_and_every_case_has_a_bound() -> None:
    kept = ratios.history()
    assert (ratios.FOLDER / ratios.PLOT).read_text(encoding="utf-8") == ratios.plot(kept), (
        "python docs/ratios.py plot"
    )
    assert {row.key for row in kept} == {(case, images) for case in ratios.COLOURS for images in SETS}
    assert all(float(row.bound) <= 1 for row in kept)
    assert list(ratios.too_slow(kept)) == []


@pytest.mark.parametrize(
    ("ratio", "kernel", "findings"),
    [
        pytest.param(0.2, "avx2", 0, id="as expected"),
        pytest.param(0.99, "avx2", 1, id="too slow"),
        pytest.param(0.99, "pillow", 0, id="Pillow resizes"),
    ],
)
def test_a_ratio_above_its_bound_is_found(ratio: float, kernel: str, findings: int) -> None:
    found = ratios.measured_ratios(figures(ratio, kernel), ratios.history(), "2026-12-01")
    assert [row.key for row in found] == [("resize", LARGE)]
    assert len(list(ratios.too_slow(found))) == findings


def test_a_run_is_appended_with_its_bound_and_plotted(tmp_path: Path) -> None:
    kept, run = ratios.history(), tmp_path / "bench.json"
    ratios.write(kept, tmp_path)
    run.write_text(json.dumps(figures(0.2)), encoding="utf-8")
    for _ in range(2):  # the second time, the line is replaced
        ratios.main(["add", str(run)], tmp_path)
    [*before, last] = ratios.history(tmp_path)
    assert before == kept
    assert (last.version, last.kernel, last.ratio) == ("0.2", "avx2", "0.20")
    assert last.bound == next(row.bound for row in kept if row.key == last.key)
    assert (tmp_path / ratios.PLOT).read_text(encoding="utf-8").count(">0.2</text>") == len(SETS)


def test_a_check_ends_with_a_line_for_each_ratio_that_is_too_high(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "bench.json"
    run.write_text(json.dumps(figures(0.99)), encoding="utf-8")
    with pytest.raises(SystemExit, match=f"^resize, {LARGE}: 0.99 of Pillow, more than 0"):
        ratios.main(["check", str(run)])
    assert capsys.readouterr().out == f"resize, {LARGE}: 0.99 of Pillow\n"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"host": 1}'])
def test_a_file_that_is_not_of_tol_bench_is_one_line(text: str, tmp_path: Path) -> None:
    run = tmp_path / "bench.json"
    run.write_text(text, encoding="utf-8")
    with pytest.raises(SystemExit, match=r"bench.json: .*\. Name a file of what tol bench --json prints\.$"):
        ratios.main(["check", str(run)])


def test_a_wrong_command_line_shows_the_usage() -> None:
    with pytest.raises(SystemExit, match="usage: "):
        ratios.main(["add"])

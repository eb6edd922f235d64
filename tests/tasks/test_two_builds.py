"""Two builds of one dataset at the same moment."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Sections = dict[str, dict[str, Any]]


def test_of_two_builds_with_other_settings_one_stops(
    *,
    bioscan_settings: Sections,
    settings_file: Callable[..., Path],
    start: Any,
    finish: Any,
    build: Any,
    tmp_path: Path,
) -> None:
    for attempt in range(4):
        dataset = {**bioscan_settings["dataset"], "tag": f"both-{attempt}"}
        files = {
            seed: settings_file(
                {**bioscan_settings, "dataset": {**dataset, "seed": seed}}, path=f"{attempt}-{seed}.cfg"
            )
            for seed in (1, 2)
        }
        running = {seed: start(path) for seed, path in files.items()}
        codes = {seed: finish(process).returncode for seed, process in running.items()}
        stored = json.loads((tmp_path / "out" / dataset["tag"] / "dataset.json").read_text(encoding="utf-8"))
        won = stored["dataset.seed"]

        assert codes[won] == 0
        assert codes[3 - won] in {30, 40}
        verified = build(files[won], task="VerifyDataset")
        assert verified.returncode == 0, verified.stderr

"""``tol why``: trace one image."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tol_luigi.command.naming import naming_steps
from tol_luigi.command.terminal import show
from tol_luigi.core.exit_code import ExitCode
from tol_luigi.dataset.explain import Explainer
from tol_luigi.report.image_trace import (
    candidates_text,
    image_trace_figures,
    image_trace_text,
    unknown_text,
)
from tol_luigi.store.image_trace import MOST_FOUND
from tol_luigi.tasks.inputs import build_inputs
from tol_luigi.tasks.settings import settings

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from tol_luigi.core.layout import Layout
    from tol_luigi.core.source import Key
    from tol_luigi.report.image_trace import ImageTrace

__all__ = ["trace"]


def trace(arguments: argparse.Namespace) -> int:
    """Print the trace of the image that matches, or else the images that match."""
    current = settings()

    def steps(source: str, key: Key, image_id: str) -> Iterator[str]:
        return naming_steps(current, current.sources[source], key, image_id)

    explainer = Explainer(current.layout, build_inputs(current), steps if arguments.names else None)
    lives = [_with_features(life, current.layout) for life in explainer.explain(arguments.image)]
    if arguments.json:
        fields = {
            "images": [image_trace_figures(life) for life in lives],
            "looked_through": explainer.looked_through,
        }
        sys.stdout.write(json.dumps(fields, indent=1, ensure_ascii=False) + "\n")
    elif len(lives) == 1:
        show(image_trace_text(lives[0]))
    elif lives:
        sys.stdout.write(candidates_text(arguments.image, lives, MOST_FOUND))
    else:
        sys.stdout.write(unknown_text(arguments.image, explainer.looked_through))
    return ExitCode.COMPLETE if len(lives) == 1 else ExitCode.NEGATIVE


def _with_features(life: ImageTrace, layout: Layout) -> ImageTrace:
    """Return a trace with the features of the image, from its first shard: the others are copies."""
    if not life.shards or not layout.features.is_dir():
        return life
    from tol_luigi.features.reading import sample_features  # noqa: PLC0415 (seldom used)

    shard = life.shards[0]
    name = f"{shard['split']}/{Path(shard['path']).stem}"
    return replace(life, features=sample_features(layout.features, name, shard["position"]))

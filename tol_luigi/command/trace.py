"""``tol why``: trace one image."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from tol_luigi.command.naming import naming_steps
from tol_luigi.command.terminal import show
from tol_luigi.core.exit_code import ExitCode
from tol_luigi.dataset.explain import Explainer
from tol_luigi.dataset.reading import reading
from tol_luigi.features.reading import with_features
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

    from tol_luigi.core.source import Key

__all__ = ["trace"]


def trace(arguments: argparse.Namespace) -> int:
    """Print the trace of the image that matches, or else the images that match."""
    current = settings()

    def steps(source: str, key: Key, image_id: str) -> Iterator[str]:
        return naming_steps(current, current.sources[source], key, image_id)

    explainer = Explainer(current.layout, build_inputs(current), steps if arguments.names else None)
    with reading(current.layout.directory):
        lives = [with_features(life, current.layout) for life in explainer.explain(arguments.image)]
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

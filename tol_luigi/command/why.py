"""``tol why``: what became of one image, and how."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from tol_luigi.command.naming import trace
from tol_luigi.core.exit_code import ExitCode
from tol_luigi.dataset.explain import Explainer
from tol_luigi.report.image_trace import image_trace_figures, image_trace_text, unknown_text
from tol_luigi.tasks.inputs import build_inputs
from tol_luigi.tasks.settings import settings

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from tol_luigi.core.source import Key

__all__ = ["why"]


def why(given: argparse.Namespace) -> int:
    """Write what became of every image that was meant."""
    used = settings()

    def traced(source: str, key: Key, image: str) -> Iterator[str]:
        return trace(used, used.sources[source], key, image)

    explainer = Explainer(used.layout, build_inputs(used), traced if given.names else None)
    lives = explainer.explain(given.image)
    if given.json:
        told = {
            "images": [image_trace_figures(life) for life in lives],
            "looked_through": explainer.looked_through,
        }
        sys.stdout.write(json.dumps(told, indent=1, ensure_ascii=False) + "\n")
    elif lives:
        sys.stdout.write("\n".join(map(image_trace_text, lives)))
    else:
        sys.stdout.write(unknown_text(given.image, explainer.looked_through))
    return ExitCode.COMPLETE if lives else ExitCode.NEGATIVE

"""The graph: thin Luigi tasks, each of which asks the layers below to do one thing.

Whoever loads a task is about to run it with Luigi, so Luigi's own settings are completed first.
"""

from __future__ import annotations

from tol_luigi.core.settings_syntax import named_syntax_errors

with named_syntax_errors():
    import luigi  # noqa: F401 (it reads the settings files now)

# Luigi runs each task in a process of its own, forked from this one. What is imported here, it need not import.
import pandas as pd  # noqa: F401
import pyarrow.dataset  # noqa: F401

from tol_luigi.tasks import luigi_defaults

luigi_defaults.apply()

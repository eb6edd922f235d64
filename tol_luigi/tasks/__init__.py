"""The graph: thin Luigi tasks; each one calls the layers below for one stage.

A process that imports a task will run it with Luigi, so defaults for Luigi's own settings are set first.
"""

from __future__ import annotations

from tol_luigi.core.settings_syntax import named_syntax_errors

with named_syntax_errors():
    import luigi  # noqa: F401 (reads the settings files on import)

# Luigi forks a process for each task. Modules imported here need not be imported again in each of them.
import pandas as pd  # noqa: F401
import pyarrow.dataset  # noqa: F401

from tol_luigi.tasks import luigi_defaults

luigi_defaults.apply()

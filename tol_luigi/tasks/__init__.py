"""The graph: thin Luigi tasks; each one calls the layers below for one stage.

A process that imports a task will run it with Luigi, so Luigi is prepared first: defaults for its own settings, and
imports before its first fork.
"""

from __future__ import annotations

from tol_luigi.core.settings_syntax import named_syntax_errors

with named_syntax_errors():
    import luigi  # noqa: F401 (reads the settings files on import)

from tol_luigi.tasks import luigi_defaults, preload

luigi_defaults.apply()
preload.apply()

"""The graph: thin Luigi tasks; each one calls the layers below for one stage.

A process that imports a task will run it with Luigi, so Luigi is prepared first: defaults for its own settings,
imports before its first fork, and a scheduler for builds without a luigid.
"""

from __future__ import annotations

from tol_luigi.core.settings_syntax import named_syntax_errors

with named_syntax_errors():
    import luigi  # noqa: F401 (reads the settings files on import)

from tol_luigi.tasks import indexed_scheduler, luigi_defaults, preload

luigi_defaults.apply()
preload.apply()
indexed_scheduler.apply()

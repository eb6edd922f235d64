"""What the ``luigi`` command needs of ``--module tol_luigi``: every task by its name, and exit codes that are true.

A program that runs Luigi's command line itself (``luigi.run``) after it has imported ``tol_luigi`` imports this module, too.
"""

from __future__ import annotations

from tol_luigi.tasks import error_lines, exit_codes
from tol_luigi.tasks import public as public  # noqa: PLC0414 (imported to register the tasks)

exit_codes.apply()
error_lines.apply()

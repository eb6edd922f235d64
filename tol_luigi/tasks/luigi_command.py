"""The module for ``luigi --module tol_luigi``: registers every task, and corrects exit codes, error lines and lost interrupts.

It is also imported if a program imports ``tol_luigi`` and then calls Luigi's command line (``luigi.run``).
"""

from __future__ import annotations

from tol_luigi.tasks import error_lines, exit_codes, interrupts
from tol_luigi.tasks import public as public  # noqa: PLC0414 (imported to register the tasks)

exit_codes.apply()
error_lines.apply()
interrupts.apply()

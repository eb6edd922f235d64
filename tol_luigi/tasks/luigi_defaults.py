"""Defaults for Luigi's own settings that a reliable build needs, if no settings file sets them."""

from __future__ import annotations

from luigi.configuration import get_config

from tol_luigi.core.exit_code import ExitCode

__all__ = ["DEFAULTS", "apply"]

DEFAULTS: dict[str, dict[str, str]] = {
    "core": {
        # Two builds on one machine are safe: the first to finish a file wins.
        "no_lock": "true",
        "autoload_range": "false",
        # Luigi's INFO is several lines per task, after which nobody finds a warning or the summary.
        "log_level": "WARNING",
    },
    "worker": {
        # A task without its output has failed; by default, Luigi takes it as done.
        "check_complete_on_run": "true",
        "send_failure_email": "false",
    },
    # By default, Luigi exits with 0 after a failure.
    "retcode": {
        "already_running": str(ExitCode.ALREADY_RUNNING),
        "missing_data": str(ExitCode.MISSING_DATA),
        "not_run": str(ExitCode.NOT_RUN),
        "task_failed": str(ExitCode.TASK_FAILED),
        "scheduling_error": str(ExitCode.SCHEDULING_ERROR),
        "unhandled_exception": str(ExitCode.UNHANDLED_EXCEPTION),
    },
}
"""Defaults by section and key, the same as in ``luigi.cfg``."""


def apply() -> None:
    """Set what the settings files do not set; Luigi reads these settings later, when it runs tasks."""
    config = get_config()
    for section, values in DEFAULTS.items():
        for key, value in values.items():
            if not config.has_option(section, key):
                config.set(section, key, value)

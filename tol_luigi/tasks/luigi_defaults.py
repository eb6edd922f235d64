"""Settings of Luigi itself without which a build cannot be trusted, for where no settings file sets them."""

from __future__ import annotations

from luigi.configuration import get_config

__all__ = ["DEFAULTS", "apply"]

DEFAULTS: dict[str, dict[str, str]] = {
    "core": {
        # Two builds on one machine are safe here: whoever finishes a file first wins.
        "no_lock": "true",
        "autoload_range": "false",
        "log_level": "INFO",
    },
    "worker": {
        # A task that leaves no output has failed; by itself Luigi takes it as done.
        "check_complete_on_run": "true",
        "send_failure_email": "false",
    },
    # By itself Luigi exits with 0 after a failure.
    "retcode": {
        "already_running": "10",
        "missing_data": "20",
        "not_run": "25",
        "task_failed": "30",
        "scheduling_error": "35",
        "unhandled_exception": "40",
    },
}
"""By section and key; ``luigi.cfg`` shows the same."""


def apply() -> None:
    """Set what the settings files leave open; Luigi reads it later, when it runs tasks."""
    config = get_config()
    for section, values in DEFAULTS.items():
        for key, value in values.items():
            if not config.has_option(section, key):
                config.set(section, key, value)

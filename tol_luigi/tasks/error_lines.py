"""One clear line for an error that the user can fix; its traceback goes to Luigi's log, at level DEBUG.

By default, Luigi logs the traceback of any exception of a task. Unexpected exceptions keep their traceback.
"""

from __future__ import annotations

import functools
import logging
import multiprocessing
import os
import signal
import sys
import traceback
from configparser import InterpolationError
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NoReturn

import luigi.worker
from luigi.cmdline_parser import CmdlineParser
from luigi.parameter import ParameterException
from luigi.rpc import RPCError
from luigi.task_register import TaskClassException

from tol_luigi.core.errors import ServerError, TolError
from tol_luigi.core.exit_code import ExitCode
from tol_luigi.core.limits import causes, expected_error
from tol_luigi.sources.faults import system_error
from tol_luigi.tasks.messages import write_line
from tol_luigi.tasks.settings import name_setting

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

__all__ = ["BUG", "Refusal", "apply", "clear_error", "failure_text", "is_final", "refuse", "report_killed"]

BUG = "This is a bug in the program, not a fault of its input: please report it with the traceback"

_LOG = logging.getLogger("luigi-interface")

_USAGE = (TaskClassException, ParameterException, InterpolationError)
"""Exceptions of Luigi for wrong arguments, and for wrong settings of its own, before it logs anything."""

_KILLED = f"exit code -{signal.SIGKILL.value}"


class Refusal(SystemExit):
    """The end of a command, after its error line was written.

    Args:
        error: The error in the line.
    """

    def __init__(self, error: TolError) -> None:
        super().__init__(ExitCode.UNHANDLED_EXCEPTION)
        self.error = error


def refuse(error: TolError) -> NoReturn:
    """Write one line and end the command; in a process forked by Luigi or in a library, raise the error."""
    if CmdlineParser.get_instance() is None or multiprocessing.parent_process() is not None:
        raise error
    error = name_setting(error)
    write_line(str(error))
    raise Refusal(error)


def clear_error(error: BaseException) -> TolError | None:
    """Return the one-line error to show for an exception; None if the exception is a bug in the program."""
    if isinstance(error, Refusal):
        return error.error
    if isinstance(error, RPCError):
        what = f"luigid does not answer ({' '.join(str(error).split())})"
        remedy = "Start luigid, set the URL of one that runs, or build without it (--local-scheduler)"
        return ServerError("[core] default_scheduler_url", what, remedy)
    known = expected_error(error)
    return known and name_setting(known)


def is_final(error: BaseException) -> bool:
    """Return whether every further attempt would fail as well, because settings or the content of a source are wrong.

    An error of the system may concern one machine, or pass; nothing is known about a bug.
    """
    known = clear_error(error)
    return known is not None and not known.may_pass and system_error(error) is None


def failure_text(label: str, error: BaseException) -> str | None:
    """Write the line of a failed task; return it for luigid's page, None if a traceback is needed."""
    known = clear_error(error)
    if known is None:
        write_line(f"{type(error).__name__}. {BUG}.", label)
        return None
    if not isinstance(error, Refusal):  # its line has been written
        write_line(str(known), label)
    return str(known)


def report_killed(task: luigi.Task, what: str) -> None:
    """Write the error line of a task whose process was killed and so could not write one itself.

    Args:
        task: The task.
        what: Luigi's message about it.
    """
    remedy = "Run the same command again, and report it if that happens again"
    if what.endswith(_KILLED):
        what = f"{what}, most likely because memory ran out"
        remedy = "Use a machine with more memory or fewer --workers, and run the same command again"
    label = getattr(task, "label", task.task_family)
    write_line(f"{what}. {remedy}.", label)


def apply() -> None:
    """Make Luigi log one line, and no traceback, for an expected error of a task or of the command line."""
    module: Any = luigi.worker
    handle = module.TaskProcess._handle_run_exception  # noqa: SLF001 (logs the traceback, without a hook)
    if not hasattr(handle, "__wrapped__"):
        module.TaskProcess._handle_run_exception = _in_one_line(handle)  # noqa: SLF001
        # Luigi's worker uses this module only to format exceptions of complete() and requires().
        module.traceback = SimpleNamespace(format_exc=_format_exc)
        _LOG.addFilter(_log_uncaught)
    if hasattr(sys.modules["__main__"], "luigi_run"):  # this process is the luigi command
        sys.excepthook = _end_in_one_line


def _in_one_line(handle: Callable[[Any, BaseException], Any]) -> Callable[[Any, BaseException], Any]:
    @functools.wraps(handle)
    def handled(self: luigi.worker.TaskProcess, ex: BaseException) -> Any:  # noqa: ANN401 (luigi's type)
        explain = getattr(self.task, "explain", clear_error)
        known = explain(ex)
        if known is None:
            return handle(self, ex)
        _LOG.error("[pid %s] Worker %s failed    %s", os.getpid(), self.worker_id, self.task)
        _log_traceback(ex)
        self.task.trigger_event(luigi.Event.FAILURE, self.task, ex)
        return self.task.on_failure(ex if isinstance(ex, Refusal) else known)

    return handled


def _format_exc() -> str:
    """Return the text that Luigi logs for the current exception: one line if it is an expected error."""
    error = sys.exception()
    known = clear_error(error) if error else None
    if error is None or known is None:
        return traceback.format_exc() + (f"tol_luigi: {BUG}." if error and _is_ours(error) else "")
    _log_traceback(error)
    return f"tol_luigi: {known}"


def _is_ours(error: BaseException) -> bool:
    """Return whether an exception was raised in this package, or in code that it called."""
    frames = (frame for frame, _ in traceback.walk_tb(error.__traceback__))
    return any(str(frame.f_globals.get("__name__")).startswith("tol_luigi.") for frame in frames)


def _log_traceback(error: BaseException) -> None:
    _LOG.debug("The traceback of this error", exc_info=error)


def _end_in_one_line(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> NoReturn:
    """Replace :func:`sys.excepthook`: end with one line if the arguments are wrong or a limit was reached."""
    usage = next((cause for cause in causes(error) if isinstance(cause, _USAGE)), None)
    text = str(usage or clear_error(error) or "")
    if not text:
        sys.__excepthook__(kind, error, trace)
        raise SystemExit(1)
    where = f"[{usage.section}] {usage.option}: " if isinstance(usage, InterpolationError) else ""
    write_line(f"{where}{' '.join(text.split())}")
    raise SystemExit(ExitCode.UNHANDLED_EXCEPTION)


_written: list[BaseException] = []
"""The last error that was written: Luigi logs an error twice on its way up."""


def _log_uncaught(record: logging.LogRecord) -> bool:
    """Log one line instead of the traceback of an expected error that ends the command (a logging filter)."""
    error = record.exc_info[1] if record.exc_info else None
    if error is None or record.levelno == logging.DEBUG:
        return True
    known = clear_error(error)
    if known is None:
        if _is_ours(error):
            record.msg, record.args = f"{record.getMessage()}. {BUG}.", ()
        return True
    if error not in _written:
        _written[:] = [error]
        write_line(str(known))
        _log_traceback(error)
    return False

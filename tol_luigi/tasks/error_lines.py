"""One clear line for an error that the user can fix; its traceback goes to Luigi's log, at level DEBUG.

By itself Luigi logs the traceback of whatever a task raises. An error that nobody expects keeps it.
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

from tol_luigi.core.errors import LimitError, ServerError, TolError
from tol_luigi.core.exit_code import ExitCode
from tol_luigi.core.limits import causes, expected_error
from tol_luigi.tasks.settings import name_setting

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

__all__ = ["BUG", "Refusal", "apply", "clear_error", "died", "failure_text", "refuse"]

BUG = "This is a fault of the program, not of its input: please report it, with the traceback"

_LOG = logging.getLogger("luigi-interface")

_USAGE = (TaskClassException, ParameterException, InterpolationError)
"""What Luigi raises of wrong arguments, and of wrong settings of its own, before it logs anything."""

_KILLED = f"exit code -{signal.SIGKILL.value}"


class Refusal(SystemExit):
    """The end of a command line, after its one line was written.

    Args:
        error: What the line says.
    """

    def __init__(self, error: TolError) -> None:
        super().__init__(ExitCode.UNHANDLED_EXCEPTION)
        self.error = error


def refuse(error: TolError) -> NoReturn:
    """Stop a command line with one line; raise the error in a process that Luigi has started, or in a library's user."""
    if CmdlineParser.get_instance() is None or multiprocessing.parent_process() is not None:
        raise error
    error = name_setting(error)
    sys.stderr.write(f"tol_luigi: {error}\n")
    raise Refusal(error)


def clear_error(error: BaseException) -> TolError | None:
    """Return what a user can be told in one line of an error; None if the error is a fault of the program."""
    if isinstance(error, Refusal):
        return error.error
    if isinstance(error, RPCError):
        what = f"luigid does not answer ({' '.join(str(error).split())})"
        remedy = "Start luigid, name the one that is up, or build without it: --local-scheduler"
        return ServerError("[core] default_scheduler_url", what, remedy)
    known = expected_error(error)
    return known and name_setting(known)


def failure_text(label: str, error: BaseException) -> str | None:
    """Write the one line of a task that has failed, and return it for luigid's page; None if that needs a traceback."""
    known = clear_error(error)
    if known is None:
        sys.stderr.write(f"tol_luigi: {label}: {type(error).__name__}. {BUG}.\n")
        return None
    if not isinstance(error, Refusal):  # which has been written
        sys.stderr.write(f"tol_luigi: {label}: {known}\n")
    return str(known)


def died(task: luigi.Task, what: str) -> None:
    """Write the one line of a task whose process was killed: it can write none itself.

    Args:
        task: The task.
        what: What Luigi says of it.
    """
    remedy = "Run the same command again, and report it if that happens again"
    if what.endswith(_KILLED):
        what = f"{what}, most likely as no memory was left"
        remedy = "Give it more memory, or use fewer --workers, and run the same command again"
    label = getattr(task, "label", task.task_family)
    sys.stderr.write(f"tol_luigi: {LimitError(label, what, remedy)}\n")


def apply() -> None:
    """Have Luigi log one line, and no traceback, where a task or the command line meets an expected error."""
    module: Any = luigi.worker
    handle = module.TaskProcess._handle_run_exception  # noqa: SLF001 (it logs the traceback, and has no hook)
    if not hasattr(handle, "__wrapped__"):
        module.TaskProcess._handle_run_exception = _in_one_line(handle)  # noqa: SLF001
        # Luigi's worker takes from there the text of what complete() and requires() raise, and nothing else.
        module.traceback = SimpleNamespace(format_exc=_format_exc)
        _LOG.addFilter(_log_uncaught)
    if hasattr(sys.modules["__main__"], "luigi_run"):  # so this process is the luigi command
        sys.excepthook = _end_in_one_line


def _in_one_line(handle: Callable[[Any, BaseException], Any]) -> Callable[[Any, BaseException], Any]:
    @functools.wraps(handle)
    def handled(self: luigi.worker.TaskProcess, ex: BaseException) -> Any:  # noqa: ANN401 (luigi hands it on)
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
    """Return what Luigi writes of the error that is being handled: one line if it is an expected one."""
    error = sys.exception()
    known = clear_error(error) if error else None
    if error is None or known is None:
        return traceback.format_exc() + (f"tol_luigi: {BUG}." if error and _is_ours(error) else "")
    _log_traceback(error)
    return f"tol_luigi: {known}"


def _is_ours(error: BaseException) -> bool:
    """Return whether an error was raised in this package, or in what it has called."""
    frames = (frame for frame, _ in traceback.walk_tb(error.__traceback__))
    return any(str(frame.f_globals.get("__name__")).startswith("tol_luigi.") for frame in frames)


def _log_traceback(error: BaseException) -> None:
    _LOG.debug("The traceback of this error", exc_info=error)


def _end_in_one_line(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> NoReturn:
    """End the luigi command as :func:`sys.excepthook`: with one line if it was called wrongly, or reached a limit."""
    usage = next((cause for cause in causes(error) if isinstance(cause, _USAGE)), None)
    text = str(usage or clear_error(error) or "")
    if not text:
        sys.__excepthook__(kind, error, trace)
        raise SystemExit(1)
    where = f"[{usage.section}] {usage.option}: " if isinstance(usage, InterpolationError) else ""
    sys.stderr.write(f"tol_luigi: {where}{' '.join(text.split())}\n")
    raise SystemExit(ExitCode.UNHANDLED_EXCEPTION)


_written: list[BaseException] = []
"""The error that was written last: Luigi logs one twice on its way up."""


def _log_uncaught(record: logging.LogRecord) -> bool:
    """Write one line in place of the traceback of an expected error that ends the command; a filter of Luigi's logger."""
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
        sys.stderr.write(f"tol_luigi: {known}\n")
        _log_traceback(error)
    return False

"""Interrupts that arrive while a process is forked for a task.

Python runs the handler of a signal as soon as it runs Python code again. After a fork, that code is a function of
:func:`os.register_at_fork`, whose exceptions are dropped: a handler that raises one has no effect, and Ctrl-C is lost.
"""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import threading
from typing import TYPE_CHECKING, Any

import luigi.worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["apply", "deferred_interrupts"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def deferred_interrupts() -> Iterator[None]:
    """Run the handlers of signals that arrive in a block at its end; a process that is forked in it runs them at once."""
    if threading.current_thread() is not threading.main_thread():  # which handlers run in
        yield
        return
    handlers: dict[int, Callable[..., Any]] = {
        signal_: handler for signal_ in _SIGNALS if callable(handler := signal.getsignal(signal_))
    }
    own, received = os.getpid(), list[tuple[int, Any]]()

    def receive(number: int, frame: Any) -> None:  # noqa: ANN401 (a frame, or none)
        if os.getpid() == own:
            received.append((number, frame))
        else:
            handlers[number](number, frame)

    for number in handlers:
        signal.signal(number, receive)
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for number, frame in received:
            handlers[number](number, frame)


def apply() -> None:
    """Make Luigi defer interrupts while it starts the process of a task."""
    process: Any = luigi.worker.TaskProcess
    if not hasattr(process.start, "defers_interrupts"):
        process.start = _deferring(process.start)


def _deferring(start: Callable[[Any], None]) -> Callable[[Any], None]:
    @functools.wraps(start)
    def deferred(self: luigi.worker.TaskProcess) -> None:
        with deferred_interrupts():
            start(self)

    deferred.defers_interrupts = True  # type: ignore[attr-defined]  # there are other wrappers
    return deferred

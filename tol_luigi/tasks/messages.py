"""What tasks report to a person: lines on standard error, or events for a command that shows them itself.

Tasks run in processes of their own, which inherit the listener of the command that started them.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from tol_luigi.core.printable_text import printable

if TYPE_CHECKING:
    from collections.abc import Callable

    Listener = Callable[[dict[str, Any]], None]

__all__ = ["has_listener", "listen", "send_event", "write_line"]

_listener: Listener | None = None


def listen(listener: Listener | None) -> None:
    """Pass events to a function from now on, in this process and in those that it starts; None to stop."""
    global _listener  # noqa: PLW0603 (a process has one standard error, too)
    _listener = listener


def has_listener() -> bool:
    """Return whether a command shows events itself."""
    return _listener is not None


def send_event(event: str, **fields: Any) -> None:  # noqa: ANN401 (JSON is any)
    """Pass an event to the listener, if there is one.

    Args:
        event: ``line``, ``progress``, ``started``, ``done`` or ``failed``.
        fields: What belongs to it, as JSON takes it.
    """
    if _listener is not None:
        _listener({"event": event, **fields})


def write_line(text: str, label: str = "") -> None:
    """Write one line about an error or a warning to standard error, and pass it to the listener.

    Args:
        text: What the line says.
        label: The task that it is about, "" if it is about none.
    """
    label, text = printable(label), printable(text)
    sys.stderr.write(f"tol_luigi: {label}: {text}\n" if label else f"tol_luigi: {text}\n")
    send_event("line", label=label, text=text)

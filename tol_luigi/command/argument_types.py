"""The types of arguments, for argparse."""

from __future__ import annotations

from argparse import Action, ArgumentParser, ArgumentTypeError, Namespace
from typing import Any

__all__ = ["nonempty", "port", "positive", "runs"]

_LAST_PORT = 65_535


def positive(text: str) -> int:
    """Return a number of at least one."""
    if not text.isascii() or not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"{text}: not a number of at least 1")
    return int(text)


def port(text: str) -> int:
    """Return the number of a port, 0 for any."""
    if not text.isascii() or not text.isdecimal() or int(text) > _LAST_PORT:
        raise ArgumentTypeError(f"{text}: not a port from 0 to {_LAST_PORT:,}")
    return int(text)


def nonempty(text: str) -> str:
    """Return a text that is not empty."""
    if not text:
        raise ArgumentTypeError("empty")
    return text


def runs(function: str) -> type[Action]:
    """Return an action for an option that decides what a subcommand runs.

    Args:
        function: The function, as ``<module>:<name>``.
    """

    class Runs(Action):
        """Stores the value of the option, and the function."""

        def __call__(
            self,
            parser: ArgumentParser,
            namespace: Namespace,
            values: Any,  # noqa: ANN401 (whatever the type of the option makes)
            option_string: str | None = None,
        ) -> None:
            """Store both."""
            del parser, option_string
            setattr(namespace, self.dest, values)
            if values is not None:  # a positional argument that is absent
                namespace.function = function

    return Runs

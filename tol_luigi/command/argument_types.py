"""The types of arguments, for argparse."""

from __future__ import annotations

from argparse import ArgumentTypeError

__all__ = ["nonempty", "positive"]


def positive(text: str) -> int:
    """Return a number of at least one."""
    if not text.isascii() or not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"{text}: not a number of at least 1")
    return int(text)


def nonempty(text: str) -> str:
    """Return a text that is not empty."""
    if not text:
        raise ArgumentTypeError("empty")
    return text

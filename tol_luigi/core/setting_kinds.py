"""Kinds of settings: the allowed texts in a settings file and their values."""

from __future__ import annotations

import codecs
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tol_luigi.core.license_names import parse_allowed
from tol_luigi.core.source_names import is_label

__all__ = [
    "Address",
    "AnyText",
    "Choice",
    "Encoding",
    "Expression",
    "Expressions",
    "Flag",
    "Formed",
    "Kind",
    "Licenses",
    "Limit",
    "Lines",
    "Names",
    "Numbers",
    "Pairs",
    "Place",
    "Sizes",
    "Subset",
    "Text",
    "Whole",
    "WholeOr",
    "Words",
    "size_of",
]


class Kind:
    """A kind of setting.

    Attributes:
        allowed: A description of the allowed texts, as the end of a sentence.
        hint: The part of it that a person needs who reads the purpose of the setting; "" if there is none.
        is_literal: Whether ``%`` and ``${NAME}`` have no other meaning in a settings file; ``%%`` is always ``%``.
    """

    allowed = "any text"
    hint = ""
    is_literal = False

    def parse(self, raw: str) -> Any:  # noqa: ANN401 (a value of any kind)
        """Return the value of a text.

        Raises:
            ValueError: The text is not allowed.
        """
        raise NotImplementedError

    def serialize(self, value: Any) -> str:  # noqa: ANN401 (as above)
        """Return the text that :meth:`parse` reads as a value."""
        return str(value)

    def redacted(self, raw: str) -> str:
        """Return an invalid text without secrets, for messages."""
        return raw


class AnyText(Kind):
    """Any text."""

    def parse(self, raw: str) -> str:
        """Return the text."""
        return raw


class Text(Kind):
    """A text that can be part of a file name."""

    allowed = "letters, digits, '.', '_' and '-', beginning with a letter or digit"

    def parse(self, raw: str) -> str:
        """Return the value of a text; raise ValueError if it is not allowed."""
        if not raw or not raw[0].isalnum() or not all(sign.isalnum() or sign in "._-" for sign in raw):
            raise ValueError(raw)
        return raw


class Formed(Kind):
    """A text that matches a pattern, or None if the setting is empty.

    Args:
        form: A regular expression for the complete text.
        allowed: A description of the pattern.
    """

    def __init__(self, form: str = "(?s).*", allowed: str = "any text") -> None:
        self.form, self.allowed = form, f"{allowed}, or empty"
        self.hint = "" if allowed == AnyText.allowed else allowed

    def parse(self, raw: str) -> str | None:
        """Return the value of a text; raise ValueError if it is not allowed."""
        if not re.fullmatch(self.form, raw) and raw:
            raise ValueError(raw)
        return raw or None

    def serialize(self, value: str | None) -> str:
        """Return the text that :meth:`parse` reads as a value."""
        return value or ""


class Expression(Formed):
    """An SQL expression, in which ``%`` is common."""

    is_literal = True


_ENDLESS = 1_000_000_000
"""A highest value that nobody needs to know."""


class Whole(Kind):
    """An integer within bounds."""

    def __init__(self, low: int, high: int) -> None:
        self.low, self.high = low, high
        self.allowed = f"an integer from {low} to {high}"
        self.hint = f"{low} to {high}" if high < _ENDLESS else f"from {low}"

    def parse(self, raw: str) -> int:
        """Return the value of a text; raise ValueError if it is not allowed."""
        value = int(raw)
        if not self.low <= value <= self.high:
            raise ValueError(raw)
        return value


class WholeOr(Whole):
    """An integer within bounds, or a word."""

    def __init__(self, low: int, high: int, word: str) -> None:
        super().__init__(low, high)
        self.word = word
        self.allowed, self.hint = f"{self.allowed}, or {word}", f"{self.hint}, or {word}"

    def parse(self, raw: str) -> int | str:  # type: ignore[override]  # a word is no integer
        """Return the value of a text; raise ValueError if it is not allowed."""
        return raw if raw == self.word else super().parse(raw)


class Limit(Kind):
    """The highest allowed count, or None for no limit."""

    allowed = "an integer from 0, or empty for no limit"

    def parse(self, raw: str) -> int | None:
        """Return the value of a text; raise ValueError if it is not allowed."""
        if not raw:
            return None
        value = int(raw)
        if value < 0:
            raise ValueError(raw)
        return value

    def serialize(self, value: int | None) -> str:
        """Return the text that :meth:`parse` reads as a value."""
        return "" if value is None else str(value)


class Choice(Kind):
    """One of a few words."""

    def __init__(self, *words: str) -> None:
        self.words = words
        self.allowed = self.hint = " or ".join(words)

    def parse(self, raw: str) -> str:
        """Return the value of a text; raise ValueError if it is not allowed."""
        if raw not in self.words:
            raise ValueError(raw)
        return raw


class Encoding(Kind):
    """The name of a text encoding."""

    allowed = "a text encoding that Python knows, such as utf-8, utf-16, cp1252 or latin-1"
    hint = "such as utf-16, cp1252 or latin-1"

    def parse(self, raw: str) -> str:
        """Return the value of a text; raise ValueError if it is not allowed."""
        try:
            "".encode(raw)
            return codecs.lookup(raw).name
        except LookupError as error:  # also if it is not a text encoding, such as hex
            raise ValueError(raw) from error


class Words(Kind):
    """Any texts, separated by commas, or None."""

    allowed = "any texts, separated by commas, or empty"
    hint = "separated by commas"

    def parse(self, raw: str) -> tuple[str, ...] | None:
        """Return the value of a text; raise ValueError if it is not allowed."""
        return tuple(dict.fromkeys(filter(None, (word.strip() for word in raw.split(","))))) or None

    def serialize(self, value: tuple[str, ...] | None) -> str:
        """Return the text that :meth:`parse` reads as a value."""
        return ",".join(value or ())


class Licenses(Words):
    """Names of licences, separated by commas, or None for all."""

    allowed = "names of licences, such as CC0, CC-BY or CC-BY-SA-4.0, or unknown, separated by commas, or empty for all"
    hint = "such as CC0, CC-BY, CC-BY-SA-4.0, unknown; separated by commas; if empty, all"

    def parse(self, raw: str) -> tuple[str, ...] | None:
        """Return the names as SPDX writes them; raise ValueError if one is not known."""
        words = super().parse(raw)
        return words and tuple(dict.fromkeys(map(parse_allowed, words)))


class Lines(Kind):
    """Any texts, one per line, or None."""

    allowed = "any texts, one per line, or empty"
    hint = "one per line"

    def parse(self, raw: str) -> tuple[str, ...] | None:
        """Return the lines of a text without surrounding blanks; empty lines are skipped."""
        return tuple(filter(None, map(str.strip, raw.splitlines()))) or None

    def serialize(self, value: tuple[str, ...] | None) -> str:
        """Return the text that :meth:`parse` reads as a value."""
        return "\n".join(value or ())


class Expressions(Lines):
    """SQL expressions, one per line."""

    is_literal = True


class Flag(Kind):
    """True or false."""

    allowed = "true or false"

    def parse(self, raw: str) -> bool:
        """Return the value of a text; raise ValueError if it is not allowed."""
        if raw.lower() not in {"true", "false"}:
            raise ValueError(raw)
        return raw.lower() == "true"

    def serialize(self, value: bool) -> str:
        """Return the text that :meth:`parse` reads as a value."""
        return str(value).lower()


class Address(Kind):
    """The URL of a database on a PostgreSQL server, without a password, or None."""

    allowed = hint = "postgresql://user@host:port/database, without a password"

    def parse(self, raw: str) -> str | None:
        """Return the value of a text; raise ValueError if it is not allowed."""
        address = urlsplit(raw)
        secret = address.password is not None or "password" in address.query
        if raw and (address.scheme != "postgresql" or secret):
            raise ValueError
        return raw or None

    def serialize(self, value: str | None) -> str:
        """Return the text that :meth:`parse` reads as a value."""
        return value or ""

    def redacted(self, raw: str) -> str:
        """Return a placeholder, because the text may contain a password."""
        return "..." if raw else raw


class Names(Kind):
    """Some of a set of names, separated by commas; all of them if the setting is empty.

    Args:
        names: The names.
        labelled: Those that may also have a label, as in ``name:label``.
    """

    def __init__(self, names: tuple[str, ...], labelled: tuple[str, ...] = ()) -> None:
        self.names, self.labelled = names, labelled
        shown = ", ".join([*names, *(f"{name}:<label>" for name in labelled)])
        self.allowed = self.hint = f"some of {shown}, separated by commas, or empty for all"

    def parse(self, raw: str) -> tuple[str, ...]:
        """Return the value of a text; raise ValueError if it is not allowed."""
        if not raw.strip():
            return self.names
        chosen = tuple(name.strip() for name in raw.split(",") if name.strip())
        if not chosen or not all(map(self._is_allowed, chosen)):
            raise ValueError(raw)
        return chosen

    def _is_allowed(self, name: str) -> bool:
        base, colon, label = name.partition(":")
        return base in self.labelled and is_label(label) if colon else name in self.names

    def serialize(self, value: tuple[str, ...]) -> str:
        """Return the text that :meth:`parse` reads as a value."""
        return "" if value == self.names else ",".join(value)


class Subset(Names):
    """Some of a set of names, separated by commas; none of them if the setting is empty."""

    def __init__(self, names: tuple[str, ...], labelled: tuple[str, ...] = ()) -> None:
        super().__init__(names, labelled)
        self.allowed = self.hint = self.allowed.removesuffix(" for all")

    def parse(self, raw: str) -> tuple[str, ...]:
        """Return the value of a text; raise ValueError if it is not allowed."""
        return super().parse(raw) if raw.strip() else ()

    def serialize(self, value: tuple[str, ...]) -> str:
        """Return the text that :meth:`parse` reads as a value."""
        return ",".join(value)


class Numbers(Kind):
    """A set of positive integers, in order."""

    allowed = "numbers from 1 to 999 and ranges of them, such as 1-3,7"
    hint = "such as 1-3,7"

    def parse(self, raw: str) -> tuple[int, ...]:
        """Return the value of a text; raise ValueError if it is not allowed."""
        numbers: set[int] = set()
        for item in raw.split(","):
            low, _, high = item.partition("-")
            numbers.update(range(int(low), int(high or low) + 1))
        if not numbers or not 1 <= min(numbers) <= max(numbers) <= 999:  # noqa: PLR2004 (as allowed)
            raise ValueError(raw)
        return tuple(sorted(numbers))

    def serialize(self, value: tuple[int, ...]) -> str:
        """Return the text that :meth:`parse` reads as a value."""
        return ",".join(map(str, value))


def size_of(text: str) -> tuple[int, int]:
    """Return width and height of ``<width>x<height>``; raise ValueError if the text is something else."""
    width, height = map(int, text.split("x"))
    return width, height


class Sizes(Kind):
    """A set of image sizes in pixels, as ``<width>x<height>``, in order."""

    def __init__(self, low: int, high: int) -> None:
        self.side = Whole(low, high)
        self.hint = "such as 384x384,512x512"
        self.allowed = f"sizes {self.hint}, each side {self.side.allowed}, or empty"

    def parse(self, raw: str) -> tuple[str, ...]:
        """Return the value of a text; raise ValueError if it is not allowed."""
        sizes = set()
        for item in filter(None, map(str.strip, raw.split(","))):
            for side in (size := size_of(item)):
                self.side.parse(str(side))
            sizes.add(size)
        return tuple(f"{width}x{height}" for width, height in sorted(sizes))

    def serialize(self, value: tuple[str, ...]) -> str:
        """Return the text that :meth:`parse` reads as a value."""
        return ",".join(value)


class Pairs(Kind):
    """Texts by name.

    Attributes:
        value_pattern: A regular expression for the values.
        names: The allowed names; empty if any name is allowed.
    """

    def __init__(self, value_pattern: str, allowed: str, names: tuple[str, ...] = ()) -> None:
        self.value_pattern = value_pattern
        self.names = names
        self.allowed = self.hint = allowed

    def parse(self, raw: str) -> tuple[tuple[str, str], ...]:
        """Return the value of a text; raise ValueError if it is not allowed."""
        found = {}
        for item in filter(None, (item.strip() for item in raw.split(","))):
            name, _, value = (part.strip() for part in item.partition("="))
            known = name in self.names if self.names else name
            if not known or name in found or not re.fullmatch(self.value_pattern, value):
                raise ValueError(raw)
            found[name] = value
        return tuple(found.items())

    def serialize(self, value: tuple[tuple[str, str], ...]) -> str:
        """Return the text that :meth:`parse` reads as a value."""
        return ",".join(f"{name}={text}" for name, text in value)


class Place(Kind):
    """A file or folder, or None if the setting is empty.

    A relative path is relative to the folder of the settings file.

    Attributes:
        kind: ``file``, ``folder`` or ``either`` for an existing path, or ``new`` for a folder that may be
            missing.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.allowed = {
            "file": "an existing file",
            "folder": "an existing folder",
            "either": "an existing file or folder",
            "new": "a folder, which is created if it is missing",
        }[kind]
        self.hint = "created if missing" if kind == "new" else ""

    def parse(self, raw: str) -> Path | None:
        """Return the value of a text; raise ValueError if it is not allowed."""
        return Path(raw).expanduser() if raw else None

    def serialize(self, value: Path | None) -> str:
        """Return the text that :meth:`parse` reads as a value."""
        return "" if value is None else str(value)

    def fault(self, path: Path) -> str:
        """Return why a path does not fit the setting, "" if it does."""
        try:
            return self._fault(path)
        except OSError as error:
            return f"{path} cannot be read: {error.strerror}"

    def _fault(self, path: Path) -> str:
        if self.kind == "new":
            existing = next(place for place in (path, *path.parents) if place.exists())
            return "" if existing.is_dir() else f"{existing} is not a folder"
        if not path.exists():
            return f"{path} is missing"
        fits = {"file": path.is_file, "folder": path.is_dir, "either": path.exists}[self.kind]()
        return "" if fits else f"{path} is not a {self.kind}"

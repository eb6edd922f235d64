"""Kinds of settings: Luigi parameters that check what they are given, and say what is allowed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import luigi

__all__ = [
    "Address",
    "Choice",
    "Flag",
    "Formed",
    "Limit",
    "Names",
    "Numbers",
    "Pairs",
    "Place",
    "Setting",
    "Text",
    "Whole",
]


class Setting(luigi.Parameter):
    """A setting.

    Attributes:
        allowed: What may stand there, as the end of a sentence.
    """

    allowed = "any text"

    def __init__(self, default: Any, description: str) -> None:  # noqa: ANN401
        super().__init__(default=default, description=f"{description}; {self.allowed}")

    def parse(self, raw: str) -> Any:  # noqa: ANN401
        """Read the text of a settings file.

        Raises:
            ValueError: The text is not allowed.
        """
        return raw

    def shown(self, raw: str) -> str:
        """Write a text that is not allowed as messages may show it."""
        return raw


class Text(Setting):
    """Some text that can be part of a file name."""

    allowed = "letters, digits, '.', '_' and '-', beginning with a letter or digit"

    def parse(self, raw: str) -> str:
        """See :meth:`Setting.parse`."""
        if not raw or not raw[0].isalnum() or not all(sign.isalnum() or sign in "._-" for sign in raw):
            raise ValueError(raw)
        return raw


class Formed(Setting):
    """Text of a certain form, or None where the setting is empty.

    Args:
        description: What it is for.
        form: A regular expression for the whole text.
        allowed: The form in words.
        default: As in the settings file.
    """

    def __init__(
        self, description: str, form: str = "(?s).*", allowed: str = "any text", default: str | None = None
    ) -> None:
        self.form, self.allowed = form, f"{allowed}, or nothing"
        super().__init__(default, description)

    def parse(self, raw: str) -> str | None:
        """See :meth:`Setting.parse`."""
        if not re.fullmatch(self.form, raw) and raw:
            raise ValueError(raw)
        return raw or None

    def serialize(self, value: str | None) -> str:
        """Write what :meth:`parse` reads."""
        return value or ""


class Whole(Setting):
    """A whole number within bounds."""

    def __init__(self, default: int, low: int, high: int, description: str) -> None:
        self.low, self.high = low, high
        self.allowed = f"a whole number from {low} to {high}"
        super().__init__(default, description)

    def parse(self, raw: str) -> int:
        """See :meth:`Setting.parse`."""
        value = int(raw)
        if not self.low <= value <= self.high:
            raise ValueError(raw)
        return value


class Limit(Setting):
    """The largest count accepted, or None for no limit."""

    allowed = "a whole number from 0, or nothing for no limit"

    def __init__(self, description: str) -> None:
        super().__init__(None, description)

    def parse(self, raw: str) -> int | None:
        """See :meth:`Setting.parse`."""
        if not raw:
            return None
        value = int(raw)
        if value < 0:
            raise ValueError(raw)
        return value

    def serialize(self, value: int | None) -> str:
        """Write what :meth:`parse` reads."""
        return "" if value is None else str(value)


class Choice(Setting):
    """One of a few words."""

    def __init__(self, default: str, words: tuple[str, ...], description: str) -> None:
        self.words = words
        self.allowed = " or ".join(words)
        super().__init__(default, description)

    def parse(self, raw: str) -> str:
        """See :meth:`Setting.parse`."""
        if raw not in self.words:
            raise ValueError(raw)
        return raw


class Flag(Setting):
    """True or false."""

    allowed = "true or false"

    def parse(self, raw: str) -> bool:
        """See :meth:`Setting.parse`."""
        if raw.lower() not in {"true", "false"}:
            raise ValueError(raw)
        return raw.lower() == "true"

    def serialize(self, value: bool) -> str:
        """Write what :meth:`parse` reads."""
        return str(value).lower()


class Address(Setting):
    """The address of a PostgreSQL server and of a database there, or None; never with a password."""

    allowed = "postgresql://user@host:port/database, with no password in it"

    def __init__(self, description: str) -> None:
        super().__init__(None, description)

    def parse(self, raw: str) -> str | None:
        """See :meth:`Setting.parse`."""
        address = urlsplit(raw)
        secret = address.password is not None or "password" in address.query
        if raw and (address.scheme != "postgresql" or secret):
            raise ValueError
        return raw or None

    def serialize(self, value: str | None) -> str:
        """Write what :meth:`parse` reads."""
        return value or ""

    def shown(self, raw: str) -> str:
        """Leave out what may be a password."""
        return "..." if raw else raw


class Names(Setting):
    """Some of a set of names, with commas between them."""

    def __init__(self, names: tuple[str, ...], description: str) -> None:
        self.names = names
        self.allowed = f"some of {', '.join(names)}, with commas between them"
        super().__init__(names, description)

    def parse(self, raw: str) -> tuple[str, ...]:
        """See :meth:`Setting.parse`."""
        given = tuple(name.strip() for name in raw.split(",") if name.strip())
        if not given or set(given) - set(self.names):
            raise ValueError(raw)
        return given

    def serialize(self, value: tuple[str, ...]) -> str:
        """Write what :meth:`parse` reads."""
        return ",".join(value)


class Numbers(Setting):
    """A set of whole numbers above zero, in order."""

    allowed = "numbers from 1 to 999 and ranges of them, such as 1-3,7"

    def parse(self, raw: str) -> tuple[int, ...]:
        """See :meth:`Setting.parse`."""
        numbers: set[int] = set()
        for item in raw.split(","):
            low, _, high = item.partition("-")
            numbers.update(range(int(low), int(high or low) + 1))
        if not numbers or not 1 <= min(numbers) <= max(numbers) <= 999:  # noqa: PLR2004 (as allowed)
            raise ValueError(raw)
        return tuple(sorted(numbers))

    def serialize(self, value: tuple[int, ...]) -> str:
        """Write what :meth:`parse` reads."""
        return ",".join(map(str, value))


class Pairs(Setting):
    """Texts by name.

    Attributes:
        value_pattern: What a value has to look like.
        names: The names there are, none where any will do.
    """

    def __init__(
        self,
        default: tuple[tuple[str, str], ...],
        description: str,
        value_pattern: str,
        allowed: str,
        names: tuple[str, ...] = (),
    ) -> None:
        self.value_pattern = value_pattern
        self.names = names
        self.allowed = allowed
        super().__init__(default, description)

    def parse(self, raw: str) -> tuple[tuple[str, str], ...]:
        """See :meth:`Setting.parse`."""
        found = {}
        for item in filter(None, (item.strip() for item in raw.split(","))):
            name, _, value = (part.strip() for part in item.partition("="))
            known = name in self.names if self.names else name
            if not known or name in found or not re.fullmatch(self.value_pattern, value):
                raise ValueError(raw)
            found[name] = value
        return tuple(found.items())

    def serialize(self, value: tuple[tuple[str, str], ...]) -> str:
        """Write what :meth:`parse` reads."""
        return ",".join(f"{name}={text}" for name, text in value)


class Place(Setting):
    """A file or folder, or None where the setting is empty.

    A relative path counts from the folder of the settings file that names it.

    Attributes:
        kind: ``file``, ``folder``, ``either`` (it has to exist) or ``new`` (it may not exist yet).
    """

    def __init__(self, kind: str, description: str, default: Path | None = None) -> None:
        self.kind = kind
        self.allowed = {
            "file": "a file that exists",
            "folder": "a folder that exists",
            "either": "a file or folder that exists",
            "new": "a folder, made where it is missing",
        }[kind]
        super().__init__(default, description)

    def parse(self, raw: str) -> Path | None:
        """See :meth:`Setting.parse`."""
        return Path(raw).expanduser() if raw else None

    def serialize(self, value: Path | None) -> str:
        """Write what :meth:`parse` reads."""
        return "" if value is None else str(value)

    def fault(self, path: Path) -> str:
        """Return why a path is not what the setting asks for, "" if it is."""
        if self.kind == "new":
            existing = next(place for place in (path, *path.parents) if place.exists())
            return "" if existing.is_dir() else f"{existing} is not a folder"
        if not path.exists():
            return f"{path} is missing"
        fits = {"file": path.is_file, "folder": path.is_dir, "either": path.exists}[self.kind]()
        return "" if fits else f"{path} is not a {self.kind}"

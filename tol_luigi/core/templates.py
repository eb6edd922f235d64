"""Further texts of samples, from templates such as ``{common}[, found in {country}]``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tol_luigi.core.samples import MEMBERS, one_line
from tol_luigi.core.taxon import RANK_LABELS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["TAXON_FIELDS", "Template", "columns_of", "parse_templates"]

TAXON_FIELDS = (*RANK_LABELS, "scientific", "taxonomic", "common")
"""The fields that every image has; the others are columns of a table of labels."""

_NAME = re.compile(r"(?:[A-Za-z0-9_]{1,55}\.)?txt")  # with the id and a dot, it fits into a tar header
_TOKENS = re.compile(r"(?P<literal>\{\{|\}\}|\[\[|\]\])|\{(?P<field>[^{}]+)\}|(?P<bracket>[\[\]{}])")

_Pieces = tuple[tuple[str, str], ...]
"""Literal texts, each with the name of the field after it, "" at the end of a part."""


@dataclass(frozen=True)
class _Part:
    """A part of a template; an optional one is left out if one of its fields is empty."""

    pieces: _Pieces
    is_optional: bool

    @property
    def fields(self) -> list[str]:
        return [field for _, field in self.pieces if field]

    def render(self, values: Mapping[str, str]) -> str:
        if self.is_optional and not all(values[field] for field in self.fields):
            return ""
        return "".join(f"{literal}{values[field] if field else ''}" for literal, field in self.pieces)


@dataclass(frozen=True)
class Template:
    """A template of a text.

    Attributes:
        name: The extension of the member, such as ``field_note.txt``.
        parts: Its parts.
    """

    name: str
    parts: tuple[_Part, ...]

    @property
    def fields(self) -> list[str]:
        """The fields, in order, each once."""
        return list(dict.fromkeys(field for part in self.parts for field in part.fields))

    @property
    def required(self) -> list[str]:
        """The fields outside of optional parts, which must not be empty."""
        return list(
            dict.fromkeys(field for part in self.parts if not part.is_optional for field in part.fields)
        )

    def render(self, values: Mapping[str, str]) -> str:
        """Return the text for these values of the fields, in one line."""
        return one_line("".join(part.render(values) for part in self.parts))


def parse_templates(lines: Iterable[str]) -> tuple[Template, ...]:
    """Parse templates.

    Args:
        lines: For each template ``<name> = <text>``. In a text, ``{field}`` is a field, ``[…]`` an optional part. Doubled braces
            and brackets are ordinary characters.

    Raises:
        ValueError: A name or a text is wrong; the message says what is wrong.
    """
    templates: list[Template] = []
    taken = {member.lower() for member in MEMBERS}
    for line in lines:
        name, equals, text = (part.strip() for part in line.partition("="))
        if not equals or not text:
            raise ValueError(f"{line!r} has no text: it is not of the form <name>.txt = <text>")
        if not _NAME.fullmatch(name):
            raise ValueError(
                f"{name!r} is not a name: it must be letters, digits and _ (at most 55) and end with .txt"
            )
        if name.lower() in taken:
            raise ValueError(
                f"{name!r} is taken by another member of the samples (upper and lower case do not count)"
            )
        taken.add(name.lower())
        try:
            templates.append(Template(name, tuple(_parts(text))))
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
    return tuple(templates)


def _parts(text: str) -> list[_Part]:
    parts: list[_Part] = []
    pieces: list[tuple[str, str]] = []
    literal, end, is_optional = "", 0, False

    def close() -> None:
        parts.append(_Part((*pieces, (literal, "")), is_optional))
        pieces.clear()

    for found in _TOKENS.finditer(text):
        literal += text[end : found.start()]
        end = found.end()
        if found["literal"]:
            literal += found["literal"][0]
        elif found["field"]:
            pieces.append((literal, found["field"].strip().lower()))
            literal = ""
        elif (found["bracket"] == "[") is is_optional or found["bracket"] in "{}":
            what = "is not closed, nested or empty; double it if it is meant as a character"
            raise ValueError(f"the {found['bracket']} at character {found.start() + 1} {what}")
        else:
            close()
            literal, is_optional = "", not is_optional
    if is_optional:
        raise ValueError("a [ is not closed; double it if it is meant as a character")
    literal += text[end:]
    close()
    if any(part.is_optional and not part.fields for part in parts):
        raise ValueError("a part in brackets has no field, so it would never be left out")
    return parts


def columns_of(templates: Iterable[Template]) -> list[str]:
    """Return the fields that are columns of a table of labels, in order, each once."""
    fields = (field for template in templates for field in template.fields)
    return list(dict.fromkeys(field for field in fields if field not in TAXON_FIELDS))

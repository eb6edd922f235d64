"""The names of sources, with and without a label: section ``[folder:pond]``, source ``folder-pond``.

The name of a source is part of file names, tables and catalogs, so it contains ``-`` where its section contains ``:``.
The name of a plugin contains neither of them, so each name can be computed from the other.
"""

from __future__ import annotations

import re

__all__ = ["LABEL", "as_label", "base_of", "is_label", "label_of", "section_of", "setting_of", "source_of"]

LABEL = "lower-case letters, digits, '_' and '-', beginning with a letter or digit, at most 40 characters"
"""The allowed labels, as the end of a sentence."""

_LABEL = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")


def section_of(name: str) -> str:
    """Return the name of the section, of a source or a section."""
    return name if ":" in name else name.replace("-", ":", 1)


def setting_of(name: str, key: str) -> str:
    """Return the name of a setting in messages, such as ``[folder:pond] labels``, of a source or a section."""
    return f"[{section_of(name)}] {key}"


def source_of(name: str) -> str:
    """Return the name of the source, of a source or a section."""
    return name.replace(":", "-", 1)


def base_of(name: str) -> str:
    """Return the name without the label, of a source or a section: the name of its plugin."""
    return section_of(name).partition(":")[0]


def label_of(name: str) -> str:
    """Return the label in the name of a source or a section; "" if it has none."""
    return section_of(name).partition(":")[2]


def as_label(name: str) -> str:
    """Return a name with the characters that a label may have."""
    return re.sub(r"[^a-z0-9_-]+", "-", name.lower()).strip("-_")[:40] or "mine"


def is_label(text: str) -> bool:
    """Return whether a text can be a label."""
    return _LABEL.fullmatch(text) is not None

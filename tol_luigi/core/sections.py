"""Sections of a settings file: one dataclass per section, whose fields are the keys.

    @dataclass(frozen=True)
    class ShardsSection(Section):
        section: ClassVar[str] = "shards"
        max_samples: int = setting(Whole(1, 10**9), 10_000, "the most samples in one shard", determines=True)

Each key declares whether it can change the bytes of the dataset, so a new key never prevents an existing
dataset from being continued.
"""

from __future__ import annotations

import dataclasses
import functools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from tol_luigi.core.setting_kinds import Formed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tol_luigi.core.setting_kinds import Kind

__all__ = ["Section", "Setting", "SourceSection", "setting"]

_SETTING = "setting"


@dataclass(frozen=True)
class Setting:
    """One key of a section.

    Attributes:
        kind: The allowed texts and their meaning.
        default: The value if no settings file contains the key.
        description: The purpose, and what else a person needs to know of the allowed texts.
        determines: Whether it can change the bytes of the dataset, and so is recorded in ``dataset.json``.
        is_recorded: Whether its default is recorded there, too. Keys added after the first release are not,
            so that datasets started without them can be continued.
    """

    kind: Kind
    default: Any
    description: str
    determines: bool
    is_recorded: bool


def setting(
    kind: Kind,
    default: Any,  # noqa: ANN401 (a value of any kind)
    description: str,
    *,
    determines: bool = False,
    is_recorded: bool = True,
) -> Any:  # noqa: ANN401 (a field of any type)
    """Return a field of a section; see :class:`Setting`."""
    info = Setting(kind, default, _described(description, kind.hint), determines, is_recorded)
    return dataclasses.field(default=default, metadata={_SETTING: info})


def _described(description: str, hint: str) -> str:
    """Return a description and the hint of its kind, unless the description contains all words of the hint."""
    words = set(re.findall(r"\w+", hint)) - {"or"}
    return description if words <= set(re.findall(r"\w+", description)) else f"{description}; {hint}"


@dataclass(frozen=True)
class Section:
    """A section of a settings file, with the values of its keys."""

    section: ClassVar[str]
    """Its name."""

    @classmethod
    @functools.cache  # called for each key
    def settings(cls) -> Mapping[str, Setting]:
        """Return the settings of the section by key, in the order of the settings file."""
        return {field.name: field.metadata[_SETTING] for field in dataclasses.fields(cls)}


@dataclass(frozen=True)
class SourceSection(Section):
    """The section of a source, which is used if ``images`` is set."""

    images: Path | None
    license: str | None = setting(
        Formed(r"\S.*", "one line"),
        None,
        "the licence of all images without one of their own, such as CC-BY-4.0, if their publisher states one",
    )

    @classmethod
    def labelled(cls, label: str, key: str) -> type[Self]:
        """Return the section of the same keys with a label in its name; the label is the default of one key."""
        given = dataclasses.replace(cls.settings()[key], default=label)
        field = dataclasses.field(default=label, metadata={_SETTING: given})
        names = {"section": f"{cls.section}:{label}", "__doc__": cls.__doc__}
        return dataclasses.make_dataclass(
            cls.__name__, [(key, str, field)], bases=(cls,), namespace=names, frozen=True
        )

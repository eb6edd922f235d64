"""Sections of a settings file: one dataclass each, whose fields are its keys.

    @dataclass(frozen=True)
    class ShardsSection(Section):
        section: ClassVar[str] = "shards"
        max_samples: int = setting(Whole(1, 10**9), 10_000, "the most samples in one shard", determines=True)

A key says itself whether it can change a byte of the dataset, so a new one never makes an existing dataset refuse to
go on.
"""

from __future__ import annotations

import dataclasses
import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

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
        kind: The texts that are allowed, and what they mean.
        default: The value where no settings file has the key.
        description: What it is for; the end of a sentence says what is allowed.
        determines: Whether it can change a byte of the dataset, and so is recorded in ``dataset.json``.
        is_recorded: Whether it is recorded there at its default, too. Keys that came after the first release are not: so
            datasets that were begun without them go on.
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
    info = Setting(kind, default, f"{description}; {kind.allowed}", determines, is_recorded)
    return dataclasses.field(default=default, metadata={_SETTING: info})


@dataclass(frozen=True)
class Section:
    """A section of a settings file, with the values of its keys."""

    section: ClassVar[str]
    """Its name."""

    @classmethod
    @functools.cache  # asked for key by key
    def settings(cls) -> Mapping[str, Setting]:
        """Return the settings of the section by their keys, in the order of the settings file."""
        return {field.name: field.metadata[_SETTING] for field in dataclasses.fields(cls)}


@dataclass(frozen=True)
class SourceSection(Section):
    """The section of a source. A source is used if its images are named."""

    images: Path | None

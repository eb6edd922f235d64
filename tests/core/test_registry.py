"""Plugins of other packages are added by name; one that cannot be used is named, and stops nothing else."""

from __future__ import annotations

from importlib.metadata import EntryPoint, EntryPoints
from typing import Any

import pytest

from tol_luigi.core import registry

GROUP = "tol_luigi.sources"


def check(loaded: Any) -> tuple[str, str]:
    if not isinstance(loaded, str):
        raise ValueError("is no plugin,\nbut a module")  # noqa: TRY004 (which a plugin is refused with)
    return loaded, f"plugin {loaded}"


@pytest.fixture(autouse=True)
def _entries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two plugins, a module that is none, one that is missing, and one of another group."""
    monkeypatch.setattr(registry, "FAULTS", [])
    entries = EntryPoints(
        [
            EntryPoint("z", "string:digits", GROUP),
            EntryPoint("a", "string:octdigits", GROUP),
            EntryPoint("m", "string", GROUP),
            EntryPoint("n", "no_module_of_this_name", GROUP),
            EntryPoint("o", "string:ascii_lowercase", "another group"),
        ]
    )
    monkeypatch.setattr(registry, "entry_points", lambda group: entries.select(group=group))


def test_plugins_are_added_in_the_order_of_their_names() -> None:
    found = {"eol": "plugin eol"}
    registry.add_plugins(GROUP, found, check)

    assert list(found.items()) == [
        ("eol", "plugin eol"),
        ("01234567", "plugin 01234567"),
        ("0123456789", "plugin 0123456789"),
    ]


def test_a_plugin_that_cannot_be_used_is_named() -> None:
    registry.add_plugins(GROUP, {}, check)

    assert [str(fault) for fault in registry.FAULTS] == [
        f"{GROUP}: m = string: is no plugin, but a module. Correct that package, or uninstall it.",
        (
            f"{GROUP}: n = no_module_of_this_name: No module named 'no_module_of_this_name'. "
            "Correct that package, or uninstall it."
        ),
    ]


def test_a_name_that_is_taken_stays_with_the_one_that_has_it() -> None:
    found = {"01234567": "ours"}
    registry.add_plugins(GROUP, found, check)

    assert found == {"01234567": "ours", "0123456789": "plugin 0123456789"}
    assert registry.FAULTS[0].what == "a plugin called 01234567 already exists"

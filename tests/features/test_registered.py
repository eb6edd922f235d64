"""Where extractors come from: files of the user and other packages, of which any can be faulty."""

from __future__ import annotations

from importlib.metadata import EntryPoint, EntryPoints
from typing import TYPE_CHECKING, Any

import pytest
import shards

from tol_luigi.core import registry as plugins
from tol_luigi.core.errors import SettingsError
from tol_luigi.features import registry
from tol_luigi.features.d2m.custom import load_custom
from tol_luigi.features.extractor import Options
from tol_luigi.features.registry import resolve

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("load", [registry.load_file, load_custom], ids=["ours", "of dataset2metadata"])
@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("import sys; sys.exit(0)", r"\(SystemExit: 0\)"),
        ("def (", r"\(SyntaxError: "),
        ("1 / 0", "division by zero"),
    ],
)
def test_a_file_that_cannot_be_loaded_is_one_line(tmp_path: Path, load: Any, content: str, said: str) -> None:
    file = tmp_path / "own.py"
    file.write_text(content)
    with pytest.raises(SettingsError, match=rf"own\.py: .*cannot be loaded.*{said}"):
        load(file)


class Named(shards.Mean):
    """An extractor whose package names it in the class."""

    name = "named"


def test_extractors_of_other_packages_are_found_and_a_faulty_one_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def installed(**values: str) -> None:
        points = [EntryPoint(name, value, "tol_luigi.extractors") for name, value in values.items()]
        monkeypatch.setattr(plugins, "entry_points", lambda group: EntryPoints(points).select(group=group))
        registry.add_plugins("tol_luigi.extractors", found, registry._check)

    found = dict(registry._FOUND)
    monkeypatch.setattr(registry, "_FOUND", found)
    installed(first="shards:Mean", second=f"{__name__}:Named")  # the one is registered by its decorator
    assert [one.name for one in resolve(["mean", "named"], Options())] == ["mean", "named"]
    assert plugins.FAULTS == []
    monkeypatch.setattr(plugins, "FAULTS", faults := [])
    monkeypatch.setattr(registry, "FAULTS", faults)
    installed(third="json:JSONDecoder")
    with pytest.raises(SettingsError, match="third = json:JSONDecoder: it is not a subclass of Extractor"):
        resolve(["mean"], Options())

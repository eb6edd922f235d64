"""Another package can bring a format; one that cannot be used is reported, and stops nothing else."""

from __future__ import annotations

import importlib
import sys
from importlib.metadata import EntryPoint, EntryPoints
from typing import TYPE_CHECKING

import pytest

from tol_luigi.core import registry
from tol_luigi.taxonomy import importers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GROUP = "tol_luigi.taxonomies"

MODULE = """
import pyarrow as pa

from tol_luigi.taxonomy.importers import Importer
from tol_luigi.taxonomy.records import TAXA, Records


def read(path, prefix, vernaculars=None):
    row = {"uid": "1", "parent": None, "name": path.read_text().strip(), "authorship": "", "rank": "", "code": "", "flags": 0}
    return Records(prefix, pa.Table.from_pylist([row | {"sources": ""}], schema=TAXA))


HERBARIUM = Importer(
    name="herbarium", description="a name", place="a file", read=read, recognises=lambda path: path.suffix == ".name"
)
MISNAMED = Importer(name="Herb arium", description="", place="", read=read, recognises=lambda path: False)
"""


@pytest.fixture
def _plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A package with a format, one with a wrong name, one that is no format, and one that is missing."""
    (tmp_path / "herbarium_formats.py").write_text(MODULE, encoding="utf-8")
    values = {
        "a": "herbarium_formats:HERBARIUM",
        "b": "herbarium_formats:MISNAMED",
        "c": "string:digits",
        "d": "nowhere",
    }
    entries = EntryPoints([EntryPoint(name, value, GROUP) for name, value in values.items()])
    with monkeypatch.context() as patch:
        patch.syspath_prepend(tmp_path)
        patch.setattr(registry, "FAULTS", [])
        patch.setattr(registry, "entry_points", lambda group: entries.select(group=group))
        importlib.reload(importers)
        yield
    sys.modules.pop("herbarium_formats", None)
    importlib.reload(importers)


@pytest.mark.usefixtures("_plugins")
def test_a_package_brings_a_format(tmp_path: Path) -> None:
    (tmp_path / "x.name").write_text("Aus bus\n", encoding="utf-8")
    assert "herbarium" in importers.IMPORTERS
    for form in ("herbarium", importers.AUTO):
        records = importers.import_taxonomy(form, tmp_path / "x.name", "h")
        assert (records.prefix, records.taxa["name"].to_pylist()) == ("h", ["Aus bus"])
    faults = [str(fault) for fault in registry.FAULTS]
    assert len(faults) == 3
    assert all(fault.startswith(f"{GROUP}: ") for fault in faults)
    assert "'Herb arium' is not of the form" in faults[0]
    assert "not an Importer" in faults[1]

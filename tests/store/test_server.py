"""The schema of a dataset on a server; what is read from there and written is tested with a server."""

from __future__ import annotations

from pathlib import Path

from tol_luigi.store.server import schema_name


def test_datasets_of_one_tag_have_schemas_of_their_own() -> None:
    names = [schema_name(Path(folder)) for folder in ("/a/sample", "/b/sample", "/a/other")]

    assert [name[:-9] for name in names] == ["sample", "sample", "other"]
    assert len(set(names)) == 3
    assert all(name[-9] == "_" and int(name[-8:], 16) >= 0 for name in names)
    assert schema_name(Path("/a/sample")) == names[0]


def test_the_name_of_a_schema_is_no_longer_than_a_server_takes() -> None:
    name = schema_name(Path("/a") / ("ä" * 60))

    assert name[:-9] == "ä" * 20
    assert len(name.encode()) <= 63

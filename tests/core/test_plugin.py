"""A plugin that does not fit together is refused with what is wrong; one that does opens as its section says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tol_luigi.core.source import IMAGE_ID, Column, Labeler, NaturalKey
from tol_luigi.sources.eol import EOL, EolSection
from tol_luigi.sources.folder import FOLDER, FolderSection

KEY = EOL.key


def key(*columns: Column, spelling: str = "{}/{}", name_column: str = IMAGE_ID) -> NaturalKey:
    return NaturalKey(columns, spelling, name_column)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        pytest.param({}, "", id="nothing"),
        pytest.param(
            {"name": "Eol"}, "its name 'Eol' does not consist of lower-case letters, digits and _", id="case"
        ),
        pytest.param({"name": "1eol"}, "its name '1eol' does not consist of", id="a digit first"),
        pytest.param({"name": "eol/x"}, "its name 'eol/x' does not consist of", id="a letter that is none"),
        pytest.param({"name": 7}, "its name 7 does not consist of", id="a number"),
        pytest.param({"name": "other"}, "its section is called 'eol', not 'other'", id="another section"),
        pytest.param({"section": dict}, "its section is not a subclass of SourceSection", id="another class"),
        pytest.param({"section": "eol"}, "its section is not a subclass of SourceSection", id="no class"),
        pytest.param({"required_table": "names"}, "its section has no names", id="a required table"),
        pytest.param({"collection_key": "title"}, "its section has no title", id="the name of collections"),
        pytest.param(
            {"license_tables": ("b", "media_manifests"), "name_tables": ("a",)},
            "its section has no a, b",
            id="keys that the section does not have",
        ),
        pytest.param({"key": key()}, "its natural key has the columns none", id="no key"),
        pytest.param(
            {"key": key(KEY.columns[0], KEY.columns[0])},
            "its natural key has the columns content_id, content_id",
            id="a column twice",
        ),
        pytest.param(
            {"key": key(Column(IMAGE_ID, "x", str), spelling="{}")},
            f"its natural key has the columns {IMAGE_ID}",
            id="the id as a column",
        ),
        pytest.param(
            {"key": replace(KEY, name_column="genus")},
            "names are looked up by genus, which is not part of its natural key",
            id="names by something else",
        ),
        pytest.param(
            {"key": replace(KEY, spelling="{}/{}/{}")},
            "its natural key of 2 parts cannot be formatted with '{}/{}/{}'",
            id="a part too many",
        ),
        pytest.param(
            {"key": replace(KEY, spelling="{a}")}, "cannot be formatted with '{a}'", id="a part by name"
        ),
        pytest.param({"key": replace(KEY, spelling="{")}, "cannot be formatted with '{'", id="a lone brace"),
        pytest.param({"key": replace(KEY, name_column=IMAGE_ID)}, "", id="names by the id"),
    ],
)
def test_what_is_wrong_with_a_plugin(changes: dict[str, Any], fault: str) -> None:
    found = replace(EOL, **changes).fault()
    assert fault in found if fault else found == ""


def test_each_table_is_named_once_in_the_order_of_its_uses() -> None:
    plugin = replace(
        EOL,
        listing_tables=("d",),
        name_tables=("b", "a"),
        common_name_tables=("a", "c"),
        license_tables=("d", "e"),
    )
    assert plugin.tables == ("d", "b", "a", "c", "e")


def test_a_source_is_opened_with_its_settings(tmp_path: Path) -> None:
    section = EolSection(images=tmp_path / "named")
    source = EOL.open(section, tmp_path)

    assert (source.name, source.columns, source.key) == ("eol", EOL.columns, EOL.key)
    assert source.reader.images == tmp_path
    asked = []
    licensed = replace(EOL, licenses=lambda given: iter(asked.append(given) or ()))
    assert list(licensed.open(section, tmp_path).licenses()) == []
    assert asked == [section]
    assert list(replace(EOL, licenses=None).open(section, tmp_path).licenses()) == []


def test_a_collection_with_a_label_is_a_source_of_its_own() -> None:
    pond = FOLDER.labelled("pond")
    assert (pond.name, pond.section.section, pond.key) == ("folder-pond", "folder:pond", FOLDER.key)
    assert issubclass(pond.section, FolderSection)
    assert list(pond.section.settings()) == list(FolderSection.settings())
    assert (pond.section().name, FolderSection().name) == ("pond", "own")
    assert pond.section.settings()["name"].default == "pond"


def test_published_sources_are_those_of_the_published_dataset(tmp_path: Path) -> None:
    assert EOL.is_published is True
    assert FOLDER.is_published is False
    section = EolSection(images=tmp_path)
    for is_published in (True, False):
        source = replace(EOL, is_published=is_published).open(section, tmp_path)
        assert source.is_published is is_published


def test_only_a_labeler_that_lists_its_labels_is_compared_with_images() -> None:
    class Silent(Labeler):
        """Names nothing, and lists no labels."""

        def entries(self, *tables: Any) -> Any:
            return iter(tables)

    assert EOL.labeler(EolSection()).has_labels
    assert FOLDER.labeler(FolderSection(labels=Path("labels.csv"))).has_labels
    assert not Silent().has_labels

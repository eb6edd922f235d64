"""The names of sources and sections, with and without a label."""

from __future__ import annotations

import pytest

from tol_luigi.core.source_names import as_label, base_of, is_label, label_of, section_of, source_of

NAMES = [
    pytest.param("folder", "folder", "folder", "", id="no label"),
    pytest.param("folder:pond", "folder-pond", "folder", "pond", id="a label"),
    pytest.param("folder:a-b_2", "folder-a-b_2", "folder", "a-b_2", id="a label with a hyphen"),
]


@pytest.mark.parametrize(("section", "source", "base", "label"), NAMES)
def test_each_name_follows_from_the_other(section: str, source: str, base: str, label: str) -> None:
    assert (source_of(section), section_of(source)) == (source, section)
    for name in (section, source):
        assert (source_of(name), section_of(name), base_of(name), label_of(name)) == (
            source,
            section,
            base,
            label,
        )


@pytest.mark.parametrize("label", ["a", "0", "pond", "camera_1", "2024-05", "a" * 40])
def test_labels(label: str) -> None:
    assert is_label(label)


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("pond", "pond"),
        ("North Pond (2024)", "north-pond-2024"),
        ("Étang", "tang"),
        ("—", "mine"),
        ("x" * 50, "x" * 40),
    ],
)
def test_a_label_for_any_name(name: str, label: str) -> None:
    assert as_label(name) == label
    assert is_label(label)


@pytest.mark.parametrize("label", ["", "Pond", "-a", "_a", "a b", "a:b", "a/b", "a.b", "é", "a\n", "a" * 41])
def test_other_texts(label: str) -> None:
    assert not is_label(label)

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tol_luigi.core.templates import columns_of, parse_templates


def render(text: str, **values: str) -> str:
    (template,) = parse_templates([f"note.txt = {text}"])
    return template.render({**dict.fromkeys(template.fields, ""), **values})


@pytest.mark.parametrize(
    ("text", "values", "rendered"),
    [
        pytest.param("A photo.", {}, "A photo.", id="no field"),
        pytest.param("{common}, {genus}!", {"common": "owl", "genus": "Strix"}, "owl, Strix!", id="fields"),
        pytest.param(
            "{ Country }", {"country": "Peru"}, "Peru", id="case and blanks of a field do not count"
        ),
        pytest.param("a[ in {country}].", {"country": "Peru"}, "a in Peru.", id="an optional part"),
        pytest.param("a[ in {country}].", {}, "a.", id="is left out where its field is empty"),
        pytest.param("[{a}, {b}]", {"a": "x"}, "", id="or one of its fields"),
        pytest.param("[{a}][ {b}]", {"b": "x"}, " x", id="each for itself"),
        pytest.param("{{a}} [[b]] {a}", {"a": "x"}, "{a} [b] x", id="doubled signs are characters"),
        pytest.param("{a} b = c", {"a": "x\n\0y"}, "x y b = c", id="a text is one line"),
        pytest.param("{a}", {"a": "{b} [c]"}, "{b} [c]", id="values are no templates"),
    ],
)
def test_a_text_is_made_of_its_fields(text: str, values: dict[str, str], rendered: str) -> None:
    assert render(text, **values) == rendered


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("note.txt", "'note.txt' has no text"),
        ("note.txt =", "has no text"),
        ("note = a", "'note' is not a name"),
        ("a/b.txt = a", "is not a name"),
        ("a.b.txt = a", "is not a name"),
        (f"{'a' * 56}.txt = a", "is not a name"),
        ("sci.txt = a", "'sci.txt' is taken by another member"),
        ("TAXONtag.txt = a", "'TAXONtag.txt' is taken"),
        ("note.txt = {a", "note.txt: the { at character 1 is not closed"),
        ("note.txt = a {}", "note.txt: the { at character 3 is not closed, nested or empty"),
        ("note.txt = a}", "the } at character 2"),
        ("note.txt = [a [{b}]]", "note.txt: the [ at character 4 is"),
        ("note.txt = {a}]", "the ] at character 4"),
        ("note.txt = [{a}", "note.txt: a [ is not closed"),
        ("note.txt = [a]", "note.txt: a part in brackets has no field"),
    ],
)
def test_a_wrong_template_says_what_is_wrong(line: str, what: str) -> None:
    with pytest.raises(ValueError, match=r".") as raised:
        parse_templates([line])

    assert what in str(raised.value)


def test_two_templates_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match=r"'Note\.txt' is taken"):
        parse_templates(["note.txt = a", "Note.txt = b"])


def test_open_clip_finds_its_text() -> None:
    assert [template.name for template in parse_templates(["txt = a"])] == ["txt"]


def test_fields_of_the_taxon_are_no_columns() -> None:
    templates = parse_templates(["a.txt = {common} {country}[ {site}]", "b.txt = {Site}, {species}"])

    assert columns_of(templates) == ["country", "site"]
    assert [template.required for template in templates] == [["common", "country"], ["site", "species"]]


@given(
    st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=30).map(
        str.strip
    )
)
def test_any_text_can_be_written(text: str) -> None:
    doubled = text
    for sign in "{}[]":
        doubled = doubled.replace(sign, sign * 2)
    if text:
        assert render(doubled) == text

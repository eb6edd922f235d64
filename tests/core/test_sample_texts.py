from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tol_luigi.core.sample_texts import SampleForm, decoded_texts, encoded_texts
from tol_luigi.core.samples import MEMBERS, TEXTS

values = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
texts = st.builds(
    lambda ten, further: {**ten, **further},
    st.fixed_dictionaries(dict.fromkeys(TEXTS, values)),
    st.dictionaries(st.sampled_from(["txt", "note.txt", "a_b.txt"]), values),
)


@given(texts, st.booleans())
def test_texts_are_read_as_they_were_written(written: dict[str, str], is_json: bool) -> None:
    members = {**encoded_texts(written, is_json=is_json), "jpg": b"\xff\xd8"}
    form = SampleForm(tuple(set(written) - set(TEXTS)), is_json)

    assert decoded_texts(members) == written
    assert list(decoded_texts(members)) == list(form.names)
    assert tuple(sorted(members)) == form.members


def test_the_members_are_those_of_the_published_dataset_by_default() -> None:
    assert SampleForm.of_record({}).members == MEMBERS
    assert SampleForm(("note.txt",)).members == (*MEMBERS[:3], "note.txt", *MEMBERS[3:])


def test_one_json_member_takes_the_place_of_all_texts_but_the_caption() -> None:
    record = {"texts.form": "json", "texts.templates": ["txt = {common}", "note.txt = a = b"]}
    members = encoded_texts({"sci.txt": "a", "note.txt": "ü", "txt": "c"}, is_json=True)

    assert SampleForm.of_record(record).members == ("jpg", "json", "txt")
    assert members == {"json": '{"note":"ü","sci":"a"}'.encode(), "txt": b"c"}


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff", b'{"a":'])
def test_damaged_texts_are_errors(content: bytes) -> None:
    with pytest.raises((ValueError, AttributeError)):
        decoded_texts({"json": content})


def test_names_outside_ascii_are_plain_text() -> None:
    content = encoded_texts({"sci.txt": "a photo of Ångström\u2028."}, is_json=True)["json"]

    assert "Ångström" in content.decode()
    assert json.loads(content) == {"sci": "a photo of Ångström\u2028."}

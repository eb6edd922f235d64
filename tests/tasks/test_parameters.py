from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tol_luigi.tasks.parameters import Address, Choice, Flag, Limit, Names, Place, Setting, Text, Whole
from tol_luigi.tasks.sections import SECTIONS

WHOLE = Whole(5, 0, 100, "percent")
LIMIT = Limit("kingdoms")
TEXT = Text("dev", "the tag")
CHOICE = Choice("exact", ("exact", "scaled"), "how")
FLAG = Flag(default=True, description="whether")
NAMES = Names(("eol", "bioscan", "inat21"), "the sources")
ADDRESS = Address("a server")
PLACE = Place("either", "a place")


@pytest.mark.parametrize(
    ("setting", "raw", "value"),
    [
        pytest.param(WHOLE, "0", 0, id="the lowest number"),
        pytest.param(WHOLE, "100", 100, id="the highest number"),
        pytest.param(LIMIT, "", None, id="nothing is no limit"),
        pytest.param(LIMIT, "0", 0, id="nought is a limit"),
        pytest.param(TEXT, "v3.3_a-b", "v3.3_a-b", id="letters, digits and signs"),
        pytest.param(CHOICE, "scaled", "scaled", id="one of the words"),
        pytest.param(FLAG, "true", True, id="true"),
        pytest.param(FLAG, "False", False, id="false, however it is written"),
        pytest.param(NAMES, "inat21, eol", ("inat21", "eol"), id="names with a blank"),
        pytest.param(NAMES, "eol,", ("eol",), id="a comma too many"),
        pytest.param(ADDRESS, "", None, id="no server"),
        pytest.param(ADDRESS, "postgresql://me@host:5433/db", "postgresql://me@host:5433/db", id="a server"),
        pytest.param(ADDRESS, "postgresql:///db", "postgresql:///db", id="the server of this machine"),
        pytest.param(PLACE, "", None, id="no place"),
        pytest.param(PLACE, "a b/c.tar", Path("a b/c.tar"), id="a place with a blank"),
        pytest.param(PLACE, "~/a", Path.home() / "a", id="the home folder"),
    ],
)
def test_what_is_allowed(setting: Setting, raw: str, value: Any) -> None:
    assert setting.parse(raw) == value
    assert type(setting.parse(raw)) is type(value)


@pytest.mark.parametrize(
    ("setting", "raw"),
    [
        pytest.param(WHOLE, "-1", id="below the lowest"),
        pytest.param(WHOLE, "101", id="above the highest"),
        pytest.param(WHOLE, "5.0", id="a fraction"),
        pytest.param(WHOLE, "5%", id="a sign behind the number"),
        pytest.param(WHOLE, "", id="no number"),
        pytest.param(LIMIT, "-1", id="a limit below nought"),
        pytest.param(LIMIT, "none", id="a word where a limit belongs"),
        pytest.param(TEXT, "", id="no text"),
        pytest.param(TEXT, "..", id="the folder above"),
        pytest.param(TEXT, ".hidden", id="a hidden name"),
        pytest.param(TEXT, "-x", id="what looks like an option"),
        pytest.param(TEXT, "a/b", id="a path"),
        pytest.param(TEXT, "a b", id="a blank"),
        pytest.param(TEXT, "a\n", id="a line end"),
        pytest.param(CHOICE, "Exact", id="a word written otherwise"),
        pytest.param(CHOICE, "", id="no word"),
        pytest.param(FLAG, "yes", id="yes is not true"),
        pytest.param(FLAG, "1", id="one is not true"),
        pytest.param(FLAG, "", id="neither true nor false"),
        pytest.param(ADDRESS, "mysql://host/db", id="a server of another kind"),
        pytest.param(ADDRESS, "host/db", id="no address"),
        pytest.param(ADDRESS, "postgresql://me:secret@host/db", id="a password"),
        pytest.param(ADDRESS, "postgresql://host/db?password=secret", id="a password behind it"),
        pytest.param(NAMES, "eol,gbif", id="an unknown name"),
        pytest.param(NAMES, "eol bioscan", id="no comma between names"),
        pytest.param(NAMES, "", id="no name"),
    ],
)
def test_what_is_refused(setting: Setting, raw: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (the message is made by the caller, from what is allowed)
        setting.parse(raw)


@pytest.mark.parametrize(
    ("setting", "values"),
    [
        pytest.param(WHOLE, st.integers(0, 100), id="numbers"),
        pytest.param(LIMIT, st.none() | st.integers(0), id="limits"),
        pytest.param(TEXT, st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]*", fullmatch=True), id="texts"),
        pytest.param(CHOICE, st.sampled_from(["exact", "scaled"]), id="words"),
        pytest.param(FLAG, st.booleans(), id="flags"),
        pytest.param(NAMES, st.permutations(["eol", "bioscan", "inat21"]).map(tuple), id="names"),
        pytest.param(PLACE, st.none() | st.text("ab./ ", min_size=1).map(Path), id="places"),
    ],
)
@given(data=st.data())
def test_what_is_written_is_read_back(
    setting: Setting, values: st.SearchStrategy[Any], data: st.DataObject
) -> None:
    value = data.draw(values)
    assert setting.parse(setting.serialize(value)) == value


@pytest.mark.parametrize(
    ("kind", "fitting"),
    [
        pytest.param("file", {"a.csv"}, id="a file has to be a file"),
        pytest.param("folder", {"images"}, id="a folder has to be a folder"),
        pytest.param("either", {"a.csv", "images"}, id="either has to exist"),
        pytest.param("new", {"images", "absent"}, id="a new one need not exist"),
    ],
)
def test_fits(tmp_path: Path, kind: str, fitting: set[str]) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "a.csv").touch()
    place = Place(kind, "a place")

    assert {name for name in ("a.csv", "images", "absent") if not place.fault(tmp_path / name)} == fitting


@pytest.mark.parametrize(
    ("setting", "allowed"),
    [
        (WHOLE, "a whole number from 0 to 100"),
        (LIMIT, "a whole number from 0, or nothing for no limit"),
        (CHOICE, "exact or scaled"),
        (FLAG, "true or false"),
        (NAMES, "some of eol, bioscan, inat21, with commas between them"),
        (PLACE, "a file or folder that exists"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_the_description_says_what_is_allowed(setting: Setting, allowed: str) -> None:
    assert setting.description.endswith(f"; {allowed}")


def test_every_default_is_allowed() -> None:
    for section in SECTIONS:
        made = section()
        for key, parameter in section.get_params():
            value = getattr(made, key)
            assert parameter.parse(parameter.serialize(value)) == value, f"{section.__name__}.{key}"

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tol_luigi.core.setting_kinds import (
    Address,
    Choice,
    Encoding,
    Flag,
    Kind,
    Licenses,
    Limit,
    Names,
    Pairs,
    Place,
    Sizes,
    Subset,
    Text,
    Whole,
    WholeOr,
    Words,
)
from tol_luigi.tasks.sections import SECTIONS

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from tol_luigi.core.sections import Setting

WHOLE = Whole(0, 100)
QUALITY = WholeOr(1, 100, "lossless")
LIMIT = Limit()
TEXT = Text()
CHOICE = Choice("exact", "scaled")
FLAG = Flag()
NAMES = Names(("eol", "bioscan", "inat21"))
SUBSET = Subset(("eol", "bioscan", "inat21"))
LABELLED = Names(("eol", "folder"), labelled=("folder",))
ADDRESS = Address()
PLACE = Place("either")
ENCODING = Encoding()
WORDS = Words()
LICENSES = Licenses()
SIZES = Sizes(1, 512)


@pytest.mark.parametrize(
    ("kind", "raw", "value"),
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
        pytest.param(NAMES, "", ("eol", "bioscan", "inat21"), id="nothing is all"),
        pytest.param(SUBSET, " ", (), id="nothing is none"),
        pytest.param(SUBSET, "inat21, eol", ("inat21", "eol"), id="some of the names"),
        pytest.param(LABELLED, "eol,folder:pond", ("eol", "folder:pond"), id="a name with a label"),
        pytest.param(QUALITY, "80", 80, id="a number where a word may be"),
        pytest.param(QUALITY, "lossless", "lossless", id="a word instead of a number"),
        pytest.param(ADDRESS, "", None, id="no server"),
        pytest.param(ADDRESS, "postgresql://me@host:5433/db", "postgresql://me@host:5433/db", id="a server"),
        pytest.param(ADDRESS, "postgresql:///db", "postgresql:///db", id="the server of this machine"),
        pytest.param(PLACE, "", None, id="no place"),
        pytest.param(ENCODING, "latin-1", "iso8859-1", id="an encoding by another name"),
        pytest.param(ENCODING, "UTF-16", "utf-16", id="an encoding in capitals"),
        pytest.param(WORDS, "", None, id="no words"),
        pytest.param(LICENSES, "", None, id="no licences"),
        pytest.param(LICENSES, "cc by 4.0,CC0, unknown", ("CC-BY-4.0", "CC0-1.0", "unknown"), id="licences"),
        pytest.param(WORDS, "NA, ?,,NA, not known ", ("NA", "?", "not known"), id="words, one of them twice"),
        pytest.param(SIZES, "", (), id="no sizes"),
        pytest.param(SIZES, "512x512, 9x12,9x12", ("9x12", "512x512"), id="sizes in order"),
        pytest.param(PLACE, "a b/c.tar", Path("a b/c.tar"), id="a place with a blank"),
        pytest.param(PLACE, "~/a", Path.home() / "a", id="the home folder"),
    ],
)
def test_what_is_allowed(kind: Kind, raw: str, value: Any) -> None:
    assert kind.parse(raw) == value
    assert type(kind.parse(raw)) is type(value)


@pytest.mark.parametrize(
    ("kind", "raw"),
    [
        pytest.param(QUALITY, "101", id="a number too high where a word may be"),
        pytest.param(QUALITY, "best", id="another word"),
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
        pytest.param(ENCODING, "utf-99", id="an unknown encoding"),
        pytest.param(ENCODING, "hex", id="an encoding of bytes"),
        pytest.param(ENCODING, "", id="no encoding"),
        pytest.param(FLAG, "yes", id="yes is not true"),
        pytest.param(FLAG, "1", id="one is not true"),
        pytest.param(FLAG, "", id="neither true nor false"),
        pytest.param(ADDRESS, "mysql://host/db", id="a server of another kind"),
        pytest.param(ADDRESS, "host/db", id="no address"),
        pytest.param(ADDRESS, "postgresql://me:secret@host/db", id="a password"),
        pytest.param(ADDRESS, "postgresql://host/db?password=secret", id="a password behind it"),
        pytest.param(NAMES, "eol,gbif", id="an unknown name"),
        pytest.param(NAMES, "eol bioscan", id="no comma between names"),
        pytest.param(NAMES, ",", id="no name"),
        pytest.param(NAMES, "eol:x", id="a label where there is none"),
        pytest.param(SIZES, "384", id="one side of a size"),
        pytest.param(SIZES, "9x9x9", id="three sides"),
        pytest.param(SIZES, "9x0", id="a size without pixels"),
        pytest.param(SIZES, "513x9", id="a size too large"),
        pytest.param(SIZES, "../x9", id="a size that is a path"),
        pytest.param(LABELLED, "eol:x", id="a label after another name"),
        pytest.param(LABELLED, "folder:", id="a label without letters"),
    ],
)
def test_what_is_refused(kind: Kind, raw: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (the message is made by the caller, from what is allowed)
        kind.parse(raw)


@pytest.mark.parametrize(
    ("kind", "values"),
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
    kind: Kind, values: st.SearchStrategy[Any], data: st.DataObject
) -> None:
    value = data.draw(values)
    assert kind.parse(kind.serialize(value)) == value


@pytest.mark.parametrize(
    ("form", "fitting"),
    [
        pytest.param("file", {"a.csv"}, id="a file has to be a file"),
        pytest.param("folder", {"images"}, id="a folder has to be a folder"),
        pytest.param("either", {"a.csv", "images"}, id="either has to exist"),
        pytest.param("new", {"images", "absent"}, id="a new one need not exist"),
    ],
)
def test_fits(tmp_path: Path, form: str, fitting: set[str]) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "a.csv").touch()
    place = Place(form)

    assert {name for name in ("a.csv", "images", "absent") if not place.fault(tmp_path / name)} == fitting


@pytest.mark.parametrize("form", ["file", "folder", "either", "new"])
def test_a_place_in_a_closed_folder_is_named(
    tmp_path: Path, form: str, unprivileged: Callable[[], AbstractContextManager[None]]
) -> None:
    place = tmp_path / "closed" / "images"
    place.mkdir(parents=True)
    place.parent.chmod(0)

    with unprivileged():
        assert Place(form).fault(place) == f"{place} cannot be read: Permission denied"


@pytest.mark.parametrize(
    ("kind", "allowed"),
    [
        (WHOLE, "an integer from 0 to 100"),
        (LIMIT, "an integer from 0, or empty for no limit"),
        (CHOICE, "exact or scaled"),
        (FLAG, "true or false"),
        (NAMES, "some of eol, bioscan, inat21, separated by commas, or empty for all"),
        (LABELLED, "some of eol, folder, folder:<label>, separated by commas, or empty for all"),
        (PLACE, "an existing file or folder"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_messages_say_what_is_allowed(kind: Kind, allowed: str) -> None:
    assert kind.allowed == allowed


@pytest.mark.parametrize(
    ("kind", "hint"),
    [
        (WHOLE, "0 to 100"),
        (QUALITY, "1 to 100, or lossless"),
        (Whole(1, 10**9), "from 1"),
        (CHOICE, "exact or scaled"),
        (FLAG, ""),
        (PLACE, ""),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_descriptions_say_what_is_not_obvious(kind: Kind, hint: str) -> None:
    assert kind.hint == hint


SETTINGS = [
    pytest.param(setting, id=f"{section.section}.{key}")
    for section in SECTIONS
    for key, setting in section.settings().items()
]


@pytest.mark.parametrize("setting", SETTINGS)
def test_every_default_is_allowed(setting: Setting) -> None:
    assert setting.kind.parse(setting.kind.serialize(setting.default)) == setting.default


@pytest.mark.parametrize("setting", SETTINGS)
def test_every_description_has_the_words_of_the_hint_of_its_kind(setting: Setting) -> None:
    words = set(re.findall(r"\w+", setting.kind.hint)) - {"or"}
    assert words <= set(re.findall(r"\w+", setting.description))


@pytest.mark.parametrize("raw", ["=1", "a=1,=2", "a=1,a=2", "c=1", "a=", "a=x", "a", "a=1,c=2"])
def test_a_pair_without_a_known_name_of_its_own_or_without_a_value_is_refused(raw: str) -> None:
    with pytest.raises(ValueError, match=re.escape(raw)):
        Pairs(r"\d+", "name=number", ("a", "b")).parse(raw)


def test_pairs_of_any_name_keep_their_order() -> None:
    kind = Pairs(r"\d+", "name=number")

    assert kind.parse(" b = 2, a=1 ,,") == (("b", "2"), ("a", "1"))
    assert kind.serialize(kind.parse("b=2,a=1")) == "b=2,a=1"
    for raw in ("=1", "a=1,a=2"):
        with pytest.raises(ValueError, match=raw):
            kind.parse(raw)

# ruff: noqa: RUF001 (names of organisms are written in many letters)
from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tol_luigi.core.names import clean_scientific_name, strip_html

if TYPE_CHECKING:
    from pathlib import Path

MARKUP = st.text(alphabet="<>/ibIbr a&(.,1ñ", max_size=40)
NAMES = st.lists(
    st.sampled_from(
        ["Apis", "mellifera", "var.", "ssp.", "f.", "&", "Smith,", "1758", "(L.)", "<i>", "</i>", "<br>", "×"]
    ),
    max_size=9,
).map(" ".join)


@pytest.mark.parametrize(
    ("text", "stripped"),
    [
        pytest.param("", "", id="nothing"),
        pytest.param("<i>Tsuga</i>", "Tsuga", id="a pair goes and case stays"),
        pytest.param("<i><b>Apis</b> mellifera</i>", "Apis mellifera", id="nested pairs go"),
        pytest.param("<i><i>Apis</i></i>", "Apis", id="pairs nested in their like go"),
        pytest.param("<i>Apis</i> <i>cerana</i>", "Apis cerana", id="pairs in a row go"),
        pytest.param('<a href="x">Apis</a>', "Apis", id="a pair with attributes goes"),
        pytest.param("<I>Apis</i>", "Apis", id="case of a tag does not count"),
        pytest.param("<i><b>Apis</i></b>", "Apis", id="crossed pairs go"),
        pytest.param("Apis<br>mellifera", "Apis<br>mellifera", id="a tag alone stays"),
        pytest.param("</i>Apis<i>", "</i>Apis<i>", id="closed before opened is no pair"),
        pytest.param("<i>Corvus corax</em>", "Corvus corax", id="different tags are a pair"),
        pytest.param("a < b > c </b>", "a  c ", id="blanks after the bracket are part of a tag"),
        pytest.param("<<b></b>i>Apis</i>", "i>Apis</i>", id="a tag begins at its first bracket"),
        pytest.param("<i>Apis\ncerana</i>", "<i>Apis\ncerana</i>", id="a pair ends with its line"),
        pytest.param("<a><b>x</a>y</b>", "xy", id="a pair that arises goes too"),
    ],
)
def test_strip_html(text: str, stripped: str) -> None:
    assert strip_html(text) == stripped


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        pytest.param("  Apis Mellifera ", "apis mellifera", id="lower case, trimmed"),
        pytest.param("<i>Tsuga</i> (Endl.) Carrière", "tsuga", id="an opening parenthesis"),
        pytest.param("Apis mellifera ssp. ligustica", "apis mellifera", id="ssp."),
        pytest.param("Apis mellifera subsp. ligustica", "apis mellifera", id="subsp."),
        pytest.param("Cladonia furcata var. racemosa", "cladonia furcata", id="var."),
        pytest.param("Varanus varius", "varanus varius", id="var without a full stop"),
        pytest.param("Var. leucanthemifolia", "", id="a cut at the start leaves nothing"),
        pytest.param("Aus bus Smith, Jones & Brown", "aus bus", id="three authors"),
        pytest.param("Aus bus Smith & Jones", "aus bus", id="two authors"),
        pytest.param("Aus bus Smith 1900", "aus bus", id="author and year"),
        pytest.param("Meleagris gallopavo Linnaeus, 1758", "meleagris gallopavo", id="author, comma, year"),
        pytest.param("Aus bus, 1758", "aus", id="the word before a year goes"),
        pytest.param("Aus bus [1758]", "aus bus [", id="a year alone"),
        pytest.param("Rosa arvensis f. pilifolia", "rosa arvensis", id="blank, letter, full stop"),
        pytest.param("Р. bursarius", "р. bursarius", id="an initial at the start stays"),
        pytest.param("Aus bus É. cus", "aus bus é. cus", id="an initial with an accent stays"),
        pytest.param(
            "Aus bus _. cus [. dus", "aus bus", id="marks that stand between Z and a count as letters"
        ),
        pytest.param("Aus bus<br>cus", "aus bus", id="br"),
        pytest.param("Aus bus<br >cus", "aus bus", id="br with a blank"),
        pytest.param("corax<br/>Raven", "corax<br/>raven", id="br with a stroke stays"),
        pytest.param("Fragaria × ananassa (Duchesne)", "fragaria × ananassa", id="a hybrid keeps its sign"),
        pytest.param("Aus bus 99", "aus bus 99", id="two digits are no year"),
    ],
)
def test_clean_scientific_name(text: str, clean: str) -> None:
    assert clean_scientific_name(text) == clean


def test_clean_scientific_name_meets_every_golden_name(shared: Path) -> None:
    lines = (shared / "golden" / "names.tsv").read_text(encoding="utf-8").split("\n")[1:-1]
    rows = [line.split("\t") for line in lines]

    assert len(rows) == 3000
    assert [clean_scientific_name(row[0]) for row in rows] == [row[1] for row in rows]


@given(MARKUP | st.text())
def test_strip_html_twice_is_once(text: str) -> None:
    stripped = strip_html(text)
    assert strip_html(stripped) == stripped


@given(MARKUP | NAMES | st.text())
def test_cleaning_twice_is_once(text: str) -> None:
    clean = clean_scientific_name(text)
    assert clean_scientific_name(clean) == clean


@given(NAMES)
def test_cleaning_only_cuts(text: str) -> None:
    assert strip_html(text).lower().strip().startswith(clean_scientific_name(text))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("a" * 300_000 + "&", id="one long word"),
        pytest.param("a, " * 100_000, id="words and commas"),
        pytest.param("a, a & " * 50_000, id="authors"),
        pytest.param("<" * 300_000 + "</", id="opening brackets"),
        pytest.param("<i " * 100_000 + "</", id="tags that never end"),
        pytest.param("<i>" * 80_000 + "</i>" * 80_000, id="deep nesting"),
        pytest.param("</i>" * 80_000 + "<i>" * 80_000, id="closed before opened"),
        pytest.param("<" * 40_000 + "b></b>" * 40_000, id="tags that arise from tags"),
        pytest.param("<i>" * 1000 + "<b></b>".join("<i>" * 20_000) + "</i>" * 900, id="crossed tags"),
        pytest.param(" " * 300_000 + "&", id="blanks"),
    ],
)
def test_hostile_text_takes_no_quadratic_time(text: str) -> None:
    start = time.process_time()
    clean_scientific_name(text)
    assert time.process_time() - start < 5

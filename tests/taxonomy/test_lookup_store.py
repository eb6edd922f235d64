"""``lookup.sqlite``: the same bytes for the same taxonomy."""

from __future__ import annotations

import hashlib
import sqlite3
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_taxonomy import SMALL, reference

from tol_luigi.taxonomy import products
from tol_luigi.taxonomy.lookup_store import write_lookup
from tol_luigi.taxonomy.name_keys import name_key, name_keys, stem
from tol_luigi.taxonomy.products import ReferenceTables

if TYPE_CHECKING:
    from pathlib import Path


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def reversed_rows(table: pa.Table) -> pa.Table:
    return table.take(pa.array(range(table.num_rows - 1, -1, -1), pa.int64()))


def test_the_same_taxonomy_in_another_order_gives_the_same_bytes(tmp_path: Path) -> None:
    tables = reference(SMALL, about={"title": "small", "sources": {"aa": 1}})
    write_lookup(tmp_path / "one.sqlite", tables)
    other = ReferenceTables(
        **{
            name: reversed_rows(getattr(tables, name))
            for name in ("taxa", "names", "xref", "conflicts", "vernaculars", "forwards", "deprecated")
        },
        about={"sources": {"aa": 1}, "title": "small"},
    )
    write_lookup(tmp_path / "two.sqlite", other)
    assert digest(tmp_path / "one.sqlite") == digest(tmp_path / "two.sqlite")


def test_an_empty_taxonomy_can_be_written(tmp_path: Path) -> None:
    tables = ReferenceTables(
        products.TAXA.empty_table(), products.NAMES.empty_table(), products.XREF.empty_table()
    )
    write_lookup(tmp_path / "empty.sqlite", tables)
    with sqlite3.connect(tmp_path / "empty.sqlite") as database:
        assert database.execute("SELECT count(*) FROM taxon").fetchone() == (0,)


@given(st.lists(st.text(max_size=30)))
def test_many_keys_are_the_keys_of_each(names: list[str]) -> None:
    assert name_keys(pa.array(names, pa.string())).to_pylist() == [name_key(name) for name in names]


@pytest.mark.parametrize(
    "names",
    [
        pytest.param(
            ["Quercus alba", "QUERCUS  ALBA", "quercus_alba", " Quercus alba "], id="case and spaces"
        ),
        pytest.param(["Mülleria", "Mulleria"], id="diacritics"),
        pytest.param(
            ["Mentha \u00d7 piperita", "Mentha \u00d7piperita", "Mentha x piperita", "Mentha piperita"],
            id="hybrid",
        ),
        pytest.param(["\u00d7 Cupressocyparis", "Cupressocyparis"], id="hybrid genus"),
        pytest.param(["Quercus alba var. repanda", "Quercus alba repanda"], id="variety"),
    ],
)
def test_forms_of_one_name_have_one_key(names: list[str]) -> None:
    assert len({name_key(name) for name in names}) == 1


def test_a_last_word_is_no_marker() -> None:
    assert name_key("Potato virus X") != name_key("Potato virus Y")
    assert name_key("Potato virus X").endswith(" x")


@pytest.mark.parametrize(
    "epithets",
    ["albus alba album", "viridis viride", "niger nigra nigrum", "wrightii wrighti", "terrestris terrestre"],
)
def test_forms_of_an_epithet_have_one_stem(epithets: str) -> None:
    assert len({stem(epithet) for epithet in epithets.split()}) == 1

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tol_luigi.core.errors import SettingsError
from tol_luigi.sources.selection import SpeciesLimit, WantedNames

IMAGES = st.dictionaries(st.text(max_size=4), st.sampled_from(["Apis mellifera", "Rosa canina", ""]))


def chosen(images: list[tuple[str, str]], most: int | None) -> set[str]:
    limit = SpeciesLimit(most)
    for key, species in images:
        limit.add(species, key)
    return {key for key, species in images if limit.accepts(species, key)}


@given(IMAGES, st.integers(0, 5), st.randoms())
def test_of_each_species_the_limit_or_all_are_chosen_in_any_order(
    species: dict[str, str], most: int, random: object
) -> None:
    images = list(species.items())
    kept = chosen(images, most)
    counts, every = Counter(species[key] for key in kept), Counter(species.values())
    for name, count in every.items():
        assert counts[name] == (min(count, most) if name else count)
    random.shuffle(images)  # type: ignore[attr-defined]
    assert chosen(images, most) == kept
    assert kept <= chosen(images, most + 1)
    assert chosen(images, None) == set(species)


def test_a_wanted_name_may_be_spelled_in_any_case() -> None:
    wanted = WantedNames("[x] taxa", ("diptera", "Apis MELLIFERA"))
    assert wanted.accepts(["Animalia", "Diptera"])
    assert wanted.accepts(["Apis mellifera"])
    assert not wanted.accepts(["", "Apis"])
    wanted.validate_found(Path("rows.csv"))


def test_a_wanted_name_that_no_row_has_is_an_error() -> None:
    wanted = WantedNames("[x] taxa", ("Diptera", "Dipterra"))
    assert wanted.accepts(["Diptera"])
    with pytest.raises(SettingsError, match=r"\[x\] taxa: no image in rows.csv has the name 'Dipterra'"):
        wanted.validate_found(Path("rows.csv"))
    everything = WantedNames("[x] taxa", None)
    assert everything.accepts([])
    everything.validate_found(Path("rows.csv"))

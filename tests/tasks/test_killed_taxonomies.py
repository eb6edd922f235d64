"""The stages of the reference taxonomy, killed with -9 while they write their files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from killed import attempts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SETTINGS = """
[dataset]
root = .
tag = built
[imagefolder]
images = images
[names]
method = reference
[taxonomy]
sources = small = flat-table small.csv
"""

TABLE = """kingdom,phylum,class,order,family,genus,species
Animalia,Chordata,Mammalia,Carnivora,Felidae,Panthera,leo
Plantae,Tracheophyta,Magnoliopsida,Fagales,Fagaceae,Quercus,alba
"""

STAGES = {"ImportTaxonomy source=small": 1, "NormaliseTaxonomy source=small": 1, "BuildReferenceTaxonomy": 4}
"""In their order; how many files there are between two moments at which a stage is killed."""


def made(folder: Path) -> Path:
    """Make the inputs of a taxonomy."""
    (folder / "images" / "Panthera leo").mkdir(parents=True)
    (folder / "images" / "Panthera leo" / "lion.jpg").write_bytes(b"no stage here looks at it")
    (folder / "small.csv").write_text(TABLE, encoding="utf-8")
    (folder / "luigi.cfg").write_text(SETTINGS, encoding="utf-8")
    return folder


@pytest.fixture
def attempt(tmp_path: Path) -> Iterator[Callable[[int, str], int]]:
    yield from attempts(made(tmp_path / "killed"), "tol_luigi.tasks.taxonomy_steps")


@pytest.fixture
def undisturbed(tmp_path: Path) -> Iterator[Callable[[int, str], int]]:
    yield from attempts(made(tmp_path / "undisturbed"), "tol_luigi.tasks.taxonomy_steps")


def test_a_taxonomy_that_is_killed_is_built_again_with_the_same_bytes(
    tmp_path: Path, attempt: Any, undisturbed: Any, digests: Any
) -> None:
    for stage, step in STAGES.items():
        assert undisturbed(0, stage) == 0
        whole = digests(tmp_path / "undisturbed" / "built")
        moment = 1
        while attempt(moment, stage) == -9:
            there = digests(tmp_path / "killed" / "built")
            assert all(digest == whole[name] for name, digest in there.items()), stage
            moment += step
        assert moment > 1, stage
        assert attempt(0, stage) == 0
        assert digests(tmp_path / "killed" / "built") == whole, stage

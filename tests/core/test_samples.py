from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING

import pytest

from tol_luigi.core.samples import IMAGE, MEMBERS, texts
from tol_luigi.core.taxon import Taxon

if TYPE_CHECKING:
    from pathlib import Path

RANKS = ("kingdom", "phylum", "class", "order", "family", "genus", "species")


def test_every_text_of_the_golden_samples(shared: Path) -> None:
    with (shared / "golden" / "predicted-catalog.csv").open(encoding="utf-8", newline="") as file:
        shown = {row["treeoflife_id"]: row for row in csv.DictReader(file)}
    lines = (shared / "golden" / "samples.jsonl").read_text(encoding="utf-8").splitlines()
    samples = [json.loads(line) for line in lines]

    assert len(samples) == 279
    for sample in samples:
        row = shown[sample["treeoflife_id"]]
        taxon = Taxon.from_rendered([row[rank] for rank in RANKS])
        assert texts(taxon, row["common"]) == sample["text"]


def test_the_members_of_a_sample_are_sorted_texts_and_the_picture() -> None:
    assert list(MEMBERS) == sorted({*texts(Taxon(), ""), IMAGE})
    assert len(MEMBERS) == 11


@pytest.mark.parametrize(
    ("taxon", "common", "expected"),
    [
        pytest.param(
            Taxon.of("Animalia", genus="Apis", species="mellifera"), "honey bee", "honey bee", id="known"
        ),
        pytest.param(
            Taxon.of("Animalia", genus="Apis", species="mellifera"),
            "",
            "Apis mellifera",
            id="the scientific name",
        ),
        pytest.param(Taxon.of("Animalia", "Chordata"), "", "Animalia Chordata", id="the taxonomic name"),
    ],
)
def test_what_stands_for_the_common_name(taxon: Taxon, common: str, expected: str) -> None:
    made = texts(taxon, common)

    assert made["common_name.txt"] == expected
    assert made["com.txt"] == f"a photo of {expected}."
    assert made["sci_com.txt"].endswith(f" with common name {expected}.")


def test_unknown_ranks_leave_no_gap() -> None:
    made = texts(Taxon.of("Animalia", family="Apidae", species="Apis mellifera"), "honey bee")

    assert made["taxonomic_name.txt"] == "Animalia Apidae Apis mellifera"
    assert made["taxonTag.txt"] == "a photo of kingdom Animalia family Apidae genus Apis species mellifera."
    assert made["taxonTag_com.txt"] == (
        "a photo of kingdom Animalia family Apidae genus Apis species mellifera with common name honey bee."
    )


@pytest.mark.parametrize("sign", ["\0", "\n", "\r\n", "\u2028"])
def test_every_text_is_one_line_whatever_the_names_hold(sign: str) -> None:
    taxon = Taxon(genus="apis", species=f"mellifera{sign}carnica")
    for text in texts(taxon, f"honey{sign}bee").values():
        assert sign not in text
        assert text.splitlines() == [text]
    assert texts(taxon, f"honey{sign}bee")["taxonTag_com.txt"] == (
        "a photo of genus Apis species mellifera carnica with common name honey bee."
    )

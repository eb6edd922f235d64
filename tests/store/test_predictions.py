from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from tol_luigi.core.exclusions import Exclusions
from tol_luigi.core.keys import image_id
from tol_luigi.core.ledger import State
from tol_luigi.core.taxon import Taxon
from tol_luigi.sources.bioscan import BIOSCAN
from tol_luigi.sources.eol import EOL
from tol_luigi.sources.inat21 import INAT21
from tol_luigi.store.leaks import count_matched
from tol_luigi.store.predictions import ExclusionPolicy, images_by_id, predicted_tables

if TYPE_CHECKING:
    from tol_luigi.core.source import Source

HERE = Path()
MOBULA = Taxon.of("Animalia", family="Mobulidae", genus="Mobula", species="birostris")
POLYGONIA = Taxon.of(
    "Animalia", "Arthropoda", "Insecta", "Lepidoptera", "Nymphalidae", "Polygonia", "c-album"
)
SEEN = {"Mobula birostris": ["old/place/10_20_eol-full-size-copy.jpg", "fly.jpg", "leaf.jpg"]}
UNSEEN = {
    "Mobula birostris": [],
    "Animalia-Arthropoda-Insecta-Lepidoptera-Nymphalidae-Polygonia-c-album": ["11_20_eol-copy.jpg"],
}


@pytest.fixture
def policy() -> ExclusionPolicy:
    seen = Exclusions("seen", SEEN, with_species=False)
    return ExclusionPolicy({"seen": seen, "unseen": Exclusions("unseen", UNSEEN, with_species=True)})


def judged(
    policy: ExclusionPolicy, source: Source, key: tuple[int | str, ...], taxon: Taxon
) -> tuple[str, str]:
    [verdict] = policy.apply(source, [key], np.array([policy.verdict_on_taxon(taxon)]))
    found = policy.verdicts[verdict]
    return found.state or "", found.reason


@pytest.mark.parametrize(
    ("source", "key", "taxon", "verdict"),
    [
        pytest.param(
            EOL, (10, 20), POLYGONIA, (State.EXCLUDED_IMAGE, "on the list seen"), id="by content and page id"
        ),
        pytest.param(
            EOL, (11, 20), POLYGONIA, (State.EXCLUDED_IMAGE, "on the list unseen"), id="by the second list"
        ),
        pytest.param(EOL, (20, 10), Taxon.of("Animalia"), ("", ""), id="ids the other way round stay"),
        pytest.param(
            BIOSCAN, (1, "fly.jpg"), Taxon(), (State.EXCLUDED_IMAGE, "on the list seen"),
            id="by the file name of BIOSCAN",
        ),
        pytest.param(
            INAT21, ("leaf.jpg", "Plantae", 3), Taxon(), (State.EXCLUDED_IMAGE, "on the list seen"),
            id="by the file name of iNat21",
        ),
        pytest.param(
            EOL, (1, 1), MOBULA, (State.EXCLUDED_SPECIES, "Mobula birostris is on the list unseen"),
            id="a species named by two words",
        ),
        pytest.param(
            INAT21, ("a.jpg", "x", 3), POLYGONIA,
            (State.EXCLUDED_SPECIES, "Polygonia c-album is on the list unseen"), id="a species named by seven ranks",
        ),
        pytest.param(EOL, (1, 1), Taxon.of(genus="Mobula"), ("", ""), id="the genus alone stays"),
    ],
)  # fmt: skip
def test_judge(
    policy: ExclusionPolicy,
    source: Source,
    key: tuple[int | str, ...],
    taxon: Taxon,
    verdict: tuple[str, str],
) -> None:
    assert judged(policy, source, key, taxon) == verdict


@pytest.mark.parametrize("names", [("a", "b"), ("b", "a")])
def test_of_two_lists_with_an_image_or_a_species_the_first_counts(names: tuple[str, str]) -> None:
    content = {"Mobula birostris": ["1_2_eol-copy.jpg"]}
    guard = ExclusionPolicy({name: Exclusions(name, content, with_species=True) for name in names})

    assert judged(guard, EOL, (1, 2), MOBULA)[1] == f"on the list {names[0]}"
    assert judged(guard, EOL, (3, 4), MOBULA)[1] == f"Mobula birostris is on the list {names[0]}"
    assert guard.report()[names[1]]["images_excluded_by_image"] == 0
    assert guard.report()[names[1]]["images_excluded_by_species"] == 0


def test_an_image_on_the_last_list_is_excluded_as_such_though_its_species_is_on_the_first() -> None:
    lists = {
        "first": Exclusions("first", {"Mobula birostris": []}, with_species=True),
        "last": Exclusions("last", {"x": ["1_2_eol-copy.jpg"]}, with_species=False),
    }
    assert judged(ExclusionPolicy(lists), EOL, (1, 2), MOBULA) == (State.EXCLUDED_IMAGE, "on the list last")


def test_species_of_a_list_of_images_stay() -> None:
    policy = ExclusionPolicy({"seen": Exclusions("seen", SEEN, with_species=False)})

    assert judged(policy, EOL, (1, 1), MOBULA) == ("", "")


def test_the_report_counts_what_was_matched(policy: ExclusionPolicy) -> None:
    for key, taxon in [((10, 20), MOBULA), ((10, 20), MOBULA), ((1, 1), MOBULA), ((2, 2), Taxon())]:
        judged(policy, EOL, key, taxon)
    report = policy.report()

    assert report["seen"]["images_listed"] == 3
    assert report["seen"]["images_excluded_by_image"] == 2
    assert report["unseen"]["species_listed"] == 2
    assert report["unseen"]["images_excluded_by_species"] == 1
    assert report["unseen"]["images_excluded_by_image"] == 0
    assert report["seen"]["sources"] == {
        "eol": {"images_excluded_by_image": 2, "images_excluded_by_species": 0}
    }


def test_matches_are_counted_by_list_and_source_whatever_a_species_is_called() -> None:
    lists = {"seen": Exclusions("seen", SEEN, with_species=False)}
    lists["on the list seen"] = Exclusions("unseen", UNSEEN, with_species=True)
    policy = ExclusionPolicy(lists)
    judged(policy, EOL, (1, 1), MOBULA)
    judged(policy, BIOSCAN, (1, "fly.jpg"), MOBULA)

    assert dict(+count_matched(policy.report(), [])) == {
        ("on the list seen", "eol", "species"): 1,
        ("seen", "bioscan", "id"): 1,
    }


def rows(world: Any) -> list[dict[str, Any]]:
    return list(pq.read_table(world.predicted).to_pylist())


def test_every_image_with_a_taxon_is_foretold_once(world: Any) -> None:
    expected = {image_id("eol", f"{n}/10") for n in range(1, 21)}
    expected |= {image_id("eol", "50/20"), image_id("eol", "52/10")}
    expected |= {image_id("bioscan", "1/x.jpg"), image_id("bioscan", "1/y, z.jpg")}
    ids = [row["treeoflife_id"] for row in rows(world)]

    assert len(ids) == 24
    assert set(ids) == expected


def test_an_image_without_a_taxon_goes_to_the_ledger(world: Any) -> None:
    assert world.unnamed == [
        {
            "id": image_id("eol", "51/30"),
            "source": "eol",
            "partition": "b",
            "name": "1.jpg",
            "state": "no_taxon",
            "reason": "no rank is known",
        }
    ]


def test_images_stand_by_source_partition_and_id(world: Any) -> None:
    places = [(row["source"], row["partition"]) for row in rows(world)]

    assert list(dict.fromkeys(places)) == [("eol", "a"), ("eol", "b"), ("bioscan", "part1")]
    for place in set(places):
        ids = [row["treeoflife_id"] for row in rows(world) if (row["source"], row["partition"]) == place]
        assert ids == sorted(ids)


def test_what_is_foretold_of_an_image(world: Any) -> None:
    row = next(row for row in rows(world) if row["treeoflife_id"] == image_id("eol", "3/10"))

    assert (row["eol_content_id"], row["eol_page_id"], row["bioscan_part"], row["inat21_cls_num"]) == (
        3, 10, None, None
    )  # fmt: skip
    assert (row["kingdom"], row["class"], row["genus"], row["species"]) == (
        "Animalia", "Aves", "Setophaga", "coronata"
    )  # fmt: skip
    assert (row["source"], row["partition"], row["position"]) == ("eol", "a", 2)
    assert row["common"] == 'Myrtle "Yellow-Rumped", Warbler'
    assert row["class_index"] == "[0, 1, 1, 1, 1, 1, 1]"


def test_the_taxonomic_name_stands_for_a_common_name(world: Any) -> None:
    assert {row["common"] for row in rows(world) if row["source"] == "bioscan"} == {
        "Animalia Arthropoda Insecta Diptera"
    }


def test_splits_are_exact_and_excluded_images_are_foretold_all_the_same(world: Any) -> None:
    excluded = {row["treeoflife_id"]: row["excluded"] for row in rows(world) if row["excluded"]}
    named = [row for row in rows(world) if row["source"] == "eol"]
    small = [row for row in rows(world) if row["is_train_small"]]

    assert excluded == {
        image_id("eol", "7/10"): "excluded_image",
        image_id("eol", "50/20"): "excluded_species",
    }
    assert {row["split"] for row in small} == {"train"}
    assert sum(row["split"] == "val" for row in named) in {4, 5}  # 5 of 23, one of which has no name


def test_images_by_id(world: Any) -> None:
    found = list(images_by_id(world.mapping, world.sources[1]))

    assert found == sorted(found, key=lambda row: row[-1])
    assert {row[:-1] for row in found} == {(1, "x.jpg"), (1, "y, z.jpg")}


@pytest.mark.parametrize("held", [1, 1000])
def test_the_catalog_does_not_depend_on_what_is_in_memory(world: Any, tmp_path: Path, held: int) -> None:
    unnamed: list[dict[str, Any]] = []
    tables = predicted_tables(
        world.mapping,
        world.names,
        world.sources,
        schema=pq.read_schema(world.predicted),
        policy=world.policy,
        listing=lambda _, partition: world.listings[partition],
        unnamed=unnamed.extend,
        output=tmp_path / "again.parquet",
        held=held,
    )
    again = [row for table in tables for row in table.to_pylist()]

    assert again == rows(world)
    assert unnamed == world.unnamed

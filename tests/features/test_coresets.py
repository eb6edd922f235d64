"""Choices of vectors: laws of those nearest to the mean and of the greedy k-center, and what a selection makes of them."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from drawn_samples import image_id, write_catalog
from hypothesis import given, settings
from hypothesis import strategies as st

from tol_luigi.features import representatives
from tol_luigi.features.coresets import LENGTH, nearest_to_mean, rounded, spread_out, usable_rows
from tol_luigi.features.selection import SelectionSpec, Tables, select_samples, selection_figures
from tol_luigi.report.selection import selection_text

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

COUNT, SHARD, DIMENSIONS, MOST = 300, 50, 12, 4
SPECIES = {"Apis mellifera": 120, "Rosa canina": 170, "Parus major": 6, "Bombus terrestris": 4}
WITHOUT = {0: np.nan, 1: 0.0, 290: np.nan, 291: np.inf, 292: np.nan}
"""Samples without a usable vector; there are three left of the six of Parus major."""


def clusters(seed: int, count: int, kinds: int = 6, dimensions: int = DIMENSIONS) -> NDArray[np.float16]:
    """Draw vectors around few centers of unequal weight, as images of a species that were taken in series."""
    rng = np.random.default_rng(seed)
    centers = rng.standard_normal((kinds, dimensions))
    kind = rng.choice(kinds, count, p=(weights := 2.0 ** -np.arange(kinds)) / weights.sum())
    return (centers[kind] + 0.1 * rng.standard_normal((count, dimensions))).astype(np.float16)


def distances(vectors: NDArray[np.float16], chosen: Any) -> NDArray[np.float64]:
    """Return the Euclidean distances of unit vectors from the chosen ones."""
    exact = vectors.astype(np.float64)
    exact /= np.linalg.norm(exact, axis=1, keepdims=True)
    found: NDArray[np.float64] = np.linalg.norm(exact[:, None] - exact[None, list(chosen)], axis=2)
    return found


def least_gap(vectors: NDArray[np.float16], chosen: Any) -> float:
    """Return the least distance of two chosen vectors."""
    between = distances(vectors[list(chosen)], range(len(chosen)))
    return float(between[np.triu_indices(len(chosen), 1)].min())


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 10_000), rows=st.integers(1, 9), count=st.integers(1, 4))
def test_the_farthest_vector_is_at_most_twice_as_far_as_with_the_best_choice(
    seed: int, rows: int, count: int
) -> None:
    vectors = clusters(seed, rows, dimensions=3)
    ranking = spread_out(rounded(vectors), count)
    size = min(count, rows)
    assert len(set(ranking.chosen.tolist())) == size
    radius = distances(vectors, ranking.chosen).min(axis=1).max()
    best = min(
        distances(vectors, choice).min(axis=1).max() for choice in itertools.combinations(range(rows), size)
    )
    assert radius <= 2 * best + 0.03  # of rounding
    gaps = ranking.scores[ranking.chosen[1:]]
    assert np.all(np.diff(gaps) <= 0)
    left = np.delete(ranking.scores, ranking.chosen)
    assert not len(left) or not len(gaps) or left.max() <= gaps.min()


@pytest.mark.parametrize("seed", range(5))
def test_a_spread_is_wider_than_random_choices_and_begins_with_the_nearest(seed: int) -> None:
    vectors = clusters(seed, 200)
    whole = rounded(vectors)
    chosen = spread_out(whole, 6).chosen
    assert chosen[0] == nearest_to_mean(whole, 1).chosen[0]
    rng = np.random.default_rng(seed)
    drawn = [least_gap(vectors, rng.choice(200, 6, replace=False)) for _ in range(50)]
    assert least_gap(vectors, chosen) >= max(drawn)


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10_000), rows=st.integers(1, 200), count=st.integers(1, 30))
def test_the_nearest_are_those_with_the_highest_cosine_with_the_mean(
    seed: int, rows: int, count: int
) -> None:
    vectors = clusters(seed, rows)
    unit = vectors / np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    mean = unit.mean(axis=0)
    cosines = unit @ (mean / np.linalg.norm(mean))
    ranking = nearest_to_mean(rounded(vectors), count)
    assert ranking.scores == pytest.approx(cosines, abs=0.003)
    assert np.all(np.diff(ranking.scores[ranking.chosen]) <= 0)
    others = np.delete(cosines, ranking.chosen)
    assert cosines[ranking.chosen].min() >= max(others, default=-1.0) - 0.006
    assert nearest_to_mean(rounded(vectors[ranking.chosen]), count).chosen.size == len(ranking.chosen)


def test_products_are_exact_whatever_the_order_of_sums() -> None:
    vectors = rounded(np.random.default_rng(1).standard_normal((40, 1000)).astype(np.float16))
    whole = vectors.astype(np.int64)
    assert np.array_equal(vectors @ vectors.T, whole @ whole.T)
    assert np.array_equal(vectors[:, ::-1] @ vectors[:, ::-1].T, whole @ whole.T)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(LENGTH, rel=1e-3)


def test_equal_and_opposite_vectors_are_chosen_in_their_order() -> None:
    equal = rounded(np.ones((5, 3), np.float16))
    assert nearest_to_mean(equal, 3).chosen.tolist() == [0, 1, 2]
    assert spread_out(equal, 9).chosen.tolist() == [0, 1, 2, 3, 4]
    opposite = rounded(np.array([[1, 0], [-1, 0]], np.float16))
    assert nearest_to_mean(opposite, 1).chosen.tolist() == [0]
    assert spread_out(opposite, 2).scores[1] == 2
    assert not len(spread_out(equal[:0], 3).chosen)
    assert not len(nearest_to_mean(equal[:0], 3).chosen)
    assert usable_rows(np.array([[0, 0], [np.inf, 1], [1, np.nan], [0, 1]], np.float16)).tolist() == [
        *(False, False, False, True)
    ]


def write_samples(folder: Path, order: NDArray[np.int64]) -> Tables:
    """Write the same samples to shards in an order."""
    names = [name.split() for name, count in SPECIES.items() for _ in range(count)]
    vectors = clusters(7, COUNT)
    for sample, value in WITHOUT.items():
        vectors[sample] = value
    columns = {
        "treeoflife_id": [image_id(sample) for sample in order],
        "split": ["train"] * COUNT,
        "genus": [names[sample][0] for sample in order],
        "species": [names[sample][1] for sample in order],
        "shard": [place // SHARD for place in range(COUNT)],
        "position": [place % SHARD for place in range(COUNT)],
        "width": [int(sample) for sample in order],
    }
    write_catalog(folder / "catalog.parquet", COUNT, **columns)
    files = {}
    for shard in range(COUNT // SHARD):
        files[shard] = folder / f"{shard}.npy"
        np.save(files[shard], vectors[order[shard * SHARD : (shard + 1) * SHARD]])
    return Tables(folder / "catalog.parquet", [], [], None, files)


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    return write_samples(tmp_path_factory.mktemp("vectors"), np.arange(COUNT))


def states(spec: SelectionSpec, tables: Tables, folder: Path, threads: int = 1) -> dict[str, dict[str, Any]]:
    select_samples(spec, tables, folder / "selection.parquet", threads)
    assert [path.name for path in folder.iterdir()] == ["selection.parquet"]
    rows = pq.read_table(folder / "selection.parquet").to_pylist()
    return {row["id"]: {"state": row["state"], "score": row["score"]} for row in rows}


@pytest.mark.parametrize("method", ["nearest", "diverse"])
def test_only_which_samples_are_chosen_differs_from_a_plain_selection(
    method: str, tables: Tables, tmp_path: Path
) -> None:
    rules = {"narrow": "width < 20"}
    plain = select_samples(SelectionSpec("train", rules, MOST, 5), tables, tmp_path / "plain.parquet")
    spec = SelectionSpec("train", rules, MOST, 5, method=method)
    selected = select_samples(spec, tables, tmp_path / "selection.parquet")
    assert selected.states == plain.states
    assert selected.comparison == representatives.Comparison(
        taxa=3, samples=100 + 170 + 3, without_vector=3, chosen_without_vector=1, not_drawn=0
    )
    text = selection_text(selection_figures(spec, selected, 3))
    assert f"{method}: 273 samples of species with more than the most compared\n" in text
    assert "without a vector: 3 samples of these species, 1 of them selected for lack of others\n" in text


@pytest.mark.parametrize("method", ["nearest", "diverse"])
def test_neither_threads_nor_the_order_of_samples_nor_a_second_selection_matter(
    method: str, tables: Tables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = SelectionSpec("train", {}, MOST, method=method)
    (tmp_path / "1").mkdir()
    found = states(spec, tables, tmp_path / "1")
    (tmp_path / "2").mkdir()
    order = np.random.default_rng(5).permutation(COUNT)
    (tmp_path / "shuffled").mkdir()
    monkeypatch.setattr("tol_luigi.features.selection._CANDIDATES_AT_ONCE", 1)
    assert states(spec, write_samples(tmp_path / "shuffled", order), tmp_path / "2", threads=3) == found
    chosen = " OR ".join(
        f"treeoflife_id = '{id_}'" for id_, row in found.items() if row["state"] == "selected"
    )
    (tmp_path / "3").mkdir()
    again = states(
        SelectionSpec("train", {"others": f"NOT ({chosen})"}, MOST, method=method), tables, tmp_path / "3"
    )
    assert {id_ for id_, row in again.items() if row["state"] == "selected"} == {
        id_ for id_, row in found.items() if row["state"] == "selected"
    }
    bees = [row["score"] for row in list(found.values())[2:120]]
    assert sum(score is None for score in bees) == (method == "diverse")  # the first one has none
    assert all(row["score"] is None for row in list(found.values())[-4:])  # all of them are selected


def test_of_a_taxon_with_very_many_samples_some_are_drawn(
    tables: Tables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tol_luigi.features.selection.CANDIDATES", 50)
    monkeypatch.setattr(representatives, "CANDIDATES", 50)
    spec = SelectionSpec("train", {}, MOST, method="diverse")
    selected = select_samples(spec, tables, tmp_path / "selection.parquet")
    assert selected.states["selected"] == 4 * MOST
    assert selected.comparison is not None
    assert selected.comparison.not_drawn == 70 + 120
    assert selected.comparison.samples + selected.comparison.without_vector == 50 + 50 + 6
    text = selection_text(selection_figures(spec, selected, 4))
    assert "not compared, as their species has too many: 190 samples\n" in text
    many = SelectionSpec("train", {}, 60, method="diverse")
    assert select_samples(many, tables, tmp_path / "selection.parquet").states["selected"] == 60 + 60 + 6 + 4


def test_the_places_of_a_taxon_do_not_depend_on_the_batches(tables: Tables, tmp_path: Path) -> None:
    ids = [image_id(sample) for sample in range(300)]
    sizes = [count for count in SPECIES.values() for _ in range(count)]
    shards, positions = np.divmod(np.arange(COUNT, dtype=np.int32), np.int32(SHARD))
    names = ["id", "shard", "position", "available"]
    rows = pa.record_batch([ids, shards, positions, pa.array(sizes, pa.int64())], names=names)
    method, written = representatives.METHODS["diverse"], []
    for size in (7, 120, 1000):
        batches = [rows.slice(start, size) for start in range(0, COUNT, size)]
        comparison = representatives.write_places(
            batches, tables.vectors, method, MOST, tmp_path / "places.parquet"
        )
        assert comparison.taxa == len(SPECIES)
        written.append(pq.read_table(tmp_path / "places.parquet"))
    assert written[0].equals(written[1])
    assert written[0].equals(written[2])
    places = written[0]["place"].to_pylist()
    assert sorted(place for place in places[:120] if place is not None) == [0, 1, 2, 3]

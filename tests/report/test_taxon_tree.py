"""The tree of lineages, and what is counted of them."""

from __future__ import annotations

import csv
import io
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tol_luigi.report.build_tables import taxa_stats_text
from tol_luigi.report.diversity import abundance, hill_numbers, taxa_stats
from tol_luigi.report.taxon_tree import images_by_source, taxon_tree
from tol_luigi.report.tree_drawing import drawn_tree

RANKS = 7

lineage = st.lists(st.sampled_from(["", "a", "b"]), min_size=RANKS, max_size=RANKS).map(tuple)
rows = st.lists(st.tuples(lineage, st.sampled_from(["eol", "inat21"]), st.integers(1, 9)), max_size=30)


def placed(found: list[tuple[tuple[str, ...], str, int]]) -> list[tuple[tuple[str, ...], int, int]]:
    return [(ranks, images, row) for row, (ranks, _, images) in enumerate(sorted(found))]


@given(rows)
def test_a_taxon_has_the_images_of_all_below_it(found: list[tuple[tuple[str, ...], str, int]]) -> None:
    tree = taxon_tree(placed(found))
    expected: Counter[tuple[str, ...]] = Counter()
    for ranks, _, images in found:
        known = [depth for depth, name in enumerate(ranks, 1) if name]
        for depth in range(max(known, default=0) + 1):
            expected[ranks[:depth]] += images

    paths: list[tuple[str, ...]] = []
    for node, (name, depth) in enumerate(zip(tree.names, tree.depths, strict=True)):
        paths.append((*paths[-1][: depth - 1], name) if node else ())
        below = list(tree.children(node))
        assert [tree.images[child] for child in below] == sorted(
            (tree.images[child] for child in below), reverse=True
        )
    counted = dict(zip(paths, tree.images, strict=True))
    assert counted == ({**expected} or {(): 0})
    assert all(tree.find(path) == node for node, path in enumerate(paths) if not path or path[-1])


@given(rows, st.integers(1, 12))
def test_a_cut_tree_has_the_largest_taxa_and_says_how_many_are_missing(
    found: list[tuple[tuple[str, ...], str, int]], most: int
) -> None:
    full, cut = taxon_tree(placed(found)), taxon_tree(placed(found), most)

    assert cut.images[0] == full.images[0]
    assert len(cut.names) <= max(most, RANKS + 1)
    assert bool(cut.hidden) == (len(cut.names) < len(full.names))


@given(rows, st.integers(1, 12))
def test_a_taxon_has_the_images_of_all_below_it_from_each_source(
    found: list[tuple[tuple[str, ...], str, int]], most: int
) -> None:
    tree, sources = taxon_tree(placed(found), most), ["eol", "inat21"]
    origins, images = (
        [sources.index(name) for _, name, _ in sorted(found)],
        [one for *_, one in sorted(found)],
    )
    counts = images_by_source(tree, origins, images, len(sources))

    assert counts.sum(axis=1).tolist() == tree.images
    paths: list[tuple[str, ...]] = []
    for name, depth, of_sources in zip(tree.names, tree.depths, counts.tolist(), strict=True):
        path = (*paths[-1][: depth - 1], name) if depth else ()
        paths.append(path)
        for source, count in zip(sources, of_sources, strict=True):
            own = [(ranks, one) for ranks, of, one in found if of == source and ranks[:depth] == path]
            # Those without this rank and without a lower one end at the taxon above.
            assert count == sum(one for ranks, one in own if depth == 0 or any(ranks[depth - 1 :]))


@given(rows)
def test_lineages_are_counted_overall_and_by_source(found: list[tuple[tuple[str, ...], str, int]]) -> None:
    stats = {row["source"]: row for row in taxa_stats(sorted(found), ["eol", "inat21"])}

    assert list(stats) == ["all", "eol", "inat21"]
    for source, row in stats.items():
        own = [(ranks, images) for ranks, name, images in found if source in {"all", name}]
        assert row["images"] == sum(images for _, images in own)
        assert row["lineages"] == len({ranks for ranks, _ in own})
        assert row["class"] == len({ranks[:3] for ranks, _ in own if ranks[2]})


def test_the_numbers_of_lineages_are_a_table() -> None:
    ranks = ("Animalia", "Chordata", "Aves", "", "", "", "")
    text = taxa_stats_text(taxa_stats([(ranks, "eol", 3)], ["eol"]))

    assert list(csv.DictReader(io.StringIO(text)))[1] == {
        **dict.fromkeys(("source", "images", "lineages"), "1"),
        "source": "eol",
        "images": "3",
        "kingdom": "1",
        "phylum": "1",
        "class": "1",
        **dict.fromkeys(("order", "family", "genus", "species"), "0"),
    }


def test_equally_frequent_species_are_as_diverse_as_they_are_many() -> None:
    assert hill_numbers(np.array([5, 5, 5, 5])) == pytest.approx((4, 4, 4))
    assert hill_numbers(np.array([], np.int64)) == (0, 0, 0)
    assert abundance(np.array([9, 2, 1])) == [(1, 9), (2, 2), (3, 1)]


def test_a_drawing_has_the_same_bytes_each_time_and_can_be_opened() -> None:
    lineages = [(("Animalia", "Chordata", "Aves", "", "", "", ""), 8, 0), (("Fungi", *[""] * 6), 2, 1)]
    png, pdf = drawn_tree(taxon_tree(lineages))

    assert (png, pdf) == drawn_tree(taxon_tree(lineages))
    assert pdf.startswith(b"%PDF")
    with Image.open(io.BytesIO(png)) as image:
        assert image.width > image.height > 1000
        assert len(image.convert("RGB").getcolors(1 << 16) or []) > 4
    empty, _ = drawn_tree(taxon_tree([]))
    assert len(empty) < len(png)

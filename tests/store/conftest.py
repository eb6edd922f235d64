from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tol_luigi.core.exclusions import Exclusions
from tol_luigi.core.keys import image_id
from tol_luigi.core.reader import Found, Member
from tol_luigi.core.source import Entry, Key, Source, SourceInfo
from tol_luigi.core.taxon import Taxon
from tol_luigi.sources import SOURCES
from tol_luigi.sources.bioscan import BIOSCAN, BioscanSection
from tol_luigi.sources.eol import EOL, EolSection
from tol_luigi.store.catalogs import predicted_schema, write_catalog
from tol_luigi.store.identities import ScannedSource
from tol_luigi.store.listings import collect_listing, write_listing
from tol_luigi.store.mapping import build_mapping, fill_splits
from tol_luigi.store.names import write_names
from tol_luigi.store.predictions import ExclusionPolicy, predicted_tables

if TYPE_CHECKING:
    from pathlib import Path

ListImages = Callable[..., ScannedSource]


def nothing(_: int) -> None:
    """Be told of progress."""


@pytest.fixture
def list_images(tmp_path: Path) -> ListImages:
    """List the files of a source: by partition, a natural key, an id or a whole ``Found`` for each."""

    def listed(source: SourceInfo, partitions: Mapping[str, Sequence[Key | str | Found]]) -> ScannedSource:
        paths = []
        for partition, images in partitions.items():
            found = [_found(partition, number, image) for number, image in enumerate(images)]
            paths.append(tmp_path / "listings" / source.name / f"{partition}.parquet")
            write_listing(paths[-1], collect_listing(found, source.columns, nothing))
        return ScannedSource(
            source,
            partitions=tuple(partitions),
            listings=tuple(paths),
        )

    return listed


def _found(partition: str, number: int, image: Key | str | Found) -> Found:
    if isinstance(image, Found):
        return image
    member = Member(f"{number}.jpg", 100 + number, number * 1000)
    if isinstance(image, str):
        return Found(member, partition, id=image)
    return Found(member, partition, key=image)


@dataclass(frozen=True)
class World:
    """A small dataset, as it stands before the first shard is written."""

    sources: list[Source]
    listings: dict[str, Path]
    mapping: Path
    names: Path
    predicted: Path
    policy: ExclusionPolicy
    unnamed: list[dict[str, Any]]


WARBLER = Taxon.of("Animalia", "Chordata", "Aves", "Passeriformes", "Parulidae", "Setophaga", "coronata")
APPLE = Taxon.of("Plantae", family="Rosaceae", genus="Malus", species="domestica")
FLY = Taxon.of("Animalia", "Arthropoda", "Insecta", "Diptera")


@pytest.fixture
def world(tmp_path: Path, list_images: ListImages) -> World:
    """Build one: EOL with a page without name (30) and an excluded species (Malus domestica), and BIOSCAN."""
    sources = [
        EOL.open(EolSection(images=tmp_path), tmp_path),
        BIOSCAN.open(BioscanSection(images=tmp_path, partitions=2), tmp_path),
    ]
    listed = [
        list_images(EOL, {"a": [(n, 10) for n in range(1, 21)], "b": [(50, 20), (51, 30), (52, 10)]}),
        list_images(BIOSCAN, {"part1": [(1, "x.jpg"), (1, "y, z.jpg")]}),
    ]
    mapping, names = tmp_path / "mapping.sqlite", tmp_path / "names.sqlite"
    assert list(build_mapping(mapping, listed, published=None, digest="d", progress=nothing)) == []
    fill_splits(
        mapping,
        sources,
        published=None,
        seed=17,
        val_percent=25,
        train_small_percent=50,
        digest="d",
        progress=nothing,
    )
    eol = [Entry("10", WARBLER, 'Myrtle "Yellow-Rumped", Warbler'), Entry("20", APPLE, "apple")]
    bioscan = [Entry(image_id("bioscan", f"1/{name}"), FLY, "") for name in ("x.jpg", "y, z.jpg")]
    write_names(names, [(BIOSCAN, bioscan), (EOL, eol)], digest="d", progress=nothing)
    policy = ExclusionPolicy(
        {"unseen": Exclusions("unseen", {"Malus domestica": ["7_10_eol-copy.jpg"]}, with_species=True)}
    )
    unnamed: list[dict[str, Any]] = []
    schema = predicted_schema(SOURCES, [source.name for source in sources])
    listings = {path.stem: path for one in listed for path in one.listings}
    tables = predicted_tables(
        mapping,
        names,
        sources,
        schema=schema,
        policy=policy,
        listing=lambda _, partition: listings[partition],
        unnamed=unnamed.extend,
        output=tmp_path / "predicted.parquet",
        held=7,
    )
    predicted = tmp_path / "predicted.parquet"
    write_catalog(tmp_path / "predicted.csv", predicted, schema, tables, nothing)
    return World(sources, listings, mapping, names, predicted, policy, unnamed)

"""Every file is where ``docs/files.md`` says: people and programs find it there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tol_luigi.core.layout import Layout, record_of

SHARE = ("train", "eol", "image_set_01")
LAYOUT = Layout.of(Path("/data/sample"), 224, 200)

PATHS = {
    "record": "dataset.json",
    "manifest": "manifest.json",
    "taxonomy": "taxonomy",
    "taxonomy_report": "taxonomy/report.json",
    "taxonomy_comparison": "taxonomy/comparison.json",
    "checksums": "SHA256SUMS",
    "inputs": "sightings/inputs.json",
    "logs": "logs",
    "task_states": "logs/tasks",
    "task_times": "logs/times.jsonl",
    "times_page": "logs/times.html",
    "excluded_page": "logs/excluded.html",
    "mapping": "mapping.sqlite",
    "metadata": "metadata",
    "names": "metadata/names.sqlite",
    "common_names": "metadata/scientific_to_common.json",
    "name_problems": "metadata/problems.txt",
    "predicted_csv": "predicted-catalog.csv",
    "predicted": "predicted-catalog.parquet",
    "exclusions": "exclusions.json",
    "benchmarks": "benchmark-hashes.parquet",
    "takedowns": "takedowns.csv",
    "withheld": "withheld.parquet",
    "fetch_report": "fetched/report.json",
    "plan": "plan.json",
    "mapping_ledger": "ledger/mapping.parquet",
    "names_ledger": "ledger/names.parquet",
    "matches_report": "matches-report.json",
    "splits_report": "splits-report.json",
    "relabel_report": "relabel-report.json",
    "shards": "224x200",
    "weights": "sightings/weights.json",
    "report": "224x200/report/report.html",
    "taxa_stats": "224x200/taxa_stats.csv",
    "card": "224x200/README.md",
    "root_card": "README.md",
    "datasheet": "DATASHEET.md",
    "citation": "CITATION.cff",
    "croissant": "croissant.json",
    "shard_table": "224x200/shards.csv",
    "bad_shards": "224x200/bad-shards.txt",
    "catalog_csv": "224x200/catalog.csv",
    "catalog": "224x200/catalog.parquet",
    "leak_report": "224x200/leak-report.json",
    "licenses": "224x200/licenses.csv",
    "attribution": "224x200/attribution",
    "rights_report": "224x200/rights-report.json",
    "changes": "224x200/changes.csv",
    "features": "224x200/features",
    "features_report": "224x200/features/report.json",
    "features_views": "224x200/features/views.sql",
    "near_duplicates": "224x200/features/near-duplicates.parquet",
    "near_duplicates_report": "224x200/features/near-duplicates-report.json",
    "duplicates": "224x200/duplicates.parquet",
    "duplicates_report": "224x200/duplicates-report.json",
}

CALLED = {
    "receipts/PlanShards.json": LAYOUT.stage_receipt("PlanShards"),
    "receipts/ScanPartition/eol/a.json": LAYOUT.stage_receipt("ScanPartition", "eol", "a"),
    "sightings/ScanPartition/eol/a.json": LAYOUT.sightings("ScanPartition", "eol", "a"),
    "sightings/MakeSplits.json": LAYOUT.sightings("MakeSplits"),
    "listings/eol/a.parquet": LAYOUT.listing("eol", "a"),
    "listings/inat21/archive.gzindex": LAYOUT.index("inat21"),
    "hashes/eol/a.parquet": LAYOUT.digests("eol", "a"),
    "taxa-report-final.json": LAYOUT.taxa_report("final"),
    "224x200/train/shard-000007.tar": LAYOUT.shard("train", 7),
    "224x200/records/train/eol/image_set_01.receipt.json": LAYOUT.receipt(*SHARE),
    "224x200/records/train/eol/image_set_01.ledger.parquet": LAYOUT.ledger(*SHARE),
    "224x200/records/train/eol/image_set_01.verdict.json": LAYOUT.verdict(*SHARE),
    "224x200/tables/Masks/train/eol/image_set_01.parquet": LAYOUT.table("Masks", *SHARE),
}


def test_every_file_of_a_dataset_has_its_place() -> None:
    assert {name: getattr(LAYOUT, name) for name in PATHS} == {
        name: Path("/data/sample") / path for name, path in PATHS.items()
    }
    properties = {name for name, value in vars(Layout).items() if isinstance(value, property)}
    assert properties - {"has_shards"} == set(PATHS)


@pytest.mark.parametrize("path", CALLED)
def test_files_of_a_partition_have_their_places(path: str) -> None:
    assert CALLED[path] == Path("/data/sample") / path


def test_a_layout_is_read_off_the_settings_of_a_dataset() -> None:
    assert Layout.of_record(Path("/data/sample"), {"images.width": 224, "images.height": 200}) == LAYOUT
    assert record_of(Path("/data/sample")) == LAYOUT.record
    with pytest.raises(KeyError):
        Layout.of_record(Path("/data/sample"), {"images.width": 224})


def test_receipts_of_a_split_are_listed_in_order(tmp_path: Path) -> None:
    layout = Layout.of(tmp_path, 8, 8)
    paths = [layout.receipt("train", source, partition) for source in ("a", "b") for partition in "xy"]
    for path in [*reversed(paths), layout.receipt("val", "a", "x"), layout.ledger("train", "a", "x")]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()

    assert layout.receipts("train") == paths
    assert layout.receipts("train_small") == []

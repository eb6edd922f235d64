"""Datasets whose images are named by a reference taxonomy."""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest

from tol_luigi.dataset import Dataset

if TYPE_CHECKING:
    from pathlib import Path

Sections = dict[str, dict[str, Any]]
Digests = Callable[..., dict[str, str]]

PRODUCTS = ("taxonomy.tsv", "synonyms.tsv", "forwards.tsv", "conflicts.tsv", "deprecated.tsv", "about.json", "taxonomy.nwk",
            "taxa.parquet", "names.parquet", "xref.parquet", "vernaculars.parquet", "lookup.sqlite", "report.json")  # fmt: skip


def named_by_reference(sections: Sections, **taxonomy: Any) -> Sections:
    return {name: dict(values) for name, values in sections.items()} | {
        "names": {"method": "reference"},
        "taxonomy": taxonomy,
    }


class Sample:
    """The sample with ids and splits of its own, named by a reference taxonomy, in the test's folder."""

    def __init__(self, folder: Path, sections: Sections, write: Callable[..., Path], build: Any) -> None:
        self.folder, self.sections, self.write, self.build = folder / "out", sections, write, build
        self.sections.pop("published", None)

    def run(self, task: str = "BuildCatalog", *, reuse: Path | None = None, **taxonomy: Any) -> Any:
        sections = named_by_reference(self.sections, **taxonomy)
        sections["dataset"] |= {"tag": "mine", "root": self.folder} | ({"reuse": reuse} if reuse else {})
        return self.build(self.write(sections), task=task)

    @property
    def directory(self) -> Path:
        return self.folder / "mine"


@pytest.fixture
def sample(tmp_path: Path, sample_settings: Sections, settings_file: Any, build: Any) -> Sample:
    return Sample(tmp_path, sample_settings, settings_file, build)


def catalog(directory: Path) -> dict[str, dict[str, str]]:
    with (directory / "224x224" / "catalog.csv").open(encoding="utf-8", newline="") as file:
        return {row["treeoflife_id"]: row for row in csv.DictReader(file) if row["split"] != "train_small"}


def test_the_release_is_part_of_the_dataset(reference_build: Path) -> None:
    files = json.loads((reference_build / "manifest.json").read_bytes())["files"]
    assert {f"taxonomy/{name}" for name in PRODUCTS} <= set(files)
    figures = json.loads((reference_build / "taxonomy" / "report.json").read_bytes())
    xref = pq.read_table(reference_build / "taxonomy" / "xref.parquet")
    assert sum(sum(fates.values()) for fates in figures["fates"].values()) == len(xref)
    imported = (reference_build / "taxonomy" / "sources" / "imported").glob("*/taxa.parquet")
    assert Counter(xref["source"].to_pylist()) == {
        path.parent.name: pq.read_metadata(path).num_rows for path in imported
    }


def test_pages_that_the_published_rules_halve_have_their_complete_lineage(reference_build: Path) -> None:
    rows = catalog(reference_build).values()
    turkeys = {(row["kingdom"], row["class"], row["genus"]) for row in rows if row["species"] == "gallopavo"}
    assert turkeys == {("Animalia", "Aves", "Meleagris")}
    hybrids = {row["family"] for row in rows if row["species"] == "× ananassa"}  # noqa: RUF001
    assert hybrids == {"Rosaceae"}
    assert {row["kingdom"] for row in rows} == {"Animalia", "Plantae", "Fungi"}


@pytest.mark.parametrize("name", ["predicted-catalog.parquet", "224x224/catalog.parquet"])
def test_both_catalogs_name_the_taxon_of_each_image_only_with_a_reference(
    reference_build: Path, own_build: Path, name: str
) -> None:
    taxa = pq.read_table(reference_build / "taxonomy" / "taxa.parquet").to_pylist()
    families = {taxon["tol_id"]: taxon["family"] for taxon in taxa}
    rows = pq.read_table(reference_build / name, columns=["tol_id", "family", "name_rules"]).to_pylist()
    assert rows
    for row in rows:
        assert row["tol_id"] in families or row["name_rules"] == "unknown_name"
        assert row["family"] == families.get(row["tol_id"], row["family"]).lower().capitalize()
    assert "tol_id" not in pq.read_schema(own_build / name).names


def test_every_image_with_a_rank_has_all_ranks_above_that_a_source_knows(reference_build: Path) -> None:
    figures = json.loads((reference_build / "taxonomy" / "report.json").read_bytes())
    assert figures["checks"]["names in several kingdoms"]["count"] == 0
    assert figures["checks"]["genera in several families of one kingdom"]["count"] == 0


def test_a_second_run_does_nothing_and_a_lost_table_is_made_again(
    reference_build: Path, sample: Sample, digests: Digests
) -> None:
    shutil.copytree(reference_build, sample.directory)
    before = digests(sample.directory)
    assert "BuildReferenceTaxonomy" not in sample.run().ran
    (sample.directory / "taxonomy" / "taxa.parquet").unlink()
    again = sample.run()
    assert again.returncode == 0, again.stderr
    assert "BuildReferenceTaxonomy" in again.ran
    assert digests(sample.directory) == before


def test_relabelling_makes_the_dataset_that_is_built_from_scratch(
    reference_build: Path, own_build: Path, sample: Sample, digests: Digests
) -> None:
    finished = sample.run("RelabelShards", reuse=own_build)
    assert finished.returncode == 0, finished.stderr
    relabelled, scratch = (
        digests(one, "224x224/*/shard-*.tar") for one in (sample.directory, reference_build)
    )
    assert relabelled == scratch
    report = json.loads((sample.directory / "relabel-report.json").read_bytes())
    assert report["all"]["relabelled"] > 0
    assert report["all"]["genus"] > 0
    assert report["labels"]["kingdom"]["filled"] > 0
    assert any(example["now"].startswith("Animalia Chordata Aves") for example in report["examples"])
    faults = report["published_faults"]
    assert {"nothing_above", "genus_spelling", "other_rank"} <= set(faults)
    assert all(0 < fault["images"] <= report["all"]["compared"] for fault in faults.values())
    text = (sample.directory / "relabel-report.txt").read_text(encoding="utf-8")
    assert (
        "without ranks above the highest known one, such as a genus that is in no table  [nothing_above]"
        in text
    )


def test_why_explains_a_name_down_to_the_records_of_sources(reference_build: Path) -> None:
    rows = catalog(reference_build).values()
    image = next(row["treeoflife_id"] for row in rows if row["inat21_cls_num"])
    text = str(Dataset.open(reference_build).explain(image))
    assert "its source gives Animalia" in text or "its source gives Plantae" in text
    assert re.search(r"taxon \d+ of", text)
    assert re.search(r"(eol:EOL-|inat:)\d+ ", text)


def test_a_finished_release_names_images_as_it_is(reference_build: Path, sample: Sample) -> None:
    finished = sample.run("PredictCatalog", release=reference_build / "taxonomy")
    assert finished.returncode == 0, finished.stderr
    ours, theirs = (one / "predicted-catalog.csv" for one in (sample.directory, reference_build))
    assert ours.read_bytes() == theirs.read_bytes()


def test_a_new_release_keeps_the_ids_of_the_previous_one(reference_build: Path, sample: Sample) -> None:
    finished = sample.run("CompareTaxonomies", previous=reference_build / "taxonomy")
    assert finished.returncode == 0, finished.stderr
    assert "nothing has changed" in finished.stdout
    ours, theirs = (one / "taxonomy" / "taxa.parquet" for one in (sample.directory, reference_build))
    assert pq.read_table(ours).equals(pq.read_table(theirs))


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("ncbi", "is not of the form <name> = <format> <path>"),
        ("ncbi = no-format /data", "'no-format' is not a format"),
        ("ncbi = ncbi missing.tar.gz", "missing.tar.gz is missing"),
        ("one = itis-chains {chains}\n one = itis-chains {chains}", "one/ is listed twice"),
        ("one = itis-chains {chains}\n one/Fungi = ncbi {chains}", "one is the name of two sources"),
    ],
)
def test_sources_that_cannot_be_used_are_one_line(sample: Sample, lines: str, message: str) -> None:
    finished = sample.run(sources=lines.format(chains=sample.sections["itis"]["chains"]))
    assert finished.returncode == 40
    (line,) = finished.messages
    assert "[taxonomy] sources" in line
    assert message in line


def test_published_names_beside_a_reference_are_one_line(sample: Sample, tmp_path: Path) -> None:
    sample.sections["published"] = {"names": tmp_path}
    finished = sample.run("StoreSettings")
    assert finished.returncode == 40
    (line,) = finished.messages
    assert "[published] names" in line
    assert "[names] method = reference, so these names would not be used. Leave it empty" in line


def test_the_demonstration_is_named_by_a_reference(tmp_path: Path, settings_file: Any, build: Any) -> None:
    settings = settings_file(named_by_reference({"dataset": {"root": tmp_path, "tag": "drawn"}}))
    finished = build(settings, task="PredictCatalog")
    assert finished.returncode == 0, finished.stderr
    rows = pq.read_table(tmp_path / "drawn" / "predicted-catalog.parquet").to_pylist()
    assert {row["source"] for row in rows} == {"eol", "bioscan", "inat21"}
    named = [row for row in rows if row["tol_id"] is not None]
    assert len(named) > len(rows) / 2
    assert all(row["kingdom"] and row["phylum"] for row in named if row["species"])


def test_a_clade_that_a_source_lacks_is_one_line(sample: Sample) -> None:
    chains = sample.sections["itis"]["chains"]
    finished = sample.run("BuildReferenceTaxonomy", sources=f"itis/Klingon = itis-chains {chains}")
    assert finished.returncode != 0
    (line,) = finished.messages
    assert "'Klingon'" in line


def test_a_name_that_is_no_source_is_one_line(
    sample_settings: Sections, settings_file: Any, build: Any
) -> None:
    finished = build(settings_file(sample_settings), "--source", "worms", task="ImportTaxonomy")
    assert finished.returncode == 40
    assert "the settings name no such source of the reference taxonomy" in "".join(finished.messages)


def test_parts_of_sources_have_priorities_of_their_own(sample: Sample) -> None:
    eol, itis = sample.sections["eol"]["taxon_tab"], sample.sections["itis"]["chains"]
    sources = f"itis/Aves = itis-chains {itis}\n eol = dynamic-hierarchy {eol}\n itis = itis-chains {itis}"
    finished = sample.run("BuildReferenceTaxonomy", sources=sources)
    assert finished.returncode == 0, finished.stderr
    taxa = pq.read_table(sample.directory / "taxonomy" / "taxa.parquet").to_pylist()
    species = [taxon for taxon in taxa if taxon["rank"] == "species" and taxon["sources"].count(":") > 2]
    origins = {(taxon["class"], taxon["sources"].partition(":")[0]) for taxon in species}
    assert ("Aves", "itis") in origins
    assert ("Aves", "eol") not in origins
    assert ("Mammalia", "eol") in origins


def test_statements_of_curators_hold_or_are_reported(sample: Sample, tmp_path: Path) -> None:
    patches = tmp_path / "patches.yaml"
    patches.write_text(
        "- {id: lion, evidence: https://example.org, has_rank: {taxon: Panthera onca, rank: subspecies}}\n"
        "- {id: nothing, evidence: https://example.org, is_extinct: Klingon}\n",
        encoding="utf-8",
    )
    finished = sample.run("BuildReferenceTaxonomy", patches=patches)
    assert finished.returncode == 0, finished.stderr
    folder = sample.directory / "taxonomy"
    rows = pq.read_table(folder / "taxa.parquet").to_pylist()
    assert {taxon["rank"] for taxon in rows if taxon["name"] == "Panthera onca"} == {"subspecies"}
    text = (folder / "report.txt").read_text(encoding="utf-8")
    assert "2 statements of curators: 1 applied, 1 cannot be applied" in text
    assert "nothing: is_extinct Klingon: " in text

"""Whatever happens to a single file of a finished dataset, it is noticed, and made good."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sessions import Session

from tol_luigi.core.receipts import read_receipt, record_files

Digests = Callable[..., dict[str, str]]

KINDS = 6
"""The kinds of files are dealt to so many tests."""

NO_PART = ("demonstration", "sightings", "verification", "logs")
"""What a dataset's folder holds besides the dataset."""


def delete(path: Path) -> None:
    path.unlink()


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def lengthen(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"x")


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


@pytest.fixture(scope="module")
def demonstration(build_once: Any) -> Path:
    folder: Path = build_once("damage", {"dataset": {"root": "out", "tag": "demo"}})
    return folder


@pytest.fixture
def dataset(demonstration: Path, tmp_path: Path) -> Path:
    shutil.copytree(demonstration, tmp_path / "out" / "demo")
    (tmp_path / "settings.cfg").write_text("[dataset]\nroot = out\ntag = demo\n", encoding="utf-8")
    return tmp_path / "out" / "demo"


@pytest.fixture
def session(dataset: Path) -> Iterator[Session]:
    with Session(dataset.parent.parent / "settings.cfg") as session:
        yield session


def parts(dataset: Path, digests: Digests) -> dict[str, str]:
    return {
        name: digest for name, digest in digests(dataset).items() if not any(part in name for part in NO_PART)
    }


def one_of_each_kind(names: list[str]) -> list[str]:
    """Keep one of the shards of each split, one receipt of each stage over partitions, and so on."""
    kinds: dict[tuple[str, ...], str] = {}
    for name in names:
        path = Path(name)
        is_one_of_many = path.suffix == ".tar" or path.parts[0] == "listings" or "records" in path.parts
        is_one_of_many |= len(path.parts) > 2 and path.parts[0] == "receipts"
        is_one_of_many |= len(path.parts) > 2 and path.parts[1] in {"attribution", "report"}
        kind = (*path.parts[:2], "".join(path.suffixes)) if is_one_of_many else path.parts
        kinds.setdefault(kind, name)
    return list(kinds.values())


@pytest.mark.parametrize("share", range(KINDS))
def test_any_damage_to_one_file_is_made_good(
    share: int, dataset: Path, session: Session, digests: Digests
) -> None:
    whole = parts(dataset, digests)
    assert set(whole) >= {
        "manifest.json",
        "SHA256SUMS",
        "mapping.sqlite",
        "224x224/catalog.parquet",
        "dataset.json",
    }
    for name in one_of_each_kind(sorted(whole))[share::KINDS]:
        for damage in (delete, cut, lengthen, flip):
            path = dataset / name
            if path.stat().st_size == 0 and damage in {cut, flip}:
                continue
            damage(path)
            told = f"{damage.__name__} {name}"
            built = session.run()
            if parts(dataset, digests) != whole:
                # A file of the right size is not read by every build; whoever wants to know asks for it.
                assert damage is flip, told
                assert not session.run("VerifyDataset", begun=f"before {told}").succeeded, told
                assert session.run("VerifyDataset", begun=f"after {told}", repair=True).succeeded, told
            else:
                assert built.succeeded, told
            assert parts(dataset, digests) == whole, told


@pytest.mark.parametrize(("stage", "which"), [("CheckPredictedTaxa", "predicted"), ("CheckTaxa", "final")])
def test_a_report_on_the_taxa_of_a_catalog_before_this_one_is_made_again(
    *, stage: str, which: str, dataset: Path, session: Session, digests: Digests
) -> None:
    whole = parts(dataset, digests)
    report, receipt_path = dataset / f"taxa-report-{which}.json", dataset / "receipts" / f"{stage}.json"
    report.write_text('{"rows": 1}', encoding="utf-8")
    receipt = read_receipt(receipt_path)
    assert receipt
    files = record_files(dataset, [report, report.with_suffix(".txt")])
    replace(receipt, inputs=dict.fromkeys(receipt.inputs, "0" * 64), files=files).write(receipt_path)

    assert session.run().succeeded
    assert parts(dataset, digests) == whole


def test_two_shards_that_change_places_are_made_good(
    dataset: Path, session: Session, digests: Digests
) -> None:
    whole = parts(dataset, digests)
    first, second = (dataset / "224x224" / "train" / f"shard-00000{number}.tar" for number in (0, 1))
    content = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(content)

    assert session.run("VerifyDataset", repair=True).succeeded
    assert parts(dataset, digests) == whole


def test_sha256sum_takes_the_checksums_and_finds_what_is_wrong(dataset: Path) -> None:
    command = ["sha256sum", "--check", "--quiet", "--strict", "SHA256SUMS"]
    assert subprocess.run(command, cwd=dataset, check=False).returncode == 0

    flip(dataset / "224x224" / "catalog.csv")
    found = subprocess.run(command, cwd=dataset, capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout) == (1, "224x224/catalog.csv: FAILED\n")


def test_the_checksums_are_of_all_files_but_themselves(dataset: Path, digests: Digests) -> None:
    lines = (dataset / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    listed = {name: digest for digest, name in (line.split("  ", 1) for line in lines)}
    own = {"SHA256SUMS", "receipts/WriteManifest.json"}

    assert listed == {name: digest for name, digest in parts(dataset, digests).items() if name not in own}


def test_damage_is_blamed_on_the_file_that_is_damaged(dataset: Path, session: Session) -> None:
    cut(dataset / "predicted-catalog.parquet")
    assert not session.run("VerifyDataset").succeeded

    report = (dataset / "224x224" / "verification-report.txt").read_text(encoding="utf-8")
    assert "predicted-catalog.parquet" in report
    assert ".tar" not in report


def swap(one: Path, other: Path) -> None:
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)


def add_a_line(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\n")


def test_a_change_that_json_does_not_see_is_made_good(
    dataset: Path, session: Session, digests: Digests
) -> None:
    whole = parts(dataset, digests)
    for name in ("dataset.json", *sorted(name for name in whole if name.startswith("receipts/"))):
        add_a_line(dataset / name)
    for path in dataset.glob("224x224/records/*/*/*.json"):
        add_a_line(path)

    assert session.run().succeeded
    assert parts(dataset, digests) == whole


def test_stored_settings_with_another_blank_are_found_and_made_good(
    dataset: Path, session: Session, digests: Digests
) -> None:
    whole = parts(dataset, digests)
    path = dataset / "dataset.json"
    path.write_bytes(path.read_bytes().replace(b" ", b"\t", 1))

    assert not session.run("VerifyDataset", begun="before").succeeded
    assert session.run("VerifyDataset", repair=True).succeeded
    assert parts(dataset, digests) == whole


RECORDS = "224x224/records"
PAIRS = [
    ("receipts/ScanPartition/eol/image_set_01.json", "receipts/ScanPartition/eol/image_set_02.json"),
    ("receipts/MakeMapping.json", "receipts/MakeSplits.json"),
    ("receipts/CheckTaxa.json", "receipts/CheckPredictedTaxa.json"),
    (f"{RECORDS}/train/bioscan/part1.receipt.json", f"{RECORDS}/train/bioscan/part2.receipt.json"),
    (f"{RECORDS}/val/inat21/000.verdict.json", f"{RECORDS}/train/inat21/000.verdict.json"),
]


@pytest.mark.parametrize("repair", [True, False], ids=["repair", "build"])
def test_receipts_that_change_places_are_no_receipts(
    *, repair: bool, dataset: Path, session: Session, digests: Digests
) -> None:
    whole = parts(dataset, digests)
    for one, other in PAIRS:
        swap(dataset / one, dataset / other)

    assert not session.run("VerifyDataset", begun="before").succeeded
    report = (dataset / "224x224" / "verification-report.txt").read_text(encoding="utf-8")
    assert all(name in report for pair in PAIRS for name in pair)
    assert session.run(*["VerifyDataset"] * repair, **{"repair": True} if repair else {}).succeeded
    assert parts(dataset, digests) == whole


def exchange_two_places(mapping: Path) -> None:
    """Have the mapping tell of two images of a partition that each is where the other one is."""
    with contextlib.closing(sqlite3.connect(mapping, isolation_level=None)) as database:
        (one, first), (other, second) = database.execute(
            "SELECT evobio10m_id, position FROM place WHERE partition = 0 ORDER BY 1 LIMIT 2"
        )
        database.executemany(
            "UPDATE place SET position = ? WHERE evobio10m_id = ?", [(second, one), (first, other)]
        )


def test_what_was_made_from_a_damaged_file_is_made_again(
    dataset: Path, session: Session, digests: Digests
) -> None:
    whole = parts(dataset, digests)
    exchange_two_places(dataset / "mapping.sqlite")
    (dataset / "predicted-catalog.csv").unlink()
    assert (
        session.run().succeeded
    )  # and two images are under each other's ids: the mapping is not read for nothing
    assert parts(dataset, digests) != whole

    assert session.run("VerifyDataset", repair=True).succeeded
    assert parts(dataset, digests) == whole


@pytest.mark.parametrize(
    "lost",
    [
        "224x224/train/shard-000000.tar",
        f"{RECORDS}/train/eol/image_set_01.verdict.json",
        "224x224/catalog.csv",
    ],
)
def test_a_damaged_ledger_is_blamed_where_it_is_read(
    lost: str, dataset: Path, session: Session, digests: Digests
) -> None:
    whole = parts(dataset, digests)
    ledger = dataset / RECORDS / "train" / "eol" / "image_set_01.ledger.parquet"
    content = bytearray(ledger.read_bytes())
    content[60:400:60] = bytes(byte ^ 0xFF for byte in content[60:400:60])
    ledger.write_bytes(content)
    (dataset / lost).unlink()

    ended = session.run()
    if not ended.succeeded:
        assert any(f"{ledger}: is damaged" in error for error in ended.errors)
        assert session.run().succeeded
    assert parts(dataset, digests) == whole


@pytest.mark.parametrize("damage", [delete, cut, flip], ids=lambda damage: damage.__name__)
def test_files_that_tell_where_samples_are_from_are_blamed_at_the_highest_level(
    damage: Callable[[Path], None], dataset: Path, session: Session, digests: Digests
) -> None:
    whole = parts(dataset, digests)
    names = [
        "predicted-catalog.parquet",
        "listings/eol/image_set_01.parquet",
        "listings/bioscan/archive.parquet",
    ]
    for name in names:
        damage(dataset / name)

    assert not session.run("VerifyDataset", level="sources", begun="before").succeeded
    report = (dataset / "224x224" / "verification-report.txt").read_text(encoding="utf-8")
    assert all(name in report for name in names)
    assert session.run("VerifyDataset", level="sources", repair=True).succeeded
    assert parts(dataset, digests) == whole


def test_a_repair_removes_no_source(dataset: Path, session: Session, digests: Digests) -> None:
    whole = parts(dataset, digests)
    sources = digests(dataset, "demonstration/**/*")
    archive = dataset / "demonstration" / "eol" / "image_set_01.tar.gz"
    content = archive.read_bytes()
    cut(archive)
    half = archive.read_bytes()

    ended = session.run("VerifyDataset", level="sources", repair=True, begun="one")
    assert not ended.succeeded
    assert str(archive) in ended.errors[-1]
    assert archive.read_bytes() == half
    archive.write_bytes(content)
    assert session.run("VerifyDataset", level="sources", begun="two").succeeded
    assert (parts(dataset, digests), digests(dataset, "demonstration/**/*")) == (whole, sources)


@pytest.mark.parametrize("content", [b'{"begun": "2', b"[]", b""], ids=["cut off", "a list", "empty"])
def test_findings_that_are_damaged_are_no_findings(content: bytes, dataset: Path, session: Session) -> None:
    (dataset / "plan.json").unlink()
    assert session.run("VerifyDataset", repair=True, begun="one").succeeded
    found = [path for path in dataset.rglob("*.json") if "verif" in str(path.relative_to(dataset))]
    assert len(found) > len(("report", "repair"))
    for path in found:
        path.write_bytes(content)

    assert session.run("VerifyDataset", begun="one", repair=True).succeeded

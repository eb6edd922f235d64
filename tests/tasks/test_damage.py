"""Whatever happens to a single file of a finished dataset, it is noticed, and made good."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sessions import Session

Digests = Callable[..., dict[str, str]]

KINDS = 6
"""The kinds of files are dealt to so many tests."""

NO_PART = ("demonstration", "sightings", "verification")
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

"""Files that cannot be read for a while: a build stops at them or goes without them, and takes them once it can read them.

The builds run without root's right to read what nobody may read.
"""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest
from sessions import Session

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Sections = dict[str, dict[str, Any]]
Digests = Callable[..., dict[str, str]]
Rows = list[dict[str, Any]]

COUNT = 18
MEND = "Check its permissions and its disk, and run the same command again"


@pytest.fixture
def images(shared: Path, tmp_path: Path) -> Path:
    """A collection of one's own, in three folders, and its labels."""
    place = tmp_path / "images"
    lines = ["file,kingdom,phylum,class,order,family,genus,species"]
    for number, image in enumerate(sorted((shared / "sample" / "bioscan").rglob("*.jpg"))[:COUNT]):
        name = f"{'abc'[number // 6]}/{number:02d}.jpg"
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(image, place / name)
        lines.append(f"{name},Animalia,Arthropoda,Insecta,Diptera,,Genus{number:02d},alba")
    (tmp_path / "labels.csv").write_text("\n".join([*lines, ""]), encoding="utf-8")
    return place


@pytest.fixture
def sections(tmp_path: Path, images: Path) -> Sections:
    return {
        "dataset": {"root": "out", "tag": "x"},
        "folder": {"images": images, "labels": tmp_path / "labels.csv", "partitions": 1},
        "images": {"duplicates": "drop"},
        "shards": {"max_samples": 5},
        "checks": {"max_bad_percent": 20},
    }


@pytest.fixture
def session(
    settings_file: Any, sections: Sections, unprivileged_prefix: tuple[str, ...]
) -> Iterator[Session]:
    with Session(settings_file(sections), unprivileged_prefix) as session:
        yield session


@pytest.fixture
def undisturbed(
    *, images: Path, tmp_path: Path, settings_file: Any, sections: Sections, build: Any, digests: Digests
) -> Any:
    """Build the images as they are in another place, and hash what comes of it."""
    settings = settings_file(
        {**sections, "dataset": {"root": tmp_path / "undisturbed", "tag": "x"}}, "undisturbed.cfg"
    )

    def built() -> dict[str, str]:
        finished = build(settings)
        assert finished.returncode == 0, finished.stderr
        return digests(tmp_path / "undisturbed" / "x")

    del images
    return built


def states(rows: Rows, *names: str) -> list[tuple[str, str]]:
    return [(row["state"], row["reason"]) for name in names for row in rows if row["name"] == name]


def test_a_file_that_may_not_be_read_stops_the_build_until_it_may(
    images: Path, session: Session, tmp_path: Path, undisturbed: Any, digests: Digests
) -> None:
    for name in ("a/02.jpg", "b/07.jpg", "c/13.jpg"):
        (images / name).chmod(0)
    ended = session.run()

    assert not ended.succeeded
    (message,) = {error.partition("000: ")[2] for error in ended.errors if "tol_luigi: " in error}
    assert message == (
        f"[folder] images: {images}/a/02.jpg: cannot be read: Permission denied (and 2 more of {COUNT} files). {MEND}; "
        "or set [checks] unreadable_file = skip to build without such files until they can be read."
    )
    for path in images.rglob("*.jpg"):
        path.chmod(0o644)
    assert session.run().succeeded
    assert digests(tmp_path / "out" / "x") == undisturbed()


def test_a_folder_that_may_not_be_listed_stops_the_build_until_it_may(images: Path, session: Session) -> None:
    for mode, first in ((0, "b: cannot be listed: "), (0o600, "b/06.jpg: cannot be reached: ")):
        (images / "b").chmod(mode)
        ended = session.run()
        assert not ended.succeeded
        assert any(f"{images}/{first}Permission denied" in error for error in ended.errors)
    (images / "b").chmod(0o755)
    assert session.run().succeeded


def test_what_is_skipped_is_read_as_soon_as_it_can_be(
    *, images: Path, session: Session, tmp_path: Path, ledger: Any, undisturbed: Any, digests: Digests
) -> None:
    dataset, skip = tmp_path / "out" / "x", {"unreadable_file": "skip"}
    (images / "a" / "02.jpg").chmod(0)
    (images / "c").chmod(0)
    (images / "locked").mkdir(mode=0)
    ended = session.run(settings=skip)
    assert ended.succeeded, ended.errors
    skipped = "Permission denied, so it is skipped until it can be read"
    assert [error.removeprefix("tol_luigi: ") for error in ended.errors] == [
        f"ScanPartition folder all: {images}/c: cannot be listed: {skipped.replace(',', ' (and 1 more),')}",
        f"MakeMapping: {images}/c/12.jpg: c/ cannot be listed: {skipped.replace(',', ' (and 5 more),')}",
        f"HashPartition folder 000: {images}/a/02.jpg: cannot be read: {skipped}",
        f"WriteShards train folder 000: {images}/a/02.jpg: cannot be read: {skipped}",
    ]
    rows = ledger(dataset)
    assert states(rows, "a/02.jpg", "locked/", "c/12.jpg") == [
        ("unreadable", "could not be read (Permission denied)"),
        ("unreadable", "cannot be listed: Permission denied"),
        ("unreadable", "c/ cannot be listed: Permission denied"),
    ]
    before = digests(dataset)
    assert session.run(settings=skip).succeeded
    assert digests(dataset) == before, "as long as nothing has become readable, nothing is done again"

    (images / "a" / "02.jpg").chmod(0o644)
    (images / "locked").chmod(0o755)
    (images / "c").chmod(0o755)
    assert session.run(settings=skip).succeeded
    assert states(ledger(dataset), "a/02.jpg", "c/12.jpg", "locked/") == [
        ("written", ""),
        ("written", ""),
        ("no_image", "a folder without images"),
    ]
    assert digests(dataset) == undisturbed()


def test_more_than_the_settings_allow_are_not_skipped(images: Path, session: Session) -> None:
    for path in (images / "a").iterdir():
        path.chmod(0)
    ended = session.run(settings={"unreadable_file": "skip"})

    assert not ended.succeeded
    assert any(
        "6 of 18 images are broken, the first one: could not be read" in error for error in ended.errors
    )


def test_a_lost_shard_is_not_made_without_a_file_that_cannot_be_read(
    images: Path, session: Session, tmp_path: Path, digests: Digests
) -> None:
    assert session.run().succeeded
    dataset = tmp_path / "out" / "x"
    before = digests(dataset)
    for path in (dataset / "224x224" / "train").glob("*.tar"):
        path.unlink()
    (images / "a" / "02.jpg").chmod(0)
    ended = session.run(settings={"unreadable_file": "skip", "changed_sources": "rebuild"})

    assert not ended.succeeded
    assert any(f"{images}/a/02.jpg: cannot be read: Permission denied" in error for error in ended.errors)
    (images / "a" / "02.jpg").chmod(0o644)
    assert session.run().succeeded
    assert digests(dataset) == before


def test_a_link_whose_target_comes_back_is_read(
    *, images: Path, session: Session, tmp_path: Path, ledger: Any, undisturbed: Any, digests: Digests
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (images / "a" / "02.jpg").rename(elsewhere / "x.jpg")
    (images / "a" / "02.jpg").symlink_to(elsewhere / "x.jpg")
    elsewhere.rename(tmp_path / "unmounted")
    assert session.run().succeeded
    (row,) = states(ledger(tmp_path / "out" / "x"), "a/02.jpg")
    assert row == ("unsafe", f"link to '{elsewhere}/x.jpg', which is not there")

    (tmp_path / "unmounted").rename(elsewhere)
    assert session.run().succeeded
    assert states(ledger(tmp_path / "out" / "x"), "a/02.jpg") == [("written", "")]
    assert digests(tmp_path / "out" / "x") == undisturbed()


def test_a_shard_that_may_not_be_read_is_not_taken_for_damaged(session: Session, tmp_path: Path) -> None:
    assert session.run().succeeded
    dataset = tmp_path / "out" / "x"
    shard = min((dataset / "224x224" / "train").glob("*.tar"))
    content, made = shard.read_bytes(), shard.stat().st_ino
    shard.chmod(0)
    for verdict in dataset.rglob("*.verdict.json"):
        verdict.unlink()
    ended = session.run()

    assert not ended.succeeded
    assert any(f"{shard}: cannot be read: Permission denied. {MEND}." in error for error in ended.errors)
    shard.chmod(0o644)
    assert session.run().succeeded
    assert (shard.read_bytes(), shard.stat().st_ino) == (content, made)


def test_a_source_that_may_not_be_looked_at_has_not_changed(
    images: Path, session: Session, tmp_path: Path, digests: Digests
) -> None:
    assert session.run().succeeded
    before = digests(tmp_path / "out" / "x")
    (images / "a").chmod(0)
    images.chmod(0o600)
    ended = session.run(settings={"changed_sources": "rebuild"})
    images.chmod(0o755)
    (images / "a").chmod(0o755)

    assert not ended.succeeded
    assert any("cannot be read: Permission denied" in error for error in ended.errors)
    assert session.run().succeeded
    assert digests(tmp_path / "out" / "x") == before


def test_a_benchmark_that_may_not_be_read_stops_the_build(
    *,
    images: Path,
    tmp_path: Path,
    sections: Sections,
    settings_file: Any,
    unprivileged_prefix: tuple[str, ...],
) -> None:
    lists = tmp_path / "lists"
    shutil.copytree(images / "a", lists / "rare")
    (lists / "rare" / "01.jpg").chmod(0)
    settings = settings_file({**sections, "leak_guard": {"images": lists}})
    with Session(settings, unprivileged_prefix) as session:
        ended = session.run(settings={"unreadable_file": "skip"})
        assert not ended.succeeded
        assert any(
            f"{lists}/rare/01.jpg: cannot be read: Permission denied" in error for error in ended.errors
        )
        (lists / "rare" / "01.jpg").chmod(0o644)
        assert session.run().succeeded
    table = pq.read_table(next((tmp_path / "out" / "x").glob("benchmark-hashes.parquet")))
    assert [row for row in table.to_pylist() if row["problem"]] == []


def test_a_tar_of_gnu_tar_with_links_builds_what_its_folder_builds(
    *, images: Path, tmp_path: Path, sections: Sections, settings_file: Any, build: Any, ledger: Any
) -> None:
    for number in range(3):
        copy = images / "c" / f"{12 + number}.jpg"
        copy.unlink()
        copy.hardlink_to(images / "a" / f"{number:02d}.jpg") if number else copy.symlink_to("../a/00.jpg")
    (images / "c" / "13.jpg").with_name("dangling.jpg").symlink_to("nothing.jpg")
    archive = tmp_path / "images.zip"  # which is a tar.gz
    subprocess.run(["tar", "-czf", archive, "-C", images, "."], check=True)
    found = []
    for place, root in ((images, "plain"), (archive, "packed")):
        given = {**sections, "dataset": {"root": root, "tag": "x"}, "images": {"duplicates": "keep"}}
        settings = settings_file({**given, "folder": {**sections["folder"], "images": place}}, f"{root}.cfg")
        finished = build(settings)
        assert finished.returncode == 0, finished.stderr
        found.append(
            {row["name"]: (row["state"], row.get("sha256", "")) for row in ledger(tmp_path / root / "x")}
        )

    assert found[0] == found[1]
    assert sum(state == "written" for state, _ in found[1].values()) == COUNT
    assert found[1]["c/dangling.jpg"][0] == "unsafe"
    assert os.strerror(errno.EACCES) not in str(found)

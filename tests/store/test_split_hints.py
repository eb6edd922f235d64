from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING, Any

from tol_luigi.core.ledger import State
from tol_luigi.core.reader import Found, Member
from tol_luigi.sources.imagefolder import IMAGEFOLDER, ImageFolderLabeler
from tol_luigi.sources.path_names import PathPattern
from tol_luigi.store.duplicates import write_digests
from tol_luigi.store.mapping import build_mapping, fill_splits
from tol_luigi.store.split_hints import HintSource, SplitCounts, count_splits

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tol_luigi.store.identities import ScannedSource

    ListImages = Callable[..., ScannedSource]

FILES = [f"{split}/owl/{bird}/{number}.jpg" for split in ("train", "val") for bird in "AB" for number in "12"]
OTHERS = [f"free/{bird}/{number}.jpg" for bird in "CDEFGHIJ" for number in "123"]


def images(files: Sequence[str]) -> list[tuple[str, str]]:
    return [("mine", file) for file in files]


def split(path: Path, pattern: str, val_percent: int, digests: Any = None) -> None:
    fill_splits(
        path,
        [IMAGEFOLDER],
        published=None,
        seed=17,
        val_percent=val_percent,
        train_small_percent=50,
        digest="d",
        progress=lambda _: None,
        hinted={"imagefolder": HintSource(ImageFolderLabeler(PathPattern(pattern)), digests)},
    )


def build(path: Path, *sources: ScannedSource) -> None:
    list(build_mapping(path, sources, published=None, digest="d", progress=lambda _: None))


def read(path: Path, query: str) -> list[Any]:
    with contextlib.closing(sqlite3.connect(path)) as database:
        return database.execute(query).fetchall()


def is_val(path: Path) -> dict[str, bool]:
    rows = read(path, "SELECT file, is_val FROM imagefolder JOIN split USING (evobio10m_id)")
    return {file: bool(flag) for file, flag in rows}


def test_given_splits_and_groups_come_to_the_mapping(tmp_path: Path, list_images: ListImages) -> None:
    path = tmp_path / "mapping.sqlite"
    build(path, list_images(IMAGEFOLDER, {"a": images(FILES[:4]), "b": images(FILES[4:])}))
    split(path, "{split}/{name}/{}", 0)

    assert is_val(path) == {file: file.startswith("val") for file in FILES}
    assert set(read(path, "SELECT given, image_group FROM split_hint")) == {("train", ""), ("val", "")}
    assert count_splits(path, IMAGEFOLDER) == SplitCounts(8, 4, 4, 4, 0, 0, 0, 0)


def test_damaged_files_do_not_count(tmp_path: Path, list_images: ListImages) -> None:
    broken = Found(Member("free/C/0.jpg", 1), "a", state=State.UNREADABLE, reason="broken")
    found = []
    for name, listed in (("one", images(OTHERS)), ("other", [broken, *reversed(images(OTHERS))])):
        build(tmp_path / name, list_images(IMAGEFOLDER, {"a": listed}))
        split(tmp_path / name, "{name}/{group}", 25)
        found.append(is_val(tmp_path / name))

    assert found[0] == found[1]
    assert sum(found[0].values()) == 6
    assert count_splits(tmp_path / "one", IMAGEFOLDER) == SplitCounts(24, 6, 0, 0, 8, 24, 3, 3)


def test_groups_with_the_same_file_stay_together(tmp_path: Path, list_images: ListImages) -> None:
    path = tmp_path / "mapping.sqlite"
    build(path, list_images(IMAGEFOLDER, {"a": images(OTHERS[:12]), "b": images(OTHERS[12:])}))
    for name, start in (("a", 0), ("b", 12)):  # G and H repeat a file of C; one file cannot be read
        hashes = [f"{number:064x}" for number in range(start, start + 12)]
        same = ["0" * 64 if number in {12, 15} else one for number, one in enumerate(hashes, start)]
        write_digests(tmp_path / name, range(12), [*same[:11], None])
    split(path, "{name}/{group}", 50, digests=lambda partition: tmp_path / partition)

    flags = is_val(path)
    sides = {bird: {flags[file] for file in OTHERS if f"/{bird}/" in file} for bird in "CDEFGHIJ"}
    assert sum(flags.values()) == 12
    assert {len(side) for side in sides.values()} == {1}
    assert sides["C"] == sides["G"] == sides["H"]


def test_without_splits_and_groups_there_is_no_table_of_them(tmp_path: Path, list_images: ListImages) -> None:
    path = tmp_path / "mapping.sqlite"
    build(path, list_images(IMAGEFOLDER, {"a": images(FILES)}))
    fill_splits(
        path,
        [IMAGEFOLDER],
        published=None,
        seed=17,
        val_percent=50,
        train_small_percent=50,
        digest="d",
        progress=lambda _: None,
    )

    assert read(path, "SELECT name FROM sqlite_master WHERE name = 'split_hint'") == []

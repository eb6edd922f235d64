"""Sources that change after they were read: the dataset becomes that of the new ones, or one line says what has changed."""

from __future__ import annotations

import io
import os
import random
import shutil
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sessions import Session

Digests = Callable[..., dict[str, str]]
Files = list[tuple[tarfile.TarInfo, bytes]]

INTERMEDIATE = (
    "", "listings", "mapping.sqlite", "predicted-catalog.parquet", "plan.json", "metadata/names.sqlite", "receipts",
    "32x32/train/shard-000000.tar",
)  # fmt: skip
"""What is deleted between the change and the build; first nothing."""


def files_of(archive: Path) -> Files:
    with tarfile.open(archive) as tar:
        return [(member, tar.extractfile(member).read()) for member in tar if member.isfile()]  # type: ignore[union-attr]


def pack(archive: Path, files: Files) -> None:
    with tarfile.open(archive, "w") as tar:
        for member, content in files:
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))


def reorder_an_archive(sources: Path) -> None:
    files = files_of(sources / "eol" / "image_set_01.tar")
    random.Random(1).shuffle(files)  # noqa: S311 (the same order each time)
    pack(sources / "eol" / "image_set_01.tar", files)


def take_from_an_archive(sources: Path) -> None:
    archive = sources / "eol" / "image_set_01.tar"
    pack(archive, files_of(archive)[2:])


def add_to_an_archive(sources: Path) -> None:
    archive = sources / "eol" / "image_set_01.tar"
    files = files_of(archive)
    member = tarfile.TarInfo("1_" + files[0][0].name.split("_", 1)[1])
    pack(archive, [(member, files[0][1]), *files])


def change_a_file_in_an_archive(sources: Path) -> None:
    archive = sources / "eol" / "image_set_02.tar"
    (member, content), *others = files_of(archive)
    flipped = bytearray(content)
    flipped[len(flipped) // 2] ^= 1
    pack(archive, [(member, bytes(flipped)), *others])


def swap_two_archives(sources: Path) -> None:
    swap(sources / "eol" / "image_set_01.tar", sources / "eol" / "image_set_02.tar")


def swap_two_images(sources: Path) -> None:
    swap(*sorted((sources / "bioscan" / "part1").iterdir())[:2])


def swap(one: Path, other: Path) -> None:
    one.rename(one.with_name("aside"))
    other.rename(one)
    one.with_name("aside").rename(other)


def class_folder(sources: Path) -> Path:
    return sorted((sources / "inat21" / "train").iterdir())[3]


def add_an_image_to_a_class(sources: Path) -> None:
    first = min(class_folder(sources).iterdir())
    shutil.copyfile(first, first.with_name(f"{first.stem[:-1]}0.jpg"))


def take_an_image_from_a_class(sources: Path) -> None:
    min(class_folder(sources).iterdir()).unlink()


def put_a_file_among_the_classes(sources: Path) -> None:
    (sources / "inat21" / "train" / "stray.jpg").write_bytes(b"x")


def change_the_labels(sources: Path) -> None:
    labels = sources / "labels.csv"
    labels.write_text(labels.read_text(encoding="utf-8").replace("Genus03", "Other03"), encoding="utf-8")


def change_a_table_of_names(sources: Path) -> None:
    chains = sources / "chains.csv"
    chains.write_text(chains.read_text(encoding="utf-8").replace("Animalia,", "Anamalia,"), encoding="utf-8")


def add_an_image_without_a_label(sources: Path) -> None:
    folder = sources / "folder" / "part1"
    shutil.copyfile(min(folder.iterdir()), folder / "AAA.jpg")


def take_most_of_an_archive(sources: Path) -> None:
    """So that there are fewer shards."""
    archive = sources / "eol" / "image_set_01.tar"
    pack(archive, files_of(archive)[:3])


CHANGES = (
    reorder_an_archive, take_from_an_archive, add_to_an_archive, change_a_file_in_an_archive, swap_two_archives,
    swap_two_images, add_an_image_to_a_class, take_an_image_from_a_class, put_a_file_among_the_classes, change_the_labels,
    change_a_table_of_names, add_an_image_without_a_label, take_most_of_an_archive,
)  # fmt: skip


def make_sources(shared: Path, sources: Path) -> None:
    """Copy the sample so that it can be changed: all four kinds of sources, with EOL's archives not packed.

    There are hundreds of builds here, so of the larger sources only the first images: two shards of each archive, and
    two images of each class.
    """
    sample = shared / "sample"
    for name, copy in (("inat21", "inat21"), ("bioscan", "bioscan"), ("bioscan", "folder")):
        shutil.copytree(sample / name, sources / copy, copy_function=shutil.copyfile)
    for images in (sources / "inat21" / "train").iterdir():
        for image in sorted(images.iterdir())[2:]:
            image.unlink()
    (sources / "eol").mkdir()
    for number in ("01", "02"):
        pack(
            sources / "eol" / f"image_set_{number}.tar",
            files_of(sample / "eol-original" / f"image_set_{number}.tar.gz")[:14],
        )
    images = sorted((sources / "folder").rglob("*.jpg"))
    rows = [
        f"{image.relative_to(sources / 'folder')},Animalia,Arthropoda,Insecta,Diptera,,Genus{number:02d},alba"
        for number, image in enumerate(images)
    ]
    header = "file,kingdom,phylum,class,order,family,genus,species"
    (sources / "labels.csv").write_text("\n".join([header, *rows, ""]), encoding="utf-8")
    shutil.copyfile(sample / "metadata/itis/species_level_taxonomy_chains.csv", sources / "chains.csv")
    for path in (sources, *sources.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


@pytest.fixture
def sections(shared: Path, tmp_path: Path) -> dict[str, dict[str, Any]]:
    tables, sources = shared / "sample" / "metadata", tmp_path / "sources"
    return {
        "dataset": {"root": "out", "tag": "x"},
        "eol": {"images": sources / "eol", "taxon_tab": tables / "eol/dh21/taxon.tab"},
        "inat21": {"images": sources / "inat21", "partitions": 2},
        "bioscan": {
            "images": sources / "bioscan",
            "metadata": tables / "bioscan" / "BIOSCAN_Insect_Dataset_metadata.jsonld",
        },
        "folder": {"images": sources / "folder", "labels": sources / "labels.csv"},
        "itis": {"chains": sources / "chains.csv"},
        "checks": {"max_bad_percent": 100},
        "shards": {"max_samples": 7},
        "images": {"width": 32, "height": 32},  # hundreds of builds are about anything but pixels
        "report": {"page": False},  # and about anything but how a build looks
    }


@pytest.fixture
def session(
    shared: Path, tmp_path: Path, settings_file: Any, sections: dict[str, dict[str, Any]]
) -> Iterator[Session]:
    make_sources(shared, tmp_path / "sources")
    with Session(settings_file(sections)) as session:
        yield session


def overwrite_an_image(sources: Path) -> Path:
    """Change a byte of a file without touching its folder."""
    image = min((sources / "bioscan" / "part1").iterdir())
    content = bytearray(image.read_bytes())
    content[len(content) // 2] ^= 1
    image.write_bytes(content)
    return image


def test_files_are_compared_with_the_sources_on_request(tmp_path: Path, session: Session) -> None:
    assert session.run().succeeded
    assert session.run("VerifyDataset", level="sources", begun="before").succeeded
    image = overwrite_an_image(tmp_path / "sources")
    assert not session.run("VerifyDataset", level="sources", begun="after").succeeded

    report = next(tmp_path.rglob("verification-report.txt")).read_text(encoding="utf-8")
    assert image.name in report
    assert report.count("it is not what ") == 1


def test_an_archive_of_a_source_is_not_listed_as_a_bad_shard(tmp_path: Path, session: Session) -> None:
    assert session.run().succeeded
    archive = tmp_path / "sources" / "eol" / "image_set_01.tar"
    archive.write_bytes(archive.read_bytes()[:1024])
    assert not session.run("VerifyDataset", level="sources", begun="after").succeeded

    report = next(tmp_path.rglob("verification-report.txt")).read_text(encoding="utf-8")
    assert str(archive) in report
    assert next(tmp_path.rglob("bad-shards.txt")).read_text(encoding="utf-8") == ""


def dealt_policies(change: int) -> Iterator[tuple[str, str]]:
    """Pair what is deleted with the policies: nothing with both; of all other pairs two, which the changes take in turn."""
    policies = ("stop", "rebuild")
    yield from ((INTERMEDIATE[0], policy) for policy in policies)
    others = INTERMEDIATE[1:]
    for number in range(2 * change, 2 * change + 2):
        yield others[number % len(others)], policies[number // len(others) % 2]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_change_is_built_anew_or_told_of(
    change: Callable[[Path], None], tmp_path: Path, session: Session, digests: Digests
) -> None:
    assert session.run().succeeded
    dataset = next(tmp_path.rglob("dataset.json")).parent
    kept = tmp_path / "kept"
    shutil.copytree(dataset, kept)
    before = digests(kept)
    change(tmp_path / "sources")
    shutil.rmtree(dataset)
    assert session.run().succeeded
    after = digests(dataset)
    assert after != before

    for name, policy in dealt_policies(CHANGES.index(change)):
        shutil.rmtree(dataset)
        shutil.copytree(kept, dataset)
        if name:
            path = dataset / name
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        told = f"{policy}, without {name or 'nothing'}"
        ended = session.run(settings={"changed_sources": policy})
        if ended.succeeded:
            assert digests(dataset) == after, told
        else:
            assert policy == "stop", told
            assert "changed since it was read" in ended.errors[-1], told
            assert "[checks] changed_sources = rebuild" in ended.errors[-1], told


def test_a_lookup_that_comes_to_the_published_ones_is_noticed(
    *, shared: Path, tmp_path: Path, bioscan_settings: Any, settings_file: Any, build: Any
) -> None:
    names = tmp_path / "names"
    names.mkdir()
    settings = settings_file({**bioscan_settings, "published": {"names": names}})
    assert build(settings).returncode == 0
    shutil.copyfile(shared / "golden/naming/bioscan_name_lookup.json", names / "bioscan_name_lookup.json")
    stopped = build(settings)

    assert stopped.returncode == 40
    assert f"{names}: has changed since it was read" in stopped.stderr


EMPTY = "inat21/train/09999_Animalia_Chordata_Aves_Passeriformes_Corvidae_Corvus_corax"


def fill_an_empty_class(sources: Path) -> None:
    shutil.copyfile(min(class_folder(sources).iterdir()), sources / EMPTY / "new.jpg")


def put_a_file_beside_the_archives(sources: Path) -> None:
    (sources / "eol" / "stray.jpg").write_bytes(b"x")


@pytest.mark.parametrize(
    ("change", "where"), [(fill_an_empty_class, EMPTY), (put_a_file_beside_the_archives, "eol")]
)
def test_what_comes_where_nothing_was_read_is_noticed(
    change: Callable[[Path], None], where: str, tmp_path: Path, session: Session, digests: Digests
) -> None:
    sources = tmp_path / "sources"
    (sources / EMPTY).mkdir()
    assert session.run().succeeded
    dataset = next(tmp_path.rglob("dataset.json")).parent
    change(sources)

    stopped = session.run()
    assert not stopped.succeeded
    assert f"{sources / where}: has changed since it was read" in stopped.errors[-1]
    assert session.run(settings={"changed_sources": "rebuild"}).succeeded
    rebuilt = digests(dataset)
    shutil.rmtree(dataset)
    assert session.run().succeeded
    assert digests(dataset) == rebuilt


@pytest.mark.parametrize("content", [b"", b"[]", b'{"[eol] images": []}', None])
def test_sources_are_read_again_if_nobody_knows_what_they_were_like(
    content: bytes | None, tmp_path: Path, session: Session, digests: Digests
) -> None:
    assert session.run().succeeded
    dataset = next(tmp_path.rglob("dataset.json")).parent
    before = digests(dataset)
    for path in (dataset / "sightings").rglob("*.json"):
        path.write_bytes(content) if content is not None else path.unlink()

    assert session.run().succeeded
    assert digests(dataset) == before
    assert all(path.stat().st_size > 9 for path in (dataset / "sightings").rglob("*.json"))


def test_a_table_of_a_source_that_is_not_used_may_change(
    *, shared: Path, tmp_path: Path, bioscan_settings: Any, settings_file: Any, build: Any
) -> None:
    manifests = shutil.copytree(shared / "sample/metadata/eol/media_manifest", tmp_path / "manifests")
    settings = settings_file({**bioscan_settings, "eol": {"media_manifests": manifests}})
    assert build(settings).returncode == 0
    for path in manifests.iterdir():
        os.utime(path, (1, 1))

    again = build(settings)
    assert (again.returncode, again.ran) == (0, [])


def test_a_file_name_that_is_no_utf_8_stops_nothing(
    *, shared: Path, tmp_path: Path, sample_settings: Any, settings_file: Any, build: Any
) -> None:
    manifests = shutil.copytree(shared / "sample/metadata/eol/media_manifest", tmp_path / "manifests")
    (Path(os.fsdecode(os.fsencode(manifests) + b"/notes\xff.txt"))).write_bytes(b"")
    eol = {**sample_settings["eol"], "media_manifests": manifests}
    settings = settings_file({"dataset": sample_settings["dataset"], "eol": eol})

    assert build(settings).returncode == 0
    assert build(settings).ran == []


def test_pictures_of_benchmarks_that_are_replaced_below_a_link_are_noticed(
    *, tmp_path: Path, bioscan_settings: Any, settings_file: Any, build: Any
) -> None:
    one, other, *_ = sorted((bioscan_settings["bioscan"]["images"] / "part1").iterdir())
    deep = tmp_path / "pictures" / "deep"
    deep.mkdir(parents=True)
    shutil.copyfile(one, deep / "a.jpg")
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "one").symlink_to(tmp_path / "pictures")
    settings = settings_file({**bioscan_settings, "leak_guard": {"images": tmp_path / "lists"}})
    assert build(settings).returncode == 0
    (deep / "a.jpg").unlink()
    (deep / "a.jpg").write_bytes(other.read_bytes()[: one.stat().st_size].ljust(one.stat().st_size, b"\0"))

    assert "lists/one/deep: has changed since it was read" in build(settings).stderr


def test_a_change_stops_a_build_that_draws_up_its_graph_in_many_processes(
    *, tmp_path: Path, bioscan_settings: Any, settings_file: Any, build: Any
) -> None:
    images = shutil.copytree(bioscan_settings["bioscan"]["images"], tmp_path / "images")
    settings = settings_file(
        {**bioscan_settings, "bioscan": {**bioscan_settings["bioscan"], "images": images}}
    )
    assert build(settings).returncode == 0
    os.utime(images / "part1", (1, 1))

    stopped = build(settings, "--parallel-scheduling", "--parallel-scheduling-processes", "2")
    assert stopped.returncode
    assert f"{images / 'part1'}: has changed since it was read" in stopped.stderr

"""What the system does not give for a while is told from what a file holds, by real rights and limits."""

from __future__ import annotations

import errno
import os
import resource
import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tol_luigi.core.errors import ArchiveError, ChangedError, DiskError, LimitError, SourceError
from tol_luigi.core.ledger import State
from tol_luigi.core.shard_checks import check_shards
from tol_luigi.core.shards import Shard, ShardReader
from tol_luigi.core.sightings import file_state
from tol_luigi.sources import archives
from tol_luigi.sources.bioscan import BioscanReader
from tol_luigi.sources.faults import can_be_read, system_error

Pack = Callable[..., Path]
Unprivileged = Callable[[], AbstractContextManager[None]]

FILES = {"a.jpg": b"first" * 99, "b/c.jpg": b"second" * 99, "b/d.txt": b"third"}


@contextmanager
def no_more_files() -> Iterator[None]:
    """Have as many files open as this process may have."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    spare = os.open("/dev/null", os.O_RDONLY)
    os.close(spare)
    resource.setrlimit(resource.RLIMIT_NOFILE, (spare, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def refused(place: Path) -> dict[str, tuple[State | None, str]]:
    return {row.member.name: (row.state, row.reason) for row in archives.scan(place) if row.state}


def test_what_may_not_be_looked_at_is_unreadable_and_no_more(pack: Pack, unprivileged: Unprivileged) -> None:
    place = pack("folder", FILES)
    elsewhere = pack("folder", FILES)
    (place / "link.jpg").symlink_to(elsewhere / "b" / "c.jpg")
    (place / "folder").symlink_to(elsewhere / "b")
    for folder in (place, elsewhere):
        (folder / "b").chmod(0)
    with unprivileged():
        assert refused(place) == {
            "b/": (State.UNREADABLE, "cannot be listed: Permission denied"),
            "folder/": (State.UNREADABLE, "cannot be listed: Permission denied"),
            "link.jpg": (State.UNREADABLE, "cannot be reached: Permission denied"),
        }
        (place / "b").chmod(0o600)
        assert refused(place)["b/c.jpg"] == (State.UNREADABLE, "cannot be reached: Permission denied")
        assert refused(place)["b/d.txt"] == (State.UNREADABLE, "cannot be reached: Permission denied")
    (place / "b").chmod(0o755)
    (elsewhere / "b").chmod(0o755)
    assert {row.member.name for row in archives.scan(place) if row.state is None} >= {"b/c.jpg", "link.jpg"}


def test_a_file_that_may_not_be_read_is_its_own_matter(pack: Pack, unprivileged: Unprivileged) -> None:
    place = pack("folder", FILES)
    members = [row.member for row in archives.scan(place) if row.state is None]
    (place / "a.jpg").chmod(0)
    with unprivileged():
        [(_, denied), (_, content)] = archives.read(place, members)

    assert isinstance(denied, PermissionError)
    assert content == FILES["b/c.jpg"]


@pytest.mark.parametrize("form", ["folder", "tar", "tar.gz", "zip"])
def test_too_many_open_files_are_nobodys_state(pack: Pack, form: str) -> None:
    place = pack(form, FILES)
    members = [row.member for row in archives.scan(place) if row.state is None]
    for ask in (archives.scan, lambda path: archives.read(path, members)):
        with no_more_files(), pytest.raises(SourceError, match="Too many open files") as raised:
            list(ask(place))
        assert not isinstance(raised.value, ArchiveError | ChangedError)


@pytest.mark.parametrize("number", [errno.ESTALE, errno.ENOMEM, errno.ETIMEDOUT, errno.EHOSTDOWN])
def test_a_network_file_system_that_is_away_is_nobodys_state(
    pack: Pack, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    place = pack("folder", FILES)
    members = [row.member for row in archives.scan(place) if row.state is None]

    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "open", fail)
    with pytest.raises(SourceError, match=os.strerror(number)):
        list(archives.read(place, members))
    monkeypatch.setattr(os, "scandir", fail)
    with pytest.raises(SourceError, match=os.strerror(number)):
        list(archives.scan(place))


@pytest.mark.parametrize("ending", ["tar", "tar.gz", "zip"])
def test_an_archive_that_its_disk_does_not_give_is_not_damaged(tmp_path: Path, ending: str) -> None:
    place = tmp_path / f"x.{ending}"
    place.symlink_to("/proc/self/mem")  # whose first page nobody can read

    with pytest.raises(SourceError, match="cannot be read: Input/output error") as raised:
        list(archives.scan(place))
    assert not isinstance(raised.value, ArchiveError)


def test_what_a_library_makes_of_an_error_of_the_system_is_one_still() -> None:
    class Failing:
        def seek(self, *_: object) -> int:
            return 0

        def tell(self) -> int:
            return 99

        def read(self, *_: object) -> bytes:
            raise OSError(errno.EIO, "Input/output error")

    with pytest.raises((zipfile.BadZipFile, OSError)) as raised:
        zipfile.ZipFile(Failing())  # type: ignore[arg-type]
    assert (found := system_error(raised.value))
    assert found.errno == errno.EIO
    assert system_error(zipfile.BadZipFile("no zip")) is None
    assert system_error(OSError(errno.EINVAL, "a place before the start")) is None
    assert system_error(OSError("of a library")) is None


def test_what_can_be_read(tmp_path: Path, unprivileged: Unprivileged) -> None:
    (tmp_path / "file").write_bytes(b"x" * (3 << 20))
    (tmp_path / "folder").mkdir()
    (tmp_path / "disk").symlink_to("/proc/self/mem")
    os.mkfifo(tmp_path / "pipe")

    assert all(can_be_read(tmp_path / name) for name in ("file", "folder", "pipe"))
    assert not any(can_be_read(tmp_path / name) for name in ("disk", "nothing"))
    assert can_be_read(tmp_path / "disk", to_the_end=False)
    for name in ("file", "folder"):
        (tmp_path / name).chmod(0)
    with unprivileged():
        assert not any(can_be_read(tmp_path / name) for name in ("file", "folder"))


def test_a_link_in_a_circle_beside_partitions_is_no_folder(
    tmp_path: Path, unprivileged: Unprivileged
) -> None:
    (tmp_path / "images" / "locked").mkdir(parents=True)
    (tmp_path / "images" / "self").symlink_to("self")
    (tmp_path / "images" / "link").symlink_to(tmp_path / "images" / "locked" / "x")
    entries = {entry.name: entry for entry in archives.entries(tmp_path / "images")}
    assert not archives.is_folder(entries["self"])
    assert not archives.is_file(entries["self"])
    (tmp_path / "images" / "locked").chmod(0)
    with unprivileged(), pytest.raises(SourceError, match="link: cannot be read: Permission denied"):
        archives.is_folder(entries["link"])


def test_a_link_that_is_no_part_may_lead_to_what_cannot_be_reached(
    tmp_path: Path, unprivileged: Unprivileged
) -> None:
    images, locked = tmp_path / "images", tmp_path / "locked"
    (images / "part1").mkdir(parents=True)
    locked.mkdir(mode=0)
    (images / "link").symlink_to(locked / "x")
    reader = BioscanReader(images, 1)
    with unprivileged():
        assert reader.partitions() == ("part1",)
        assert [(row.member.name, row.state) for row in reader.unlisted()] == [("link", State.UNREADABLE)]
        (images / "part2").symlink_to(locked / "part2")
        with pytest.raises(SourceError, match="part2: cannot be read: Permission denied"):
            reader.partitions()


def test_a_shard_that_may_not_be_read_has_no_findings(tmp_path: Path, unprivileged: Unprivileged) -> None:
    path = tmp_path / "shard-000000.tar"
    path.write_bytes(bytes(10240))
    path.chmod(0)
    with unprivileged():
        with pytest.raises(DiskError, match="cannot be read: Permission denied"):
            list(ShardReader(path))
        with pytest.raises(DiskError, match="cannot be read: Permission denied"):
            check_shards(tmp_path, [Shard(path.name, "", 10240, 0)], {}, (1, 1), lambda _: None)
    with no_more_files(), pytest.raises(LimitError, match="no more files can be opened"):
        list(ShardReader(path))


def test_what_may_not_be_looked_at_has_not_changed(tmp_path: Path, unprivileged: Unprivileged) -> None:
    (tmp_path / "locked").mkdir()
    (tmp_path / "locked" / "x").touch()
    assert file_state(tmp_path / "locked" / "x")
    assert file_state(tmp_path / "nothing") == []
    (tmp_path / "locked").chmod(0)
    with unprivileged(), pytest.raises(SourceError, match="cannot be read: Permission denied"):
        file_state(tmp_path / "locked" / "x")

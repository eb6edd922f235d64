"""What is asked and checked before anything is fetched."""

from __future__ import annotations

import os
import socket
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tol_luigi.core.errors import DiskError, DownloadError
from tol_luigi.downloads.estimate import (
    FileEstimate,
    estimate,
    estimate_text,
    require_answers,
    require_space,
    troubles,
)
from tol_luigi.downloads.transfer import FetchConfig, fetch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def test_sizes_are_asked_for_and_nothing_is_fetched(
    server: Any, remote: Any, tmp_path: Path, config: FetchConfig
) -> None:
    server.add("/a/1.bin", 5000)
    server.add("/a/2.bin", 3000)
    lock = tmp_path / "sources.lock"
    fetch(remote("/a/2.bin"), lock, config, lambda _: None)
    before = server.served.total()
    rows = estimate([remote(f"/a/{number}.bin") for number in (1, 2, 3)], lock, config)

    assert [(row.what, row.bytes, row.present) for row in rows] == [
        ("1.bin", 5000, False),
        ("2.bin", 3000, True),
        ("3.bin", None, False),
    ]
    assert rows[0].url == f"{server.url}/a/1.bin"
    assert server.served.total() <= before + 1
    assert [len(line.split()) for line in estimate_text(rows).splitlines()[:2]] == [5, 10]
    assert "404" in estimate_text(rows)


def test_a_server_that_does_not_answer_is_asked_once(
    server: Any, remote: Any, tmp_path: Path, config: FetchConfig
) -> None:
    server.add("/a/0.bin", 5000)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        silent = f"http://127.0.0.1:{listening.getsockname()[1]}"
    gone = [replace(remote(f"/b/{number}.bin"), url=f"{silent}/b/{number}.bin") for number in range(20)]
    rows = estimate([remote("/a/0.bin"), *gone], tmp_path / "sources.lock", config)
    require_answers(rows)
    [line] = troubles(rows)
    assert line.startswith(f"{silent}/b/0.bin: the connection failed: Connection refused (")
    assert line.endswith("(and 19 more files)")
    assert line in estimate_text(rows)
    with pytest.raises(DownloadError, match=r"Connection refused .*\(and 19 more files\)\. Check"):
        require_answers(rows[1:])


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("only root may mount a disk")
    disk = tmp_path / "disk"
    disk.mkdir()
    options = "size=4m,nr_inodes=50"
    if subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", disk], check=False).returncode:
        pytest.skip("no disk can be mounted here")
    yield disk
    subprocess.run(["umount", disk], check=True)


def row(path: Path, size: int) -> FileEstimate:
    return FileEstimate("eol", path.name, "http://there", path, size, present=False)


def test_space_is_looked_for_in_the_sum(disk: Path) -> None:
    require_space([row(disk / "a", 3 << 20)])
    with pytest.raises(DiskError, match=r"needed: 0\.006 GB"):
        require_space([row(disk / "a", 3 << 20), row(disk / "deep" / "b", 3 << 20)])
    with pytest.raises(DiskError, match="too little space"):
        require_space([row(disk / "a", 3 << 20)], more_bytes=3 << 20)


def test_inodes_are_looked_for(disk: Path) -> None:
    with pytest.raises(DiskError, match=r"too few free inodes \(needed: 5[02],"):
        require_space([row(disk / "a", 10)], more_files=50)

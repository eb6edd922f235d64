"""Transfers against a server that misbehaves: the file is whole and right, or nothing has its name."""

from __future__ import annotations

import base64
import dataclasses
import gzip
import hashlib
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from tol_luigi.core.errors import DiskError, DownloadError
from tol_luigi.downloads.jobs import Order
from tol_luigi.downloads.lockfile import read_lock
from tol_luigi.downloads.origins import HttpConfig
from tol_luigi.downloads.transfer import FetchConfig, fetch, fetch_all

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MIB = 1 << 20
TOKEN = "hf_secret"  # noqa: S105 (of no use anywhere)
SIZE = 20 * MIB + 12345
"""Three pieces over four connections."""


def ignore(_: int) -> None:
    pass


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    return tmp_path / "sources.lock"


@pytest.fixture
def arrives(server: Any, remote: Any, lock: Path, config: FetchConfig) -> Callable[..., Any]:
    """Fetch a file, and see that it is what the server has at the end."""

    def arrive(path: str = "/a/file.bin", *, config: FetchConfig = config, **values: Any) -> Any:
        one = remote(path, **values)
        done = fetch(one, lock, config, ignore)
        content = server.files[path]
        assert one.path.read_bytes() == content
        assert names(one.path.parent) == [one.path.name]
        assert read_lock(lock)[one.name] == {"url": one.url, "size": len(content), "sha256": sha256(content)}
        assert (done.size, done.sha256) == (len(content), sha256(content))
        return done

    return arrive


@pytest.fixture
def is_refused(remote: Any, lock: Path, config: FetchConfig) -> Callable[..., str]:
    """Fail to fetch a file, and see that nothing has its name; gives what was said."""

    def refuse(path: str = "/a/file.bin", *, config: FetchConfig = config, **values: Any) -> str:
        one = remote(path, **values)
        with pytest.raises(DownloadError) as raised:
            fetch(one, lock, config, ignore)
        assert not one.path.exists()
        assert "\n" not in str(raised.value)
        return str(raised.value)

    return refuse


@pytest.mark.parametrize("size", [0, 1, 1000, SIZE])
@pytest.mark.parametrize("ranges", [True, False], ids=["ranges", "no ranges"])
@pytest.mark.parametrize("validator", ["etag", "modified", None])
def test_a_file_arrives(server: Any, arrives: Any, size: int, ranges: bool, validator: str | None) -> None:
    server.add("/a/file.bin", size)
    server.faults.ranges, server.faults.validator = ranges, validator

    assert arrives().came == size


def test_a_large_file_comes_over_several_connections(server: Any, arrives: Any) -> None:
    server.add("/a/file.bin", SIZE)
    server.faults.bytes_a_second = 40 * MIB
    arrives()

    asked = [headers["Range"] for _, headers in server.requests if "Range" in headers]
    assert len(set(asked)) > 2


def test_a_file_without_length_arrives(server: Any, arrives: Any) -> None:
    server.add("/a/file.bin", MIB)
    server.faults.ranges, server.faults.chunked = False, True
    arrives()


TEXT = b"taxonID\tscientificName\n" * 400_000


@pytest.mark.parametrize("ranges", [True, False], ids=["ranges", "no ranges"])
@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "GZIP"])
def test_what_a_server_packs_unasked_is_unpacked(
    server: Any, arrives: Any, coding: str, *, ranges: bool
) -> None:
    server.files["/a/table.tsv"] = TEXT
    server.faults.encoding, server.faults.ranges = coding, ranges
    if not ranges:  # then every answer is packed, and the checksum is that of the packed bytes
        packed = hashlib.md5(server.faults.encode(TEXT)).digest()  # noqa: S324 (as servers send it)
        server.faults.headers = {"Digest": f"md5={base64.b64encode(packed).decode()}"}

    assert arrives("/a/table.tsv").sha256 == sha256(TEXT)


def test_a_checksum_of_the_settings_is_that_of_the_unpacked_file(
    server: Any, arrives: Any, is_refused: Any
) -> None:
    server.files["/a/table.tsv"] = TEXT
    server.faults.encoding = "gzip"
    packed = sha256(server.faults.encode(TEXT))

    assert "SHA256" in is_refused("/a/table.tsv", checksum=f"sha256:{packed}")
    arrives("/a/table.tsv", checksum=f"sha256:{sha256(TEXT)}")


def test_a_server_that_begins_to_pack_in_the_middle_is_gone_on_with(server: Any, arrives: Any) -> None:
    content = server.add("/a/file.bin", SIZE)

    def begin() -> None:
        server.faults.encoding = "gzip"

    server.faults.after = (MIB, begin)
    server.faults.cut_after = [MIB]
    assert arrives().sha256 == sha256(content)


def test_a_packed_answer_that_breaks_off_is_asked_for_again(server: Any, arrives: Any) -> None:
    server.add("/a/file.bin", MIB)
    server.faults.encoding, server.faults.chunked, server.faults.ranges = "gzip", True, False
    server.faults.cut_after = [MIB // 2, MIB // 2]
    arrives()


@pytest.mark.parametrize(
    ("coding", "encode", "reason"),
    [
        pytest.param("br", bytes, "found: br", id="a coding that is not undone"),
        pytest.param("gzip, gzip", bytes, "found: gzip, gzip", id="two codings"),
        pytest.param("gzip", bytes, "the server declares gzip", id="gzip that is none"),
        pytest.param(
            "gzip", lambda content: gzip.compress(content)[:-8] + bytes(8), "gzip", id="damaged gzip"
        ),
    ],
)
def test_what_cannot_be_unpacked_gets_no_name(
    server: Any, is_refused: Any, coding: str, encode: Any, reason: str
) -> None:
    server.add("/a/file.bin", 1000)
    server.faults.encoding, server.faults.encode = coding, encode

    assert reason in is_refused()


@pytest.mark.parametrize("twice", [True, False], ids=["packed once more", "packed by itself"])
def test_an_archive_keeps_its_own_gzip(server: Any, arrives: Any, *, twice: bool) -> None:
    server.files["/a/train.tar.gz"] = server.faults.encode(server.add("/a/train.tar", SIZE))
    server.faults.encoding = "x-gzip"
    if not twice:
        server.faults.encode = bytes
    arrives("/a/train.tar.gz")

    asked = {headers.get("Range") for _, headers in server.requests}
    assert twice or len(asked) > 2  # it comes in parts, and can be gone on with


def test_what_is_there_is_not_asked_for_again(server: Any, arrives: Any) -> None:
    server.add("/a/file.bin", 1000)
    arrives()
    before = len(server.requests)

    assert arrives().came == 0
    assert len(server.requests) == before


def test_cuts_cost_nothing_but_what_was_cut_off(server: Any, arrives: Any) -> None:
    server.add("/a/file.bin", SIZE)
    server.faults.cut_after = [MIB, 10, 0, 2 * MIB + 7, 100]
    arrives()

    # on each cut connection something may be lost that was sent and not yet read
    assert server.served["/a/file.bin"] < SIZE + 5 * MIB


def test_a_server_without_ranges_that_cuts_once_is_asked_again(server: Any, arrives: Any) -> None:
    server.add("/a/file.bin", SIZE)
    server.faults.ranges, server.faults.cut_after = False, [0, MIB]
    arrives()


@pytest.mark.parametrize("ranges", [True, False], ids=["ranges", "no ranges"])
def test_a_server_that_always_cuts_is_given_up(server: Any, is_refused: Any, ranges: bool) -> None:
    server.add("/a/file.bin", SIZE)
    server.faults.ranges, server.faults.cut_always = ranges, 0

    assert "4 times in a row" in is_refused()


def test_a_stalled_connection_is_broken_off(server: Any, arrives: Any) -> None:
    server.add("/a/file.bin", 3 * MIB)
    server.faults.stall_after = [MIB]
    arrives()


def test_a_server_that_always_stalls_is_given_up(server: Any, is_refused: Any, config: FetchConfig) -> None:
    server.add("/a/file.bin", MIB)
    server.faults.stall_after = [0] * 9

    assert "no bytes received for 1 s" in is_refused(config=dataclasses.replace(config, retries=1))


@pytest.mark.parametrize("code", [429, 503])
def test_retry_after_is_respected(server: Any, arrives: Any, code: int) -> None:
    server.add("/a/file.bin", 1000)
    server.faults.answers = [(code, {"Retry-After": "1"})] * 2
    start = time.monotonic()
    arrives()

    assert time.monotonic() - start >= 2


def test_retry_after_may_be_a_date(server: Any, arrives: Any) -> None:
    server.add("/a/file.bin", 1000)
    server.faults.answers = [(503, {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"})]
    arrives()


def test_pauses_grow(server: Any, is_refused: Any, config: FetchConfig) -> None:
    server.faults.answers = [(500, {})] * 4
    start = time.monotonic()
    is_refused(config=dataclasses.replace(config, pause=0.1))

    assert time.monotonic() - start >= 0.1 + 0.2 + 0.4


@pytest.mark.parametrize(
    ("code", "what"), [(401, "gated"), (403, "access token"), (404, "base address"), (410, "page")]
)
def test_what_cannot_be_mended_by_waiting_is_told_at_once(
    server: Any, is_refused: Any, code: int, what: str
) -> None:
    server.faults.answers = [(code, {})]

    assert what in is_refused()
    assert len(server.requests) == 1


@pytest.mark.parametrize("validator", ["etag", "modified"])
def test_content_that_changes_on_the_way_is_fetched_anew(server: Any, arrives: Any, validator: str) -> None:
    server.add("/a/file.bin", SIZE)
    server.faults.validator, server.faults.cut_after = validator, [MIB, MIB, MIB, MIB]
    server.faults.after = (3 * MIB, lambda: server.add("/a/file.bin", SIZE, seed=1))
    arrives()


def test_content_that_changes_and_keeps_its_looks_is_not_mixed(server: Any, arrives: Any) -> None:
    server.add("/a/file.bin", SIZE)
    server.faults.validator, server.faults.cut_after = None, [3 * MIB]
    server.faults.after = (3 * MIB, lambda: server.add("/a/file.bin", SIZE, seed=1))
    arrives()


@pytest.mark.parametrize("validator", ["etag", "modified", None])
def test_content_that_changes_between_two_runs_is_fetched_anew(
    server: Any, arrives: Any, is_refused: Any, config: FetchConfig, validator: str | None
) -> None:
    server.add("/a/file.bin", SIZE)
    server.faults.validator, server.faults.cut_after = validator, [MIB] * 9
    is_refused(config=dataclasses.replace(config, retries=0))
    server.add("/a/file.bin", SIZE, seed=1)
    server.faults.cut_after = []

    assert arrives().came == SIZE


def test_content_that_changes_all_the_time_is_given_up(server: Any, is_refused: Any) -> None:
    server.add("/a/file.bin", SIZE)
    turn = iter(range(1, 1000))

    def change() -> None:
        server.add("/a/file.bin", SIZE, seed=next(turn))
        server.faults.after = (sum(server.served.values()) + MIB, change)

    server.faults.after = (MIB, change)
    server.faults.cut_always = MIB

    assert "its content changed" in is_refused()


def test_a_length_that_is_too_long_is_noticed(server: Any, is_refused: Any) -> None:
    server.add("/a/file.bin", MIB)
    server.faults.ranges, server.faults.length_lie = False, 10
    is_refused()


def test_a_length_that_is_too_short_is_noticed_where_the_checksum_is_known(
    server: Any, is_refused: Any
) -> None:
    content = server.add("/a/file.bin", MIB)
    server.faults.ranges, server.faults.length_lie = False, -10

    assert "SHA256" in is_refused(checksum=f"sha256:{sha256(content)}")


def test_a_total_that_is_too_long_is_noticed(server: Any, is_refused: Any) -> None:
    server.add("/a/file.bin", SIZE)
    server.faults.total_lie = 100
    is_refused()


@pytest.mark.parametrize("kind", ["md5", "sha256"])
def test_a_checksum_of_the_settings_has_to_hold(
    server: Any, arrives: Any, is_refused: Any, kind: str
) -> None:
    content = server.add("/a/file.bin", 1000)
    server.add("/a/other.bin", 1000)
    right = f"{kind}:{hashlib.new(kind, content).hexdigest().upper()}"
    arrives(checksum=right)

    assert f"its {kind.upper()} is" in is_refused("/a/other.bin", checksum=right)
    assert len([path for path, _ in server.requests if path == "/a/other.bin"]) < 4


@pytest.mark.parametrize(
    "header",
    [
        lambda digest: {"X-Linked-ETag": f'"{digest.hex()}"'},
        lambda digest: {"Repr-Digest": f"sha-256=:{base64.b64encode(digest).decode()}:"},
        lambda digest: {"Digest": f"SHA-256={base64.b64encode(digest).decode()}"},
    ],
    ids=["X-Linked-ETag", "Repr-Digest", "Digest"],
)
def test_a_checksum_of_the_server_has_to_hold(
    server: Any, arrives: Any, is_refused: Any, header: Any
) -> None:
    content = server.add("/a/file.bin", 1000)
    server.add("/a/other.bin", 1000)
    server.faults.headers = header(hashlib.sha256(content).digest())
    arrives()

    assert "expected by the server" in is_refused("/a/other.bin")


def test_the_lock_makes_something_else_an_error(
    server: Any, arrives: Any, is_refused: Any, remote: Any
) -> None:
    server.add("/a/file.bin", 1000)
    arrives()
    remote().path.unlink()
    server.add("/a/file.bin", 1000, seed=1)
    assert "it differs from sources.lock" in is_refused()

    server.add("/a/file.bin", 1001, seed=1)
    assert "the size has changed (1001 bytes" in is_refused()


def test_a_lock_that_is_damaged_is_told_of(is_refused: Any, lock: Path) -> None:
    lock.write_text("{")

    assert "cannot be read" in is_refused()


def test_many_processes_may_add_to_the_lock(
    server: Any, remote: Any, lock: Path, config: FetchConfig
) -> None:
    paths = [f"/many/{number}.bin" for number in range(30)]
    for path in paths:
        server.add(path, 10)
    fetch_all([remote(path) for path in paths], lock, dataclasses.replace(config, files=16), ignore)

    assert len(read_lock(lock)) == len(paths)


def test_a_file_that_is_there_is_taken_if_it_is_right(server: Any, arrives: Any, remote: Any) -> None:
    content = server.add("/a/file.bin", 1000)
    remote().path.parent.mkdir()
    remote().path.write_bytes(content)

    assert arrives().came == 0


@pytest.mark.parametrize("size", [999, 1000])
def test_a_file_that_is_there_and_wrong_is_left_alone(
    server: Any, remote: Any, lock: Path, config: FetchConfig, size: int
) -> None:
    content = server.add("/a/file.bin", 1000)
    one = remote(checksum=f"sha256:{sha256(content)}")
    one.path.parent.mkdir()
    one.path.write_bytes(b"?" * size)
    with pytest.raises(DownloadError, match="already exists"):
        fetch(one, lock, config, ignore)

    assert one.path.read_bytes() == b"?" * size


def test_one_that_fails_does_not_stop_the_others(
    server: Any, remote: Any, lock: Path, config: FetchConfig
) -> None:
    server.add("/a/1.bin", 1000)
    server.add("/a/3.bin", 1000)
    wanted = [remote(f"/a/{number}.bin") for number in (1, 2, 3, 4)]
    with pytest.raises(DownloadError, match=r"404.*4\.bin"):
        fetch_all(wanted, lock, config, ignore)

    assert names(wanted[0].path.parent) == ["1.bin", "3.bin"]


def test_what_is_told_adds_up(server: Any, remote: Any, lock: Path, config: FetchConfig) -> None:
    server.add("/a/file.bin", SIZE)
    server.faults.ranges, server.faults.cut_after = False, [0, MIB, 5 * MIB]
    told: list[int] = []
    fetch_all([remote()], lock, config, told.append)

    assert sum(told) == SIZE


@pytest.mark.parametrize("spell", [str, "file://{}".format], ids=["path", "file"])
def test_a_mirror_on_disk_will_do(
    tmp_path: Path, remote: Any, lock: Path, config: FetchConfig, spell: Any
) -> None:
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    (mirror / "file.bin").write_bytes(b"abc" * SIZE)
    one = remote(url=spell(mirror / "file.bin"))
    fetch(one, lock, config, ignore)

    assert one.path.read_bytes() == b"abc" * SIZE


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/x", "http://", "/there/is/no/such/file"])
def test_addresses_that_lead_nowhere_are_told_of(
    remote: Any, lock: Path, config: FetchConfig, url: str
) -> None:
    with pytest.raises(DownloadError):
        fetch(remote(url=url), lock, config, ignore)


def test_redirects_are_followed(server: Any, other_server: Any, arrives: Any) -> None:
    server.files["/a/file.bin"] = other_server.add("/there", 1000)
    server.faults.redirects["/a/file.bin"] = f"{other_server.url}/there"
    arrives()


def test_a_circle_of_redirects_is_told_of(server: Any, is_refused: Any) -> None:
    server.faults.redirects["/a/file.bin"] = "/a/file.bin"

    assert "loop" in is_refused()


def sent_tokens(server: Any) -> list[str | None]:
    return [headers.get("Authorization") for _, headers in server.requests]


def test_the_token_goes_to_its_server_only(
    server: Any, other_server: Any, arrives: Any, config: FetchConfig, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server.files["/a/file.bin"] = other_server.add("/there", 1000)
    server.faults.redirects["/a/file.bin"] = f"{other_server.url}/there"
    http = HttpConfig(stall_seconds=1, token=TOKEN, token_host=server.url.removeprefix("http://"))
    arrives(config=dataclasses.replace(config, http=http))

    assert set(sent_tokens(server)) == {f"Bearer {TOKEN}"}
    assert set(sent_tokens(other_server)) == {None}
    assert TOKEN not in caplog.text + repr(http)


def test_the_token_does_not_go_elsewhere(server: Any, arrives: Any, config: FetchConfig) -> None:
    server.add("/a/file.bin", 1000)
    http = HttpConfig(stall_seconds=1, token=TOKEN, token_host="huggingface.co")  # noqa: S106 (no token)
    arrives(config=dataclasses.replace(config, http=http))

    assert set(sent_tokens(server)) == {None}


def test_a_password_in_an_address_is_not_shown(
    server: Any, remote: Any, lock: Path, config: FetchConfig
) -> None:
    server.add("/a/file.bin", 10)
    url = server.url.replace("http://", "http://me:geheim@")
    fetch(remote(url=f"{url}/a/file.bin?signature=geheim"), lock, config, ignore)
    with pytest.raises(DownloadError) as raised:
        fetch(remote("/a/b.bin", url=f"{url}/a/b.bin?signature=geheim"), lock, config, ignore)

    assert server.requests[0][1]["Authorization"].startswith("Basic ")
    assert "geheim" not in lock.read_text() + str(raised.value)


def test_a_proxy_of_the_environment_is_used(
    server: Any, remote: Any, lock: Path, config: FetchConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = server.add("http://far.example/file.bin", 1000)
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    one = remote(url="http://far.example/file.bin")
    fetch(one, lock, config, ignore)

    assert one.path.read_bytes() == content


@pytest.fixture
def over_tls(secure_server: Any, remote: Any, lock: Path, config: FetchConfig) -> Callable[[], Any]:
    """Fetch a file over HTTPS, showing a token; the first two connections are cut."""
    secure_server.add("/a/file.bin", SIZE)
    secure_server.faults.cut_after = [MIB, 2 * MIB]
    http = HttpConfig(stall_seconds=1, token=TOKEN, token_host="127.0.0.1")  # noqa: S106 (where it may go)
    one = remote(url=f"{secure_server.url}/a/file.bin")

    def fetched() -> Any:
        fetch(one, lock, dataclasses.replace(config, http=http), ignore)
        return one

    return fetched


def test_a_file_arrives_over_https(
    secure_server: Any, over_tls: Any, authority: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority))

    assert over_tls().path.read_bytes() == secure_server.files["/a/file.bin"]
    assert set(sent_tokens(secure_server)) == {f"Bearer {TOKEN}"}


def test_a_server_that_nobody_vouches_for_is_refused(
    secure_server: Any, over_tls: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    with pytest.raises(DownloadError, match=r"certificate is not trusted.*REQUESTS_CA_BUNDLE"):
        over_tls()

    assert secure_server.requests == []  # so nor has it seen the token
    assert names(tmp_path / "got") == []


def order_of(remotes: list[Any], lock: Path, path: Path) -> Path:
    order = Order(remotes, lock, {"pause": 0}, {"stall_seconds": 5}, "HF_TOKEN")
    path.write_text(json.dumps(order.to_json()), encoding="utf-8")
    return path


def start(order: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "tol_luigi.downloads", order], stdin=subprocess.DEVNULL)


@pytest.mark.parametrize("validator", ["etag", "modified", "checksum"])
def test_after_a_kill_only_the_missing_bytes_come(
    server: Any, remote: Any, lock: Path, tmp_path: Path, validator: str
) -> None:
    content = server.add("/a/file.bin", SIZE)
    values = {"checksum": f"sha256:{sha256(content)}"} if validator == "checksum" else {}
    server.faults.validator = None if values else validator
    server.faults.bytes_a_second = 5 * MIB
    reached = threading.Event()
    server.faults.after = (SIZE // 2, reached.set)
    order = order_of([remote(**values)], lock, tmp_path / "one.order.json")
    with start(order) as process:
        assert reached.wait(60)
        process.send_signal(signal.SIGKILL)
    assert names(remote().path.parent) == [".file.bin.part", ".file.bin.part.journal"]
    server.faults.bytes_a_second = None
    with start(order) as process:
        assert process.wait(60) == 0

    assert remote().path.read_bytes() == content
    again = json.loads((tmp_path / "one.result.json").read_text())["fetched"][0]["came"]
    # four connections may each have held a megabyte and what lies in a socket
    assert again < SIZE // 2 + 6 * MIB
    assert server.served["/a/file.bin"] < SIZE + 12 * MIB


def test_two_processes_fetch_it_once(server: Any, remote: Any, lock: Path, tmp_path: Path) -> None:
    content = server.add("/a/file.bin", SIZE)
    server.faults.bytes_a_second = 10 * MIB
    orders = [order_of([remote()], lock, tmp_path / f"{which}.order.json") for which in ("one", "two")]
    processes = [start(order) for order in orders]

    assert [process.wait(60) for process in processes] == [0, 0]
    assert remote().path.read_bytes() == content
    assert server.served["/a/file.bin"] < SIZE + 100


@pytest.fixture
def small_disk(tmp_path: Path) -> Any:
    if os.geteuid() != 0:
        pytest.skip("only root may mount a disk")
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk], check=False).returncode:
        pytest.skip("no disk can be mounted here")
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_a_full_disk_is_told_of(
    server: Any, remote: Any, lock: Path, config: FetchConfig, small_disk: Path
) -> None:
    server.add("/a/file.bin", SIZE)
    one = remote(path=small_disk / "file.bin")
    with pytest.raises(DiskError, match="the disk is full"):
        fetch(one, lock, config, ignore)

    assert not one.path.exists()

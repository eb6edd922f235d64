from __future__ import annotations

import errno
import hashlib
import ipaddress
import itertools
import os
import signal
import socket
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import trustme
from hypothesis import given, settings
from hypothesis import strategies as st
from image_server import drawn, image_servers

from tol_luigi.core.errors import DiskError
from tol_luigi.downloads.addresses import is_allowed
from tol_luigi.downloads.fetch_outcomes import RECEIVED, Outcome, StoredImage, UrlState
from tol_luigi.downloads.fetch_urls import Images, Wanted, fetch_urls
from tol_luigi.downloads.fetched_parts import FetchedParts
from tol_luigi.downloads.server_budget import FetchPolicy
from tol_luigi.downloads.shared_lanes import lanes_held
from tol_luigi.sources.url_partitions import LANES, UrlPartitions
from tol_luigi.sources.url_rows import Box

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from image_server import ImageServers

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)
BOX = Box(1, 2, 3, 4)
SERVERS = ("127.0.0.1", "127.0.0.2", "127.0.0.3")
ONE = FetchPolicy(
    "tol_luigi (me@example.org)",
    rate=1000,
    tries=2,
    pause=0,
    timeout=0.7,
    most_bytes=1 << 20,
    networks=LOOPBACK,
)


@pytest.fixture(scope="module")
def servers() -> Iterator[ImageServers]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with image_servers(*SERVERS, secure=context) as running:
        yield running


def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def fetched(wanted: list[Wanted], policy: FetchPolicy = ONE) -> dict[str, tuple[Outcome, bytes]]:
    found: dict[str, tuple[Outcome, bytes]] = {}

    def done(url: str, outcome: Outcome, images: Images) -> None:
        assert url not in found, "a URL has one outcome"
        found[url] = outcome, images[RECEIVED].content if images else b""

    fetch_urls(wanted, policy, done)
    return found


KINDS = {
    "/image/1": ("fetched", 1),
    "/once/429": ("fetched", 2),
    "/once/500": ("fetched", 2),
    "/once/503": ("fetched", 2),
    "/cutonce/2": ("fetched", 2),
    "/moved/3": ("fetched", 1),
    "/packed/4": ("fetched", 1),
    "/gzip/5": ("fetched", 1),
    "/status/404": ("gone: HTTP 404", 1),
    "/status/410": ("gone: HTTP 410", 1),
    "/status/401": ("forbidden: HTTP 401", 1),
    "/status/403": ("forbidden: HTTP 403", 1),
    "/status/429": ("refused: HTTP 429", 2),
    "/status/500": ("http_error: HTTP 500", 2),
    "/status/503": ("http_error: HTTP 503", 2),
    "/status/418": ("http_error: HTTP 418", 1),
    "/cut/6": ("wrong_length: the connection was closed within the image", 2),
    "/reset/7": ("wrong_length: the connection was closed without an answer", 2),
    "/stall/8": ("timed_out: no complete answer within 0.7 s", 2),
    "/drip/9": ("timed_out: no complete answer within 0.7 s", 2),
    "/html/10": ("not_an_image: a page in HTML or XML, sent as image/jpeg", 1),
    "/text/11": ("not_an_image: no image by its first bytes, 68 65 6c 6c 6f, sent as text/plain", 1),
    "/bomb/12": ("not_an_image: a gzip file of more than 1048576 bytes", 1),
    "/empty/13": ("empty", 1),
    "/circle/14": ("too_many_redirects: redirects in a circle", 1),
    "/far/0": ("too_many_redirects: more than 5 redirects", 1),
    "/inward/15": ("private_address: 10.0.0.1 is not a public address", 1),
    "/file/16": ("bad_url: not a URL of http or https", 1),
    "/huge/17": ("too_large: more than 1,048,576 bytes", 1),
    "/endless/18": ("too_large: more than 1,048,576 bytes", 1),
    "/noai/19": ("opted_out: X-Robots-Tag: noai", 1),
}
ELSEWHERE = {
    "http://nowhere.invalid/a": "no_address: the name nowhere.invalid has no address",
    "ftp://example.org/a": "bad_url: not a URL of http or https",
    "http://[": "bad_url: not a URL",
    "not a url": "bad_url: not a URL of http or https",
    "http://169.254.169.254/a": "private_address: 169.254.169.254 is not a public address",
    "http://[::1]/a": "private_address: ::1 is not a public address",
}


def test_every_url_ends_in_one_state_with_its_reason(servers: ImageServers) -> None:
    wanted = {servers.url(path): text for path, (text, _) in KINDS.items()}
    wanted |= ELSEWHERE | {servers.url("/image/20", "secure"): "bad_certificate"}
    closed = f"http://127.0.0.1:{closed_port()}"
    wanted |= {f"{closed}/{number}": "server_down: Connection refused" for number in range(30)}

    found = fetched(list(map(Wanted, wanted)))

    assert {url: outcome.text[: len(wanted[url])] for url, (outcome, _) in found.items()} == wanted
    assert {path: servers.asked(path) for path in KINDS} == {
        path: asked for path, (_, asked) in KINDS.items()
    }
    images = {url: content for url, (_, content) in found.items() if content}
    assert images == {
        url: drawn(int(url.rpartition("/")[2])) for url, text in wanted.items() if text == "fetched"
    }
    assert sum(outcome.tries for url, (outcome, _) in found.items() if closed in url) <= 15, (
        "a hopeless server is left alone"
    )
    assert servers.agents == {"tol_luigi (me@example.org)"}


def test_content_is_what_the_listing_expects(servers: ImageServers) -> None:
    content = drawn(30)
    right = Wanted(servers.url("/image/30"), hashlib.sha256(content).hexdigest().upper())
    wrong = Wanted(servers.url("/image/31"), md5="0" * 32)

    found = fetched([right, wrong])

    assert found[right.url] == (found[right.url][0], content)
    assert found[wrong.url][0].state is UrlState.WRONG_CONTENT
    assert not found[wrong.url][1]


def test_what_is_stored_is_made_in_threads_and_an_error_ends_the_fetch(servers: ImageServers) -> None:
    wanted = [
        Wanted(servers.url(f"/image/{number}"), boxes=frozenset((BOX, None))) for number in range(50, 70)
    ]
    names, found = set[str](), dict[str, Images]()

    def stored(content: bytes, boxes: frozenset[Box | None]) -> Images:
        names.add(threading.current_thread().name)
        return {box: StoredImage(content + repr(box).encode(), "box") for box in boxes}

    fetch_urls(wanted, ONE, lambda url, _, images: found.update({url: images}), stored, threads=2)

    assert names
    assert all(name.startswith("store") for name in names)
    assert {url: images[BOX].content for url, images in found.items()} == {
        one.url: drawn(number) + repr(BOX).encode() for number, one in enumerate(wanted, 50)
    }
    full = OSError(errno.ENOSPC, "No space left on device")

    def fails(*_: object) -> Images:
        raise full

    with pytest.raises(OSError, match="No space left") as caught:
        fetch_urls([replace(one, tries=0) for one in wanted], ONE, lambda *_: None, fails, threads=2)
    assert caught.value is full


def test_no_server_is_asked_beyond_its_budget() -> None:
    policy = FetchPolicy("me@example.org", connections=2, rate=40, networks=LOOPBACK)
    with image_servers(*SERVERS) as servers:
        wanted = [servers.url(f"/image/{number}", SERVERS[number % 3]) for number in range(36)]
        found = fetched(list(map(Wanted, wanted)), policy)

        assert {outcome.state for outcome, _ in found.values()} == {UrlState.FETCHED}
        assert set(servers.most_at_once()) == set(SERVERS)
        assert max(servers.most_at_once().values()) <= 2
        for server in SERVERS:
            times = sorted(one.began for one in servers.log if one.server == server)
            assert times[-1] - times[0] >= (len(times) - 1) / 40 * 0.9


def test_a_server_can_have_a_budget_of_its_own() -> None:
    policy = FetchPolicy(
        "me@example.org", connections=1, rate=20, networks=LOOPBACK, servers={SERVERS[1]: (3, 1000)}
    )
    with image_servers(*SERVERS[:2]) as servers:
        wanted = [servers.url(f"/image/{number}", SERVERS[number % 2]) for number in range(24)]
        fetched(list(map(Wanted, wanted)), policy)

        most = servers.most_at_once()
        times = sorted(one.began for one in servers.log if one.server == SERVERS[0])
        assert (most[SERVERS[0]], most[SERVERS[1]] <= 3) == (1, True)
        assert times[-1] - times[0] >= (len(times) - 1) / 20 * 0.9
        assert len([one for one in servers.log if one.server == SERVERS[1] and one.began < times[-1]]) > 6


def test_a_server_that_asks_for_a_pause_gets_it_and_others_go_on() -> None:
    with image_servers("127.0.0.1", "127.0.0.2") as servers:
        paths = [servers.url("/busy/1"), *(servers.url(f"/image/{number}") for number in range(3))]
        others = [servers.url(f"/image/{number}", "127.0.0.2") for number in range(20)]
        policy = FetchPolicy("me@example.org", connections=1, rate=1000, pause=0, networks=LOOPBACK)

        found = fetched([Wanted(url) for url in (*paths, *others)], policy)

        assert {outcome.state for outcome, _ in found.values()} == {UrlState.FETCHED}
        first, *later = sorted(one.began for one in servers.log if one.server == "127.0.0.1")
        assert later[0] - first >= 1
        meanwhile = [one for one in servers.log if one.server == "127.0.0.2" and first < one.ended < later[0]]
        assert len(meanwhile) > 1


def _fetch_and_die(path: Path, wanted: list[str], policy: FetchPolicy, most: int) -> None:
    """Fetch what is not fetched yet; after so many images, die while writing the next one."""
    seen = itertools.count()
    with FetchedParts(path) as parts:

        def done(url: str, outcome: Outcome, images: Images) -> None:
            parts.add(url, outcome, images)
            if next(seen) == most:
                os.write(parts._file.fileno(), b"tolF half a record")
                os.kill(os.getpid(), signal.SIGKILL)

        fetch_urls([Wanted(url) for url in wanted if url not in parts.outcomes], policy, done)
    os._exit(0)


def test_a_killed_process_loses_only_what_it_was_asking_for(servers: ImageServers, tmp_path: Path) -> None:
    wanted = [servers.url(f"/image/{number}") for number in range(100, 140)]
    path, policy = (
        tmp_path / "parts",
        FetchPolicy("me@example.org", connections=1, rate=1000, networks=LOOPBACK),
    )
    kills = 4
    for killed_after in [*range(kills), len(wanted)]:
        child = os.fork()
        if not child:
            _fetch_and_die(path, wanted, policy, killed_after * 3)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == (0 if killed_after == len(wanted) else -signal.SIGKILL)

    with FetchedParts(path) as parts:
        assert [parts.image(url, None).content for url in wanted] == [
            drawn(number) for number in range(100, 140)
        ]
    asked = sum(servers.asked(f"/image/{number}") for number in range(100, 140))
    assert asked <= len(wanted) + kills


@settings(max_examples=20)
@given(st.binary(max_size=60), st.integers(0, 200))
def test_a_damaged_end_costs_only_its_record(
    tmp_path_factory: pytest.TempPathFactory, junk: bytes, cut: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.parts"
    path.unlink(missing_ok=True)
    with FetchedParts(path) as parts:
        for number in range(3):
            image = StoredImage(b"image" * number, "box", 7, number)
            parts.add(f"http://x/{number}", Outcome(UrlState.FETCHED, bytes=5), {BOX: image, None: image})
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) - cut] + junk)
    with FetchedParts(path) as parts:
        kept = list(parts.outcomes)
        assert kept == [f"http://x/{number}" for number in range(len(kept))]
        for number, url in enumerate(kept):
            image = StoredImage(b"image" * number, "box", 7, number)
            assert parts.image(url, BOX) == parts.image(url, None) == image
        assert len(kept) == 3 or cut


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("::ffff:127.0.0.1", False),
        ("fd00::1", False),
    ],
)
def test_only_public_addresses_are_asked(address: str, allowed: bool) -> None:
    assert is_allowed(address, ()) is allowed


@settings(max_examples=20)
@given(st.integers(1, 300), st.text(max_size=20), st.integers(0, 9))
def test_all_urls_of_a_server_are_in_partitions_that_exclude_each_other(
    count: int, host: str, number: int
) -> None:
    dealt = UrlPartitions(count)
    places = {dealt.partition_of(f"http://server{number}.example.org/{host}{each}") for each in range(8)}

    assert places <= set(dealt.names())
    shared = set.intersection(*(set(dealt.lanes(place)) for place in places))
    assert shared, "two of them never run at the same time"
    other = UrlPartitions(7).partition_of(f"http://server{number}.example.org/")
    assert shared & set(UrlPartitions(7).lanes(other)), "nor do those of another source"
    assert set(itertools.chain.from_iterable(map(dealt.lanes, dealt.names()))) == set(range(LANES))


@settings(max_examples=20)
@given(st.integers(1, 300), st.integers(0, 9))
def test_a_source_on_one_server_has_images_in_all_partitions_and_one_lane(count: int, number: int) -> None:
    server = f"server{number}.example.org"
    dealt = UrlPartitions(count, server)
    places = {dealt.partition_of(f"http://{server}/{each}") for each in range(count * 12)}

    assert len(places) > 0.9 * count
    (lane,) = {*itertools.chain.from_iterable(map(dealt.lanes, dealt.names()))}
    other = UrlPartitions(7).partition_of(f"http://{server}/x")
    assert lane in UrlPartitions(7).lanes(other)


def _hold(folder: Path, lanes: list[int], told: list[str], held: threading.Event) -> None:
    with lanes_held(folder, lanes, lambda: told.append("waits")):
        held.set()


def test_lanes_that_another_build_holds_are_waited_for_and_others_are_not(tmp_path: Path) -> None:
    told: list[str] = []
    first, other = threading.Event(), threading.Event()
    with ThreadPoolExecutor(2) as pool:
        with lanes_held(tmp_path, [3, 5], lambda: told.append("never")):
            pool.submit(_hold, tmp_path, [5, 1], told, first)
            pool.submit(_hold, tmp_path, [0, 4, 6], told, other).result(10)
            assert other.is_set()
            assert not first.wait(0.05)
        assert first.wait(10)

    assert told == ["waits"]
    with pytest.raises(DiskError, match="lane-02: "):
        _hold(tmp_path / "missing", [2], told, first)


def test_the_lanes_of_a_killed_build_are_free(tmp_path: Path) -> None:
    child = os.fork()
    if not child:
        with lanes_held(tmp_path, [3], lambda: None):
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)

    with lanes_held(tmp_path, [3], lambda: pytest.fail("nobody holds it")):
        pass

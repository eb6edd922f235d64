"""Build a dataset from servers that misbehave in many ways, kill the build at random times, and check what becomes of it."""

from __future__ import annotations

import argparse
import hashlib
import itertools
import os
import random
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict, deque
from pathlib import Path

import pyarrow.parquet as pq
import trustme

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "helpers"))
from image_server import ImageServers, image_servers

SERVERS = [f"127.0.0.{number}" for number in range(2, 18)]
CONNECTIONS, RATE, WORKERS, PARTITIONS = 4, 150, 2, 8

KINDS = {
    **dict.fromkeys(
        ("once/429", "once/500", "once/503", "busy", "cutonce", "moved", "packed", "gzip"), "fetched"
    ),
    **dict.fromkeys(("status/404", "status/410"), "gone"),
    **dict.fromkeys(("status/401", "status/403", "status/451"), "forbidden"),
    "status/429": "refused",
    **dict.fromkeys(("status/400", "status/418", "status/500", "status/502", "status/503"), "http_error"),
    **dict.fromkeys(("cut", "reset"), "wrong_length"),
    **dict.fromkeys(("stall", "drip"), "timed_out"),
    **dict.fromkeys(("html", "text", "bomb"), "not_an_image"),
    "empty": "empty",
    **dict.fromkeys(("circle", "far"), "too_many_redirects"),
    "inward": "private_address",
    "file": "bad_url",
    **dict.fromkeys(("huge", "endless"), "too_large"),
    "noai": "opted_out",
}
"""The state of a URL, by the path that the servers answer so."""

ELSEWHERE = {
    "http://nowhere{0}.invalid/a": "no_address",
    "ftp://example.org/{0}": "bad_url",
    "not a url {0}": "bad_url",
    "http://169.254.169.254/{0}": "private_address",
    "http://[::1]/{0}": "private_address",
    "http://127.0.0.1:{closed}/{0}": "server_down",
    "{secure}/image/{0}": "bad_certificate",
}

_SETTINGS = """
[dataset]
root = {folder}
tag = built
[table]
images = {listing}
columns = url=image_url
partitions = {partitions}
[fetch]
contact = me@example.org
connections = {connections}
requests_per_second = {rate}
tries = 2
pause_seconds = 0
timeout_seconds = 1
max_mib = 1
private_networks = 127.0.0.0/8
[report]
page = false
"""


def listed(servers: ImageServers, count: int, each: int) -> dict[str, str]:
    """Return the state that each URL must end in; a few URLs of each kind among images."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        closed = free.getsockname()[1]
    secure = servers.url("", "secure")
    wanted = {}
    for number in range(each):
        for place, (kind, state) in enumerate(KINDS.items()):
            path = f"/{kind}/{number}" if "/" in kind else f"/{kind}/{100 * place + number}"
            wanted[servers.url(path, SERVERS[(place + number) % len(SERVERS)])] = state
        wanted |= {
            pattern.format(number, closed=closed, secure=secure): state
            for pattern, state in ELSEWHERE.items()
        }
    images = (servers.url(f"/image/{number}", SERVERS[number % len(SERVERS)]) for number in range(count))
    return {**wanted, **dict.fromkeys(list(images)[: count - len(wanted)], "fetched")}


def begun(folder: Path, listing: Path) -> subprocess.Popen[str]:
    """Start a build in a session of its own."""
    text = _SETTINGS.format(
        folder=folder, listing=listing, partitions=PARTITIONS, connections=CONNECTIONS, rate=RATE
    )
    (folder / "settings.cfg").write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "tol_luigi", "--config", str(folder / "settings.cfg")]
    command += ["build", "-j", str(WORKERS)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )


def finished(folder: Path, listing: Path) -> None:
    """Build to the end."""
    child = begun(folder, listing)
    output = child.communicate()[0]
    if child.returncode:
        sys.exit(f"{output}the build ended with {child.returncode}")


def killed(
    folder: Path, listing: Path, servers: ImageServers, rng: random.Random, asked: int
) -> float | None:
    """Start a build and kill it after some requests, or some time after the last one; return when, if it was still running."""
    child, start, most = begun(folder, listing), servers.times.total(), rng.randint(1, asked)
    quiet_after = rng.uniform(1, 20)
    seen, since, moment = start, time.monotonic(), None
    while child.poll() is None:
        now = servers.times.total()
        if now != seen:
            seen, since = now, time.monotonic()
        if now - start >= most or time.monotonic() - since > quiet_after:
            moment = time.monotonic()
            os.killpg(child.pid, signal.SIGKILL)
            break
        time.sleep(0.005)
    child.communicate()
    return moment if child.returncode == -signal.SIGKILL else None


def fastest(servers: ImageServers) -> dict[str, int]:
    """Return the largest number of requests within a second, by server."""
    found: dict[str, int] = {}
    times = defaultdict(list)
    for one in servers.log:
        times[one.server].append(one.began)
    for server, began in times.items():
        window: deque[float] = deque()
        for moment in sorted(began):
            window.append(moment)
            while window[0] <= moment - 1:
                window.popleft()
            found[server] = max(found.get(server, 0), len(window))
    return found


def digests(dataset: Path) -> dict[str, str]:
    """Return the SHA-256 of the files whose bytes depend on the listing and the servers only."""
    patterns = ("fetched/**/0000?.*", "224x224/**/*.tar", "224x224/*.csv", "224x224/*.parquet")
    paths = [path for pattern in patterns for path in sorted(dataset.glob(pattern))]
    return {str(path.relative_to(dataset)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def states(dataset: Path) -> dict[str, list[str]]:
    """Return all states of each URL."""
    found = defaultdict(list)
    for path in sorted(dataset.glob("fetched/*/0000?.parquet")):
        for row in pq.read_table(path, columns=["url", "state"]).to_pylist():
            found[row["url"]].append(row["state"])
    return found


def repeated(servers: ImageServers) -> int:
    """Return how many requests for images were repeated; one that is only answered well needs none."""
    return sum(count - 1 for (_, path), count in servers.times.items() if path.startswith("/image/"))


def answered_before(servers: ImageServers, kills: list[float]) -> int:
    """Return how many requests for images were repeated although the server had sent their answer in full before the kill.

    The killed build need not have read it: an answer can wait in the buffers of the system.
    """
    requests = defaultdict(list)
    for one in servers.log:
        if one.path.startswith("/image/"):
            requests[one.server, one.path].append((one.began, one.ended))
    pairs = [pair for asked in requests.values() for pair in itertools.pairwise(sorted(asked))]
    return sum(any(ended < moment < again for moment in kills) for (_, ended), (again, _) in pairs)


def main() -> None:
    """Print what was found; exit with 1 if it is not as it must be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=20_000, help="how many URLs (default: %(default)s)")
    parser.add_argument(
        "--each", type=int, default=8, help="URLs of each kind of error (default: %(default)s)"
    )
    parser.add_argument("--kills", type=int, default=20, help="(default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="(default: %(default)s)")
    given = parser.parse_args()
    rng = random.Random(given.seed)  # noqa: S311 (no secret)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with (
        tempfile.TemporaryDirectory() as name,
        image_servers(*SERVERS, secure=context) as servers,
    ):
        wanted = listed(servers, given.images, given.each)
        listing = Path(name) / "urls.csv"
        urls = list(wanted)
        rng.shuffle(urls)
        lines = (f"{url},{number},Corvus corax" for number, url in enumerate(urls))
        listing.write_text("\n".join(["image_url,key,species", *lines]) + "\n", encoding="utf-8")
        datasets = []
        kills: list[float] = []
        for title in ("undisturbed", "killed"):
            folder = Path(name) / title
            folder.mkdir()
            servers.times.clear()
            servers.log.clear()
            while title == "killed" and len(kills) < given.kills:
                moment = killed(folder, listing, servers, rng, 2 * given.images // given.kills)
                if moment is None:
                    break
                kills.append(moment)
                print(
                    f"kill {len(kills)}: {servers.times.total():,} requests, {repeated(servers):,} repeated",
                    flush=True,
                )
            finished(folder, listing)
            datasets.append(folder / "built")
        report(wanted, servers, datasets, kills)


def report(wanted: dict[str, str], servers: ImageServers, datasets: list[Path], moments: list[float]) -> None:
    """Print what was found, and exit with 1 if it is not as it must be."""
    kinds, kills = len(KINDS) + len(ELSEWHERE), len(moments)
    print(
        f"{len(wanted):,} URLs, {kinds} kinds of answers besides images, {len(SERVERS)} servers, {kills} kills"
    )
    counts = Counter(wanted.values())
    print(", ".join(f"{count:,} {state}" for state, count in counts.most_common()))
    together, fast, again = servers.most_at_once(), fastest(servers), repeated(servers)
    per_kill = again / max(1, kills)
    print(f"at most {max(together.values())} requests at once to a server (budget {CONNECTIONS})")
    print(f"at most {max(fast.values())} requests within a second (budget {RATE})")
    print(
        f"{again} requests repeated, {per_kill:.1f} for a kill, {per_kill / WORKERS:.1f} for a kill and worker"
    )
    answered = answered_before(servers, moments)
    print(
        f"{answered} of these had been sent in full by the server, {answered / max(1, kills) / WORKERS:.2f} for a kill and worker"
    )
    undisturbed, after = (digests(dataset) for dataset in datasets)
    checks = {
        "every URL is in one state, which is the right one": all(
            states(dataset) == {url: [state] for url, state in wanted.items()} for dataset in datasets
        ),
        "no server was asked by more connections than allowed": max(together.values()) <= CONNECTIONS,
        # requests that are open when a build is killed, and the first ones of the next build, come close together
        "no server was asked faster than allowed": max(fast.values()) <= RATE + 2 * CONNECTIONS,
        "no more requests were repeated than were open": again
        <= kills * WORKERS * len(SERVERS) // PARTITIONS * CONNECTIONS,
        f"the same bytes in {len(after)} files": undisturbed == after and bool(after),
        "nothing is left of the kills": not list(datasets[1].glob("fetched/**/.*")),
    }
    for what, is_so in checks.items():
        print(f"{'yes' if is_so else 'NO '} {what}")
    sys.exit(not all(checks.values()))


if __name__ == "__main__":
    main()

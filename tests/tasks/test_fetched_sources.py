"""Sources by URL, from a settings file to shards."""

from __future__ import annotations

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest
from image_server import drawn, image_servers
from PIL import Image

from tol_luigi.core.keys import image_id
from tol_luigi.dataset.opened import Dataset
from tol_luigi.downloads.fetch_outcomes import Outcome, UrlState
from tol_luigi.downloads.fetched_parts import FetchedParts
from tol_luigi.sources.stored_listing import StoredLabels
from tol_luigi.sources.url_partitions import LANES
from tol_luigi.sources.url_reader import UrlReader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from forked import Forks
    from image_server import ImageServers

SERVERS = ("127.0.0.1", "127.0.0.2", "127.0.0.3")
COUNT = 24
LOST = {
    4: "gone: HTTP 404",
    9: "not_an_image: a page in HTML or XML, sent as image/jpeg",
    13: "opted_out: X-Robots-Tag: noai",
    17: "http_error: HTTP 418",
}
KINDS = {4: "status/404", 9: "html/9", 13: "noai/13", 17: "status/418"}
BOX = 5


@pytest.fixture(scope="module")
def servers() -> Iterator[ImageServers]:
    with image_servers(*SERVERS) as running:
        yield running


@pytest.fixture(scope="module")
def listing(servers: ImageServers, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _listed(tmp_path_factory.mktemp("listing") / "urls.csv", servers, range(COUNT), {})


def _listed(path: Path, servers: ImageServers, numbers: Iterable[int], hashes: dict[int, str]) -> Path:
    """Write a listing of images; some of them with the SHA-256 that is expected."""
    lines = ["image_url,key,kingdom,genus,species,license,owner,page,x,y,width,height,sha256"]
    for number in numbers:
        url = servers.url("/" + KINDS.get(number, f"image/{number}"), SERVERS[number % 3])
        box = "2,2,10,8" if number == BOX else ",,,"
        names = f'k/{number},Animalia,Corvus,corax,cc-by,"Ann ""A"", X",https://x.org/{number}'
        lines.append(f"{url},{names},{box},{hashes.get(number, '')}")
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def sections(listing: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    return {
        "dataset": {"root": "out", "tag": "urls", "val_percent": 10, "train_small_percent": 15},
        "table:pond": {"images": listing, "columns": "url=image_url", "partitions": 2},
        "fetch": {
            "contact": "me@example.org",
            "connections": 1,
            "requests_per_second": 200,
            "pause_seconds": 0,
            "private_networks": "127.0.0.0/8",
            "shared_budgets": tmp_path_factory.mktemp("lanes"),
        },
        "report": {"page": "false"},
    }


def _every_row_is_a_sample_or_has_a_reason(
    dataset: Path, ledger: Callable[[Path], list[dict[str, Any]]]
) -> None:
    rows = ledger(dataset)

    assert len(rows) == COUNT
    lost = {row["name"]: row["reason"] for row in rows if row["state"] == "not_fetched"}
    assert {key: reason.rpartition(" (http")[0] for key, reason in lost.items()} == {
        f"k/{number}": reason for number, reason in LOST.items()
    }
    licenses = (dataset / "224x224" / "licenses.csv").read_text()
    assert licenses.count("https://x.org/") == COUNT - len(LOST)
    assert '"Ann ""A"", X"' in licenses
    table = [
        row for path in dataset.glob("fetched/*/0000?.parquet") for row in pq.read_table(path).to_pylist()
    ]
    assert sorted(row["key"] for row in table) == sorted(f"k/{number}" for number in range(COUNT))
    assert {row["key"]: row["state"] for row in table}["k/4"] == "gone"


def _the_rows_are_stored_in_the_order_of_the_ids(dataset: Path) -> None:
    [path] = dataset.glob("fetched/*/listing.parquet")
    rows = pq.read_table(path).to_pylist()
    keys = {row["id"]: row["key"] for row in rows}

    assert list(keys) == sorted(image_id("table", f"pond/k/{number}") for number in range(COUNT))
    assert keys[image_id("table", "pond/k/7")] == "k/7"
    [trace] = Dataset.open(dataset).explain(image_id("table", "pond/k/7"))
    assert (trace.ranks["genus"], trace.name_key) == ("Corvus", rows[0]["label"])
    labels = StoredLabels(path.parent)
    assert {labels[row["label"]].ranks[-2:] for row in rows} == {("Corvus", "corax")}


def _only_the_box_is_used_of_an_image_with_one(dataset: Path) -> None:
    paths = dataset.glob("224x224/records/*/*/*.ledger.parquet")
    rows = [row for path in paths for row in pq.read_table(path).to_pylist()]
    sizes = {(row["width"], row["height"]) for row in rows if row["name"].startswith(f"k%2F{BOX}.")}
    whole = Image.open(io.BytesIO(drawn(BOX))).size

    assert sizes == {(10, 8)} != {whole}


def _commands_know_the_source(settings: Path) -> None:
    command = [sys.executable, "-m", "tol_luigi", "--config", str(settings), "why", "k/4"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "gone: HTTP 404" in answer.stdout


def _only_what_servers_have_not_sent_is_asked_for_again(
    servers: ImageServers, settings: Path, forks: Forks, ledger: Callable[[Path], list[dict[str, Any]]]
) -> None:
    dataset, before = settings.parent / "out" / "urls", servers.times.copy()
    path = "/status/418"
    for partition in ("00000", "00001"):  # as if killed just after the receipt was written
        assert (dataset / "fetched" / "table-pond" / f"{partition}.tar").exists()
        with FetchedParts(dataset / "fetched" / "table-pond" / f".{partition}.parts") as parts:
            parts.add(servers.url(path, SERVERS[17 % 3]), Outcome(UrlState.GONE, "HTTP 404", 404), {})
    servers.instead[path] = "/image/17"
    command = [sys.executable, "-m", "tol_luigi", "--config", str(settings), "refetch"]
    marked = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "asks again for 1 URL" in marked.stdout

    built = forks.build(settings, "BuildCatalog")

    del servers.instead[path]
    assert built.code == 0, built.output
    assert (servers.times - before) == {(SERVERS[17 % 3], path): 1}
    lost = [row["name"] for row in ledger(dataset) if row["state"] == "not_fetched"]
    assert sorted(lost) == sorted(f"k/{number}" for number in LOST if number != 17)
    assert f"compared with urls: {COUNT - 4} kept, 1 received, 1 gone, 2 missing" in built.output


def _a_later_listing_is_fetched_with_the_images_of_an_earlier_dataset(
    servers: ImageServers,
    settings_of: Callable[[str, dict[str, Any]], Path],
    listing: Path,
    forks: Forks,
    digests: Callable[..., dict[str, str]],
) -> None:
    changed, new, left_out = 7, COUNT, 3
    numbers = [number for number in range(COUNT + 1) if number != left_out]
    hashes = {changed: hashlib.sha256(drawn(107)).hexdigest()}
    later = _listed(listing.with_name("later.csv"), servers, numbers, hashes)
    servers.instead |= {"/image/7": "/image/107", "/status/418": "/image/17", "/html/9": "/status/410"}
    asked = [
        (SERVERS[number % 3], "/" + KINDS.get(number, f"image/{number}")) for number in (changed, new, *LOST)
    ]
    before = servers.times.copy()

    kept = settings_of("kept", {"images": later, "partitions": 3})
    ended = forks.build(kept, "ReportFetched")

    assert ended.code == 0, ended.output
    assert servers.times - before == Counter(asked)
    folder = kept.parent / "out" / "urls" / "fetched"
    report = json.loads((folder / "report.json").read_text())
    counts = {"kept": 18, "changed": 1, "new": 1, "received": 1, "gone": 2, "missing": 1, "unlisted": 1}
    assert report["sources"] == {"table-pond": counts}
    assert "table-pond    18        1    1" in (folder / "report.txt").read_text()
    rows = pq.read_table(folder / "table-pond" / "changes.parquet").to_pylist()
    assert {row["change"]: (row["before"], row["now"]) for row in rows if row["change"] != "gone"} == {
        "changed": ("fetched", "fetched"),
        "new": ("", "fetched"),
        "received": ("http_error", "fetched"),
        "missing": ("opted_out", "opted_out"),
        "unlisted": ("fetched", ""),
    }

    alone = settings_of("alone", {"images": later, "partitions": 3, "previous": ""})
    assert forks.build(alone, "MakeMapping").code == 0
    servers.instead.clear()
    found = digests(kept.parent / "out" / "urls", "fetched/*/0000?.*")
    assert len(found) == 6
    assert found == digests(alone.parent / "out" / "urls", "fetched/*/0000?.*")


def _resized_images_are_stored_with_what_the_originals_were(
    servers: ImageServers,
    settings_of: Callable[[str, dict[str, Any]], Path],
    listing: Path,
    forks: Forks,
    digests: Callable[..., dict[str, str]],
) -> None:
    few = _listed(listing.with_name("few.csv"), servers, (0, BOX, 6), {})
    servers.instead |= {f"/image/{number}": f"/large/{number}" for number in (BOX, 6)}
    resized = {"images": few, "store": "resized", "resized_size": 40}
    settings = settings_of("resized", {**resized, "previous": ""})
    built = forks.build(settings, "MakeMapping")
    assert built.code == 0, built.output
    folder = settings.parent / "out" / "urls" / "fetched"
    rows = {
        row["key"]: row for path in folder.glob("*/0000?.parquet") for row in pq.read_table(path).to_pylist()
    }
    assert {key: row["stored"] for key, row in rows.items()} == {"k/0": "", "k/5": "box", "k/6": "resized"}
    found = {}
    for path in folder.glob("*/*.tar"):
        with tarfile.open(path) as archive:
            for member in archive:
                content = archive.extractfile(member)
                assert content
                found[member.name] = content.read()
    original = drawn(6, 10)
    row = rows["k/6"]
    assert (row["bytes"], row["sha256"]) == (len(original), hashlib.sha256(original).hexdigest())
    assert (row["image_width"], row["image_height"], row["member"]) == (160, 120, "k%2F6.jpg")
    assert row["stored_sha256"] == hashlib.sha256(found["k%2F6.jpg"]).hexdigest()
    assert {name: Image.open(io.BytesIO(content)).size for name, content in found.items()} == {
        "k%2F0.png": (16, 12),
        f"k%2F{BOX}.png": (10, 8),
        "k%2F6.jpg": (40, 30),
    }

    reader = UrlReader(folder / "table-pond", lambda: iter(()), 2, lambda key: (key,))
    for partition in reader.partitions():
        members = [one.member for one in reader.scan(partition) if one.key]
        contents = [content for _, content in reader.read(partition, members)]
        assert contents == [found[member.name] for member in members], "the box is not cut out twice"

    before = servers.times.copy()
    again = settings_of("resized-again", {**resized, "previous": folder.parent})
    assert forks.build(again, "ReportFetched").code == 0
    servers.instead.clear()
    assert servers.times == before, "nothing is requested"
    later = again.parent / "out" / "urls"
    assert digests(later, "fetched/*/0000?.*") == digests(folder.parent, "fetched/*/0000?.*")


def test_a_table_of_urls_is_built_and_a_killed_build_fetches_nothing_twice_and_makes_the_same_bytes(  # noqa: PLR0917
    servers: ImageServers,
    sections: dict[str, dict[str, Any]],
    settings_file: Callable[..., Path],
    start: Callable[..., Any],
    forks: Forks,
    digests: Callable[..., dict[str, str]],
    ledger: Callable[[Path], list[dict[str, Any]]],
) -> None:
    settings = settings_file(sections, "whole/settings.cfg")
    built = forks.build(settings, "BuildCatalog")
    assert built.code == 0, built.output
    dataset = settings.parent / "out" / "urls"
    _every_row_is_a_sample_or_has_a_reason(dataset, ledger)
    _the_rows_are_stored_in_the_order_of_the_ids(dataset)
    _only_the_box_is_used_of_an_image_with_one(dataset)
    _commands_know_the_source(settings)
    assert len(list(sections["fetch"]["shared_budgets"].glob("lane-*"))) == LANES
    assert "fetched/" not in (dataset / "SHA256SUMS").read_text(), "originals are not published"

    slow = {**sections, "fetch": {**sections["fetch"], "requests_per_second": 20}}
    before = servers.times.total()
    killed = start(settings_file(slow, "killed/settings.cfg"), task="MakeMapping")
    while servers.times.total() < before + 5:
        assert killed.poll() is None
        time.sleep(0.01)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()

    resumed = settings_file(sections, "killed/settings.cfg")
    finished = forks.build(resumed, "BuildCatalog")

    assert finished.code == 0, finished.output
    assert servers.times.total() - before <= COUNT + len(SERVERS)
    again = resumed.parent / "out" / "urls"
    for pattern in ("fetched/**/0000?.*", "224x224/**/*.tar", "224x224/*.csv", "224x224/*.parquet"):
        assert digests(dataset, pattern)
        assert digests(again, pattern) == digests(dataset, pattern)
    assert not list(again.glob("fetched/**/.*"))

    def settings_of(name: str, changes: dict[str, Any]) -> Path:
        own = {"previous", "store", "resized_size"}
        fetch = {**sections["fetch"], "previous": dataset} | {k: v for k, v in changes.items() if k in own}
        table = sections["table:pond"] | {k: v for k, v in changes.items() if k not in own}
        return settings_file({**sections, "fetch": fetch, "table:pond": table}, f"{name}/settings.cfg")

    resumed = settings_of("killed", {})
    _only_what_servers_have_not_sent_is_asked_for_again(servers, resumed, forks, ledger)
    _a_later_listing_is_fetched_with_the_images_of_an_earlier_dataset(
        servers, settings_of, sections["table:pond"]["images"], forks, digests
    )
    _resized_images_are_stored_with_what_the_originals_were(
        servers, settings_of, sections["table:pond"]["images"], forks, digests
    )


def test_settings_without_a_contact_are_refused(
    sections: dict[str, dict[str, Any]], settings_file: Callable[..., Path], forks: Forks
) -> None:
    fetch = {key: value for key, value in sections["fetch"].items() if key != "contact"}

    ended = forks.build(settings_file({**sections, "fetch": fetch}), "BuildCatalog")

    assert ended.code == 40
    assert len(ended.messages) == 1
    assert "[fetch] contact" in ended.messages[0]
    assert "Set it to your email address" in ended.messages[0]


def test_a_source_of_which_nothing_may_be_fetched_is_not_blamed_for_its_names(
    sections: dict[str, dict[str, Any]], settings_file: Any, forks: Forks
) -> None:
    fetch = {name: value for name, value in sections["fetch"].items() if name != "private_networks"}
    ended = forks.build(settings_file({**sections, "fetch": fetch}), "BuildCatalog")

    assert ended.code == 30
    assert "table-pond has no image that can be used" in ended.output

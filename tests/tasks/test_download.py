"""``DownloadSources`` as users run it: from a server with the published paths, and what a build makes of it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

Sections = dict[str, dict[str, Any]]

COMMAND = ["--module", "tol_luigi", "DownloadSources"]


@pytest.fixture
def site(published_site: tuple[str, list[str]]) -> tuple[str, list[str]]:
    """A server with the published paths: its address, and what it was asked for."""
    return published_site


@pytest.fixture
def sections(download_sections: Sections) -> Sections:
    """Settings with the base addresses of the server."""
    return download_sections


def download(settings: Path, *arguments: str, local: bool = True) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LUIGI_")}
    return subprocess.run(
        [
            Path(sys.executable).with_name("luigi"),
            *COMMAND,
            *(["--local-scheduler"] if local else []),
            *arguments,
        ],
        cwd=settings.parent,
        env={**kept, "LUIGI_CONFIG_PATH": str(settings)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_what_is_downloaded_builds_the_same_dataset(
    tmp_path: Path,
    sections: Sections,
    settings_file: Callable[..., Path],
    build: Callable[..., Any],
    digests: Callable[..., dict[str, str]],
) -> None:
    settings = settings_file(sections)
    done = download(settings, "--workers", "2")
    assert done.returncode == 0, done.stderr
    sources = tmp_path / "sources"
    assert done.stdout.count("\nall") == 1
    built = build(settings)
    assert built.returncode == 0, built.stderr

    site = tmp_path / "site"
    hub = site / "hub" / "datasets" / "TreeOfLife-10M" / "resolve" / "main"
    by_hand = {name: dict(values) for name, values in sections.items() if name != "download"}
    by_hand["dataset"]["root"] = "by-hand"
    tables = tmp_path / "tables"
    with zipfile.ZipFile(site / "taxa" / "inaturalist-taxonomy.dwca.zip") as packed:
        packed.extractall(tables)
    named: Sections = {
        "eol": {
            "images": hub / "dataset" / "EOL",
            "taxon_tab": hub / "metadata" / "taxon.tab",
            "vernacular_names": next((site / "eol").rglob("vernacularnames.csv")),
        },
        "inat21": {
            "images": site / "inat" / "train.tar.gz",
            "taxa": tables / "taxa.csv",
            "vernacular_names": tables / "VernacularNames-english.csv",
        },
        "bioscan": {"images": site / "zenodo" / "cropped_256.zip"},
        "itis": {"chains": hub / "metadata" / "species_level_taxonomy_chains.csv"},
        "published": {
            "mapping": hub / "metadata" / "mapping.sqlite",
            "names": hub / "metadata" / "naming",
        },
    }
    for name, values in named.items():
        by_hand[name] = {**by_hand.get(name, {}), **values}
    expected = build(settings_file(by_hand, "by-hand.cfg"))
    assert expected.returncode == 0, expected.stderr
    found = digests(tmp_path / "out" / "sample")
    assert found == digests(tmp_path / "by-hand" / "sample")
    assert any(name.endswith(".tar") for name in found)

    lines = (sources / "sources.cfg").read_text().splitlines()
    assert {f"mapping = {sources}/metadata/mapping.sqlite", f"images = {sources}/eol"} <= set(lines)


def test_a_second_run_has_nothing_to_do_and_asks_nobody(
    sections: Sections, settings_file: Callable[..., Path], site: tuple[str, list[str]], tmp_path: Path
) -> None:
    settings = settings_file(sections)
    assert download(settings).returncode == 0
    before = list(site[1])
    again = download(settings)

    assert again.returncode == 0, again.stderr
    assert "running  " not in again.stderr
    assert site[1] == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["settings.cfg", "site", "sources"]
    assert [path.name for path in (tmp_path / "sources").rglob(".*")] == []


def test_the_audit_trail_tells_what_ran_where_and_how_long(
    sections: Sections, settings_file: Callable[..., Path], tmp_path: Path
) -> None:
    sections["download"]["sources"] = "bioscan"
    assert download(settings_file(sections)).returncode == 0
    trail = tmp_path / "sources" / "audit" / "fetch-bioscan.jsonl"
    lines = [json.loads(line) for line in trail.read_text().splitlines()]
    fetched = next(line for line in lines if line.get("what") == "fetched")
    done = next(line for line in lines if line.get("what") == "done")
    size = (tmp_path / "site" / "zenodo" / "cropped_256.zip").stat().st_size

    assert (fetched["bytes"], fetched["came"], fetched["ran_on"]) == (size, size, socket.gethostname())
    assert fetched["url"].endswith("/zenodo/cropped_256.zip")
    assert done["seconds"] > 0
    assert all({"at", "task", "host", "process"} <= line.keys() for line in lines)


def test_a_source_that_fails_does_not_stop_the_others(
    sections: Sections, settings_file: Callable[..., Path], tmp_path: Path
) -> None:
    (tmp_path / "site" / "inat" / "train.tar.gz").unlink()
    settings = settings_file(sections)
    done = download(settings, "--workers", "4")

    assert done.returncode == 30
    assert "404" in next(
        line for line in done.stderr.splitlines() if line.startswith("tol_luigi: fetch-inat21")
    )
    assert (tmp_path / "sources" / "bioscan" / "cropped_256.zip").exists()
    assert len(list((tmp_path / "sources" / "eol").glob("*.tar.gz"))) == 3
    assert not list((tmp_path / "sources").glob("inat21/*"))


def test_a_build_before_all_is_there_says_so(
    sections: Sections, settings_file: Callable[..., Path], build: Callable[..., Any], tmp_path: Path
) -> None:
    finished = build(settings_file(sections))

    assert finished.returncode == 40
    assert "Run DownloadSources first" in finished.stderr
    assert not (tmp_path / "out").exists()


def test_files_go_where_other_settings_say(
    sections: Sections, settings_file: Callable[..., Path], tmp_path: Path
) -> None:
    sections["eol"] = {"images": "mine/EOL", "taxon_tab": "mine/taxon.tab"}
    sections["inat21"]["images"] = "mine/train.tar.gz"
    done = download(settings_file(sections))

    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "mine" / "EOL").glob("image_set_0?.tar.gz"))) == 3
    assert (tmp_path / "mine" / "taxon.tab").exists()
    assert (tmp_path / "mine" / "train.tar.gz").exists()
    assert not (tmp_path / "sources" / "eol").exists()


def test_archives_are_unpacked_where_that_is_asked_for(
    sections: Sections, settings_file: Callable[..., Path], build: Callable[..., Any], tmp_path: Path
) -> None:
    sections["download"] |= {"extract": "true", "sources": "metadata,bioscan"}
    settings = settings_file(sections)
    done = download(settings)

    assert done.returncode == 0, done.stderr
    parts = tmp_path / "sources" / "bioscan" / "unpacked" / "bioscan" / "images" / "cropped_256"
    assert len(list(parts.glob("part*/*.jpg"))) == 18
    built = build(settings)
    assert built.returncode == 0, built.stderr


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("eol_sets", "0-3"),
        ("checksums", "x=md5:1"),
        ("sources", "eol,moon"),
        ("folder", ""),
        ("where", "there"),
    ],
)
def test_wrong_settings_are_one_line(
    sections: Sections, settings_file: Callable[..., Path], tmp_path: Path, key: str, value: str
) -> None:
    sections["download"][key] = value
    done = download(settings_file(sections))

    assert done.returncode == 40
    assert [line for line in done.stderr.splitlines() if line.startswith("tol_luigi: ") and key in line]
    assert not (tmp_path / "sources").exists()


def test_a_folder_where_an_archive_is_to_go_is_refused(
    sections: Sections, settings_file: Callable[..., Path]
) -> None:
    sections["inat21"]["images"] = "train"
    done = download(settings_file(sections))

    assert done.returncode == 40
    assert "this is not the name of one" in done.stderr


def test_sciluigi_is_imported_only_when_it_is_used(tmp_path: Path) -> None:
    """And leaves nothing behind: no folder, no handler, no level."""
    program = """
import logging, sys
import tol_luigi
assert "sciluigi" not in sys.modules
loggers = [logging.getLogger(name) for name in ("luigi-interface", "sciluigi-interface")]
before = [(one.level, one.handlers, one.disabled) for one in loggers]
import tol_luigi.tasks.fetching
assert "sciluigi" in sys.modules
assert [(one.level, one.handlers, one.disabled) for one in loggers] == before
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert list(tmp_path.iterdir()) == []


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as held:
        return int(held.getsockname()[1])


def wait_for(port: int) -> None:
    for _ in range(300):
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise TimeoutError(port)


def start_assistant(program: str, environment: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("w") as file:
        return subprocess.Popen(
            [sys.executable, "-c", program],
            cwd=log.parent,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=file,
        )


def test_assistants_do_the_work_of_a_foreman(
    sections: Sections, settings_file: Callable[..., Path], tmp_path: Path
) -> None:
    """Tasks come to an assistant as text, and are wired again there."""
    settings = settings_file(sections)
    port = free_port()
    environment = {**os.environ, "LUIGI_CONFIG_PATH": str(settings)}
    luigid = [Path(sys.executable).with_name("luigid"), "--port", str(port), "--address", "127.0.0.1"]
    assistant = (
        "import luigi; from luigi.configuration import get_config; "
        "get_config().set('worker', 'keep_alive', 'true'); "
        f"luigi.build([], assistant=True, scheduler_host='127.0.0.1', scheduler_port={port}, no_lock=True)"
    )
    state = tmp_path / "state"
    state.mkdir()
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([*luigid, "--state-path", state / "pickle"], cwd=state, **quiet) as scheduler:
        try:
            wait_for(port)
            helpers = [
                start_assistant(assistant, environment, state / f"{number}.log") for number in range(2)
            ]
            where = ["--scheduler-host", "127.0.0.1", "--scheduler-port", str(port), "--workers", "0"]
            told = download(settings, *where, local=False)
            for _ in range(600):
                if (tmp_path / "sources" / "sources.cfg").exists():
                    break
                time.sleep(0.1)
            for helper in helpers:
                helper.terminate()
                helper.wait()
        finally:
            scheduler.terminate()

    logs = "".join(path.read_text() for path in state.glob("*.log"))
    assert (tmp_path / "sources" / "sources.cfg").exists(), told.stderr + logs
    assert "FetchSource" in logs
    assert download(settings).returncode == 0
    assert sorted(path.name for path in state.iterdir() if path.name == "log") == []

"""``tol build``, ``tol verify`` and ``tol config``: what a person types, and what is shown for it."""

from __future__ import annotations

import configparser
import os
import re
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from terminal import on_terminal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Tol = Callable[..., subprocess.CompletedProcess[str]]
    Sections = dict[str, dict[str, Any]]

SECONDS = 120


def stage_lines(text: str) -> list[str]:
    """Return the names of the stages that a text has a line about."""
    return [
        found[1] for line in text.splitlines() if (found := re.match(r"([A-Z]\w+) +\d[\d,]* tasks?\b", line))
    ]


def the_log(dataset: Path, verb: str = "build") -> str:
    *_, newest = sorted((dataset / "logs").glob(f"{verb}-*.log"), key=lambda path: path.stat().st_mtime)
    return newest.read_text(encoding="utf-8")


@pytest.fixture
def settings(settings_file: Callable[..., Path], bioscan_settings: Sections) -> Path:
    return settings_file(bioscan_settings)


def test_a_build_shows_a_line_for_each_stage_and_the_summary_last(
    *, tol: Tol, settings: Path, tmp_path: Path, build: Any, digests: Any
) -> None:
    done = tol("build", "--config", settings, "-j", "2", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = stage_lines(done.stderr)
    assert lines == list(dict.fromkeys(lines))
    assert {"ScanPartition", "WriteShards", "WriteManifest"} <= set(lines)
    assert len(done.stderr.splitlines()) == len(lines)
    assert done.stdout.startswith(f"\nDataset {tmp_path / 'out' / 'sample'}\n")
    dataset = tmp_path / "out" / "sample"
    assert "Luigi Execution Summary" in the_log(dataset)

    again = tol("build", "--config", settings, cwd=tmp_path)
    assert (again.returncode, again.stderr) == (0, "")
    assert again.stdout.splitlines()[1:8] == done.stdout.splitlines()[1:8]

    made = {name: sha256 for name, sha256 in digests(dataset).items() if not name.startswith("logs/")}
    dataset.rename(tmp_path / "before")
    assert build(settings).returncode == 0
    assert digests(dataset) == made


def test_a_cause_is_shown_once_and_the_log_is_named(
    *, tol: Tol, settings_file: Callable[..., Path], sample_settings: Sections, tmp_path: Path
) -> None:
    images = tmp_path / "images"
    images.mkdir()
    for number in (1, 2, 3):
        (images / f"image_set_0{number}.tar.gz").write_bytes(b"no archive")
    settings = settings_file(
        {"dataset": {"root": "out", "tag": "x"}, "eol": {**sample_settings["eol"], "images": images}}
    )
    done = tol("build", "--config", settings, cwd=tmp_path)

    assert done.returncode == 30
    assert done.stdout == ""
    causes = [line for line in done.stderr.splitlines() if str(images) in line]
    assert len(causes) == 1, done.stderr
    *_, others, last = done.stderr.splitlines()
    assert re.fullmatch(r"  ScanPartition eol image_set_0\d and 2 other tasks for the same reason", others)
    assert re.fullmatch(r"3 tasks failed, \d+ tasks? not run\. Log: (\S+)", last)
    assert "Traceback" not in done.stderr
    assert causes[0] in the_log(tmp_path / "out" / "x").replace("tol_luigi: ", "")


def started(*arguments: object, cwd: Path, **options: Any) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LUIGI_")}
    return subprocess.Popen(
        [sys.executable, "-m", "tol_luigi", *map(str, arguments)],
        cwd=cwd,
        env=environment,
        start_new_session=True,
        text=True,
        **options,
    )


def wait_for(path: Path) -> None:
    end = time.monotonic() + SECONDS
    while not path.exists():
        assert time.monotonic() < end, path
        time.sleep(0.02)


def processes_of(session: int) -> list[str]:
    listed = subprocess.run(
        ["ps", "-o", "args=", "-s", str(session)], capture_output=True, text=True, check=False
    )
    return listed.stdout.splitlines()


@pytest.mark.parametrize("to_all", [True, False], ids=["as a terminal sends it", "to the command alone"])
def test_an_interrupted_build_says_how_to_resume_and_leaves_nobody_behind(
    *, to_all: bool, tol: Tol, settings: Path, tmp_path: Path, build: Any, digests: Any
) -> None:
    dataset = tmp_path / "out" / "sample"
    process = started(
        "build", "--config", settings, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    wait_for(dataset / "listings" / "bioscan")
    (os.killpg if to_all else os.kill)(process.pid, signal.SIGINT)
    output, error = process.communicate(timeout=SECONDS)

    assert (process.returncode, output) == (130, "")
    *_, last = error.splitlines()
    assert last == "tol: interrupted. Nothing finished is lost: run the same command to resume."
    assert "Traceback" not in error
    assert processes_of(process.pid) == []

    assert tol("build", "--config", settings, cwd=tmp_path).returncode == 0
    made = {name: sha256 for name, sha256 in digests(dataset).items() if not name.startswith("logs/")}
    dataset.rename(tmp_path / "before")
    assert build(settings).returncode == 0
    assert digests(dataset) == made


@pytest.mark.parametrize("columns", [80, 120])
def test_a_terminal_shows_bars_while_stages_work_and_is_left_tidy(
    columns: int, settings: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "tol_luigi", "build", "--config", str(settings)]
    code, written, screen = on_terminal(command, tmp_path, columns, {})

    assert code == 0, screen
    assert "━" in written.decode()
    assert not any("━" in line for line in screen)
    lines = stage_lines("\n".join(screen))
    assert lines == list(dict.fromkeys(lines))
    assert {"ScanPartition", "WriteShards", "WriteManifest"} <= set(lines)
    shown = [line for line in screen if line]
    assert any(line.startswith(f"Dataset {tmp_path}"[:columns]) for line in shown)
    assert written.endswith(b"\n")


def test_without_colour_there_is_none(settings: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tol_luigi", "build", "--config", str(settings)]
    code, written, _ = on_terminal(command, tmp_path, 80, {"NO_COLOR": "1"})

    assert code == 0
    assert not re.search(rb"\x1b\[[0-9;]*3[0-9]", written)


def test_damage_is_found_and_repaired(*, tol: Tol, settings: Path, tmp_path: Path, digests: Any) -> None:
    assert tol("build", "--config", settings, cwd=tmp_path).returncode == 0
    dataset = tmp_path / "out" / "sample"
    whole = digests(dataset, "224x224/train/*")
    good = tol("verify", "--config", settings, cwd=tmp_path)
    assert good.returncode == 0, good.stderr
    assert "no findings" in good.stdout

    shard = min((dataset / "224x224" / "train").iterdir())
    shard.write_bytes(shard.read_bytes()[:-1000])
    bad = tol("verify", "--config", settings, cwd=tmp_path)
    assert bad.returncode == 30
    assert str(shard) in bad.stdout
    assert tol("verify", "--repair", "--config", settings, cwd=tmp_path).returncode == 0
    assert digests(dataset, "224x224/train/*") == whole


def test_settings_are_shown_as_a_settings_file_that_means_the_same(
    *, tol: Tol, settings: Path, tmp_path: Path
) -> None:
    with settings.open("a", encoding="utf-8") as file:
        file.write("\n[texts]\ntemplates =\n    a.txt = 50 %% {common}\n    b.txt = {species}\n")
        file.write(
            "[filter]\nrules =\n    bees = common LIKE '%bee%%'\n    odd = common = '${none}'\n[select]\nname = bees\n"
        )
    shown = tol("config", "--config", settings, "--set", "dataset.tag=v2", cwd=tmp_path)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "# from the command line\ntag = v2\n" in shown.stdout
    assert f"# from {settings}\nval_percent = 10\n" in shown.stdout
    assert "templates = a.txt = 50 %% {common}\n    b.txt = {species}\n" in shown.stdout
    assert "rules = bees = common LIKE '%%bee%%'\n    odd = common = '${none}'\n" in shown.stdout
    (tmp_path / "copy.cfg").write_text(shown.stdout, encoding="utf-8")
    again = tol("config", "--config", tmp_path / "copy.cfg", cwd=tmp_path)
    assert [line for line in again.stdout.splitlines() if line[:1] != "#"] == [
        line for line in shown.stdout.splitlines() if line[:1] != "#"
    ]

    changed = tol("config", "--config", settings, "--changed", cwd=tmp_path)
    parser = configparser.RawConfigParser()
    parser.read_string(changed.stdout)
    assert set(parser["dataset"]) == {"root", "tag", "val_percent", "train_small_percent"}
    assert parser["texts"]["templates"].splitlines() == ["a.txt = 50 %% {common}", "b.txt = {species}"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("dataset.tga=x", "--set dataset.tga=x: there is no such key. Did you mean dataset.tag?"),
        (
            "shards.qqqqqqqqqqqqqqqqq=x",
            "--set shards.qqqqqqqqqqqqqqqqq=x: there is no such key. Valid are shards.max_samples, shards.order.",
        ),
        (
            "dataset.tag",
            "--set dataset.tag: not of the form section.key=value. Give for example dataset.tag=v2.",
        ),
        ("dataset.seed=x", "--set dataset.seed=x: not allowed. Use an integer from 0 to 1000000000."),
        (
            "eol.images=/nowhere",
            "--set eol.images=/nowhere: /nowhere is missing. Use an existing file or folder.",
        ),
    ],
)
def test_a_wrong_setting_on_the_command_line_is_one_line(
    given: str, message: str, tol: Tol, tmp_path: Path
) -> None:
    for verb in ("build", "config"):
        done = tol(verb, "--set", given, cwd=tmp_path)
        assert (done.returncode, done.stdout, done.stderr) == (40, "", f"tol: {message}\n")
    assert not any(tmp_path.iterdir())


def test_a_setting_on_the_command_line_comes_before_that_of_the_file(
    *, tol: Tol, settings: Path, tmp_path: Path
) -> None:
    done = tol(
        "build", "--config", settings, "--set", "dataset.tag=other", "--set", "images.width=64", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "other" / "64x224" / "catalog.csv").is_file()

    for verb in ("plan", "status"):
        shown = tol(
            verb, "--config", settings, "--set", "dataset.tag=other", "--set", "images.width=64", cwd=tmp_path
        )
        assert shown.returncode == 0, shown.stderr
        assert shown.stdout.splitlines()[0].startswith(f"Dataset {tmp_path / 'out' / 'other'}")


def test_the_luigi_command_is_quiet_and_ends_with_the_summary(
    settings: Path, tmp_path: Path, build: Any
) -> None:
    ended = build(settings, log_level=None)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith(f"Dataset {tmp_path / 'out' / 'sample'}\n")
    assert len(ended.stdout.splitlines()) < 20


def test_where_there_is_no_dataset_none_is_made(tol: Tol, settings: Path, tmp_path: Path) -> None:
    done = tol("verify", "--config", settings, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (40, "")
    assert (
        done.stderr
        == f"tol: {tmp_path / 'out' / 'sample'}: there is no dataset. Build it first: tol build.\n"
    )
    assert not (tmp_path / "out").exists()

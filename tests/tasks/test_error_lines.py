"""An error that the user can fix is one line without a traceback, wherever it arises; a fault of the program keeps its own."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from failing_tasks import EXPECTED

from tol_luigi.tasks.error_lines import BUG

if TYPE_CHECKING:
    from collections.abc import Callable

    from forked import Forks

Sections = dict[str, dict[str, Any]]

FAILED, NOT_SCHEDULED, REFUSED = 30, 35, 40
TWO = ("--workers", "2")


@pytest.fixture
def fails(forks: Forks, bioscan_settings: Sections, settings_file: Any) -> Callable[..., Any]:
    """Run a task that fails at a place with a fault."""

    def run(at: str, fault: str, *options: str) -> Any:
        task = ["Failing", "--module", "failing_tasks", "--at", at, "--fault", fault]
        return forks.build(settings_file(bioscan_settings), *task, *options)

    return run


@pytest.mark.parametrize("options", [(), TWO], ids=["one worker", "two workers"])
def test_an_expected_error_of_a_task_is_one_line(options: tuple[str, ...], fails: Any) -> None:
    ended = fails("run", "expected", *options)

    assert (ended.code, ended.messages) == (FAILED, [f"Failing run expected: {EXPECTED}"])
    assert "Traceback" not in ended.output
    assert ended.output.count(str(EXPECTED)) == 1


@pytest.mark.parametrize("at", ["complete", "requires", "output"])
@pytest.mark.parametrize("options", [(), ("--parallel-scheduling",)], ids=["plain", "in parallel"])
def test_an_expected_error_of_the_graph_is_one_line(at: str, options: tuple[str, ...], fails: Any) -> None:
    ended = fails(at, "expected", *options)

    assert (ended.code, ended.messages) == (NOT_SCHEDULED, [str(EXPECTED)])
    assert "Traceback" not in ended.output


@pytest.mark.parametrize(
    ("at", "options", "code"),
    [
        pytest.param("complete", (), REFUSED, id="in the graph"),
        pytest.param("complete", ("--parallel-scheduling",), REFUSED, id="in a graph drawn in parallel"),
        pytest.param("run", (), FAILED, id="in a task"),
        pytest.param("run", TWO, FAILED, id="in a task in its process"),
    ],
)
def test_a_refusal_is_one_line(at: str, options: tuple[str, ...], code: int, fails: Any) -> None:
    ended = fails(at, "refused", *options)

    assert ended.code == code
    (message,) = ended.messages
    assert message.endswith(str(EXPECTED))
    assert "Traceback" not in ended.output


@pytest.mark.parametrize("at", ["run", "complete"])
def test_the_traceback_is_in_the_log_of_details(at: str, fails: Any) -> None:
    ended = fails(at, "expected", "--log-level", "DEBUG")

    assert "Traceback" in ended.output
    assert "in fail" in ended.output


@pytest.mark.parametrize("at", ["run", "complete", "requires"])
def test_a_fault_of_the_program_keeps_its_traceback_and_is_to_be_reported(at: str, fails: Any) -> None:
    ended = fails(at, "bug")

    assert ended.code == (FAILED if at == "run" else NOT_SCHEDULED)
    assert "AttributeError" in ended.output
    (message,) = ended.messages
    assert message.endswith(f"{BUG}.")


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        pytest.param("memory", "this process: no memory is left (the limit is", id="memory"),
        pytest.param(
            "files", "/nowhere/table.csv: no more files can be opened (the limit is", id="open files"
        ),
        pytest.param("threads", "no more processes or threads can be started", id="threads"),
    ],
)
@pytest.mark.parametrize(("at", "code"), [("run", FAILED), ("complete", NOT_SCHEDULED)])
def test_a_limit_of_the_system_is_one_line(at: str, code: int, fault: str, text: str, fails: Any) -> None:
    ended = fails(at, fault)

    assert ended.code == code
    (message,) = ended.messages
    assert text in message
    assert message.endswith("and run the same command again.")
    assert "Traceback" not in ended.output


def test_a_task_that_is_killed_is_one_line_that_names_memory(fails: Any) -> None:
    ended = fails("run", "killed", *TWO)

    assert ended.code == FAILED
    (message,) = ended.messages
    assert message.startswith("Failing run killed: ")
    assert "exit code -9, most likely because memory ran out. Use a machine with more memory" in message


def test_a_luigid_that_is_not_there_is_one_line(bioscan_settings: Sections, settings_file: Any) -> None:
    bioscan_settings["core"] = {"rpc-retry-attempts": 1, "rpc-retry-wait": 0}
    script = Path(sys.executable).with_name("luigi")
    arguments = ["--module", "tol_luigi", "BuildCatalog", "--scheduler-url", "http://127.0.0.1:9"]
    done = subprocess.run(
        [script, *arguments],
        env={**os.environ, "LUIGI_CONFIG_PATH": str(settings_file(bioscan_settings))},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    (message,) = [line for line in done.stderr.splitlines() if line.startswith("tol_luigi: ")]
    assert done.returncode == REFUSED
    assert "luigid does not answer" in message
    assert "--local-scheduler" in message
    assert "Traceback" not in done.stderr


def test_a_task_that_does_not_exist_is_one_line(
    bioscan_settings: Sections, settings_file: Any, build: Any
) -> None:
    finished = build(settings_file(bioscan_settings), task="BuldCatalog")
    assert finished.returncode == REFUSED
    assert "BuildCatalog" in finished.messages[0]
    assert len(finished.stderr.splitlines()) == 1


LIMITS = {
    "file size": (resource.RLIMIT_FSIZE, 40_000, "MiB (ulimit -f)"),
    "open files": (resource.RLIMIT_NOFILE, 7, "no more files can be opened"),
}


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("limit", LIMITS)
def test_a_build_within_a_limit_fails_in_one_line_and_the_next_one_heals_it(
    *,
    limit: str,
    workers: str,
    bioscan_settings: Sections,
    settings_file: Any,
    build_once: Any,
    build: Any,
    digests: Any,
) -> None:
    number, value, text = LIMITS[limit]
    undisturbed = digests(build_once("undisturbed-False", bioscan_settings))
    settings = settings_file(bioscan_settings)
    limited = _with_limit(number, value, settings, workers)
    assert limited.returncode in {FAILED, REFUSED}, limited.stderr
    assert "Traceback" not in limited.stderr
    messages = [line for line in limited.stderr.splitlines() if line.startswith("tol_luigi: ")]
    assert messages
    assert all(text in message for message in messages), messages
    finished = build(settings)
    assert finished.returncode == 0, finished.stderr
    assert digests(settings.parent / "out" / "sample") == undisturbed


def _with_limit(number: int, value: int, settings: Path, workers: str) -> subprocess.CompletedProcess[str]:
    code = (
        "import resource, luigi.cmdline, tol_luigi.tasks.luigi_command; "
        f"resource.setrlimit({number}, ({value}, {value})); "
        f"luigi.cmdline.luigi_run(['--module', 'tol_luigi', 'BuildCatalog', '--local-scheduler', '--workers', '{workers}'])"
    )
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "LUIGI_CONFIG_PATH": str(settings)},
        cwd=settings.parent,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize("options", ["ro", "size=4k"], ids=["read-only", "full"])
def test_a_system_without_semaphores_is_one_line(
    options: str, bioscan_settings: Sections, settings_file: Any
) -> None:
    settings = settings_file(bioscan_settings)
    unshare = shutil.which("unshare")
    if unshare is None or os.geteuid():
        pytest.skip("only root may mount a file system")
    mount = f"mount -t tmpfs -o {options} tmpfs /dev/shm && head -c 4096 /dev/zero > /dev/shm/full; "
    script = Path(sys.executable).with_name("luigi")
    build = f"exec {script} --module tol_luigi BuildCatalog --local-scheduler --workers 2"
    done = subprocess.run(
        [unshare, "--mount", "sh", "-c", f"{mount}{build}"],
        env={**os.environ, "LUIGI_CONFIG_PATH": str(settings)},
        cwd=settings.parent,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    if "unshare failed" in done.stderr or "mount: " in done.stderr:
        pytest.skip(f"cannot mount: {done.stderr.strip()}")
    assert done.returncode == REFUSED, done.stderr
    (message,) = [line for line in done.stderr.splitlines() if line.startswith("tol_luigi: ")]
    assert "no semaphore can be created in /dev/shm" in message
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("task", "message"),
    [
        pytest.param(
            "ScanPartition --source eol --partition part1",
            "--source eol: there is no such source in these settings. Use one of bioscan.",
            id="an unused source",
        ),
        pytest.param(
            "WriteShards --split val --source bioscan --partition part9",
            "--partition part9: there is no such partition in these settings. Use one of part1, ",
            id="no such partition",
        ),
        pytest.param(
            "HashPartition --source nothing --partition part1",
            "--source nothing: there is no such source in these settings. Use one of bioscan.",
            id="no source at all",
        ),
    ],
)
def test_a_task_of_what_the_settings_do_not_use_is_one_line(
    *, task: str, message: str, forks: Forks, bioscan_settings: Sections, settings_file: Any
) -> None:
    ended = forks.build(settings_file(bioscan_settings), *task.split())

    assert ended.code == REFUSED, ended.output
    assert "Traceback" not in ended.output
    [line] = ended.messages
    assert message in line

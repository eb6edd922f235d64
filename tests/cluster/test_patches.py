"""What is done to Luigi's insides is refused where they are others, and does what it is for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import luigi.worker
import pytest
from processes import SECONDS, Crew

from tol_luigi.cluster import patches
from tol_luigi.core.errors import SettingsError
from tol_luigi.tasks import exit_codes


def test_this_luigi_is_one_that_is_tested() -> None:
    patches.check()


@pytest.mark.parametrize("release", ["3.8.0", "3.9.0", "4.0"])
def test_another_release_of_luigi_is_refused(release: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patches, "version", lambda _: release)
    with pytest.raises(SettingsError, match=f"luigi {release}: a run on several nodes is tested only with"):
        patches.check()


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        pytest.param(owner, name, id=f"{owner.__name__}.{name}")
        for owner, methods in patches.OVERRIDDEN.items()
        for name in methods
    ],
)
def test_a_luigi_with_another_method_is_refused(
    owner: object, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner, name, lambda *, new: new)
    with pytest.raises(SettingsError, match=f"{name} differs from"):
        patches.check()


FAILING = """
import time
from pathlib import Path
import luigi
import tol_luigi

class Broken(luigi.Task):
    def output(self):
        return luigi.LocalTarget(Path(__file__).with_name("broken.made"))
    def run(self):
        time.sleep(3)
        raise ValueError("broken")

class Root(luigi.WrapperTask):
    def requires(self):
        return Broken()
"""


def luigi_command(crew: Crew, *arguments: str) -> subprocess.Popen[bytes]:
    """Start the plain command with the luigid of a run."""
    address = crew.run.read_address()
    assert address is not None
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LUIGI_")}
    path = os.pathsep.join([str(crew.folder), kept.get("PYTHONPATH", "")])
    with (crew.folder / f"plain{len(crew.started)}.log").open("wb") as log:
        process = subprocess.Popen(
            [Path(sys.executable).with_name("luigi"), *arguments, "--scheduler-url", address.url],
            cwd=crew.folder,
            env={**kept, "LUIGI_CONFIG_PATH": str(crew.settings), "PYTHONPATH": path},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    crew.started.append(process)
    return process


PLAIN = {"cluster": {"password": "false"}, "worker": {"keep_alive": "true", "wait_jitter": "0.5"}}


def test_every_plain_command_of_a_shared_build_says_that_it_is_complete(tmp_path: Path) -> None:
    with Crew(tmp_path, PLAIN) as crew:
        crew.start("luigid")
        crew.wait_for(crew.run.read_address)
        nodes = [luigi_command(crew, "--module", "tol_luigi", "BuildCatalog") for _ in range(3)]
        assert [node.wait(SECONDS) for node in nodes] == [0, 0, 0], crew.output()


def test_a_plain_command_says_that_a_task_has_failed_with_another(tmp_path: Path) -> None:
    with Crew(tmp_path, {**PLAIN, "cluster": {"password": "false", "retries": 1}}) as crew:
        (tmp_path / "failing.py").write_text(FAILING, encoding="utf-8")
        crew.start("luigid")
        crew.wait_for(crew.run.read_address)
        nodes = [luigi_command(crew, "--module", "failing", "Root") for _ in range(2)]
        assert [node.wait(SECONDS) for node in nodes] == [30, 30], crew.output()


def test_a_local_build_that_fails_still_says_so(tmp_path: Path) -> None:
    (tmp_path / "failing.py").write_text(FAILING.replace("time.sleep(3)", "pass"), encoding="utf-8")
    done = subprocess.run(
        [
            Path(sys.executable).with_name("luigi"),
            *("--module", "failing", "Root", "--local-scheduler"),
        ],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 30, done.stderr


def test_the_exit_code_is_patched_once(monkeypatch: pytest.MonkeyPatch) -> None:
    original = luigi.execution_summary._summary_dict
    monkeypatch.setattr(luigi.execution_summary, "_summary_dict", original)  # put back at the end
    exit_codes.apply()
    patched = luigi.execution_summary._summary_dict
    exit_codes.apply()
    assert luigi.execution_summary._summary_dict is patched

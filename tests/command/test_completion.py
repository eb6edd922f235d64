"""``tol completion``: what a real bash completes when a person types and presses the tab key."""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

Tol = Callable[..., subprocess.CompletedProcess[str]]

TAB = "\t"


@pytest.fixture(scope="module")
def script(tol: Tol, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The script for bash."""
    folder = tmp_path_factory.mktemp("completion")
    done = tol("completion", "bash", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    path = folder / "tol.bash"
    path.write_text(done.stdout, encoding="utf-8")
    return path


@pytest.fixture
def typed(script: Path, tmp_path: Path) -> Iterator[Callable[[str], list[str]]]:
    """Type a command line in an interactive bash; returns the arguments that ``tol`` gets."""
    bash = shutil.which("bash")
    assert bash
    leader, follower = pty.openpty()
    environment = {**os.environ, "TERM": "dumb", "PS1": "", "HISTFILE": "", "INPUTRC": "/dev/null"}
    process = subprocess.Popen(
        [bash, "--norc", "--noprofile", "-i"],
        cwd=tmp_path,
        env=environment,
        stdin=follower,
        stdout=follower,
        stderr=follower,
        start_new_session=True,
    )
    os.close(follower)

    def read_until(text: str) -> str:
        seen, end = "", time.monotonic() + 30
        while text not in seen and time.monotonic() < end:
            if select.select([leader], [], [], 0.1)[0]:
                seen += os.read(leader, 1 << 16).decode()
        assert text in seen
        return seen

    def complete(line: str) -> list[str]:
        os.write(leader, f"{line}\n".encode())
        shown = read_until("|end\r\n")
        return shown.rpartition("begin|")[2].partition("|end")[0].split("|")

    # Its output is not what the terminal echoes of this definition.
    define = 'tol() { printf "be""gin"; printf "|%s" "$@"; printf "|en""d\\n"; }'
    os.write(leader, f"source {script}; {define}; echo rea''dy\n".encode())
    read_until("ready\r\n")
    yield complete
    process.kill()
    process.wait()
    os.close(leader)


@pytest.mark.parametrize(
    ("line", "arguments"),
    [
        pytest.param(f"tol che{TAB}", ["check"], id="command"),
        pytest.param(
            f"tol verify --rep{TAB} --level pi{TAB}",
            ["verify", "--repair", "--level", "pixels"],
            id="options",
        ),
        pytest.param(f"tol plan --config my{TAB}", ["plan", "--config", "my-settings.cfg"], id="file"),
        pytest.param(f"tol init pho{TAB}", ["init", "photos/"], id="folder"),
        pytest.param(
            f"tol build --set dataset.ta{TAB}v2", ["build", "--set", "dataset.tag=v2"], id="setting"
        ),
        pytest.param(
            f"tol build --set nowhere.ta{TAB}", ["build", "--set", "nowhere.ta"], id="no such setting"
        ),
    ],
)
def test_bash_completes(
    line: str, arguments: list[str], typed: Callable[[str], list[str]], tmp_path: Path
) -> None:
    (tmp_path / "my-settings.cfg").touch()
    (tmp_path / "photos").mkdir()
    assert typed(line) == arguments


@pytest.mark.parametrize(
    ("shell", "parts"), [("zsh", ["#compdef tol", "compadd -S = -- "]), ("fish", ["complete -c tol"])]
)
def test_other_shells_get_a_script_with_the_settings(
    shell: str, parts: list[str], tol: Tol, tmp_path: Path
) -> None:
    done = tol("completion", shell, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert all(part in done.stdout for part in (*parts, "dataset.tag", "images.jpeg_quality"))

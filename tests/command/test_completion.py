"""``tol completion``: what real shells complete when a person types and presses the tab key."""

from __future__ import annotations

import functools
import os
import pty
import select
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

import pytest
from optional import unavailable

if TYPE_CHECKING:
    from pathlib import Path

Tol = Callable[..., subprocess.CompletedProcess[str]]
Script = Callable[[str], str]

TAB = "\t"
SECONDS = 30


class Shell(NamedTuple):
    """A shell that completes what is typed.

    Attributes:
        options: Those with which it is interactive, and reads no file of a person.
        setup: The commands that load the script, which is in the file ``_tol`` of the folder.
    """

    options: tuple[str, ...]
    setup: str


SHELLS = {
    "bash": Shell(("--norc", "--noprofile", "-i"), "source ./_tol"),
    "zsh": Shell(("-f", "-i"), "PS1=; fpath=($PWD $fpath); autoload -Uz compinit; compinit -u -D"),
}


@pytest.fixture(scope="module")
def script(tol: Tol, tmp_path_factory: pytest.TempPathFactory) -> Script:
    """Return the script for a shell."""

    @functools.cache
    def write(shell: str) -> str:
        done = tol("completion", shell, cwd=tmp_path_factory.mktemp("completion"))
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    return write


def program(shell: str) -> str:
    """Return the path of a shell, which may be missing where it is not CI."""
    return shutil.which(shell) or unavailable(f"no {shell} here")


def with_files(folder: Path) -> Path:
    """Return a folder with a settings file and a folder of images."""
    (folder / "my-settings.cfg").touch()
    (folder / "photos").mkdir()
    return folder


@pytest.fixture(params=SHELLS)
def typed(
    script: Script, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Callable[[str], list[str]]]:
    """Type a command line in an interactive shell; returns the arguments that ``tol`` gets."""
    shell = SHELLS[request.param]
    with_files(tmp_path)
    (tmp_path / "_tol").write_text(script(request.param), encoding="utf-8")
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [program(request.param), *shell.options],
        cwd=tmp_path,
        env={**os.environ, "TERM": "dumb", "PS1": "", "HISTFILE": "", "INPUTRC": "/dev/null"},
        stdin=follower,
        stdout=follower,
        stderr=follower,
        start_new_session=True,
    )
    os.close(follower)

    def read_until(text: str) -> str:
        seen, end = "", time.monotonic() + SECONDS
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
    os.write(leader, f"{shell.setup}; {define}; echo rea''dy\n".encode())
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
        pytest.param(f"tol init pho{TAB}", ["init", "photos"], id="folder"),
        pytest.param(
            f"tol build --set dataset.ta{TAB}v2", ["build", "--set", "dataset.tag=v2"], id="setting"
        ),
        pytest.param(
            f"tol build --set nowhere.ta{TAB}", ["build", "--set", "nowhere.ta"], id="no such setting"
        ),
    ],
)
def test_bash_and_zsh_complete(line: str, arguments: list[str], typed: Callable[[str], list[str]]) -> None:
    # zsh removes the slash after a folder that is the last argument.
    assert [argument.rstrip("/") for argument in typed(line)] == arguments


@pytest.mark.parametrize(
    ("line", "candidates"),
    [
        pytest.param("tol che", ["check"], id="command"),
        pytest.param("tol verify --rep", ["--repair"], id="option"),
        pytest.param("tol verify --level pi", ["pixels"], id="value of an option"),
        pytest.param("tol plan --config my", ["my-settings.cfg"], id="file"),
        pytest.param("tol init pho", ["photos/"], id="folder"),
        pytest.param("tol build --set dataset.ta", ["dataset.tag="], id="setting"),
        pytest.param("tol build --set nowhere.ta", [], id="no such setting"),
    ],
)
def test_fish_completes(line: str, candidates: list[str], script: Script, tmp_path: Path) -> None:
    path = with_files(tmp_path) / "tol.fish"
    path.write_text(script("fish"), encoding="utf-8")
    done = subprocess.run(
        [program("fish"), "--no-config", "--command", f"source tol.fish; complete --do-complete '{line}'"],
        cwd=tmp_path,
        env={**os.environ, "HOME": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
        timeout=SECONDS,
    )
    assert [shown.partition("\t")[0] for shown in done.stdout.splitlines()] == candidates


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_commands_are_described_as_in_the_help(shell: str, script: Script) -> None:
    assert "read settings, tables and names of images before a build" in script(shell)

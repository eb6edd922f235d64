"""The tutorial as a person works through it: on terminals of 80 and 120 columns, and with the output in a file."""

from __future__ import annotations

import csv
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from pages import ROOT, clone, fences, login
from terminal import on_terminal

PAGE = ROOT / "docs" / "tutorial.md"

CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")

COMMANDS = [line for fence in fences(PAGE) if fence.is_run for line in fence.text.splitlines()]
ACTIVATE, *STEPS = COMMANDS

LAST = {
    "demonstration": r"photos: 60 images drawn",
    "init": r"  tol build --config photos.cfg",
    "check": r"1 source, all settings and tables can be used\.",
    "plan": r"\S.*\.",
    "build": r"catalog: \S+/datasets/photos/224x224/catalog.csv",
    "status": r"shards: \d.*",
    "why": r"  sha256 +[0-9a-f]{64}",
    "verify": r"no findings: the dataset matches its receipts",
}
"""The last line that each command shows."""

LABEL = 16
"""The columns that the label of a line takes."""

AGAIN = {120: ("plan", "why"), None: ("build", "why")}
"""What is run again on other terminals, when there is a dataset."""


@dataclass(frozen=True)
class Output:
    """What a command has written, and the lines that are left of it on the screen at its end."""

    written: str
    screen: list[str]

    @property
    def lines(self) -> list[str]:
        """All lines that were written, also those that were drawn over."""
        return [line.rstrip() for line in ESCAPES.sub("", self.written).replace("\r", "\n").split("\n")]


@dataclass(frozen=True)
class Session:
    """What the commands have written, on a terminal of a width, or without one if it is None."""

    columns: int | None
    outputs: dict[str, Output]


def verb(command: str) -> str:
    """Return what a command does, as the name of a step."""
    return next(name for name in LAST if name in command)


def run(command: str, folder: Path, columns: int | None) -> Output:
    """Run a command of the page to its end in a shell of its own, and return what it has written."""
    shell = ["/bin/bash", "-c", f"{ACTIVATE}\n{command}"]
    if columns is not None:
        code, written, screen = on_terminal(shell, folder, columns, login(folder))
        text = written.decode()
    else:
        done = subprocess.run(
            shell,
            cwd=folder,
            env=login(folder),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        code, text = done.returncode, done.stdout.decode()
        screen = text.splitlines()
    assert code == 0, text
    return Output(text, [line for line in screen if line])


def is_too_long(line: str, width: int) -> bool:
    """Return whether a line could be shorter: a path is never broken, and stays on a line with its label."""
    return len(line) > width and max(map(len, line.split())) < width - LABEL


def check(session: Session) -> None:
    """Check that lines fit and that the last one is what matters; there are control characters on a terminal only."""
    width = session.columns or 120
    for step, output in session.outputs.items():
        assert re.fullmatch(LAST[step], output.screen[-1]), (step, output.screen)
        assert [line for line in output.lines if is_too_long(line, width)] == [], step
        assert session.columns or not CONTROL.search(output.written), step


def check_build(build: Output) -> None:
    """Check that bars are drawn, and that the lines of the stages are what is left of them."""
    assert "━" in build.written
    assert not any("━" in line for line in build.screen)
    stages = [found[1] for line in build.screen if (found := re.match(r"([A-Z]\w+) +\d+ tasks?, ", line))]
    assert stages[0] == "StoreSettings"
    assert stages[-1] == "WriteManifest"
    assert len(stages) == len(set(stages))


def check_dataset(folder: Path) -> None:
    """Check that the dataset has all images, and that the example on the page reads it."""
    catalog = folder / "datasets" / "photos" / "224x224" / "catalog.csv"
    with catalog.open(encoding="utf-8", newline="") as file:
        assert len({row["treeoflife_id"] for row in csv.DictReader(file)}) == 60
    [example] = [fence.text for fence in fences(PAGE) if fence.language == "python"]
    printed = run(f"python - <<'END'\n{example}END", folder, None).screen
    assert printed[0] == "{'train': 57, 'val': 3, 'train_small': 5}"
    assert [line.partition(" (224, 224) ")[2][:11] for line in printed[1:]] == ["a photo of "] * 3


def test_the_tutorial_as_a_person_works_through_it() -> None:
    # The folders of pytest have long paths, with which lines cannot fit.
    with tempfile.TemporaryDirectory(dir="/tmp") as place:
        folder = Path(place)
        clone(folder)
        first = Session(80, {verb(command): run(command, folder, 80) for command in STEPS})
        assert list(first.outputs) == list(LAST)
        check(first)
        check_build(first.outputs["build"])
        check_dataset(folder)
        for columns, verbs in AGAIN.items():
            again = [command for command in STEPS if verb(command) in verbs]
            check(Session(columns, {verb(command): run(command, folder, columns) for command in again}))

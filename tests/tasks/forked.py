"""Many builds of one process that has imported everything and forks: a start takes no second, then."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple, Self

_OURS = "tol_luigi: "


class Ended(NamedTuple):
    """How a build has ended: its exit code, and what it has written."""

    code: int
    output: str

    @property
    def messages(self) -> list[str]:
        """The program's own lines, each once, without their mark."""
        found = [line.removeprefix(_OURS) for line in self.output.splitlines() if line.startswith(_OURS)]
        return list(dict.fromkeys(found))


class Forks:
    """A process that forks a build on demand, of whatever settings file."""

    def __init__(self) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("LUIGI_")}
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", __file__],
            cwd=Path(__file__).parent,
            env=kept,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )

    def build(self, settings: Path, *arguments: str) -> Ended:
        """Build, and wait for the end."""
        assert self._process.stdin
        assert self._process.stdout
        log = settings.with_suffix(".log")
        self._process.stdin.write(f"{settings} {log} {' '.join(arguments)}\n")
        code = int(self._process.stdout.readline())
        return Ended(code, log.read_text(encoding="utf-8"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._process:  # which closes what it is asked by, and waits for its end
            pass


def _serve() -> None:
    import luigi.cmdline  # noqa: PLC0415 (once for all builds)

    from tol_luigi.tasks import luigi_command, preload  # noqa: F401, PLC0415

    preload.import_modules()
    for line in sys.stdin:
        settings, log, *arguments = line.split()
        if build := os.fork():
            sys.stdout.write(f"{os.waitstatus_to_exitcode(os.waitpid(build, 0)[1])}\n")
            sys.stdout.flush()
            continue
        for descriptor in (1, 2):
            os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND), descriptor)
        os.environ["LUIGI_CONFIG_PATH"] = settings
        luigi.configuration.add_config_path(settings)
        with contextlib.chdir(Path(settings).parent):
            luigi.cmdline.luigi_run(["--module", "tol_luigi", *arguments, "--local-scheduler"])


if __name__ == "__main__":
    _serve()

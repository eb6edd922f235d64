"""Many commands in one process, each as if it were a new one: for tests that would start hundreds of processes."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any, NamedTuple, Self

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class Ended(NamedTuple):
    """How a command has ended: whether all tasks have succeeded, and the lines that name an error."""

    succeeded: bool
    errors: list[str]


class Session:
    """A process that runs tasks of one settings file, one after the other, with nothing kept in between.

    Args:
        settings: The settings file.
        prefix: The beginning of its command line.
    """

    def __init__(self, settings: Path, prefix: Sequence[str] = ()) -> None:
        self._process = subprocess.Popen(
            [*prefix, sys.executable, "-W", "ignore", __file__],
            cwd=settings.parent,
            env={**os.environ, "LUIGI_CONFIG_PATH": str(settings)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(
        self, task: str = "BuildCatalog", *, settings: dict[str, str] | None = None, **parameters: Any
    ) -> Ended:
        """Run a task; ``settings`` are of the section ``checks``, unless they name another one, as in ``rights.allow``."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps([task, parameters, settings or {}]) + "\n")
        self._process.stdin.flush()
        return Ended(*json.loads(self._process.stdout.readline()))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._process:  # which closes what it is asked by, and waits for its end
            pass


def serve() -> None:
    import luigi  # noqa: PLC0415 (it reads the settings that the environment names)

    import tol_luigi  # noqa: PLC0415
    from tol_luigi.tasks import stage  # noqa: PLC0415
    from tol_luigi.tasks.settings import settings  # noqa: PLC0415

    logged = io.StringIO()  # Luigi logs what complete() raises, and nothing else comes of it
    logging.getLogger("luigi-interface").addHandler(logging.StreamHandler(logged))
    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        task, parameters, checks = json.loads(line)
        luigi.task.Register.clear_instance_cache()
        settings.cache_clear()
        stage.clear_completion_cache()
        stage._unchanged_since.clear()
        for key, value in checks.items():
            section, _, name = key.rpartition(".")
            luigi.configuration.get_config().set(section or "checks", name, value)
        said = io.StringIO()
        succeeded, error = False, ""
        logged.truncate(0)
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(said):
            try:
                wanted = getattr(tol_luigi, task)(**parameters)
                succeeded = luigi.build([wanted], local_scheduler=True, log_level="WARNING", workers=1)
            except Exception as caught:  # noqa: BLE001 (whatever it is, the test is told)
                error = f"{type(caught).__name__}: {caught}"
        errors = [
            line
            for line in [*said.getvalue().splitlines(), *logged.getvalue().splitlines(), error]
            if "Error: " in line or line.startswith("tol_luigi: ")
        ]
        answers.write(json.dumps([bool(succeeded), errors]) + "\n")
        answers.flush()


if __name__ == "__main__":
    serve()

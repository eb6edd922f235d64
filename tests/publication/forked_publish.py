"""Publications in processes of their own, forked from one that has imported everything: a start takes no second, then.

Each line on standard input is JSON: the folder of the dataset, the destination, the size of parts, further environment, the
file for its process id, after how many bytes it is killed (0: never), and whether files of an earlier publication are
removed. The answer is the exit code.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any


def _publish(given: dict[str, Any]) -> int:
    from tol_luigi.core.errors import TolError  # noqa: PLC0415
    from tol_luigi.core.layout import Layout  # noqa: PLC0415
    from tol_luigi.publication.publish import open_destination, plan_publication, publish  # noqa: PLC0415

    os.environ.update(given["environment"])
    Path(given["pid"]).write_text(str(os.getpid()))
    layout = Layout(Path(given["dataset"]), "224x224")
    sent = 0

    def count(size: int) -> None:
        nonlocal sent
        sent += size
        if given["kill_at"] and sent >= given["kill_at"]:
            os.kill(os.getpid(), signal.SIGKILL)

    try:
        destination = open_destination(
            given["destination"], layout.directory, jobs=1, part_size=given["part_size"]
        )
        plan = plan_publication(layout, destination, lambda _: None)
        publish(plan, destination, count, delete=given["delete"])
    except TolError as error:
        sys.stderr.write(f"{error}\n")
        return 40
    return 0


def _serve(modules: list[str]) -> None:
    for module in modules:
        importlib.import_module(module)
    for line in sys.stdin:
        given = json.loads(line)
        if child := os.fork():
            sys.stdout.write(f"{os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}\n")
            sys.stdout.flush()
            continue
        log = os.open(given["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(log, 1)
        os.dup2(log, 2)
        code = 70
        try:
            code = _publish(given)
        except BaseException:  # noqa: BLE001 (the process ends)
            import traceback  # noqa: PLC0415

            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    _serve(sys.argv[1:])
